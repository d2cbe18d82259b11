/* SPDX-License-Identifier: Apache-2.0 */
/* span.c - texts, numbers and words; see span.h. */
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

bool kinf_texts_equal(const struct kinf_span a[2], const struct kinf_span b[2])
{
    return span_equal(a[0], b[0]) && span_equal(a[1], b[1]);
}

bool kinf_read_decimal(const char *text, uint32_t *out)
{
    uint32_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint32_t digit = (uint32_t)(unsigned char)*text - '0';

        if (digit > 9 || number > (UINT32_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

unsigned kinf_find_word(const char *text, const char *words)
{
    unsigned i = 1;

    for (; *words != '\0'; words += strlen(words) + 1, i++)
        if (strcmp(text, words) == 0)
            return i;
    return 0;
}
