/* SPDX-License-Identifier: Apache-2.0 */
/* test_misuse.c - calls against the contract stop at an assertion that tells
 * file and line, or return the documented error. What cannot work by its
 * declaration does not compile: see tests/house/test_misuse.py. */
#include "fake_get.h"

static struct fake_world w;
static struct fake_handler late;

static const struct fake_answer calm[] = {
    { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")), FAKE_WHOLE,
      NULL },
    { "watch=1", 200, "", FAKE_OPEN, NULL },
};

static void begin(void)
{
    fake_prepare(&w);
    memset(&late, 0, sizeof(late));
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    fake_run(&w, 100);
}

/* ---- sizes that cannot work --------------------------------------------- */

#define LEAST (2 * (512 + 8) + 32)

/* Each wrong in one thing; the first is right. */
static const struct wrong {
    struct kinf_sizes sizes;
    size_t too_little; /* bytes of memory */
    size_t shift;      /* of the memory */
    uint32_t keep;
} wrongs[] = {
    { { 1, 512, LEAST, 1, 1, 1, 1, 0 }, 0, 0, 0 },
    { { 0, 512, LEAST, 1, 1, 1, 1, 0 }, 0, 0, 0 },
    { { 1, 511, LEAST, 1, 1, 1, 1, 0 }, 0, 0, 0 },
    { { 1, 512, 1000, 1, 1, 1, 1, 0 }, 0, 0, 0 },
    { { 1, 512, LEAST, 0, 1, 1, 1, 0 }, 0, 0, 0 },
    { { 1, 512, LEAST, 1, 33, 1, 1, 0 }, 0, 0, 0 },
    { { 1, 512, LEAST, 1, 1, 0, 1, 0 }, 0, 0, 0 },
    { { 1, 512, LEAST, 1, 1, 1, 33, 0 }, 0, 0, 0 },
    { { 1, 512, LEAST, 1, 1, 1, 1, 0 }, 1, 0, 0 },
    { { 1, 512, LEAST, 1, 1, 1, 1, 0 }, 0, 4, 0 },
    { { 1, 512, LEAST, 1, 1, 1, 1, 0 }, 0, 0, CONFIG_KINF_KEEP_PATHS + 1 },
#if CONFIG_KINF_INDEX_BITS == 16
    { { 65535, 512, LEAST, 1, 1, 1, 1, 0 }, 0, 0, 0 },
    { { 1, 512, LEAST, 1, 1, 1, 1, 65535 }, 0, 0, 0 },
    { { 1, 65536, 200000, 1, 1, 1, 1, 0 }, 0, 0, 0 },
#endif
};

/* Makes an informer of these sizes; frees it if it could be. */
static void make(const struct wrong *wrong)
{
    struct kinf_informer_config *c = &w.informer;
    size_t bytes = kinf_informer_bytes(&wrong->sizes);

    c->sizes = wrong->sizes;
    c->memory_size = bytes - wrong->too_little;
    c->memory = (char *)c->memory + wrong->shift;
    c->keep_count = wrong->keep;
    kinf_informer_init(&w.inf, &w.k, c);
}

static void expect_wrong(const struct wrong *wrong)
{
    expect_assert_failure(make(wrong));
}

/* All but the informer. */
static void prepare_all(void *memory)
{
    fake_prepare(&w);
    kinf_init(&w.k, &w.config);
    kinf_session_init(&w.session, &w.k, &fake_transport, &w.server, w.buffer,
                      sizeof(w.buffer));
    w.informer.session = &w.session;
    w.informer.memory = memory;
}

static void test_sizes_that_cannot_work_stop_at_an_assertion(void **state)
{
    void *memory = malloc(8u << 20);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
        prepare_all(memory);
        if (i == 0)
            make(&wrongs[i]);
        else
            expect_wrong(&wrongs[i]);
    }
    free(memory);
}

