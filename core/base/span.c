/* SPDX-License-Identifier: Apache-2.0 */
/* span.c - text of a number; see span.h. */
#define KINF_FILE 7
#include "span.h"

struct kinf_span kinf_decimal(uint32_t number, char buf[11])
{
    char *at = buf + 11;

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return span_of(at, (size_t)(buf + 11 - at));
}
