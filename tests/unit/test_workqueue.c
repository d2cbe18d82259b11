/* SPDX-License-Identifier: Apache-2.0 */
/* test_workqueue.c - client-go's rules, limits, wrapping clocks, and long
 * random lives compared with a model that is obviously right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static uint32_t clock_ms;
static uint32_t seed;

static uint32_t fake_now(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t fake_wall(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void fake_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, 0x5A, size);
}

static const struct kinf_platform platform = { .now_ms = fake_now,
                                               .wall_s = fake_wall,
                                               .random = fake_random };

enum { SLOTS = 4, KEY = 12 };

struct fixture {
    struct kinf_workqueue q;
    char *memory; /* of its exact size, so that the sanitizer sees its end */
};

static struct fixture queue_of(size_t slots, size_t key_bytes,
                               struct kinf_workqueue_config config)
{
    struct fixture f;

    config.platform = &platform;
    f.memory = malloc(KINF_WORKQUEUE_BYTES(slots, key_bytes));
    assert_non_null(f.memory);
    kinf_workqueue_init(&f.q, &config, f.memory, slots, key_bytes);
    return f;
}

static struct kinf_span text(const char *s)
{
    return (struct kinf_span){ s, strlen(s) };
}

static int add(struct fixture *f, const char *key)
{
    return kinf_workqueue_add(&f->q, text(key));
}

static void done(struct fixture *f, const char *key)
{
    kinf_workqueue_done(&f->q, text(key));
}

/* What get() gives as a C string; "again" and "stopped" in parentheses. */
static const char *next(struct fixture *f)
{
    static char name[400];
    struct kinf_span key;
    int err = kinf_workqueue_get(&f->q, &key);

    if (err != KINF_OK)
        return err == KINF_ERR_AGAIN     ? "(again)"
               : err == KINF_ERR_STOPPED ? "(stopped)"
                                         : "(other)";
    memcpy(name, key.ptr, key.len);
    name[key.len] = '\0';
    return name;
}

#define DEFAULTS ((struct kinf_workqueue_config){ 0 })

static void test_keys_come_in_the_order_of_their_adds(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    assert_string_equal("(again)", next(&f));
    assert_int_equal(KINF_OK, add(&f, "a"));
    assert_int_equal(KINF_OK, add(&f, "b"));
    assert_int_equal(KINF_OK, add(&f, "a")); /* dirty: dropped */
    assert_int_equal(2, kinf_workqueue_len(&f.q));
    assert_int_equal(0, kinf_workqueue_wait(&f.q));
    assert_string_equal("a", next(&f));
    assert_string_equal("b", next(&f));
    assert_string_equal("(again)", next(&f));
    free(f.memory);
}

static void test_added_while_processed_comes_again_after_done(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    add(&f, "a");
    assert_string_equal("a", next(&f));
    assert_int_equal(KINF_OK, add(&f, "a"));
    assert_int_equal(KINF_OK, add(&f, "a"));
    assert_string_equal("(again)", next(&f)); /* never twice at once */
    assert_int_equal(0, kinf_workqueue_len(&f.q));
    done(&f, "a");
    assert_string_equal("a", next(&f));
    done(&f, "a");
    assert_string_equal("(again)", next(&f));
    free(f.memory);
}

static void test_a_full_queue_refuses_new_keys_only(void **state)
{
    struct fixture f = queue_of(2, KEY, DEFAULTS);
    (void)state;

    add(&f, "a");
    add(&f, "b");
    assert_int_equal(KINF_ERR_FULL, add(&f, "c"));
    assert_int_equal(KINF_ERR_FULL,
                     kinf_workqueue_add_after(&f.q, text("c"), 1));
    assert_int_equal(KINF_ERR_FULL,
                     kinf_workqueue_add_rate_limited(&f.q, text("c")));
    assert_int_equal(0, kinf_workqueue_failures(&f.q, text("c")));
    assert_int_equal(KINF_OK, add(&f, "a"));
    assert_int_equal(KINF_OK, kinf_workqueue_add_after(&f.q, text("b"), 9));
    assert_string_equal("a", next(&f));
    assert_int_equal(KINF_ERR_FULL, add(&f, "c")); /* still processed */
    done(&f, "a");
    assert_int_equal(KINF_OK, add(&f, "c"));
    assert_string_equal("b", next(&f));
    assert_string_equal("c", next(&f));
    free(f.memory);
}

