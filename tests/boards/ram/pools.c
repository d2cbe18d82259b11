/* SPDX-License-Identifier: Apache-2.0 */
/* pools.c - what a board's firmware lends beside core's pools: count, unit and
 * reason of each. As tests/size/ram_pools.c: compiled for the board, never
 * linked; tests/boards/ram.py holds it against what was linked. */
#include "lwip/memp.h"
#include "lwip/priv/memp_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"
#include "netif/ppp/ppp_opts.h" /* a count of timers asks for it */
#include "lwip/udp.h"
#include "tls.h"

#define POOL(name, count, unit, reason)                                        \
    extern char name##__count[(count) + 1], name##__unit[(unit) + 1];          \
    char name##__count[(count) + 1];                                           \
    char name##__unit[(unit) + 1];

#define PIECE(type) LWIP_MEM_ALIGN_SIZE(sizeof(type))

POOL(tls_arena, 1, CONFIG_KINF_TLS_ARENA_BYTES,
     "records in and out, certificates, the handshake")
POOL(tls_ticket, 1, KINF_MBEDTLS_TICKET_BYTES_FIRMWARE,
     "a session's ticket, for a quick reconnect")
POOL(struct_tls, 1, sizeof(struct kinf_mbedtls), "one connection")
POOL(lwip_PBUF_POOL, PBUF_POOL_SIZE,
     PIECE(struct pbuf) + LWIP_MEM_ALIGN_SIZE(PBUF_POOL_BUFSIZE),
     "received: the windows of all connections and two more")
POOL(lwip_heap, 1, MEM_SIZE, "sent and not yet acknowledged")
POOL(lwip_TCP_SEG, MEMP_NUM_TCP_SEG, PIECE(struct tcp_seg),
     "one a piece that is sent")
POOL(lwip_TCP_PCB, MEMP_NUM_TCP_PCB, PIECE(struct tcp_pcb),
     "one a connection")
POOL(lwip_TCP_PCB_LISTEN, MEMP_NUM_TCP_PCB_LISTEN,
     PIECE(struct tcp_pcb_listen), "none is used; lwIP wants one")
POOL(lwip_PBUF, MEMP_NUM_PBUF, PIECE(struct pbuf),
     "one a piece of constant data that is sent")
POOL(lwip_SYS_TIMEOUT, MEMP_NUM_SYS_TIMEOUT, PIECE(struct sys_timeo),
     "one a timer")
#if LWIP_UDP
POOL(lwip_UDP_PCB, MEMP_NUM_UDP_PCB, PIECE(struct udp_pcb),
     "one of DHCP, DNS, SNTP")
#endif
