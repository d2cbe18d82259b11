/* SPDX-License-Identifier: Apache-2.0 */
/* simpeer.c - see simpeer.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/peer.h"
#include "port/simpeer.h"
#include "port/simpeer_ip.h"

#define CONNECTIONS 64
#define LISTENERS 4
#define WINDOW 32768u    /* of received bytes nobody has read */
#define SENDABLE 131072u /* bytes a "send" leaves behind */
#define RESEND_MS 60
#define COMMAND_MS 600000 /* of a lossy line's time */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum tcp { FREE, SYN_RECEIVED, ESTABLISHED, DONE };

struct conn {
    enum tcp state;
    uint32_t here, there; /* addresses */
    uint16_t port, from;
    bool accepted;          /* by a command, or never to be */
    uint32_t iss, una, nxt; /* of ours: acknowledged, sent */
    uint64_t queued;        /* bytes to be sent in all */
    bool fin;               /* and then FIN */
    uint32_t window, mss;   /* the other's */
    uint32_t next;          /* of theirs */
    uint64_t received, read;
    bool their_fin, their_rst;
    uint32_t resend_at;
};

static struct conn conns[CONNECTIONS];
static struct conn *current;
static uint16_t listeners[LISTENERS]; /* ports; 0: none */
static uint16_t stalled;
static uint16_t next_port = 40000;
static uint32_t now;

uint32_t simpeer_isn[64];
uint16_t simpeer_from[64];
unsigned simpeer_opened;
unsigned simpeer_heard;

static bool talks;
static char said[4096];
static size_t said_len;

static struct {
    char line[128];
    char answer[256];
    bool busy;
    uint32_t since;
    uint64_t left;
} command;

/* ---- TCP ---------------------------------------------------------------- */

static uint8_t byte_at(uint64_t at)
{
    return talks ? (uint8_t)said[at % sizeof(said)] : peer_byte(at);
}

static uint32_t window_of(const struct conn *c)
{
    uint64_t held = c->received - c->read;

    return held < WINDOW ? WINDOW - (uint32_t)held : 0;
}

/* Sends a segment with size bytes of what stands at seq. */
static void segment(const struct conn *c, unsigned flags, uint32_t seq,
                    size_t size)
{
    uint8_t packet[1600];
    size_t head = (flags & SYN) != 0 ? 44 : 40;
    uint8_t *tcp = packet + 20;

    memset(tcp, 0, head - 20);
    put16(tcp, c->port);
    put16(tcp + 2, c->from);
    put32(tcp + 4, seq);
    put32(tcp + 8, (flags & ACK) != 0 ? c->next : 0);
    tcp[12] = (uint8_t)((head - 20) / 4 << 4);
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, window_of(c));
    if ((flags & SYN) != 0) {
        tcp[20] = 2;
        tcp[21] = 4;
        put16(tcp + 22, 1460);
    }
    for (size_t i = 0; i < size; i++)
        packet[head + i] = byte_at(seq - c->iss - 1 + i);
    simpeer_finish(packet, head + size, 6, c->here, c->there);
    put16(tcp + 16, simpeer_sum(packet, head + size));
    simpeer_emit(packet, head + size);
}

/* Without a connection: what comes to a closed port. */
static void refuse(const struct conn *c, uint32_t seq)
{
    segment(c, RST | ACK, seq, 0);
}

static void forget(struct conn *c)
{
    if (current == c)
        current = NULL;
    c->state = FREE;
}

static uint32_t end_of(const struct conn *c)
{
    return c->iss + 1 + (uint32_t)c->queued;
}

/* Sends what the other side has room for. */
static void push(struct conn *c)
{
    uint32_t end = end_of(c), limit = c->una + c->window;

    if (c->state != ESTABLISHED)
        return;
    while ((int32_t)(end - c->nxt) > 0 && (int32_t)(limit - c->nxt) > 0) {
        uint32_t size = end - c->nxt;

        size = size < c->mss ? size : c->mss;
        size = size < limit - c->nxt ? size : limit - c->nxt;
        segment(c, ACK | PSH, c->nxt, size);
        c->nxt += size;
        c->resend_at = now + RESEND_MS;
    }
    if (c->fin && c->nxt == end) {
        segment(c, FIN | ACK, c->nxt++, 0);
        c->resend_at = now + RESEND_MS;
    }
}

