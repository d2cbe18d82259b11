/* SPDX-License-Identifier: Apache-2.0 */
/* server_life.c - the life of the model server: replicas and their lag,
 * restarts, restores, failover, what befalls all watches; see server.h. */
#include "server_conn.h"

static void pump_all(uint32_t replica)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];

        if (c->replica != replica)
            continue;
        if (c->state == CONN_WATCH)
            watch_pump(c);
        else if (c->state == CONN_WAITING)
            answer_request(c);
    }
}

static void catch_up(void *ctx, uint64_t arg)
{
    struct replica *r = ctx;
    uint64_t rev = arg >> 8;

    if ((arg & 0xFF) != (etcd.restores & 0xFF) || rev <= r->seen_rev)
        return;
    r->seen_rev = rev;
    pump_all((uint32_t)(r - server.replicas));
}

void server_changed(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct replica *r = &server.replicas[i];
        uint64_t arg = etcd.rev << 8 | (etcd.restores & 0xFF);

        if (r->lag_ms == 0)
            catch_up(r, arg);
        else
            timer_at(sim.now + r->lag_ms, catch_up, r, arg);
    }
}

static void cut_all(void)
{
    for (size_t i = 0; i < server.conns.count; i++)
        if (server.conns.at[i]->state != CONN_OVER)
            conn_cut(server.conns.at[i]);
}

static void begin_caches(void)
{
    for (int i = 0; i < 2; i++)
        server.replicas[i] = (struct replica){ .seen_rev = etcd.rev,
                                               .cache_from = etcd.rev };
}

void server_init(void)
{
    server.leaving_at = NEVER;
    server.window = 1000;
    server.token_bytes = 240;
    begin_caches();
}

static void go_down(uint32_t down_ms, uint32_t slow_ms)
{
    cut_all();
    begin_caches();
    server.leaving_at = NEVER;
    server.up_at = sim.now + down_ms;
    server.ready_at = server.up_at + slow_ms;
    TELL("server: down for %u ms, then slow for %u ms", down_ms, slow_ms);
}

static void leave(void *ctx, uint64_t arg)
{
    (void)ctx;
    if (server.leaving_at <= sim.now)
        go_down((uint32_t)(arg >> 32), (uint32_t)arg);
}

/* A second after the connections without an answer: the watches end well. */
static void watches_leave(void *ctx, uint64_t arg)
{
    (void)ctx;
    (void)arg;
    for (size_t i = 0; i < server.conns.count && server.leaving_at <= sim.now;
         i++) {
        struct conn *c = server.conns.at[i];

        if (c->state != CONN_WATCH)
            continue;
        watch_end(c);
        conn_over(c);
    }
}

/* As measured of 1.36: nothing new is taken, what is idle is closed at once.
 * Or, as its documentation has it for those who ask: 429 for a while. */
static void leave_gracefully(uint32_t down_ms)
{
    server.leaving_at = sim.now;
    if (chance(50)) {
        server_end_watches(true);
        return;
    }
    server.up_at = sim.now + 10 * SECOND + down_ms;
    for (size_t i = 0; i < server.conns.count; i++)
        if (server.conns.at[i]->state == CONN_IDLE)
            conn_over(server.conns.at[i]);
    timer_at(sim.now + SECOND, watches_leave, NULL, 0);
}

void server_restart(uint32_t down_ms, uint32_t slow_ms, bool graceful)
{
    if (!graceful) {
        go_down(down_ms, slow_ms);
        return;
    }
    TELL("server: shuts down gracefully");
    leave_gracefully(down_ms);
    timer_at(sim.now + 10 * SECOND, leave, NULL,
             (uint64_t)down_ms << 32 | slow_ms);
}

void server_restore(uint32_t down_ms)
{
    etcd_restore();
    go_down(down_ms, 0);
}

void server_end_watches(bool clean)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];

        if (c->state != CONN_WATCH)
            continue;
        if (clean)
            watch_end(c);
        else
            conn_cut(c);
    }
}

void server_stray(enum stray stray)
{
    static const char *const lines[STRAYS] = {
        [STRAY_UNKNOWN_TYPE] =
            "{\"type\":\"FANCY\",\"object\":{\"kind\":\"ConfigMap\",\"a\":1}}"
            "\n",
        [STRAY_NO_OBJECT] = "{\"type\":\"MODIFIED\"}\n",
        [STRAY_GARBAGE] = "<html>oops</html>\n",
        [STRAY_BLANK] = "\n \r\n\t\n",
        [STRAY_BRACKET] = "{\"type\":\"ADDED\",\"object\":{]}}\n",
    };

    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];
        struct text t = { NULL, 0, 0, 0 };

        if (c->state != CONN_WATCH)
            continue;
        if (stray == STRAY_ERROR_500)
            watch_error(&t, 500, "InternalError", "etcd is away", NULL);
        else if (stray == STRAY_ERROR_429)
            watch_error(&t, 429, "TooManyRequests", "come later", NULL);
        else if (stray == STRAY_ERROR_410)
            watch_error(&t, 410, "Expired", "too old resource version", NULL);
        else
            text_add(&t, lines[stray]);
        if (stray == STRAY_BLANK)
            server.blank_at = sim.now;
        watch_write_text(c, &t);
        if (stray >= STRAY_ERROR_500 && stray <= STRAY_ERROR_410)
            watch_end(c);
    }
}

void server_failover(uint32_t lag_ms)
{
    server.active = 1 - server.active;
    server.replicas[server.active].lag_ms = lag_ms;
    TELL("server: replica %u takes over, %u ms behind", server.active, lag_ms);
    cut_all();
}

void server_calm(void)
{
    if (server.up_at > sim.now)
        server.up_at = sim.now;
    if (server.ready_at > sim.now)
        server.ready_at = sim.now;
    server.leaving_at = NEVER;
    server.error_until = server.odd_until = server.no_bookmarks_until = 0;
    server.short_until = server.mute_until = 0;
    server.replicas[0].lag_ms = server.replicas[1].lag_ms = 0;
    server_changed();
}
