/* SPDX-License-Identifier: Apache-2.0 */
/* line.h - what all tests of port/lwip have in common, with NO_SYS and with
 * lwIP in a thread. */
#ifndef PORT_LWIP_LINE_H
#define PORT_LWIP_LINE_H

#include "lwip/netif.h"
#include "port/conformance.h"

/* Names and addresses of simpeer's world; the rest is the test's. */
extern const struct port lwip_port;

/* Brings the interface up, with its address and DNS server. */
void lwip_line_up(struct netif *line, netif_init_fn init, netif_input_fn input);

/* Connections that somebody holds. Where lwIP runs, or with its lock. */
long lwip_held(void);

#endif
