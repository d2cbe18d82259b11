/* SPDX-License-Identifier: Apache-2.0 */
/* lwipopts_test.h - what the tests add to port/lwip/lwipopts.h: counters. */
#ifndef PORT_LWIPOPTS_TEST_H
#define PORT_LWIPOPTS_TEST_H

#undef LWIP_STATS
#define LWIP_STATS 1
#define MEMP_STATS 1
#define LWIP_STATS_LARGE 1
#undef ETH_PAD_SIZE
#define ETH_PAD_SIZE 0 /* no Ethernet below */
#define DHCP_DOES_ARP_CHECK 0

#if CONFIG_KINF_LWIP_THREAD /* whoever comes without the lock is caught */
#define LWIP_FREERTOS_CHECK_CORE_LOCKING 1
void sys_check_core_locking(void);
void sys_mark_tcpip_thread(void);
void sys_lock_tcpip_core(void);
void sys_unlock_tcpip_core(void);
#define LWIP_ASSERT_CORE_LOCKED() sys_check_core_locking()
#define LWIP_MARK_TCPIP_THREAD() sys_mark_tcpip_thread()
#define LOCK_TCPIP_CORE() sys_lock_tcpip_core()
#define UNLOCK_TCPIP_CORE() sys_unlock_tcpip_core()
#endif

#endif
