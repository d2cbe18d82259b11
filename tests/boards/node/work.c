/* SPDX-License-Identifier: Apache-2.0 */
/* work.c - see work.h. The processor's clock is the measure: under -icount
 * shift=0 it is exact to 20 or 40 instructions. */
#include "work.h"

#include <string.h>

#include "board.h"
#include "network.h"
#include "print.h"

enum phase { RESOLVE, CONNECT, HANDSHAKE, HEADERS, LIST, WATCH, IDLE, PHASES };
static const char *const names[PHASES] = { "resolve", "connect", "handshake",
                                           "headers", "list",    "watch",
                                           "idle" };

static struct kinf *loop;
static const struct kinf_informer *informer;
static struct kinf_mbedtls *transport;
static const uint32_t *handler_calls;

/* In clocks. full: without a ticket, resumed: with one. */
static struct {
    uint32_t longest[PHASES];
    uint32_t full, resumed;  /* from connect to the last message */
    uint32_t reconnect;      /* by ticket, from connect to the first event */
    uint32_t since_connect;
    uint32_t polls, network; /* all of them */
    uint64_t bytes;          /* of HTTP received before */
    uint32_t requests;       /* of which the answer has begun */
    bool open, by_ticket, event_due;
} work;

void work_of(struct kinf *k, const struct kinf_informer *inf,
             struct kinf_mbedtls *tls, const uint32_t *calls)
{
    loop = k;
    informer = inf;
    transport = tls;
    handler_calls = calls;
}

static struct kinf_transport_status state(void)
{
    struct kinf_transport_status s = { .wants = 0 };

    kinf_mbedtls_ops.status(transport, &s);
    return s;
}

void work_begin(void)
{
    struct kinf_status s;

    kinf_informer_status(informer, &s);
    memset(&work, 0, sizeof(work));
    work.bytes = s.bytes;
    work.requests = s.requests;
    work.open = state().phase == KINF_PHASE_OPEN;
}

static void most(uint32_t *of, uint32_t clocks)
{
    if (clocks > *of)
        *of = clocks;
}

static enum phase phase_of(enum kinf_phase before, enum kinf_phase after,
                           uint64_t bytes, const struct kinf_status *s)
{
    enum kinf_phase phase = before == KINF_PHASE_CLOSED ? after : before;

    if (phase == KINF_PHASE_RESOLVE)
        return RESOLVE;
    if (phase == KINF_PHASE_CONNECT)
        return CONNECT;
    if (phase == KINF_PHASE_HANDSHAKE)
        return HANDSHAKE;
    if (work.requests != s->requests) {
        if (s->bytes != bytes)
            work.requests = s->requests;
        return HEADERS;
    }
    if (s->bytes == bytes)
        return IDLE;
    return s->phase == KINF_INFORMER_WATCHING ? WATCH : LIST;
}

/* The stretch from connect to the end of the handshake, and on to the first
 * event by a ticket. */
static void follow(struct kinf_transport_status before,
                   struct kinf_transport_status after, uint32_t clocks,
                   uint32_t calls)
{
    if (before.phase == KINF_PHASE_CLOSED || after.phase == KINF_PHASE_CLOSED) {
        work.since_connect = 0;
        work.open = work.event_due = false;
    }
    work.since_connect += clocks;
    if (!work.open && after.phase == KINF_PHASE_OPEN) {
        work.open = true;
        work.event_due = after.resumed;
        most(after.resumed ? &work.resumed : &work.full, work.since_connect);
    }
    if (work.event_due && *handler_calls != calls) {
        work.event_due = false;
        most(&work.reconnect, work.since_connect);
    }
}

uint32_t work_poll(void)
{
    struct kinf_transport_status before = state();
    uint32_t calls = *handler_calls;
    struct kinf_status s;
    uint32_t from, sleep_ms, clocks;
    uint64_t bytes;

    kinf_informer_status(informer, &s);
    bytes = s.bytes;
    from = board_clocks();
    sleep_ms = kinf_poll(loop);
    clocks = board_clocks() - from;
    kinf_informer_status(informer, &s);
    work.polls += clocks;
    most(&work.longest[phase_of(before.phase, state().phase, bytes, &s)],
         clocks);
    follow(before, state(), clocks, calls);
    return sleep_ms;
}

void work_network(void)
{
    uint32_t from = board_clocks();

    network_poll();
    work.network += board_clocks() - from;
}

static void tell(const char *what, const char *of, uint32_t clocks)
{
    print("work ");
    print(what);
    print(of);
    print(" ");
    print_number(clocks);
    print("\n");
}

void work_tell(void)
{
    struct kinf_status s;

    kinf_informer_status(informer, &s);
    for (int i = 0; i < PHASES; i++)
        tell("longest-", names[i], work.longest[i]);
    tell("handshake", "", work.full);
    tell("handshake-ticket", "", work.resumed);
    tell("reconnect", "", work.reconnect);
    tell("polls", "", work.polls);
    tell("network", "", work.network);
    tell("unit", "", 1000000000u / board_clock_hz);
    print("bytes ");
    print_number((uint32_t)(s.bytes - work.bytes));
    print("\n");
}
