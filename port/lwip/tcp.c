/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c - lwIP's callbacks as a transport that is polled; see kinf_lwip.h.
 *
 * The callbacks only note what happened. An error callback means that lwIP has
 * freed the pcb already. Nothing ever waits for an ACK while received data
 * lies here: recv and send know nothing of each other. */
#include "kinf_lwip.h"

#include <string.h>

#include "lwip/dns.h"
#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"

#define LEAST_SENT 128
#define DEAD_PEER_MS 15000 /* keepalive: idle, then three tries as long */

/* Pieces of a full frame with its padding, Ethernet's, IP's and TCP's header;
 * full frames of a window. */
#define FRAME_PIECES                                                           \
    ((ETH_PAD_SIZE + 14 + 20 + 20 + TCP_MSS + PBUF_POOL_BUFSIZE - 1) /         \
     PBUF_POOL_BUFSIZE)
#define WINDOW_FRAMES ((TCP_WND + TCP_MSS - 1) / TCP_MSS)

_Static_assert(PBUF_POOL_SIZE >=
                   MEMP_NUM_TCP_PCB * WINDOW_FRAMES * FRAME_PIECES + 2,
               "CONFIG_KINF_LWIP_POOL: below the windows of all connections "
               "and two pieces more");

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
    return ERR_OK;
}

static const char *reason_of(err_t err)
{
    switch (err) {
    case ERR_RST:
        return "reset by the peer";
    case ERR_ABRT:
        return "given up: no answer, or keepalive found the peer dead";
    default:
        return "the connection failed";
    }
}

static void on_error(void *arg, err_t err)
{
    struct kinf_lwip_tcp *t = arg;

    t->pcb = NULL;
    t->state = FAILED;
    t->reason = reason_of(err);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct kinf_lwip_tcp *t = arg;

    (void)pcb;
    (void)err;
    t->state = OPEN;
    return ERR_OK;
}

/* ---- opening ------------------------------------------------------------ */

static int fail(struct kinf_lwip_tcp *t, int err, const char *reason)
{
    t->state = FAILED;
    t->reason = reason;
    return err;
}

static int connect_to(struct kinf_lwip_tcp *t, const ip_addr_t *address)
{
    t->pcb = tcp_new();
    if (t->pcb == NULL)
        return fail(t, KINF_ERR_REFUSED, "lwIP has no free connection");
    tcp_arg(t->pcb, t);
    tcp_recv(t->pcb, on_recv);
    tcp_err(t->pcb, on_error);
    tcp_nagle_disable(t->pcb);
    ip_set_option(t->pcb, SOF_KEEPALIVE);
    t->pcb->keep_idle = DEAD_PEER_MS;
    t->pcb->keep_intvl = DEAD_PEER_MS;
    t->pcb->keep_cnt = 2;
    t->state = CONNECTING;
    if (tcp_connect(t->pcb, address, t->port, on_connected) != ERR_OK)
        return fail(t, KINF_ERR_REFUSED, "lwIP cannot connect now");
    return KINF_ERR_AGAIN;
}

#if LWIP_DNS
static void on_found(const char *name, const ip_addr_t *address, void *arg)
{
    struct kinf_lwip_tcp *t = arg;

    (void)name;
    if (t->state != RESOLVING)
        return;
    if (address != NULL)
        (void)connect_to(t, address);
    else
        (void)fail(t, KINF_ERR_NAME, "the name does not resolve");
}
#endif

static int begin(struct kinf_lwip_tcp *t, struct kinf_span host, uint16_t port)
{
    char name[DNS_MAX_NAME_LENGTH];
    ip_addr_t address;

    if (host.len >= sizeof(name))
        return fail(t, KINF_ERR_NAME, "the name is too long");
    memcpy(name, host.ptr, host.len);
    name[host.len] = 0;
    t->port = port;
    t->ended = false;
    t->reason = NULL;
    if (ipaddr_aton(name, &address))
        return connect_to(t, &address);
#if LWIP_DNS
    t->state = RESOLVING;
    switch (dns_gethostbyname(name, &address, on_found, t)) {
    case ERR_OK:
        return connect_to(t, &address);
    case ERR_INPROGRESS:
        return KINF_ERR_AGAIN;
    default:
        break;
    }
#endif
    return fail(t, KINF_ERR_NAME, "not an address, and names need LWIP_DNS");
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
        return KINF_ERR_REFUSED;
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
    if (err == ERR_MEM)
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
    return t->ended || t->state != OPEN ? KINF_ERR_CLOSED : KINF_ERR_AGAIN;
}

static void tcp_shut(void *ctx)
{
    struct kinf_lwip_tcp *t = ctx;
    struct tcp_pcb *pcb = t->pcb;

    t->pcb = NULL;
    t->state = SHUT;
    t->at = 0;
    if (pcb != NULL) {
        tcp_arg(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_err(pcb, NULL);
        /* Unread bytes would make it a reset; a closing pcb would hold one of
         * few places for minutes. The server is told at once either way. */
        tcp_abort(pcb);
    }
    if (t->queue != NULL)
        pbuf_free(t->queue);
    t->queue = NULL;
}

static void tcp_tell(void *ctx, struct kinf_transport_status *out)
{
    const struct kinf_lwip_tcp *t = ctx;
    static const uint8_t phases[] = {
        [SHUT] = KINF_PHASE_CLOSED,      [RESOLVING] = KINF_PHASE_RESOLVE,
        [CONNECTING] = KINF_PHASE_CONNECT,
        [OPEN] = KINF_PHASE_OPEN,        [FAILED] = KINF_PHASE_CLOSED
    };

    out->phase = (enum kinf_phase)phases[t->state];
    out->wants = t->wants;
    out->reason = t->reason;
}

const struct kinf_transport_ops kinf_lwip_tcp_ops = {
    .open = tcp_open, .send = tcp_send_bytes, .recv = tcp_recv_bytes,
    .close = tcp_shut, .status = tcp_tell
};
