/* SPDX-License-Identifier: Apache-2.0 */
/* assert.h - promises that are checked: of the caller and of ourselves.
 *
 * A failure carries a file number and a line, no strings. Each .c file says its
 * number before it includes this header: #define KINF_FILE 12. What comes from
 * the network is never asserted. */
#ifndef KINF_BASE_ASSERT_H
#define KINF_BASE_ASSERT_H

#include "kinformer.h"

#ifndef KINF_FILE
#define KINF_FILE 0
#endif

#if CONFIG_KINF_ASSERT
#define KINF_ASSERT(condition)                                                 \
    ((condition) ? (void)0 : kinf_assert_failed(KINF_FILE, __LINE__))
#define KINF_UNREACHABLE(text) kinf_assert_failed(KINF_FILE, __LINE__)
#else
#define KINF_ASSERT(condition) ((void)sizeof(condition))
#define KINF_UNREACHABLE(text) ((void)0)
#endif

/* Around a function of the user's that may not ask us back. */
#if CONFIG_KINF_ASSERT
#define KINF_ASKS(k) ((k)->polling |= KINF_ASKING)
#define KINF_ASKED(k) ((k)->polling &= (uint8_t)~KINF_ASKING)
#else
#define KINF_ASKS(k) ((void)sizeof(k))
#define KINF_ASKED(k) ((void)sizeof(k))
#endif

/* Before a function that is to stay one: inlined, a compiler that saves bytes
 * copies what follows it for each of its outcomes. */
#if defined(__clang__)
#define KINF_APART __attribute__((noinline))
#elif defined(__GNUC__)
#define KINF_APART __attribute__((noinline, noclone))
#else
#define KINF_APART
#endif

#endif
