/* SPDX-License-Identifier: Apache-2.0 */
/* test_informer.c - store, FIFO, processor and reflector against a model.
 *
 * A source of the user's own plays a small server: objects with versions, a log
 * of events, pages, losses, 410. Handlers keep what they were shown and check
 * that every step was legal. At each calm the cache must equal the server and
 * every handler must have seen the final state of every key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinformer.h"
#include "store/store_check.h"

#define KEYS 24
#define LOG 4096

static uint64_t seed;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* ---- the server --------------------------------------------------------- */

struct thing {
    bool lives;
    unsigned uid, version, size;
};

struct change {
    enum kinf_event event;
    unsigned key;
    struct thing thing;
};

static struct {
    struct thing things[KEYS];
    struct change log[LOG]; /* by version */
    unsigned version, oldest;
    bool calm;
    /* the request that runs */
    bool busy, opened;
    struct kinf_request request;
    unsigned at, sent, begun;
    struct change change;
    char text[4096], ident[64], vtext[16], utext[16], token[16];
    int fail_in;
} server;

static uint32_t clock_ms;

static void server_change(void)
{
    unsigned key = rnd() % KEYS;
    struct thing *t = &server.things[key];
    struct change *c;

    if (server.version + 1 >= LOG)
        return;
    c = &server.log[++server.version];
    c->key = key;
    if (!t->lives) {
        *t = (struct thing){ true, server.version, server.version,
                             rnd() % 300 };
        c->event = KINF_EVENT_ADDED;
    } else if (rnd() % 3 == 0) {
        t->lives = false;
        t->version = server.version;
        c->event = KINF_EVENT_DELETED;
    } else {
        t->version = server.version;
        t->size = rnd() % (rnd() % 8 == 0 ? 900 : 300);
        c->event = KINF_EVENT_MODIFIED;
    }
    c->thing = *t;
}

static unsigned number(struct kinf_span text, size_t skip)
{
    char copy[32] = { 0 };

    assert_true(text.len >= skip && text.len - skip < sizeof(copy));
    if (text.len > skip)
        memcpy(copy, text.ptr + skip, text.len - skip);
    return (unsigned)atoi(copy);
}

static int fake_request(void *ctx, const struct kinf_request *q)
{
    (void)ctx;
    if (server.busy)
        return KINF_ERR_AGAIN;
    server.busy = true;
    server.opened = false;
    server.begun = 0;
    server.request = *q;
    server.fail_in = server.calm ? -1 : (int)(rnd() % 40);
    server.at = number(q->continue_, 0);
    server.sent = 0;
    if (q->type == KINF_REQUEST_WATCH)
        server.at = number(q->version, 0);
    return KINF_OK;
}

static void fake_close(void *ctx)
{
    (void)ctx;
    server.busy = false;
}

static unsigned put(struct kinf_sink *sink, const char *text)
{
    unsigned at = sink->wanted;

    for (size_t i = 0; text[i] != 0; i++) {
        if (sink->ptr != NULL && sink->used < sink->size)
            sink->ptr[sink->used++] = text[i];
        sink->wanted++;
    }
    return at;
}

/* Writes an object as the wire would. */
static void give(struct kinf_sink *sink, struct kinf_item *item,
                 enum kinf_event event, unsigned key, const struct thing *t)
{
    char filler[1024];

    snprintf(server.ident, sizeof(server.ident), "key-%u", key);
    snprintf(server.utext, sizeof(server.utext), "u%u", t->uid);
    snprintf(server.vtext, sizeof(server.vtext), "%u", t->version);
    *item = (struct kinf_item){
        .event = event, .name = { server.ident, strlen(server.ident) },
        .namespace_ = { key % 2 == 0 ? "even" : "odd",
                        key % 2 == 0 ? 4u : 3u },
        .uid = { server.utext, strlen(server.utext) },
        .version = { server.vtext, strlen(server.vtext) }
    };
    put(sink, "{\"metadata\":{\"name\":\"");
    item->name_at = (kinf_off)put(sink, server.ident);
    put(sink, "\",\"namespace\":\"");
    item->namespace_at = (kinf_off)put(sink, key % 2 == 0 ? "even" : "odd");
    put(sink, "\",\"uid\":\"");
    item->uid_at = (kinf_off)put(sink, server.utext);
    put(sink, "\",\"resourceVersion\":\"");
    item->version_at = (kinf_off)put(sink, server.vtext);
    put(sink, "\"},\"data\":{\"x\":\"");
    memset(filler, 'x', t->size);
    filler[t->size] = 0;
    put(sink, filler);
    put(sink, "\"}}");
}

