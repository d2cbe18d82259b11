/* SPDX-License-Identifier: Apache-2.0 */
/* test_reflector.c - list, watch, resume, list again: what the server sees. */
#include "fake.h"

static struct fake_world w;

static void test_a_list_is_followed_by_a_watch_from_its_version(void **state)
{
    static const struct fake_answer script[] = {
        { "limit=500", 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")),
          FAKE_WHOLE, NULL },
        { "resourceVersion=5", 200, EVENT("ADDED", OBJECT("c", "6")),
          FAKE_OPEN, NULL }
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_is_followed_by_a_watch_from_its_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
