/* SPDX-License-Identifier: Apache-2.0 */
/* pools.c - see pools.h. */
#include "pools.h"

#include <string.h>

#include "board.h"
#include "lwip/memp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "mbedtls/kinf_mbedtls.h"
#include "print.h"

static void pool(const char *name, uint32_t used, uint32_t high, uint32_t size)
{
    print("pool ");
    print(name);
    print(" ");
    print_number(used);
    print(" ");
    print_number(high);
    print(" ");
    print_number(size);
    print("\n");
}

static void informer_pool(unsigned i, const char *name,
                          struct kinf_pool_status of)
{
    char text[16] = { (char)('0' + i), '-' };

    strncpy(text + 2, name, sizeof(text) - 3);
    pool(text, of.used, of.high, of.size);
}

static void tell_informer(unsigned i, const struct kinf_informer *informer)
{
    struct kinf_status s;

    kinf_informer_status(informer, &s);
    informer_pool(i, "entries", s.entries);
    informer_pool(i, "objects", s.objects);
    informer_pool(i, "arena", s.arena);
    informer_pool(i, "fifo", s.fifo);
    informer_pool(i, "ring", s.ring);
    print("bookmarks ");
    print_number(s.bookmarks);
    print("\nrelists ");
    print_number(s.relists);
    print("\n");
}

static void tell_lwip(void)
{
#if LWIP_STATS
    static const char *const names[] = {
#define LWIP_MEMPOOL(name, num, size, desc) "lwip-" #name,
#include "lwip/priv/memp_std.h"
    };

    for (unsigned i = 0; i < MEMP_MAX; i++)
        pool(names[i], (uint32_t)memp_pools[i]->stats->used,
             (uint32_t)memp_pools[i]->stats->max,
             (uint32_t)memp_pools[i]->stats->avail);
    pool("lwip-heap", (uint32_t)lwip_stats.mem.used,
         (uint32_t)lwip_stats.mem.max, (uint32_t)lwip_stats.mem.avail);
#endif
}

/* port/lwip takes its name off a connection that it lets go. */
static unsigned let_go(const struct tcp_pcb *pcb)
{
    unsigned count = 0;

    for (; pcb != NULL; pcb = pcb->next)
        count += pcb->callback_arg == NULL;
    return count;
}

unsigned pools_closing(void)
{
    return let_go(tcp_active_pcbs) + let_go(tcp_tw_pcbs);
}

void pools_tell(const struct kinf_informer *informers, unsigned count)
{
    struct kinf_mbedtls_arena heap;

    kinf_mbedtls_arena(&heap);
    pool("stack", 0, board_stack_used(), board_stack_size());
    pool("tls", (uint32_t)heap.used, (uint32_t)heap.high, (uint32_t)heap.size);
    for (unsigned i = 0; i < count; i++)
        tell_informer(i, &informers[i]);
    tell_lwip();
    print("closing ");
    print_number(pools_closing());
    print("\n");
}
