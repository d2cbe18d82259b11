/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - gives an input to a parser in every way it can come: whole, byte by
 * byte, in two pieces at every split. Each piece ends at a page that cannot be
 * read. What the parser tells is written down as text, which must be the same
 * each time; so an expected text beside an input reads as a specification. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#ifndef FEED_H
#define FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kinformer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what was told ------------------------------------------------------ */

struct told {
    char *text;
    size_t len, size;
};

static inline void told_bytes(struct told *t, const char *p, size_t n)
{
    if (t->len + n + 1 > t->size) {
        t->size = 2 * (t->len + n + 1);
        t->text = realloc(t->text, t->size);
        assert_non_null(t->text);
    }
    if (n > 0)
        memcpy(t->text + t->len, p, n);
    t->len += n;
    t->text[t->len] = '\0';
}

static inline void tell(struct told *t, const char *text)
{
    told_bytes(t, text, strlen(text));
}

static inline void tell_number(struct told *t, const char *name, long long n)
{
    char text[64];

    snprintf(text, sizeof(text), " %s=%lld", name, n);
    tell(t, text);
}

static inline void tell_span(struct told *t, const char *name,
                             struct kinf_span text)
{
    if (text.len == 0)
        return;
    tell(t, " ");
    tell(t, name);
    tell(t, "=");
    told_bytes(t, text.ptr, text.len);
}

static inline const char *error_name(int err)
{
    switch (err) {
#define X(name, code, text)                                                    \
    case KINF_ERR_##name:                                                      \
        return #name;
        KINF_ERR_MAP(X)
#undef X
    default:
        return "no error code";
    }
}

/* ---- pieces ------------------------------------------------------------- */

/* An input that comes in pieces: the first of first bytes, each further one of
 * further bytes. */
struct feeder {
    struct kinf_span input;
    size_t first, further;
    size_t at;                  /* bytes handed out */
    size_t piece_at, piece_len; /* what is left of the piece that is out */
    char *page;                 /* memory before the forbidden page */
    size_t room;
};

static inline struct feeder feeder_of(struct kinf_span input)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct feeder f = { .input = input, .room = (input.len / page + 1) * page };

    f.page = mmap(NULL, f.room + page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f.page, MAP_FAILED);
    assert_return_code(mprotect(f.page + f.room, page, PROT_NONE), 0);
    return f;
}

static inline void feeder_free(struct feeder *f)
{
    munmap(f->page, f->room + (size_t)sysconf(_SC_PAGESIZE));
}

static inline void feeder_cut(struct feeder *f, size_t first, size_t further)
{
    f->first = first;
    f->further = further;
    f->at = f->piece_len = 0;
}

/* The rest of the piece that is out, or the next one. False at the end. */
static inline bool feeder_next(struct feeder *f, struct kinf_span *piece)
{
    if (f->piece_len == 0) {
        size_t n = f->at == 0 ? f->first : f->further;

        if (n > f->input.len - f->at)
            n = f->input.len - f->at;
        if (n == 0)
            return false;
        f->piece_at = f->room - n;
        f->piece_len = n;
        memset(f->page, 0x5A, f->room < 64 ? f->room : 64);
        memcpy(f->page + f->piece_at, f->input.ptr + f->at, n);
        f->at += n;
    }
    piece->ptr = f->page + f->piece_at;
    piece->len = f->piece_len;
    return true;
}

static inline void feeder_used(struct feeder *f, size_t n)
{
    assert_true(n <= f->piece_len);
    f->piece_at += n;
    f->piece_len -= n;
}

/* ---- runs --------------------------------------------------------------- */

/* Runs a parser over what the feeder gives, and writes down what it tells. */
typedef void (*feed_func)(void *ctx, struct feeder *f, struct told *told);

static inline void feed_cut(feed_func run, void *ctx, struct feeder *f,
                            size_t first, size_t further, const char *expected)
{
    struct told told = { NULL, 0, 0 };

    feeder_cut(f, first, further);
    tell(&told, "");
    run(ctx, f, &told);
    if (strcmp(told.text, expected) != 0)
        fail_msg("pieces of %zu and then %zu bytes of:\n%.*s\n"
                 "--- expected:\n%s\n--- but told:\n%s",
                 first, further,
                 (int)(f->input.len < 4096 ? f->input.len : 4096), f->input.ptr,
                 expected, told.text);
    free(told.text);
}

/* Long inputs are split at about a thousand places, and around each of the
 * sizes that servers write. */
static inline void feed_every_way(feed_func run, void *ctx,
                                  struct kinf_span input, const char *expected)
{
    struct feeder f = feeder_of(input);
    size_t stride = 1 + input.len / 1000;

    feed_cut(run, ctx, &f, input.len, 1, expected);
    feed_cut(run, ctx, &f, 1, 1, expected);
    feed_cut(run, ctx, &f, 3, 7, expected);
    feed_cut(run, ctx, &f, 2048, 2048, expected);
    for (size_t split = 1; split < input.len; split += stride)
        feed_cut(run, ctx, &f, split, input.len, expected);
    feeder_free(&f);
}

/* ---- recorded streams --------------------------------------------------- */

/* Reads tests/streams/NAME whole; the caller frees it. */
static inline struct kinf_span read_stream(const char *name)
{
    char path[512], *text;
    FILE *file;
    long size;

    snprintf(path, sizeof(path), "tests/streams/%s", name);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be read (from the repository's root)", path);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return (struct kinf_span){ text, (size_t)size };
}

/* Feeds tests/streams/NAME and expects what NAME.txt says. */
static inline void feed_stream(feed_func run, void *ctx, const char *name)
{
    struct kinf_span input = read_stream(name), expected;
    char answer[256];

    snprintf(answer, sizeof(answer), "%s.txt", name);
    expected = read_stream(answer);
    feed_every_way(run, ctx, input, expected.ptr);
    free((void *)(uintptr_t)input.ptr);
    free((void *)(uintptr_t)expected.ptr);
}

#endif