/* Again from the first byte that was not acknowledged; a closed window is
 * probed with one byte. */
static void resend(struct conn *c)
{
    uint32_t all = end_of(c) + (c->fin ? 1 : 0);

    if (c->state == SYN_RECEIVED && (int32_t)(now - c->resend_at) >= 0) {
        segment(c, SYN | ACK, c->iss, 0);
        c->resend_at = now + RESEND_MS;
        return;
    }
    if (c->state != ESTABLISHED || (int32_t)(now - c->resend_at) < 0 ||
        c->una == all)
        return;
    c->resend_at = now + RESEND_MS;
    c->nxt = c->una;
    if (c->window == 0 && c->una != end_of(c))
        segment(c, ACK, c->una, 1);
    else
        push(c);
}

static bool listens(uint16_t port)
{
    for (int i = 0; i < LISTENERS; i++)
        if (port != 0 && listeners[i] == port)
            return true;
    return false;
}

static struct conn *find(const struct conn *like)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (conns[i].state != FREE && conns[i].port == like->port &&
            conns[i].from == like->from && conns[i].there == like->there)
            return &conns[i];
    return NULL;
}

static void opened(struct conn *like, const uint8_t *tcp)
{
    struct conn *c = NULL;

    for (int i = 0; i < CONNECTIONS && c == NULL; i++)
        if (conns[i].state == FREE || conns[i].state == DONE)
            c = &conns[i];
    if (c == NULL)
        abort();
    *c = *like;
    c->state = SYN_RECEIVED;
    c->iss = 0x7FFFFFF0u + simpeer_opened * 0x1234567u; /* some wrap early */
    c->una = c->nxt = c->iss + 1;
    c->next = get32(tcp + 4) + 1;
    c->window = get16(tcp + 14);
    c->mss = tcp[12] >> 4 > 5 && tcp[20] == 2 ? get16(tcp + 22) : 536;
    c->resend_at = now + RESEND_MS;
    simpeer_isn[simpeer_opened % 64] = c->next - 1;
    simpeer_from[simpeer_opened++ % 64] = c->from;
    segment(c, SYN | ACK, c->iss, 0);
}

static void no_connection(struct conn *like, const uint8_t *tcp, size_t size)
{
    unsigned flags = tcp[13];

    if ((flags & RST) != 0 || like->port == stalled)
        return;
    if ((flags & SYN) != 0 && listens(like->port)) {
        opened(like, tcp);
        return;
    }
    like->next = get32(tcp + 4) + (uint32_t)size + ((flags & SYN) != 0);
    refuse(like, get32(tcp + 8));
}

static void acknowledged(struct conn *c, const uint8_t *tcp)
{
    uint32_t ack = get32(tcp + 8);
    uint32_t all = end_of(c) + (c->fin ? 1 : 0);

    if ((int32_t)(ack - all) > 0)
        abort(); /* it acknowledges what was never sent */
    c->window = get16(tcp + 14);
    if ((int32_t)(ack - c->una) > 0) {
        c->una = ack;
        c->resend_at = now + RESEND_MS;
        if ((int32_t)(c->una - c->nxt) > 0)
            c->nxt = c->una;
        if (c->state == SYN_RECEIVED)
            c->state = ESTABLISHED;
    }
    if (c->state == SYN_RECEIVED && ack == c->iss + 1)
        c->state = ESTABLISHED;
    push(c);
}

