/* SPDX-License-Identifier: Apache-2.0 */
/* test_span.c - text that somebody else owns. */
#include "base/span.h"
#include "fake.h"

static void test_spans_are_equal_by_their_bytes(void **state)
{
    static const struct {
        struct kinf_span a, b;
        bool equal;
    } cases[] = {
        { { "abc", 3 }, { "abc", 3 }, true },
        { { "abc", 3 }, { "abd", 3 }, false },
        { { "abc", 3 }, { "ab", 2 }, false },
        { { NULL, 0 }, { "", 0 }, true }, /* nothing is read */
        { { "a\0b", 3 }, { "a\0c", 3 }, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(cases[i].equal, span_equal(cases[i].a, cases[i].b));
}

static void test_a_number_is_written_in_decimal(void **state)
{
    static const struct {
        uint32_t number;
        const char *text;
    } cases[] = {
        { 0, "0" }, { 9, "9" }, { 10, "10" }, { 500, "500" },
        { UINT32_MAX, "4294967295" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char buf[11];
        struct kinf_span text;

        kinf_decimal(&text, cases[i].number, buf);
        assert_true(span_equal(fake_span(cases[i].text), text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_are_equal_by_their_bytes),
        cmocka_unit_test(test_a_number_is_written_in_decimal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
