/* SPDX-License-Identifier: Apache-2.0 */
/* test_client_go.c - scenarios of client-go's own tests that no other suite
 * here holds; tests/client-go.md says which is which. */
#include "fake.h"

#define WATCH "watch=1"
#define LISTED(body)                                                           \
    {                                                                          \
        "limit=", 200, (body), FAKE_WHOLE, NULL                                \
    }
#define WATCHED(body)                                                          \
    {                                                                          \
        WATCH, 200, (body), FAKE_OPEN, NULL                                    \
    }

static struct fake_world w;

static void begin(const struct fake_answer *script, size_t count)
{
    fake_prepare(&w);
    w.server.answers = script;
    w.server.count = count;
    fake_begin(&w);
    fake_run(&w, 10);
}

/* TestReflectorListAndWatchWithErrors */
static void test_the_cache_survives_errors_of_list_and_watch(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("1", "")),
        { WATCH, 200,
          EVENT("ADDED", OBJECT("foo", "2")) EVENT("ADDED", OBJECT("bar", "3"))
              ERROR_EVENT(410),
          FAKE_WHOLE, NULL },
        LISTED(LIST("3", OBJECT("foo", "2") "," OBJECT("bar", "3"))),
        { WATCH, 200,
          EVENT("DELETED", OBJECT("foo", "4"))
              EVENT("ADDED", OBJECT("qux", "5")) ERROR_EVENT(410),
          FAKE_WHOLE, NULL },
        { "limit=", 500, STATUS(500), FAKE_WHOLE, NULL },
        LISTED(LIST("5", OBJECT("bar", "3") "," OBJECT("qux", "5"))),
        { WATCH, 500, STATUS(500), FAKE_WHOLE, NULL },
        { "resourceVersion=5", 200, EVENT("ADDED", OBJECT("baz", "6")),
          FAKE_OPEN, NULL }
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 20000);
    assert_string_equal("add foo@2 add bar@3 delete foo@2 add qux@5 add baz@6",
                        fake_shown(&w.handler));
    assert_int_equal(3, fake_status(&w).entries.used);
    fake_end_world(&w);
}

/* TestRealFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue: b is queued, has
 * not reached the store, and the list that follows does not hold it. */
static void test_a_list_deletes_what_was_only_queued(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("1", OBJECT("a", "1"))),
        { WATCH, 200,
          EVENT("MODIFIED", OBJECT("a", "2")) EVENT("ADDED", OBJECT("b", "3"))
              ERROR_EVENT(410),
          FAKE_WHOLE, NULL },
        LISTED(LIST("4", OBJECT("a", "2"))),
        WATCHED("")
    };

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.ring = 1;
    w.server.answers = script;
    w.server.count = COUNT_OF(script);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_begin(&w);
    fake_run(&w, 10000);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10000);
    assert_string_equal("initial a@1 update a@1>2 add b@3 lost b@3",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

/* TestRealFIFO_replaceWithDeleteDeltaIn: deleted, and there again in the list
 * that follows. */
static void test_a_list_brings_back_what_is_queued_as_deleted(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("1", OBJECT("foo", "1"))),
        { WATCH, 200, EVENT("DELETED", OBJECT("foo", "10")) ERROR_EVENT(410),
          FAKE_WHOLE, NULL },
        LISTED(LIST("11", META("foo", "new", "11", ""))),
        WATCHED("")
    };

    (void)state;
    fake_prepare(&w);
    w.server.answers = script;
    w.server.count = COUNT_OF(script);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_begin(&w);
    fake_run(&w, 10000);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10000);
    assert_string_equal("initial foo@1 delete foo@1 add foo@11",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

/* TestRealFIFO_HasSynced, the table's rows: nothing yet; an empty list; a list
 * whose items have not been popped; and popped. */
static void test_synced_is_when_the_first_list_has_been_applied(void **state)
{
    static const struct fake_answer nothing[] = { LISTED(LIST("1", "")),
                                                  WATCHED("") };
    static const struct fake_answer two[] = {
        LISTED(LIST("1", OBJECT("a", "1") "," OBJECT("b", "1"))), WATCHED("")
    };

    (void)state;
    fake_prepare(&w);
    fake_begin(&w);
    fake_run(&w, 10);
    assert_false(kinf_informer_synced(&w.inf));
    assert_false(kinf_listener_synced(&w.handler.listener));
    fake_end_world(&w);

    begin(nothing, COUNT_OF(nothing));
    assert_true(kinf_informer_synced(&w.inf));
    assert_true(kinf_listener_synced(&w.handler.listener));
    fake_end_world(&w);

    fake_prepare(&w);
    w.informer.sizes.ring = 1;
    FAKE_PLAY(&w.server, two);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_begin(&w);
    fake_run(&w, 1000);
    assert_false(kinf_informer_synced(&w.inf)); /* b waits for a's handler */
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_true(kinf_informer_synced(&w.inf));
    assert_true(kinf_listener_synced(&w.handler.listener));
    fake_end_world(&w);
}

/* TestSharedInformerMultipleRegistration */
static void test_one_handler_may_be_registered_twice(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("1", OBJECT("a", "1"))), WATCHED("")
    };
    static struct fake_handler again;

    (void)state;
    begin(script, COUNT_OF(script));
    again = (struct fake_handler){ .answer = KINF_OK };
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w.inf, &again.listener, &fake_events,
                                          &again, KINF_EVERY, 0));
    fake_run(&w, 10);
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "2")));
    fake_run(&w, 10);
    assert_string_equal("initial a@1 update a@1>2", fake_shown(&w.handler));
    assert_string_equal("initial a@1 update a@1>2", fake_shown(&again));
    kinf_listener_remove(&again.listener);
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "3")));
    fake_run(&w, 10);
    assert_string_equal("update a@2>3", fake_shown(&w.handler));
    assert_string_equal("", fake_shown(&again));
    assert_true(kinf_listener_gone(&again.listener));
    fake_end_world(&w);
}