/* Takes a segment's bytes if they come next. */
static void taken(struct conn *c, const uint8_t *tcp, const uint8_t *data,
                  size_t size)
{
    uint32_t seq = get32(tcp + 4);
    bool fin = (tcp[13] & FIN) != 0;

    if (size == 0 && !fin) {
        if (seq + 1 == c->next) /* a keepalive */
            segment(c, ACK, c->nxt, 0);
        return;
    }
    if (seq == c->next && !c->their_fin) {
        if (size > window_of(c))
            size = window_of(c); /* a probe of a closed window */
        for (size_t i = 0; i < size; i++)
            if (!talks && data[i] != peer_byte(c->received + i))
                simpeer_wrong("a byte is lost, doubled or changed");
        c->next += (uint32_t)size;
        c->received += size;
        if (talks) {
            c->read = c->received;
            simpeer_heard +=
                size >= 4 && memcmp(data + size - 4, "\r\n\r\n", 4) == 0;
        }
        if (fin) {
            c->their_fin = true;
            c->next++;
        }
    }
    segment(c, ACK, c->nxt, 0);
}

static void in_tcp(const uint8_t *packet, size_t size)
{
    const uint8_t *tcp = packet + 20;
    size_t head = (size_t)(tcp[12] >> 4) * 4;
    struct conn like = { .here = get32(packet + 16),
                         .there = get32(packet + 12),
                         .port = (uint16_t)get16(tcp + 2),
                         .from = (uint16_t)get16(tcp),
                         .mss = 536 };
    struct conn *c = find(&like);

    if (c != NULL && c->state == DONE && (tcp[13] & SYN) != 0) {
        forget(c); /* the number is used again */
        c = NULL;
    }
    if (c == NULL || c->state == DONE) {
        no_connection(&like, tcp, size - 20 - head);
        return;
    }
    if ((tcp[13] & RST) != 0) {
        c->their_rst = true;
        c->state = DONE;
        return;
    }
    if ((tcp[13] & SYN) != 0)
        return;
    acknowledged(c, tcp);
    taken(c, tcp, packet + 20 + head, size - 20 - head);
}

void simpeer_in(const uint8_t *packet, size_t size, uint32_t now_ms)
{
    now = now_ms;
    if (!simpeer_arrives(packet, size))
        return;
    if (packet[9] == 6)
        in_tcp(packet, size);
    else if (packet[9] == 17)
        simpeer_udp(packet, size, now);
}

/* ---- commands ----------------------------------------------------------- */

static void answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(command.answer, sizeof(command.answer), format, args);
    va_end(args);
    command.busy = false;
}

/* What close() of a socket does. */
static void drop(void)
{
    struct conn *c = current;

    if (c == NULL)
        return;
    current = NULL;
    if (c->state != ESTABLISHED)
        return;
    if (c->received != c->read) { /* unread bytes: a reset */
        segment(c, RST | ACK, c->nxt, 0);
        c->state = DONE;
        return;
    }
    c->fin = true;
    push(c);
}

static void listen_on(uint16_t port)
{
    for (int i = 0; i < LISTENERS; i++)
        if (listeners[i] == 0) {
            listeners[i] = port != 0 ? port : next_port++;
            answer("ok %u", listeners[i]);
            return;
        }
    answer("error no place");
}

static void unlisten(void)
{
    memset(listeners, 0, sizeof(listeners));
    for (int i = 0; i < CONNECTIONS; i++)
        if (conns[i].state != FREE && !conns[i].accepted) {
            if (conns[i].state != DONE)
                refuse(&conns[i], conns[i].nxt);
            forget(&conns[i]);
        }
    answer("ok");
}

static void step_accept(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct conn *c = &conns[i];

        if (c->accepted || (c->state != ESTABLISHED && c->state != DONE))
            continue;
        c->accepted = true;
        current = c;
        answer("ok");
        return;
    }
}

/* Takes what was received, at most so many bytes. */
static uint64_t take(uint64_t most)
{
    uint64_t there = current->received - current->read;
    uint32_t before = window_of(current);

    there = there < most ? there : most;
    current->read += there;
    if (there > 0 && before < WINDOW / 2 && current->state == ESTABLISHED)
        segment(current, ACK, current->nxt, 0); /* the window is open again */
    return there;
}

