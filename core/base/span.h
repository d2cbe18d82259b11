/* SPDX-License-Identifier: Apache-2.0 */
/* span.h - text that somebody else owns. */
#ifndef KINF_BASE_SPAN_H
#define KINF_BASE_SPAN_H

#include <string.h>

#include "kinformer.h"

static inline struct kinf_span span_of(const char *ptr, size_t len)
{
    return (struct kinf_span){ ptr, len };
}

/* Are so many texts in a row equal, such as the two of a key? */
bool kinf_texts_equal(const struct kinf_span *a, const struct kinf_span *b,
                      size_t count);

static inline bool span_equal(struct kinf_span a, struct kinf_span b)
{
    return kinf_texts_equal(&a, &b, 1);
}

/* The texts of an identity as an array: name, namespace, uid, version. */
static inline struct kinf_span *texts_of(struct kinf_object *object)
{
    return (struct kinf_span *)(void *)object;
}

static inline const struct kinf_span *item_texts(const struct kinf_item *item)
{
    return item->identity;
}

/* Where the same texts stand in the sink. */
static inline const kinf_off *item_places(const struct kinf_item *item)
{
    return item->identity_at;
}

/* Have they one uid and one version? */
static inline bool same_state(struct kinf_object *object,
                              const struct kinf_item *item)
{
    return kinf_texts_equal(texts_of(object) + KINF_UID,
                            item->identity + KINF_UID, 2);
}

/* A copy by a call: six places make one, of 24 bytes each. */
void kinf_version_copy(struct kinf_version *to,
                       const struct kinf_version *from);

/* Writes a number in decimal at the end of buf and sets *out to it. */
void kinf_decimal(struct kinf_span *out, uint32_t number, char buf[11]);

/* What a hexadecimal digit stands for, 16 or more for any other character. */
unsigned kinf_hex_digit(char c);

/* Reads digits alone, of base 10 or 16. Returns false, and leaves *out alone,
 * on anything else and beyond 32 bits. */
bool kinf_read_number(const char *text, unsigned base, uint32_t *out);

/* Which of the words a text is, from 1 on; one more than there are: none.
 * Before each stands its length, and NUL after the last: "\4name\3uid". */
unsigned kinf_find_word(struct kinf_span text, const char *words);

#endif
