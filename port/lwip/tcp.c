/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c - lwIP's callbacks as a transport that is polled; see kinf_lwip.h.
 *
 * Runs where lwIP runs. The callbacks only note what happened and tell. An
 * error callback means that lwIP has freed the pcb already. Nothing ever waits
 * for an ACK while received data lies here: recv and send know nothing of each
 * other, and what is unread takes no more of the pool than its window. */
#include "kinf_lwip.h"

#include <string.h>

#include "lwip/dns.h"
#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"

#define LEAST_SENT 128
#define DEAD_PEER_MS 15000 /* keepalive: idle, then two tries as long */
#define STARVED_MS 250     /* memory that others hold: look again */

/* Pieces of a full frame with its padding, Ethernet's, IP's and TCP's header;
 * full frames of a window. */
#define FRAME_PIECES                                                           \
    ((ETH_PAD_SIZE + 14 + 20 + 20 + TCP_MSS + PBUF_POOL_BUFSIZE - 1) /         \
     PBUF_POOL_BUFSIZE)
#define WINDOW_FRAMES ((TCP_WND + TCP_MSS - 1) / TCP_MSS)
#define WINDOW_PIECES (WINDOW_FRAMES * FRAME_PIECES)
#define PIECE_BYTES LWIP_MEM_ALIGN_SIZE(PBUF_POOL_BUFSIZE)

_Static_assert(PBUF_POOL_SIZE >= MEMP_NUM_TCP_PCB * WINDOW_PIECES + 2,
               "CONFIG_KINF_LWIP_POOL: below the windows of all connections "
               "and two pieces more");
_Static_assert(TCP_WND <= UINT16_MAX, "the window is counted in 16 bits");

enum state { SHUT, RESOLVING, CONNECTING, OPEN, FAILED };

static const struct kinf_platform *platform;

void kinf_lwip_platform(const struct kinf_platform *p)
{
    platform = p;
}

uint32_t kinf_lwip_random(void)
{
    uint32_t number;

    platform->random(platform->ctx, &number, sizeof(number));
    return number;
}

uint32_t sys_now(void)
{
    return platform->now_ms(platform->ctx);
}

void kinf_lwip_tcp_init(struct kinf_lwip_tcp *t)
{
    memset(t, 0, sizeof(*t));
}

void kinf_lwip_notify(struct kinf_lwip_tcp *t, void (*notify)(void *ctx),
                      void *ctx)
{
    t->notify = notify;
    t->notify_ctx = ctx;
}

static void tell(const struct kinf_lwip_tcp *t)
{
    if (t->notify != NULL)
        t->notify(t->notify_ctx);
}

/* ---- what was received -------------------------------------------------- */

/* May bytes be moved inside this piece? */
static bool is_ours(const struct pbuf *p)
{
    return pbuf_match_allocsrc(p, PBUF_POOL) && p->ref == 1;
}

/* Moves a piece's bytes to its front, over what was read or was a header. */
static void to_front(struct pbuf *p, uint16_t read)
{
    uint8_t *front = (uint8_t *)p + LWIP_MEM_ALIGN_SIZE(sizeof(*p));

    p->len = (u16_t)(p->len - read);
    p->tot_len = (u16_t)(p->tot_len - read);
    memmove(front, (uint8_t *)p->payload + read, p->len);
    p->payload = front;
}

/* Fills a piece with what follows it; pieces that get empty are freed. */
static void fill_up(struct pbuf *p)
{
    while (p->next != NULL && p->len < PIECE_BYTES) {
        struct pbuf *next = p->next;
        size_t room = (size_t)(PIECE_BYTES - p->len);
        u16_t n = next->len < room ? next->len : (u16_t)room;

        memcpy((uint8_t *)p->payload + p->len, next->payload, n);
        p->len = (u16_t)(p->len + n);
        next->payload = (uint8_t *)next->payload + n;
        next->len = (u16_t)(next->len - n);
        next->tot_len = (u16_t)(next->tot_len - n);
        if (next->len > 0)
            continue;
        p->next = next->next;
        next->next = NULL;
        pbuf_free(next);
    }
}

/* The window counts bytes, the pool pieces: segments of a few bytes, unread,
 * would fill it and shut out the acknowledgements that we wait for. So more
 * pieces than a window is worth are packed into as few as can be. */
static void squeeze(struct kinf_lwip_tcp *t)
{
    if (pbuf_clen(t->queue) <= WINDOW_PIECES)
        return;
    for (struct pbuf *p = t->queue; p != NULL; p = p->next)
        if (is_ours(p)) {
            to_front(p, t->at);
            t->at = 0;
            fill_up(p);
        } else if (t->at > 0) {
            return; /* a driver's own piece, being read */
        }
}

