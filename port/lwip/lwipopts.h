/* SPDX-License-Identifier: Apache-2.0 */
/* lwipopts.h - lwIP for one or a few TLS connections.
 *
 * Two sets of sizes: lean (window of one segment, small pool pieces) and
 * comfortable. The pool must hold the windows of all connections and two more
 * pieces, or received data could fill it while we wait for an ACK; tcp.c checks
 * that when it is compiled. */
#ifndef KINF_LWIP_OPTS_H
#define KINF_LWIP_OPTS_H

#include "kinf_config.h"

#ifndef CONFIG_KINF_LWIP_LEAN
#define CONFIG_KINF_LWIP_LEAN 0
#endif
#ifndef CONFIG_KINF_LWIP_CONNECTIONS
#define CONFIG_KINF_LWIP_CONNECTIONS 2
#endif
#ifndef CONFIG_KINF_LWIP_POOL
#define CONFIG_KINF_LWIP_POOL 14 /* pieces: 256 bytes lean, 1,536 else */
#endif
#ifndef CONFIG_KINF_LWIP_HEAP_BYTES
#if !CONFIG_KINF_LWIP_LEAN
#define CONFIG_KINF_LWIP_HEAP_BYTES 4096 /* sent and not yet acknowledged */
#else
#define CONFIG_KINF_LWIP_HEAP_BYTES 1536
#endif
#endif
#ifndef CONFIG_KINF_LWIP_DNS
#define CONFIG_KINF_LWIP_DNS 0 /* names, not only addresses */
#endif
#ifndef CONFIG_KINF_LWIP_DHCP
#define CONFIG_KINF_LWIP_DHCP 0
#endif
#ifndef CONFIG_KINF_LWIP_SNTP
#define CONFIG_KINF_LWIP_SNTP 0 /* wall time from a server */
#endif
#ifndef CONFIG_KINF_LWIP_SNTP_SECONDS
#define CONFIG_KINF_LWIP_SNTP_SECONDS 3600 /* between two questions */
#endif
#ifndef CONFIG_KINF_LWIP_THREAD
#define CONFIG_KINF_LWIP_THREAD 0 /* lwIP in a thread of its own */
#endif

#define NO_SYS !CONFIG_KINF_LWIP_THREAD
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 1
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_UDP                                                               \
    (CONFIG_KINF_LWIP_DNS || CONFIG_KINF_LWIP_DHCP || CONFIG_KINF_LWIP_SNTP)
#define LWIP_DNS CONFIG_KINF_LWIP_DNS
#define LWIP_DHCP CONFIG_KINF_LWIP_DHCP
#define LWIP_DHCP_GET_NTP_SRV (CONFIG_KINF_LWIP_DHCP && CONFIG_KINF_LWIP_SNTP)
#define LWIP_DHCP_MAX_NTP_SERVERS 1
#define MEMP_NUM_SYS_TIMEOUT                                                   \
    (LWIP_NUM_SYS_TIMEOUT_INTERNAL + CONFIG_KINF_LWIP_SNTP)
#define LWIP_TCP 1
#define LWIP_TCP_KEEPALIVE 1
#ifdef KINF_LWIP_STATS /* a test looks at the pools */
#define LWIP_STATS 1
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define UDP_STATS 0
#define TCP_STATS 0
#define SYS_STATS 0
#else
#define LWIP_STATS 0
#endif
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define TCP_QUEUE_OOSEQ 0
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* ours are below */
#ifdef __SIZEOF_POINTER__
#define MEM_ALIGNMENT __SIZEOF_POINTER__
#else
#define MEM_ALIGNMENT 4
#endif
#define ETH_PAD_SIZE 2
#define SYS_LIGHTWEIGHT_PROT CONFIG_KINF_LWIP_THREAD
#define LWIP_CALLBACK_API 1

/* Numbers that an attacker beside the line must not guess. lwIP's own begin at
 * a constant and count. */
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port)              \
    kinf_lwip_random()

#if CONFIG_KINF_LWIP_THREAD
#define LWIP_TCPIP_CORE_LOCKING 1
#define LWIP_COMPAT_MUTEX 0
#define LWIP_ERRNO_STDINCLUDE 1 /* names for a table of its own */
#define TCPIP_THREAD_NAME "lwip"
#ifndef TCPIP_THREAD_STACKSIZE
#define TCPIP_THREAD_STACKSIZE 2048 /* bytes, as lwIP's FreeRTOS layer has it */
#endif
#ifndef TCPIP_THREAD_PRIO
#define TCPIP_THREAD_PRIO 3 /* above the task of the loop */
#endif
/* Frames on their way into the thread: never more than the pool holds. */
#define TCPIP_MBOX_SIZE (CONFIG_KINF_LWIP_POOL + 4)
#define MEMP_NUM_TCPIP_MSG_INPKT CONFIG_KINF_LWIP_POOL
#define LWIP_FREERTOS_SYS_NOW_FROM_FREERTOS 0 /* tcp.c has it right */
#endif

#define TCP_MSS 1460
#define TCP_OVERSIZE 0
#define MEMP_NUM_TCP_PCB CONFIG_KINF_LWIP_CONNECTIONS
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define TCP_SND_BUF (2 * TCP_MSS)
#define TCP_SND_QUEUELEN 8
#define MEMP_NUM_TCP_SEG (TCP_SND_QUEUELEN * CONFIG_KINF_LWIP_CONNECTIONS)
#define PBUF_POOL_SIZE CONFIG_KINF_LWIP_POOL
#define MEM_SIZE CONFIG_KINF_LWIP_HEAP_BYTES

#if CONFIG_KINF_LWIP_LEAN
#define TCP_WND TCP_MSS
#define PBUF_POOL_BUFSIZE 256
#else
#define TCP_WND (4 * TCP_MSS)
#define PBUF_POOL_BUFSIZE 1536
#endif

/* What an application adds or wants otherwise; read last, so an #undef may come
 * first there. */
#ifdef KINF_LWIP_OPTS_FILE
#include KINF_LWIP_OPTS_FILE
#endif

#endif
