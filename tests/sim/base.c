/* SPDX-License-Identifier: Apache-2.0 */
/* base.c - time, timers, chance, text; see base.h. */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>

struct sim sim;

/* ---- chance ------------------------------------------------------------- */

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

uint32_t rng_range(struct rng *r, uint32_t from, uint32_t to)
{
    return from + rng_below(r, to - from + 1);
}

bool rng_percent(struct rng *r, uint32_t percent)
{
    return rng_below(r, 100) < percent;
}

uint32_t rng_size(struct rng *r, uint32_t max)
{
    uint32_t bits = 0, value;

    while (bits < 32 && max >> bits != 0)
        bits++;
    bits = rng_range(r, 1, bits);
    value = rng_range(r, 1u << (bits - 1), (uint32_t)((1ull << bits) - 1));
    return value > max ? max : value;
}

/* ---- growing text and arrays -------------------------------------------- */

static void *grown(void *at, size_t size)
{
    void *more = realloc(at, size);

    if (more == NULL)
        sim_fail("the simulation itself is out of memory");
    return more;
}

/* Moves what is left to the front of its memory. */
static void settle(struct text *t)
{
    if (t->skip == 0)
        return;
    if (t->len > 0)
        memmove(t->ptr - t->skip, t->ptr, t->len);
    t->ptr -= t->skip;
    t->skip = 0;
}

void text_bytes(struct text *t, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    if (t->skip + t->len + len + 1 > t->cap) {
        settle(t);
        if (t->len + len + 1 > t->cap / 2) {
            t->cap = (t->len + len + 1) * 2;
            t->ptr = grown(t->ptr, t->cap);
        }
    }
    memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
    t->ptr[t->len] = '\0';
}

void text_add(struct text *t, const char *string)
{
    text_bytes(t, string, strlen(string));
}

void text_fmt(struct text *t, const char *format, ...)
{
    char line[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    MUST(n >= 0 && (size_t)n < sizeof(line), "text_fmt: too long");
    text_bytes(t, line, (size_t)n);
}

void text_drop(struct text *t, size_t len)
{
    MUST(len <= t->len, "text_drop: more than there is");
    if (len == 0)
        return;
    t->len -= len;
    t->ptr += len;
    t->skip += len;
    if (t->len == 0)
        settle(t);
}

void text_free(struct text *t)
{
    if (t->ptr != NULL)
        free(t->ptr - t->skip);
    *t = (struct text){ NULL, 0, 0, 0 };
}

void *array_grow(void *at, size_t *cap, size_t size)
{
    *cap = *cap == 0 ? 8 : *cap * 2;
    return grown(at, *cap * size);
}

/* ---- timers: a heap by time, then by order of birth --------------------- */

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void timer_at(uint64_t at, timer_func func, void *ctx, uint64_t arg)
{
    struct timer t = { at, sim.order++, func, ctx, arg };
    size_t i;

    (void)array_push(&sim.timers);
    for (i = sim.timers.count - 1;
         i > 0 && earlier(&t, &sim.timers.at[(i - 1) / 2]); i = (i - 1) / 2)
        sim.timers.at[i] = sim.timers.at[(i - 1) / 2];
    sim.timers.at[i] = t;
}

uint64_t timers_next(void)
{
    return sim.timers.count > 0 ? sim.timers.at[0].at : NEVER;
}

static struct timer take_first(void)
{
    struct timer first = sim.timers.at[0];
    struct timer last = sim.timers.at[--sim.timers.count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < sim.timers.count) {
        if (child + 1 < sim.timers.count &&
            earlier(&sim.timers.at[child + 1], &sim.timers.at[child]))
            child++;
        if (!earlier(&sim.timers.at[child], &last))
            break;
        sim.timers.at[i] = sim.timers.at[child];
        i = child;
    }
    sim.timers.at[i] = last;
    return first;
}

void timers_run(void)
{
    while (timers_next() <= sim.now) {
        struct timer t = take_first();

        t.func(t.ctx, t.arg);
    }
}

/* ---- what is told ------------------------------------------------------- */

static void print_time(void)
{
    uint64_t s = sim.now / SECOND;

    printf("%llu:%02u:%02u.%03u ", (unsigned long long)(s / 3600),
           (unsigned)(s / 60 % 60), (unsigned)(s % 60),
           (unsigned)(sim.now % SECOND));
}

void tell(const char *format, ...)
{
    va_list args;

    print_time();
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void sim_fail(const char *format, ...)
{
    va_list args;

    printf("FAILED at ");
    print_time();
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n  repeat: %s\n", sim.repeat);
    exit(1);
}
