/* SPDX-License-Identifier: Apache-2.0 */
/* test_object.c - what can be done with an object in hand. */
#include "fake.h"

static const char text[] = "{\"metadata\":{\"name\":\"n\"},\"a\":[1,2]}";

static struct kinf_object object(void)
{
    return (struct kinf_object){
        .name = { text + 21, 1 }, /* inside the JSON */
        .namespace_ = KINF_SPAN("space"), .uid = KINF_SPAN("uid"),
        .resource_version = KINF_SPAN("7"),
        .json = { text, sizeof(text) - 1 }, .size = sizeof(text) - 1
    };
}

static void expect_text(const char *expected, struct kinf_span got)
{
    assert_int_equal(strlen(expected), got.len);
    assert_memory_equal(expected, got.ptr, got.len);
}

static void test_a_copy_is_all_of_an_object_and_points_into_the_buffer(
    void **state)
{
    struct kinf_object from = object(), to;
    const size_t need = sizeof(text) - 1 + 5 + 3 + 1;
    char buf[128];

    (void)state;
    memset(buf, 0, sizeof(buf));
    assert_int_equal(need, kinf_copy(&from, buf, need, &to));
    expect_text(text, to.json);
    expect_text("n", to.name);
    expect_text("space", to.namespace_);
    expect_text("uid", to.uid);
    expect_text("7", to.resource_version);
    assert_true(to.name.ptr >= buf && to.name.ptr < buf + need);
    assert_true(to.uid.ptr >= buf && to.uid.ptr < buf + need);
    for (size_t size = 0; size < need; size++)
        EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_copy(&from, buf, size, &to));
}

static void test_an_identity_is_copied_too(void **state)
{
    struct kinf_object from = object(), to;
    char buf[32];

    (void)state;
    from.json = (struct kinf_span){ text, 0 };
    from.uid = (struct kinf_span){ NULL, 0 };
    from.reason = KINF_REASON_TOO_BIG;
    assert_int_equal(1 + 5 + 1, kinf_copy(&from, buf, sizeof(buf), &to));
    expect_text("n", to.name);
    assert_int_equal(0, to.json.len + to.uid.len);
    assert_int_equal(KINF_REASON_TOO_BIG, to.reason);
}

static void test_a_key_is_namespace_slash_name(void **state)
{
    struct kinf_object o = object();
    char buf[16];

    (void)state;
    assert_int_equal(7, kinf_object_key(&o, buf, sizeof(buf)));
    assert_memory_equal("space/n", buf, 7);
    assert_int_equal(7, kinf_object_key(&o, buf, 7));
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_object_key(&o, buf, 6));
    o.namespace_.len = 0;
    assert_int_equal(1, kinf_object_key(&o, buf, sizeof(buf)));
    assert_memory_equal("n", buf, 1);
    o.name.len = 0;
    assert_int_equal(0, kinf_object_key(&o, buf, sizeof(buf)));
}

static void test_a_key_is_split_at_its_slash(void **state)
{
    static const struct {
        const char *key, *space, *name;
        int err;
    } cases[] = {
        { "space/n", "space", "n", KINF_OK }, { "n", "", "n", KINF_OK },
        { "/n", "", "n", KINF_OK }, { "space/", "space", "", KINF_OK },
        { "", "", "", KINF_OK },
        { "a/b/c", "", "", KINF_ERR_SYNTAX },
        { "a//", "", "", KINF_ERR_SYNTAX },
    };
    struct kinf_span space, name;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_ERR(cases[i].err, kinf_split_key(fake_span(cases[i].key),
                                                &space, &name));
        if (cases[i].err != KINF_OK)
            continue;
        expect_text(cases[i].space, space);
        expect_text(cases[i].name, name);
    }
}

static void test_a_value_is_found_in_an_object_that_is_held_whole(void **state)
{
    struct kinf_object o = object();
    struct kinf_value v;

    (void)state;
    EXPECT_ERR(KINF_OK, kinf_find(&o, "a[1]", &v));
    expect_text("2", v.raw);
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_find(&o, "b", &v));
    o.reason = KINF_REASON_TOO_BIG;
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_find(&o, "a[1]", &v));
}

