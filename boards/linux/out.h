/* SPDX-License-Identifier: Apache-2.0 */
/* out.h - text put together in a buffer of fixed size.
 *
 * In place of stdio: nothing is allocated, what does not fit is cut and said
 * so, and text of others cannot reach a terminal or a log as it stands. */
#ifndef OUT_H
#define OUT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kinformer.h"

struct out {
    char *ptr;
    size_t size, used;
    bool cut;
};

struct out out_over(char *buffer, size_t size);

void out_bytes(struct out *o, const char *text, size_t len);
void out_text(struct out *o, const char *text);
void out_uint(struct out *o, uint64_t n);

/* Text of others: printable ASCII as it is, all else as \xNN; what is longer
 * than most bytes is cut with three dots. */
void out_escaped(struct out *o, const char *text, size_t len, size_t most);

/* A JSON string with its quotes; bytes that are not ASCII become \u00NN. */
void out_json(struct out *o, const char *text, size_t len);
/* "name": with the comma that belongs before it. */
void out_member(struct out *o, const char *name);

/* Of printf: %s (text of ours), %.*s (of others: escaped and cut), %c, %d, %u,
 * %zu, %llu, %%. Nothing else. */
void out_format(struct out *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void out_vformat(struct out *o, const char *format, va_list args);

/* Writes all of it. Returns 0 or an errno. */
int out_write(int fd, const char *text, size_t len);

#endif
