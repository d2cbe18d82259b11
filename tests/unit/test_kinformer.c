/* SPDX-License-Identifier: Apache-2.0 */
/* test_kinformer.c - the loop: bounded work, sleeping, waking, reloading
 * credentials, starting and stopping all. */
#include "fake_get.h"

static struct fake_world w;
static struct fake_get get, other;

static const struct fake_answer calm[] = {
    { NULL, 200, LIST("5", OBJECT("a", "3") "," OBJECT("b", "4")), FAKE_WHOLE,
      NULL },
    { "watch=1", 200, "", FAKE_OPEN, NULL },
    { NULL, 200, "", FAKE_OPEN, NULL },
};

static void begin(void)
{
    fake_prepare(&w);
    memset(&get, 0, sizeof(get));
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    fake_run(&w, 100);
}

/* ---- errors ------------------------------------------------------------- */

static void test_every_error_has_words_of_its_own(void **state)
{
    static const int codes[] = {
#define X(name, code, text) code,
        KINF_ERR_MAP(X)
#undef X
    };
    const char *const unknown = kinf_strerror(-KINF_ERR_COUNT);

    (void)state;
    assert_int_equal(KINF_ERR_COUNT - 1, COUNT_OF(codes));
    assert_string_equal("well", kinf_strerror(KINF_OK));
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_int_equal(-(int)i - 1, codes[i]);
        assert_string_not_equal(unknown, kinf_strerror(codes[i]));
    }
    assert_string_equal(unknown, kinf_strerror(1));
    assert_string_equal(unknown, kinf_strerror(INT32_MIN));
}

/* ---- all informers ------------------------------------------------------ */

static void test_who_has_not_synced_is_told(void **state)
{
    struct kinf_informer *missing = NULL;

    (void)state;
    fake_prepare(&w);
    w.idle = true;
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    assert_true(kinf_synced(&w.k, &missing)); /* nobody was started */
    assert_null(missing);
    kinf_start(&w.k);
    assert_false(kinf_synced(&w.k, &missing));
    assert_ptr_equal(&w.inf, missing);
    assert_false(kinf_synced(&w.k, NULL));
    fake_run(&w, 100);
    assert_true(kinf_synced(&w.k, &missing));
    assert_null(missing);
    fake_end_world(&w);
}

static void test_an_informer_is_found_by_what_it_watches(void **state)
{
    static const struct kinf_resource resources[] = {
        KINF_RESOURCE_CONFIGMAPS, KINF_RESOURCE_SECRETS,
        KINF_RESOURCE_DEPLOYMENTS,
        { { "", 0 }, { "v2", 2 }, { "configmaps", 10 }, { "", 0 } },
    };
    static const struct {
        size_t resource;
        const char *space, *selector;
        bool found;
    } cases[] = {
        { 0, "space", "a=b", true },  { 1, "space", "a=b", false },
        { 2, "space", "a=b", false }, { 3, "space", "a=b", false },
        { 0, "other", "a=b", false }, { 0, "space", "a=c", false },
    };

    (void)state;
    fake_prepare(&w);
    w.idle = true;
    w.informer.namespace_ = KINF_SPAN("space");
    w.informer.label_selector = KINF_SPAN("a=b");
    fake_begin(&w);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_ptr_equal(cases[i].found ? &w.inf : NULL,
                         kinf_informer_for(&w.k,
                                           &resources[cases[i].resource],
                                           fake_span(cases[i].space),
                                           fake_span(cases[i].selector)));
    fake_end_world(&w);
}

static void test_a_stop_ends_all_and_gives_everything_back(void **state)
{
    (void)state;
    begin();
    assert_false(kinf_stopped(&w.k));
    kinf_stop(&w.k);
    assert_false(kinf_stopped(&w.k));
    while (kinf_poll(&w.k) != UINT32_MAX)
        assert_true(fake_status(&w).phase == KINF_INFORMER_STOPPED);
    assert_true(kinf_stopped(&w.k));
    assert_false(w.server.open);
    fake_end_world(&w);
}

/* ---- sleeping and waking ------------------------------------------------ */

static void test_nothing_to_do_is_slept_for_ever(void **state)
{
    (void)state;
    fake_prepare(&w);
    w.idle = true;
    fake_begin(&w);
    kinf_poll(&w.k); /* was woken by what was added */
    assert_int_equal(UINT32_MAX, kinf_poll(&w.k));
    kinf_wake(&w.k);
    assert_int_equal(UINT32_MAX, kinf_poll(&w.k));
    fake_end_world(&w);
}

