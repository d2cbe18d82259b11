/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - lwIP for the host with NO_SYS, in simulated time: the line to a
 * peer that has a TCP of its own inside the test, a network chip in which
 * frames wait until lwIP's pool has room, and the clocks of both. */
#ifndef PORT_LWIP_WORLD_H
#define PORT_LWIP_WORLD_H

#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"

#include "lwip/kinf_lwip.h"
#include "port/conformance.h"
#include "port/simpeer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

extern uint32_t now;   /* of the world, in milliseconds */
extern uint32_t shift; /* of the clock that the port sees */
extern const struct kinf_platform world_platform;
extern struct netif line;
extern struct kinf_lwip_tcp tcp; /* what make() makes */
extern bool told;                /* notify() was called */

/* The port that is tested, over a good line or one that loses packets. */
struct port world_port(bool lossy);

void notify(void *told);
void random_bytes(void *ctx, void *out, size_t size);
void step(void); /* one millisecond */
void pass_ms(int ms);

#endif