/* A longer one would be due at once: the clock wraps. */
static void test_a_period_is_at_most_half_the_clock(void **state)
{
    void *memory = malloc(1u << 20);
    const uint32_t most = INT32_MAX;

    (void)state;
    prepare_all(memory);
    w.informer.verify_ms = most + 1;
    expect_wrong(&wrongs[0]);
    prepare_all(memory);
    w.informer.poll_ms = most + 1;
    expect_wrong(&wrongs[0]);
    prepare_all(memory);
    w.informer.verify_ms = w.informer.poll_ms = most;
    make(&wrongs[0]);
    expect_assert_failure(kinf_listener_add(&w.inf, &late.listener,
                                            &fake_events, &late, KINF_LATEST,
                                            most + 1));
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w.inf, &late.listener, &fake_events,
                                          &late, KINF_LATEST, most));
    free(memory);
}

static void test_a_buffer_of_a_session_holds_256_bytes(void **state)
{
    (void)state;
    fake_prepare(&w);
    kinf_init(&w.k, &w.config);
    expect_assert_failure(kinf_session_init(&w.session, &w.k, &fake_transport,
                                            &w.server, w.buffer, 255));
}

static void test_a_program_of_another_layout_is_stopped(void **state)
{
    const uint8_t other = KINF_ABI + 1;

    (void)state;
    fake_prepare(&w);
    expect_assert_failure(kinf_init_abi(&w.k, &w.config, &other));
}

static void test_a_server_has_a_name(void **state)
{
    (void)state;
    fake_prepare(&w);
    w.config.host.len = 0;
    expect_assert_failure(kinf_init(&w.k, &w.config));
}

/* ---- twice -------------------------------------------------------------- */

static void test_an_informer_that_lives_is_not_made_again(void **state)
{
    (void)state;
    begin();
    expect_assert_failure(kinf_informer_init(&w.inf, &w.k, &w.informer));
    fake_end_world(&w);
}

static void test_a_session_is_made_once(void **state)
{
    (void)state;
    begin();
    expect_assert_failure(kinf_session_init(&w.session, &w.k, &fake_transport,
                                            &w.server, w.buffer,
                                            sizeof(w.buffer)));
    fake_end_world(&w);
}

static void test_a_handler_is_added_once(void **state)
{
    (void)state;
    begin();
    expect_assert_failure(kinf_listener_add(&w.inf, &w.handler.listener,
                                            &fake_events, &w.handler,
                                            KINF_EVERY, 0));
    fake_end_world(&w);
}

static void test_a_handler_of_one_informer_is_not_added_to_another(
    void **state)
{
    static struct kinf_informer second;
    struct kinf_informer_config config;

    (void)state;
    begin();
    config = w.informer;
    config.memory = malloc(config.memory_size);
    kinf_informer_init(&second, &w.k, &config);
    expect_assert_failure(kinf_listener_add(&second, &w.handler.listener,
                                            &fake_events, &w.handler,
                                            KINF_LATEST, 0));
    fake_end_world(&w);
    free(config.memory);
}

static void test_a_get_that_runs_is_not_asked_again(void **state)
{
    static struct fake_get get;

    (void)state;
    begin();
    fake_get(&get, &w.session, "/a");
    expect_assert_failure(kinf_session_get(&w.session, &get.get));
    fake_end_world(&w);
}

static void test_an_index_is_added_once_and_needs_postings(void **state)
{
    static kinf_index_func none;

    (void)state;
    begin();
    expect_assert_failure(kinf_informer_index(&w.inf, "namespace", none));
    fake_end_world(&w);
    fake_prepare(&w);
    w.informer.sizes.postings = 0;
    fake_begin(&w);
    expect_assert_failure(kinf_informer_index(&w.inf, "mine", none));
    fake_end_world(&w);
}

static void test_starting_stopping_and_removing_twice_is_harmless(
    void **state)
{
    (void)state;
    begin();
    kinf_start(&w.k);
    kinf_informer_start(&w.inf);
    kinf_listener_remove(&w.handler.listener);
    kinf_listener_remove(&w.handler.listener);
    fake_run(&w, 10);
    kinf_listener_remove(&w.handler.listener);
    kinf_stop(&w.k);
    kinf_stop(&w.k);
    fake_end_world(&w);
    kinf_informer_stop(&w.inf);
    assert_int_equal(UINT32_MAX, (kinf_poll(&w.k), kinf_poll(&w.k)));
}