/* TestWatchList, "checks if the reflector retries 429": no other kind of list
 * follows it. */
static void test_a_busy_server_is_asked_for_a_stream_again(void **state)
{
    static const struct fake_answer script[] = {
        { "sendInitialEvents", 429, STATUS(429), FAKE_WHOLE, NULL },
        { "sendInitialEvents", 200,
          EVENT("ADDED", OBJECT("p1", "1")) INITIAL_END("2"), FAKE_OPEN, NULL }
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 5000);
    assert_string_equal("initial p1@1", fake_shown(&w.handler));
    assert_int_equal(2, fake_count(&w.server, "sendInitialEvents"));
    assert_int_equal(0, fake_count(&w.server, "limit="));
    fake_end_world(&w);
}

/* TestWatchList, "expiring an established watcher": the next list is a stream
 * again. */
static void test_a_stream_that_expired_is_followed_by_a_stream(void **state)
{
    static const struct fake_answer script[] = {
        { "sendInitialEvents", 200,
          EVENT("ADDED", OBJECT("p1", "1")) INITIAL_END("2")
              EVENT("ADDED", OBJECT("p2", "3")) ERROR_EVENT(410),
          FAKE_WHOLE, NULL },
        { "sendInitialEvents", 200,
          EVENT("ADDED", OBJECT("p2", "3")) INITIAL_END("9"), FAKE_OPEN, NULL }
    };

    (void)state;
    fake_prepare(&w);
    w.informer.streaming = KINF_STREAM_AUTO;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 5000);
    assert_string_equal("initial p1@1 add p2@3 lost p1@1",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

/* TestResetWatch and TestReplaceEvents: what did not change is not shown. */
static void test_a_list_of_what_is_held_shows_nothing(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("1", OBJECT("a", "1") "," OBJECT("b", "1"))),
        { WATCH, 200, ERROR_EVENT(410), FAKE_WHOLE, NULL },
        LISTED(LIST("5", OBJECT("a", "1") "," OBJECT("b", "4"))),
        WATCHED("")
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 5000);
    assert_string_equal("initial a@1 initial b@1 update b@1>4",
                        fake_shown(&w.handler));
    assert_int_equal(1, fake_status(&w).unchanged);
    fake_end_world(&w);
}

/* TestDeltaFIFO_DeleteExistingNonPropagated */
static void test_a_delete_of_what_is_not_held_shows_nothing(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("1", "")),
        WATCHED(EVENT("DELETED", OBJECT("x", "2")) EVENT(
            "ADDED", OBJECT("x", "3")) EVENT("DELETED", OBJECT("x", "4")))
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_run(&w, 10);
    assert_string_equal("add x@3 delete x@3", fake_shown(&w.handler));
    assert_int_equal(0, fake_status(&w).entries.used);
    fake_end_world(&w);
}

/* TestStoreResourceVersion */
static void test_the_version_stored_is_that_of_what_was_applied(void **state)
{
    static const struct fake_answer script[] = {
        LISTED(LIST("10", OBJECT("a", "1"))), WATCHED("")
    };
    struct kinf_status s;

    (void)state;
    begin(script, COUNT_OF(script));
    s = fake_status(&w);
    assert_memory_equal("10", s.version_stored.ptr, s.version_stored.len);
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "12")));
    fake_run(&w, 10);
    s = fake_status(&w);
    assert_memory_equal("12", s.version_stored.ptr, s.version_stored.len);
    fake_push(&w.server, BOOKMARK("15"));
    fake_run(&w, 10);
    s = fake_status(&w);
    assert_int_equal(2, s.version_stored.len);
    assert_memory_equal("15", s.version_stored.ptr, 2);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cache_survives_errors_of_list_and_watch),
        cmocka_unit_test(test_a_list_deletes_what_was_only_queued),
        cmocka_unit_test(test_a_list_brings_back_what_is_queued_as_deleted),
        cmocka_unit_test(test_synced_is_when_the_first_list_has_been_applied),
        cmocka_unit_test(test_one_handler_may_be_registered_twice),
        cmocka_unit_test(test_a_busy_server_is_asked_for_a_stream_again),
        cmocka_unit_test(test_a_stream_that_expired_is_followed_by_a_stream),
        cmocka_unit_test(test_a_list_of_what_is_held_shows_nothing),
        cmocka_unit_test(test_a_delete_of_what_is_not_held_shows_nothing),
        cmocka_unit_test(test_the_version_stored_is_that_of_what_was_applied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
