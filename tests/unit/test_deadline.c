/* SPDX-License-Identifier: Apache-2.0 */
/* test_deadline.c - points in time on a clock that wraps. */
#include "base/deadline.h"
#include "fake.h"

static void test_a_deadline_passes_at_its_point_also_where_the_clock_wraps(
    void **state)
{
    static const struct {
        uint32_t at, now;
        bool passed;
        uint32_t left;
    } cases[] = {
        { 1000, 999, false, 1 },
        { 1000, 1000, true, 0 },
        { 1000, 1001, true, 0 },
        { 5, 0xFFFFFFFFu, false, 6 },
        { 0xFFFFFFFFu, 5, true, 0 },
        { 0, 0x7FFFFFFFu, true, 0 },  /* past for half the clock's range */
        { 0, 0x80000000u, false, 0x80000000u },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(cases[i].passed,
                         deadline_passed(cases[i].at, cases[i].now));
        assert_int_equal(cases[i].left,
                         deadline_left(cases[i].at, cases[i].now));
    }
}

static void test_of_two_waits_the_earlier_counts(void **state)
{
    (void)state;
    assert_int_equal(3, earlier_ms(3, UINT32_MAX));
    assert_int_equal(3, earlier_ms(4, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_deadline_passes_at_its_point_also_where_the_clock_wraps),
        cmocka_unit_test(test_of_two_waits_the_earlier_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