/* What a filter or an index function must not ask. */
static void (*asks)(void);

static bool filter_asks(const struct kinf_object *o)
{
    (void)o;
    if (asks != NULL)
        asks();
    return true;
}

static int index_asks(const struct kinf_object *o, unsigned n, char *value,
                      size_t size)
{
    (void)o;
    (void)size;
    if (asks != NULL)
        asks();
    value[0] = 'x';
    return n == 0 ? 1 : KINF_ERR_NOT_FOUND;
}

/* ---- after the stop ----------------------------------------------------- */

static void get_after(void)
{
    struct kinf_object o;

    kinf_get(&w.inf, fake_span("a"), &o);
}

static void list_after(void)
{
    const struct kinf_list_options o = { .index = NULL };
    struct kinf_list_cursor c;

    kinf_list(&w.inf, &c, &o);
}

static void next_after(void)
{
    struct kinf_list_cursor c = { .entry = 0 };
    struct kinf_object o;

    kinf_list_next(&w.inf, &c, &o);
}

static void values_after(void)
{
    uint32_t at = 0;
    char value[8];

    kinf_index_values(&w.inf, "namespace", &at, value, sizeof(value));
}

/* Its memory is the caller's, and may be gone. */
static void test_a_stopped_informer_is_neither_read_nor_started(void **state)
{
    (void)state;
    begin();
    kinf_informer_stop(&w.inf);
    fake_run(&w, 10);
    expect_assert_failure(get_after());
    expect_assert_failure(list_after());
    expect_assert_failure(next_after());
    expect_assert_failure(values_after());
    expect_assert_failure(kinf_informer_start(&w.inf));
    expect_assert_failure(kinf_informer_index(&w.inf, "mine", index_asks));
    EXPECT_ERR(KINF_ERR_STOPPED,
               kinf_listener_add(&w.inf, &late.listener, &fake_events, &late,
                                 KINF_EVERY, 0));
    assert_int_equal(KINF_INFORMER_STOPPED, fake_status(&w).phase);
    fake_end_world(&w);
}

/* The world is not used after such a stop: it stands inside a poll. */
static void stop_inside(void)
{
    expect_assert_failure(fake_run(&w, 10));
    free(w.informer.memory);
}

/* ---- from the wrong place ----------------------------------------------- */

/* A world with both; nothing is asked yet. */
static void begin_asking(void)
{
    asks = NULL;
    fake_prepare(&w);
    memset(&late, 0, sizeof(late));
    w.informer.sizes.postings = 16;
    w.informer.sizes.every = 2;
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    late.passes = filter_asks;
    kinf_listener_add(&w.inf, &late.listener, &fake_filtered, &late,
                      KINF_EVERY, 0);
    kinf_informer_index(&w.inf, "mine", index_asks);
    fake_run(&w, 100);
    assert_string_equal("initial a@3 initial b@4", fake_shown(&late));
}

static void list_by_index(void)
{
    const struct kinf_list_options how = { .index = "mine",
                                           .value = { "x", 1 } };
    struct kinf_list_cursor c;
    struct kinf_object o;

    assert_int_equal(KINF_OK, kinf_list(&w.inf, &c, &how));
    while (kinf_list_next(&w.inf, &c, &o) == 1)
        continue;
}

static void walk_values(void)
{
    uint32_t at = 0;
    char value[64];

    while (kinf_index_values(&w.inf, "mine", &at, value, sizeof(value)) > 0)
        continue;
}

static void receive_one(void)
{
    fake_push(&w.server, asks == NULL ? EVENT("ADDED", OBJECT("c", "6"))
                                      : EVENT("MODIFIED", OBJECT("c", "7")));
    fake_run(&w, 10);
}

static void expect_stop(void (*lister)(void), void (*place)(void))
{
    begin_asking();
    place(); /* is legal */
    asks = lister;
    expect_assert_failure(place());
    free(w.informer.memory);
}