static int wake(void *ctx, const struct kinf_object *was,
                const struct kinf_object *object)
{
    (void)was;
    (void)object;
    kinf_wake(&w.k);
    return *(int *)ctx;
}

static int wake_added(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)initial;
    return wake(ctx, NULL, object);
}

static int wake_deleted(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)unknown;
    return wake(ctx, was, was);
}

/* From inside a poll, as from an interrupt: the next one comes at once. */
static void test_a_wake_during_a_poll_is_not_lost(void **state)
{
    static const struct kinf_event_handler wakes = {
        wake_added, wake, wake_deleted, wake, NULL
    };
    static struct kinf_listener listener;
    int answer = KINF_ERR_AGAIN;

    (void)state;
    begin();
    kinf_listener_add(&w.inf, &listener, &wakes, &answer, KINF_EVERY, 0);
    kinf_poll(&w.k);
    for (int i = 0; i < 5; i++) {
        kinf_listener_resume(&listener);
        assert_int_equal(0, kinf_poll(&w.k)); /* it is called, and wakes */
    }
    assert_int_not_equal(0, kinf_poll(&w.k)); /* it is not called */
    fake_end_world(&w);
}

static void test_each_session_says_what_its_transport_waits_for(void **state)
{
    struct kinf_wait waits[2];

    (void)state;
    fake_prepare(&w);
    w.with_single = true;
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    fake_run(&w, 100);
    w.server.wants = KINF_WANTS_READ | KINF_WANTS_WRITE;
    assert_int_equal(2, kinf_waits(&w.k, waits, 2));
    assert_ptr_equal(&w.server, waits[0].transport);
    assert_int_equal(w.server.wants, waits[0].wants);
    assert_ptr_equal(&w.second, waits[1].transport);
    assert_int_equal(0, waits[1].wants); /* not open: nothing */
    waits[1].transport = NULL;
    assert_int_equal(2, kinf_waits(&w.k, waits, 1));
    assert_null(waits[1].transport);
    assert_int_equal(2, kinf_waits(&w.k, NULL, 0));
    w.server.wants = 0;
    fake_end_world(&w);
}

/* A stuck handler costs neither CPU nor the transport's attention. */
static void test_while_nobody_reads_the_transport_is_not_waited_for(
    void **state)
{
    struct kinf_wait wait;

    (void)state;
    fake_prepare(&w);
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    FAKE_PLAY(&w.server, calm);
    fake_begin(&w);
    fake_run(&w, 100);
    kinf_waits(&w.k, &wait, 1);
    assert_int_equal(KINF_WANTS_READ, wait.wants);
    w.handler.answer = KINF_ERR_AGAIN;
    for (int i = 0; i < 8; i++)
        fake_push(&w.server, EVENT("ADDED", OBJECT("c", "6"))
                             EVENT("DELETED", OBJECT("c", "7")));
    fake_run(&w, 10);
    kinf_waits(&w.k, &wait, 1);
    assert_int_equal(0, wait.wants);
    assert_int_equal(1, fake_run(&w, 0));
    assert_int_equal(2, fake_run(&w, 100000)); /* its beginning and end */
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    kinf_waits(&w.k, &wait, 1);
    assert_int_equal(KINF_WANTS_READ, wait.wants);
    fake_end_world(&w);
}

/* ---- bounded work ------------------------------------------------------- */

enum { MANY = 300 };

/* A list of many, each with some payload, and then one without them. */
static void begin_many(void)
{
    static char list[60000];
    static struct fake_answer script[4];
    size_t len;

    len = (size_t)sprintf(list, "{\"metadata\":{\"resourceVersion\":\"5\"},"
                          "\"items\":[");
    for (int i = 0; i < MANY; i++)
        len += (size_t)sprintf(list + len, "%s{\"metadata\":{\"name\":\"n%d\","
                               "\"uid\":\"u\",\"resourceVersion\":\"1\"},"
                               "\"x\":\"0123456789012345678901234567890123456"
                               "78901234567890123456789\"}", i > 0 ? "," : "",
                               i);
    sprintf(list + len, "]}");
    script[0] = (struct fake_answer){ NULL, 200, list, FAKE_WHOLE, NULL };
    script[1] = (struct fake_answer){ "watch=1", 200, "", FAKE_OPEN, NULL };
    script[2] = (struct fake_answer){ NULL, 200, LIST("9", ""), FAKE_WHOLE,
                                      NULL };
    script[3] = script[1];
    fake_prepare(&w);
    w.informer.sizes = (struct kinf_sizes){
        .objects = MANY, .object_bytes = 1024, .arena_bytes = 100000,
        .fifo = 8, .every = 2, .ring = 8, .postings = 2 * MANY
    };
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
}