static int list_next(struct kinf_sink *sink, struct kinf_item *item)
{
    const struct kinf_request *q = &server.request;

    if (server.begun > 0) {
        const struct thing *t = &server.things[server.begun - 1];

        if (t->lives)
            give(sink, item, KINF_EVENT_LISTED, server.begun - 1, t);
        server.begun = 0;
        server.sent++;
        assert_true(t->lives);
        return KINF_SOURCE_ITEM;
    }
    while (server.at < KEYS && !server.things[server.at].lives)
        server.at++;
    if (server.at == KEYS || (q->limit > 0 && server.sent == q->limit)) {
        snprintf(server.token, sizeof(server.token), "%u", server.at);
        snprintf(server.vtext, sizeof(server.vtext), "%u", server.version);
        *item = (struct kinf_item){
            .version = { server.vtext, strlen(server.vtext) }
        };
        if (server.at < KEYS)
            item->continue_ = (struct kinf_span){ server.token,
                                                  strlen(server.token) };
        return KINF_SOURCE_END;
    }
    *item = (struct kinf_item){ .event = KINF_EVENT_LISTED };
    server.begun = ++server.at;
    return KINF_SOURCE_BEGIN;
}

static int watch_next(struct kinf_sink *sink, struct kinf_item *item)
{
    if (server.begun > 0) {
        server.begun = 0;
        give(sink, item, server.change.event, server.change.key,
             &server.change.thing);
        return KINF_SOURCE_ITEM;
    }
    if (server.at < server.oldest) {
        *item = (struct kinf_item){ .event = KINF_EVENT_ERROR,
                                    .http_status = 410 };
        server.at = server.version;
        return KINF_SOURCE_ITEM;
    }
    if (server.at >= server.version)
        return KINF_ERR_AGAIN;
    server.change = server.log[++server.at];
    *item = (struct kinf_item){ .event = server.change.event };
    server.begun = 1;
    return KINF_SOURCE_BEGIN;
}

/* Lists are not of one moment here (a change may come between two pages), so
 * changes wait while one runs; the real server serves them from a snapshot. */
static bool list_runs(void)
{
    return server.busy && server.request.type == KINF_REQUEST_LIST;
}

static int get_next(struct kinf_sink *sink, struct kinf_item *item)
{
    for (unsigned k = 0; k < KEYS; k++) {
        char name[16];

        snprintf(name, sizeof(name), "key-%u", k);
        if (server.request.name.len != strlen(name) ||
            memcmp(server.request.name.ptr, name, strlen(name)) != 0)
            continue;
        if (!server.things[k].lives)
            return KINF_ERR_NO_RESOURCE;
        if (server.sent++ == 0) {
            *item = (struct kinf_item){ .event = KINF_EVENT_LISTED };
            return KINF_SOURCE_BEGIN;
        }
        if (server.sent == 2) {
            give(sink, item, KINF_EVENT_LISTED, k, &server.things[k]);
            return KINF_SOURCE_ITEM;
        }
        return KINF_SOURCE_END;
    }
    fail_msg("a GET for a key that never was");
    return KINF_ERR_NO_RESOURCE;
}

static int fake_next(void *ctx, uint32_t now, struct kinf_sink *sink,
                     struct kinf_item *item)
{
    static const int losses[] = { KINF_ERR_CLOSED, KINF_ERR_CUT,
                                  KINF_ERR_TIMEOUT, KINF_ERR_JSON,
                                  KINF_ERR_BUSY, KINF_ERR_GONE };

    (void)ctx;
    (void)now;
    if (!server.calm && server.fail_in-- == 0) {
        *item = (struct kinf_item){ .event = KINF_EVENT_UNKNOWN };
        return losses[rnd() % 6];
    }
    if (!server.opened) {
        server.opened = true;
        return KINF_SOURCE_OPEN;
    }
    switch (server.request.type) {
    case KINF_REQUEST_LIST:
        return list_next(sink, item);
    case KINF_REQUEST_WATCH:
        return watch_next(sink, item);
    case KINF_REQUEST_GET:
        return get_next(sink, item);
    case KINF_REQUEST_STREAM:
    case KINF_REQUEST_PROBE:
    default:
        return KINF_ERR_INVALID;
    }
}

static const struct kinf_list_watch_ops fake_ops = { fake_request, fake_next,
                                                     fake_close };

/* ---- handlers ----------------------------------------------------------- */

struct seen {
    bool has;
    unsigned uid, version;
    bool truncated;
};