static void test_a_key_is_of_any_bytes_and_the_queues_own(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    char key[] = "ab\0c", longest[KEY] = "0123456789a";
    struct kinf_span got;
    (void)state;

    assert_int_equal(KINF_OK,
                     kinf_workqueue_add(&f.q, (struct kinf_span){ key, 4 }));
    key[0] = 'x';
    assert_int_equal(KINF_OK, kinf_workqueue_add(
                                  &f.q, (struct kinf_span){ longest, KEY }));
    assert_int_equal(KINF_OK, add(&f, ""));
    assert_int_equal(KINF_ERR_TOO_BIG, add(&f, "0123456789abc"));
    assert_int_equal(KINF_OK, kinf_workqueue_get(&f.q, &got));
    assert_int_equal(4, got.len);
    assert_memory_equal("ab\0c", got.ptr, 4);
    kinf_workqueue_done(&f.q, got); /* by the queue's own bytes */
    assert_int_equal(KINF_OK, kinf_workqueue_get(&f.q, &got));
    assert_int_equal(KEY, got.len);
    kinf_workqueue_done(&f.q, got);
    assert_string_equal("", next(&f));
    done(&f, "");
    assert_string_equal("(again)", next(&f));
    free(f.memory);
}

static void test_the_earlier_of_two_times_wins(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    clock_ms = UINT32_MAX - 40; /* the clock wraps on the way */
    kinf_workqueue_add_after(&f.q, text("a"), 100);
    kinf_workqueue_add_after(&f.q, text("b"), 60);
    kinf_workqueue_add_after(&f.q, text("a"), 50);
    kinf_workqueue_add_after(&f.q, text("a"), 80);
    assert_int_equal(50, kinf_workqueue_wait(&f.q));
    clock_ms += 49;
    assert_string_equal("(again)", next(&f));
    assert_int_equal(1, kinf_workqueue_wait(&f.q));
    clock_ms += 1;
    assert_string_equal("a", next(&f));
    done(&f, "a");
    assert_int_equal(10, kinf_workqueue_wait(&f.q));
    clock_ms += 1000;
    assert_string_equal("b", next(&f));
    assert_string_equal("(again)", next(&f)); /* the later times are gone */
    assert_int_equal(UINT32_MAX, kinf_workqueue_wait(&f.q));
    assert_int_equal(KINF_OK, kinf_workqueue_add_after(&f.q, text("c"), 0));
    assert_string_equal("c", next(&f));
    free(f.memory);
}

static void test_a_key_may_wait_while_it_is_queued_and_processed(void **state)
{
    struct fixture f = queue_of(1, KEY, DEFAULTS);
    (void)state;

    add(&f, "a");
    kinf_workqueue_add_after(&f.q, text("a"), 10);
    assert_string_equal("a", next(&f));
    clock_ms += 10;
    assert_string_equal("(again)", next(&f)); /* due, but processed */
    done(&f, "a");
    assert_string_equal("a", next(&f));
    kinf_workqueue_add_after(&f.q, text("a"), 10);
    done(&f, "a");
    assert_int_equal(10, kinf_workqueue_wait(&f.q));
    clock_ms += 10;
    assert_string_equal("a", next(&f));
    done(&f, "a");
    assert_string_equal("(again)", next(&f));
    free(f.memory);
}

static void test_what_came_due_first_is_queued_first(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    kinf_workqueue_add_after(&f.q, text("late"), 20);
    kinf_workqueue_add_after(&f.q, text("soon"), 10);
    clock_ms += 30;
    add(&f, "now");
    assert_string_equal("soon", next(&f));
    assert_string_equal("late", next(&f));
    assert_string_equal("now", next(&f));
    free(f.memory);
}

static void test_a_very_long_delay_is_cut_to_twelve_days(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    kinf_workqueue_add_after(&f.q, text("a"), UINT32_MAX);
    assert_int_equal(1u << 30, kinf_workqueue_wait(&f.q));
    clock_ms += (1u << 30) + 1000000000; /* and is found 11 days late */
    kinf_workqueue_add_after(&f.q, text("b"), UINT32_MAX);
    assert_string_equal("a", next(&f));
    assert_string_equal("(again)", next(&f));
    free(f.memory);
}