/* A poll may apply and deliver before it receives, and after. */
static void expect_bounded_poll(void)
{
    struct kinf_status before = fake_status(&w), after;
    uint64_t bytes = w.session.bytes;

    w.handler.calls = 0;
    w.handler.log[0] = '\0';
    fake_now_ms++;
    kinf_poll(&w.k);
    after = fake_status(&w);
    assert_in_range(w.handler.calls, 0, 2 * CONFIG_KINF_POLL_EVENTS);
    assert_in_range(after.events - before.events, 0, CONFIG_KINF_POLL_EVENTS);
    assert_in_range(after.swept - before.swept, 0, 2 * CONFIG_KINF_POLL_EVENTS);
    assert_in_range(w.session.bytes - bytes, 0,
                    CONFIG_KINF_POLL_BYTES + sizeof(w.buffer) - 1);
}

static void test_no_poll_does_more_than_the_configured_units(void **state)
{
    static struct fake_handler late;

    (void)state;
    begin_many();
    for (int i = 0; i < 100000 && !kinf_informer_synced(&w.inf); i++)
        expect_bounded_poll(); /* a first list */
    assert_int_equal(MANY, fake_status(&w).entries.used);
    memset(&late, 0, sizeof(late));
    kinf_listener_add(&w.inf, &late.listener, &fake_events, &late, KINF_EVERY,
                      0);
    for (int i = 0; i < 100000 && !kinf_listener_synced(&late.listener); i++) {
        unsigned calls = late.calls;

        expect_bounded_poll(); /* a late handler's cursor */
        assert_in_range(late.calls - calls, 0,
                        2 * CONFIG_KINF_POLL_EVENTS);
        late.log[0] = '\0';
    }
    assert_int_equal(MANY, late.calls);
    fake_push(&w.server, ERROR_EVENT(410));
    for (int i = 0; i < 100000 && fake_status(&w).swept < MANY; i++) {
        expect_bounded_poll(); /* a sweep of all */
        late.log[0] = '\0';
    }
    fake_run(&w, 100);
    assert_int_equal(0, fake_status(&w).entries.used);
    fake_end_world(&w);
}

static unsigned indexed;

static int count_values(const struct kinf_object *o, unsigned n, char *value,
                        size_t size)
{
    (void)size;
    indexed++;
    if (n > 0)
        return KINF_ERR_NOT_FOUND;
    value[0] = o->name.ptr[0];
    return 1;
}

/* Each entry is asked for its values some few times. */
static void test_an_index_is_built_in_bounded_steps(void **state)
{
    unsigned polls = 0;

    (void)state;
    begin_many();
    while (!kinf_informer_synced(&w.inf))
        expect_bounded_poll();
    for (int i = 0; i < 100; i++)
        expect_bounded_poll();
    indexed = 0;
    kinf_informer_index(&w.inf, "n", count_values);
    for (; polls < 1000; polls++) {
        unsigned before = indexed;

        kinf_poll(&w.k);
        if (indexed == before)
            break;
        assert_in_range(indexed - before, 1, 4 * CONFIG_KINF_POLL_ENTRIES);
    }
    assert_int_equal((MANY + CONFIG_KINF_POLL_ENTRIES - 1) /
                         CONFIG_KINF_POLL_ENTRIES, polls);
    fake_end_world(&w);
}

/* ---- reloading ---------------------------------------------------------- */

static unsigned closed_calls;

static void closed(void *ctx)
{
    struct fake_world *world = ctx;

    closed_calls++;
    assert_false(world->server.open);
    assert_false(world->second.open);
}

static void test_a_reload_closes_calls_once_and_resumes(void **state)
{
    (void)state;
    begin();
    closed_calls = 0;
    kinf_reload(&w.k, closed, &w);
    assert_int_equal(0, closed_calls);
    fake_run(&w, 0);
    assert_int_equal(1, closed_calls);
    assert_int_equal(1, w.server.forgets); /* the ticket */
    fake_run(&w, 100);
    assert_int_equal(1, closed_calls);
    assert_int_equal(2, w.server.opens);
    assert_non_null(strstr(fake_nth(&w.server, 3), "resourceVersion=5"));
    assert_int_equal(0, fake_status(&w).relists);
    EXPECT_ERR(KINF_OK, fake_status(&w).last_error);
    fake_end_world(&w);
}