struct watcher {
    struct kinf_listener listener;
    enum kinf_mode mode;
    struct seen seen[KEYS];
    bool used, stuck;
    unsigned calls;
};

static int not_now(struct watcher *w)
{
    w->calls++;
    if (server.calm)
        return KINF_OK;
    if (rnd() % 16 == 0) {
        w->stuck = true;
        return KINF_ERR_AGAIN;
    }
    return rnd() % 16 == 0 ? (int)(1 + rnd() % 100) : KINF_OK;
}

static void show(struct watcher *w, const struct kinf_object *o)
{
    struct seen *s = &w->seen[number(o->name, 4)];

    *s = (struct seen){ true, number(o->uid, 1),
                        number(o->resource_version, 0),
                        o->reason != KINF_WHOLE };
    if (o->reason == KINF_WHOLE) {
        struct kinf_value v;

        assert_int_equal(KINF_OK, kinf_find(o, "data.x", &v));
    }
}

static void check_was(struct watcher *w, const struct kinf_object *was)
{
    const struct seen *s;

    if (was == NULL) {
        assert_int_equal(KINF_LATEST, w->mode);
        return;
    }
    s = &w->seen[number(was->name, 4)];
    assert_true(s->has);
    if (w->mode == KINF_EVERY) {
        assert_int_equal(s->uid, number(was->uid, 1));
        assert_int_equal(s->version, number(was->resource_version, 0));
        assert_int_equal(s->truncated, was->reason != KINF_WHOLE);
    }
}

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    struct watcher *w = ctx;
    int answer = not_now(w);

    (void)initial;
    assert_false(w->seen[number(o->name, 4)].has);
    assert_int_equal(KINF_WHOLE, o->reason);
    if (answer == KINF_OK)
        show(w, o);
    return answer;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    struct watcher *w = ctx;
    int answer = not_now(w);

    check_was(w, was);
    assert_true(w->seen[number(o->name, 4)].has);
    assert_int_equal(w->seen[number(o->name, 4)].uid, number(o->uid, 1));
    if (answer == KINF_OK)
        show(w, o);
    return answer;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    struct watcher *w = ctx;
    int answer = not_now(w);

    (void)unknown;
    check_was(w, was);
    assert_true(w->seen[number(was->name, 4)].has);
    if (answer == KINF_OK)
        w->seen[number(was->name, 4)].has = false;
    return answer;
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *o)
{
    struct watcher *w = ctx;
    int answer = not_now(w);

    assert_int_not_equal(KINF_WHOLE, o->reason);
    if (w->mode == KINF_EVERY) {
        assert_int_equal(was != NULL, w->seen[number(o->name, 4)].has);
        if (was != NULL)
            check_was(w, was);
    }
    if (answer == KINF_OK)
        show(w, o);
    return answer;
}

static const struct kinf_event_handler handler = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_truncated
};

/* ---- the world ---------------------------------------------------------- */

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return 1700000000;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)rnd();
}

static const struct kinf_platform platform = { now_ms, wall_s, random_bytes,
                                               NULL };

static struct {
    struct kinf k;
    struct kinf_informer inf;
    struct kinf_config config;
    struct kinf_informer_config informer;
    struct watcher watchers[4];
    char *memory;
    uint32_t told_before; /* notifications of a new listener */
} world;

static void add_watcher(void)
{
    struct watcher *w = &world.watchers[rnd() % 4];

    if (w->used)
        return;
    memset(w->seen, 0, sizeof(w->seen));
    w->mode = rnd() % 2 == 0 ? KINF_EVERY : KINF_LATEST;
    w->stuck = false;
    if (kinf_listener_add(&world.inf, &w->listener, &handler, w, w->mode,
                          rnd() % 3 == 0 ? 5000 : 0) == KINF_OK)
        w->used = true;
    if (w->used)
        w->listener.pushed = w->listener.popped = world.told_before;
}

static void set_up(const struct kinf_sizes *sizes, uint32_t limit)
{
    size_t bytes = kinf_informer_bytes(sizes);

    memset(&server, 0, sizeof(server));
    clock_ms = rnd() % 2 == 0 ? 0xFFFFF000u : rnd();
    world.memory = malloc(bytes);
    world.config = (struct kinf_config){ .platform = &platform,
                                         .host = KINF_SPAN("h"), .port = 1 };
    world.informer = (struct kinf_informer_config){
        .resource = KINF_RESOURCE_CONFIGMAPS, .source = &fake_ops,
        .limit = limit, .streaming = KINF_STREAM_NEVER, .sizes = *sizes,
        .memory = world.memory, .memory_size = bytes
    };
    memset(world.watchers, 0, sizeof(world.watchers));
    kinf_init(&world.k, &world.config);
    kinf_informer_init(&world.inf, &world.k, &world.informer);
    add_watcher();
    kinf_start(&world.k);
}