static void test_each_failure_of_an_item_doubles_its_wait(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY,
                                (struct kinf_workqueue_config){
                                    .bucket_per_s = 1000000,
                                    .bucket_burst = 2000000 });
    static const uint32_t waits[] = { 5,    10,   20,    40,    80,     160,
                                      320,  640,  1280,  2560,  5120,   10240,
                                      20480, 40960, 81920, 163840, 327680,
                                      655360, 1000000, 1000000 };
    uint32_t n = sizeof(waits) / sizeof(waits[0]);
    (void)state;

    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(KINF_OK,
                         kinf_workqueue_add_rate_limited(&f.q, text("a")));
        assert_int_equal(i + 1, kinf_workqueue_failures(&f.q, text("a")));
        assert_int_equal(waits[i], kinf_workqueue_wait(&f.q));
        clock_ms += waits[i];
        assert_string_equal("a", next(&f));
        done(&f, "a");
    }
    for (uint32_t i = 0; i < 70000; i++) /* the count stops, overflow safe */
        kinf_workqueue_add_rate_limited(&f.q, text("a"));
    assert_int_equal(65535, kinf_workqueue_failures(&f.q, text("a")));
    assert_int_equal(1000000, kinf_workqueue_wait(&f.q));
    kinf_workqueue_forget(&f.q, text("a"));
    assert_int_equal(0, kinf_workqueue_failures(&f.q, text("a")));
    kinf_workqueue_add_rate_limited(&f.q, text("a")); /* 5 ms: earlier wins */
    assert_int_equal(5, kinf_workqueue_wait(&f.q));
    free(f.memory);
}

static void test_base_and_cap_may_be_any_numbers(void **state)
{
    static const struct {
        uint32_t base, cap, wait[4];
    } cases[] = {
        { 1000, 3000, { 1000, 2000, 3000, 3000 } },
        { 7, 3, { 3, 3, 3, 3 } },
        { 1, 1, { 1, 1, 1, 1 } },
        { 0x30000000, 0xFFFFFFFF, /* cut to what a deadline may be */
          { 0x30000000, 0x40000000, 0x40000000, 0x40000000 } },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = queue_of(SLOTS, KEY,
                                    (struct kinf_workqueue_config){
                                        .base_ms = cases[i].base,
                                        .cap_ms = cases[i].cap });

        for (size_t n = 0; n < 40; n++) { /* from the fourth on the last */
            uint32_t wait_ms = cases[i].wait[n < 4 ? n : 3];

            kinf_workqueue_add_rate_limited(&f.q, text("a"));
            assert_int_equal(wait_ms, kinf_workqueue_wait(&f.q));
            clock_ms += wait_ms;
            assert_string_equal("a", next(&f));
            done(&f, "a");
        }
        free(f.memory);
    }
}

static void test_the_bucket_limits_all_items_together(void **state)
{
    struct fixture f = queue_of(8, KEY,
                                (struct kinf_workqueue_config){
                                    .base_ms = 1, .cap_ms = 1,
                                    .bucket_per_s = 3, .bucket_burst = 2 });
    (void)state;

    clock_ms = UINT32_MAX - 100;
    kinf_workqueue_add_rate_limited(&f.q, text("a"));
    kinf_workqueue_add_rate_limited(&f.q, text("b"));
    assert_int_equal(1, kinf_workqueue_wait(&f.q)); /* the item's own wait */
    clock_ms += 1;
    next(&f);
    next(&f);
    kinf_workqueue_add_rate_limited(&f.q, text("c")); /* 3 thousandths are in */
    assert_int_equal(333, kinf_workqueue_wait(&f.q));
    kinf_workqueue_add_rate_limited(&f.q, text("d"));
    kinf_workqueue_add_rate_limited(&f.q, text("e"));
    clock_ms += 333;
    assert_string_equal("c", next(&f));
    assert_int_equal(333, kinf_workqueue_wait(&f.q));
    clock_ms += 333;
    assert_string_equal("d", next(&f));
    assert_int_equal(333, kinf_workqueue_wait(&f.q));
    clock_ms += 100000; /* fills, to its brim and no further */
    assert_string_equal("e", next(&f));
    done(&f, "e");
    done(&f, "d");
    done(&f, "c");
    for (int i = 0; i < 3; i++)
        kinf_workqueue_forget(&f.q, text((const char *[]){ "c", "d", "e" }[i]));
    kinf_workqueue_add_rate_limited(&f.q, text("c"));
    kinf_workqueue_add_rate_limited(&f.q, text("d"));
    kinf_workqueue_add_rate_limited(&f.q, text("e"));
    clock_ms += 1;
    assert_int_equal(0, kinf_workqueue_wait(&f.q));
    assert_int_equal(2, kinf_workqueue_len(&f.q));
    next(&f);
    next(&f);
    assert_in_range(kinf_workqueue_wait(&f.q), 332, 333);
    free(f.memory);
}

