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

static inline bool span_equal(struct kinf_span a, struct kinf_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Writes a number in decimal at the end of buf and returns where it begins. */
struct kinf_span kinf_decimal(uint32_t number, char buf[11]);

#endif
