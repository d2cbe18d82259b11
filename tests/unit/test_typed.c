/* SPDX-License-Identifier: Apache-2.0 */
/* test_typed.c - objects found, copied, named, and read into C structs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinf_typed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct kinf_object whole(const char *json)
{
    return (struct kinf_object){ .json = { json, strlen(json) } };
}

static struct kinf_object identity(void)
{
    return (struct kinf_object){ .name = KINF_SPAN("n"),
                                 .reason = KINF_REASON_TOO_BIG };
}

static void expect_span(const char *text, struct kinf_span span)
{
    assert_int_equal(strlen(text), span.len);
    assert_memory_equal(text, span.ptr, span.len);
}

/* ---- tables ------------------------------------------------------------- */

struct own {
    char text[6];
    char one[1];
    int32_t narrow;
    int64_t wide;
    bool yes;
    struct kinf_value value;
    uint32_t after; /* no table fills it */
};
static const struct kinf_field own_fields[] = {
    KINF_FIELD(struct own, text, KINF_FIELD_TEXT, "spec.text"),
    KINF_FIELD(struct own, one, KINF_FIELD_TEXT, "spec.one"),
    KINF_FIELD(struct own, narrow, KINF_FIELD_INT32, "spec.narrow"),
    KINF_FIELD(struct own, wide, KINF_FIELD_INT64, "spec.list[1]"),
    KINF_FIELD(struct own, yes, KINF_FIELD_BOOL, "spec.a\\.b/c"),
    KINF_FIELD(struct own, value, KINF_FIELD_SPAN, "spec.list"),
};

static int decode(const char *json, struct own *out)
{
    struct kinf_object object = whole(json);

    memset(out, 0xFF, sizeof(*out));
    return kinf_decode(&object, own_fields, COUNT(own_fields), out,
                       sizeof(*out));
}

static void test_a_users_own_table_fills_every_type(void **state)
{
    struct own o;
    (void)state;

    assert_int_equal(KINF_OK,
                     decode("{\"spec\":{\"text\":\"h\\u00e9ll\",\"one\":\"\","
                            "\"narrow\":-2147483648,\"a.b/c\":true,"
                            "\"list\":[1,9223372036854775807]}}",
                            &o));
    assert_string_equal("h\xC3\xA9ll", o.text);
    assert_string_equal("", o.one);
    assert_int_equal(INT32_MIN, o.narrow);
    assert_true(o.wide == INT64_MAX);
    assert_true(o.yes);
    assert_int_equal(KINF_JSON_ARRAY, o.value.type);
    assert_int_equal(0, o.after);
}

static void test_absent_and_null_leave_zero(void **state)
{
    static const char *const cases[] = {
        "{}", "{\"spec\":null}", "{\"spec\":{}}",
        "{\"spec\":{\"text\":null,\"one\":null,\"narrow\":null}}",
        "{\"spec\":{\"list\":null,\"a.b/c\":null}}",
    };
    static const struct own zero;
    struct own o;
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(KINF_OK, decode(cases[i], &o));
        assert_memory_equal(&zero, &o, sizeof(o));
    }
}

static void test_what_does_not_fit_is_told_and_the_rest_is_filled(void **state)
{
    static const struct {
        const char *spec;
        int err;
    } cases[] = {
        { "\"text\":\"123456\"", KINF_ERR_TOO_BIG },
        { "\"text\":\"12345\\n\"", KINF_ERR_TOO_BIG },
        { "\"text\":\"1\\u0000\"", KINF_ERR_TYPE }, /* would be cut */
        { "\"text\":5", KINF_ERR_TYPE },
        { "\"text\":{}", KINF_ERR_TYPE },
        { "\"one\":\"x\"", KINF_ERR_TOO_BIG },
        { "\"narrow\":2147483648", KINF_ERR_TOO_BIG },
        { "\"narrow\":-2147483649", KINF_ERR_TOO_BIG },
        { "\"narrow\":1.5", KINF_ERR_TYPE },
        { "\"narrow\":\"1\"", KINF_ERR_TYPE },
        { "\"a.b/c\":\"true\"", KINF_ERR_TYPE },
        { "\"a.b/c\":1", KINF_ERR_TYPE },
        { "\"text\":\"123456\",\"narrow\":\"1\"", KINF_ERR_TOO_BIG },
    };
    struct own o;
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char json[256];

        snprintf(json, sizeof(json), "{\"spec\":{%s,\"list\":[7,8]}}",
                 cases[i].spec);
        print_message("%s\n", json);
        assert_int_equal(cases[i].err, decode(json, &o));
        assert_true(o.wide == 8);
        assert_string_equal("", o.text);
        assert_int_equal('\0', o.one[0]);
        assert_int_equal(0, o.narrow);
        assert_false(o.yes);
    }
    assert_int_equal(KINF_ERR_TYPE, decode("{\"spec\":7}", &o));
}