static void test_ten_a_second_after_a_hundred_is_the_default(void **state)
{
    struct fixture f = queue_of(200, KEY, DEFAULTS);
    char name[8];
    int given = 0;
    (void)state;

    for (unsigned i = 0; i < 130; i++) {
        snprintf(name, sizeof(name), "k%u", i % 1000u);
        kinf_workqueue_add_rate_limited(&f.q, text(name));
    }
    clock_ms += 5;
    while (next(&f)[0] == 'k')
        given++;
    assert_int_equal(100, given);
    clock_ms += 1000;
    while (next(&f)[0] == 'k')
        given++;
    assert_int_equal(110, given);
    clock_ms += 1995;
    while (next(&f)[0] == 'k')
        given++;
    assert_int_equal(130, given);
    free(f.memory);
}

static void test_a_debt_of_any_size_does_not_wrap(void **state)
{
    struct fixture f = queue_of(1, KEY, (struct kinf_workqueue_config){
                                            .bucket_per_s = 1,
                                            .bucket_burst = 1 });
    (void)state;

    for (uint32_t i = 0; i < 2200000; i++)
        kinf_workqueue_add_rate_limited(&f.q, text("a"));
    clock_ms += 1000000;
    assert_string_equal("a", next(&f));
    done(&f, "a");
    kinf_workqueue_add_rate_limited(&f.q, text("a"));
    assert_in_range(kinf_workqueue_wait(&f.q), 1u << 30, 1u << 30);
    free(f.memory);
}

static void test_failures_are_kept_until_the_slot_is_needed(void **state)
{
    struct fixture f = queue_of(2, KEY, DEFAULTS);
    (void)state;

    kinf_workqueue_add_rate_limited(&f.q, text("a"));
    kinf_workqueue_add_rate_limited(&f.q, text("b"));
    clock_ms += 5;
    next(&f);
    next(&f);
    done(&f, "a");
    done(&f, "b");
    assert_int_equal(1, kinf_workqueue_failures(&f.q, text("a")));
    assert_int_equal(1, kinf_workqueue_failures(&f.q, text("b")));
    assert_int_equal(KINF_OK, add(&f, "b")); /* active: not to be taken */
    assert_int_equal(KINF_OK, add(&f, "c"));
    assert_int_equal(0, kinf_workqueue_failures(&f.q, text("a")));
    assert_int_equal(1, kinf_workqueue_failures(&f.q, text("b")));
    assert_int_equal(KINF_ERR_FULL, add(&f, "d"));
    assert_string_equal("b", next(&f));
    assert_string_equal("c", next(&f));
    done(&f, "b");
    kinf_workqueue_forget(&f.q, text("b"));
    kinf_workqueue_forget(&f.q, text("b")); /* harmless, as of a stranger */
    kinf_workqueue_forget(&f.q, text("z"));
    assert_int_equal(KINF_OK, add(&f, "d"));
    assert_int_equal(KINF_ERR_FULL, add(&f, "e"));
    free(f.memory);
}

struct hashed {
    uint32_t hash, number;
};

static int by_hash(const void *a, const void *b)
{
    uint32_t x = ((const struct hashed *)a)->hash;
    uint32_t y = ((const struct hashed *)b)->hash;

    return x < y ? -1 : x > y;
}

