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

void print_change(const char *what, const struct kinf_object *object)
{
    print(what);
    print_span(object->namespace_);
    print("/");
    print_span(object->name);
    print(" rv ");
    print_span(object->resource_version);
    print("\n");
}

void print_error(void *ctx, int err, int status, struct kinf_span message,
                 const struct kinf_object *object)
{
    (void)ctx;
    (void)object;
    print("error ");
    print_number((uint32_t)-err);
    if (CONFIG_KINF_ERROR_TEXTS)
        print(" ");
    print(kinf_strerror(err));
    print(", HTTP ");
    print_number((uint32_t)status);
    print(": ");
    print_span(message);
    print("\n");
}
