/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a small API server behind a transport, two handlers, and a port
 * each of whose calls can be made to fail.
 *
 * The server keeps keys 'a' to 'p', with versions and a log; it lists, pages,
 * streams and watches them as any resource that is asked for. Time is a number.
 * Every call of the port is counted; the one with the number fail_at, or all of
 * its kind from there on, answers with a fault. */
#ifndef FAULTS_WORLD_H
#define FAULTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinformer.h"

enum { KEYS = 16, LOG = 64, LINKS = 2, INFORMERS = 2, MODES = 2 };

/* ---- calls of the port -------------------------------------------------- */

enum call {
    CALL_OPEN,
    CALL_SEND,
    CALL_RECV,
    CALL_CLOSE, /* cannot fail */
    CALL_STATUS,
    CALL_TOKEN,
    CALL_NOW,
    CALL_RANDOM,
    CALL_WALL
};

/* What a call answers in place of the truth, beside error codes. */
enum trick {
    TRICK_SHORT = 1, /* one byte moves */
    TRICK_NOTHING,   /* nothing is told; no token; no bits set */
    TRICK_ODD,       /* not verified; a token with a line break; all bits set */
    TRICK_JUMP       /* time leaps by ten minutes */
};

struct fault {
    enum call call;
    int answer; /* an error, or an enum trick */
};

/* ---- what is to be tested ----------------------------------------------- */

/* Steps are words: +a (add or modify a), *a (with 500 bytes), -a (delete),
 * 410 (forget the log and end watches), end (end watches), cut (connections),
 * wait (eleven minutes), late (a handler comes), gone (it leaves), reload. Each
 * step is taken once the world has settled after the one before. */
struct scenario {
    const char *name;
    const char *const *steps; /* the first is there from the beginning */
    bool stream;              /* it is asked for; refuses: with 422 */
    bool refuses, two, single, token, plain;
    bool busy;   /* its first answer is 429 and a date */
    bool verify; /* lists again each ten minutes */
    uint32_t limit;
    uint32_t objects, arena_bytes; /* too few until the last step; 0: enough */
    size_t piece; /* at most so many bytes move at once; 0: any */
};

/* Plays it, the call number fail_at with the fault, 0: none. Checks what must
 * hold. Returns the number of calls; kinds, if given, gets the kind of each. */
uint32_t play(const struct scenario *scenario, const struct fault *fault,
              uint32_t fail_at, bool for_ever, uint8_t *kinds, uint32_t max);

#endif
