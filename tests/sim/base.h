/* SPDX-License-Identifier: Apache-2.0 */
/* base.h - ground of the simulated world: time, timers, chance, growing text,
 * the trace, and how a run fails. One world runs in a process at a time. */
#ifndef SIM_BASE_H
#define SIM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX
#define SECOND 1000u
#define MINUTE (60u * SECOND)
#define HOUR (60u * MINUTE)

/* ---- chance ------------------------------------------------------------- */

/* splitmix64: the same numbers on any machine. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);
/* 0 .. n - 1; n is 1 or more. */
uint32_t rng_below(struct rng *r, uint32_t n);
/* from .. to, both included */
uint32_t rng_range(struct rng *r, uint32_t from, uint32_t to);
bool rng_percent(struct rng *r, uint32_t percent);
/* 1 .. max, small numbers more often: each bit length equally likely. */
uint32_t rng_size(struct rng *r, uint32_t max);

/* ---- growing text ------------------------------------------------------- */

struct text {
    char *ptr;
    size_t len, cap;
    size_t skip; /* dropped before ptr, not yet given back */
};
void text_bytes(struct text *t, const void *bytes, size_t len);
void text_add(struct text *t, const char *string);
void text_fmt(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_drop(struct text *t, size_t len); /* from the front */
void text_free(struct text *t);

/* ---- growing arrays ----------------------------------------------------- */

#define ARRAY(type)                                                            \
    struct {                                                                   \
        type *at;                                                              \
        size_t count, cap;                                                     \
    }
void *array_grow(void *at, size_t *cap, size_t size);
#define array_push(a)                                                          \
    ((a)->count < (a)->cap                                                     \
         ? (void)0                                                             \
         : (void)((a)->at = array_grow((a)->at, &(a)->cap, sizeof(*(a)->at))), \
     memset(&(a)->at[(a)->count], 0, sizeof(*(a)->at)),                        \
     &(a)->at[(a)->count++])
#define array_last(a) (&(a)->at[(a)->count - 1])
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the world's time --------------------------------------------------- */

typedef void (*timer_func)(void *ctx, uint64_t arg);

struct timer {
    uint64_t at, order;
    timer_func func;
    void *ctx;
    uint64_t arg;
};

struct sim {
    uint64_t now;   /* ms since the world began */
    struct rng rng; /* small things: latency, splits */
    ARRAY(struct timer) timers; /* a heap */
    uint64_t order;
    bool trace, polls; /* polls: each of them is told, too */
    void *wire; /* a FILE for all that is received, or NULL */
    const char *story; /* what was said last, for a failure */
    char repeat[160];  /* the command that repeats this run */
};
extern struct sim sim;

void timer_at(uint64_t at, timer_func func, void *ctx, uint64_t arg);
uint64_t timers_next(void);
/* Runs what is due; what it adds for the same moment, too. */
void timers_run(void);

/* ---- what is told ------------------------------------------------------- */

/* A line of the trace, with the time. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define TELL(...)                                                              \
    do {                                                                       \
        if (sim.trace)                                                         \
            tell(__VA_ARGS__);                                                 \
    } while (0)

/* The world is wrong: says what, when, and how to repeat it; ends. */
_Noreturn void sim_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
#define MUST(condition, ...)                                                   \
    do {                                                                       \
        if (!(condition))                                                      \
            sim_fail(__VA_ARGS__);                                             \
    } while (0)

#endif
