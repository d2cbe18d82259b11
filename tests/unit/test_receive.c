/* SPDX-License-Identifier: Apache-2.0 */
/* test_receive.c - whole items and events into store and FIFO, and what is
 * told of those that cannot be held. */
#include "fake.h"

static struct fake_world w;

#define WATCH "watch=1"
#define C50 "01234567890123456789012345678901234567890123456789"
#define C256 C50 C50 C50 C50 C50 "012345"
static const struct fake_answer list5 = {
    NULL, 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL
};

/* A list of one, and then a watch with this body. */
static void watch(const char *body)
{
    static struct fake_answer script[2];

    script[0] = list5;
    script[1] = (struct fake_answer){ WATCH, 200, body, FAKE_OPEN, NULL };
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
}

/* ---- events ------------------------------------------------------------- */

static void test_the_store_decides_what_an_event_is(void **state)
{
    static const struct {
        const char *events, *shown;
    } cases[] = {
        { EVENT("ADDED", OBJECT("b", "6")), "add b@6" },
        { EVENT("ADDED", OBJECT("a", "6")), "update a@3>6" },
        { EVENT("MODIFIED", OBJECT("b", "6")), "add b@6" },
        { EVENT("MODIFIED", OBJECT("a", "3")), "" }, /* unchanged */
        { EVENT("DELETED", OBJECT("a", "6")), "delete a@3" },
        { EVENT("DELETED", OBJECT("b", "6")), "" }, /* never known */
        { EVENT("DELETED", OBJECT("a", "6")) EVENT("DELETED", OBJECT("a", "7")),
          "delete a@3" },
        { EVENT("MODIFIED", META("a", "u2", "6", "")), "lost a@3 add a@6" },
        { EVENT("DELETED", OBJECT("a", "6"))
          EVENT("ADDED", META("a", "u2", "7", "")), "delete a@3 add a@7" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char expected[128];

        watch(cases[i].events);
        snprintf(expected, sizeof(expected), "initial a@3%s%s",
                 cases[i].shown[0] != '\0' ? " " : "", cases[i].shown);
        assert_string_equal(expected, fake_shown(&w.handler));
        fake_end_world(&w);
    }
}

/* The version moves on by every event, whatever it is worth, so that the same
 * bytes are not asked for for ever. */
static void test_the_version_moves_on_by_every_event(void **state)
{
    static const struct {
        const char *event;
        int told;
    } cases[] = {
        { EVENT("MODIFIED", OBJECT("a", "9")), KINF_OK },
        { EVENT("MODIFIED", META("a", "u-a", "9", "")), KINF_OK },
        { EVENT("DELETED", OBJECT("none", "9")), KINF_OK },
        { BOOKMARK("9"), KINF_OK },
        { EVENT("STRANGE", OBJECT("a", "9")), KINF_ERR_EVENT },
        { EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":\"9\"}}"),
          KINF_ERR_NO_IDENTITY },
        { EVENT("DELETED", "{\"metadata\":{\"resourceVersion\":\"9\"}}"),
          KINF_ERR_NO_IDENTITY },
        { EVENT("ADDED", META(C256, "u", "9", "")), KINF_ERR_NO_IDENTITY },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kinf_status s;

        watch(cases[i].event);
        s = fake_status(&w);
        assert_int_equal(1, s.version_received.len);
        assert_int_equal('9', s.version_received.ptr[0]);
        assert_int_equal('9', s.version_stored.ptr[0]);
        assert_int_equal('9', s.version_delivered.ptr[0]);
        if (cases[i].told != KINF_OK)
            assert_int_equal(1, w.errors[-cases[i].told]);
        fake_end_world(&w);
    }
}

/* Whose object was it? Only a list can tell; and while it cannot either, the
 * cache says that it is not whole, and lists are asked for seldom. */
