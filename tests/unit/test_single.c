/* SPDX-License-Identifier: Apache-2.0 */
/* test_single.c - probes when the server is in doubt, fetches of what had no
 * room, and lists that no error leads to. */
#include "fake_get.h"

static struct fake_world w;

#define WATCH "watch=1"
#define PROBE "limit=1"
#define ONE "configmaps/"
static const struct fake_answer list5 = {
    NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL
};
static const struct fake_answer silence = { WATCH, 200, "", FAKE_OPEN, NULL };

/* A watch that is silent is in doubt; the probe has a session of its own. */
static void begin(const struct fake_answer *probe)
{
    static struct fake_answer script[2];

    script[0] = list5;
    script[1] = silence;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    w.second.answers = probe;
    w.second.count = probe != NULL;
    w.with_single = true;
    fake_begin(&w);
}

/* ---- doubt -------------------------------------------------------------- */

static void test_a_watch_that_stays_silent_is_probed_once_in_three_minutes(
    void **state)
{
    static const struct fake_answer probe = {
        PROBE, 200, LIST("5", ""), FAKE_WHOLE, NULL
    };

    (void)state;
    begin(&probe);
    fake_run(&w, CONFIG_KINF_DOUBT_MS - 1);
    assert_int_equal(0, w.second.requests);
    assert_int_equal(0, fake_status(&w).stale_ms);
    fake_run(&w, 1);
    assert_int_equal(1, w.second.requests);
    assert_string_equal("/api/v1/configmaps?limit=1",
                        fake_nth(&w.second, 1));
    assert_int_equal(1, fake_status(&w).probes);
    /* Not in doubt: silence goes on, and the watch is found dead. */
    fake_run(&w, CONFIG_KINF_IDLE_MS - CONFIG_KINF_DOUBT_MS);
    assert_int_equal(1, w.errors[-KINF_ERR_TIMEOUT]);
    assert_int_equal(1, w.second.requests);
    fake_end_world(&w);
}

static void test_an_event_or_bookmark_is_no_silence(void **state)
{
    (void)state;
    begin(NULL);
    fake_run(&w, CONFIG_KINF_DOUBT_MS - 1);
    fake_push(&w.server, BOOKMARK("6"));
    fake_run(&w, CONFIG_KINF_DOUBT_MS);
    assert_int_equal(0, w.second.requests);
    fake_end_world(&w);
}

static void test_only_a_lower_version_is_a_server_gone_back_in_time(
    void **state)
{
    static const struct {
        const char *ours, *theirs;
        bool back;
    } cases[] = {
        { "500", "499", true },  { "500", "99", true },
        { "500", "500", false }, { "500", "501", false },
        { "99", "500", false },  { "500", "x", false },
        { "500", "4/9", false }, { "500", "", false },
        { "5a0", "1", false },   { "5/0", "1", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char ours[256], theirs[256];
        struct fake_answer script[3] = { list5, silence, list5 };
        struct fake_answer probe = { PROBE, 200, theirs, FAKE_WHOLE, NULL };

        snprintf(ours, sizeof(ours),
                 "{\"metadata\":{\"resourceVersion\":\"%s\"},\"items\":["
                 OBJECT("a", "3") "]}", cases[i].ours);
        snprintf(theirs, sizeof(theirs),
                 "{\"metadata\":{\"resourceVersion\":\"%s\"},\"items\":[]}",
                 cases[i].theirs);
        script[0].body = ours;
        begin(&probe);
        FAKE_PLAY(&w.server, script);
        fake_run(&w, CONFIG_KINF_DOUBT_MS + 10);
        assert_int_equal(1, w.second.requests);
        assert_int_equal(cases[i].back, w.errors[-KINF_ERR_BACK_IN_TIME]);
        assert_int_equal(cases[i].back, fake_status(&w).relists);
        if (cases[i].back)
            assert_string_equal("/api/v1/configmaps?limit=500",
                                fake_nth(&w.server, 3));
        fake_end_world(&w);
    }
}

/* No version of ours, nothing to compare it with: the watch began without. */
static void test_an_empty_list_version_starts_no_watch(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "{\"metadata\":{},\"items\":[]}", FAKE_WHOLE, NULL },
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_int_equal(0, fake_count(&w.server, WATCH));
    fake_end_world(&w);
}

