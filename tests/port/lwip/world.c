/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - see world.h. */
#include "port/lwip/world.h"

#include <string.h>

#include "lwip/init.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"

#include "port/lwip/line.h"

/* ---- time --------------------------------------------------------------- */

uint32_t shift, now;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return now + shift;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static uint64_t seed = 88172645463325252u;

void random_bytes(void *ctx, void *out, size_t size)
{
    uint8_t *at = out;

    (void)ctx;
    while (size-- > 0) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        *at++ = (uint8_t)(seed >> 32);
    }
}

const struct kinf_platform world_platform = { now_ms, wall_s, random_bytes,
                                               NULL };

static int64_t time_ms(void)
{
    return now;
}

/* ---- the line: frames wait in the chip until the pool has room ---------- */

#define CHIP_FRAMES 64

struct netif line;
static struct {
    uint8_t bytes[1500];
    size_t size;
} chip[CHIP_FRAMES];
static unsigned chip_first, chip_count;
static unsigned pool_was_full, chip_was_full;

static void from_peer(const uint8_t *packet, size_t size)
{
    unsigned at = (chip_first + chip_count) % CHIP_FRAMES;

    if (chip_count == CHIP_FRAMES) {
        chip_was_full++;
        return;
    }
    memcpy(chip[at].bytes, packet, size);
    chip[at].size = size;
    chip_count++;
}

static bool take_frame(void)
{
    struct pbuf *p;

    if (chip_count == 0)
        return false;
    p = pbuf_alloc(PBUF_LINK, (u16_t)chip[chip_first].size, PBUF_POOL);
    if (p == NULL) {
        pool_was_full++;
        return false;
    }
    pbuf_take(p, chip[chip_first].bytes, (u16_t)chip[chip_first].size);
    chip_first = (chip_first + 1) % CHIP_FRAMES;
    chip_count--;
    if (line.input(p, &line) != ERR_OK)
        pbuf_free(p);
    return true;
}

static err_t to_peer(struct netif *netif, struct pbuf *p,
                     const ip4_addr_t *address)
{
    uint8_t packet[1600];

    (void)netif;
    (void)address;
    simpeer_in(packet, pbuf_copy_partial(p, packet, sizeof(packet), 0), now);
    return ERR_OK;
}

static err_t line_init(struct netif *netif)
{
    netif->name[0] = 's';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->output = to_peer;
    netif->hwaddr_len = 6;
    netif->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_BROADCAST;
    return ERR_OK;
}

/* ---- the world ---------------------------------------------------------- */

bool told;

void notify(void *ctx)
{
    *(bool *)ctx = true;
}

/* One millisecond. */
void step(void)
{
    now++;
    (void)simpeer_step(now);
    for (int i = 0; i < 4 && take_frame(); i++)
        continue;
    sys_check_timeouts();
}

void pass_ms(int ms)
{
    while (ms-- > 0)
        step();
}

static void wait_for(void *ctx, const struct kinf_transport_status *status,
                     int timeout_ms)
{
    (void)ctx;
    (void)status;
    while (!told && timeout_ms-- > 0)
        step();
    told = false;
}

static void tell_peer(const char *text)
{
    simpeer_command(text, now);
}

static void wait_for_peer(char *answer, size_t size)
{
    while (!simpeer_done(answer, size))
        step();
}

static const struct peer_inside inside = { tell_peer, wait_for_peer };

static void set_clock(uint32_t to)
{
    shift = to - now;
    sys_restart_timeouts(); /* as after a sleep: no burst of old timers */
}

struct kinf_lwip_tcp tcp;

static void start_lwip(void)
{
    static bool started;

    if (started)
        return;
    started = true;
    simpeer_start(from_peer);
    kinf_lwip_platform(&world_platform);
    lwip_init();
    lwip_line_up(&line, line_init, netif_input);
}

static void *make(void)
{
    start_lwip();
    kinf_lwip_tcp_init(&tcp);
    kinf_lwip_notify(&tcp, notify, &told);
    return &tcp;
}

static void *make_lossy(void)
{
    simpeer_faults.drop_every = 13;
    return make();
}

/* Pool pieces in use, and connections that somebody holds. */
static long resources(void)
{
    long held = lwip_held();

    for (const struct tcp_pcb *pcb = tcp_bound_pcbs; pcb != NULL;
         pcb = pcb->next)
        held += 100;
    return held + 1000 * lwip_stats.memp[MEMP_PBUF_POOL]->used;
}

struct port world_port(bool lossy)
{
    struct port port = lwip_port;

    port.name = CONFIG_KINF_LWIP_LEAN ? "lwip, lean" : "lwip";
    if (lossy)
        port.name = CONFIG_KINF_LWIP_LEAN ? "lwip, lean, lossy"
                                          : "lwip, lossy";
    port.ops = &kinf_lwip_tcp_ops;
    port.make = lossy ? make_lossy : make;
    port.wait = wait_for;
    port.resources = resources;
    port.set_clock = set_clock;
    port.platform = &world_platform;
    port.peer = &inside;
    port.time_ms = time_ms;
    port.pass_ms = pass_ms;
    return port;
}
