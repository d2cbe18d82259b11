/* SPDX-License-Identifier: Apache-2.0 */
/* test_selector.c - label selectors, against rules written down by hand and
 * against a second reading of the same selector, generated at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "informer/selector.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A selector without a byte after it. */
static int match(const char *selector, const char *json)
{
    size_t len = strlen(selector);
    char *exact = malloc(len > 0 ? len : 1);
    struct kinf_object object = { .json = { json, strlen(json) } };
    struct kinf_span span = { exact, len };
    int answer, check;

    assert_non_null(exact);
    memcpy(exact, selector, len);
    answer = kinf_selector_match(span, &object);
    check = kinf_selector_check(span);
    assert_int_equal(answer < 0 ? answer : KINF_OK, check);
    free(exact);
    return answer;
}

static const char labelled[] =
    "{\"metadata\":{\"name\":\"x\",\"labels\":{\"app\":\"web\",\"tier\":\"\","
    "\"app.kubernetes.io/name\":\"n-1\",\"in\":\"a\",\"esc\":\"\\u0061b\"}}}";

static void test_selectors_match_as_in_kubernetes(void **state)
{
    static const struct {
        const char *selector;
        int answer;
    } cases[] = {
        { "", 1 },
        { "  \t", 1 },
        { "app", 1 },
        { "none", 0 },
        { "!app", 0 },
        { "!none", 1 },
        { "app=web", 1 },
        { "app==web", 1 },
        { "app=db", 0 },
        { "app=we", 0 },
        { "app=webb", 0 },
        { "app!=web", 0 },
        { "app!=db", 1 },
        { "none=x", 0 },
        { "none!=x", 1 }, /* absent */
        { "none=", 0 },
        { "tier=", 1 },
        { "tier==", 1 },
        { "tier!=", 0 },
        { "app!=", 1 },
        { "none!=", 1 },
        { "app in (web)", 1 },
        { "app in (db,web)", 1 },
        { "app in (db)", 0 },
        { "none in (x)", 0 },
        { "app notin (web)", 0 },
        { "app notin (db,cache)", 1 },
        { "none notin (x)", 1 }, /* absent */
        { "tier in (,a)", 1 },
        { "tier in (a,)", 1 },
        { "tier in (,)", 1 },
        { "app in (,a)", 0 },
        { "none in (,)", 0 },
        { "app.kubernetes.io/name=n-1", 1 },
        { "app.kubernetes.io/name", 1 },
        { "esc=ab", 1 },
        { "in", 1 },
        { "in=a", 1 },
        { "in in (a)", 1 },
        { "in notin (a)", 0 },
        { "notin", 0 },
        { "in in (in,notin,a)", 1 },
        { "app=web,tier", 1 },
        { "app=web,!tier", 0 },
        { "app=db,tier", 0 },
        { "app=web,tier in (,x),esc!=c,!none", 1 },
        { " app = web , tier , none notin ( a , b ) ", 1 },
        { "app in(web),tier", 1 },
        { "\n! none\t,\rapp", 1 },
        { "app=in", 0 },
        { "tier=,app=web", 1 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].selector);
        assert_int_equal(cases[i].answer, match(cases[i].selector, labelled));
    }
}

static void test_what_kubernetes_refuses_is_a_syntax_error(void **state)
{
    static const char *const cases[] = {
        ",", "a,", ",a", "a,,b", "=", "=a", "!", "!!a", "!a=b", "!a in (b)",
        "a b", "a=b c", "a=b=c", "a=!b", "a!b", "a!", "a===b", "a!=!b",
        "a in", "a in b", "a in (", "a in (b", "a in (b,", "a in )", "a in ()",
        "a in ( )", "a notin ()", "a in (b))", "a in (b) c", "a in (b c)",
        "a in (b=c)", "a in ((b))", "a in (!b)", "a inn (b)", "a IN (b)", "()",
        "(a)", "a)", "a(", "a>5", "a<5", "a;b", "a=b;c", "-a", "a-", "a=-b",
        "a=b-", ".a", "a/", "/a", "a/b/c", "a/-b", "-a/b", "a=b/c", "\"a\"",
        "a='b'", "a\xC3\xA9", "a=b,", "a=b,c,", "none in (b", "app=db,=",
        "a\vb",
        /* 64 characters; 63 are legal */
        "a=0123456789012345678901234567890123456789012345678901234567890123",
        "a012345678901234567890123456789012345678901234567890123456789012",
        "x/a012345678901234567890123456789012345678901234567890123456789012",
    };
    struct kinf_span nul = { "a\0b", 3 };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i]);
        assert_int_equal(KINF_ERR_SYNTAX, match(cases[i], labelled));
        assert_int_equal(KINF_ERR_SYNTAX, match(cases[i], "{}"));
    }
    assert_int_equal(KINF_ERR_SYNTAX, kinf_selector_check(nul));
    assert_int_equal(0, match("a01234567890123456789012345678901234567890123456"
                              "789012345678901", "{}"));
}