static void step_recv(void)
{
    command.left -= take(command.left);
    if (command.left == 0)
        answer("ok");
    else if (current->their_rst)
        answer("error ConnectionResetError");
    else if (current->their_fin)
        answer("ok ended %llu short", (unsigned long long)command.left);
}

static void step_end(void)
{
    (void)take(UINT64_MAX);
    if (current->their_rst)
        answer("ok reset");
    else if (current->their_fin)
        answer("ok end");
}

static void step_send(void)
{
    uint64_t unsent = current->queued - (current->una - current->iss - 1);
    uint64_t room = unsent < SENDABLE ? SENDABLE - unsent : 0;
    uint64_t more = room < command.left ? room : command.left;

    if (current->state != ESTABLISHED) {
        answer("error BrokenPipeError");
        return;
    }
    current->queued += more;
    command.left -= more;
    push(current);
    if (command.left == 0)
        answer("ok");
}

static bool is(const char *word)
{
    size_t len = strlen(word);

    return strncmp(command.line, word, len) == 0 &&
           (command.line[len] == ' ' || command.line[len] == '\0');
}

static void step_command(void)
{
    if (!command.busy)
        return;
    if (is("accept"))
        step_accept();
    else if (current == NULL)
        answer("error no connection");
    else if (is("recv"))
        step_recv();
    else if (is("end"))
        step_end();
    else if (is("send"))
        step_send();
    if (command.busy && now - command.since >= COMMAND_MS)
        answer("error TimeoutError");
}

/* What is done at once, and of the rest what comes first. */
static void begin_command(void)
{
    const char *space = strchr(command.line, ' ');

    if (is("listen")) {
        const char *port = space == NULL ? NULL : strchr(space + 1, ' ');

        listen_on((uint16_t)(port == NULL ? 0 : atoi(port)));
    } else if (is("unlisten")) {
        unlisten();
    } else if (is("stall")) {
        stalled = next_port++;
        answer("ok %u", stalled);
    } else if (is("accept")) {
        drop();
    } else if (is("close")) {
        drop();
        answer("ok");
    } else if (is("shut") && current != NULL) {
        current->fin = true;
        push(current);
        answer("ok");
    } else if (is("reset") && current != NULL) {
        segment(current, RST | ACK, current->nxt, 0);
        forget(current);
        answer("ok");
    } else if ((is("recv") || is("send")) && space != NULL) {
        command.left = strtoull(space + 1, NULL, 10);
    } else if (!is("end")) {
        answer("error unknown: %s", command.line);
    }
}

void simpeer_command(const char *line, uint32_t now_ms)
{
    now = now_ms;
    if (command.busy)
        abort();
    snprintf(command.line, sizeof(command.line), "%s", line);
    command.line[strcspn(command.line, "\n")] = '\0';
    command.busy = true;
    command.since = now;
    begin_command();
    step_command();
}

bool simpeer_done(char *text, size_t size)
{
    if (command.busy)
        return false;
    snprintf(text, size, "%s", command.answer);
    return true;
}

void simpeer_talk(void)
{
    talks = true;
}

void simpeer_say(const char *text, uint32_t now_ms)
{
    size_t size = strlen(text);

    now = now_ms;
    if (said_len + size > sizeof(said))
        abort();
    memcpy(said + said_len, text, size);
    said_len += size;
    for (int i = CONNECTIONS - 1; i >= 0; i--)
        if (conns[i].state == ESTABLISHED) {
            conns[i].queued += size;
            push(&conns[i]);
            return;
        }
    abort();
}

/* ---- time --------------------------------------------------------------- */

uint32_t simpeer_step(uint32_t now_ms)
{
    now = now_ms;
    simpeer_udp_step(now);
    for (int i = 0; i < CONNECTIONS; i++)
        if (conns[i].state != FREE)
            resend(&conns[i]);
    step_command();
    return 1;
}
