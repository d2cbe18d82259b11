/* SPDX-License-Identifier: Apache-2.0 */
/* test_shared_informer.c - an informer's life: storage, start, status, stop. */
#include "fake.h"
#include "store/arena.h"

static struct fake_world w;

static const struct fake_answer calm[] = {
    { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")), FAKE_WHOLE,
      NULL },
    { "watch=1", 200, "", FAKE_OPEN, NULL },
};

static void begin(void)
{
    fake_prepare(&w);
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    fake_run(&w, 100);
}

/* ---- storage ------------------------------------------------------------ */

static void test_sizes_known_at_compile_time_cost_the_same(void **state)
{
    static const struct kinf_sizes z = { .objects = 33, .object_bytes = 600,
                                         .arena_bytes = 9001, .fifo = 3,
                                         .every = 2, .ring = 5, .latest = 1,
                                         .postings = 7 };
    static const struct kinf_sizes normal = KINF_SIZES_DEFAULT;

    (void)state;
    assert_int_equal(KINF_INFORMER_BYTES(33, 9001, 3, 2, 5, 1, 7),
                     kinf_informer_bytes(&z));
    assert_int_equal(KINF_INFORMER_BYTES_DEFAULT, kinf_informer_bytes(&normal));
}

static void test_a_check_tells_the_bytes_that_would_do(void **state)
{
    struct kinf_informer_config c = {
        .sizes = { .objects = 4, .object_bytes = 512, .fifo = 1, .every = 1,
                   .ring = 1 },
    };
    const size_t least = 2 * arena_cost(512);
    size_t need = 0;

    (void)state;
    c.sizes.arena_bytes = (uint32_t)least - 1;
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_informer_check(&c, &need));
    assert_int_equal(least, need);
    c.sizes.arena_bytes = (uint32_t)need;
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_informer_check(&c, &need));
    assert_int_equal(kinf_informer_bytes(&c.sizes), need);
    c.memory_size = need;
    EXPECT_ERR(KINF_OK, kinf_informer_check(&c, &need));
    c.memory_size = need - 1;
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_informer_check(&c, &need));
}

/* ---- start and stop ----------------------------------------------------- */

static void test_starting_twice_is_harmless(void **state)
{
    (void)state;
    begin();
    kinf_informer_start(&w.inf);
    kinf_start(&w.k);
    fake_run(&w, 100);
    assert_int_equal(2, w.server.requests);
    fake_end_world(&w);
}

static void test_a_stop_closes_drops_and_calls_nobody(void **state)
{
    (void)state;
    begin();
    fake_shown(&w.handler);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, EVENT("ADDED", OBJECT("c", "6")));
    fake_run(&w, 10);
    w.handler.answer = KINF_OK;
    w.handler.calls = 0;
    kinf_informer_stop(&w.inf);
    kinf_informer_stop(&w.inf);
    assert_int_equal(1, fake_status(&w).ring.used);
    kinf_poll(&w.k);
    assert_int_equal(0, w.handler.calls);
    assert_true(kinf_listener_gone(&w.handler.listener));
    assert_int_equal(1, w.server.closes);
    assert_int_equal(0, fake_status(&w).entries.used);
    assert_int_equal(0, fake_status(&w).ring.used);
    fake_run(&w, 100);
    assert_int_equal(2, w.server.requests);
    fake_end_world(&w);
}

static void test_a_stop_before_the_start_is_a_stop(void **state)
{
    (void)state;
    fake_prepare(&w);
    w.idle = true;
    fake_begin(&w);
    kinf_informer_stop(&w.inf);
    kinf_informer_start(&w.inf);
    fake_run(&w, 100);
    assert_int_equal(0, w.server.opens);
    assert_int_equal(KINF_INFORMER_STOPPED, fake_status(&w).phase);
    fake_end_world(&w);
}

