/* SPDX-License-Identifier: Apache-2.0 */
/* span.c - texts and the text of a number; see span.h. */
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

_Static_assert(offsetof(struct kinf_object, resource_version) ==
                   KINF_RESOURCE_VERSION * sizeof(struct kinf_span),
               "see texts_of");
_Static_assert(offsetof(struct kinf_item, version) ==
                   offsetof(struct kinf_item, name) +
                       KINF_RESOURCE_VERSION * sizeof(struct kinf_span),
               "see item_texts");
_Static_assert(offsetof(struct kinf_item, version_at) ==
                   offsetof(struct kinf_item, name_at) +
                       KINF_RESOURCE_VERSION * sizeof(kinf_off),
               "see item_places");

bool kinf_texts_equal(const struct kinf_span a[2], const struct kinf_span b[2])
{
    return span_equal(a[0], b[0]) && span_equal(a[1], b[1]);
}
