/* SPDX-License-Identifier: Apache-2.0 */
/* test_processor.c - handlers at their own pace: every step or the latest,
 * late ones, resyncs, filters, "not now", and what is legal from inside. */
#include "fake.h"

static struct fake_world w;
static struct fake_handler late;

#define WATCH "watch=1"

/* Begins with a list of a@3 and b@4, and an open watch. */
static void begin(enum kinf_mode mode, uint32_t resync_ms)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { WATCH, 200, BOOKMARK("5"), FAKE_OPEN, NULL },
    };

    fake_prepare(&w);
    memset(&late, 0, sizeof(late));
    w.mode = mode;
    w.resync_ms = resync_ms;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
}

static void add_late(enum kinf_mode mode, uint32_t resync_ms)
{
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w.inf, &late.listener, &fake_events,
                                          &late, mode, resync_ms));
}

static void events(const char *body)
{
    fake_push(&w.server, body);
    fake_run(&w, 10);
}

/* ---- every and latest --------------------------------------------------- */

static void test_every_shows_each_step_and_latest_the_outcome(void **state)
{
    static const struct {
        const char *events, *every, *latest;
    } cases[] = {
        { EVENT("MODIFIED", OBJECT("a", "6"))
          EVENT("MODIFIED", OBJECT("a", "7"))
          EVENT("MODIFIED", OBJECT("a", "8")),
          "update a@3>6 update a@6>7 update a@7>8", "update a@>8" },
        { EVENT("DELETED", OBJECT("a", "6")), "delete a@3", "delete a@" },
        { EVENT("DELETED", OBJECT("a", "6"))
          EVENT("ADDED", META("a", "u2", "7", "")), "delete a@3 add a@7",
          "delete a@3 add a@7" },
        { EVENT("ADDED", OBJECT("c", "6")) EVENT("DELETED", OBJECT("c", "7")),
          "add c@6 delete c@6", "" }, /* never shown and gone is nothing */
        { EVENT("MODIFIED", OBJECT("b", "6"))
          EVENT("MODIFIED", OBJECT("a", "7"))
          EVENT("MODIFIED", OBJECT("b", "8")),
          "update b@4>6 update a@3>7 update b@6>8",
          "update b@>8 update a@>7" }, /* b keeps its place in line */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(KINF_EVERY, 0);
        add_late(KINF_LATEST, 0);
        fake_run(&w, 100);
        fake_shown(&w.handler);
        fake_shown(&late);
        late.answer = KINF_ERR_AGAIN; /* it is slow */
        events(cases[i].events);
        assert_string_equal(cases[i].every, fake_shown(&w.handler));
        late.answer = KINF_OK;
        kinf_listener_resume(&late.listener);
        fake_run(&w, 10);
        if (strncmp(cases[i].latest, "delete", 6) == 0)
            assert_memory_equal("delete a@", late.log, 9);
        else
            assert_string_equal(cases[i].latest, fake_shown(&late));
        fake_end_world(&w);
    }
}

static void test_a_slow_handler_holds_up_the_others_only_at_its_rings_end(
    void **state)
{
    (void)state;
    begin(KINF_EVERY, 0);
    add_late(KINF_EVERY, 0);
    fake_run(&w, 100);
    fake_shown(&w.handler);
    fake_shown(&late);
    w.handler.answer = KINF_ERR_AGAIN;
    events(EVENT("ADDED", OBJECT("c", "6")) EVENT("ADDED", OBJECT("d", "7"))
           EVENT("ADDED", OBJECT("e", "8")) EVENT("ADDED", OBJECT("f", "9"))
           EVENT("ADDED", OBJECT("g", "10")));
    assert_string_equal("add c@6 add d@7 add e@8 add f@9", fake_shown(&late));
    assert_true(fake_status(&w).handler_stuck);
    assert_ptr_equal(&w.handler.listener, fake_status(&w).stuck);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_string_equal("add g@10", fake_shown(&late));
    assert_string_equal("add c@6 add d@7 add e@8 add f@9 add g@10",
                        fake_shown(&w.handler));
    assert_false(fake_status(&w).handler_stuck);
    fake_end_world(&w);
}

/* ---- not now ------------------------------------------------------------ */

static void test_not_now_comes_with_a_time_or_waits_to_be_resumed(void **state)
{
    (void)state;
    begin(KINF_EVERY, 0);
    fake_run(&w, 100);
    fake_shown(&w.handler);
    w.handler.answer = 250;
    w.handler.calls = 0;
    events(EVENT("MODIFIED", OBJECT("a", "6")));
    assert_int_equal(1, w.handler.calls);
    fake_run(&w, 239);
    assert_int_equal(1, w.handler.calls);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_run(&w, 1);
    assert_int_equal(2, w.handler.calls);
    fake_run(&w, 3000);
    assert_int_equal(2, w.handler.calls);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 0);
    assert_string_equal("update a@3>6", fake_shown(&w.handler));
    fake_end_world(&w);
}