static void test_two_keys_of_one_hash_are_two(void **state)
{
    enum { MANY = 300000 };
    struct hashed *all = malloc(MANY * sizeof(*all));
    struct fixture f = queue_of(2, KEY, DEFAULTS);
    char name[2][KEY];
    size_t pair = 0;
    (void)state;

    assert_non_null(all);
    for (uint32_t i = 0; i < MANY; i++) {
        struct hash h;

        snprintf(name[0], KEY, "k%u", i % 1000000u);
        kinf_hash_init(&h, f.q.hash_key);
        kinf_hash_add(&h, name[0], strlen(name[0]));
        all[i] = (struct hashed){ kinf_hash_end(&h), i };
    }
    qsort(all, MANY, sizeof(*all), by_hash);
    while (pair + 1 < MANY && all[pair].hash != all[pair + 1].hash)
        pair++;
    assert_true(pair + 1 < MANY);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name[i], KEY, "k%u", all[pair + i].number % 1000000u);
        assert_int_equal(KINF_OK, add(&f, name[i]));
    }
    assert_string_equal(name[0], next(&f));
    assert_string_equal(name[1], next(&f));
    done(&f, name[1]);
    done(&f, name[0]);
    free(all);
    free(f.memory);
}

static void test_shut_down_gives_what_is_there(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    add(&f, "a");
    add(&f, "b");
    kinf_workqueue_add_after(&f.q, text("w"), 10);
    assert_string_equal("a", next(&f));
    assert_false(kinf_workqueue_drained(&f.q));
    kinf_workqueue_shut_down(&f.q, false);
    assert_false(kinf_workqueue_drained(&f.q));
    assert_int_equal(KINF_ERR_STOPPED, add(&f, "c"));
    assert_int_equal(KINF_ERR_STOPPED,
                     kinf_workqueue_add_after(&f.q, text("c"), 1));
    assert_int_equal(KINF_ERR_STOPPED,
                     kinf_workqueue_add_rate_limited(&f.q, text("a")));
    assert_string_equal("b", next(&f));
    assert_string_equal("(stopped)", next(&f)); /* does not wait for a and b */
    assert_false(kinf_workqueue_drained(&f.q));
    done(&f, "a");
    done(&f, "b");
    assert_true(kinf_workqueue_drained(&f.q));
    clock_ms += 100;
    assert_string_equal("(stopped)", next(&f)); /* w was not due */
    assert_int_equal(UINT32_MAX, kinf_workqueue_wait(&f.q));
    free(f.memory);
}

static void test_drain_waits_for_what_is_processed_and_dirty(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    add(&f, "a");
    assert_string_equal("a", next(&f));
    add(&f, "a");
    kinf_workqueue_shut_down(&f.q, true);
    assert_string_equal("(again)", next(&f));
    done(&f, "a");
    assert_string_equal("a", next(&f));
    assert_string_equal("(again)", next(&f));
    done(&f, "a");
    assert_string_equal("(stopped)", next(&f));
    free(f.memory);

    f = queue_of(SLOTS, KEY, DEFAULTS);
    add(&f, "a");
    assert_string_equal("a", next(&f));
    kinf_workqueue_shut_down(&f.q, true);
    assert_string_equal("(again)", next(&f));
    kinf_workqueue_shut_down(&f.q, false); /* ends the waiting */
    assert_string_equal("(stopped)", next(&f));
    done(&f, "a");
    assert_true(kinf_workqueue_drained(&f.q));
    free(f.memory);
}

static void test_done_of_what_is_not_processed_is_an_assertion(void **state)
{
    struct fixture f = queue_of(SLOTS, KEY, DEFAULTS);
    (void)state;

    add(&f, "a");
    expect_assert_failure(done(&f, "z"));
    expect_assert_failure(done(&f, "a"));
    expect_assert_failure(kinf_workqueue_init(
        &f.q, &(struct kinf_workqueue_config){ .platform = &platform },
        f.memory, 0, KEY));
    free(f.memory);
}

/* ---- model -------------------------------------------------------------- */

/* A key as the rules of client-go read, in as many words. rank: place in the
 * queue; keys that were due at the same ms share one, for any may be first. */
