/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "log.h"
#include "options.h"
#include "program.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct options o;
static struct capture err;

/* Splits a line at its blanks and reads it. */
static int read_line(const char *line)
{
    static char words[1024];
    char *argv[80] = { "kinformer" };
    int argc = 1;

    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    capture_begin(&err);
    argc = options_read(&o, argc, argv);
    capture_end(&err);
    return argc;
}

static void test_reads_every_form_of_an_option(void **state)
{
    static const char *const lines[] = {
        "watch cm -n a -n b -l x=y -o json",
        "watch -na -nb cm -lx=y -ojson",
        "watch --namespace=a cm --namespace b --selector=x=y --output=json",
        "watch -n=a -n b -o=json -l=x=y -- cm",
        "watch -n a -n b -n a cm -l x=y -o json", /* twice is once */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_int_equal(0, read_line(lines[i]));
        assert_int_equal(COMMAND_WATCH, o.command);
        assert_string_equal("cm", o.resource);
        assert_int_equal(2, o.namespace_count);
        assert_string_equal("a", o.namespaces[0]);
        assert_string_equal("b", o.namespaces[1]);
        assert_string_equal("x=y", o.label_selector);
        assert_int_equal(FORMAT_JSON, o.format);
    }
}

static void test_reads_sizes(void **state)
{
    static const struct { const char *line; uint64_t memory; } cases[] = {
        { "watch cm --memory 65536", 65536 },
        { "watch cm --memory 64K", 65536 },
        { "watch cm --memory=3M", 3 << 20 },
        { "watch cm --memory 2Gi", (uint64_t)2 << 30 },
        { "watch cm --memory 512Mi", 512 << 20 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(0, read_line(cases[i].line));
        assert_int_equal(cases[i].memory, o.memory);
    }
}

static void test_reads_limits_of_the_mirror(void **state)
{
    (void)state;
    assert_int_equal(0, read_line("mirror /d --max-delete 30%"));
    assert_true(o.max_delete_given && o.max_delete_percent);
    assert_int_equal(30, o.max_delete);
    assert_int_equal(0, read_line("mirror --max-delete=7 /d --secrets"));
    assert_true(o.max_delete_given && !o.max_delete_percent && o.secrets);
    assert_int_equal(7, o.max_delete);
    assert_int_equal(0, read_line("mirror /d"));
    assert_false(o.max_delete_given);
    assert_int_equal(60, o.timeout_s);
}

static void test_each_number_of_seconds_has_its_place(void **state)
{
    (void)state;
    assert_int_equal(0, read_line("watch cm --once --timeout 7 --spread 30"));
    assert_int_equal(7, o.timeout_s);
    assert_int_equal(30, o.spread_s);
}

static void test_says_what_is_wrong(void **state)
{
    static const struct { const char *line, *words; } cases[] = {
        { "", "no command" },
        { "list", "'list'" },
        { "watch", "watch what" },
        { "watch cm pods", "'pods'" },
        { "watch cm --colour", "'--colour'" },
        { "watch cm --color=x", "--color" },
        { "watch cm -x", "'-x'" },
        { "watch cm --reset", "'--reset'" }, /* mirror's */
        { "mirror /d -o json", "'-o'" },
        { "watch cm -n", "missing after '-n'" },
        { "watch cm -A=1", "no value" },
        { "watch cm -A -n a", "exclude" },
        { "watch cm -n ../etc", "'../etc'" },
        { "watch cm -n A", "'A'" },
        { "watch cm -n -a", "'-a'" },
        { "watch cm -n a-", "'a-'" },
        { "watch cm -o yaml", "'yaml'" },
        { "watch cm --memory 12X", "'12X'" },
        { "watch cm --memory 0", "'0'" },
        { "watch cm --memory -1", "'-1'" },
        { "watch cm --memory 99999999999999999999", "not a size" },
        { "watch cm --memory 18446744073709551615G", "not a size" },
        { "watch cm --objects 4294967295", "not a count" },
        { "watch cm --timeout 0", "seconds" },
        { "mirror /d --spread 86401", "seconds" },
        { "watch cm --log-format xml", "'xml'" },
        { "watch cm --output-watch-events", "-o json" },
        { "watch cm --in-cluster --context x", "--in-cluster" },
        { "mirror", "which folder" },
        { "mirror /d --max-delete x", "'x'" },
        { "mirror /d --max-delete 101%", "'101%'" },
        { "mirror /d --adopt --reset", "exclude" },
        { "size --objects 5", "--bytes" },
        { "watch cm \033[31mred", "\\x1b[31mred" }, /* nothing raw */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].line);
        assert_int_equal(EXIT_USAGE, read_line(cases[i].line));
        if (!strstr(err.text, cases[i].words))
            fail_msg("'%s' is not in '%s'", cases[i].words, err.text);
        log_setup(false, false); /* forgets how often a line came */
    }
}

static void test_has_room_for_32_namespaces(void **state)
{
    char line[1024];
    size_t len = (size_t)snprintf(line, sizeof line, "watch cm");

    (void)state;
    for (int i = 0; i < NAMESPACES_MAX; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, " -n n%d", i);
    assert_int_equal(0, read_line(line));
    assert_int_equal(NAMESPACES_MAX, o.namespace_count);
    snprintf(line + len, sizeof line - len, " -n more");
    assert_int_equal(EXIT_USAGE, read_line(line));
}

static void test_help_anywhere(void **state)
{
    static const char *const lines[] = { "help", "--help", "-h",
                                         "watch --help", "mirror -n a -h" };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_int_equal(0, read_line(lines[i]));
        assert_int_equal(COMMAND_HELP, o.command);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_form_of_an_option),
        cmocka_unit_test(test_reads_sizes),
        cmocka_unit_test(test_reads_limits_of_the_mirror),
        cmocka_unit_test(test_each_number_of_seconds_has_its_place),
        cmocka_unit_test(test_says_what_is_wrong),
        cmocka_unit_test(test_has_room_for_32_namespaces),
        cmocka_unit_test(test_help_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