/* They depend on the object alone; and the cache may be half changed. */
static void test_a_lister_is_not_asked_by_a_filter_or_an_index_function(
    void **state)
{
    static void (*const listers[])(void) = { get_after, list_after, next_after,
                                             values_after };
    static void (*const places[])(void) = { receive_one, list_by_index,
                                            walk_values };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(listers); i++) {
        for (size_t j = 0; j < COUNT_OF(places); j++)
            expect_stop(listers[i], places[j]);
    }
}

/* The filter alone, and an index that is built of what is there. */
static void test_nor_by_a_filter_alone_nor_while_an_index_is_built(
    void **state)
{
    (void)state;
    begin();
    asks = get_after;
    late.passes = filter_asks;
    kinf_listener_add(&w.inf, &late.listener, &fake_filtered, &late,
                      KINF_EVERY, 0);
    stop_inside();
    begin();
    asks = list_after;
    kinf_informer_index(&w.inf, "mine", index_asks);
    stop_inside();
}

/* ---- handlers ----------------------------------------------------------- */

static void test_a_handler_supplies_every_callback(void **state)
{
    struct kinf_event_handler part[4];

    (void)state;
    begin();
    for (int i = 0; i < 4; i++)
        part[i] = fake_events;
    part[0].on_add = NULL;
    part[1].on_update = NULL;
    part[2].on_delete = NULL;
    part[3].on_truncated = NULL;
    expect_assert_failure(kinf_listener_add(&w.inf, &late.listener, &part[0],
                                            &late, KINF_EVERY, 0));
    expect_assert_failure(kinf_listener_add(&w.inf, &late.listener, &part[1],
                                            &late, KINF_EVERY, 0));
    expect_assert_failure(kinf_listener_add(&w.inf, &late.listener, &part[2],
                                            &late, KINF_EVERY, 0));
    expect_assert_failure(kinf_listener_add(&w.inf, &late.listener, &part[3],
                                            &late, KINF_EVERY, 0));
    fake_end_world(&w);
}

static void test_a_handler_answers_well_or_not_now(void **state)
{
    (void)state;
    begin();
    w.handler.answer = KINF_ERR_CLOSED;
    fake_push(&w.server, EVENT("ADDED", OBJECT("c", "6")));
    stop_inside();
}

static int poll_inside(void *ctx, const struct kinf_object *o, bool initial)
{
    (void)ctx;
    (void)o;
    (void)initial;
    kinf_poll(&w.k);
    return KINF_OK;
}

static void test_the_loop_is_not_run_from_inside_a_handler(void **state)
{
    static struct kinf_event_handler polls;

    (void)state;
    begin();
    polls = fake_events;
    polls.on_add = poll_inside;
    kinf_listener_add(&w.inf, &late.listener, &polls, &late, KINF_EVERY, 0);
    stop_inside();
}

/* ---- ports and sources -------------------------------------------------- */

static int answer;

static int bad_open(void *ctx, struct kinf_span host, uint16_t port)
{
    (void)ctx;
    (void)host;
    (void)port;
    return answer;
}

static int bad_send(void *ctx, const void *data, size_t size)
{
    (void)ctx;
    (void)data;
    return answer > 0 ? (int)size + answer : answer;
}

static int bad_recv(void *ctx, void *data, size_t size)
{
    (void)ctx;
    (void)data;
    return answer > 0 ? (int)size + answer : answer;
}

static void break_port(struct kinf_transport_ops *ops, int with)
{
    static struct kinf_transport_ops bad;

    fake_prepare(&w);
    bad = *ops;
    answer = with;
    kinf_init(&w.k, &w.config);
    kinf_session_init(&w.session, &w.k, &bad, &w.server, w.buffer,
                      sizeof(w.buffer));
    w.informer.session = &w.session;
    w.informer.memory_size = kinf_informer_bytes(&w.informer.sizes);
    w.informer.memory = malloc(w.informer.memory_size);
    kinf_informer_init(&w.inf, &w.k, &w.informer);
    kinf_start(&w.k);
    stop_inside();
}