/* After a restore the same versions stand for other bytes. */
static void test_the_state_of_a_restored_server_is_the_truth(void **state)
{
    static const struct fake_answer probe = {
        PROBE, 200, LIST("4", ""), FAKE_WHOLE, NULL
    };
    static const struct fake_answer script[] = {
        { NULL, 200,
          LIST("5", META("a", "u-a", "3", ",\"x\":\"old\"") ","
               OBJECT("b", "4")), FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { NULL, 200, LIST("4", META("a", "u-a", "3", ",\"x\":\"new\"")),
          FAKE_WHOLE, NULL },
        { "resourceVersion=4", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(&probe);
    FAKE_PLAY(&w.server, script);
    fake_run(&w, 1000);
    fake_shown(&w.handler);
    fake_run(&w, CONFIG_KINF_DOUBT_MS);
    assert_string_equal("update a@3>3 lost b@4", fake_shown(&w.handler));
    assert_int_equal(4, w.server.requests);
    fake_end_world(&w);
}

static void test_a_probe_that_fails_decides_nothing(void **state)
{
    static const struct fake_answer failures[] = {
        { PROBE, 500, STATUS(500), FAKE_WHOLE, NULL },
        { PROBE, 404, STATUS(404), FAKE_WHOLE, NULL },
        { PROBE, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}", FAKE_CUT,
          NULL },
        { PROBE, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}", FAKE_OPEN,
          NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        begin(&failures[i]);
        fake_run(&w, CONFIG_KINF_DOUBT_MS + CONFIG_KINF_BODY_MS + 10);
        assert_int_equal(0, fake_status(&w).relists);
        assert_int_equal(0, w.errors[-KINF_ERR_BACK_IN_TIME]);
        assert_int_equal(1, w.second.requests);
        assert_int_equal(2, w.server.requests);
        fake_end_world(&w);
    }
}

/* Nothing is said of a server while it is being asked. */
static void test_a_probe_is_a_phase_and_doubt_is_stale(void **state)
{
    (void)state;
    begin(NULL); /* silent */
    fake_run(&w, CONFIG_KINF_DOUBT_MS + 10);
    assert_int_equal(KINF_INFORMER_PROBING, fake_status(&w).phase);
    assert_true(fake_status(&w).stale_ms > CONFIG_KINF_DOUBT_MS);
    fake_end_world(&w);
}

static void test_three_short_silent_watches_are_doubtful_too(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_CUT, NULL }, { WATCH, 200, "", FAKE_CUT, NULL },
        { WATCH, 200, "", FAKE_CUT, NULL }, { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(NULL);
    FAKE_PLAY(&w.server, script);
    fake_run(&w, 800 + 1600 - 1);
    assert_int_equal(0, w.second.requests);
    fake_run(&w, 3300);
    assert_int_equal(1, w.second.requests);
    fake_end_world(&w);
}

/* With one connection the probe ends the doubted watch: it was silent. */
static void test_on_one_connection_the_probe_takes_the_watchs_place(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { PROBE, 200, PAGE("5", "t", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { "resourceVersion=5", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, CONFIG_KINF_DOUBT_MS + 10);
    assert_int_equal(4, w.server.requests);
    assert_int_equal(2, w.server.opens); /* a watch is ended by closing */
    fake_end_world(&w);
}

/* A probe's item is nobody's: it needs no place. */
static void test_a_probe_is_answered_while_a_handler_is_stuck(void **state)
{
    static const struct fake_answer probe = {
        PROBE, 200, "", FAKE_OPEN, NULL
    };

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    w.informer.sizes.latest = 0;
    w.with_single = true;
    {
        static const struct fake_answer script[] = {
            { NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
            { WATCH, 200, "", FAKE_OPEN, NULL },
        };

        FAKE_PLAY(&w.server, script);
    }
    w.second.answers = &probe;
    w.second.count = 1;
    fake_begin(&w);
    fake_run(&w, CONFIG_KINF_DOUBT_MS);
    assert_int_equal(1, w.second.requests);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, EVENT("ADDED", OBJECT("b", "6")));
    fake_push(&w.server, EVENT("ADDED", OBJECT("c", "7")));
    fake_push(&w.server, EVENT("ADDED", OBJECT("d", "8")));
    fake_run(&w, 1000);
    assert_true(fake_status(&w).handler_stuck);
    fake_push(&w.second, LIST("9", OBJECT("a", "3")));
    fake_finish(&w.second);
    fake_run(&w, 1000);
    assert_int_not_equal(KINF_INFORMER_PROBING, fake_status(&w).phase);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 1000);
    assert_string_equal("initial a@3 add b@6 add c@7 add d@8",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

/* ---- fetches ------------------------------------------------------------ */

#define BIG(name, version, filler)                                             \
    META(name, "u-" name, version, ",\"x\":\"" filler "\"")
#define F100                                                                   \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "012345678901234567890123456789"
#define F400 F100 F100 F100 F100

/* Two of 480 bytes find no room beside each other. */
static void begin_full(const struct fake_answer *fetch, size_t count)
{
    static const struct fake_answer script[] = {
        { NULL, 200,
          LIST("5", BIG("a", "3", F400) "," BIG("b", "4", F400)), FAKE_WHOLE,
          NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    fake_prepare(&w);
    w.informer.sizes = (struct kinf_sizes){
        .objects = 8, .object_bytes = 512, .arena_bytes = 2 * 524 + 100,
        .fifo = 2, .every = 1, .ring = 2
    };
    FAKE_PLAY(&w.server, script);
    w.second.answers = fetch;
    w.second.count = count;
    w.with_single = true;
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_string_equal("initial a@3 truncated b@4", fake_shown(&w.handler));
    assert_int_equal(1, w.errors[-KINF_ERR_FULL]);
    assert_int_equal(0, w.second.requests);
}

static void test_what_had_no_room_is_fetched_when_there_is_some(void **state)
{
    static const struct fake_answer fetch[] = {
        { ONE "b", 200, BIG("b", "4", F400), FAKE_WHOLE, NULL },
    };
    struct kinf_object o;

    (void)state;
    begin_full(fetch, 1);
    EXPECT_ERR(KINF_OK, kinf_get(&w.inf, fake_span("b"), &o));
    assert_int_equal(KINF_REASON_NO_ROOM, o.reason);
    assert_int_equal(1, fake_status(&w).truncated);
    fake_push(&w.server, EVENT("DELETED", BIG("a", "6", F400)));
    fake_run(&w, 100);
    assert_string_equal("delete a@3 update b@4>4", fake_shown(&w.handler));
    EXPECT_ERR(KINF_OK, kinf_get(&w.inf, fake_span("b"), &o));
    assert_int_equal(KINF_WHOLE, o.reason);
    assert_int_equal(1, fake_status(&w).fetches);
    assert_int_equal(0, fake_status(&w).truncated);
    fake_end_world(&w);
}

/* One place in the FIFO and in the ring; room for one object and an identity;
 * the watch's connection serves single requests, too. */
static void begin_tight(const struct fake_answer *script, size_t count)
{
    fake_prepare(&w);
    w.informer.sizes = (struct kinf_sizes){
        .objects = 8, .object_bytes = 512, .arena_bytes = 2 * 524 + 100,
        .fifo = 1, .every = 1, .ring = 1
    };
    w.server.answers = script;
    w.server.count = count;
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_string_equal("initial a@3 truncated b@4", fake_shown(&w.handler));
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, EVENT("MODIFIED", BIG("a", "6", F400))
              EVENT("DELETED", BIG("a", "7", F400)));
}

static const struct fake_answer tight[] = {
    { NULL, 200, LIST("5", BIG("a", "3", F400) "," BIG("b", "4", F400)),
      FAKE_WHOLE, NULL },
    { WATCH, 200, "", FAKE_OPEN, NULL },
    { ONE "b", 200, BIG("b", "4", F400), FAKE_WHOLE, NULL },
    { WATCH, 200, "", FAKE_OPEN, NULL },
};

/* Two states of the object are held until the handler goes on. */
static void test_a_deletion_needs_no_room_but_a_place(void **state)
{
    (void)state;
    begin_tight(tight, 2);
    fake_run(&w, 0);
    assert_int_equal('7', fake_status(&w).version_received.ptr[0]);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 0);
    assert_string_equal("update a@3>6 delete a@6", fake_shown(&w.handler));
    fake_end_world(&w);
}

/* Its answer found no place while the handler was stuck; and since the watch
 * waits for it nothing else would wake it. */
static void test_a_fetch_goes_on_when_the_handler_does(void **state)
{
    (void)state;
    begin_tight(tight, COUNT_OF(tight));
    fake_finish(&w.server);
    fake_run(&w, 60000);
    assert_int_equal(3, w.server.requests);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_string_equal("update a@3>6 delete a@6 update b@4>4",
                        fake_shown(&w.handler));
    assert_int_equal(4, w.server.requests);
    fake_end_world(&w);
}

/* Anything newer comes by the watch. */
static void test_a_fetched_state_counts_only_if_it_is_the_one_we_hold(
    void **state)
{
    static const struct fake_answer fetches[] = {
        { ONE "b", 200, BIG("b", "7", F400), FAKE_WHOLE, NULL },
        { ONE "b", 200, META("b", "other", "4", ""), FAKE_WHOLE, NULL },
        { ONE "b", 200, BIG("c", "4", F400), FAKE_WHOLE, NULL },
        { ONE "b", 200, "{\"metadata\":{\"name\":\"b\",\"uid\":\"u-b\","
          "\"resourceVersion\":\"4\",\"name\":1}}", FAKE_WHOLE, NULL },
        { ONE "b", 404, STATUS(404), FAKE_WHOLE, NULL },
        { ONE "b", 500, STATUS(500), FAKE_WHOLE, NULL },
        { ONE "b", 200, BIG("b", "4", F400 F400), FAKE_WHOLE, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fetches); i++) {
        begin_full(&fetches[i], 1);
        fake_push(&w.server, EVENT("DELETED", BIG("a", "6", F400)));
        fake_run(&w, 100);
        assert_string_equal("delete a@3", fake_shown(&w.handler));
        assert_true(w.second.requests >= 1);
        /* Told, unless it is only gone: the watch will say so. */
        assert_int_equal(i == 5, w.errors[-KINF_ERR_SERVER]);
        assert_int_equal(0, w.errors[-KINF_ERR_NO_RESOURCE]);
        fake_end_world(&w);
    }
}

static void test_a_fetch_that_fails_is_tried_again_after_the_backoff(
    void **state)
{
    static const struct fake_answer fetch[] = {
        { ONE "b", 500, STATUS(500), FAKE_WHOLE, NULL },
        { ONE "b", 200, BIG("b", "4", F400), FAKE_WHOLE, NULL },
    };

    (void)state;
    begin_full(fetch, 2);
    fake_push(&w.server, EVENT("DELETED", BIG("a", "6", F400)));
    fake_run(&w, 799);
    assert_int_equal(1, w.second.requests);
    fake_run(&w, 1);
    assert_int_equal(2, w.second.requests);
    fake_run(&w, 10);
    assert_string_equal("delete a@3 update b@4>4", fake_shown(&w.handler));
    fake_end_world(&w);
}

/* What tells that it is gone may be far away, as after a list that was not
 * whole: nobody asks each second until then. Nor does it stay truncated for
 * ever when who said so was a proxy. */
static void test_what_a_fetch_finds_gone_is_asked_for_again_after_a_while(
    void **state)
{
    static const struct fake_answer fetch[] = {
        { ONE "b", 404, "404 page not found", FAKE_WHOLE,
          "Content-Type: text/plain\r\n" },
        { ONE "b", 404, STATUS(404), FAKE_WHOLE, NULL },
        { ONE "b", 200, BIG("b", "4", F400), FAKE_WHOLE, NULL },
    };

    (void)state;
    begin_full(fetch, COUNT_OF(fetch));
    fake_push(&w.server, EVENT("DELETED", BIG("a", "6", F400)));
    fake_run(&w, 1000);
    assert_int_equal(1, w.second.requests);
    /* Something is freed: that is no reason to ask sooner. */
    fake_push(&w.server, EVENT("ADDED", META("c", "u-c", "7", ""))
              EVENT("DELETED", META("c", "u-c", "8", "")));
    fake_run(&w, CONFIG_KINF_DENIED_MS - 2000);
    assert_int_equal(1, w.second.requests);
    fake_run(&w, 2000);
    assert_int_equal(2, w.second.requests);
    /* Nothing is freed. */
    fake_run(&w, CONFIG_KINF_DENIED_MS - 2000);
    assert_int_equal(2, w.second.requests);
    fake_run(&w, 3000);
    assert_int_equal(COUNT_OF(fetch), w.second.requests);
    assert_string_equal("delete a@3 add c@7 delete c@7 update b@4>4",
                        fake_shown(&w.handler));
    assert_int_equal(0, w.errors[-KINF_ERR_NO_RESOURCE]);
    fake_end_world(&w);
}

/* As a list does; the watch goes on meanwhile. */
static void test_a_single_request_comes_back_when_the_server_asked_it_to(
    void **state)
{
    static const struct {
        struct fake_answer refusal;
        uint32_t wait;
    } cases[] = {
        { { ONE "b", 429, STATUS(429), FAKE_WHOLE, "Retry-After: 7\r\n" },
          7000 },
        { { ONE "b", 503, "later", FAKE_WHOLE,
            "Content-Type: text/plain\r\nRetry-After: 9\r\n" }, 9000 },
        { { ONE "b", 429,
            "{\"kind\":\"Status\",\"code\":429,\"details\":{"
            "\"retryAfterSeconds\":999999}}", FAKE_WHOLE, NULL },
          CONFIG_KINF_RETRY_AFTER_CAP_MS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer fetch[] = {
            cases[i].refusal,
            { ONE "b", 200, BIG("b", "4", F400), FAKE_WHOLE, NULL },
        };

        begin_full(fetch, COUNT_OF(fetch));
        fake_push(&w.server, EVENT("DELETED", BIG("a", "6", F400)));
        fake_run(&w, 0);
        assert_int_equal(1, w.second.requests);
        for (uint32_t left = cases[i].wait - 1, n; left > 0; left -= n) {
            n = left < 1000 ? left : 1000;
            fake_run(&w, n);
            fake_push(&w.server, BOOKMARK("7")); /* it is well */
        }
        assert_int_equal(1, w.second.requests);
        fake_run(&w, 1);
        assert_int_equal(2, w.second.requests);
        fake_run(&w, 10);
        assert_string_equal("delete a@3 update b@4>4",
                            fake_shown(&w.handler));
        fake_end_world(&w);
    }
}

/* A key longer than any real one: its object is not asked for. */
static void test_an_object_of_an_overlong_key_is_not_fetched(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200,
          LIST("5", BIG("a", "3", F400) ","
               META(F100 F100, "u", "4", ",\"namespace\":\"" F100 F100
                    "\",\"x\":\"" F100 "\"")), FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.sizes = (struct kinf_sizes){
        .objects = 8, .object_bytes = 1024, .arena_bytes = 2 * 1036,
        .fifo = 2, .every = 1, .ring = 2
    };
    FAKE_PLAY(&w.server, script);
    w.with_single = true;
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_int_equal(1, w.errors[-KINF_ERR_FULL]);
    fake_push(&w.server, EVENT("DELETED", BIG("a", "6", F400)));
    fake_run(&w, 10000);
    assert_int_equal(0, w.second.requests);
    assert_int_equal(1, fake_status(&w).truncated);
    fake_end_world(&w);
}

/* Silence is counted as far as a byte goes, while nobody can be asked. */
static void test_hours_of_silence_are_doubted_once_one_can_ask(void **state)
{
    static struct fake_answer script[10];
    static const struct fake_answer slow[] = {
        { "/slow", 200, "{", FAKE_OPEN, NULL },
        { PROBE, 200, LIST("5", ""), FAKE_WHOLE, NULL },
    };
    static struct fake_get get;

    (void)state;
    script[0] = list5;
    for (size_t i = 1; i < COUNT_OF(script); i++)
        script[i] = (struct fake_answer){ WATCH, 200, "", FAKE_CUT, NULL };
    begin(NULL);
    FAKE_PLAY(&w.server, script);
    FAKE_PLAY(&w.second, slow);
    fake_get(&get, &w.single, "/slow");
    fake_run(&w, CONFIG_KINF_BODY_MS / 4);
    assert_true(w.inf.reflector.probing); /* in line behind the slow one */
    w.inf.reflector.silent = UINT8_MAX - 1; /* it has gone on for long */
    fake_run(&w, CONFIG_KINF_BODY_MS / 2);
    assert_in_range(fake_count(&w.server, WATCH), 5, COUNT_OF(script) - 1);
    assert_int_equal(UINT8_MAX, w.inf.reflector.silent);
    assert_int_equal(1, w.second.requests);
    fake_finish(&w.second);
    fake_run(&w, 10000);
    assert_true(fake_status(&w).probes >= 1);
    assert_string_equal("/api/v1/configmaps?limit=1", fake_nth(&w.second, 2));
    fake_end_world(&w);
}

/* More than so many are one list. */
static char body[32768], again[32768];

static void begin_many(const struct fake_answer *script, size_t count)
{
    char item[2048];
    const int many = CONFIG_KINF_FETCH_MAX + 2;

    strcpy(body, "{\"metadata\":{\"resourceVersion\":\"50\"},\"items\":[");
    strcpy(again, "{\"metadata\":{\"resourceVersion\":\"60\"},\"items\":[");
    for (int i = 0; i < many; i++) {
        snprintf(item, sizeof(item), "%s{\"metadata\":{\"name\":\"n%d\",\"uid"
                 "\":\"u%d\",\"resourceVersion\":\"%d\"},\"x\":\"%s\"}",
                 i > 0 ? "," : "", i, i, i, F400 F400 F400 F400);
        strcat(body, item);
        if (i > 0)
            strcat(again, item + (i == 1));
    }
    strcat(body, "]}");
    strcat(again, "]}");
    fake_prepare(&w);
    /* Room for one whole, the identities of the others, and one more. */
    w.informer.sizes = (struct kinf_sizes){
        .objects = 16, .object_bytes = 2048,
        .arena_bytes = 1712 + 2060 + (uint32_t)many * 72 + 140, .fifo = 2,
        .every = 1, .ring = 2
    };
    w.with_single = true;
    w.server.answers = script;
    w.server.count = count;
    fake_begin(&w);
    fake_run(&w, CONFIG_KINF_REPAIR_MS);
    assert_true(w.errors[-KINF_ERR_FULL] > CONFIG_KINF_FETCH_MAX);
    fake_push(&w.server, "{\"type\":\"DELETED\",\"object\":{\"metadata\":{"
              "\"name\":\"n0\",\"uid\":\"u0\",\"resourceVersion\":\"55\"}}}");
    fake_run(&w, 1000);
}

static void test_many_that_had_no_room_come_by_one_list(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, body, FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { NULL, 200, again, FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin_many(script, COUNT_OF(script));
    assert_int_equal(0, w.second.requests);
    assert_int_equal(1, fake_status(&w).relists);
    fake_end_world(&w);
}

/* Nothing else would ask for what it was to bring. */
static void test_a_list_of_many_that_fails_is_asked_for_again(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, body, FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { NULL, 500, STATUS(500), FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { NULL, 200, again, FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin_many(script, COUNT_OF(script));
    assert_int_equal(1, w.errors[-KINF_ERR_SERVER]);
    assert_int_equal(1, fake_status(&w).relists);
    fake_push(&w.server, BOOKMARK("56"));
    fake_run(&w, CONFIG_KINF_REPAIR_MS);
    assert_int_equal(2, fake_status(&w).relists);
    fake_end_world(&w);
}

/* The list had begun, and so every key was one that it had not shown. */
static void test_after_a_list_that_failed_a_fetch_counts(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, body, FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { NULL, 500, STATUS(500), FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };
    static char whole[2048];
    static const struct fake_answer fetch[] = { { "/n", 200, whole, FAKE_WHOLE,
                                                  NULL } };
    const int last = CONFIG_KINF_FETCH_MAX + 1;
    char gone[256];

    (void)state;
    begin_many(script, COUNT_OF(script));
    snprintf(whole, sizeof(whole),
             "{\"metadata\":{\"name\":\"n%d\",\"uid\":\"u%d\","
             "\"resourceVersion\":\"%d\"},\"x\":\"%s\"}",
             last, last, last, F400 F400 F400 F400);
    FAKE_PLAY(&w.second, fetch);
    for (int i = 1; i < last; i++) {
        snprintf(gone, sizeof(gone),
                 "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":"
                 "\"n%d\",\"uid\":\"u%d\",\"resourceVersion\":\"%d\"}}}",
                 i, i, 60 + i);
        fake_push(&w.server, gone);
    }
    fake_run(&w, 1000);
    assert_int_equal(1, w.second.requests);
    assert_int_equal(0, fake_status(&w).truncated);
    fake_end_world(&w);
}

/* ---- lists that are wanted ---------------------------------------------- */

static void test_a_key_that_found_no_place_is_repaired_by_a_list(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
        { "NotOlderThan", 200, LIST("7", OBJECT("b", "4")), FAKE_WHOLE,
          NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };
    struct kinf_object o;

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.objects = 1;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_true(fake_status(&w).degraded);
    assert_false(fake_status(&w).complete);
    assert_int_equal(1, w.errors[-KINF_ERR_DEGRADED]);
    assert_int_equal(KINF_INCOMPLETE, kinf_get(&w.inf, fake_span("a"), &o));
    EXPECT_ERR(KINF_ERR_INCOMPLETE, kinf_get(&w.inf, fake_span("b"), &o));
    fake_run(&w, CONFIG_KINF_DOUBT_MS - 2000);
    assert_int_equal(2, w.server.requests); /* nothing has changed */
    fake_push(&w.server, EVENT("DELETED", OBJECT("a", "6")));
    fake_run(&w, 1000);
    assert_false(fake_status(&w).degraded);
    assert_string_equal("initial a@3 delete a@3 add b@4",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

static void test_verification_lists_the_whole_and_counts_what_it_mended(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { WATCH, 200, BOOKMARK("5"), FAKE_OPEN, NULL },
        { NULL, 200, LIST("9", OBJECT("a", "3") ","
                          META("b", "u-b", "4", ",\"x\":1")),
          FAKE_WHOLE, NULL },
        { WATCH, 200, BOOKMARK("9"), FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.verify_ms = 60000;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 59000);
    assert_int_equal(2, w.server.requests);
    fake_run(&w, 1010);
    assert_int_equal(4, w.server.requests);
    assert_string_equal("/api/v1/configmaps?limit=500",
                        fake_nth(&w.server, 3));
    assert_int_equal(1, fake_status(&w).mended);
    assert_string_equal("initial a@3 initial b@4 update b@4>4",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_watch_that_stays_silent_is_probed_once_in_three_minutes),
        cmocka_unit_test(test_an_event_or_bookmark_is_no_silence),
        cmocka_unit_test(
            test_only_a_lower_version_is_a_server_gone_back_in_time),
        cmocka_unit_test(test_an_empty_list_version_starts_no_watch),
        cmocka_unit_test(test_the_state_of_a_restored_server_is_the_truth),
        cmocka_unit_test(test_a_probe_that_fails_decides_nothing),
        cmocka_unit_test(test_a_probe_is_a_phase_and_doubt_is_stale),
        cmocka_unit_test(test_three_short_silent_watches_are_doubtful_too),
        cmocka_unit_test(
            test_on_one_connection_the_probe_takes_the_watchs_place),
        cmocka_unit_test(test_a_probe_is_answered_while_a_handler_is_stuck),
        cmocka_unit_test(test_what_had_no_room_is_fetched_when_there_is_some),
        cmocka_unit_test(test_a_deletion_needs_no_room_but_a_place),
        cmocka_unit_test(test_a_fetch_goes_on_when_the_handler_does),
        cmocka_unit_test(
            test_a_fetched_state_counts_only_if_it_is_the_one_we_hold),
        cmocka_unit_test(
            test_a_fetch_that_fails_is_tried_again_after_the_backoff),
        cmocka_unit_test(
            test_what_a_fetch_finds_gone_is_asked_for_again_after_a_while),
        cmocka_unit_test(
            test_a_single_request_comes_back_when_the_server_asked_it_to),
        cmocka_unit_test(test_an_object_of_an_overlong_key_is_not_fetched),
        cmocka_unit_test(test_hours_of_silence_are_doubted_once_one_can_ask),
        cmocka_unit_test(test_many_that_had_no_room_come_by_one_list),
        cmocka_unit_test(test_a_list_of_many_that_fails_is_asked_for_again),
        cmocka_unit_test(test_after_a_list_that_failed_a_fetch_counts),
        cmocka_unit_test(
            test_a_key_that_found_no_place_is_repaired_by_a_list),
        cmocka_unit_test(
            test_verification_lists_the_whole_and_counts_what_it_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
