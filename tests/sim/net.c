/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - the simulated network; see net.h. */
#include "net.h"

#include <stdio.h>

#include "server.h"

#define UP_MOST 16384 /* bytes on their way to the server, about */
#define SHORTEST_DEADLINE (14 * SECOND)
#define BURST (2 * SECOND) /* what does not trickle comes in less */
#define LATEST (10 * SECOND) /* is read by who reads at all, if late */

struct net net;

static bool active(uint64_t until)
{
    return sim.now < until;
}

void net_init(uint32_t rtt_ms)
{
    net.rtt_ms = rtt_ms;
    net.window = 65536;
    net_calm();
}

void net_calm(void)
{
    net.refuse_until = net.name_until = net.silent_until = 0;
    net.hang_until = net.tls_until = net.slow_until = net.drip_until = 0;
    net.shred_until = net.stall_until = net.hold_until = 0;
    net.unverified_until = 0;
    net.cut_set = false;
}

void link_init(struct link *l, bool trusted)
{
    *l = (struct link){ .number = (uint32_t)net.links.count,
                        .trusted = trusted, .phase = KINF_PHASE_CLOSED };
    *array_push(&net.links) = l;
}

static uint32_t half_trip(void)
{
    uint32_t ms = net.rtt_ms / 2 + rng_below(&sim.rng, net.rtt_ms / 4 + 2);

    return active(net.slow_until) ? ms + net.slow_ms : ms;
}

/* ---- from the server to us ---------------------------------------------- */

static void fly(struct link *l, size_t bytes)
{
    struct segment *s;
    uint64_t at = sim.now + half_trip();

    if (active(net.drip_until))
        at = (l->last_at > sim.now ? l->last_at : sim.now) + SECOND;
    if (at < l->last_at)
        at = l->last_at;
    l->last_at = at;
    s = array_push(&l->segments);
    s->at = at;
    s->bytes = bytes;
    l->flying += bytes;
    text_bytes(&l->down, l->pending.ptr, bytes);
    text_drop(&l->pending, bytes);
}

static size_t segment_size(size_t most)
{
    uint32_t max = 16384;

    if (active(net.drip_until))
        max = net.drip_bytes;
    else if (active(net.shred_until))
        max = 1 + rng_below(&sim.rng, 20);
    else if (rng_percent(&sim.rng, 20))
        max = 1 + rng_below(&sim.rng, 1460);
    return most < max ? most : max;
}

static void end_flies(struct link *l)
{
    l->end_at = sim.now + half_trip();
    if (l->end_at < l->last_at)
        l->end_at = l->last_at;
}

/* A planned cut: the connection ends in the middle of what flies. */
static bool cut_here(struct link *l, size_t bytes)
{
    if (!net.cut_set || net.cut_link % net.links.count != l->number)
        return false;
    if (bytes < net.cut_in) {
        net.cut_in -= (uint32_t)bytes;
        return false;
    }
    if (net.cut_in > 0)
        fly(l, net.cut_in);
    net.cut_set = false;
    TELL("net: connection %u is cut in the middle", l->number);
    text_drop(&l->pending, l->pending.len);
    if (net.cut_clean)
        end_flies(l);
    else
        l->reset_at = sim.now + half_trip();
    l->dead = true; /* nothing follows */
    l->dead_at = NEVER;
    return true;
}

static bool falls_silent(struct link *l, size_t bytes)
{
    if (bytes < l->mute_in) {
        l->mute_in -= l->mute_in != NEVER ? bytes : 0;
        return false;
    }
    if (l->mute_in > 0)
        fly(l, (size_t)l->mute_in);
    text_drop(&l->pending, l->pending.len);
    l->dead = true;
    l->dead_at = NEVER;
    TELL("net: connection %u falls silent", l->number);
    return true;
}

void link_mute(struct link *l, uint64_t after)
{
    l->mute_in = after;
    if (after == 0)
        (void)falls_silent(l, 0);
}

/* Lets go what may leave. */
static void pump(struct link *l)
{
    while (l->pending.len > 0 && !l->dead) {
        size_t room = l->flying < net.window ? net.window - l->flying : 0;
        size_t bytes = segment_size(l->pending.len < room ? l->pending.len
                                                          : room);

        if (bytes == 0)
            return;
        if (cut_here(l, bytes) || falls_silent(l, bytes))
            return;
        fly(l, bytes);
    }
    if (l->ended && l->pending.len == 0 && l->end_at == NEVER && !l->dead)
        end_flies(l);
}

static struct link *link_of_serial(uint64_t arg)
{
    for (size_t i = 0; i < net.links.count; i++)
        if (net.links.at[i]->serial == arg)
            return net.links.at[i];
    return NULL;
}