struct model_key {
    bool dirty, processing, waiting;
    uint64_t due;
    unsigned rank, failures;
};

enum { KEYS = 9 };
static struct model_key model[KEYS];
static uint64_t model_now;
static unsigned model_rank;
static size_t model_slots;
static bool model_stopped;

static void model_add(int k, unsigned rank)
{
    if (!model[k].dirty && !model[k].processing)
        model[k].rank = rank;
    model[k].dirty = true;
}

static void model_tick(void)
{
    uint64_t last = UINT64_MAX;

    for (;;) {
        int first = -1;

        for (int k = 0; k < KEYS; k++) {
            if (model[k].waiting && model[k].due <= model_now &&
                (first < 0 || model[k].due < model[first].due))
                first = k;
        }
        if (first < 0)
            return;
        model[first].waiting = false;
        model_rank += model[first].due != last;
        last = model[first].due;
        model_add(first, model_rank);
    }
}

static bool model_active(int k)
{
    return model[k].dirty || model[k].processing || model[k].waiting;
}

static bool model_has_room(int k)
{
    size_t active = 0;

    if (model_active(k))
        return true;
    for (int i = 0; i < KEYS; i++)
        active += model_active(i);
    return active < model_slots;
}

/* How far the model and the queue agree on everything that can be asked. */
static void compare(struct fixture *f, const char names[KEYS][KEY])
{
    uint32_t wait_ms = kinf_workqueue_wait(&f->q); /* queues what is due */
    uint64_t soonest = UINT64_MAX;
    size_t len = 0, held = 0;

    for (int k = 0; k < KEYS; k++) {
        uint32_t failures = kinf_workqueue_failures(&f->q, text(names[k]));

        len += model[k].dirty && !model[k].processing;
        if (model[k].waiting && model[k].due < soonest)
            soonest = model[k].due;
        /* An idle key may be forgotten when the queue is full. */
        if (!model_active(k) && failures == 0)
            model[k].failures = 0;
        assert_int_equal(model[k].failures, failures);
        held += model_active(k) || failures > 0;
    }
    assert_true(held <= model_slots);
    assert_int_equal(len, kinf_workqueue_len(&f->q));
    assert_int_equal(len > 0                   ? 0
                     : soonest == UINT64_MAX ? UINT32_MAX
                                             : soonest - model_now,
                     wait_ms);
}

static void get_one(struct fixture *f, const char names[KEYS][KEY])
{
    unsigned lowest = UINT32_MAX;
    const char *got = next(f);
    int which = -1;

    for (int k = 0; k < KEYS; k++) {
        if (model[k].dirty && !model[k].processing && model[k].rank < lowest)
            lowest = model[k].rank;
        if (strcmp(got, names[k]) == 0)
            which = k;
    }
    if (lowest == UINT32_MAX) {
        assert_string_equal(model_stopped ? "(stopped)" : "(again)", got);
        return;
    }
    assert_true(which >= 0);
    assert_true(model[which].dirty && !model[which].processing);
    assert_int_equal(lowest, model[which].rank);
    model[which].dirty = false;
    model[which].processing = true;
}

static uint32_t item_wait(unsigned failures)
{
    uint64_t ms = failures > 20 ? 1000 : 5ull << failures;

    return ms > 1000 ? 1000 : (uint32_t)ms;
}

static void random_step(struct fixture *f, const char names[KEYS][KEY])
{
    int k = (int)draw(KEYS), err;
    uint32_t delay = draw(4) == 0 ? 0 : draw(300);
    uint32_t what = draw(100);
    int expected = model_stopped       ? KINF_ERR_STOPPED
                   : model_has_room(k) ? KINF_OK
                                       : KINF_ERR_FULL;

    if (what < 25) {
        err = add(f, names[k]);
        assert_int_equal(expected, err);
        if (err == KINF_OK)
            model_add(k, ++model_rank);
    } else if (what < 55) {
        bool limited = what < 35;

        if (limited)
            delay = item_wait(model[k].failures);
        err = limited ? kinf_workqueue_add_rate_limited(&f->q, text(names[k]))
                      : kinf_workqueue_add_after(&f->q, text(names[k]), delay);
        assert_int_equal(expected, err);
        if (err == KINF_OK && limited)
            model[k].failures++;
        if (err == KINF_OK && delay == 0)
            model_add(k, ++model_rank);
        else if (err == KINF_OK &&
                 (!model[k].waiting || model_now + delay < model[k].due)) {
            model[k].waiting = true;
            model[k].due = model_now + delay;
        }
    } else if (what < 75) {
        get_one(f, names);
    } else if (what < 90) {
        if (!model[k].processing)
            return;
        done(f, names[k]);
        model[k].processing = false;
        if (model[k].dirty)
            model[k].rank = ++model_rank;
    } else {
        kinf_workqueue_forget(&f->q, text(names[k]));
        model[k].failures = 0;
    }
}