static void test_objects_without_labels_have_none(void **state)
{
    static const char *const cases[] = {
        "{}", "{\"metadata\":{}}", "{\"metadata\":{\"labels\":null}}",
        "{\"metadata\":{\"labels\":{}}}", "{\"metadata\":{\"labels\":[]}}",
        "{\"metadata\":null}", "{\"labels\":{\"a\":\"b\"}}",
        "{\"spec\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}}}",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(0, match("a", cases[i]));
        assert_int_equal(0, match("a=b", cases[i]));
        assert_int_equal(0, match("a in (,b)", cases[i]));
        assert_int_equal(1, match("!a", cases[i]));
        assert_int_equal(1, match("a!=b", cases[i]));
        assert_int_equal(1, match("a notin (b)", cases[i]));
        assert_int_equal(1, match("", cases[i]));
    }
}

static void test_labels_of_an_identity_are_not_known(void **state)
{
    struct kinf_object object = { .reason = KINF_REASON_TOO_BIG };
    (void)state;

    assert_int_equal(1, kinf_selector_match(KINF_SPAN(""), &object));
    assert_int_equal(1, kinf_selector_match(KINF_SPAN(" "), &object));
    assert_int_equal(KINF_ERR_TOO_BIG,
                     kinf_selector_match(KINF_SPAN("a"), &object));
    assert_int_equal(KINF_ERR_TOO_BIG,
                     kinf_selector_match(KINF_SPAN("!a"), &object));
    assert_int_equal(KINF_ERR_SYNTAX,
                     kinf_selector_match(KINF_SPAN("a,"), &object));
}

/* ---- at random ---------------------------------------------------------- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static const char *const words[] = { "a", "b", "in", "notin", "x.y/z", "" };

/* labels[k]: which word is the value of label words[k], or -1. */
static int labels[5];

static size_t space(char *out)
{
    return draw(3) == 0 ? (size_t)sprintf(out, "%s", draw(2) ? " " : "\t\n")
                        : 0;
}

/* Writes one requirement and says whether it holds. */
static bool write_requirement(char *out, size_t *used)
{
    uint32_t key = draw(5), op = draw(6);
    bool found = false, present = labels[key] >= 0;
    char *at = out + *used;

    at += space(at);
    if (op == 0)
        at += sprintf(at, "!");
    at += space(at);
    at += sprintf(at, "%s", words[key]);
    if (op >= 2 && op <= 3) {
        uint32_t value = draw(6) == 4 ? 5 : draw(4);

        at += space(at);
        at += sprintf(at, "%s", op == 3 ? "!=" : draw(2) ? "=" : "==");
        at += space(at);
        at += sprintf(at, "%s", words[value]);
        found = labels[key] == (int)value;
    } else if (op >= 4) {
        uint32_t count = 1 + draw(3);

        at += sprintf(at, " %s", op == 5 ? "notin" : "in");
        at += space(at);
        at += sprintf(at, "(");
        for (uint32_t i = 0; i < count; i++) {
            /* "()" is no set */
            uint32_t value = count > 1 && draw(6) == 4 ? 5 : draw(4);

            at += space(at);
            at += sprintf(at, "%s%s", words[value], i + 1 < count ? "," : "");
            found = found || labels[key] == (int)value;
        }
        at += space(at);
        at += sprintf(at, ")");
    }
    at += space(at);
    *used = (size_t)(at - out);
    return op == 0   ? !present
           : op == 1 ? present
                     : found != (op == 3 || op == 5);
}

static void test_random_selectors_agree_with_how_they_were_made(void **state)
{
    (void)state;

    seed = 4711;
    for (int round = 0; round < 20000; round++) {
        char selector[1024], json[512];
        size_t used = 0;
        int n = sprintf(json, "{\"metadata\":{\"labels\":{");
        bool all = true, first = true;
        uint32_t count = 1 + draw(4);

        for (int k = 0; k < 5; k++) {
            labels[k] = draw(2) ? (draw(4) == 0 ? 5 : (int)draw(4)) : -1;
            if (labels[k] < 0)
                continue;
            n += sprintf(json + n, "%s\"%s\":\"%s\"", first ? "" : ",",
                         words[k], words[labels[k]]);
            first = false;
        }
        sprintf(json + n, "}}}");
        for (uint32_t i = 0; i < count; i++) {
            if (i > 0)
                selector[used++] = ',';
            all &= write_requirement(selector, &used);
        }
        selector[used] = '\0';
        if (match(selector, json) != all) {
            print_error("%s on %s\n", selector, json);
            fail();
        }
    }
}

static void test_random_text_is_survived(void **state)
{
    (void)state;

    seed = 815;
    for (int round = 0; round < 50000; round++) {
        char text[16];
        uint32_t len = draw(sizeof(text));

        for (uint32_t i = 0; i < len; i++)
            text[i] = "ab=!(), in/-\t.>"[draw(15)];
        text[len] = '\0';
        match(text, labelled);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors_match_as_in_kubernetes),
        cmocka_unit_test(test_what_kubernetes_refuses_is_a_syntax_error),
        cmocka_unit_test(test_objects_without_labels_have_none),
        cmocka_unit_test(test_labels_of_an_identity_are_not_known),
        cmocka_unit_test(test_random_selectors_agree_with_how_they_were_made),
        cmocka_unit_test(test_random_text_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