/* ---- lwIP's callbacks --------------------------------------------------- */

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct kinf_lwip_tcp *t = arg;

    (void)pcb;
    (void)err;
    if (p == NULL)
        t->ended = true;
    else if (t->queue == NULL)
        t->queue = p;
    else
        pbuf_cat(t->queue, p);
    if (p != NULL)
        squeeze(t);
    tell(t);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)pcb;
    (void)len;
    tell(arg);
    return ERR_OK;
}

static const char *reason_of(bool connecting, err_t err)
{
    if (err == ERR_RST)
        return connecting ? "refused: nobody listens on this port"
                          : "reset by the peer";
    if (err == ERR_ABRT)
        return connecting ? "no answer to the connection request"
                          : "no answer any more: the peer is dead";
    return "the connection failed";
}

static void on_error(void *arg, err_t err)
{
    struct kinf_lwip_tcp *t = arg;

    t->pcb = NULL;
    t->reason = reason_of(t->state == CONNECTING, err);
    t->err = KINF_ERR_REFUSED;
    t->state = FAILED;
    tell(t);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct kinf_lwip_tcp *t = arg;

    (void)pcb;
    (void)err;
    t->state = OPEN;
    t->reason = NULL;
    tell(t);
    return ERR_OK;
}

/* ---- opening ------------------------------------------------------------ */

static int fail(struct kinf_lwip_tcp *t, int err, const char *reason)
{
    t->state = FAILED;
    t->reason = reason;
    t->err = (int8_t)err;
    return err;
}

static int connect_to(struct kinf_lwip_tcp *t, const ip_addr_t *address)
{
    t->pcb = tcp_new();
    if (t->pcb == NULL)
        return fail(t, KINF_ERR_REFUSED, "lwIP has no free connection");
    tcp_arg(t->pcb, t);
    tcp_recv(t->pcb, on_recv);
    tcp_sent(t->pcb, on_sent);
    tcp_err(t->pcb, on_error);
    tcp_nagle_disable(t->pcb);
    ip_set_option(t->pcb, SOF_KEEPALIVE);
    t->pcb->keep_idle = DEAD_PEER_MS;
    t->pcb->keep_intvl = DEAD_PEER_MS;
    t->pcb->keep_cnt = 2;
    t->state = CONNECTING;
    t->reason = "waiting for the server to take the connection";
    if (tcp_connect(t->pcb, address, t->port, on_connected) != ERR_OK)
        return fail(t, KINF_ERR_REFUSED, "lwIP cannot connect now");
    return KINF_ERR_AGAIN;
}

#if LWIP_DNS
/* FNV-1a: lwIP cannot be told that a lookup was given up, so its answer says by
 * the name whether it is the one that is waited for. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;

    while (*name != 0)
        hash = (hash ^ (uint8_t)*name++) * 16777619u;
    return hash;
}

static void on_found(const char *name, const ip_addr_t *address, void *arg)
{
    struct kinf_lwip_tcp *t = arg;

    if (t->state != RESOLVING || t->sought != hash_of(name))
        return;
    if (address != NULL)
        (void)connect_to(t, address);
    else
        (void)fail(t, KINF_ERR_NAME, "the name does not resolve");
    tell(t);
}

static int look_up(struct kinf_lwip_tcp *t, const char *name)
{
    ip_addr_t address;

    t->state = RESOLVING;
    t->reason = "looking up the server's name";
    t->sought = hash_of(name);
    switch (dns_gethostbyname(name, &address, on_found, t)) {
    case ERR_OK:
        return connect_to(t, &address);
    case ERR_INPROGRESS:
        return KINF_ERR_AGAIN;
    case ERR_VAL:
        return fail(t, KINF_ERR_NAME, "no DNS server is known");
    default:
        return fail(t, KINF_ERR_NAME, "the name cannot be looked up now");
    }
}
#else
static int look_up(struct kinf_lwip_tcp *t, const char *name)
{
    (void)name;
    return fail(t, KINF_ERR_NAME,
                "not an IPv4 address, and names need CONFIG_KINF_LWIP_DNS");
}
#endif

static int begin(struct kinf_lwip_tcp *t, struct kinf_span host, uint16_t port)
{
    char name[DNS_MAX_NAME_LENGTH];
    ip_addr_t address;

    t->port = port;
    t->ended = t->starved = false;
    if (host.len == 0 || host.len >= sizeof(name))
        return fail(t, KINF_ERR_NAME, "the name is empty or too long");
    if (memchr(host.ptr, 0, host.len) != NULL)
        return fail(t, KINF_ERR_NAME, "the name holds a zero byte");
    memcpy(name, host.ptr, host.len);
    name[host.len] = 0;
    if (ipaddr_aton(name, &address))
        return connect_to(t, &address);
    return look_up(t, name);
}

static int tcp_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct kinf_lwip_tcp *t = ctx;

    t->wants = KINF_WANTS_READ;
    switch ((enum state)t->state) {
    case SHUT:
        return begin(t, host, port);
    case OPEN:
        return KINF_OK;
    case FAILED:
        return t->err;
    case RESOLVING:
    case CONNECTING:
    default:
        return KINF_ERR_AGAIN;
    }
}

/* ---- bytes -------------------------------------------------------------- */