/* Not inside an object, and not before a GET has its answer. */
static void test_a_reload_waits_for_the_end_of_what_runs(void **state)
{
    static const struct fake_answer slow[] = {
        { "/a", 200, "{", FAKE_OPEN, NULL },
    };
    const char *event = EVENT("ADDED", OBJECT("c", "6"));
    char first[64] = "";

    (void)state;
    fake_prepare(&w);
    memset(&get, 0, sizeof(get));
    w.with_single = true;
    FAKE_PLAY(&w.server, calm);
    FAKE_PLAY(&w.second, slow);
    fake_begin(&w);
    fake_get(&get, &w.single, "/a");
    fake_run(&w, 100);
    strncat(first, event, 50);
    fake_push(&w.server, first); /* half an event */
    fake_run(&w, 10);
    closed_calls = 0;
    kinf_reload(&w.k, closed, &w);
    fake_run(&w, 100);
    assert_int_equal(0, closed_calls);
    assert_true(w.server.open);
    fake_push(&w.server, event + 50);
    fake_run(&w, 100);
    assert_false(w.server.open);
    assert_int_equal(0, closed_calls); /* the GET still runs */
    memset(&other, 0, sizeof(other));
    fake_get(&other, &w.session, "/b"); /* waits until it is done */
    fake_run(&w, 100);
    assert_false(w.server.open);
    fake_push(&w.second, "}");
    fake_finish(&w.second);
    fake_run(&w, 100);
    assert_int_equal(1, get.ends);
    assert_int_equal(1, closed_calls);
    assert_int_equal(1, fake_count(&w.server, "/b"));
    fake_push(&w.server, "{}");
    fake_finish(&w.server);
    fake_run(&w, 100);
    assert_int_equal(1, other.ends);
    assert_non_null(strstr(fake_target(&w.server, 0), "resourceVersion=6"));
    fake_end_world(&w);
}

static void test_a_reload_breaks_a_list_between_two_items(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":["
          OBJECT("a", "3") ",", FAKE_OPEN, NULL },
        { "limit=500", 200, LIST("5", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { "watch=1", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    closed_calls = 0;
    kinf_reload(&w.k, closed, &w);
    fake_run(&w, 100);
    assert_int_equal(1, closed_calls);
    assert_int_equal(3, w.server.requests);
    assert_true(kinf_informer_synced(&w.inf));
    fake_end_world(&w);
}

static void test_a_reload_goes_on_with_the_same_page(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, PAGE("5", "t", OBJECT("a", "3")), FAKE_WHOLE, NULL },
        { "continue=t", 200, "{\"metadata\":{\"resourceVersion\":\"5\"},"
          "\"items\":[" OBJECT("b", "4") ",", FAKE_OPEN, NULL },
        { "continue=t", 200, LIST("5", OBJECT("b", "4")), FAKE_WHOLE, NULL },
        { "watch=1", 200, "", FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    kinf_reload(&w.k, closed, &w);
    fake_run(&w, 100);
    assert_int_equal(4, w.server.requests);
    assert_string_equal("initial a@3 initial b@4", fake_shown(&w.handler));
    fake_end_world(&w);
}

static void test_a_reload_needs_no_tickets(void **state)
{
    struct kinf_transport_ops plain = fake_transport;

    (void)state;
    begin();
    plain.forget = NULL;
    w.session.ops = &plain;
    closed_calls = 0;
    kinf_reload(&w.k, closed, &w);
    fake_run(&w, 100);
    assert_int_equal(1, closed_calls);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_words_of_its_own),
        cmocka_unit_test(test_who_has_not_synced_is_told),
        cmocka_unit_test(test_an_informer_is_found_by_what_it_watches),
        cmocka_unit_test(test_a_stop_ends_all_and_gives_everything_back),
        cmocka_unit_test(test_nothing_to_do_is_slept_for_ever),
        cmocka_unit_test(test_a_wake_during_a_poll_is_not_lost),
        cmocka_unit_test(test_each_session_says_what_its_transport_waits_for),
        cmocka_unit_test(
            test_while_nobody_reads_the_transport_is_not_waited_for),
        cmocka_unit_test(test_no_poll_does_more_than_the_configured_units),
        cmocka_unit_test(test_an_index_is_built_in_bounded_steps),
        cmocka_unit_test(test_a_reload_closes_calls_once_and_resumes),
        cmocka_unit_test(test_a_reload_waits_for_the_end_of_what_runs),
        cmocka_unit_test(test_a_reload_breaks_a_list_between_two_items),
        cmocka_unit_test(test_a_reload_goes_on_with_the_same_page),
        cmocka_unit_test(test_a_reload_needs_no_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
