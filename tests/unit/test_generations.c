/* SPDX-License-Identifier: Apache-2.0 */
/* test_generations.c - the number of lists wraps, reached the long way.
 *
 * A source of the user's own answers 65,000 lists with 410, so that each is
 * followed by another; then one is whole, and its stamps are the highest; then
 * 600 more fail, and the number has wrapped. Nothing is set by hand. With more
 * keys than one poll looks at, clearing their stamps takes several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinformer.h"

enum { KEYS = 300, BEFORE = 65000, BEYOND = 600, GONE = 3 };

/* ---- the server --------------------------------------------------------- */

static struct {
    struct kinf_request request;
    bool opened, begun;
    unsigned from, until, at; /* keys it holds */
    unsigned lists, whole;    /* asked for, answered */
    unsigned refuse;          /* so many with 410 */
    bool watch_gone;
    char name[16];
} server;

static int request(void *ctx, const struct kinf_request *q)
{
    (void)ctx;
    server.request = *q;
    server.opened = server.begun = false;
    server.at = server.from;
    server.lists += q->type == KINF_REQUEST_LIST;
    return KINF_OK;
}

static void give(struct kinf_sink *sink, struct kinf_item *item)
{
    snprintf(server.name, sizeof(server.name), "%03u", server.at++);
    *item = (struct kinf_item){
        .event = KINF_EVENT_LISTED, .name = { server.name, 3 },
        .uid = { server.name, 3 }, .version = { "1", 1 }, .version_at = 3
    };
    if (sink->ptr != NULL)
        memcpy(sink->ptr, server.name, 3), memcpy(sink->ptr + 3, "1", 1);
    sink->used = sink->wanted = 4;
}

static int next_of_list(struct kinf_sink *sink, struct kinf_item *item)
{
    if (server.refuse > 0) {
        server.refuse--;
        return KINF_ERR_GONE;
    }
    if (server.begun) {
        server.begun = false;
        give(sink, item);
        return KINF_SOURCE_ITEM;
    }
    *item = (struct kinf_item){ .event = KINF_EVENT_LISTED };
    if (server.at < server.until) {
        server.begun = true;
        return KINF_SOURCE_BEGIN;
    }
    item->version = (struct kinf_span){ "7", 1 };
    server.whole++;
    return KINF_SOURCE_END;
}

static int next(void *ctx, uint32_t now_ms, struct kinf_sink *sink,
                struct kinf_item *item)
{
    (void)ctx;
    (void)now_ms;
    if (server.request.type == KINF_REQUEST_PROBE)
        return KINF_ERR_BUSY;
    if (!server.opened) {
        server.opened = true;
        return KINF_SOURCE_OPEN;
    }
    if (server.request.type == KINF_REQUEST_LIST)
        return next_of_list(sink, item);
    if (!server.watch_gone)
        return KINF_ERR_AGAIN;
    server.watch_gone = false;
    return KINF_ERR_GONE;
}

static void close_request(void *ctx)
{
    (void)ctx;
}

static const struct kinf_list_watch_ops source = { request, next,
                                                   close_request };

/* ---- the handler -------------------------------------------------------- */

static bool shown[KEYS];
static unsigned deleted;

static int key_of(const struct kinf_object *o)
{
    char name[4] = { 0 };

    assert_int_equal(3, o->name.len);
    memcpy(name, o->name.ptr, 3);
    return atoi(name);
}

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    int key = key_of(o);

    (void)ctx;
    (void)initial;
    assert_true(key >= 0 && key < KEYS && !shown[key]);
    shown[key] = true;
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    (void)ctx;
    (void)was;
    fail_msg("nothing was changed, least of all %.*s", (int)o->name.len,
             o->name.ptr);
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    int key = key_of(was);

    (void)ctx;
    assert_true(unknown && shown[key]);
    shown[key] = false;
    deleted++;
    return KINF_OK;
}

static const struct kinf_event_handler handler = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_update
};

/* ---- the world ---------------------------------------------------------- */

static uint32_t clock_ms;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, 4, size);
}

static const struct kinf_platform platform = { now_ms, wall_s, random_bytes,
                                               NULL };
static const struct kinf_config config = { .platform = &platform,
                                           .host = { "x", 1 } };
static struct kinf k;
static struct kinf_informer inf;
static struct kinf_listener listener;

/* Polls, sleeping as long as it may, until so many lists were whole, and then
 * some. A poll that sleeps for ever before that is a bug. */
static void poll_until(unsigned whole)
{
    unsigned idle = 0;

    while (server.whole < whole) {
        uint32_t wait = kinf_poll(&k);

        assert_true(wait < UINT32_MAX);
        idle = wait == 0 ? idle + 1 : 0;
        assert_true(idle < 10 * KEYS);
        clock_ms += wait;
    }
    for (int i = 0; i < 10 * KEYS; i++)
        (void)kinf_poll(&k);
}

static void begin(struct kinf_informer_config *c)
{
    memset(&server, 0, sizeof(server));
    memset(shown, 0, sizeof(shown));
    deleted = 0;
    c->memory_size = kinf_informer_bytes(&c->sizes);
    c->memory = malloc(c->memory_size);
    assert_non_null(c->memory);
    kinf_init(&k, &config);
    kinf_informer_init(&inf, &k, c);
    assert_int_equal(KINF_OK, kinf_listener_add(&inf, &listener, &handler,
                                                NULL, KINF_EVERY, 0));
    kinf_start(&k);
}

static void end(const struct kinf_informer_config *c)
{
    kinf_stop(&k);
    while (!kinf_stopped(&k))
        (void)kinf_poll(&k);
    free(c->memory);
}

static unsigned count_shown(void)
{
    unsigned count = 0;

    for (int i = 0; i < KEYS; i++)
        count += shown[i];
    return count;
}

static void test_a_list_sweeps_right_when_their_number_has_wrapped(void **state)
{
    struct kinf_informer_config c = {
        .resource = KINF_RESOURCE_CONFIGMAPS, .source = &source,
        .sizes = { .objects = KEYS + 1, .object_bytes = 512,
                   .arena_bytes = (KEYS + 4) * 512, .fifo = 4, .every = 1,
                   .ring = 4 }
    };
    (void)state;

    begin(&c);
    server.until = KEYS;
    poll_until(1);
    assert_int_equal(KEYS, count_shown());

    server.watch_gone = true;
    server.refuse = BEFORE;
    poll_until(2);
    assert_true(server.lists < UINT16_MAX);
    assert_int_equal(0, deleted);

    server.watch_gone = true;
    server.refuse = BEYOND;
    server.from = GONE;
    poll_until(3);
    assert_true(server.lists > UINT16_MAX);
    assert_int_equal(GONE, deleted);
    assert_int_equal(KEYS - GONE, count_shown());

    server.watch_gone = true; /* and the next list knows them, too */
    server.from = 2 * GONE;
    poll_until(4);
    assert_int_equal(2 * GONE, deleted);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_sweeps_right_when_their_number_has_wrapped)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