static void test_an_identity_has_nothing_to_decode(void **state)
{
    struct kinf_object object = identity();
    struct kinf_value v;
    struct own o;
    (void)state;

    memset(&o, 0xFF, sizeof(o));
    assert_int_equal(KINF_ERR_TOO_BIG, kinf_find(&object, "data", &v));
    assert_int_equal(KINF_ERR_TOO_BIG,
                     kinf_decode(&object, own_fields, COUNT(own_fields), &o,
                                 sizeof(o)));
    assert_int_equal(0, o.narrow);
}

static void test_a_table_that_does_not_suit_is_an_assertion(void **state)
{
    static const struct kinf_field bad_size[] = {
        KINF_FIELD(struct own, wide, KINF_FIELD_INT32, "n")
    };
    struct kinf_object object = whole("{\"n\":1,\"spec\":{\"list\":[1,2]}}");
    struct own o;
    (void)state;

    expect_assert_failure(kinf_decode(&object, bad_size, 1, &o, sizeof(o)));
    expect_assert_failure(
        kinf_decode(&object, own_fields, COUNT(own_fields), &o, 8));
}

/* ---- shipped kinds ------------------------------------------------------ */

static void test_a_pod(void **state)
{
    struct kinf_object object = whole(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\","
        "\"namespace\":\"d\",\"uid\":\"u\",\"resourceVersion\":\"7\","
        "\"labels\":{\"app\":\"x\"},\"deletionTimestamp\":"
        "\"2024-01-02T03:04:05Z\"},\"spec\":{\"nodeName\":\"node-1\","
        "\"hostNetwork\":true,\"restartPolicy\":\"Always\","
        "\"serviceAccountName\":\"default\",\"containers\":[{\"name\":\"c\","
        "\"image\":\"i:1\"}]},\"status\":{\"phase\":\"Running\","
        "\"podIP\":\"10.0.0.7\",\"hostIP\":\"192.168.0.1\",\"conditions\":[],"
        "\"containerStatuses\":[{\"name\":\"c\",\"restartCount\":3}]}}");
    struct kinf_pod pod;
    struct kinf_value v;
    int64_t restarts;
    (void)state;

    assert_int_equal(KINF_OK, kinf_pod_decode(&object, &pod));
    assert_string_equal("node-1", pod.node_name);
    assert_string_equal("Running", pod.phase);
    assert_string_equal("10.0.0.7", pod.pod_ip);
    assert_string_equal("192.168.0.1", pod.host_ip);
    assert_string_equal("default", pod.service_account);
    assert_string_equal("Always", pod.restart_policy);
    assert_string_equal("2024-01-02T03:04:05Z", pod.deleted_at);
    assert_true(pod.host_network);
    assert_int_equal(KINF_OK, kinf_value_find(pod.containers, "[0].image", &v));
    expect_span("i:1", v.raw);
    assert_int_equal(KINF_OK, kinf_value_find(pod.container_statuses,
                                              "[0].restartCount", &v));
    assert_int_equal(KINF_OK, kinf_int64(v, &restarts));
    assert_int_equal(3, restarts);
    expect_span("[]", pod.conditions.raw);
    assert_int_equal(KINF_OK, kinf_value_find(pod.labels, "app", &v));
    assert_int_equal(KINF_JSON_NULL, pod.annotations.type);
    assert_int_equal(KINF_JSON_NULL, pod.owners.type);
}

static void test_a_deployment(void **state)
{
    struct kinf_object object = whole(
        "{\"metadata\":{\"generation\":4},\"spec\":{\"replicas\":0,"
        "\"paused\":true,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
        "\"template\":{\"spec\":{}}},\"status\":{\"observedGeneration\":3,"
        "\"replicas\":5,\"updatedReplicas\":1,\"readyReplicas\":2,"
        "\"availableReplicas\":6,\"unavailableReplicas\":7,"
        "\"conditions\":[]}}");
    struct kinf_deployment d;
    (void)state;

    assert_int_equal(KINF_OK, kinf_deployment_decode(&object, &d));
    assert_true(d.generation == 4 && d.observed_generation == 3);
    assert_int_equal(0, d.replicas);
    assert_int_equal(5, d.current);
    assert_int_equal(1, d.updated);
    assert_int_equal(2, d.ready);
    assert_int_equal(6, d.available);
    assert_int_equal(7, d.unavailable);
    assert_true(d.paused);
    expect_span("{\"matchLabels\":{\"a\":\"b\"}}", d.selector.raw);
    expect_span("{\"spec\":{}}", d.template_.raw);
}