static void poll_once(void)
{
    uint32_t sleep = kinf_poll(&world.k);

    /* Without a request under way nothing could ever end such a sleep. */
    if (server.calm && !server.busy && !world.inf.stopping)
        assert_int_not_equal(UINT32_MAX, sleep);
    kinf_store_check(&world.inf.store, &world.inf.fifo, &world.inf.processor);
    clock_ms += sleep == UINT32_MAX || sleep > 2000 ? 2000 : sleep;
}

static void agitate(void)
{
    struct watcher *w = &world.watchers[rnd() % 4];

    if (!list_runs())
        for (unsigned i = rnd() % 4; i > 0; i--)
            server_change();
    if (rnd() % 64 == 0)
        server.oldest = server.version;
    if (rnd() % 8 == 0 && w->used && w->stuck) {
        w->stuck = false;
        kinf_listener_resume(&w->listener);
    }
    if (rnd() % 64 == 0)
        add_watcher();
    if (rnd() % 128 == 0 && w->used && kinf_listener_gone(&w->listener))
        w->used = false;
    else if (rnd() % 128 == 0 && w->used)
        kinf_listener_remove(&w->listener);
    poll_once();
}

static void expect_whole_cache(bool roomy)
{
    for (unsigned k = 0; k < KEYS; k++) {
        const struct thing *t = &server.things[k];
        char key[32];
        struct kinf_object o;
        int len = snprintf(key, sizeof(key), "%s/key-%u",
                           k % 2 == 0 ? "even" : "odd", k);
        int got = kinf_get(&world.inf, (struct kinf_span){ key, (size_t)len },
                           &o);

        if (!t->lives) {
            assert_true(got == KINF_ERR_NOT_FOUND ||
                        got == KINF_ERR_INCOMPLETE);
            continue;
        }
        if (!roomy && got < 0) {
            assert_int_equal(KINF_ERR_INCOMPLETE, got);
            continue;
        }
        assert_int_equal(KINF_OK, got < 0 ? got : KINF_OK);
        assert_int_equal(t->uid, number(o.uid, 1));
        assert_int_equal(t->version, number(o.resource_version, 0));
        if (roomy)
            assert_int_equal(KINF_WHOLE, o.reason);
    }
}

static void expect_all_shown(void)
{
    for (int i = 0; i < 4; i++) {
        struct watcher *w = &world.watchers[i];

        if (!w->used || kinf_listener_gone(&w->listener) ||
            w->listener.removed)
            continue;
        assert_true(kinf_listener_synced(&w->listener));
        for (unsigned k = 0; k < KEYS; k++) {
            char key[32];
            struct kinf_object o;
            int len = snprintf(key, sizeof(key), "%s/key-%u",
                               k % 2 == 0 ? "even" : "odd", k);
            int got = kinf_get(&world.inf,
                               (struct kinf_span){ key, (size_t)len }, &o);

            assert_int_equal(got >= 0, w->seen[k].has);
            if (got >= 0)
                assert_int_equal(w->seen[k].version,
                                 number(o.resource_version, 0));
        }
    }
}

/* first: the generation of the first list is the one after it. */
static void run_from(const struct kinf_sizes *sizes, bool roomy, uint16_t first)
{
    for (unsigned n = 1; n <= 24; n++) {
        seed = 0x9E3779B97F4A7C15u * n;
        set_up(sizes, 1 + rnd() % 10);
        world.inf.store.generation = first;
        for (int round = 0; round < 4; round++) {
            server.calm = false;
            for (unsigned i = rnd() % 600; i > 0; i--)
                agitate();
            server.calm = true;
            for (int i = 0; i < 4; i++)
                if (world.watchers[i].used)
                    kinf_listener_resume(&world.watchers[i].listener);
            for (int i = 0; i < 1500; i++)
                poll_once();
            assert_true(kinf_informer_synced(&world.inf));
            expect_whole_cache(roomy);
            expect_all_shown();
        }
        kinf_stop(&world.k);
        while (!kinf_stopped(&world.k))
            kinf_poll(&world.k);
        assert_int_equal(0, world.inf.store.entry_pool.used);
        free(world.memory);
    }
}

static void run(const struct kinf_sizes *sizes, bool roomy)
{
    run_from(sizes, roomy, 0);
}

