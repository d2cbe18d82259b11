/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.h - points in time on a clock that wraps.
 *
 * A point counts as past for half the range of the clock (24 days) after it;
 * nothing here waits longer than that. */
#ifndef KINF_BASE_DEADLINE_H
#define KINF_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

static inline bool deadline_passed(uint32_t at_ms, uint32_t now_ms)
{
    return now_ms - at_ms < 0x80000000u;
}

/* Milliseconds until the point, 0 when it is past. */
static inline uint32_t deadline_left(uint32_t at_ms, uint32_t now_ms)
{
    return deadline_passed(at_ms, now_ms) ? 0 : at_ms - now_ms;
}

static inline uint32_t earlier_ms(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

#endif
