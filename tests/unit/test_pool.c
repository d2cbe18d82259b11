/* SPDX-License-Identifier: Apache-2.0 */
/* test_pool.c - places are handed out lowest first, each once. */
#include "base/pool.h"
#include "fake.h"

static void test_pool_hands_out_the_lowest_free_place(void **state)
{
    uint32_t map[4];
    struct kinf_pool p;

    (void)state;
    kinf_pool_init(&p, map, 100);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(i, kinf_pool_take(&p));
    kinf_pool_give(&p, 70);
    kinf_pool_give(&p, 3);
    kinf_pool_give(&p, 99);
    assert_int_equal(3, kinf_pool_take(&p));
    assert_int_equal(70, kinf_pool_take(&p));
    assert_int_equal(99, kinf_pool_take(&p));
}

static void expect_no_place(struct kinf_pool *p)
{
    assert_true(pool_full(p));
    expect_assert_failure(kinf_pool_take(p));
}

static void test_pool_is_full_at_its_size_and_not_before(void **state)
{
    static const uint32_t sizes[] = { 1, 31, 32, 33, 64 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint32_t map[2];
        struct kinf_pool p;

        kinf_pool_init(&p, map, sizes[i]);
        for (uint32_t n = 0; n < sizes[i]; n++) {
            assert_false(pool_full(&p));
            assert_false(pool_holds(&p, n));
            kinf_pool_take(&p);
            assert_true(pool_holds(&p, n));
        }
        expect_no_place(&p);
    }
}

static void test_pool_keeps_its_high_water_mark(void **state)
{
    uint32_t map[1];
    struct kinf_pool p;

    (void)state;
    kinf_pool_init(&p, map, 8);
    kinf_pool_take(&p);
    kinf_pool_take(&p);
    kinf_pool_give(&p, 0);
    kinf_pool_give(&p, 1);
    kinf_pool_take(&p);
    assert_int_equal(1, p.used);
    assert_int_equal(2, p.high);
}

static void test_a_place_is_given_back_once(void **state)
{
    uint32_t map[1];
    struct kinf_pool p;

    (void)state;
    kinf_pool_init(&p, map, 8);
    kinf_pool_take(&p);
    kinf_pool_give(&p, 0);
    expect_assert_failure(kinf_pool_give(&p, 0));
    expect_assert_failure(kinf_pool_give(&p, 8));
}

/* Whatever is taken and given: what was handed out is what is held. */
static void test_pool_agrees_with_an_array(void **state)
{
    bool held[50] = { false };
    uint32_t map[2], count = 0, random = 1;
    struct kinf_pool p;

    (void)state;
    kinf_pool_init(&p, map, COUNT_OF(held));
    for (int i = 0; i < 5000; i++) {
        uint32_t at = (random = random * 1664525 + 1013904223) >> 8;

        at %= COUNT_OF(held);
        if (held[at]) {
            kinf_pool_give(&p, at);
            held[at] = false;
            count--;
        } else if (!pool_full(&p)) {
            uint32_t least = 0;

            while (held[least])
                least++;
            assert_int_equal(least, kinf_pool_take(&p));
            held[least] = true;
            count++;
        }
        assert_int_equal(count, p.used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_hands_out_the_lowest_free_place),
        cmocka_unit_test(test_pool_is_full_at_its_size_and_not_before),
        cmocka_unit_test(test_pool_keeps_its_high_water_mark),
        cmocka_unit_test(test_a_place_is_given_back_once),
        cmocka_unit_test(test_pool_agrees_with_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