/* ---- late handlers and resyncs ------------------------------------------ */

static void test_a_late_handler_gets_the_cache_and_then_what_happens(
    void **state)
{
    static const enum kinf_mode modes[] = { KINF_EVERY, KINF_LATEST };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        begin(KINF_EVERY, 0);
        fake_run(&w, 100);
        add_late(modes[i], 0);
        assert_false(kinf_listener_synced(&late.listener));
        fake_run(&w, 10);
        events(EVENT("ADDED", OBJECT("c", "6")));
        assert_string_equal("initial a@3 initial b@4 add c@6",
                            fake_shown(&late));
        assert_true(kinf_listener_synced(&late.listener));
        fake_end_world(&w);
    }
}

/* No gap and no double, while events come at each step of its cursor. */
static void test_a_late_handler_under_load_sees_each_key_once(void **state)
{
    static const enum kinf_mode modes[] = { KINF_EVERY, KINF_LATEST };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        char text[256];

        begin(KINF_EVERY, 0);
        w.handler.log[0] = '\0';
        fake_run(&w, 100);
        add_late(modes[i], 0);
        for (int n = 6; n < 30; n++) {
            snprintf(text, sizeof(text),
                     "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{"
                     "\"name\":\"%c\",\"uid\":\"u-%c\",\"resourceVersion\":"
                     "\"%d\"}}}\n", 'a' + n % 3, 'a' + n % 3, n);
            fake_push(&w.server, text);
            kinf_poll(&w.k);
        }
        fake_run(&w, 100);
        /* Its first word of a key is an add, and there is one for each. */
        for (char key = 'a'; key <= 'c'; key++) {
            const char *first;

            snprintf(text, sizeof(text), " %c@", key);
            first = strstr(late.log, text);
            assert_non_null(first);
            while (first > late.log && first[-1] != ' ')
                first--;
            assert_true(strncmp(first, "initial", 7) == 0 ||
                        strncmp(first, "add", 3) == 0);
            snprintf(text, sizeof(text), "add %c@", key);
            assert_true(strstr(late.log, text) == NULL ||
                        strstr(strstr(late.log, text) + 1, text) == NULL);
        }
        assert_non_null(strstr(late.log, "27 ")); /* the final states */
        assert_non_null(strstr(late.log, "28 "));
        assert_non_null(strstr(late.log, "29 "));
        fake_end_world(&w);
    }
}

static void test_a_resync_shows_each_object_again_on_time(void **state)
{
    static const enum kinf_mode modes[] = { KINF_EVERY, KINF_LATEST };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        bool every = modes[i] == KINF_EVERY;

        begin(modes[i], 10000);
        fake_run(&w, 100);
        assert_string_equal("initial a@3 initial b@4", fake_shown(&w.handler));
        fake_run(&w, 9899);
        assert_string_equal("", fake_shown(&w.handler));
        fake_run(&w, 1);
        assert_string_equal(every ? "update a@3>3 update b@4>4"
                                  : "update a@>3 update b@>4",
                            fake_shown(&w.handler));
        fake_now_ms += 25000; /* a late poll makes one of two */
        fake_run(&w, 0);
        assert_string_equal(every ? "update a@3>3 update b@4>4"
                                  : "update a@>3 update b@>4",
                            fake_shown(&w.handler));
        fake_end_world(&w);
    }
}

/* A resync never overtakes a queued event of its key. */
static void test_a_resync_passes_over_a_key_with_something_queued(void **state)
{
    (void)state;
    begin(KINF_EVERY, 1000);
    fake_run(&w, 999);
    fake_shown(&w.handler);
    w.handler.answer = 200; /* so that the FIFO fills */
    fake_push(&w.server,
              EVENT("MODIFIED", OBJECT("a", "6"))
              EVENT("MODIFIED", OBJECT("a", "7"))
              EVENT("MODIFIED", OBJECT("a", "8"))
              EVENT("MODIFIED", OBJECT("a", "9"))
              EVENT("MODIFIED", OBJECT("a", "10"))
              EVENT("MODIFIED", OBJECT("a", "11")));
    fake_run(&w, 100);
    w.handler.answer = KINF_OK;
    fake_run(&w, 500);
    {
        const char *shown = fake_shown(&w.handler);
        const char *before = "update a@3>6 update a@6>7 update a@7>8";

        /* Each old state is the one shown last: order was kept. */
        assert_memory_equal(before, shown, strlen(before));
        assert_non_null(strstr(shown, "update b@4>4"));
        assert_non_null(strstr(shown, "update a@10>11"));
    }
    fake_end_world(&w);
}

