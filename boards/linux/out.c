/* SPDX-License-Identifier: Apache-2.0 */
/* out.c - text put together in a buffer of fixed size. See out.h. */
#include "out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FOREIGN_MAX 240 /* of one piece of others' text in a message */

struct out out_over(char *buffer, size_t size)
{
    return (struct out){ buffer, size, 0, false };
}

void out_bytes(struct out *o, const char *text, size_t len)
{
    if (len > o->size - o->used) {
        len = o->size - o->used;
        o->cut = true;
    }
    if (len > 0) /* an empty span may point nowhere */
        memcpy(o->ptr + o->used, text, len);
    o->used += len;
}

void out_text(struct out *o, const char *text)
{
    out_bytes(o, text, strlen(text));
}

void out_uint(struct out *o, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    out_bytes(o, digits + at, sizeof digits - at);
}

static void out_int(struct out *o, int n)
{
    if (n < 0)
        out_text(o, "-");
    out_uint(o, n < 0 ? 0u - (unsigned)n : (unsigned)n);
}

static void out_hex(struct out *o, const char *lead, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    out_text(o, lead);
    out_bytes(o, &hex[c >> 4], 1);
    out_bytes(o, &hex[c & 15], 1);
}

static bool printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}

void out_escaped(struct out *o, const char *text, size_t len, size_t most)
{
    size_t shown = len > most ? most : len;

    for (size_t i = 0; i < shown; i++) {
        if (printable(text[i]) && text[i] != '\\')
            out_bytes(o, &text[i], 1);
        else
            out_hex(o, "\\x", (unsigned char)text[i]);
    }
    if (shown < len)
        out_text(o, "...");
}

void out_json(struct out *o, const char *text, size_t len)
{
    out_text(o, "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            out_text(o, "\\");
        if (printable(text[i]))
            out_bytes(o, &text[i], 1);
        else
            out_hex(o, "\\u00", (unsigned char)text[i]);
    }
    out_text(o, "\"");
}

void out_member(struct out *o, const char *name)
{
    char last = o->used ? o->ptr[o->used - 1] : '{';

    if (last != '{' && last != '[')
        out_text(o, ",");
    out_json(o, name, strlen(name));
    out_text(o, ":");
}

void out_vformat(struct out *o, const char *format, va_list args)
{
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            out_bytes(o, f, 1);
            continue;
        }
        f++;
        if (*f == 's') {
            out_text(o, va_arg(args, const char *));
        } else if (strncmp(f, ".*s", 3) == 0) {
            int len = va_arg(args, int);
            out_escaped(o, va_arg(args, const char *), (size_t)len,
                        FOREIGN_MAX);
            f += 2;
        } else if (strncmp(f, "llu", 3) == 0) {
            out_uint(o, va_arg(args, unsigned long long));
            f += 2;
        } else if (strncmp(f, "zu", 2) == 0) {
            out_uint(o, va_arg(args, size_t));
            f++;
        } else if (*f == 'u') {
            out_uint(o, va_arg(args, unsigned));
        } else if (*f == 'd') {
            out_int(o, va_arg(args, int));
        } else if (*f == 'c') {
            char c = (char)va_arg(args, int);
            out_escaped(o, &c, 1, 1);
        } else {
            out_bytes(o, f, 1); /* "%%" */
        }
    }
}

void out_format(struct out *o, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    out_vformat(o, format, args);
    va_end(args);
}

int out_write(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return 0;
}
