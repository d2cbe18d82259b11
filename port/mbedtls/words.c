/* SPDX-License-Identifier: Apache-2.0 */
/* words.c - sentences for status().reason without printf, which a firmware
 * may not have. What does not fit is cut. */
#include <string.h>

#include "glue.h"

struct kinf_words kinf_words_in(char *buf, size_t size)
{
    struct kinf_words w = { .at = buf, .end = buf + size - 1 };

    *buf = '\0';
    return w;
}

static void put(struct kinf_words *w, char c)
{
    if (w->at < w->end)
        *w->at++ = c;
    *w->at = '\0';
}

void kinf_words_text(struct kinf_words *w, const char *text)
{
    while (*text != '\0')
        put(w, *text++);
}

void kinf_words_bytes(struct kinf_words *w, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < len; i++)
        put(w, b[i] >= 0x20 && b[i] < 0x7F ? (char)b[i] : '?');
}

void kinf_words_number(struct kinf_words *w, uint32_t number)
{
    char digits[10];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (n > 0)
        put(w, digits[--n]);
}

void kinf_words_two(struct kinf_words *w, int number)
{
    put(w, (char)('0' + number / 10 % 10));
    put(w, (char)('0' + number % 10));
}

void kinf_words_hex(struct kinf_words *w, uint32_t number)
{
    kinf_words_text(w, "0x");
    for (int shift = 12; shift >= 0; shift -= 4)
        put(w, "0123456789ABCDEF"[number >> shift & 15]);
}
