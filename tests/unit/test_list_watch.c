/* SPDX-License-Identifier: Apache-2.0 */
/* test_list_watch.c - each request as its URL, each answer as what it is. */
#include "fake.h"

static struct fake_world w;

static const struct fake_answer calm[] = {
    { NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
    { NULL, 200, "", FAKE_OPEN, NULL },
};

static void prepare(void)
{
    fake_prepare(&w);
    FAKE_PLAY(&w.server, calm);
}

/* ---- requests ----------------------------------------------------------- */

static void test_urls_name_resource_namespace_and_selectors(void **state)
{
    static const struct {
        const char *group, *version, *plural, *space, *label, *field;
        const char *list, *watch;
    } cases[] = {
        { "", "v1", "configmaps", "", "", "",
          "/api/v1/configmaps?limit=500",
          "/api/v1/configmaps?watch=1&allowWatchBookmarks=true"
          "&timeoutSeconds=300&resourceVersion=5" },
        { "apps", "v1", "deployments", "kube-system", "", "",
          "/apis/apps/v1/namespaces/kube-system/deployments?limit=500",
          "/apis/apps/v1/namespaces/kube-system/deployments?watch=1"
          "&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=5" },
        { "", "v1", "pods", "a", "app in (x,y)", "spec.nodeName=n 1",
          "/api/v1/namespaces/a/pods?limit=500"
          "&labelSelector=app%20in%20%28x%2Cy%29"
          "&fieldSelector=spec.nodeName%3Dn%201",
          "/api/v1/namespaces/a/pods?watch=1&allowWatchBookmarks=true"
          "&timeoutSeconds=300&resourceVersion=5"
          "&labelSelector=app%20in%20%28x%2Cy%29"
          "&fieldSelector=spec.nodeName%3Dn%201" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare();
        w.informer.resource = (struct kinf_resource){
            fake_span(cases[i].group), fake_span(cases[i].version),
            fake_span(cases[i].plural), { NULL, 0 }
        };
        w.informer.namespace_ = fake_span(cases[i].space);
        w.informer.label_selector = fake_span(cases[i].label);
        w.informer.field_selector = fake_span(cases[i].field);
        fake_begin(&w);
        fake_run(&w, 100);
        assert_string_equal(cases[i].list, fake_target(&w.server, 1));
        assert_string_equal(cases[i].watch, fake_target(&w.server, 0));
        fake_end_world(&w);
    }
}

static void test_a_streaming_list_is_a_watch_that_asks_for_initial_events(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, EVENT("ADDED", OBJECT("a", "3")) INITIAL_END("5"),
          FAKE_OPEN, NULL },
    };

    (void)state;
    prepare();
    FAKE_PLAY(&w.server, script);
    w.informer.streaming = KINF_STREAM_AUTO;
    fake_begin(&w);
    fake_run(&w, 100);
    assert_string_equal("/api/v1/configmaps?watch=1&allowWatchBookmarks=true"
                        "&timeoutSeconds=300&sendInitialEvents=true"
                        "&resourceVersionMatch=NotOlderThan",
                        fake_target(&w.server, 0));
    assert_true(kinf_informer_synced(&w.inf));
    fake_end_world(&w);
}