static void release_held(void *ctx, uint64_t serial)
{
    struct link *l = link_of_serial(serial);

    (void)ctx;
    if (l == NULL || l->held_since == NEVER)
        return;
    l->held_since = NEVER;
    pump(l);
}

/* A proxy that buffers sends what it has when it is enough or old enough. */
static void send_or_hold(struct link *l)
{
    if (!active(net.hold_until) || l->pending.len >= net.hold_bytes ||
        l->ended) {
        l->held_since = NEVER;
        pump(l);
        return;
    }
    if (l->held_since == NEVER) {
        l->held_since = sim.now;
        timer_at(sim.now + net.hold_ms, release_held, NULL, l->serial);
    }
}

void link_write(struct link *l, const char *bytes, size_t len)
{
    MUST(!l->ended, "the model server writes after the end");
    if (l->dead)
        return;
    l->active_at = sim.now;
    text_bytes(&l->pending, bytes, len);
    send_or_hold(l);
}

size_t link_backlog(const struct link *l)
{
    return l->pending.len;
}

void link_end(struct link *l)
{
    l->ended = true;
    if (!l->dead)
        send_or_hold(l);
}

void link_cut(struct link *l)
{
    l->ended = true;
    text_drop(&l->pending, l->pending.len);
    if (l->dead)
        return;
    l->dead = true;
    l->dead_at = NEVER;
    l->reset_at = sim.now + half_trip();
}

/* ---- from us to the server ---------------------------------------------- */

static void arrives(void *ctx, uint64_t arg)
{
    struct link *l = link_of_serial(arg >> 24);
    size_t bytes = arg & 0xFFFFFF;
    struct text copy = { NULL, 0, 0, 0 };

    (void)ctx;
    if (l == NULL || l->dead || l->conn == NULL)
        return;
    text_bytes(&copy, l->up.ptr, bytes);
    text_drop(&l->up, bytes);
    server_input(l->conn, copy.ptr, copy.len);
    text_free(&copy);
}

static int link_send(void *ctx, const void *data, size_t size)
{
    struct link *l = ctx;

    l->calls++;
    MUST(l->phase == KINF_PHASE_OPEN && !l->failed, "send when not open");
    MUST(size > 0, "send of nothing");
    if (l->reset_at <= sim.now || l->dead_at <= sim.now) {
        l->failed = true;
        l->reason = "connection reset by peer";
        return l->reset_at <= sim.now ? KINF_ERR_CLOSED : KINF_ERR_TIMEOUT;
    }
    if (active(net.stall_until) || l->up.len > UP_MOST ||
        (active(net.shred_until) && rng_percent(&sim.rng, 30) &&
         !l->by_time)) {
        l->wants = KINF_WANTS_WRITE;
        if (l->stalled_at == 0)
            l->stalled_at = sim.now;
        if (!active(net.stall_until))
            l->by_time = true; /* only once in a row, or it waits for ever */
        return KINF_ERR_AGAIN;
    }
    l->by_time = false;
    l->stalled_at = 0;
    if (size > 1 && (active(net.shred_until) || rng_percent(&sim.rng, 10)))
        size = 1 + rng_below(&sim.rng, (uint32_t)size);
    if (size > 65536)
        size = 65536;
    if (!l->dead && !l->ended)
        MUST(server_idle(l->conn) && l->flying == 0 && l->pending.len == 0,
             "bytes are sent before the answer has ended");
    l->bytes_up += size;
    l->moves++;
    l->active_at = l->asked_at = sim.now;
    text_bytes(&l->up, data, size);
    timer_at(sim.now + half_trip(), arrives, NULL, l->serial << 24 | size);
    return (int)size;
}

/* ---- opening ------------------------------------------------------------ */

static void next_phase(struct link *l)
{
    static const char *const words[] = {
        [KINF_PHASE_RESOLVE] = "resolving the name",
        [KINF_PHASE_CONNECT] = "connecting",
        [KINF_PHASE_HANDSHAKE] = "in the handshake"
    };
    uint32_t ms = half_trip() * 2;

    l->phase = (enum kinf_phase)(l->phase + 1);
    l->reason = words[l->phase];
    if (l->phase == KINF_PHASE_RESOLVE)
        ms = rng_below(&sim.rng, 50);
    l->step_at = sim.now + ms;
    l->step_error = KINF_OK;
    if (l->phase == KINF_PHASE_RESOLVE && active(net.name_until)) {
        l->step_error = KINF_ERR_NAME;
        l->reason = "no such host";
    } else if (l->phase == KINF_PHASE_CONNECT &&
               (active(net.refuse_until) || !server_up())) {
        l->step_error = KINF_ERR_REFUSED;
        l->reason = "connection refused";
    } else if (l->phase == KINF_PHASE_HANDSHAKE && active(net.tls_until)) {
        l->step_error = net.tls_error;
        l->reason = "the certificate is not good";
    }
    if ((active(net.hang_until) && net.hang_phase == l->phase) ||
        (active(net.silent_until) && l->phase == KINF_PHASE_CONNECT))
        l->step_at = NEVER;
}

