/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - see print.h. */
#include "print.h"

#include <string.h>

#include "board.h"

void print(const char *text)
{
    board_print(text, strlen(text));
}

void print_span(struct kinf_span text)
{
    if (text.len > 0)
        board_print(text.ptr, text.len);
}

void print_number(uint32_t number)
{
    char text[10], *at = text + sizeof(text);

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    board_print(at, (size_t)(text + sizeof(text) - at));
}
