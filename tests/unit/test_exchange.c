/* SPDX-License-Identifier: Apache-2.0 */
/* test_exchange.c - a source of the user's own, which may say what a server
 * behind the wire cannot. */
#include "fake.h"

static struct fake_world w;

/* What next() answers, in turn; then KINF_ERR_AGAIN. */
struct turn {
    int event;
    struct kinf_item item;
    uint32_t not_before_ms;
};
static const struct turn *turns;
static size_t count, at;
static unsigned requests, closes;
static enum kinf_request_type asked;

static int request(void *ctx, const struct kinf_request *q)
{
    (void)ctx;
    requests++;
    asked = q->type;
    return KINF_OK;
}

/* The kept text may be anything that holds the identity. */
static kinf_off put(struct kinf_sink *sink, struct kinf_span text)
{
    size_t place = sink->used;

    if (text.len > 0)
        memcpy(sink->ptr + place, text.ptr, text.len);
    sink->used += text.len;
    sink->wanted += (uint32_t)text.len;
    return (kinf_off)place;
}

static int next(void *ctx, uint32_t now, struct kinf_sink *sink,
                struct kinf_item *item)
{
    (void)ctx;
    if (at == count || now < turns[at].not_before_ms)
        return KINF_ERR_AGAIN;
    *item = turns[at].item;
    if (turns[at].event == KINF_SOURCE_ITEM && sink->ptr != NULL) {
        item->name_at = put(sink, item->name);
        item->uid_at = put(sink, item->uid);
        item->version_at = put(sink, item->version);
    }
    return turns[at++].event;
}

static void close_request(void *ctx)
{
    (void)ctx;
    closes++;
}

static const struct kinf_list_watch_ops ops = { request, next,
                                                close_request };

#define PLAY(script) (turns = (script), count = COUNT_OF(script), at = 0)
#define OPEN { .event = KINF_SOURCE_OPEN }

static void begin(void)
{
    requests = closes = 0;
    fake_prepare(&w);
    w.informer.source = &ops;
    fake_begin(&w);
}

static void test_an_informer_on_a_source_of_the_users_needs_no_session(
    void **state)
{
    static const struct turn script[] = {
        OPEN,
        { .event = KINF_SOURCE_END, .item.version = { "7", 1 } },
        OPEN,
    };

    (void)state;
    PLAY(script);
    begin();
    fake_run(&w, 100);
    assert_true(kinf_informer_synced(&w.inf));
    assert_int_equal(KINF_REQUEST_WATCH, asked);
    assert_int_equal(2, requests);
    assert_int_equal(1, closes);
    assert_int_equal(0, fake_status(&w).bytes);
    fake_end_world(&w);
    assert_int_equal(2, closes);
}

static void test_what_a_source_may_not_say_is_an_error_of_it(void **state)
{
    static char token[CONFIG_KINF_CONTINUE_BYTES + 1];
    static const struct turn long_token[] = {
        OPEN,
        { .event = KINF_SOURCE_END, .item.version = { "7", 1 },
          .item.continue_ = { token, sizeof(token) } },
    };
    static const struct turn bookmark_in_list[] = {
        OPEN, { .event = KINF_SOURCE_BEGIN },
        { .event = KINF_SOURCE_ITEM, .item.event = KINF_EVENT_BOOKMARK,
          .item.initial_end = true, .item.version = { "7", 1 } },
    };

    (void)state;
    PLAY(long_token);
    begin();
    fake_run(&w, 100);
    assert_int_equal(1, w.errors[-KINF_ERR_CONTINUE]);
    assert_false(kinf_informer_synced(&w.inf));
    fake_end_world(&w);
    PLAY(bookmark_in_list);
    begin();
    fake_run(&w, 100);
    assert_int_equal(1, w.errors[-KINF_ERR_NO_STREAM]);
    assert_false(kinf_informer_synced(&w.inf));
    fake_end_world(&w);
}

/* As behind the wire: a page that broke off after 50 s is asked for by half. */
static void test_a_source_that_closes_after_long_is_asked_for_less(
    void **state)
{
    static const struct turn script[] = {
        OPEN,
        { .event = KINF_SOURCE_BEGIN, .not_before_ms = 1000 + 25000 },
        { .event = KINF_SOURCE_ITEM,
          .item = { .event = KINF_EVENT_LISTED,
                    .broken = KINF_ERR_NO_IDENTITY } },
        { .event = KINF_ERR_CLOSED, .not_before_ms = 1000 + 51000 },
    };

    (void)state;
    PLAY(script);
    begin();
    for (int i = 0; i < 53; i++)
        fake_run(&w, 1000);
    assert_int_equal(1, w.errors[-KINF_ERR_CLOSED]);
    assert_int_equal(CONFIG_KINF_LIST_LIMIT / 2,
                     w.inf.reflector.main.request.limit);
    fake_end_world(&w);
}

/* Time in which nobody reads is not the source's. */
static void test_a_pause_moves_every_deadline_on(void **state)
{
    static const struct turn script[] = {
        OPEN,
        { .event = KINF_SOURCE_END, .item.version = { "7", 1 } },
        OPEN,
        { .event = KINF_SOURCE_BEGIN, .item.event = KINF_EVENT_ADDED },
        { .event = KINF_SOURCE_ITEM,
          .item = { .event = KINF_EVENT_ADDED, .name = { "a", 1 },
                    .uid = { "u", 1 }, .version = { "8", 1 } } },
        { .event = KINF_SOURCE_BEGIN, .item.event = KINF_EVENT_ADDED },
        { .event = KINF_SOURCE_ITEM,
          .item = { .event = KINF_EVENT_ADDED, .name = { "b", 1 },
                    .uid = { "u", 1 }, .version = { "9", 1 } } },
        { .event = KINF_SOURCE_BEGIN, .item.event = KINF_EVENT_ADDED },
    };

    (void)state;
    PLAY(script);
    requests = closes = 0;
    fake_prepare(&w);
    w.informer.source = &ops;
    w.informer.sizes.fifo = w.informer.sizes.ring = 1;
    fake_begin(&w);
    w.handler.answer = KINF_ERR_AGAIN;
    fake_run(&w, 1000000);
    assert_int_equal(2, requests);
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, CONFIG_KINF_OBJECT_MS - 1);
    assert_int_equal(0, w.errors[-KINF_ERR_TIMEOUT]);
    fake_run(&w, 1);
    assert_int_equal(1, w.errors[-KINF_ERR_TIMEOUT]);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_an_informer_on_a_source_of_the_users_needs_no_session),
        cmocka_unit_test(test_what_a_source_may_not_say_is_an_error_of_it),
        cmocka_unit_test(
            test_a_source_that_closes_after_long_is_asked_for_less),
        cmocka_unit_test(test_a_pause_moves_every_deadline_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