static int tcp_send_bytes(void *ctx, const void *data, size_t size)
{
    struct kinf_lwip_tcp *t = ctx;
    size_t room;
    err_t err;

    t->wants = KINF_WANTS_WRITE;
    t->starved = false;
    if (t->state != OPEN)
        return KINF_ERR_CLOSED;
    room = tcp_sndbuf(t->pcb);
    if (size > room)
        size = room;
    if (size == 0)
        return KINF_ERR_AGAIN;
    err = tcp_write(t->pcb, data, (u16_t)size, TCP_WRITE_FLAG_COPY);
    /* More than the heap ever holds would wait for ever: less may fit. */
    while (err == ERR_MEM && size > LEAST_SENT) {
        size /= 2;
        err = tcp_write(t->pcb, data, (u16_t)size, TCP_WRITE_FLAG_COPY);
    }
    t->starved = err == ERR_MEM;
    if (t->starved)
        return KINF_ERR_AGAIN;
    if (err != ERR_OK)
        return fail(t, KINF_ERR_CLOSED, "lwIP cannot send");
    (void)tcp_output(t->pcb);
    return (int)size;
}

/* Frees the pieces that were copied out whole. A chain is consumed by taking a
 * reference to what follows before the first piece is freed. */
static void drop_piece(struct kinf_lwip_tcp *t)
{
    struct pbuf *first = t->queue;

    t->queue = first->next;
    if (t->queue != NULL)
        pbuf_ref(t->queue);
    pbuf_free(first);
    t->at = 0;
}

static int tcp_recv_bytes(void *ctx, void *data, size_t size)
{
    struct kinf_lwip_tcp *t = ctx;
    size_t copied = 0;

    t->wants = KINF_WANTS_READ;
    t->starved = false;
    while (t->queue != NULL && copied < size) {
        size_t left = (size_t)(t->queue->len - t->at);
        size_t n = left < size - copied ? left : size - copied;

        memcpy((char *)data + copied, (char *)t->queue->payload + t->at, n);
        copied += n;
        t->at = (uint16_t)(t->at + n);
        if (t->at == t->queue->len)
            drop_piece(t);
    }
    if (copied > 0) {
        if (t->pcb != NULL)
            tcp_recved(t->pcb, (u16_t)copied);
        return (int)copied;
    }
    if (t->state == OPEN && !t->ended)
        return KINF_ERR_AGAIN;
    if (t->reason == NULL)
        t->reason = "the peer ended the connection";
    return KINF_ERR_CLOSED;
}

/* Says FIN behind what was sent, or, when bytes are unread, resets at once. A
 * closing connection has the lowest priority, so that lwIP gives its place to
 * the next one that asks instead of holding it for minutes. */
static void let_go(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_setprio(pcb, TCP_PRIO_MIN);
    if (tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

static void tcp_shut(void *ctx)
{
    struct kinf_lwip_tcp *t = ctx;

    if (t->pcb != NULL)
        let_go(t->pcb);
    t->pcb = NULL;
    t->state = SHUT;
    t->at = 0;
    t->starved = false;
    if (t->queue != NULL)
        pbuf_free(t->queue);
    t->queue = NULL;
}

static void tcp_tell(void *ctx, struct kinf_transport_status *out)
{
    const struct kinf_lwip_tcp *t = ctx;
    static const uint8_t phases[] = { [SHUT] = KINF_PHASE_CLOSED,
                                      [RESOLVING] = KINF_PHASE_RESOLVE,
                                      [CONNECTING] = KINF_PHASE_CONNECT,
                                      [OPEN] = KINF_PHASE_OPEN,
                                      [FAILED] = KINF_PHASE_CLOSED };

    out->phase = (enum kinf_phase)phases[t->state];
    out->wants = t->wants;
    out->wait_ms = t->starved ? STARVED_MS : 0;
    out->reason = t->reason;
}

const struct kinf_transport_ops kinf_lwip_tcp_ops = { .open = tcp_open,
                                                      .send = tcp_send_bytes,
                                                      .recv = tcp_recv_bytes,
                                                      .close = tcp_shut,
                                                      .status = tcp_tell };
