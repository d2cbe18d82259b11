/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_lwip.h - TCP by lwIP 2.2's raw API, as a transport.
 *
 * Window is given back as soon as bytes are copied out, so it may be one
 * segment: a TLS record gathers in the TLS layer, not here.
 *
 * Two tables over the same code. kinf_lwip_tcp_ops is called from where lwIP
 * itself runs: with NO_SYS from the main loop, which feeds the network
 * interface and calls sys_check_timeouts around kinf_poll. With lwIP in a
 * thread of its own (CONFIG_KINF_LWIP_THREAD) kinf_lwip_thread_ops is called
 * from any other thread: each call takes lwIP's core lock for as long as it
 * copies, and kinf_lwip_notify names who is told that something came. */
#ifndef KINF_LWIP_H
#define KINF_LWIP_H

#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pbuf;
struct tcp_pcb;

/* One connection. Kept until lwIP has answered a lookup that was given up, too:
 * in practice for ever. */
struct kinf_lwip_tcp {
    /* private */
    struct tcp_pcb *pcb; /* NULL: closed, or taken away by an error */
    struct pbuf *queue;  /* received, not yet copied out */
    uint16_t at;         /* bytes of its first piece that were */
    uint16_t port;
    uint8_t state; /* enum state in tcp.c */
    bool ended;    /* the peer will send no more */
    bool starved;  /* lwIP has no memory: look again in a while */
    int8_t err;    /* why the open failed */
    unsigned wants;
    uint32_t sought; /* hash of the name that is looked up */
    const char *reason;
    void (*notify)(void *ctx);
    void *notify_ctx;
};

/* The transport's table; its ctx is a struct kinf_lwip_tcp. The host is an IPv4
 * address, or a name if lwIP is built with LWIP_DNS; lwIP gives one address of
 * a name, so others of it are not tried. A close says FIN, and a reset when
 * bytes were unread; the place of a closing connection is free for the next. */
extern const struct kinf_transport_ops kinf_lwip_tcp_ops;

/* The same for a loop in another thread than lwIP's. Needs NO_SYS 0 and
 * LWIP_TCPIP_CORE_LOCKING. The lock is held while lwIP handles a packet, so it
 * is a matter of microseconds; lwIP's thread should have the higher priority
 * and the mutex inherit priorities (FreeRTOS' do). */
extern const struct kinf_transport_ops kinf_lwip_thread_ops;

/* Makes a closed connection. */
void kinf_lwip_tcp_init(struct kinf_lwip_tcp *tcp);

/* notify is called when the transport can go on: bytes came, or room for them,
 * the connection opened or failed. It runs where lwIP runs and only wakes the
 * loop (kinf_freertos_notify). After kinf_lwip_tcp_init, while closed. */
void kinf_lwip_notify(struct kinf_lwip_tcp *tcp, void (*notify)(void *ctx),
                      void *ctx);

/* What port/lwip takes from the board, for initial sequence numbers, ports and
 * transaction numbers (LWIP_RAND) and as lwIP's clock. Kept for ever; before
 * lwip_init or tcpip_init. With lwIP in its own thread now_ms and random are
 * called from there, too. */
void kinf_lwip_platform(const struct kinf_platform *platform);

/* ---- wall time by SNTP (CONFIG_KINF_LWIP_SNTP) -------------------------- */

/* Asks server (an IPv4 address, or a name with CONFIG_KINF_LWIP_DNS; kept;
 * NULL: the one that DHCP names) for the time, until it answers and then every
 * CONFIG_KINF_LWIP_SNTP_SECONDS. Where lwIP runs. Returns KINF_OK, or
 * KINF_ERR_FULL when lwIP has no UDP place left. */
int kinf_lwip_sntp_start(const char *server);

/* What it knows: for platform->wall_s. Unknown until the first answer. SNTP is
 * not signed: see kinf_mbedtls_system on what of it is believed. From any
 * thread. */
int64_t kinf_lwip_wall_s(void *ctx);

#ifdef __cplusplus
}
#endif

#endif