static void test_a_configmap_and_a_secret(void **state)
{
    struct kinf_object cm = whole("{\"immutable\":true,\"data\":{\"a\":\"b\"},"
                                  "\"binaryData\":{\"c\":\"AAAA\"}}");
    struct kinf_object secret = whole("{\"type\":\"kubernetes.io/tls\","
                                      "\"data\":{\"tls.key\":\"Zm9v\"}}");
    struct kinf_configmap c;
    struct kinf_secret s;
    (void)state;

    assert_int_equal(KINF_OK, kinf_configmap_decode(&cm, &c));
    assert_true(c.immutable);
    expect_span("{\"a\":\"b\"}", c.data.raw);
    expect_span("{\"c\":\"AAAA\"}", c.binary_data.raw);
    assert_int_equal(KINF_OK, kinf_secret_decode(&secret, &s));
    assert_string_equal("kubernetes.io/tls", s.type);
    assert_false(s.immutable);
    expect_span("{\"tls.key\":\"Zm9v\"}", s.data.raw);
}

/* ---- keys of ConfigMaps and Secrets ------------------------------------- */

/* "key=raw;" for each, with ! after binary ones; then an error, if any. */
static const char *keys_of(struct kinf_object object,
                           int (*each)(const struct kinf_object *,
                                       struct kinf_data_cursor *,
                                       struct kinf_span *, struct kinf_value *,
                                       bool *))
{
    static char line[256];
    struct kinf_data_cursor cursor = { { 0 }, { KINF_JSON_NULL, { 0 } }, 0 };
    struct kinf_span key;
    struct kinf_value v;
    size_t used = 0;
    bool binary;
    int more;

    line[0] = '\0';
    while ((more = each(&object, &cursor, &key, &v, &binary)) == 1)
        used += (size_t)snprintf(line + used, sizeof(line) - used,
                                 "%.*s=%.*s%s;", (int)key.len, key.ptr,
                                 (int)v.raw.len, v.raw.ptr, binary ? "!" : "");
    assert_int_equal(more, each(&object, &cursor, &key, &v, &binary));
    if (more < 0)
        snprintf(line + used, sizeof(line) - used, "(%d)", more);
    return line;
}

static void test_keys_of_data_then_of_binary_data(void **state)
{
    static const struct {
        const char *json, *configmap, *secret;
    } cases[] = {
        { "{}", "", "" },
        { "{\"data\":null,\"binaryData\":null}", "", "" },
        { "{\"data\":{},\"binaryData\":{}}", "", "" },
        { "{\"data\":{\"a\":\"1\",\"b.c\":\"2\"}}", "a=1;b.c=2;",
          "a=1!;b.c=2!;" },
        { "{\"binaryData\":{\"x\":\"AA==\"},\"data\":{\"a\":\"1\"}}",
          "a=1;x=AA==!;", "a=1!;" },
        { "{\"binaryData\":{\"x\":\"AA==\",\"y\":\"\"}}", "x=AA==!;y=!;", "" },
        { "{\"data\":[],\"binaryData\":{\"x\":\"\"}}", "(-7)", "(-7)" },
        { "{\"data\":{\"a\":\"1\"},\"binaryData\":\"x\"}", "a=1;(-7)",
          "a=1!;" },
        { "{\"data\":{\"a\":tru}}", "(-45)", "(-45)" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].json);
        assert_string_equal(cases[i].configmap,
                            keys_of(whole(cases[i].json), kinf_configmap_each));
        assert_string_equal(cases[i].secret,
                            keys_of(whole(cases[i].json), kinf_secret_each));
    }
    assert_string_equal("(-3)", keys_of(identity(), kinf_configmap_each));
    assert_string_equal("(-3)", keys_of(identity(), kinf_secret_each));
}

/* ---- object ------------------------------------------------------------- */

