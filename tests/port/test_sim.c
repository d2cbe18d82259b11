/* SPDX-License-Identifier: Apache-2.0 */
/* test_sim.c - the simulated world's network (tests/sim/net.c) through the
 * conformance suite: what core is run against for 10,000 hours keeps the
 * contract that ports keep. In place of the model of an API server stands a
 * peer that is told what to do. Once over a calm network, over one that moves a
 * few bytes at a time, and over a slow one. */
#include <stdio.h>
#include <string.h>

#include "port/conformance.h"
#include "sim/net.h"
#include "sim/server.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOST "api.sim.kin" /* the one host of that world */
#define PORT 6443
#define COMMAND_MS 600000
#define ACCEPT_MS 15000

/* ---- the peer's end of a connection ------------------------------------- */

struct conn {
    struct link *link; /* NULL: the other has left */
    struct text input;
    uint64_t sent, taken; /* of the pattern */
    bool accepted;
};

static struct conn *conns[256];
static size_t conn_count;
static struct conn *current;
static bool listening;

bool server_up(void)
{
    return listening;
}

struct conn *server_accept(struct link *l)
{
    struct conn *c = calloc(1, sizeof(*c));

    REQUIRE(conn_count < COUNT(conns), "too many connections");
    c->link = l;
    conns[conn_count++] = c;
    return c;
}

void server_input(struct conn *c, const char *bytes, size_t len)
{
    text_bytes(&c->input, bytes, len);
}

void server_hangup(struct conn *c)
{
    c->link = NULL;
}

void world_lost(uint32_t link)
{
    (void)link; /* nobody keeps account of what was asked */
}

/* Asked before bytes are sent: an API server may still be answering. */
bool server_idle(const struct conn *c)
{
    (void)c;
    return true;
}

/* ---- what it is told ---------------------------------------------------- */

static struct {
    char line[128], answer[256];
    bool busy;
    uint64_t since;
} command;

static void answer(const char *text)
{
    snprintf(command.answer, sizeof(command.answer), "%s", text);
    command.busy = false;
}

static bool says(const char *word)
{
    return strncmp(command.line, word, strlen(word)) == 0;
}

static unsigned long long number(void)
{
    unsigned long long n = 0;

    (void)sscanf(command.line, "%*s %llu", &n);
    return n;
}

/* Handshakes end only with one who accepts. */
static void let_in(bool in)
{
    net.hang_until = in ? 0 : NEVER;
    net.hang_phase = KINF_PHASE_HANDSHAKE;
    for (size_t i = 0; in && i < net.links.count; i++)
        if (net.links.at[i]->phase == KINF_PHASE_HANDSHAKE &&
            net.links.at[i]->step_at == NEVER)
            net.links.at[i]->step_at = sim.now;
}

static void accept_one(void)
{
    unsigned long long limit_s = 0;

    if (sscanf(command.line, "%*s %*s %llu", &limit_s) < 1)
        limit_s = ACCEPT_MS / 1000;
    for (size_t i = 0; i < conn_count; i++)
        if (!conns[i]->accepted) {
            conns[i]->accepted = true;
            current = conns[i];
            let_in(false);
            answer("ok");
            return;
        }
    if (sim.now - command.since > limit_s * 1000) {
        let_in(false);
        answer("error nobody came");
    }
}

static void send_some(void)
{
    uint8_t bytes[1000];

    for (unsigned long long left = number(); left > 0;) {
        size_t n = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);

        for (size_t i = 0; i < n; i++)
            bytes[i] = peer_byte(current->sent + i);
        link_write(current->link, (const char *)bytes, n);
        current->sent += n;
        left -= n;
    }
    answer("ok");
}

static void receive(void)
{
    size_t wanted = (size_t)number();

    if (current->input.len < wanted) {
        if (current->link == NULL || sim.now - command.since > COMMAND_MS)
            answer("error not so many bytes");
        return;
    }
    for (size_t i = 0; i < wanted; i++)
        if ((uint8_t)current->input.ptr[i] != peer_byte(current->taken + i)) {
            answer("error another byte");
            return;
        }
    current->taken += wanted;
    text_drop(&current->input, wanted);
    answer("ok");
}

static void step_command(void)
{
    if (!command.busy)
        return;
    if (says("accept")) {
        accept_one();
    } else if (says("recv")) {
        receive();
    } else if (says("end")) {
        if (current->link == NULL)
            answer("ok end");
    }
    if (command.busy && sim.now - command.since > COMMAND_MS)
        answer("error nothing came");
}

