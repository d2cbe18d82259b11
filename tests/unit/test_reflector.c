/* SPDX-License-Identifier: Apache-2.0 */
/* test_reflector.c - list, watch, watch again: what the server sees. What an
 * error leads to is in test_recover.c, probes and fetches in test_single.c. */
#include "fake.h"

static struct fake_world w;

#define WATCH "watch=1"
#define PAGED "limit="
#define LIST_5                                                                 \
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

/* ---- the ordinary course ------------------------------------------------ */

static void test_a_list_is_followed_by_a_watch_from_its_version(void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { "resourceVersion=5", 200, EVENT("ADDED", OBJECT("c", "6")),
          FAKE_OPEN, NULL }
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 100);
    assert_string_equal("initial a@3 initial b@4 add c@6",
                        fake_shown(&w.handler));
    assert_int_equal(2, w.server.requests);
    assert_int_equal(1, w.server.opens); /* one connection serves both */
    fake_push(&w.server, EVENT("DELETED", OBJECT("a", "7")));
    fake_run(&w, 10);
    assert_string_equal("delete a@3", fake_shown(&w.handler));
    assert_int_equal(KINF_INFORMER_WATCHING, fake_status(&w).phase);
    fake_end_world(&w);
}

static void test_pages_are_one_list_and_its_first_version_counts(void **state)
{
    static const struct fake_answer script[] = {
        { "limit=2", 200, PAGE("5", "t", OBJECT("a", "1")), FAKE_WHOLE, NULL },
        { "continue=t", 200, PAGE("6", "u", OBJECT("b", "2")), FAKE_WHOLE,
          NULL },
        { "continue=u", 200, LIST("7", OBJECT("c", "3")), FAKE_WHOLE, NULL },
        { "resourceVersion=5", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.limit = 2;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_string_equal("initial a@1 initial b@2 initial c@3",
                        fake_shown(&w.handler));
    assert_int_equal(1, fake_status(&w).lists);
    fake_end_world(&w);
}

/* A first page may tell no version: the next does. */
static void test_the_version_of_a_list_may_come_with_a_later_page(void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 200, "{\"metadata\":{\"continue\":\"t\"},\"items\":[]}",
          FAKE_WHOLE, NULL },
        { "continue=t", 200, LIST("7", OBJECT("c", "3")), FAKE_WHOLE, NULL },
        { "resourceVersion=7", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 100);
    assert_int_equal(3, w.server.requests);
    fake_end_world(&w);
}

static void test_a_watch_that_lasted_is_followed_by_the_next_at_once(
    void **state)
{
    static const struct fake_answer script[] = {
        LIST_5,
        { "resourceVersion=5", 200, BOOKMARK("6"), FAKE_OPEN, NULL },
        { "resourceVersion=8", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    for (int i = 0; i < 9; i++) {
        fake_run(&w, 30000);
        fake_push(&w.server, BOOKMARK("8"));
    }
    fake_run(&w, 29000);
    fake_finish(&w.server);
    fake_run(&w, 0);
    assert_int_equal(3, w.server.requests);
    assert_int_equal(1, w.server.opens);
    EXPECT_ERR(KINF_OK, fake_status(&w).last_error);
    fake_end_world(&w);
}

/* Our own end of a watch that the server does not end: 30 s after its time. */
static void test_a_watch_is_ended_when_the_server_does_not(void **state)
{
    static const struct fake_answer script[] = {
        LIST_5,
        { WATCH, 200, BOOKMARK("6"), FAKE_OPEN, NULL },
        { "resourceVersion=8", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    for (int i = 0; i < 11; i++) {
        fake_run(&w, 29999);
        assert_int_equal(2, w.server.requests);
        fake_push(&w.server, BOOKMARK("8"));
    }
    fake_run(&w, 11);
    assert_int_equal(3, w.server.requests);
    fake_end_world(&w);
}

static void test_a_watch_lasts_from_once_to_twice_the_configured_time(
    void **state)
{
    static const struct {
        uint8_t random;
        const char *seconds;
    } cases[] = { { 0, "timeoutSeconds=300&" }, { 1, "timeoutSeconds=409&" },
                  { 0xFF, "timeoutSeconds=495&" } };
    static const struct fake_answer script[] = {
        LIST_5, { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fake_prepare(&w);
        fake_random = cases[i].random;
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        fake_run(&w, 100);
        assert_non_null(strstr(fake_nth(&w.server, 2), cases[i].seconds));
        fake_end_world(&w);
    }
}

/* A close at once and without an event is as good as an error. */
static void test_a_short_watch_is_an_error(void **state)
{
    static const struct {
        uint32_t lasted;
        const char *body;
        bool told;
    } cases[] = {
        { 999, "", true }, { 269999, BOOKMARK("6"), true },
        { 270000, BOOKMARK("6"), false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            LIST_5, { WATCH, 200, cases[i].body, FAKE_OPEN, NULL },
            { WATCH, 200, "", FAKE_OPEN, NULL },
        };

        begin(script, COUNT_OF(script));
        fake_run(&w, 0);
        for (uint32_t ms = cases[i].lasted; ms > 0;) {
            uint32_t part = ms > 100000 ? 100000 : ms;

            if (ms != cases[i].lasted)
                fake_push(&w.server, BOOKMARK("6"));
            fake_run(&w, part);
            ms -= part;
        }
        fake_finish(&w.server);
        fake_run(&w, 0);
        assert_int_equal(cases[i].told, w.errors[-KINF_ERR_SHORT_WATCH]);
        fake_end_world(&w);
    }
}

/* ---- what cannot be used ------------------------------------------------ */

#define C100                                                                   \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "012345678901234567890123456789"

static void test_a_list_whose_token_or_version_cannot_be_held_is_told(
    void **state)
{
    static const struct {
        const char *body;
        int err;
    } cases[] = {
        { PAGE("5", C100 C100 C100 C100 C100 C100 C100, ""),
          KINF_ERR_CONTINUE },
        { LIST(C100, ""), KINF_ERR_UNREADABLE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            { PAGED, 200, cases[i].body, FAKE_WHOLE, NULL },
        };

        begin(script, COUNT_OF(script));
        fake_run(&w, 100);
        assert_int_equal(1, w.errors[-cases[i].err]);
        assert_false(kinf_informer_synced(&w.inf));
        assert_int_equal(KINF_INFORMER_BACKOFF, fake_status(&w).phase);
        fake_end_world(&w);
    }
}

/* ---- deadlines ---------------------------------------------------------- */

static void test_each_part_of_an_answer_has_its_deadline(void **state)
{
    static const struct {
        const char *list, *watch;
        uint32_t ms;
    } cases[] = {
        { "{\"items\":[", NULL, CONFIG_KINF_BODY_MS },
        { "{\"items\":[{\"x\":", NULL, CONFIG_KINF_BODY_MS },
        { NULL, BOOKMARK("6"), CONFIG_KINF_IDLE_MS },
        { NULL, BOOKMARK("6") "{\"type\":\"ADDED\",\"object\":{",
          CONFIG_KINF_OBJECT_MS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            cases[i].list != NULL
                ? (struct fake_answer){ PAGED, 200, cases[i].list, FAKE_OPEN,
                                        NULL }
                : (struct fake_answer)LIST_5,
            { WATCH, 200, cases[i].watch, FAKE_OPEN, NULL },
        };

        begin(script, COUNT_OF(script));
        fake_run(&w, cases[i].ms - 1);
        assert_int_equal(0, w.errors[-KINF_ERR_TIMEOUT]);
        fake_run(&w, 1);
        assert_int_equal(1, w.errors[-KINF_ERR_TIMEOUT]);
        fake_end_world(&w);
    }
}

/* Dripping bytes are no progress: an object has an absolute limit. */
static void test_an_object_that_drips_has_its_limit(void **state)
{
    static const struct fake_answer script[] = {
        LIST_5, { WATCH, 200, "{\"type\":\"ADDED\",\"object\":{\"x\":\"",
                 FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    for (uint32_t ms = 0; ms < CONFIG_KINF_OBJECT_MS; ms += 1000) {
        fake_run(&w, 1000 - (ms == 0));
        fake_push(&w.server, "x");
    }
    fake_run(&w, 0);
    assert_int_equal(0, w.errors[-KINF_ERR_TIMEOUT]);
    fake_run(&w, 1);
    assert_int_equal(1, w.errors[-KINF_ERR_TIMEOUT]);
    fake_end_world(&w);
}

#define FOUR                                                                   \
    EVENT("ADDED", OBJECT("b", "6")) EVENT("ADDED", OBJECT("c", "7"))          \
    EVENT("ADDED", OBJECT("d", "8")) EVENT("ADDED", OBJECT("e", "9"))

/* While a handler is stuck nobody reads: nothing times out, the server is not
 * asked, and when the handler goes on nothing is missed. */
static void test_deadlines_stand_still_while_nobody_reads(void **state)
{
    static const struct fake_answer script[] = {
        LIST_5, { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 0);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, FOUR);
    fake_run(&w, 3600000);
    assert_int_equal(0, w.errors[-KINF_ERR_TIMEOUT]);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 100);
    assert_string_equal("initial a@3 add b@6 add c@7 add d@8 add e@9",
                        fake_shown(&w.handler));
    assert_int_equal(2, w.server.requests);
    fake_end_world(&w);
}

static void reloaded(void *ctx)
{
    (void)ctx;
}

/* What a list showed before a break may be gone after it: it is asked for as a
 * new list, which sweeps what it does not hold. */
static void test_a_list_after_a_break_is_a_new_one(void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 200, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":["
          OBJECT("a", "3") ",", FAKE_OPEN, NULL },
        { PAGED, 200, LIST("7", OBJECT("b", "6")), FAKE_WHOLE, NULL },
        { "resourceVersion=7", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 10);
    assert_string_equal("initial a@3", fake_shown(&w.handler));
    kinf_reload(&w.k, reloaded, NULL);
    fake_run(&w, 10);
    assert_string_equal("initial b@6 lost a@3", fake_shown(&w.handler));
    fake_end_world(&w);
}

/* ---- one connection by turns -------------------------------------------- */

static struct kinf_informer second;
static struct kinf_informer_config second_config;
static struct fake_handler second_handler;

static bool tight; /* room for one object and an identity */

/* A second informer on the session of the first. */
static void begin_two(const struct fake_answer *script, size_t count)
{
    fake_prepare(&w);
    w.server.answers = script;
    w.server.count = count;
    w.idle = true;
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    if (tight)
        w.informer.sizes.arena_bytes = 2 * 524 + 100;
    if (tight)
        w.informer.sizes.object_bytes = 512;
    fake_begin(&w);
    memset(&second_handler, 0, sizeof(second_handler));
    second_config = w.informer;
    second_config.resource = (struct kinf_resource)KINF_RESOURCE_SECRETS;
    second_config.memory = malloc(second_config.memory_size);
    kinf_informer_init(&second, &w.k, &second_config);
    kinf_listener_add(&second, &second_handler.listener, &fake_events,
                      &second_handler, KINF_EVERY, 0);
    kinf_start(&w.k);
}

static void end_two(void)
{
    fake_end_world(&w);
    free(second_config.memory);
}

static void test_two_informers_take_turns_on_one_connection(void **state)
{
    static const struct fake_answer script[] = {
        { "configmaps?limit", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE,
          NULL },
        { "secrets?limit", 200, LIST("5", OBJECT("s", "4")), FAKE_WHOLE,
          NULL },
        { "configmaps?watch=1&allowWatchBookmarks=true&timeoutSeconds=10&",
          200, EVENT("ADDED", OBJECT("b", "6")), FAKE_OPEN, NULL },
        { "secrets?watch=1&allowWatchBookmarks=true&timeoutSeconds=10&", 200,
          EVENT("ADDED", OBJECT("t", "7")), FAKE_OPEN, NULL },
    };

    (void)state;
    begin_two(script, COUNT_OF(script));
    fake_run(&w, 10000);
    fake_finish(&w.server); /* its turn is over */
    fake_run(&w, 100);
    assert_string_equal("initial a@3 add b@6", fake_shown(&w.handler));
    assert_string_equal("initial s@4 add t@7", fake_shown(&second_handler));
    assert_int_equal(1, w.server.opens);
    end_two();
}

/* A stuck handler of one costs the other two seconds and a connection. */
static void test_a_turn_that_is_not_read_on_is_lost(void **state)
{
    static const struct fake_answer script[] = {
        { "configmaps?limit", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE,
          NULL },
        { "secrets?limit", 200, LIST("5", OBJECT("s", "4")), FAKE_WHOLE,
          NULL },
        { "configmaps?watch", 200, "", FAKE_OPEN, NULL },
        { "secrets?watch", 200, EVENT("ADDED", OBJECT("t", "7")), FAKE_OPEN,
          NULL },
    };

    (void)state;
    begin_two(script, COUNT_OF(script));
    fake_run(&w, 100);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, FOUR);
    fake_run(&w, CONFIG_KINF_TURN_STUCK_MS - 1);
    assert_int_equal(0, fake_count(&w.server, "secrets?watch"));
    fake_run(&w, 1);
    assert_int_equal(1, fake_count(&w.server, "secrets?watch"));
    assert_string_equal("initial s@4 add t@7", fake_shown(&second_handler));
    assert_int_equal(2, w.server.opens);
    /* Once the handler goes on, the watch comes back and misses nothing. */
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10000);
    fake_finish(&w.server);
    fake_run(&w, 100);
    assert_non_null(strstr(fake_nth(&w.server, 5), "configmaps?watch"));
    end_two();
}

/* The connection is kept and costs nothing until somebody else has a use for
 * it: the other is stuck, too, and wants none. */
static void test_a_stuck_turn_sleeps_until_somebody_joins_the_line(
    void **state)
{
    static const struct fake_answer script[] = {
        { "configmaps?limit", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE,
          NULL },
        { "secrets?limit", 200, LIST("5", OBJECT("s", "4")), FAKE_WHOLE,
          NULL },
        { "configmaps?watch", 200, "", FAKE_OPEN, NULL },
        { "secrets?watch", 200, FOUR, FAKE_OPEN, NULL },
        { "configmaps?watch", 200, FOUR, FAKE_OPEN, NULL },
        { "secrets?watch", 200, EVENT("ADDED", OBJECT("t", "10")), FAKE_OPEN,
          NULL },
    };

    (void)state;
    begin_two(script, COUNT_OF(script));
    fake_run(&w, 10000);
    w.handler.answer = second_handler.answer = KINF_ERR_AGAIN;
    fake_finish(&w.server);
    fake_run(&w, 5 * CONFIG_KINF_TURN_STUCK_MS);
    assert_int_equal(5, w.server.requests);
    assert_in_range(fake_run(&w, 600000), 0, 2);
    second_handler.answer = KINF_OK;
    kinf_listener_resume(&second_handler.listener);
    fake_run(&w, 10);
    assert_int_equal(6, w.server.requests);
    assert_non_null(strstr(second_handler.log, "add t@10"));
    end_two();
}

#define C400 C100 C100 C100 C100
#define BIG(name, version) META(name, "u", version, ",\"x\":\"" C400 "\"")

/* A fetch, too, is given up when its answer cannot be read and somebody waits:
 * the handler's ring and the FIFO are full while it comes. */
static void test_a_fetch_that_is_not_read_on_is_given_up_for_others(
    void **state)
{
    static const struct fake_answer script[] = {
        { "configmaps?limit", 200, LIST("5", BIG("a", "1") "," BIG("b", "4")),
          FAKE_WHOLE, NULL },
        { "secrets?limit", 200, LIST("5", OBJECT("s", "4")), FAKE_WHOLE,
          NULL },
        { "configmaps?watch", 200, "", FAKE_OPEN, NULL },
        { "secrets?watch", 200, BOOKMARK("6"), FAKE_OPEN, NULL },
        { "configmaps/b", 200, BIG("b", "4"), FAKE_WHOLE, NULL },
        { "secrets?watch", 200, EVENT("ADDED", OBJECT("t", "7")), FAKE_OPEN,
          NULL },
    };
    uint32_t asked_ms;

    (void)state;
    tight = true;
    begin_two(script, COUNT_OF(script));
    tight = false;
    fake_run(&w, 100);
    assert_string_equal("initial a@1 truncated b@4", fake_shown(&w.handler));
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, EVENT("MODIFIED", BIG("a", "6")));
    fake_push(&w.server, EVENT("DELETED", BIG("a", "7")));
    fake_run(&w, 9000);
    fake_finish(&w.server);
    fake_run(&w, 10000); /* the other's turn */
    assert_int_equal(4, w.server.requests);
    fake_finish(&w.server);
    for (asked_ms = 0; w.server.requests < 6 && asked_ms < 60000; asked_ms++)
        fake_run(&w, 1);
    assert_in_range(asked_ms, CONFIG_KINF_TURN_STUCK_MS,
                    CONFIG_KINF_TURN_STUCK_MS + 10);
    fake_run(&w, 10);
    assert_string_equal("initial s@4 add t@7", fake_shown(&second_handler));
    end_two();
}

/* ---- from outside ------------------------------------------------------- */

static void stop_on_error(void *ctx, int err, int http_status,
                          struct kinf_span message,
                          const struct kinf_object *object)
{
    (void)ctx;
    (void)err;
    (void)http_status;
    (void)message;
    (void)object;
    kinf_informer_stop(&w.inf);
}

static void test_an_informer_may_be_stopped_by_who_hears_of_an_error(
    void **state)
{
    static const struct fake_answer script[] = {
        LIST_5, { WATCH, 200, EVENT("STRANGE", OBJECT("c", "6"))
                 EVENT("ADDED", OBJECT("d", "7")), FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.on_error = stop_on_error;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_int_equal(KINF_INFORMER_STOPPED, fake_status(&w).phase);
    assert_null(strstr(w.handler.log, "d@7")); /* nobody is called again */
    assert_false(w.server.open);
    fake_end_world(&w);
}

/* A server that does not know limits answers a probe with all it has. */
static void test_a_probe_with_a_long_answer_is_read_over(void **state)
{
    static char body[32768];
    static const struct fake_answer script[] = {
        LIST_5, { WATCH, 200, "", FAKE_OPEN, NULL },
    };
    static const struct fake_answer probe = { "limit=1", 200, body,
                                              FAKE_WHOLE, NULL };
    size_t len;

    (void)state;
    len = (size_t)sprintf(body, "{\"metadata\":{\"resourceVersion\":\"5\"},"
                          "\"items\":[{}");
    for (int i = 0; i < 300; i++)
        len += (size_t)sprintf(body + len, ",{\"metadata\":{\"name\":\"n%d\"}}",
                               i);
    sprintf(body + len, "]}");
    fake_prepare(&w);
    w.with_single = true;
    FAKE_PLAY(&w.server, script);
    w.second.answers = &probe;
    w.second.count = 1;
    fake_begin(&w);
    fake_run(&w, CONFIG_KINF_DOUBT_MS + 100);
    assert_int_equal(1, w.second.requests);
    assert_int_equal(KINF_INFORMER_WATCHING, fake_status(&w).phase);
    assert_int_equal(1, fake_status(&w).entries.used);
    fake_end_world(&w);
}

/* ---- status ------------------------------------------------------------- */

static void test_each_phase_is_told(void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 200, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[",
          FAKE_OPEN, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.idle = true;
    FAKE_PLAY(&w.server, script);
    w.server.open_turns = 3;
    fake_begin(&w);
    assert_int_equal(KINF_INFORMER_NEW, fake_status(&w).phase);
    assert_int_equal(UINT32_MAX, fake_status(&w).last_contact_ms);
    assert_int_equal(UINT32_MAX, fake_status(&w).stale_ms);
    kinf_start(&w.k);
    kinf_poll(&w.k);
    assert_int_equal(KINF_INFORMER_CONNECTING, fake_status(&w).phase);
    w.server.open_turns = 0;
    fake_run(&w, 1000);
    assert_int_equal(KINF_INFORMER_LISTING, fake_status(&w).phase);
    fake_push(&w.server, OBJECT("a", "3") "]}");
    fake_finish(&w.server);
    fake_run(&w, 0);
    assert_int_equal(KINF_INFORMER_WATCHING, fake_status(&w).phase);
    assert_int_equal(0, fake_status(&w).stale_ms);
    fake_run(&w, 1000);
    assert_int_equal(1000, fake_status(&w).last_contact_ms);
    fake_cut(&w.server);
    fake_run(&w, 10);
    assert_int_equal(KINF_INFORMER_BACKOFF, fake_status(&w).phase);
    assert_int_equal(1010, fake_status(&w).stale_ms);
    kinf_informer_stop(&w.inf);
    assert_int_equal(KINF_INFORMER_STOPPED, fake_status(&w).phase);
    fake_run(&w, 0);
    assert_int_equal(KINF_INFORMER_STOPPED, fake_status(&w).phase);
    fake_end_world(&w);
}

static void test_a_streaming_list_is_a_phase(void **state)
{
    static const struct fake_answer script[] = {
        { "sendInitialEvents", 200, EVENT("ADDED", OBJECT("a", "3")),
          FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_int_equal(KINF_INFORMER_STREAMING, fake_status(&w).phase);
    assert_false(kinf_informer_synced(&w.inf));
    fake_end_world(&w);
}

/* The watch runs, but the list before it waits for a handler. */
static void test_before_all_of_the_list_is_applied_the_cache_is_stale(
    void **state)
{
    static const struct fake_answer script[] = {
        { PAGED, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.ring = 1;
    FAKE_PLAY(&w.server, script);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_int_equal(KINF_INFORMER_WATCHING, fake_status(&w).phase);
    assert_false(fake_status(&w).synced);
    assert_int_equal(1000, fake_status(&w).stale_ms);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_true(fake_status(&w).synced);
    assert_int_equal(0, fake_status(&w).stale_ms);
    fake_end_world(&w);
}

/* ---- sleeping ----------------------------------------------------------- */

/* Beyond what arrives: at most once a minute, over hours, with bookmarks and
 * watches as a server has them. */
static void test_an_idle_watch_wakes_at_most_once_a_minute(void **state)
{
    static struct fake_answer script[128];
    unsigned polls = 0, arrivals = 0, minutes = 6 * 60;

    (void)state;
    script[0] = (struct fake_answer)LIST_5;
    for (size_t i = 1; i < COUNT_OF(script); i++)
        script[i] = (struct fake_answer){ NULL, 200, BOOKMARK("5"), FAKE_OPEN,
                                          NULL };
    begin(script, COUNT_OF(script));
    fake_run(&w, 1000);
    for (unsigned minute = 0; minute < minutes; minute++) {
        unsigned requests = w.server.requests;

        polls += fake_run(&w, 60000) - 1; /* the first is ours */
        if (minute % 5 == 4)
            fake_finish(&w.server); /* the server ends the watch */
        else
            fake_push(&w.server, BOOKMARK("5"));
        polls += fake_run(&w, 0) - 1;
        arrivals += 1 + w.server.requests - requests;
    }
    assert_true(polls > 0);
    assert_in_range(polls, 1, minutes + 4 * arrivals);
    /* Without anything that arrives: */
    polls = fake_run(&w, 60000) - 1;
    assert_in_range(polls, 0, 2);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_is_followed_by_a_watch_from_its_version),
        cmocka_unit_test(test_pages_are_one_list_and_its_first_version_counts),
        cmocka_unit_test(
            test_the_version_of_a_list_may_come_with_a_later_page),
        cmocka_unit_test(
            test_a_watch_that_lasted_is_followed_by_the_next_at_once),
        cmocka_unit_test(test_a_watch_is_ended_when_the_server_does_not),
        cmocka_unit_test(
            test_a_watch_lasts_from_once_to_twice_the_configured_time),
        cmocka_unit_test(test_a_short_watch_is_an_error),
        cmocka_unit_test(
            test_a_list_whose_token_or_version_cannot_be_held_is_told),
        cmocka_unit_test(test_each_part_of_an_answer_has_its_deadline),
        cmocka_unit_test(test_an_object_that_drips_has_its_limit),
        cmocka_unit_test(test_deadlines_stand_still_while_nobody_reads),
        cmocka_unit_test(test_a_list_after_a_break_is_a_new_one),
        cmocka_unit_test(test_two_informers_take_turns_on_one_connection),
        cmocka_unit_test(test_a_turn_that_is_not_read_on_is_lost),
        cmocka_unit_test(
            test_a_stuck_turn_sleeps_until_somebody_joins_the_line),
        cmocka_unit_test(
            test_a_fetch_that_is_not_read_on_is_given_up_for_others),
        cmocka_unit_test(
            test_an_informer_may_be_stopped_by_who_hears_of_an_error),
        cmocka_unit_test(test_a_probe_with_a_long_answer_is_read_over),
        cmocka_unit_test(test_each_phase_is_told),
        cmocka_unit_test(test_a_streaming_list_is_a_phase),
        cmocka_unit_test(
            test_before_all_of_the_list_is_applied_the_cache_is_stale),
        cmocka_unit_test(test_an_idle_watch_wakes_at_most_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
