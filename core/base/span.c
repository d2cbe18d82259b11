/* SPDX-License-Identifier: Apache-2.0 */
/* span.c - texts, numbers and words; see span.h. */
#define KINF_FILE 7
#include "span.h"

void kinf_decimal(struct kinf_span *out, uint32_t number, char buf[11])
{
    char *at = buf + 11;

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    out->ptr = at;
    out->len = (size_t)(buf + 11 - at);
}

_Static_assert(offsetof(struct kinf_object, resource_version) ==
                   KINF_RESOURCE_VERSION * sizeof(struct kinf_span),
               "see texts_of");

bool kinf_texts_equal(const struct kinf_span *a, const struct kinf_span *b,
                      size_t count)
{
    while (count > 0 && a->len == b->len &&
           (a->len == 0 || memcmp(a->ptr, b->ptr, a->len) == 0))
        a++, b++, count--;
    return count == 0;
}

void kinf_version_copy(struct kinf_version *to, const struct kinf_version *from)
{
    *to = *from;
}

unsigned kinf_hex_digit(char c)
{
    unsigned digit = (unsigned)c - '0';

    if (digit < 10)
        return digit;
    digit = ((unsigned)c | 0x20) - 'a';
    return digit < 6 ? digit + 10 : 16;
}

bool kinf_read_number(const char *text, unsigned base, uint32_t *out)
{
    uint32_t number = 0;

    do {
        uint32_t digit = kinf_hex_digit(*text);

        if (digit >= base || number > (UINT32_MAX - digit) / base)
            return false;
        number = number * base + digit;
    } while (*++text != '\0');
    *out = number;
    return true;
}

unsigned kinf_find_word(struct kinf_span text, const char *words)
{
    unsigned i = 1;

    for (; *words != '\0'; words += *words + 1, i++) {
        size_t n = (size_t)*words;

        if (n != text.len)
            continue;
        while (n > 0 && words[n] == text.ptr[n - 1])
            n--;
        if (n == 0)
            break;
    }
    return i;
}