static void test_after_a_stop_the_memory_serves_another_informer(void **state)
{
    (void)state;
    begin();
    fake_shown(&w.handler);
    kinf_informer_stop(&w.inf);
    fake_run(&w, 0);
    FAKE_PLAY(&w.server, calm);
    kinf_informer_init(&w.inf, &w.k, &w.informer);
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w.inf, &w.handler.listener,
                                          &fake_events, &w.handler,
                                          KINF_LATEST, 0));
    kinf_informer_start(&w.inf);
    fake_run(&w, 100);
    assert_string_equal("initial a@3 initial b@4", fake_shown(&w.handler));
    fake_end_world(&w);
}

/* ---- status ------------------------------------------------------------- */

static void test_status_shows_pools_with_their_high_water_marks(void **state)
{
    struct kinf_status s;

    (void)state;
    begin();
    fake_push(&w.server, EVENT("DELETED", OBJECT("a", "6")));
    fake_run(&w, 10);
    s = fake_status(&w);
    assert_int_equal(1, s.entries.used);
    assert_int_equal(2, s.entries.high);
    assert_int_equal(16, s.entries.size);
    assert_int_equal(1, s.objects.used);
    assert_true(s.objects.high >= 2);
    assert_int_equal(16 + 4 + 2 * 4 + 1, s.objects.size);
    assert_true(s.arena.used > 0 && s.arena.high >= s.arena.used);
    assert_int_equal(0, s.fifo.used);
    assert_in_range(s.fifo.high, 1, 4);
    assert_int_equal(4, s.fifo.size);
    assert_int_equal(0, s.ring.used);
    assert_int_equal(8, s.ring.size);
    assert_int_equal(1, s.postings.used);
    assert_int_equal(32, s.postings.size);
    assert_int_equal(1, s.lists);
    assert_int_equal(1, s.watches);
    assert_int_equal(2, s.requests);
    assert_int_equal(3, s.events);
    assert_true(s.bytes > 100);
    fake_end_world(&w);
}

static void test_bytes_of_both_sessions_count_once(void **state)
{
    uint64_t alone;

    (void)state;
    begin();
    alone = fake_status(&w).bytes;
    assert_int_equal(alone, w.session.bytes);
    w.informer.single = &w.session;
    assert_int_equal(alone, fake_status(&w).bytes);
    w.informer.single = NULL;
    fake_end_world(&w);
    fake_prepare(&w);
    w.with_single = true;
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    fake_run(&w, 100);
    w.single.bytes = 1000;
    assert_int_equal(alone + 1000, fake_status(&w).bytes);
    fake_end_world(&w);
}

static void test_an_error_is_told_until_something_whole_comes(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 500, STATUS(500), FAKE_WHOLE, NULL },
        { NULL, 200, LIST("5", ""), FAKE_WHOLE, NULL },
        { NULL, 200, "", FAKE_OPEN, NULL },
    };
    struct kinf_status s;

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    s = fake_status(&w);
    EXPECT_ERR(KINF_ERR_SERVER, s.last_error);
    assert_int_equal(500, s.http_status);
    assert_memory_equal("words", s.message.ptr, s.message.len);
    fake_run(&w, 1000);
    s = fake_status(&w);
    EXPECT_ERR(KINF_OK, s.last_error);
    assert_int_equal(0, s.http_status);
    assert_int_equal(0, s.message.len);
    assert_int_equal(1, s.errors[-KINF_ERR_SERVER]);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_known_at_compile_time_cost_the_same),
        cmocka_unit_test(test_a_check_tells_the_bytes_that_would_do),
        cmocka_unit_test(test_starting_twice_is_harmless),
        cmocka_unit_test(test_a_stop_closes_drops_and_calls_nobody),
        cmocka_unit_test(test_a_stop_before_the_start_is_a_stop),
        cmocka_unit_test(
            test_after_a_stop_the_memory_serves_another_informer),
        cmocka_unit_test(test_status_shows_pools_with_their_high_water_marks),
        cmocka_unit_test(test_bytes_of_both_sessions_count_once),
        cmocka_unit_test(test_an_error_is_told_until_something_whole_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