static void test_further_pages_name_the_token_and_no_version(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, PAGE("5", "t+/=", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { NULL, 200, LIST("5", OBJECT("b", "4")), FAKE_WHOLE, NULL },
        { NULL, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    prepare();
    FAKE_PLAY(&w.server, script);
    w.informer.limit = 1;
    fake_begin(&w);
    fake_run(&w, 100);
    assert_string_equal("/api/v1/configmaps?limit=1",
                        fake_target(&w.server, 2));
    assert_string_equal("/api/v1/configmaps?limit=1&continue=t%2B%2F%3D",
                        fake_target(&w.server, 1));
    fake_end_world(&w);
}

static void test_metadata_only_informers_ask_for_partial_objects(void **state)
{
    static const struct {
        bool only;
        const char *list, *watch;
    } cases[] = {
        { false, "Accept: application/json\r\n",
          "Accept: application/json\r\n" },
        { true,
          "Accept: application/json;as=PartialObjectMetadataList;"
          "g=meta.k8s.io;v=v1,application/json\r\n",
          "Accept: application/json;as=PartialObjectMetadata;"
          "g=meta.k8s.io;v=v1,application/json\r\n" },
    };
    static const struct fake_answer list_only[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare();
        w.informer.metadata_only = cases[i].only;
        w.server.count = 0; /* silent */
        fake_begin(&w);
        fake_run(&w, 0);
        assert_non_null(strstr(w.server.request, cases[i].list));
        fake_end_world(&w);
        prepare();
        w.informer.metadata_only = cases[i].only;
        FAKE_PLAY(&w.server, list_only);
        fake_begin(&w);
        fake_run(&w, 100);
        assert_non_null(strstr(w.server.request, cases[i].watch));
        fake_end_world(&w);
    }
}

/* ---- answers ------------------------------------------------------------ */

#define HTML "Content-Type: text/html\r\n"
#define LONG_WORDS                                                             \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "0123456789012345678901234567890123456789012345678901234567890123456789"

static void test_what_is_no_list_is_told_with_the_servers_words(void **state)
{
    static const struct {
        struct fake_answer answer;
        int err, status;
        const char *words;
    } cases[] = {
        { { NULL, 403, STATUS(403), FAKE_WHOLE, NULL }, KINF_ERR_FORBIDDEN,
          403, "words" },
        { { NULL, 503, "busy now", FAKE_WHOLE, "Content-Type: text/plain\r\n" },
          KINF_ERR_SERVER, 503, "busy now" },
        { { NULL, 503, "", FAKE_WHOLE, "Content-Type: text/plain\r\n" },
          KINF_ERR_SERVER, 503, "" },
        { { NULL, 502, "<b>", FAKE_CUT, HTML }, KINF_ERR_SERVER, 502, "<b>" },
        { { NULL, 502, "{\"message\":\"w", FAKE_CUT, NULL }, KINF_ERR_SERVER,
          502, "" },
        { { NULL, 502, "no json", FAKE_WHOLE, NULL }, KINF_ERR_SERVER, 502,
          "" },
        { { NULL, 200, "<p>login", FAKE_WHOLE, HTML }, KINF_ERR_HTTP_TYPE,
          200, "<p>login" },
        { { NULL, 302, "", FAKE_WHOLE, HTML "Location: /x\r\n" },
          KINF_ERR_REDIRECT, 302, "" },
        { { NULL, 502, LONG_WORDS, FAKE_OPEN, HTML }, KINF_ERR_SERVER, 502,
          LONG_WORDS },
        { { NULL, 200, "{\"items\":[", FAKE_WHOLE, NULL }, KINF_ERR_CUT, 200,
          "" },
        { { NULL, 200, "{\"items\":[", FAKE_CUT, NULL }, KINF_ERR_CUT, 200,
          "" },
        { { NULL, 200, "{\"items\":]", FAKE_WHOLE, NULL }, KINF_ERR_JSON, 200,
          "" },
        { { NULL, 504,
            "{\"kind\":\"Status\",\"code\":504,\"message\":\"m\",\"details\":"
            "{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]}}",
            FAKE_WHOLE, NULL }, KINF_ERR_VERSION_AHEAD, 504, "m" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len = strlen(cases[i].words);

        prepare();
        w.server.answers = &cases[i].answer;
        w.server.count = 1;
        fake_begin(&w);
        fake_run(&w, 100);
        EXPECT_ERR(cases[i].err, fake_status(&w).last_error);
        assert_int_equal(cases[i].status, fake_status(&w).http_status);
        assert_memory_equal(cases[i].words, w.words,
                            len < CONFIG_KINF_MESSAGE_BYTES
                                ? len + 1
                                : CONFIG_KINF_MESSAGE_BYTES);
        fake_end_world(&w);
    }
}

/* A Status in the body may say more than the head, or less. */
static void test_retry_after_is_the_later_of_head_and_body(void **state)
{
#define LATER(seconds)                                                         \
    "{\"kind\":\"Status\",\"code\":429,"                                       \
    "\"details\":{\"retryAfterSeconds\":" seconds "}}"
    static const struct fake_answer answers[] = {
        { NULL, 429, LATER("9"), FAKE_WHOLE, NULL },
        { NULL, 429, LATER("9"), FAKE_WHOLE, "Retry-After: 1\r\n" },
        { NULL, 429, LATER("1"), FAKE_WHOLE, "Retry-After: 9\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        prepare();
        w.server.answers = &answers[i];
        w.server.count = 1;
        fake_begin(&w);
        fake_run(&w, 8999);
        assert_int_equal(1, w.server.requests);
        fake_run(&w, 1);
        assert_int_equal(2, w.server.requests);
        fake_end_world(&w);
    }
}

/* A watch may end between two events; inside one it was cut. */
static void test_a_watch_ends_between_two_events(void **state)
{
    static const struct {
        const char *body;
        int err;
    } cases[] = {
        { EVENT("ADDED", OBJECT("c", "6")), KINF_ERR_SHORT_WATCH },
        { "", KINF_ERR_SHORT_WATCH },
        { "{\"type\":", KINF_ERR_CUT },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            calm[0], { NULL, 200, cases[i].body, FAKE_WHOLE, NULL },
        };

        prepare();
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        fake_run(&w, 100);
        assert_int_equal(1, w.errors[-cases[i].err]);
        fake_end_world(&w);
    }
}

/* What follows a whole list is not looked at. */
static void test_bytes_behind_a_list_do_no_harm(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3")) "\n\n  ", FAKE_WHOLE, NULL },
        { NULL, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    prepare();
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_true(kinf_informer_synced(&w.inf));
    assert_int_equal(1, w.server.opens);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_name_resource_namespace_and_selectors),
        cmocka_unit_test(
            test_a_streaming_list_is_a_watch_that_asks_for_initial_events),
        cmocka_unit_test(test_further_pages_name_the_token_and_no_version),
        cmocka_unit_test(test_metadata_only_informers_ask_for_partial_objects),
        cmocka_unit_test(test_what_is_no_list_is_told_with_the_servers_words),
        cmocka_unit_test(test_retry_after_is_the_later_of_head_and_body),
        cmocka_unit_test(test_a_watch_ends_between_two_events),
        cmocka_unit_test(test_bytes_behind_a_list_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
