/* SPDX-License-Identifier: Apache-2.0 */
/* line.c - see line.h. */
#include "port/lwip/line.h"

#include "lwip/dns.h"
#include "lwip/priv/tcp_priv.h"
#include "port/simpeer.h"

void kinf_assert_failed(unsigned file, unsigned line)
{
    broken("assertion in file %u, line %u", file, line);
}

const struct port lwip_port = {
    .nobody = "nobody.test",
    .slow = "slow.test",
    .host = "192.0.2.1",
};

void lwip_line_up(struct netif *line, netif_init_fn init, netif_input_fn input)
{
    ip4_addr_t address, mask, gateway;
    ip_addr_t server;

    IP4_ADDR(&address, 192, 0, 2, 7);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 192, 0, 2, 53);
    netif_add(line, &address, &mask, &gateway, NULL, init, input);
    netif_set_default(line);
    netif_set_up(line);
    ip_addr_set_ip4_u32_val(server, lwip_htonl(SIMPEER_NS));
    dns_setserver(0, &server);
}

long lwip_held(void)
{
    long held = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL;
         pcb = pcb->next)
        held += pcb->callback_arg != NULL;
    return held;
}