static void idle_cut(void *ctx, uint64_t serial)
{
    struct link *l = link_of_serial(serial);
    uint64_t at;

    (void)ctx;
    if (l == NULL || net.idle_cut_ms == 0 || l->dead || l->ended)
        return;
    at = l->active_at + net.idle_cut_ms;
    if (at > sim.now) {
        timer_at(at, idle_cut, NULL, serial);
        return;
    }
    TELL("proxy: connection %u was silent, cut", l->number);
    server_hangup(l->conn);
    l->conn = NULL;
    if (rng_percent(&sim.rng, 50)) {
        link_cut(l);
        return;
    }
    text_drop(&l->pending, l->pending.len);
    link_end(l);
}

static void connected(struct link *l)
{
    static uint64_t serials;

    l->phase = KINF_PHASE_OPEN;
    l->reason = NULL;
    l->verified = l->trusted && !active(net.unverified_until);
    l->serial = ++serials;
    l->ended = l->dead = false;
    l->mute_in = NEVER;
    l->end_at = l->reset_at = l->dead_at = l->held_since = NEVER;
    l->last_at = 0;
    l->active_at = l->asked_at = sim.now;
    l->by_time = false;
    l->conn = server_accept(l);
    if (net.idle_cut_ms > 0)
        timer_at(sim.now + net.idle_cut_ms, idle_cut, NULL, l->serial);
    TELL("net: connection %u is open", l->number);
}

static int link_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct link *l = ctx;

    l->calls++;
    MUST(!l->failed, "open after an error without a close");
    MUST(l->phase != KINF_PHASE_OPEN, "open when open");
    MUST(host.len == 11 && memcmp(host.ptr, "api.sim.kin", 11) == 0 &&
             port == 6443, "open of another host");
    if (l->phase == KINF_PHASE_CLOSED) {
        l->opens++;
        net.opens++;
        l->by_time = rng_percent(&sim.rng, 30);
        next_phase(l);
    }
    while (sim.now >= l->step_at) {
        if (l->step_error != KINF_OK) {
            TELL("net: connection %u: %s", l->number, l->reason);
            l->failed = true;
            return l->step_error;
        }
        if (l->phase == KINF_PHASE_HANDSHAKE) {
            connected(l);
            return KINF_OK;
        }
        next_phase(l);
    }
    l->wants = l->by_time ? 0 : KINF_WANTS_WRITE;
    return KINF_ERR_AGAIN;
}

/* ---- receiving ---------------------------------------------------------- */

static int nothing_more(struct link *l)
{
    if (l->reset_at <= sim.now)
        l->reason = "connection reset by peer";
    else if (l->dead_at <= sim.now)
        l->reason = "the peer has not answered for 45 s";
    else if (l->flying == 0 && l->end_at <= sim.now)
        l->reason = "the peer ended the connection";
    else {
        l->wants = KINF_WANTS_READ;
        return KINF_ERR_AGAIN;
    }
    l->failed = true;
    return l->dead_at <= sim.now ? KINF_ERR_TIMEOUT : KINF_ERR_CLOSED;
}

static int link_recv(void *ctx, void *data, size_t size)
{
    struct link *l = ctx;
    struct segment *s;
    size_t bytes;

    l->calls++;
    MUST(l->phase == KINF_PHASE_OPEN && !l->failed, "recv when not open");
    MUST(size > 0, "recv of nothing");
    if (l->flying == 0 || l->segments.at[l->first].at > sim.now ||
        l->reset_at <= sim.now)
        return nothing_more(l);
    s = &l->segments.at[l->first];
    bytes = s->bytes < size ? s->bytes : size;
    if (bytes > 1 && (active(net.shred_until) || rng_percent(&sim.rng, 5)))
        bytes = 1 + rng_below(&sim.rng, (uint32_t)bytes);
    memcpy(data, l->down.ptr, bytes);
    if (sim.wire != NULL)
        fprintf(sim.wire, "\n<%u %zu>", l->number, bytes),
            (void)fwrite(data, 1, bytes, sim.wire);
    text_drop(&l->down, bytes);
    l->flying -= bytes;
    if (sim.now - l->heard_at >= BURST) {
        l->heard_before = l->heard_at;
        l->burst_at = sim.now - s->at < LATEST ? sim.now : s->at;
    }
    l->heard_at = sim.now;
    l->bytes_down += bytes;
    l->moves++;
    s->bytes -= bytes;
    if (s->bytes == 0 && ++l->first == l->segments.count)
        l->first = l->segments.count = 0;
    if (l->held_since == NEVER)
        pump(l);
    return (int)bytes;
}