/* ---- odd texts ---------------------------------------------------------- */

static void test_broken_text_of_the_users_own_is_said_to_be(void **state)
{
    static const struct {
        const char *json, *path;
        int err;
    } cases[] = {
        { "{\"a\":+1}", "a", KINF_ERR_JSON },
        { "{\"a\":xyz}", "a", KINF_ERR_JSON },
        { "{\"y\":1}", "\\.x", KINF_ERR_NOT_FOUND },
        { "{\".x\":1}", "\\.x", KINF_OK },
    };
    struct kinf_value v;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kinf_object o = { .json = fake_span(cases[i].json) };

        EXPECT_ERR(cases[i].err, kinf_find(&o, cases[i].path, &v));
    }
}

/* Half a pair reads as U+FFFD, and what follows stays what it is. */
static void test_a_surrogate_without_its_other_half_is_replaced(void **state)
{
    static const struct {
        const char *raw, *read;
    } cases[] = {
        { "\\ud800abcdef", "\xef\xbf\xbd" "abcdef" },
        { "\\ud800\\uffff", "\xef\xbf\xbd\xef\xbf\xbf" },
        { "\\ud800\\u0041", "\xef\xbf\xbd" "A" },
        { "\\udc00", "\xef\xbf\xbd" },
        { "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kinf_value v = { KINF_JSON_STRING, fake_span(cases[i].raw) };
        char buf[32] = "";

        assert_int_equal(strlen(cases[i].read),
                         kinf_string(v, buf, sizeof(buf)));
        assert_string_equal(cases[i].read, buf);
    }
}

static void test_what_is_no_base64_is_of_another_type(void **state)
{
    static const char *const texts[] = { "AA{=", "AA:=", "AA[=", "AA`=",
                                         "AA@=", "A===" };
    char buf[8];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct kinf_value v = { KINF_JSON_STRING, fake_span(texts[i]) };

        EXPECT_ERR(KINF_ERR_TYPE, kinf_base64(v, buf, sizeof(buf)));
    }
}

static void test_a_selector_may_be_wrong_anywhere(void **state)
{
    static const struct {
        const char *selector;
        int answer;
    } cases[] = {
        { "a{=b", KINF_ERR_SYNTAX }, { "a=b{", KINF_ERR_SYNTAX },
        { "a in (b,c{)", KINF_ERR_SYNTAX }, { "a in (b{,c)", KINF_ERR_SYNTAX },
        { "a_b=c_d", 0 }, { "!a_b", 1 },
    };
    struct kinf_object o = object();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT_ERR(cases[i].answer,
                   kinf_selector_match(fake_span(cases[i].selector), &o));
}

static void test_a_number_field_of_another_type_stays_empty(void **state)
{
    struct both {
        int64_t wide;
        int32_t narrow;
    } out;
    static const struct kinf_field fields[] = {
        KINF_FIELD(struct both, wide, KINF_FIELD_INT64, "a"),
        KINF_FIELD(struct both, narrow, KINF_FIELD_INT32, "a"),
    };
    struct kinf_object o = { .json = KINF_SPAN("{\"a\":\"7\"}") };

    (void)state;
    EXPECT_ERR(KINF_ERR_TYPE, kinf_decode(&o, fields, 2, &out, sizeof(out)));
    assert_int_equal(0, out.wide);
    assert_int_equal(0, out.narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_copy_is_all_of_an_object_and_points_into_the_buffer),
        cmocka_unit_test(test_an_identity_is_copied_too),
        cmocka_unit_test(test_a_key_is_namespace_slash_name),
        cmocka_unit_test(test_a_key_is_split_at_its_slash),
        cmocka_unit_test(
            test_a_value_is_found_in_an_object_that_is_held_whole),
        cmocka_unit_test(test_broken_text_of_the_users_own_is_said_to_be),
        cmocka_unit_test(test_a_surrogate_without_its_other_half_is_replaced),
        cmocka_unit_test(test_what_is_no_base64_is_of_another_type),
        cmocka_unit_test(test_a_selector_may_be_wrong_anywhere),
        cmocka_unit_test(test_a_number_field_of_another_type_stays_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