/* ---- filters ------------------------------------------------------------ */

static bool odd(const struct kinf_object *o)
{
    size_t last = o->resource_version.len - 1;

    return o->resource_version.ptr[last] % 2 != 0;
}

static void test_a_change_of_a_filters_answer_is_an_add_or_delete(void **state)
{
    static const enum kinf_mode modes[] = { KINF_EVERY, KINF_LATEST };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        bool every = modes[i] == KINF_EVERY;

        begin(KINF_EVERY, 0);
        late.passes = odd;
        kinf_listener_add(&w.inf, &late.listener, &fake_filtered, &late,
                          modes[i], 0);
        fake_run(&w, 100);
        assert_string_equal("initial a@3", fake_shown(&late));
        events(EVENT("MODIFIED", OBJECT("a", "7")));
        assert_string_equal(every ? "update a@3>7" : "update a@>7",
                            fake_shown(&late));
        events(EVENT("MODIFIED", OBJECT("a", "8")));
        assert_string_equal(every ? "delete a@7" : "delete a@8",
                            fake_shown(&late));
        events(EVENT("MODIFIED", OBJECT("a", "10")));
        assert_string_equal("", fake_shown(&late));
        events(EVENT("MODIFIED", OBJECT("a", "11")));
        assert_string_equal("add a@11", fake_shown(&late));
        events(EVENT("DELETED", OBJECT("b", "12")));
        assert_string_equal("", fake_shown(&late));
        fake_end_world(&w);
    }
}

/* ---- from inside -------------------------------------------------------- */

/* What a handler does when it is called. */
static enum deed { NOTHING, REMOVE_ITSELF, REMOVE_OTHER, ADD, STOP } deed;
static struct fake_handler other;
static unsigned inside_calls;

static int inside(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)object;
    (void)initial;
    inside_calls++;
    switch (deed) {
    case REMOVE_ITSELF:
        kinf_listener_remove(&late.listener);
        assert_false(kinf_listener_gone(&late.listener));
        break;
    case REMOVE_OTHER:
        kinf_listener_remove(&other.listener);
        break;
    case ADD:
        kinf_listener_add(&w.inf, &other.listener, &fake_events, &other,
                          KINF_EVERY, 0);
        break;
    case STOP:
        kinf_informer_stop(&w.inf);
        break;
    case NOTHING:
    default:
        break;
    }
    /* Its object is good until it returns. */
    assert_int_equal(1, object->name.len);
    return KINF_OK;
}

static int ignore_update(void *ctx, const struct kinf_object *was,
                         const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    (void)object;
    inside_calls++;
    return KINF_OK;
}

static int ignore_delete(void *ctx, const struct kinf_object *was,
                         bool unknown)
{
    (void)ctx;
    (void)was;
    (void)unknown;
    inside_calls++;
    return KINF_OK;
}

static const struct kinf_event_handler deeds = {
    inside, ignore_update, ignore_delete, ignore_update, NULL
};

static void act(enum deed what, enum kinf_mode mode)
{
    begin(KINF_EVERY, 0);
    fake_run(&w, 100);
    fake_shown(&w.handler);
    memset(&other, 0, sizeof(other));
    inside_calls = 0;
    deed = what;
    w.informer.sizes.every = 3;
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w.inf, &late.listener, &deeds,
                                          &late, mode, 0));
}

static void test_a_handler_removed_from_inside_itself_is_called_no_more(
    void **state)
{
    static const enum kinf_mode modes[] = { KINF_EVERY, KINF_LATEST };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        act(REMOVE_ITSELF, modes[i]);
        fake_run(&w, 100);
        assert_int_equal(1, inside_calls);
        assert_true(kinf_listener_gone(&late.listener));
        events(EVENT("ADDED", OBJECT("c", "6")));
        assert_int_equal(1, inside_calls);
        assert_string_equal("add c@6", fake_shown(&w.handler));
        deed = NOTHING;
        add_late(modes[i], 0); /* its place is free again */
        fake_end_world(&w);
    }
}

static void test_a_handler_may_remove_another(void **state)
{
    (void)state;
    act(REMOVE_OTHER, KINF_LATEST);
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w.inf, &other.listener,
                                          &fake_events, &other, KINF_EVERY,
                                          0));
    fake_run(&w, 100);
    assert_true(kinf_listener_gone(&other.listener));
    assert_true(other.calls <= 1);
    fake_end_world(&w);
}