static void begin_command(void)
{
    char text[32];

    if (says("listen") || says("stall")) {
        listening = true;
        let_in(false);
        if (says("stall"))
            net.hang_phase = KINF_PHASE_CONNECT;
        snprintf(text, sizeof(text), "ok %d", PORT);
        answer(text);
    } else if (says("unlisten")) {
        listening = false;
        answer("ok");
    } else if (says("accept")) {
        let_in(true);
    } else if (says("send")) {
        send_some();
    } else if (says("shut") || says("close")) {
        link_end(current->link);
        answer("ok");
    } else if (says("reset")) {
        link_cut(current->link);
        answer("ok");
    } else if (says("tls")) {
        answer("ok");
    }
}

/* ---- time --------------------------------------------------------------- */

static void go_on(uint64_t until)
{
    uint64_t next = timers_next();

    sim.now = next < until ? next : until;
    timers_run();
    step_command();
}

static void pass_ms(int ms)
{
    uint64_t until = sim.now + (unsigned)ms;

    while (sim.now < until)
        go_on(until);
}

static void wait_for(void *ctx, const struct kinf_transport_status *status,
                     int timeout_ms)
{
    uint64_t until = sim.now + (unsigned)timeout_ms;

    while (sim.now < until) {
        uint64_t ready = link_ready_at(ctx, status->wants);

        if (ready <= sim.now)
            return;
        go_on(ready < until ? ready : until);
    }
}

static int64_t time_ms(void)
{
    return (int64_t)sim.now;
}

static void tell_peer(const char *line)
{
    REQUIRE(!command.busy, "a command at a time");
    snprintf(command.line, sizeof(command.line), "%s", line);
    command.busy = true;
    command.since = sim.now;
    begin_command();
    step_command();
}

static void wait_for_peer(char *text, size_t size)
{
    while (command.busy)
        go_on(sim.now + 1);
    snprintf(text, size, "%s", command.answer);
}

static const struct peer_inside inside = { tell_peer, wait_for_peer };

/* ---- the port ----------------------------------------------------------- */

static struct link transport;

static void *make(void)
{
    net.window = 65536;
    net.rtt_ms = 20;
    sim.rng.state = 1;
    link_init(&transport, true);
    return &transport;
}

static void *make_shredding(void)
{
    void *ctx = make();

    net.shred_until = NEVER;
    return ctx;
}

static void *make_slow(void)
{
    void *ctx = make();

    net.slow_until = NEVER;
    net.slow_ms = 40;
    net.window = 4096;
    return ctx;
}

/* Connections that are not closed, and bytes on their way. */
static long resources(void)
{
    long held = (long)(transport.flying + transport.pending.len +
                       transport.down.len + transport.up.len);

    for (size_t i = 0; i < conn_count; i++)
        held += conns[i]->link != NULL;
    return held;
}

/* Names, clock and chance are the world's, not the network's; and what goes up
 * is lost with the connection: a request whose asker has left. */
static bool is_promised(const struct check *check)
{
    static const char *const none[] = {
        "clock_counts_milliseconds",
        "wall_time_is_a_time_or_unknown",
        "random_is_not_constant",
        "random_fills_exactly_what_is_asked",
        "a_slow_lookup_does_not_block",
        "a_name_that_does_not_resolve_is_told",
        "all_addresses_are_tried_in_turn",
        "it_works_over_the_clocks_wrap",
        "the_peer_sees_our_close",
    };

    for (size_t i = 0; i < COUNT(none); i++)
        if (strcmp(check->name, none[i]) == 0)
            return false;
    return true;
}

int main(void)
{
    static struct check promised[64];
    size_t count = 0;
    const struct port port = {
        .name = "sim",
        .ops = &link_ops,
        .make = make,
        .wait = wait_for,
        .peer_tls = "tls",
        .resources = resources,
        .peer = &inside,
        .host = HOST,
        .time_ms = time_ms,
        .pass_ms = pass_ms,
    };
    struct port shredding = port, slow = port;

    for (size_t i = 0; i < conformance_count; i++)
        if (is_promised(&conformance[i]))
            promised[count++] = conformance[i];
    shredding.name = "sim, in shreds";
    shredding.make = make_shredding;
    slow.name = "sim, slow";
    slow.make = make_slow;
    checks_run(&port, promised, count);
    checks_run(&shredding, promised, count);
    checks_run(&slow, promised, count);
    return checks_end();
}