static void test_an_event_without_a_name_is_followed_by_a_list(void **state)
{
#define NAMELESS "{\"metadata\":{\"resourceVersion\":\"9\"}}"
    static const struct {
        const char *list, *shown;
        bool complete;
    } cases[] = {
        { LIST("9", ""), "initial a@3 lost a@3", true },
        { LIST("9", NAMELESS), "initial a@3", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            { "limit", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
            { "watch", 200, EVENT("DELETED", NAMELESS), FAKE_OPEN, NULL },
            { "limit", 200, cases[i].list, FAKE_WHOLE, NULL },
            { "watch", 200, "", FAKE_OPEN, NULL },
        };

        fake_prepare(&w);
        FAKE_PLAY(&w.server, script);
        fake_begin(&w);
        fake_run(&w, CONFIG_KINF_REPAIR_MS + 1000);
        assert_string_equal(cases[i].shown, fake_shown(&w.handler));
        assert_int_equal(cases[i].complete, fake_status(&w).complete);
        assert_int_equal(2, fake_count(&w.server, "limit"));
        fake_end_world(&w);
    }
}

/* With a bookmark a minute, and a watch that ends in its time. */
static void pass_ten_minutes(void)
{
    for (int minute = 1; minute <= 10; minute++) {
        fake_push(&w.server, BOOKMARK("11"));
        if (minute == 6)
            fake_finish(&w.server);
        fake_run(&w, 60000);
    }
}

/* What has no name may get one, and no event tells that it was this one: until
 * a list is whole, another is asked for each ten minutes. */
static void test_an_incomplete_cache_becomes_whole_again(void **state)
{
    static const struct fake_answer script[] = {
        { "limit", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { "watch", 410, "", FAKE_WHOLE, NULL },
        { "limit", 200, LIST("9", NAMELESS), FAKE_WHOLE, NULL },
        { "watch", 200, "", FAKE_OPEN, NULL },
        { "watch", 200, "", FAKE_OPEN, NULL },
        { "limit", 200, LIST("10", NAMELESS), FAKE_WHOLE, NULL },
        { "watch", 200, EVENT("MODIFIED", OBJECT("b", "11")), FAKE_OPEN,
          NULL },
        { "watch", 200, "", FAKE_OPEN, NULL },
        { "limit", 200, LIST("12", OBJECT("b", "11")), FAKE_WHOLE, NULL },
        { "watch", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_int_equal(2, fake_count(&w.server, "limit"));
    assert_false(fake_status(&w).complete);
    pass_ten_minutes();
    assert_int_equal(3, fake_count(&w.server, "limit"));
    assert_string_equal("initial a@3 add b@11", fake_shown(&w.handler));
    assert_false(fake_status(&w).complete);
    pass_ten_minutes();
    assert_string_equal("lost a@3", fake_shown(&w.handler));
    assert_true(fake_status(&w).complete);
    fake_end_world(&w);
}

static void test_an_event_without_version_leaves_ours(void **state)
{
    static const char *const events[] = {
        EVENT("DELETED", "{\"metadata\":{\"name\":\"none\"}}"),
        EVENT("ADDED", "{\"metadata\":{\"name\":\"b\"}}"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        struct kinf_status s;

        watch(events[i]);
        s = fake_status(&w);
        assert_int_equal('5', s.version_received.ptr[0]);
        fake_end_world(&w);
    }
}

static void test_what_cannot_be_held_is_cut_and_told(void **state)
{
    static const struct {
        const char *object, *shown;
        int told;
    } cases[] = {
        { META("b", C50, "6", ""), "truncated b@6", KINF_ERR_UNREADABLE },
        { META("b", "u", C50, ""), "truncated b@", KINF_ERR_UNREADABLE },
        { META("b", C50, C50, ""), "truncated b@", KINF_ERR_UNREADABLE },
        { META(C256, "u", "6", ""), "", KINF_ERR_NO_IDENTITY },
        { META(C256, C50, C50, ""), "", KINF_ERR_NO_IDENTITY },
        { IN(C256, "b", "6"), "", KINF_ERR_NO_IDENTITY },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[2048];

        snprintf(body, sizeof(body), "{\"type\":\"ADDED\",\"object\":%s}",
                 cases[i].object);
        watch(body);
        fake_shown(&w.handler);
        assert_int_equal(1, w.errors[-cases[i].told]);
        fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "7")));
        fake_run(&w, 10);
        assert_non_null(strstr(fake_shown(&w.handler), "update a@3>7"));
        fake_end_world(&w);
    }
}

static void test_an_error_event_is_a_status(void **state)
{
    static const struct {
        const char *event;
        int told;
    } cases[] = {
        { ERROR_EVENT(410), KINF_ERR_GONE },
        { ERROR_EVENT(500), KINF_ERR_SERVER },
        { EVENT("ERROR", "{}"), KINF_ERR_HTTP_STATUS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        watch(cases[i].event);
        assert_int_equal(1, w.errors[-cases[i].told]);
        fake_end_world(&w);
    }
}

/* ---- lists -------------------------------------------------------------- */

/* A relist after a 410: returns what it showed. */
static const char *relist(const char *body)
{
    static struct fake_answer script[4];

    script[0] = (struct fake_answer){
        NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
        FAKE_WHOLE, NULL
    };
    script[1] = (struct fake_answer){ WATCH, 410, STATUS(410), FAKE_WHOLE,
                                      NULL };
    script[2] = (struct fake_answer){ NULL, 200, body, FAKE_WHOLE, NULL };
    script[3] = (struct fake_answer){ WATCH, 200, "", FAKE_OPEN, NULL };
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    return fake_shown(&w.handler);
}

static void test_a_relist_shows_changes_in_its_order_and_then_deletions(
    void **state)
{
    static const struct {
        const char *body, *shown;
    } cases[] = {
        { LIST("9", OBJECT("a", "3") "," OBJECT("b", "4")), "" },
        { LIST("9", ""), " lost a@3 lost b@4" },
        { LIST("9", OBJECT("c", "8") "," OBJECT("b", "9")),
          " add c@8 update b@4>9 lost a@3" },
        { LIST("9", META("a", "u2", "8", "") "," OBJECT("b", "4")),
          " lost a@3 add a@8" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char expected[128];

        snprintf(expected, sizeof(expected), "initial a@3 initial b@4%s",
                 cases[i].shown);
        assert_string_equal(expected, relist(cases[i].body));
        fake_end_world(&w);
    }
}

/* An item without a readable key might be any of ours. One whose key is too
 * long to be held is none of ours. */
static void test_a_list_with_an_unreadable_key_deletes_nothing_and_says_so(
    void **state)
{
    static const struct {
        const char *item;
        bool complete;
    } cases[] = {
        { "{\"metadata\":{}}", false },
        { "{\"metadata\":{\"name\":1}}", false },
        { META(C256, "u", "6", ""), true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[2048];

        snprintf(body, sizeof(body),
                 "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[%s,"
                 OBJECT("a", "3") "]}", cases[i].item);
        assert_string_equal(cases[i].complete
                                ? "initial a@3 initial b@4 lost b@4"
                                : "initial a@3 initial b@4",
                            relist(body));
        assert_int_equal(cases[i].complete, fake_status(&w).complete);
        assert_int_equal(1, w.errors[-KINF_ERR_NO_IDENTITY]);
        fake_end_world(&w);
    }
}

static void test_changes_in_a_streaming_list_are_honoured(void **state)
{
    static const struct fake_answer script[] = {
        { WATCH, 200,
          EVENT("ADDED", OBJECT("a", "3")) EVENT("ADDED", OBJECT("b", "4"))
          EVENT("MODIFIED", OBJECT("a", "6")) EVENT("DELETED", OBJECT("b", "7"))
          EVENT("DELETED", OBJECT("none", "7")) INITIAL_END("7")
          EVENT("ADDED", OBJECT("c", "8")), FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_string_equal("initial a@3 initial b@4 update a@3>6 delete b@4 "
                        "add c@8", fake_shown(&w.handler));
    assert_int_equal(KINF_INFORMER_WATCHING, fake_status(&w).phase);
    fake_end_world(&w);
}

/* An initial end outside a streaming list is a bookmark. */
static void test_a_second_end_of_the_initial_events_is_a_bookmark(void **state)
{
    (void)state;
    watch(INITIAL_END("8"));
    assert_int_equal('8', fake_status(&w).version_received.ptr[0]);
    assert_int_equal(1, fake_status(&w).lists);
    fake_end_world(&w);
}

/* ---- telling ------------------------------------------------------------ */

static void test_long_words_are_cut_to_what_status_holds(void **state)
{
    (void)state;
    fake_prepare(&w);
    w.server.open_error = KINF_ERR_NAME;
    w.server.reason = C256;
    fake_begin(&w);
    fake_run(&w, 10);
    assert_int_equal(CONFIG_KINF_MESSAGE_BYTES, fake_status(&w).message.len);
    assert_int_equal(1, fake_status(&w).errors[-KINF_ERR_NAME]);
    fake_end_world(&w);
}

static void test_a_counter_of_errors_stops_at_its_largest_value(void **state)
{
    const kinf_count most = (kinf_count)-1;

    (void)state;
    fake_prepare(&w);
    w.server.open_error = KINF_ERR_NAME;
    fake_begin(&w);
    w.inf.counters.errors[-KINF_ERR_NAME] = (kinf_count)(most - 1);
    fake_run(&w, 10000);
    assert_true(w.errors[-KINF_ERR_NAME] > 2);
    assert_int_equal(most, fake_status(&w).errors[-KINF_ERR_NAME]);
    fake_end_world(&w);
}

static void test_nobody_need_be_told(void **state)
{
    (void)state;
    fake_prepare(&w);
    w.informer.on_error = NULL;
    w.server.open_error = KINF_ERR_NAME;
    fake_begin(&w);
    fake_run(&w, 10);
    EXPECT_ERR(KINF_ERR_NAME, fake_status(&w).last_error);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_store_decides_what_an_event_is),
        cmocka_unit_test(test_the_version_moves_on_by_every_event),
        cmocka_unit_test(test_an_event_without_a_name_is_followed_by_a_list),
        cmocka_unit_test(test_an_incomplete_cache_becomes_whole_again),
        cmocka_unit_test(test_an_event_without_version_leaves_ours),
        cmocka_unit_test(test_what_cannot_be_held_is_cut_and_told),
        cmocka_unit_test(test_an_error_event_is_a_status),
        cmocka_unit_test(
            test_a_relist_shows_changes_in_its_order_and_then_deletions),
        cmocka_unit_test(
            test_a_list_with_an_unreadable_key_deletes_nothing_and_says_so),
        cmocka_unit_test(test_changes_in_a_streaming_list_are_honoured),
        cmocka_unit_test(
            test_a_second_end_of_the_initial_events_is_a_bookmark),
        cmocka_unit_test(test_long_words_are_cut_to_what_status_holds),
        cmocka_unit_test(test_a_counter_of_errors_stops_at_its_largest_value),
        cmocka_unit_test(test_nobody_need_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