static void test_a_copy_lives_on_its_own(void **state)
{
    char json[] = "{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\"}}";
    char version[] = "77";
    struct kinf_object o = { .name = { json + 21, 2 },
                             .namespace_ = { "", 0 },
                             .uid = { json + 32, 2 },
                             .resource_version = { version, 2 },
                             .json = { json, sizeof(json) - 1 },
                             .size = sizeof(json) - 1 };
    size_t need = sizeof(json) - 1 + 2; /* name and uid lie inside */
    char *buf = malloc(need);
    struct kinf_object copy;
    struct kinf_value v;
    (void)state;

    assert_non_null(buf);
    for (size_t size = 0; size < need; size++)
        assert_int_equal(KINF_ERR_TOO_BIG, kinf_copy(&o, buf, size, &copy));
    assert_int_equal(need, kinf_copy(&o, buf, need, &copy));
    memset(json, 'x', sizeof(json) - 1);
    memset(version, 'x', 2);
    expect_span("n1", copy.name);
    expect_span("u1", copy.uid);
    expect_span("77", copy.resource_version);
    expect_span("", copy.namespace_);
    assert_int_equal(o.size, copy.size);
    assert_int_equal(KINF_OK, kinf_find(&copy, "metadata.name", &v));
    expect_span("n1", v.raw);
    assert_true(copy.name.ptr >= buf && copy.name.ptr < buf + need);
    free(buf);
}

static void test_an_identity_is_copied_too(void **state)
{
    struct kinf_object o = { .name = KINF_SPAN("name"),
                             .namespace_ = KINF_SPAN("ns"),
                             .uid = KINF_SPAN("uid"),
                             .resource_version = KINF_SPAN("9"),
                             .size = 5000,
                             .reason = KINF_REASON_NO_ROOM };
    struct kinf_object copy;
    char buf[16];
    (void)state;

    assert_int_equal(10, kinf_copy(&o, buf, sizeof(buf), &copy));
    expect_span("name", copy.name);
    expect_span("ns", copy.namespace_);
    expect_span("uid", copy.uid);
    expect_span("9", copy.resource_version);
    assert_int_equal(0, copy.json.len);
    assert_int_equal(5000, copy.size);
    assert_int_equal(KINF_REASON_NO_ROOM, copy.reason);
    assert_int_equal(KINF_ERR_TOO_BIG, kinf_copy(&o, buf, 9, &copy));
}

static void test_keys_are_joined_and_split(void **state)
{
    static const struct {
        const char *key, *ns, *name;
    } cases[] = {
        { "a/b", "a", "b" },
        { "b", "", "b" },
        { "", "", "" },
        { "a/", "a", "" },
        { "/b", "", "b" },
    };
    static const char *const bad[] = { "a/b/c", "//", "a//", "/a/" };
    struct kinf_span ns, name;
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kinf_span key = { cases[i].key, strlen(cases[i].key) };

        assert_int_equal(KINF_OK, kinf_split_key(key, &ns, &name));
        expect_span(cases[i].ns, ns);
        expect_span(cases[i].name, name);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct kinf_span key = { bad[i], strlen(bad[i]) };

        assert_int_equal(KINF_ERR_SYNTAX, kinf_split_key(key, &ns, &name));
    }
    for (size_t size = 0; size < 6; size++) {
        struct kinf_object o = { .namespace_ = KINF_SPAN("ab"),
                                 .name = KINF_SPAN("cd") };
        char buf[5];

        assert_int_equal(size < 5 ? KINF_ERR_TOO_BIG : 5,
                         kinf_object_key(&o, buf, size));
        o.namespace_.len = 0;
        assert_int_equal(size < 2 ? KINF_ERR_TOO_BIG : 2,
                         kinf_object_key(&o, buf, size));
        if (size >= 2)
            assert_memory_equal("cd", buf, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_users_own_table_fills_every_type),
        cmocka_unit_test(test_absent_and_null_leave_zero),
        cmocka_unit_test(
            test_what_does_not_fit_is_told_and_the_rest_is_filled),
        cmocka_unit_test(test_an_identity_has_nothing_to_decode),
        cmocka_unit_test(test_a_table_that_does_not_suit_is_an_assertion),
        cmocka_unit_test(test_a_pod),
        cmocka_unit_test(test_a_deployment),
        cmocka_unit_test(test_a_configmap_and_a_secret),
        cmocka_unit_test(test_keys_of_data_then_of_binary_data),
        cmocka_unit_test(test_a_copy_lives_on_its_own),
        cmocka_unit_test(test_an_identity_is_copied_too),
        cmocka_unit_test(test_keys_are_joined_and_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
