/* SPDX-License-Identifier: Apache-2.0 */
/* test_controller.c - from the FIFO to the store: the order of things, sweeps
 * in bounded steps, and what everybody has seen. */
#include "fake.h"

static struct fake_world w;
static struct fake_handler late;

#define WATCH "watch=1"

static const struct fake_answer list5 = {
    NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")), FAKE_WHOLE,
    NULL
};

static void begin(void)
{
    static struct fake_answer script[2];

    script[0] = list5;
    script[1] = (struct fake_answer){ WATCH, 200, BOOKMARK("5"), FAKE_OPEN,
                                      NULL };
    fake_prepare(&w);
    memset(&late, 0, sizeof(late));
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    fake_shown(&w.handler);
}

static int look(void *ctx, const struct kinf_object *was,
                const struct kinf_object *object)
{
    struct kinf_object held;

    (void)ctx;
    (void)was;
    EXPECT_ERR(KINF_OK, kinf_get(&w.inf, object->name, &held));
    assert_memory_equal(object->resource_version.ptr,
                        held.resource_version.ptr,
                        held.resource_version.len);
    late.calls++;
    return KINF_OK;
}

static int look_added(void *ctx, const struct kinf_object *object,
                      bool initial)
{
    (void)initial;
    return look(ctx, NULL, object);
}

static int look_deleted(void *ctx, const struct kinf_object *was, bool unknown)
{
    struct kinf_object held;

    (void)ctx;
    (void)unknown;
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_get(&w.inf, was->name, &held));
    late.calls++;
    return KINF_OK;
}

static void test_the_store_is_changed_before_the_handler_is_called(
    void **state)
{
    static const struct kinf_event_handler looks = {
        look_added, look, look_deleted, look, NULL
    };

    (void)state;
    begin();
    kinf_listener_add(&w.inf, &late.listener, &looks, &late, KINF_EVERY, 0);
    fake_run(&w, 10);
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "6")));
    fake_run(&w, 10);
    fake_push(&w.server, EVENT("DELETED", OBJECT("a", "7")));
    fake_run(&w, 10);
    assert_int_equal(4, late.calls);
    fake_end_world(&w);
}

/* Versions: received, then stored, then delivered to all. */
static void test_a_version_is_delivered_when_all_have_seen_it(void **state)
{
    struct kinf_status s;

    (void)state;
    begin();
    kinf_listener_add(&w.inf, &late.listener, &fake_events, &late, KINF_EVERY,
                      0);
    fake_run(&w, 10);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "6")));
    fake_run(&w, 10);
    s = fake_status(&w);
    assert_int_equal('6', s.version_received.ptr[0]);
    assert_int_equal('6', s.version_stored.ptr[0]);
    assert_int_equal('5', s.version_delivered.ptr[0]);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_int_equal('6', fake_status(&w).version_delivered.ptr[0]);
    fake_end_world(&w);
}

/* A handler that is gone holds no version back. */
static void test_a_removed_handler_holds_no_version_back(void **state)
{
    (void)state;
    begin();
    kinf_listener_add(&w.inf, &late.listener, &fake_events, &late, KINF_EVERY,
                      0);
    late.answer = KINF_ERR_AGAIN;
    fake_run(&w, 10);
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("a", "6")));
    fake_run(&w, 10);
    kinf_listener_remove(&late.listener);
    fake_run(&w, 10);
    assert_int_equal('6', fake_status(&w).version_delivered.ptr[0]);
    fake_end_world(&w);
}

static void test_while_a_relist_runs_the_cache_is_of_two_versions(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { WATCH, 410, STATUS(410), FAKE_WHOLE, NULL },
        { NULL, 200, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":["
          OBJECT("a", "8") ",", FAKE_OPEN, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };
    struct kinf_status s;

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    s = fake_status(&w);
    assert_true(s.relisting);
    assert_true(s.synced);
    assert_int_equal('5', s.version_stored.ptr[0]); /* moves at the end */
    assert_string_equal("initial a@3 initial b@4 update a@3>8",
                        fake_shown(&w.handler));
    fake_push(&w.server, OBJECT("c", "7") "]}");
    fake_finish(&w.server);
    fake_run(&w, 100);
    s = fake_status(&w);
    assert_false(s.relisting);
    assert_int_equal('9', s.version_stored.ptr[0]);
    assert_int_equal(1, s.swept);
    assert_string_equal("add c@7 lost b@4", fake_shown(&w.handler));
    fake_end_world(&w);
}

/* Deletions of a sweep take their places in rings one after the other. */
static void test_a_sweep_goes_on_at_the_pace_of_the_handlers(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, LIST("5", OBJECT("a", "1") "," OBJECT("b", "2") ","
                          OBJECT("c", "3") "," OBJECT("d", "4")),
          FAKE_WHOLE, NULL },
        { WATCH, 410, STATUS(410), FAKE_WHOLE, NULL },
        { NULL, 200, LIST("9", ""), FAKE_OPEN, NULL },
        { WATCH, 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    w.informer.sizes.latest = 0;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_string_equal("initial a@1 initial b@2 initial c@3 initial d@4",
                        fake_shown(&w.handler));
    w.handler.answer = KINF_ERR_AGAIN;
    fake_finish(&w.server);
    fake_run(&w, 100);
    assert_true(fake_status(&w).relisting);
    assert_true(fake_status(&w).swept <= 2);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 100);
    assert_string_equal("lost a@1 lost b@2 lost c@3 lost d@4",
                        fake_shown(&w.handler));
    assert_false(fake_status(&w).relisting);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_the_store_is_changed_before_the_handler_is_called),
        cmocka_unit_test(test_a_version_is_delivered_when_all_have_seen_it),
        cmocka_unit_test(test_a_removed_handler_holds_no_version_back),
        cmocka_unit_test(
            test_while_a_relist_runs_the_cache_is_of_two_versions),
        cmocka_unit_test(test_a_sweep_goes_on_at_the_pace_of_the_handlers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
