/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - messages: escaped, cut, limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "log.h"
#include "out.h"

static struct capture err;

static unsigned lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_text_of_others_is_escaped_and_cut(void **state)
{
    char longer[1000];

    (void)state;
    memset(longer, 'x', sizeof longer);
    capture_begin(&err);
    log_say(LOG_WARN, NULL, "server: %.*s", 9, "a\033[1m\n\0\xff\\");
    log_say(LOG_WARN, "wait", "server says: %.*s", (int)sizeof longer,
            longer);
    capture_end(&err);
    assert_non_null(strstr(err.text, "kinformer: warning: server: "
                                     "a\\x1b[1m\\x0a\\x00\\xff\\x5c\n"));
    assert_non_null(strstr(err.text, "xxx... (wait)\n"));
    assert_true(strlen(err.text) < 500);
    assert_int_equal(2, lines(err.text));
}

/* The server's words vary, ours do not: one kind. */
static void test_lines_of_a_kind_are_limited(void **state)
{
    (void)state;
    capture_begin(&err);
    for (int i = 0; i < 1000; i++) {
        char words[20];
        int len = snprintf(words, sizeof words, "answer %d", i);

        log_say(LOG_WARN, NULL, "the server said %.*s", len, words);
    }
    log_say(LOG_WARN, NULL, "another thing");
    log_settle(true);
    log_settle(true); /* told once */
    capture_end(&err);
    assert_int_equal(3 + 1 + 1, lines(err.text));
    assert_non_null(strstr(err.text, "997 more like this"));
}

static void test_our_own_words_make_kinds(void **state)
{
    (void)state;
    capture_begin(&err);
    for (int i = 0; i < 5; i++) {
        log_say(LOG_WARN, NULL, "disk: %s", "full");
        log_say(LOG_WARN, NULL, "disk: %s", "gone");
    }
    log_settle(true);
    capture_end(&err);
    assert_int_equal(3 + 3 + 2, lines(err.text));
}

/* More kinds than places: what was held back is told before it is forgotten. */
static void test_no_count_is_lost(void **state)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g",
                                         "h", "i", "j", "k", "l" };

    (void)state;
    capture_begin(&err);
    for (int i = 0; i < 5; i++)
        log_say(LOG_WARN, NULL, "first %s", "kind");
    for (size_t i = 0; i < 12; i++)
        log_say(LOG_WARN, NULL, "other %s", names[i]);
    log_settle(true);
    capture_end(&err);
    assert_int_equal(3 + 1 + 12, lines(err.text));
    assert_non_null(strstr(err.text, "2 more like this"));
}

static void test_json_is_one_object_a_line(void **state)
{
    (void)state;
    log_setup(true, false);
    capture_begin(&err);
    log_say(LOG_FAIL, "do \"this\"", "%.*s", 3, "a\"\n");
    capture_end(&err);
    log_setup(false, false);
    assert_non_null(strstr(err.text, "{\"time\":\"20"));
    assert_non_null(strstr(err.text, "\"level\":\"error\","
                                     "\"message\":\"a\\\"\\\\x0a\","
                                     "\"todo\":\"do \\\"this\\\"\"}\n"));
    assert_int_equal(1, lines(err.text));
}

static void test_quiet_leaves_notes_out(void **state)
{
    (void)state;
    log_setup(false, true);
    capture_begin(&err);
    log_say(LOG_NOTE, NULL, "all is well");
    log_say(LOG_WARN, NULL, "not quite");
    capture_end(&err);
    log_setup(false, false);
    assert_string_equal("kinformer: warning: not quite\n", err.text);
}

static void test_what_does_not_fit_is_cut(void **state)
{
    char small[8];
    struct out o = out_over(small, sizeof small);

    (void)state;
    out_format(&o, "%s%u%c", "abcdef", 123u, 'x');
    assert_int_equal(sizeof small, o.used);
    assert_true(o.cut);
    assert_memory_equal("abcdef12", small, sizeof small);
}

static void test_numbers(void **state)
{
    char text[100];
    struct out o = out_over(text, sizeof text);

    (void)state;
    out_format(&o, "%d %d %u %zu %llu %%", -2147483647 - 1, 7, 4294967295u,
               (size_t)0, 18446744073709551615ull);
    text[o.used] = '\0';
    assert_string_equal("-2147483648 7 4294967295 0 18446744073709551615 %",
                        text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_others_is_escaped_and_cut),
        cmocka_unit_test(test_lines_of_a_kind_are_limited),
        cmocka_unit_test(test_our_own_words_make_kinds),
        cmocka_unit_test(test_no_count_is_lost),
        cmocka_unit_test(test_json_is_one_object_a_line),
        cmocka_unit_test(test_quiet_leaves_notes_out),
        cmocka_unit_test(test_what_does_not_fit_is_cut),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
