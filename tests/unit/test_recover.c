/* SPDX-License-Identifier: Apache-2.0 */
/* test_recover.c - what an error leads to: resume, list again, wait. */
#include "fake.h"

static struct fake_world w;

#define WATCH "watch=1"
#define STREAM "sendInitialEvents=true"
#define PAGED "limit="
#define ONE_LIST                                                               \
    {                                                                          \
        PAGED, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL              \
    }

static void begin(const struct fake_answer *script, size_t count)
{
    fake_prepare(&w);
    w.server.answers = script;
    w.server.count = count;
    fake_begin(&w);
}

/* When the n-th request comes, in ms since now; the world stands there then. */
static uint32_t until_request(unsigned n)
{
    uint32_t from = fake_now_ms;

    for (fake_run(&w, 0); w.server.requests < n; fake_run(&w, 1))
        assert_true(fake_now_ms - from < 400000);
    return fake_now_ms - from;
}

/* ---- of a watch --------------------------------------------------------- */

static void test_a_lost_watch_resumes_or_lists_again_by_why_it_was_lost(
    void **state)
{
    static const struct {
        struct fake_answer loss;
        const char *next; /* request */
        uint32_t wait;    /* until it, at least */
    } cases[] = {
        /* The kept connection was dead. */
        { { WATCH, 0, NULL, FAKE_CUT, NULL }, "resourceVersion=5", 0 },
        { { WATCH, 200, "", FAKE_CUT, NULL }, "resourceVersion=5", 800 },
        { { WATCH, 429, STATUS(429), FAKE_WHOLE, NULL }, "resourceVersion=5",
          800 },
        { { WATCH, 500, STATUS(500), FAKE_WHOLE, NULL }, "resourceVersion=5",
          800 },
        { { WATCH, 401, STATUS(401), FAKE_WHOLE, NULL }, "resourceVersion=5",
          0 },
        { { WATCH, 403, STATUS(403), FAKE_WHOLE, NULL }, "resourceVersion=5",
          CONFIG_KINF_DENIED_MS },
        { { WATCH, 404, STATUS(404), FAKE_WHOLE, NULL }, "resourceVersion=5",
          CONFIG_KINF_DENIED_MS },
        { { WATCH, 405, STATUS(405), FAKE_WHOLE, NULL }, "resourceVersion=5",
          CONFIG_KINF_DENIED_MS },
        { { WATCH, 410, STATUS(410), FAKE_WHOLE, NULL },
          "limit=500&resourceVersion=5&resourceVersionMatch=NotOlderThan", 0 },
        { { WATCH, 200, ERROR_EVENT(410), FAKE_WHOLE, NULL },
          "limit=500&resourceVersion=5&resourceVersionMatch=NotOlderThan", 0 },
        { { WATCH, 200, ERROR_EVENT(500), FAKE_WHOLE, NULL },
          "resourceVersion=5", 800 },
        { { WATCH, 400, STATUS(400), FAKE_WHOLE, NULL },
          "limit=500&resourceVersion=5&resourceVersionMatch=NotOlderThan",
          800 },
        { { WATCH, 200, "nonsense", FAKE_OPEN, NULL }, "resourceVersion=5",
          800 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = { ONE_LIST, cases[i].loss };

        begin(script, COUNT_OF(script));
        fake_run(&w, 0);
        assert_int_equal(cases[i].wait, until_request(3));
        assert_non_null(strstr(fake_nth(&w.server, 3), cases[i].next));
        assert_string_equal("initial a@3", fake_shown(&w.handler));
        fake_end_world(&w);
    }
}

static void test_waits_double_until_a_connection_has_lasted(void **state)
{
    static const struct fake_answer script[] = {
        ONE_LIST,
        { WATCH, 200, BOOKMARK("5"), FAKE_CUT, NULL },
        { WATCH, 200, BOOKMARK("5"), FAKE_CUT, NULL },
        { WATCH, 200, BOOKMARK("5"), FAKE_CUT, NULL },
        { WATCH, 200, BOOKMARK("5"), FAKE_OPEN, NULL },
        { WATCH, 200, BOOKMARK("5"), FAKE_CUT, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 0);
    assert_int_equal(800, until_request(3));
    assert_int_equal(1600, until_request(4));
    assert_int_equal(3200, until_request(5));
    fake_run(&w, CONFIG_KINF_BACKOFF_CAP_MS + 1);
    fake_cut(&w.server);
    assert_int_equal(0, until_request(6)); /* the random part of nothing */
    assert_int_equal(800, until_request(7));
    fake_end_world(&w);
}

/* Of a fleet, not all come back in one moment. */
static void test_after_a_connection_that_had_lasted_the_return_is_spread(
    void **state)
{
    static const struct {
        uint32_t spread, wait;
    } cases[] = { { 0, 0x01010101 % 1000 }, { 60000, 0x01010101 % 60000 } };
    static const struct fake_answer script[] = {
        ONE_LIST, { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fake_prepare(&w);
        w.config.spread_ms = cases[i].spread;
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        fake_run(&w, CONFIG_KINF_BACKOFF_CAP_MS + 1);
        fake_random = 1;
        fake_cut(&w.server);
        assert_int_equal(cases[i].wait, until_request(3));
        fake_end_world(&w);
    }
}

static void test_a_second_410_lists_the_most_recent_after_the_backoff(
    void **state)
{
    static const struct fake_answer script[] = {
        ONE_LIST,
        { WATCH, 410, STATUS(410), FAKE_WHOLE, NULL },
        { "resourceVersion=5", 410, STATUS(410), FAKE_WHOLE, NULL },
        { PAGED, 200, LIST("9", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { "resourceVersion=9", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 0);
    assert_int_equal(3, w.server.requests);
    assert_int_equal(800, until_request(4));
    assert_string_equal("/api/v1/configmaps?limit=500",
                        fake_nth(&w.server, 4));
    fake_run(&w, 100);
    /* Versions may be used twice then: only equal bytes are unchanged. */
    assert_int_equal(1, fake_status(&w).unchanged);
    assert_int_equal(5, w.server.requests);
    fake_end_world(&w);
}

static void test_broken_framing_is_forgiven_once_at_a_version(void **state)
{
    static const struct fake_answer script[] = {
        ONE_LIST,
        { WATCH, 200, "nonsense", FAKE_OPEN, NULL },
        { WATCH, 200, "nonsense", FAKE_OPEN, NULL },
        { PAGED, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 5000);
    assert_int_equal(2, fake_count(&w.server, PAGED));
    fake_end_world(&w);
}

/* Whoever makes such an object hides what comes behind it in every list. It is
 * asked for ever more rarely, all that is held stays, and says that it is not
 * all; nothing is taken for gone. When it is well again so is the cache. */
static void test_an_object_whose_brackets_do_not_match_hides_what_is_behind(
    void **state)
{
#define TORN(name)                                                             \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\"},\"x\":[}}"
    static const struct fake_answer torn = {
        PAGED, 200,
        LIST("8", IN("n", "a", "7") "," TORN("b") "," IN("n", "d", "8")),
        FAKE_OPEN, NULL
    };
    const struct fake_answer script[] = {
        { PAGED, 200, LIST("5", IN("n", "a", "3") "," IN("n", "b", "4") ","
                           IN("n", "c", "5")), FAKE_WHOLE, NULL },
        { WATCH, 200, EVENT("MODIFIED", TORN("b")), FAKE_OPEN, NULL },
        { "resourceVersion=5", 200, EVENT("MODIFIED", TORN("b")), FAKE_OPEN,
          NULL },
        torn, torn, torn,
        { PAGED, 200, LIST("9", IN("n", "a", "7") "," IN("n", "d", "8")),
          FAKE_WHOLE, NULL },
        { "resourceVersion=9", 200, "", FAKE_OPEN, NULL },
    };
    struct kinf_object o;

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 0);
    assert_true(fake_status(&w).complete);
    assert_string_equal("n/b", w.object);
    assert_int_equal(800, until_request(3));
    for (uint32_t n = 4; n < 7; n++) {
        assert_int_equal(800u << (n - 3), until_request(n));
        fake_run(&w, 0);
        assert_string_equal("n/b", w.object);
        assert_int_equal(n - 1, w.errors[-KINF_ERR_JSON]);
        assert_int_equal(n - 2, fake_status(&w).lists);
        assert_false(fake_status(&w).complete);
        assert_true(fake_status(&w).relisting);
        assert_int_equal(KINF_INCOMPLETE,
                         kinf_get(&w.inf, fake_span("n/c"), &o));
        EXPECT_ERR(KINF_ERR_INCOMPLETE,
                   kinf_get(&w.inf, fake_span("n/d"), &o));
    }
    assert_string_equal("initial a@3 initial b@4 initial c@5 update a@3>7",
                        fake_shown(&w.handler));
    until_request(7);
    fake_run(&w, 0);
    assert_true(fake_status(&w).complete);
    assert_false(fake_status(&w).relisting);
    assert_string_equal("add d@8 lost b@4 lost c@5", fake_shown(&w.handler));
    assert_int_equal(8, w.server.requests);
    fake_end_world(&w);
}

static void test_what_cannot_be_watched_is_listed_again_if_so_asked(
    void **state)
{
    static const struct fake_answer script[] = {
        ONE_LIST,
        { WATCH, 405, STATUS(405), FAKE_WHOLE, NULL },
        { PAGED, 200, LIST("6", OBJECT("b", "6")), FAKE_WHOLE, NULL },
        { PAGED, 200, LIST("6", OBJECT("b", "6")), FAKE_WHOLE, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.poll_ms = 20000;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 0);
    assert_int_equal(20000, until_request(3));
    fake_run(&w, 0);
    assert_string_equal("initial a@3 add b@6 lost a@3",
                        fake_shown(&w.handler));
    assert_int_equal(20000, until_request(4));
    assert_int_equal(1, fake_count(&w.server, WATCH));
    fake_end_world(&w);
}

/* A list that is to be polled is a paged one. */
static void test_what_cannot_be_watched_is_not_streamed(void **state)
{
    static const struct fake_answer script[] = {
        { STREAM, 405, STATUS(405), FAKE_WHOLE, NULL },
        ONE_LIST, ONE_LIST,
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    w.informer.poll_ms = 20000;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    assert_int_equal(20000, until_request(2));
    assert_int_equal(20000, until_request(3));
    assert_int_equal(1, fake_count(&w.server, STREAM));
    fake_end_world(&w);
}

/* However often it is to be listed. */
static void test_a_list_that_may_not_be_asked_for_is_denied(void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 405, STATUS(405), FAKE_WHOLE, NULL },
        ONE_LIST,
    };

    (void)state;
    fake_prepare(&w);
    w.informer.poll_ms = 10;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_int_equal(KINF_INFORMER_DENIED, fake_status(&w).phase);
    assert_int_equal(CONFIG_KINF_DENIED_MS, until_request(2) + 100);
    fake_end_world(&w);
}

static void test_denied_informers_say_so(void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 403, STATUS(403), FAKE_WHOLE, NULL },
        ONE_LIST,
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 100);
    assert_int_equal(KINF_INFORMER_DENIED, fake_status(&w).phase);
    assert_int_equal(CONFIG_KINF_DENIED_MS - 100, fake_status(&w).retry_ms);
    fake_run(&w, CONFIG_KINF_DENIED_MS);
    assert_true(kinf_informer_synced(&w.inf));
    fake_end_world(&w);
}

/* An object that TLS has no buffer for: the same bytes are not asked for again
 * and again, and when it is gone a list gets past it. */
static void test_a_record_too_large_is_a_state_of_its_own(void **state)
{
    static const struct fake_answer script[] = {
        ONE_LIST, { WATCH, 200, "", FAKE_OPEN, NULL },
        { PAGED, 200, LIST("9", OBJECT("a", "3")), FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 100);
    w.server.recv_error = KINF_ERR_RECORD;
    fake_run(&w, 100);
    w.server.recv_error = 0;
    assert_int_equal(KINF_INFORMER_DENIED, fake_status(&w).phase);
    assert_int_equal(KINF_ERR_RECORD, fake_status(&w).last_error);
    assert_true(until_request(3) >= CONFIG_KINF_DENIED_MS - 100);
    assert_non_null(strstr(fake_nth(&w.server, 3), PAGED));
    fake_run(&w, 10);
    assert_int_not_equal(KINF_INFORMER_DENIED, fake_status(&w).phase);
    fake_end_world(&w);
}

static void test_credentials_are_asked_for_once_more_and_then_one_waits(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 401, STATUS(401), FAKE_WHOLE, NULL },
        { NULL, 401, STATUS(401), FAKE_WHOLE, NULL },
        { NULL, 401, STATUS(401), FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 0);
    assert_int_equal(2, w.server.requests);
    assert_int_equal(800, until_request(3));
    fake_end_world(&w);
}

/* ---- of a streaming list ------------------------------------------------ */

static void test_a_streaming_list_that_fails_is_a_paged_list_or_tried_again(
    void **state)
{
    static const struct {
        struct fake_answer loss;
        bool paged;
        uint32_t wait;
    } cases[] = {
        { { STREAM, 400, STATUS(400), FAKE_WHOLE, NULL }, true, 0 },
        { { STREAM, 422, STATUS(422), FAKE_WHOLE, NULL }, true, 0 },
        { { STREAM, 200, BOOKMARK("5"), FAKE_OPEN, NULL }, true, 0 },
        { { STREAM, 200, EVENT("ADDED", OBJECT("a", "3")), FAKE_WHOLE, NULL },
          true, 0 },
        { { STREAM, 200, EVENT("ADDED", OBJECT("a", "3")), FAKE_OPEN, NULL },
          true, CONFIG_KINF_STREAM_MS },
        { { STREAM, 200, EVENT("ADDED", OBJECT("a", "3")), FAKE_CUT, NULL },
          false, 800 },
        { { STREAM, 429, STATUS(429), FAKE_WHOLE, NULL }, false, 800 },
        { { STREAM, 0, NULL, FAKE_CUT, NULL }, false, 800 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = { cases[i].loss };

        fake_prepare(&w);
        w.informer.streaming = KINF_STREAM_AUTO;
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        assert_int_equal(cases[i].wait, until_request(2));
        assert_non_null(strstr(fake_nth(&w.server, 2),
                               cases[i].paged ? PAGED : STREAM));
        fake_end_world(&w);
    }
}

/* A head that does not come is the connection's fault. */
static void test_a_streaming_list_that_is_not_answered_is_tried_again(
    void **state)
{
    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    fake_begin(&w);
    fake_run(&w, 0);
    assert_int_equal(CONFIG_KINF_HEADERS_MS + 800, until_request(2));
    assert_int_equal(2, fake_count(&w.server, STREAM));
    fake_end_world(&w);
}

static void test_two_streams_cut_in_a_row_are_a_paged_list(void **state)
{
    static const enum fake_end ends[] = { FAKE_CUT, FAKE_OPEN };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const struct fake_answer script[] = {
            { STREAM, 200, EVENT("ADDED", OBJECT("a", "3")), ends[i], NULL },
            { STREAM, 200, EVENT("ADDED", OBJECT("a", "3")), ends[i], NULL },
        };

        fake_prepare(&w);
        w.informer.streaming = KINF_STREAM_AUTO;
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        fake_run(&w, 0);
        if (ends[i] == FAKE_OPEN)
            w.server.recv_error = KINF_ERR_TLS; /* then it is another error */
        fake_run(&w, 800);
        fake_run(&w, 1600);
        assert_int_equal(ends[i] == FAKE_CUT, fake_count(&w.server, PAGED));
        fake_end_world(&w);
    }
}

/* A server that knows no streaming lists takes it for a watch, and begins it
 * with an event that cannot be read. */
static void test_two_streams_torn_in_a_row_are_a_paged_list(void **state)
{
    static const struct fake_answer torn = {
        STREAM, 200, EVENT("MODIFIED", "{\"metadata\":[}"), FAKE_OPEN, NULL
    };
    const struct fake_answer script[] = {
        torn, torn, { PAGED, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE,
                      NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 800 + 1600);
    assert_string_equal("initial a@3", fake_shown(&w.handler));
    fake_end_world(&w);
}

static void test_a_refused_streaming_list_is_tried_again_after_an_hour(
    void **state)
{
    static struct fake_answer script[64] = {
        { STREAM, 400, STATUS(400), FAKE_WHOLE, NULL },
        { PAGED, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
    };

    (void)state;
    for (size_t i = 2; i < COUNT_OF(script); i++)
        script[i] = (struct fake_answer){ NULL, 200, BOOKMARK("5"), FAKE_OPEN,
                                          NULL };
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, CONFIG_KINF_STREAM_RETRY_MS / 2);
    fake_push(&w.server, ERROR_EVENT(410));
    script[w.server.at] = script[1];
    fake_run(&w, 10);
    assert_int_equal(1, fake_count(&w.server, STREAM));
    fake_run(&w, CONFIG_KINF_STREAM_RETRY_MS / 2);
    fake_push(&w.server, ERROR_EVENT(410));
    fake_run(&w, 10);
    assert_int_equal(2, fake_count(&w.server, STREAM));
    fake_end_world(&w);
}

/* After its initial events a stream is a watch. */
static void test_a_stream_that_went_on_as_a_watch_is_resumed(void **state)
{
    static const struct fake_answer script[] = {
        { STREAM, 200, EVENT("ADDED", OBJECT("a", "3")) INITIAL_END("5")
          ERROR_EVENT(400), FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    assert_int_equal(800, until_request(2));
    assert_int_equal(1, w.errors[-KINF_ERR_INVALID]);
    assert_non_null(strstr(fake_nth(&w.server, 2), "resourceVersion=5"));
    assert_int_equal(1, fake_count(&w.server, STREAM));
    fake_end_world(&w);
}

/* ---- of a paged list ---------------------------------------------------- */

static void test_a_list_that_fails_is_asked_for_again(void **state)
{
    static const struct {
        struct fake_answer loss;
        uint32_t wait;
    } cases[] = {
        { { PAGED, 500, STATUS(500), FAKE_WHOLE, NULL }, 800 },
        { { PAGED, 200, "{\"items\":[", FAKE_CUT, NULL }, 800 },
        { { PAGED, 200, "{\"items\":[", FAKE_OPEN, NULL },
          CONFIG_KINF_BODY_MS + 800 },
        { { PAGED, 504, STATUS(504), FAKE_WHOLE, NULL }, 800 },
        { { PAGED, 410, STATUS(410), FAKE_WHOLE, NULL }, 0 },
        { { PAGED, 400, STATUS(400), FAKE_WHOLE, NULL }, 800 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = { cases[i].loss, ONE_LIST };

        begin(script, COUNT_OF(script));
        assert_int_equal(cases[i].wait, until_request(2));
        assert_string_equal("/api/v1/configmaps?limit=500",
                            fake_nth(&w.server, 2));
        fake_run(&w, 0);
        assert_true(kinf_informer_synced(&w.inf));
        fake_end_world(&w);
    }
}

static void test_a_page_that_fails_is_asked_for_again_or_the_list_is(
    void **state)
{
    static const struct {
        struct fake_answer loss;
        const char *next;
        uint32_t wait;
    } cases[] = {
        { { "continue=t", 500, STATUS(500), FAKE_WHOLE, NULL },
          "limit=500&continue=t", 800 },
        { { "continue=t", 200, "{\"items\":[", FAKE_CUT, NULL },
          "limit=500&continue=t", 800 },
        { { "continue=t", 200, "nonsense", FAKE_WHOLE, NULL }, "limit=500",
          800 },
        { { "continue=t", 400, STATUS(400), FAKE_WHOLE, NULL }, "limit=500",
          800 },
        { { "continue=t", 410, STATUS(410), FAKE_WHOLE, NULL }, "limit=500",
          0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            { PAGED, 200, PAGE("5", "t", OBJECT("a", "3")), FAKE_WHOLE, NULL },
            cases[i].loss,
        };

        begin(script, COUNT_OF(script));
        fake_run(&w, 0);
        assert_int_equal(cases[i].wait, until_request(3));
        assert_string_equal(cases[i].next,
                            strchr(fake_target(&w.server, 0), '?') + 1);
        fake_end_world(&w);
    }
}

/* A relist of which nothing came yet gives way to the watch that can go on. */
static void test_a_relist_that_fails_at_once_leaves_the_version(void **state)
{
    static const struct fake_answer script[] = {
        ONE_LIST, { WATCH, 200, "", FAKE_OPEN, NULL },
        { PAGED, 500, STATUS(500), FAKE_WHOLE, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.verify_ms = 30000;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 30000);
    assert_true(fake_count(&w.server, PAGED) >= 2);
    fake_run(&w, 800);
    assert_non_null(strstr(fake_target(&w.server, 0), "resourceVersion=5"));
    assert_non_null(strstr(fake_target(&w.server, 0), WATCH));
    fake_end_world(&w);
}

/* The server's time limit: half the page, and twice when it comes whole. */
static void test_a_page_cut_by_the_time_limit_is_asked_for_by_halves(
    void **state)
{
    static const struct {
        uint32_t limit;
        const char *after[4];
    } cases[] = {
        { 8, { "limit=8", "limit=4", "limit=8", "limit=8" } },
        { 7, { "limit=7", "limit=3", "limit=6", "limit=7" } },
        { 1, { "limit=1", "limit=1", "limit=1", "limit=1" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            { PAGED, 200, "{\"items\":[" OBJECT("a", "3"), FAKE_OPEN, NULL },
            { PAGED, 200, PAGE("5", "t", OBJECT("a", "3")), FAKE_WHOLE,
              NULL },
            { PAGED, 200, PAGE("5", "u", OBJECT("b", "3")), FAKE_WHOLE,
              NULL },
            { PAGED, 200, LIST("5", OBJECT("c", "3")), FAKE_WHOLE, NULL },
        };

        fake_prepare(&w);
        w.informer.limit = cases[i].limit;
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        for (int part = 0; part < 3; part++) { /* items come: no time-out */
            fake_run(&w, 20000);
            fake_push(&w.server, "," OBJECT("a", "3"));
        }
        fake_cut(&w.server);
        fake_run(&w, 1000);
        assert_true(kinf_informer_synced(&w.inf));
        for (unsigned n = 0; n < 4; n++)
            assert_non_null(strstr(fake_target(&w.server, 4 - n),
                                   cases[i].after[n]));
        fake_end_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_lost_watch_resumes_or_lists_again_by_why_it_was_lost),
        cmocka_unit_test(test_waits_double_until_a_connection_has_lasted),
        cmocka_unit_test(
            test_after_a_connection_that_had_lasted_the_return_is_spread),
        cmocka_unit_test(
            test_a_second_410_lists_the_most_recent_after_the_backoff),
        cmocka_unit_test(test_broken_framing_is_forgiven_once_at_a_version),
        cmocka_unit_test(
            test_an_object_whose_brackets_do_not_match_hides_what_is_behind),
        cmocka_unit_test(
            test_what_cannot_be_watched_is_listed_again_if_so_asked),
        cmocka_unit_test(test_what_cannot_be_watched_is_not_streamed),
        cmocka_unit_test(test_a_list_that_may_not_be_asked_for_is_denied),
        cmocka_unit_test(test_denied_informers_say_so),
        cmocka_unit_test(test_a_record_too_large_is_a_state_of_its_own),
        cmocka_unit_test(
            test_credentials_are_asked_for_once_more_and_then_one_waits),
        cmocka_unit_test(
            test_a_streaming_list_that_fails_is_a_paged_list_or_tried_again),
        cmocka_unit_test(
            test_a_streaming_list_that_is_not_answered_is_tried_again),
        cmocka_unit_test(test_two_streams_cut_in_a_row_are_a_paged_list),
        cmocka_unit_test(test_two_streams_torn_in_a_row_are_a_paged_list),
        cmocka_unit_test(
            test_a_refused_streaming_list_is_tried_again_after_an_hour),
        cmocka_unit_test(test_a_stream_that_went_on_as_a_watch_is_resumed),
        cmocka_unit_test(test_a_list_that_fails_is_asked_for_again),
        cmocka_unit_test(
            test_a_page_that_fails_is_asked_for_again_or_the_list_is),
        cmocka_unit_test(test_a_relist_that_fails_at_once_leaves_the_version),
        cmocka_unit_test(
            test_a_page_cut_by_the_time_limit_is_asked_for_by_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
