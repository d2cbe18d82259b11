/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - see network.h. The address is that of QEMU's user network, or
 * what DHCP gives. */
#include "network.h"

#include "board.h"
#include "lwip/dhcp.h"
#include "lwip/init.h"
#include "lwip/kinf_lwip.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

static struct netif ethernet;
static bool more; /* frames may wait in the chip */

void network_start(const struct kinf_platform *platform)
{
    ip4_addr_t address, mask, gateway;

    IP4_ADDR(&address, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 2, 2);
    kinf_lwip_platform(platform);
    lwip_init();
    netif_add(&ethernet, &address, &mask, &gateway, NULL, board_netif_init,
              ethernet_input);
    netif_set_default(&ethernet);
    netif_set_up(&ethernet);
#if LWIP_DHCP
    netif_set_addr(&ethernet, NULL, NULL, NULL);
    (void)dhcp_start(&ethernet);
#endif
}

void network_poll(void)
{
    more = board_netif_poll(&ethernet);
    sys_check_timeouts();
}

void network_sleep(uint32_t ms)
{
    uint32_t timer_ms = sys_timeouts_sleeptime();

    if (!more)
        board_sleep(ms < timer_ms ? ms : timer_ms);
}
