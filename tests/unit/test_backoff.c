/* SPDX-License-Identifier: Apache-2.0 */
/* test_backoff.c - waits that double up to a cap, spread over [d, 2d). */
#include "base/backoff.h"
#include "fake.h"

static void test_backoff_doubles_up_to_its_cap(void **state)
{
    struct kinf_backoff b = { 0 };
    uint32_t expected = CONFIG_KINF_BACKOFF_MS;

    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(expected, backoff_next(&b, 0, 0));
        expected = expected * 2 > CONFIG_KINF_BACKOFF_CAP_MS
                       ? CONFIG_KINF_BACKOFF_CAP_MS
                       : expected * 2;
    }
}

static void test_backoff_lies_between_once_and_twice_the_wait(void **state)
{
    static const struct {
        uint32_t random, wait;
    } cases[] = {
        { 0, CONFIG_KINF_BACKOFF_MS },
        { CONFIG_KINF_BACKOFF_MS - 1, 2 * CONFIG_KINF_BACKOFF_MS - 1 },
        { CONFIG_KINF_BACKOFF_MS, CONFIG_KINF_BACKOFF_MS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kinf_backoff b = { 0 };

        assert_int_equal(cases[i].wait, backoff_next(&b, 0, cases[i].random));
    }
}

/* A server that names a time names the same to all. */
static void test_a_later_time_is_spread_like_the_wait_it_replaces(void **state)
{
    static const struct {
        uint32_t at_least, random, wait;
    } cases[] = {
        { CONFIG_KINF_BACKOFF_MS - 1, 7, CONFIG_KINF_BACKOFF_MS + 7 },
        { 5000, 0, 5000 },
        { 5000, CONFIG_KINF_BACKOFF_MS - 1,
          5000 + CONFIG_KINF_BACKOFF_MS - 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kinf_backoff b = { 0 };

        assert_int_equal(cases[i].wait, backoff_next(&b, cases[i].at_least,
                                                     cases[i].random));
    }
}

static void test_backoff_begins_anew_after_a_reset(void **state)
{
    struct kinf_backoff b = { 0 };

    (void)state;
    backoff_next(&b, 0, 0);
    backoff_next(&b, 0, 0);
    backoff_reset(&b);
    assert_int_equal(CONFIG_KINF_BACKOFF_MS, backoff_next(&b, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_doubles_up_to_its_cap),
        cmocka_unit_test(test_backoff_lies_between_once_and_twice_the_wait),
        cmocka_unit_test(
            test_a_later_time_is_spread_like_the_wait_it_replaces),
        cmocka_unit_test(test_backoff_begins_anew_after_a_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
