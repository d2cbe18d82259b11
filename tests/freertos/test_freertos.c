/* SPDX-License-Identifier: Apache-2.0 */
/* test_freertos.c - clock, sleep, wake and stop of port/freertos, on a stand-in
 * for the kernel made of the host's threads. Ticks stand where a test puts
 * them, so that nothing depends on the machine's speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "freertos/kinf_freertos.h"

/* ---- the clock ---------------------------------------------------------- */

static const struct kinf_platform *const p = &kinf_freertos_platform;

static uint32_t now(void)
{
    return p->now_ms(p->ctx);
}

/* Lets the clock go on by so many ticks, in steps of at most a quarter wrap. */
static uint32_t advance(uint64_t ticks)
{
    TickType_t at = xTaskGetTickCount();

    while (ticks > 0) {
        TickType_t step = ticks < 0x40000000 ? (TickType_t)ticks : 0x40000000;

        at += step;
        ticks -= step;
        standin_ticks(at);
        (void)now();
    }
    return now();
}

static const TickType_t rates[] = {
    1000, 100, 128, 250, 300, 1024, 10000, 32768
};
#define RATES (sizeof(rates) / sizeof(rates[0]))

static void test_clock_counts_milliseconds_at_every_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < RATES; i++) {
        uint32_t from;

        standin_rate = rates[i];
        from = now();
        assert_int_equal(1000, advance(rates[i]) - from);
        assert_int_equal(61000, advance(rates[i] * 60u) - from);
    }
}

/* One tick at a time loses nothing against one large step: a third of a
 * millisecond, three thousand times. */
static void test_clock_carries_the_rest_of_a_tick(void **state)
{
    uint32_t from, last;

    (void)state;
    standin_rate = 3000;
    (void)advance(3000);
    last = from = now();
    for (int i = 0; i < 9000; i++) {
        uint32_t at = advance(1);

        assert_true(at - last <= 1);
        last = at;
    }
    assert_int_equal(3000, last - from);
}

/* The ticks wrap at 2^32 ticks; the milliseconds do not care. */
static void test_clock_goes_on_over_the_wrap_of_the_ticks(void **state)
{
    (void)state;
    for (size_t i = 0; i < RATES; i++) {
        uint32_t from;

        standin_rate = rates[i];
        standin_ticks(0xFFFFFFFFu - rates[i] + 1); /* a second before */
        from = now();
        assert_int_equal(2000, advance(rates[i] * 2u) - from);
        assert_true(xTaskGetTickCount() <= rates[i]);
    }
}

static void test_clock_wraps_at_32_bits_of_milliseconds(void **state)
{
    (void)state;
    for (size_t i = 0; i < RATES; i++) {
        uint32_t from;

        standin_rate = rates[i];
        (void)advance(1);
        from = now();
        /* 2^32 ms and a second: exactly a second later on the clock. */
        assert_in_range(
            advance(((UINT64_C(1) << 32) + 1000) * rates[i] / 1000) - from,
            999 - 1000 / rates[i], 1001);
    }
    standin_rate = 1000;
}

static void test_clock_can_be_told_of_a_sleep_without_ticks(void **state)
{
    uint32_t from = now();

    (void)state;
    kinf_freertos_slept(5000);
    assert_int_equal(5000, now() - from);
}

/* ---- wall time and entropy ---------------------------------------------- */

static uint8_t drawn = 7;

void kinf_freertos_entropy(void *out, size_t size)
{
    uint8_t *at = out;

    while (size-- > 0)
        *at++ = drawn++;
}

static int64_t board_clock(void *ctx)
{
    return *(int64_t *)ctx;
}

static void test_wall_time_is_unknown_until_there_is_a_clock(void **state)
{
    int64_t seconds = 1800000000;

    (void)state;
    kinf_freertos_wall(NULL, NULL);
    assert_true(p->wall_s(p->ctx) == KINF_WALL_UNKNOWN);
    kinf_freertos_wall(board_clock, &seconds);
    assert_true(p->wall_s(p->ctx) == 1800000000);
    seconds = KINF_WALL_UNKNOWN;
    assert_true(p->wall_s(p->ctx) == KINF_WALL_UNKNOWN);
    kinf_freertos_wall(NULL, NULL);
}

static void test_random_bytes_are_the_applications(void **state)
{
    uint8_t bytes[5] = { 0 };

    (void)state;
    drawn = 1;
    p->random(p->ctx, bytes, 4);
    assert_memory_equal(bytes, "\1\2\3\4\0", 5);
}

/* ---- the task ----------------------------------------------------------- */

static struct kinf k;
static struct kinf_informer informer;
static struct kinf_freertos rtos;
static StackType_t stack[1024];
static uint64_t memory[(KINF_INFORMER_BYTES_DEFAULT + 7) / 8];
static struct kinf_script script;
static volatile uint32_t rounds, allowed;
static volatile int ended;
static volatile bool wake_in_round;

#define the_task ((TaskHandle_t)(void *)&rtos.tcb)

static uint32_t on_round(void *ctx)
{
    (void)ctx;
    rounds++;
    if (wake_in_round) { /* after kinf_poll's last look, before the sleep */
        wake_in_round = false;
        kinf_freertos_wake(&rtos);
    }
    return allowed;
}

static void on_ended(void *ctx)
{
    (void)ctx;
    ended++;
}

static const struct kinf_freertos_config config = { .k = &k,
                                                    .stack = stack,
                                                    .stack_words = 1024,
                                                    .priority = 1,
                                                    .round = on_round,
                                                    .ended = on_ended };

