/* SPDX-License-Identifier: Apache-2.0 */
/* test_odd_events.c - watch events as no server should send them, where they
 * hurt: found by tests/fuzz. */
#include "fake.h"

static struct fake_world w;

static const struct fake_answer list_and_watch[] = {
    { "limit=", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
    { "watch=1", 200, "", FAKE_OPEN, NULL }
};

/* It is told without having begun, so nobody looked for a place in the queue */
static void test_event_without_object_needs_no_place_in_the_queue(void **state)
{
    (void)state;
    fake_prepare(&w);
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    FAKE_PLAY(&w.server, list_and_watch);
    fake_begin(&w);
    fake_run(&w, 10);
    assert_string_equal("initial a@3", fake_shown(&w.handler));
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(
        &w.server,
        EVENT("MODIFIED", OBJECT("a", "6")) EVENT(
            "MODIFIED",
            OBJECT("a", "7")) "{\"type\":\"ADDED\"}\n{}\n" EVENT("MODIFIED",
                                                                 OBJECT("a",
                                                                        "8")));
    fake_run(&w, 10);
    assert_int_equal(2, w.errors[-KINF_ERR_EVENT]);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_string_equal("update a@3>6 update a@6>7 update a@7>8",
                        fake_shown(&w.handler));
    fake_end_world(&w);
}

/* A second one had waited for the first to be taken in, for ever. */
static void test_event_with_two_objects_does_not_end_the_watching(void **state)
{
    static const struct fake_answer script[] = {
        { "limit=", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { "watch=1", 200, EVENT("ADDED", "null,\"object\":" OBJECT("b", "6")),
          FAKE_OPEN, NULL },
        { "resourceVersion=5", 200, EVENT("ADDED", OBJECT("b", "6")), FAKE_OPEN,
          NULL }
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 3000);
    assert_int_equal(1, w.errors[-KINF_ERR_JSON]);
    assert_string_equal("initial a@3 add b@6", fake_shown(&w.handler));
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_without_object_needs_no_place_in_the_queue),
        cmocka_unit_test(test_event_with_two_objects_does_not_end_the_watching),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