static void live(uint32_t from, size_t slots, int steps)
{
    static char names[KEYS][KEY];
    struct fixture f;

    seed = from;
    clock_ms = UINT32_MAX - draw(20000); /* wraps in the middle */
    model_now = 0;
    model_rank = 0;
    model_slots = slots;
    model_stopped = false;
    memset(model, 0, sizeof(model));
    for (int k = 0; k < KEYS; k++)
        snprintf(names[k], sizeof(names[k]), "ns/key-%u",
                 (unsigned)k % 10u);
    /* No bucket to speak of: it has tests of its own. */
    f = queue_of(slots, KEY, (struct kinf_workqueue_config){
                                 .cap_ms = 1000, .bucket_per_s = 1000000,
                                 .bucket_burst = 2000000 });
    for (int i = 0; i < steps; i++) {
        uint32_t passed = draw(3) == 0 ? draw(60) : 0;

        clock_ms += passed;
        model_now += passed;
        model_tick();
        if (!model_stopped && draw(2000) == 0) {
            kinf_workqueue_shut_down(&f.q, false);
            model_stopped = true;
            for (int k = 0; k < KEYS; k++)
                model[k].waiting = false;
        }
        random_step(&f, (const char(*)[KEY])names);
        model_tick();
        compare(&f, (const char(*)[KEY])names);
    }
    free(f.memory);
}

static void test_random_lives_agree_with_the_model(void **state)
{
    const char *given = getenv("SEED");
    (void)state;

    if (given != NULL) {
        for (size_t slots = 1; slots <= KEYS + 1; slots++)
            live((uint32_t)strtoul(given, NULL, 0), slots, 3000);
        return;
    }
    for (uint32_t i = 1; i <= 30; i++) {
        print_message("SEED=%u\n", i * 2654435761u);
        for (size_t slots = 1; slots <= KEYS + 1; slots++)
            live(i * 2654435761u, slots, 3000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_come_in_the_order_of_their_adds),
        cmocka_unit_test(test_added_while_processed_comes_again_after_done),
        cmocka_unit_test(test_a_full_queue_refuses_new_keys_only),
        cmocka_unit_test(test_a_key_is_of_any_bytes_and_the_queues_own),
        cmocka_unit_test(test_the_earlier_of_two_times_wins),
        cmocka_unit_test(test_a_key_may_wait_while_it_is_queued_and_processed),
        cmocka_unit_test(test_what_came_due_first_is_queued_first),
        cmocka_unit_test(test_a_very_long_delay_is_cut_to_twelve_days),
        cmocka_unit_test(test_each_failure_of_an_item_doubles_its_wait),
        cmocka_unit_test(test_base_and_cap_may_be_any_numbers),
        cmocka_unit_test(test_the_bucket_limits_all_items_together),
        cmocka_unit_test(test_ten_a_second_after_a_hundred_is_the_default),
        cmocka_unit_test(test_a_debt_of_any_size_does_not_wrap),
        cmocka_unit_test(test_failures_are_kept_until_the_slot_is_needed),
        cmocka_unit_test(test_two_keys_of_one_hash_are_two),
        cmocka_unit_test(test_shut_down_gives_what_is_there),
        cmocka_unit_test(test_drain_waits_for_what_is_processed_and_dirty),
        cmocka_unit_test(test_done_of_what_is_not_processed_is_an_assertion),
        cmocka_unit_test(test_random_lives_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
