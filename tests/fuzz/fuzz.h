/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the fuzzers share: bytes to decide by, copies that end where
 * they say, transcripts to compare, and what JSON is, said a second time. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinformer.h"

/* What must hold; says what did not, and ends. */
#define MUST(condition)                                                        \
    ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_broken(const char *what, const char *file, int line);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- bytes to decide by ------------------------------------------------- */

struct dice {
    const uint8_t *at, *end;
};
/* The next byte; 0 when there is none. */
uint8_t dice_byte(struct dice *d);
uint16_t dice_word(struct dice *d);
/* At most size bytes as they stand. */
struct kinf_span dice_text(struct dice *d, size_t size);
/* What comes before the next such byte, which is passed over; else the rest. */
struct kinf_span dice_until(struct dice *d, uint8_t stop);
struct kinf_span dice_rest(struct dice *d);

/* ---- pieces ------------------------------------------------------------- */

/* Hands an input out in pieces, each on the heap alone, so that reading past
 * its end is noticed. Sizes come in turn from cuts; none: the whole. */
struct pieces {
    struct kinf_span input;
    struct kinf_span cuts;
    size_t at, turn;
    char *copy;
    struct kinf_span left; /* of the piece that is out */
};
struct pieces pieces_of(struct kinf_span input, struct kinf_span cuts);
/* The rest of the piece that is out, or the next one. False at the end. */
bool pieces_next(struct pieces *p, struct kinf_span *piece);
void pieces_used(struct pieces *p, size_t used);
void pieces_free(struct pieces *p);
/* Bytes that have been used. */
size_t pieces_done(const struct pieces *p);

char *heap_copy(struct kinf_span text);

/* ---- transcripts -------------------------------------------------------- */

struct told {
    char *text;
    size_t len, size;
};
void told_bytes(struct told *t, const char *bytes, size_t len);
void told_text(struct told *t, const char *name, struct kinf_span text);
void told_number(struct told *t, const char *name, long long number);
bool told_same(const struct told *a, const struct told *b);
void told_free(struct told *t);

/* ---- JSON --------------------------------------------------------------- */

/* Is this one value as RFC 8259 has it, strings in UTF-8? */
bool json_is_valid(struct kinf_span text);
/* Do all strings and words of a text stand in another, in this order? Strings
 * compare by what they say. */
bool json_came_from(struct kinf_span kept, struct kinf_span said);

#endif