static void test_informer_follows_the_server_with_room_for_all(void **state)
{
    const struct kinf_sizes sizes = { .objects = 64, .object_bytes = 1200,
        .arena_bytes = 65536, .fifo = 4, .every = 3, .ring = 4, .latest = 3,
        .postings = 64 };

    (void)state;
    run(&sizes, true);
}

static void test_informer_follows_the_server_in_the_smallest_sizes(void **state)
{
    const struct kinf_sizes sizes = { .objects = 5, .object_bytes = 512,
        .arena_bytes = 1040, .fifo = 1, .every = 2, .ring = 1, .latest = 2 };

    (void)state;
    run(&sizes, false);
}

static void test_informer_truncates_and_repairs_when_the_arena_is_full(
    void **state)
{
    const struct kinf_sizes sizes = { .objects = 40, .object_bytes = 600,
        .arena_bytes = 4000, .fifo = 3, .every = 2, .ring = 2, .latest = 2,
        .postings = 8 };

    (void)state;
    run(&sizes, false);
}

static void test_informer_goes_on_when_the_number_of_lists_wraps(void **state)
{
    const struct kinf_sizes sizes = { .objects = 64, .object_bytes = 1200,
        .arena_bytes = 65536, .fifo = 4, .every = 3, .ring = 4, .latest = 3 };

    (void)state;
    run_from(&sizes, true, UINT16_MAX - 3);
}

static void test_informer_goes_on_when_the_number_of_notifications_wraps(
    void **state)
{
    const struct kinf_sizes sizes = { .objects = 64, .object_bytes = 1200,
        .arena_bytes = 65536, .fifo = 4, .every = 3, .ring = 3, .latest = 3 };

    (void)state;
    world.told_before = UINT32_MAX - 7;
    run(&sizes, true);
    world.told_before = 0;
}

/* ---- the values of an index --------------------------------------------- */

static int ends_of_name(const struct kinf_object *o, unsigned n, char *value,
                        size_t size)
{
    assert_true(size >= 2);
    if (n > 1)
        return KINF_ERR_NOT_FOUND;
    value[0] = n == 0 ? 'k' : o->name.ptr[o->name.len - 1];
    return 1;
}

static unsigned count_values(const char *index, bool seen[256])
{
    char value[CONFIG_KINF_INDEX_VALUE_BYTES];
    uint32_t at = 0;
    unsigned count = 0;
    int len;

    memset(seen, 0, 256 * sizeof(*seen));
    while ((len = kinf_index_values(&world.inf, index, &at, value,
                                    sizeof(value))) > 0) {
        assert_false(seen[(uint8_t)value[0]]);
        seen[(uint8_t)value[0]] = true;
        count++;
    }
    assert_int_equal(0, len);
    return count;
}

/* With postings for all values, and with too few. */
static void test_index_values_are_each_given_once(void **state)
{
    static const uint32_t postings[] = { 64, 3 };
    bool seen[256];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct kinf_sizes sizes = { .objects = 64, .object_bytes = 1200,
            .arena_bytes = 65536, .fifo = 4, .every = 1, .ring = 4,
            .latest = 1, .postings = postings[i] };
        uint32_t at = 0;
        char value[8];

        seed = 7;
        set_up(&sizes, 10);
        assert_int_equal(KINF_OK, kinf_informer_index(&world.inf, "ends",
                                                      ends_of_name));
        for (unsigned k = 0; k < 12; k++)
            server.things[k] = (struct thing){ true, ++server.version,
                                               server.version, 10 };
        server.calm = true;
        for (int n = 0; n < 600; n++)
            poll_once();
        assert_int_equal(2, count_values("namespace", seen));
        assert_true(seen['e'] && seen['o']);
        assert_int_equal(11, count_values("ends", seen)); /* k, 0 to 9 */
        assert_int_equal(KINF_ERR_NOT_FOUND,
                         kinf_index_values(&world.inf, "no", &at, value,
                                           sizeof(value)));
        kinf_stop(&world.k);
        while (!kinf_stopped(&world.k))
            kinf_poll(&world.k);
        free(world.memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_informer_follows_the_server_with_room_for_all),
        cmocka_unit_test(
            test_informer_follows_the_server_in_the_smallest_sizes),
        cmocka_unit_test(
            test_informer_truncates_and_repairs_when_the_arena_is_full),
        cmocka_unit_test(test_informer_goes_on_when_the_number_of_lists_wraps),
        cmocka_unit_test(
            test_informer_goes_on_when_the_number_of_notifications_wraps),
        cmocka_unit_test(test_index_values_are_each_given_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