static void test_a_handler_may_add_another(void **state)
{
    (void)state;
    act(ADD, KINF_LATEST);
    fake_run(&w, 100);
    assert_string_equal("initial a@3 initial b@4", fake_shown(&other));
    deed = NOTHING;
    fake_end_world(&w);
}

static void test_a_handler_may_stop_the_informer(void **state)
{
    (void)state;
    act(STOP, KINF_EVERY);
    fake_run(&w, 100);
    assert_int_equal(1, inside_calls);
    assert_true(kinf_listener_gone(&late.listener));
    assert_int_equal(KINF_INFORMER_STOPPED, fake_status(&w).phase);
    assert_int_equal(1, w.server.closes);
    EXPECT_ERR(KINF_ERR_STOPPED,
               kinf_listener_add(&w.inf, &other.listener, &fake_events,
                                 &other, KINF_EVERY, 0));
    fake_end_world(&w);
}

/* ---- limits ------------------------------------------------------------- */

static void test_nobody_is_added_to_an_informer_that_is_stopped(void **state)
{
    (void)state;
    begin(KINF_EVERY, 0);
    kinf_informer_stop(&w.inf);
    EXPECT_ERR(KINF_ERR_STOPPED,
               kinf_listener_add(&w.inf, &late.listener, &fake_events, &late,
                                 KINF_EVERY, 0));
    fake_run(&w, 10);
    fake_end_world(&w);
}

static void test_there_are_as_many_handlers_as_places(void **state)
{
    struct fake_handler more[3];

    (void)state;
    begin(KINF_EVERY, 0);
    memset(more, 0, sizeof(more));
    add_late(KINF_EVERY, 0);
    EXPECT_ERR(KINF_ERR_FULL,
               kinf_listener_add(&w.inf, &more[0].listener, &fake_events,
                                 &more[0], KINF_EVERY, 0));
    for (int i = 0; i < 3; i++)
        EXPECT_ERR(i < 2 ? KINF_OK : KINF_ERR_FULL,
                   kinf_listener_add(&w.inf, &more[i].listener, &fake_events,
                                     &more[i], KINF_LATEST, 0));
    fake_run(&w, 100);
    fake_end_world(&w);
}

static void test_a_handler_is_removed_once_and_with_what_it_had_not_seen(
    void **state)
{
    static const enum kinf_mode modes[] = { KINF_EVERY, KINF_LATEST };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        begin(KINF_EVERY, 0);
        add_late(modes[i], 0);
        late.answer = KINF_ERR_AGAIN;
        fake_run(&w, 100);
        events(EVENT("DELETED", OBJECT("a", "6"))
               EVENT("MODIFIED", OBJECT("b", "7")));
        kinf_listener_remove(&late.listener);
        kinf_listener_remove(&late.listener);
        fake_run(&w, 100);
        assert_true(kinf_listener_gone(&late.listener));
        kinf_listener_remove(&late.listener); /* is the caller's */
        kinf_listener_resume(&late.listener);
        assert_int_equal(1, fake_status(&w).entries.used);
        assert_int_equal(1, fake_status(&w).objects.used);
        fake_end_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_shows_each_step_and_latest_the_outcome),
        cmocka_unit_test(
            test_a_slow_handler_holds_up_the_others_only_at_its_rings_end),
        cmocka_unit_test(
            test_not_now_comes_with_a_time_or_waits_to_be_resumed),
        cmocka_unit_test(
            test_a_late_handler_gets_the_cache_and_then_what_happens),
        cmocka_unit_test(
            test_a_late_handler_under_load_sees_each_key_once),
        cmocka_unit_test(test_a_resync_shows_each_object_again_on_time),
        cmocka_unit_test(
            test_a_resync_passes_over_a_key_with_something_queued),
        cmocka_unit_test(
            test_a_change_of_a_filters_answer_is_an_add_or_delete),
        cmocka_unit_test(
            test_a_handler_removed_from_inside_itself_is_called_no_more),
        cmocka_unit_test(test_a_handler_may_remove_another),
        cmocka_unit_test(test_a_handler_may_add_another),
        cmocka_unit_test(test_a_handler_may_stop_the_informer),
        cmocka_unit_test(
            test_nobody_is_added_to_an_informer_that_is_stopped),
        cmocka_unit_test(test_there_are_as_many_handlers_as_places),
        cmocka_unit_test(
            test_a_handler_is_removed_once_and_with_what_it_had_not_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