/* Starts the loop over a source that answers a list and then stays silent. */
static int start(void **state)
{
    static const struct kinf_config loop = {
        .platform = &kinf_freertos_platform, .host = { "server", 6 }, .port = 1
    };
    static const struct kinf_script_step steps[] = {
        { KINF_REQUEST_LIST, KINF_OK,
          "{\"kind\":\"ConfigMapList\",\"metadata\":"
          "{\"resourceVersion\":\"5\"},\"items\":[]}" },
    };
    static const struct kinf_informer_config configmaps = {
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .sizes = KINF_SIZES_DEFAULT,
        .streaming = KINF_STREAM_NEVER,
        .memory = memory,
        .memory_size = sizeof(memory),
        .source = &kinf_script_ops,
        .source_ctx = &script
    };

    (void)state;
    standin_rate = 1000;
    script = (struct kinf_script){ .steps = steps, .count = 1 };
    rounds = 0;
    ended = 0;
    allowed = UINT32_MAX;
    wake_in_round = false;
    kinf_init(&k, &loop);
    kinf_informer_init(&informer, &k, &configmaps);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kinf_freertos_stop(&rtos);
    standin_gone(the_task);
    assert_int_equal(1, ended);
    assert_true(kinf_stopped(&k));
    return 0;
}

/* Starts it and waits until it sleeps for as long as it wants to. */
static void start_task(void)
{
    kinf_freertos_start(&rtos, &config);
    (void)standin_asleep(the_task);
}

/* Wakes it and waits until it sleeps again. Returns the rounds it took. */
static uint32_t woken(void (*wake)(void))
{
    uint32_t before = rounds;

    wake();
    (void)standin_asleep(the_task);
    return rounds - before;
}

static void by_task(void)
{
    kinf_freertos_notify(&rtos);
}

static void by_interrupt(void)
{
    standin_interrupt(1);
    assert_int_equal(pdTRUE, kinf_freertos_wake_from_isr(&rtos));
    standin_interrupt(0);
}

/* A wake makes one round, and never two sleeps of nothing. */
static void test_a_wake_ends_the_sleep(void **state)
{
    (void)state;
    start_task();
    for (int i = 0; i < 100; i++) {
        assert_in_range(woken(by_task), 1, 2);
        assert_in_range(woken(by_interrupt), 1, 2);
    }
}

static void test_a_wake_before_the_sleep_is_not_lost(void **state)
{
    uint32_t before;

    (void)state;
    start_task();
    before = rounds;
    wake_in_round = true;
    by_task();
    while (wake_in_round || rounds < before + 2)
        (void)standin_asleep(the_task); /* would be for ever, were it lost */
    assert_true(rounds >= before + 2);
}

static void test_it_sleeps_as_long_as_it_may_and_no_longer(void **state)
{
    uint32_t before;

    (void)state;
    standin_ticks(1000);
    allowed = 5000;
    start_task();
    assert_int_equal(5000, standin_asleep(the_task));
    before = rounds;
    standin_ticks(5999);
    (void)standin_asleep(the_task);
    assert_int_equal(before, rounds);
    standin_ticks(6000);
    while (rounds == before)
        continue;
    (void)standin_asleep(the_task);
    assert_int_equal(before + 1, rounds);
}

/* Rounded up to whole ticks, cut to an hour, and never for ever: the clock has
 * to be read once a wrap. */
static void test_the_sleep_in_ticks_of_every_rate(void **state)
{
    static const struct {
        TickType_t rate;
        uint32_t ms;
        TickType_t ticks;
    } cases[] = {
        { 1000, 1, 1 },
        { 100, 1, 1 },
        { 100, 11, 2 },
        { 128, 1000, 128 },
        { 300, 10, 3 },
        { 300, 11, 4 },
        { 32768, 1, 33 },
        { 1000, UINT32_MAX, 3600000 },
        { 100, 0xFFFFFFF0, 360000 },
        { 1000000, UINT32_MAX, 0x3FFFFFFF },
    };

    (void)state;
    start_task();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        standin_rate = cases[i].rate;
        allowed = cases[i].ms;
        (void)woken(by_task);
        assert_int_equal(cases[i].ticks, standin_asleep(the_task));
    }
    standin_rate = 1000;
}

static void test_what_core_waits_for_bounds_the_sleep(void **state)
{
    (void)state;
    kinf_start(&k);
    start_task();
    /* The list is in and the watch silent: the next look is that of doubt. */
    assert_int_equal(CONFIG_KINF_DOUBT_MS, standin_asleep(the_task));
    assert_true(kinf_informer_synced(&informer));
}

static void test_it_can_be_stopped_and_started_again(void **state)
{
    for (int i = 0; i < 3; i++) {
        kinf_start(&k);
        start_task();
        stop(state);
        start(state);
    }
    start_task();
}

#define TASK(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_counts_milliseconds_at_every_rate),
        cmocka_unit_test(test_clock_carries_the_rest_of_a_tick),
        cmocka_unit_test(test_clock_goes_on_over_the_wrap_of_the_ticks),
        cmocka_unit_test(test_clock_wraps_at_32_bits_of_milliseconds),
        cmocka_unit_test(test_clock_can_be_told_of_a_sleep_without_ticks),
        cmocka_unit_test(test_wall_time_is_unknown_until_there_is_a_clock),
        cmocka_unit_test(test_random_bytes_are_the_applications),
        TASK(test_a_wake_ends_the_sleep),
        TASK(test_a_wake_before_the_sleep_is_not_lost),
        TASK(test_it_sleeps_as_long_as_it_may_and_no_longer),
        TASK(test_the_sleep_in_ticks_of_every_rate),
        TASK(test_what_core_waits_for_bounds_the_sleep),
        TASK(test_it_can_be_stopped_and_started_again),
    };

    alarm(60); /* a sleep that nobody ends */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