static void link_close(void *ctx)
{
    struct link *l = ctx;
    struct conn *conn = l->conn;
    /* The first bytes of an event may come just before its deadline ends. */
    uint64_t heard =
        sim.now - l->burst_at < BURST ? l->heard_before : l->heard_at;

    l->calls++;
    if (l->phase == KINF_PHASE_OPEN)
        TELL("net: connection %u is closed by the client", l->number);
    l->conn = NULL;
    l->serial = l->stalled_at = 0;
    MUST(!net.timed_out || l->failed || sim.now >= heard + SHORTEST_DEADLINE,
         "connection %u timed out, %llu ms after bytes came", l->number,
         (unsigned long long)(sim.now - heard));
    net.timed_out = false;
    if (l->flying > 0 || l->pending.len > 0 || l->dead || l->reset_at != NEVER)
        world_lost(l->number);
    if (conn != NULL)
        server_hangup(conn);
    l->phase = KINF_PHASE_CLOSED;
    l->failed = false;
    l->wants = 0;
    text_free(&l->up);
    text_free(&l->pending);
    text_free(&l->down);
    l->flying = l->first = l->segments.count = 0;
}

static void link_forget(void *ctx)
{
    struct link *l = ctx;

    l->forgotten++;
}

static void link_status(void *ctx, struct kinf_transport_status *out)
{
    struct link *l = ctx;
    bool opening = l->phase != KINF_PHASE_CLOSED && l->phase != KINF_PHASE_OPEN;

    out->phase = l->failed ? KINF_PHASE_CLOSED : l->phase;
    out->wants = l->wants;
    out->verified = l->verified && l->phase == KINF_PHASE_OPEN;
    out->level = l->phase == KINF_PHASE_OPEN && l->number % 2 == 0;
    out->reason = l->reason;
    if (opening && l->by_time && l->step_at != NEVER)
        out->wait_ms = l->step_at > sim.now ? (uint32_t)(l->step_at - sim.now)
                                            : 1;
}

const struct kinf_transport_ops link_ops = {
    .open = link_open, .send = link_send, .recv = link_recv,
    .close = link_close, .status = link_status, .forget = link_forget
};

/* ---- waiting ------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t link_ready_at(const struct link *l, unsigned wants)
{
    uint64_t at = NEVER;

    if ((wants & KINF_WANTS_CALL) != 0)
        return sim.now;
    if (wants == 0)
        return NEVER;
    if (l->phase != KINF_PHASE_OPEN)
        return l->phase == KINF_PHASE_CLOSED ? NEVER : l->step_at;
    at = least(l->reset_at, l->dead_at);
    if ((wants & KINF_WANTS_READ) != 0) {
        if (l->flying > 0)
            at = least(at, l->segments.at[l->first].at);
        else
            at = least(at, l->end_at);
    }
    if ((wants & KINF_WANTS_WRITE) != 0)
        at = least(at, active(net.stall_until) ? net.stall_until
                       : l->up.len > UP_MOST   ? timers_next() /* some go up */
                                               : sim.now);
    return at;
}

/* ---- what befalls all --------------------------------------------------- */

void net_reset_all(bool clean)
{
    for (size_t i = 0; i < net.links.count; i++) {
        struct link *l = net.links.at[i];

        if (l->phase != KINF_PHASE_OPEN || l->dead || l->ended)
            continue;
        server_hangup(l->conn);
        l->conn = NULL;
        if (clean)
            link_end(l);
        else
            link_cut(l);
    }
}

void net_lose_all(void)
{
    for (size_t i = 0; i < net.links.count; i++) {
        struct link *l = net.links.at[i];

        if (l->phase != KINF_PHASE_OPEN)
            continue;
        text_drop(&l->down, l->down.len);
        l->flying = l->first = l->segments.count = 0;
        l->reset_at = sim.now;
        l->dead = true;
    }
}

void net_half_open(bool keepalive)
{
    for (size_t i = 0; i < net.links.count; i++) {
        struct link *l = net.links.at[i];

        if (l->phase != KINF_PHASE_OPEN || l->dead || l->ended)
            continue;
        server_hangup(l->conn);
        l->conn = NULL;
        l->dead = true;
        text_drop(&l->pending, l->pending.len);
        l->dead_at = keepalive ? sim.now + 45 * SECOND : NEVER;
    }
}
