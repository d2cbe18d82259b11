/* SPDX-License-Identifier: Apache-2.0 */
/* test_resource.c - names of resources, known ones and those the server is
 * asked for; each answer whole, byte by byte, and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "resource.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A small server: what it answers to each path. */
struct answer {
    const char *path, *body; /* NULL: 404 */
};

static struct resource found;
static struct discovery d;
static char asked[1024]; /* the paths, in order */

static bool equals(struct kinf_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static enum discovery_result answer(const struct answer *server, size_t piece)
{
    struct kinf_span path = discovery_path(&d);
    const char *body = NULL;
    size_t len, at = 0;

    strncat(asked, " ", sizeof asked - strlen(asked) - 1);
    strncat(asked, path.ptr, path.len);
    for (; server->path; server++) {
        if (equals(path, server->path))
            body = server->body;
    }
    if (!body)
        return discovery_end(&d, KINF_ERR_NO_RESOURCE, 404);
    len = strlen(body);
    while (at < len) {
        size_t n = len - at < piece ? len - at : piece;

        if (discovery_body(&d, (struct kinf_span){ body + at, n }) != KINF_OK)
            break;
        at += n;
    }
    return discovery_end(&d, KINF_OK, 200);
}

static enum discovery_result resolve(const struct answer *server,
                                     const char *name, size_t piece)
{
    enum discovery_result result = DISCOVERY_ASK;

    asked[0] = '\0';
    assert_true(discovery_begin(&d, &found, name));
    for (int i = 0; i < 50 && result == DISCOVERY_ASK; i++)
        result = answer(server, piece);
    return result;
}

#define CORE                                                                   \
    "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":["    \
    "{\"name\":\"bindings\",\"singularName\":\"binding\",\"namespaced\":true," \
    "\"kind\":\"Binding\",\"verbs\":[\"create\"]},"                            \
    "{\"name\":\"endpoints\",\"singularName\":\"endpoints\","                  \
    "\"namespaced\":true,\"kind\":\"Endpoints\",\"verbs\":[\"list\","          \
    "\"watch\"],\"shortNames\":[\"ep\"]},"                                     \
    "{\"name\":\"pods/log\",\"singularName\":\"\",\"namespaced\":true,"        \
    "\"kind\":\"Pod\",\"verbs\":[\"get\"]}]}"
#define WIDGETS(version)                                                       \
    "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\","                     \
    "\"groupVersion\":\"example.com/" version "\",\"resources\":["             \
    "{\"name\":\"widgets\",\"singularName\":\"widget\",\"namespaced\":false,"  \
    "\"kind\":\"Widget\",\"verbs\":[\"delete\",\"get\",\"list\",\"watch\"],"   \
    "\"shortNames\":[\"wd\",\"wdg\"]},"                                        \
    "{\"name\":\"widgets/status\",\"singularName\":\"\",\"namespaced\":false," \
    "\"kind\":\"Widget\",\"verbs\":[\"get\"]}]}"
#define GADGETS                                                                \
    "{\"resources\":[{\"name\":\"gadgets\",\"singularName\":\"gadget\","       \
    "\"namespaced\":true,\"kind\":\"Gadget\",\"verbs\":[\"list\",\"watch\"]}]}"
#define GROUP                                                                  \
    "{\"kind\":\"APIGroup\",\"name\":\"example.com\",\"versions\":["           \
    "{\"groupVersion\":\"example.com/v2\",\"version\":\"v2\"},"                \
    "{\"groupVersion\":\"example.com/v1\",\"version\":\"v1\"}],"               \
    "\"preferredVersion\":{\"groupVersion\":\"example.com/v2\","               \
    "\"version\":\"v2\"}}"

static const struct answer new_server[] = {
    { "/api/v1", CORE },
    { "/apis",
      "{\"kind\":\"APIGroupDiscoveryList\",\"metadata\":{},\"items\":["
      "{\"metadata\":{\"name\":\"batch\",\"creationTimestamp\":null},"
      "\"versions\":[{\"version\":\"v1\",\"resources\":[{\"resource\":\"jobs\","
      "\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":\"Job\"},"
      "\"scope\":\"Namespaced\",\"singularResource\":\"job\",\"verbs\":["
      "\"list\",\"watch\"],\"subresources\":[{\"subresource\":\"widgets\","
      "\"responseKind\":{\"kind\":\"Widget\"},\"verbs\":[\"get\"]}]}]}]},"
      "{\"metadata\":{\"name\":\"example.com\"},\"versions\":["
      "{\"version\":\"v2\",\"resources\":[{\"resource\":\"widgets\","
      "\"responseKind\":{\"group\":\"example.com\",\"version\":\"v2\","
      "\"kind\":\"Widget\"},\"scope\":\"Cluster\",\"singularResource\":"
      "\"widget\",\"verbs\":[\"list\",\"watch\"],\"shortNames\":[\"wd\"],"
      "\"categories\":[\"all\"]}]}]}]}" },
    { "/apis/example.com", GROUP },
    { "/apis/example.com/v2", WIDGETS("v2") },
    { "/apis/example.com/v1", GADGETS },
    { NULL, NULL }
};

/* Before 1.26: /apis names groups only. */
static const struct answer old_server[] = {
    { "/api/v1", CORE },
    { "/apis",
      "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"batch\",\"versions\""
      ":[{\"groupVersion\":\"batch/v1\",\"version\":\"v1\"}],"
      "\"preferredVersion\":{\"groupVersion\":\"batch/v1\",\"version\":\"v1\"}}"
      ",{\"name\":\"example.com\",\"versions\":[{\"version\":\"v2\"},"
      "{\"version\":\"v1\"}],\"preferredVersion\":{\"version\":\"v2\"}}]}" },
    { "/apis/batch/v1", "{\"resources\":[]}" },
    { "/apis/example.com/v2", WIDGETS("v2") },
    { NULL, NULL }
};

static void expect(const char *group, const char *version, const char *plural,
                   const char *kind, bool namespaced)
{
    assert_true(equals(found.api.group, group));
    assert_true(equals(found.api.version, version));
    assert_true(equals(found.api.plural, plural));
    assert_true(equals(found.api.kind, kind));
    assert_int_equal(namespaced, found.namespaced);
}

static void test_knows_the_usual_ones(void **state)
{
    static const char *const configmaps[] = {
        "cm", "configmap", "configmaps", "ConfigMap", "configmaps.v1."
    };
    static const char *const deployments[] = {
        "deploy", "deployment", "deployments.apps", "deployments.v1.apps"
    };
    static const char *const others[] = {
        "configmaps.apps", "configmaps.v1", "configmaps.v2.", "deployments.",
        "deployments.v1.", "deployments.v2.apps", "deployments.extensions",
        "", "cmx", "events"
    };

    (void)state;
    for (size_t i = 0; i < COUNT(configmaps); i++) {
        assert_true(resource_known(&found, configmaps[i]));
        expect("", "v1", "configmaps", "ConfigMap", true);
    }
    for (size_t i = 0; i < COUNT(deployments); i++) {
        assert_true(resource_known(&found, deployments[i]));
        expect("apps", "v1", "deployments", "Deployment", true);
    }
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(resource_known(&found, others[i]));
    assert_true(resource_known(&found, "nodes"));
    assert_false(found.namespaced);
}

static void test_finds_by_every_name(void **state)
{
    static const struct { const char *name; bool core; } cases[] = {
        { "ep", true }, { "endpoints", true }, { "Endpoints", true },
        { "endpoints.v1.", true },
        { "widgets", false }, { "widget", false }, { "wd", false },
        { "Widget", false }, { "widgets.example.com", false },
        { "wd.example.com", false }, { "widgets.v2.example.com", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t piece = 1; piece < 10000; piece = piece * 7) {
            print_message("%s %zu\n", cases[i].name, piece);
            assert_int_equal(DISCOVERY_FOUND,
                             resolve(new_server, cases[i].name, piece));
            if (cases[i].core)
                expect("", "v1", "endpoints", "Endpoints", true);
            else
                expect("example.com", "v2", "widgets", "Widget", false);
        }
    }
}

static void test_asks_for_as_little_as_can_be(void **state)
{
    (void)state;
    resolve(new_server, "ep", 9999);
    assert_string_equal(" /api/v1", asked);
    resolve(new_server, "widgets", 9999);
    assert_string_equal(" /api/v1 /apis", asked);
    resolve(new_server, "widgets.v2.example.com", 9999);
    assert_string_equal(" /apis/example.com/v2", asked);
    resolve(new_server, "widgets.example.com", 9999);
    assert_string_equal(" /apis/example.com /apis/example.com/v2", asked);
}

/* Not in the preferred version, but in an older one. */
static void test_looks_at_every_version_of_a_group(void **state)
{
    (void)state;
    assert_int_equal(DISCOVERY_FOUND,
                     resolve(new_server, "gadgets.example.com", 9999));
    expect("example.com", "v1", "gadgets", "Gadget", true);
}

static void test_asks_an_old_server_group_by_group(void **state)
{
    (void)state;
    assert_int_equal(DISCOVERY_FOUND, resolve(old_server, "wdg", 3));
    expect("example.com", "v2", "widgets", "Widget", false);
    assert_string_equal(" /api/v1 /apis /apis/batch/v1 /apis"
                        " /apis/example.com/v2", asked);
    assert_int_equal(DISCOVERY_UNKNOWN, resolve(old_server, "nothing", 3));
}

static void test_reads_a_name_the_other_way_when_it_must(void **state)
{
    /* The group begins as a version does. */
    static const struct answer server[] = {
        { "/apis/v8.example.com",
          "{\"versions\":[{\"version\":\"v1\"}]}" },
        { "/apis/v8.example.com/v1", WIDGETS("v1") },
        /* A version that does not look like one. */
        { "/apis/odd.io/stable", WIDGETS("stable") },
        { NULL, NULL }
    };

    (void)state;
    assert_int_equal(DISCOVERY_FOUND,
                     resolve(server, "widgets.v8.example.com", 9999));
    expect("v8.example.com", "v1", "widgets", "Widget", false);
    assert_int_equal(DISCOVERY_FOUND,
                     resolve(server, "widgets.stable.odd.io", 9999));
    expect("odd.io", "stable", "widgets", "Widget", false);
    assert_int_equal(DISCOVERY_UNKNOWN,
                     resolve(server, "widgets.nobody.io", 9999));
}

static void test_tells_why_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(DISCOVERY_UNWATCHED, resolve(new_server, "bindings", 9));
    assert_int_equal(DISCOVERY_UNKNOWN, resolve(new_server, "nothing", 9));
    assert_int_equal(DISCOVERY_UNKNOWN, resolve(new_server, "pods", 9));
    assert_int_equal(DISCOVERY_UNKNOWN, resolve(new_server, "x.v1.", 9));
    assert_false(discovery_begin(&d, &found, ""));
    assert_false(discovery_begin(&d, &found, ".apps"));
    assert_false(discovery_begin(&d, &found, "a/b"));
    assert_false(discovery_begin(&d, &found, "a?b"));
    assert_false(discovery_begin(&d, &found, "a.b/../c"));
}

/* A cut or broken answer is asked for again, never taken for "no such". */
static void test_a_broken_answer_decides_nothing(void **state)
{
    char text[sizeof CORE];

    (void)state;
    for (size_t len = 0; len + 1 < sizeof CORE; len++) {
        const struct answer server[] = { { "/api/v1", text }, { NULL, NULL } };

        memcpy(text, CORE, len);
        text[len] = '\0';
        assert_int_equal(DISCOVERY_FAILED, resolve(server, "nothing", 11));
        text[len] = ']';
        text[len + 1] = '\0';
        (void)resolve(server, "nothing", 11); /* no crash */
    }
    assert_true(discovery_begin(&d, &found, "ep"));
    (void)discovery_path(&d);
    assert_int_equal(DISCOVERY_FAILED,
                     discovery_end(&d, KINF_ERR_FORBIDDEN, 403));
}

static void test_deep_and_long_is_no_harm(void **state)
{
    static char deep[4096];
    const struct answer server[] = { { "/api/v1", deep }, { NULL, NULL } };

    (void)state;
    memset(deep, '[', sizeof deep - 1);
    assert_int_equal(DISCOVERY_FAILED, resolve(server, "x", 100));
    memset(deep, 'x', sizeof deep - 1);
    memcpy(deep, "{\"", 2);
    memcpy(deep + sizeof deep - 9, "\":\"y\"}", 6);
    deep[sizeof deep - 3] = '\0';
    (void)resolve(server, "x", 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knows_the_usual_ones),
        cmocka_unit_test(test_finds_by_every_name),
        cmocka_unit_test(test_asks_for_as_little_as_can_be),
        cmocka_unit_test(test_looks_at_every_version_of_a_group),
        cmocka_unit_test(test_asks_an_old_server_group_by_group),
        cmocka_unit_test(test_reads_a_name_the_other_way_when_it_must),
        cmocka_unit_test(test_tells_why_there_is_none),
        cmocka_unit_test(test_a_broken_answer_decides_nothing),
        cmocka_unit_test(test_deep_and_long_is_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