static void test_a_port_keeps_its_promises(void **state)
{
    struct kinf_transport_ops ops = fake_transport;

    (void)state;
    ops.open = bad_open;
    break_port(&ops, 1);
    ops = fake_transport;
    ops.send = bad_send;
    break_port(&ops, 0);
    break_port(&ops, 1);
    ops = fake_transport;
    ops.recv = bad_recv;
    break_port(&ops, 0);
    break_port(&ops, 1);
}

static int bad_request(void *ctx, const struct kinf_request *q)
{
    (void)ctx;
    (void)q;
    return 1;
}

static void test_a_source_takes_a_request_or_says_later(void **state)
{
    static struct kinf_list_watch_ops ops;

    (void)state;
    ops = kinf_script_ops;
    ops.request = bad_request;
    fake_prepare(&w);
    w.informer.source = &ops;
    fake_begin(&w);
    stop_inside();
}

/* ---- limits that are answered ------------------------------------------- */

static void test_what_is_too_small_or_unknown_is_said(void **state)
{
    const struct kinf_list_options unknown = { .index = "none" };
    struct kinf_list_cursor c;
    struct kinf_object o, copy;
    uint32_t at = 0;
    char buf[4];

    (void)state;
    begin();
    EXPECT_ERR(KINF_OK, kinf_get(&w.inf, fake_span("a"), &o));
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_copy(&o, buf, sizeof(buf), &copy));
    EXPECT_ERR(KINF_ERR_TOO_BIG, kinf_object_key(&o, buf, 0));
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_list(&w.inf, &c, &unknown));
    EXPECT_ERR(KINF_ERR_NOT_FOUND,
               kinf_index_values(&w.inf, "none", &at, buf, sizeof(buf)));
    fake_end_world(&w);
}

/* All 32 places of a mode can be taken, and the 33rd is refused. */
static void test_there_are_32_handlers_of_a_mode_at_most(void **state)
{
    static struct fake_handler many[33];

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.latest = 32;
    w.idle = true;
    fake_begin(&w);
    for (int i = 0; i < 33; i++)
        EXPECT_ERR(i < 32 ? KINF_OK : KINF_ERR_FULL,
                   kinf_listener_add(&w.inf, &many[i].listener, &fake_events,
                                     &many[i], KINF_LATEST, 0));
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_that_cannot_work_stop_at_an_assertion),
        cmocka_unit_test(test_a_period_is_at_most_half_the_clock),
        cmocka_unit_test(test_a_buffer_of_a_session_holds_256_bytes),
        cmocka_unit_test(test_a_program_of_another_layout_is_stopped),
        cmocka_unit_test(test_a_server_has_a_name),
        cmocka_unit_test(test_an_informer_that_lives_is_not_made_again),
        cmocka_unit_test(test_a_session_is_made_once),
        cmocka_unit_test(test_a_handler_is_added_once),
        cmocka_unit_test(
            test_a_handler_of_one_informer_is_not_added_to_another),
        cmocka_unit_test(test_a_get_that_runs_is_not_asked_again),
        cmocka_unit_test(test_an_index_is_added_once_and_needs_postings),
        cmocka_unit_test(
            test_starting_stopping_and_removing_twice_is_harmless),
        cmocka_unit_test(
            test_a_stopped_informer_is_neither_read_nor_started),
        cmocka_unit_test(
            test_a_lister_is_not_asked_by_a_filter_or_an_index_function),
        cmocka_unit_test(
            test_nor_by_a_filter_alone_nor_while_an_index_is_built),
        cmocka_unit_test(test_a_handler_supplies_every_callback),
        cmocka_unit_test(test_a_handler_answers_well_or_not_now),
        cmocka_unit_test(test_the_loop_is_not_run_from_inside_a_handler),
        cmocka_unit_test(test_a_port_keeps_its_promises),
        cmocka_unit_test(test_a_source_takes_a_request_or_says_later),
        cmocka_unit_test(test_what_is_too_small_or_unknown_is_said),
        cmocka_unit_test(test_there_are_32_handlers_of_a_mode_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
