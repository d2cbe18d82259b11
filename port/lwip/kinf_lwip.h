/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_lwip.h - TCP by lwIP 2.2's raw API, as a transport.
 *
 * Window is given back as soon as bytes are copied out, so it may be one
 * segment: a TLS record gathers in the TLS layer, not here. Call everything
 * from where lwIP itself runs: with NO_SYS from the main loop, else from the
 * tcpip thread. The loop around kinf_poll feeds the network interface and calls
 * sys_check_timeouts. */
#ifndef KINF_LWIP_H
#define KINF_LWIP_H

#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pbuf;
struct tcp_pcb;

/* One connection. */
struct kinf_lwip_tcp {
    /* private */
    struct tcp_pcb *pcb;  /* NULL: closed, or taken away by an error */
    struct pbuf *queue;   /* received, not yet copied out */
    uint16_t at;          /* bytes of its first piece that were */
    uint16_t port;
    uint8_t state;        /* enum state in tcp.c */
    bool ended;           /* the peer will send no more */
    unsigned wants;
    const char *reason;
};

/* The transport's table; its ctx is a struct kinf_lwip_tcp. The host is an IPv4
 * address, or a name if lwIP is built with LWIP_DNS. */
extern const struct kinf_transport_ops kinf_lwip_tcp_ops;

/* Makes a closed connection. */
void kinf_lwip_tcp_init(struct kinf_lwip_tcp *tcp);

/* What port/lwip takes from the board, for initial sequence numbers and ports
 * (LWIP_RAND) and as lwIP's clock. Kept for ever; before lwip_init. */
void kinf_lwip_platform(const struct kinf_platform *platform);

#ifdef __cplusplus
}
#endif

#endif
