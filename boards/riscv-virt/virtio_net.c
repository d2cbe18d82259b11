/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_net.c - virtio's network card (1.0, memory mapped) for lwIP.
 *
 * A buffer goes back to the card only when its frame has been copied into the
 * pool: while the pool is full, frames wait here, and then in the card. */
#include <string.h>

#include "board.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "netif/ethernet.h"
#include "virtio_net.h"

#define SLOTS 8
#define SLOT(i) (0x10001000u + 0x1000u * (i))
#define REG(offset) (*(volatile uint32_t *)(card + (offset)))
enum { MAGIC = 0x000, VERSION = 0x004, DEVICE_ID = 0x008,
       FEATURES = 0x020, FEATURES_SEL = 0x024, QUEUE_SEL = 0x030,
       QUEUE_NUM = 0x038, QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050,
       INTERRUPT_STATUS = 0x060, INTERRUPT_ACK = 0x064, STATUS = 0x070,
       QUEUE_DESC = 0x080, QUEUE_AVAIL = 0x090, QUEUE_USED = 0x0A0,
       CONFIG = 0x100 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { HAS_MAC = 1 << 5, VERSION_1 = 1 << 0 /* bit 32 */ };
enum { CARD_WRITES = 2 }; /* flag of a descriptor */

#define BUFFERS 4 /* of each queue; a power of two */
#define HEAD 12   /* virtio's, before each frame; zero */
#define FRAME 1514
#define FRAMES_A_POLL 4

struct queue {
    _Alignas(16) struct {
        uint64_t address;
        uint32_t size;
        uint16_t flags, next;
    } desc[BUFFERS];
    struct {
        uint16_t flags, index, ring[BUFFERS];
    } avail;
    _Alignas(4) struct {
        uint16_t flags, index;
        struct {
            uint32_t id, size;
        } ring[BUFFERS];
    } used;
    uint8_t bytes[BUFFERS][HEAD + FRAME + 2];
    uint16_t seen; /* of used.index */
};

static struct queue received, sent;
static uintptr_t card;

static void fence(void)
{
    __asm volatile("fence" ::: "memory");
}

static uint16_t used_index(const struct queue *q)
{
    return *(const volatile uint16_t *)&q->used.index;
}

/* Gives a buffer to the card. */
static void give(struct queue *q, unsigned number, unsigned buffer,
                 uint32_t size)
{
    q->desc[buffer].size = size;
    q->avail.ring[q->avail.index % BUFFERS] = (uint16_t)buffer;
    fence();
    *(volatile uint16_t *)&q->avail.index = (uint16_t)(q->avail.index + 1);
    fence();
    REG(QUEUE_NOTIFY) = number;
}

static void set_up(struct queue *q, unsigned number, uint16_t flags)
{
    REG(QUEUE_SEL) = number;
    REG(QUEUE_NUM) = BUFFERS;
    REG(QUEUE_DESC) = (uint32_t)(uintptr_t)q->desc;
    REG(QUEUE_DESC + 4) = 0;
    REG(QUEUE_AVAIL) = (uint32_t)(uintptr_t)&q->avail;
    REG(QUEUE_AVAIL + 4) = 0;
    REG(QUEUE_USED) = (uint32_t)(uintptr_t)&q->used;
    REG(QUEUE_USED + 4) = 0;
    for (unsigned i = 0; i < BUFFERS; i++) {
        q->desc[i].address = (uintptr_t)q->bytes[i];
        q->desc[i].flags = flags;
    }
    REG(QUEUE_READY) = 1;
}

static unsigned find_card(void)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        card = SLOT(i);
        if (REG(MAGIC) == 0x74726976 && REG(VERSION) == 2 &&
            REG(DEVICE_ID) == 1)
            return i + 1; /* its interrupt */
    }
    kinf_assert_failed(91, __LINE__); /* QEMU was started without one */
    return 0;
}

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
    unsigned in_flight = (uint16_t)(sent.avail.index - used_index(&sent));
    unsigned buffer = sent.avail.index % BUFFERS;
    u16_t size = (u16_t)(p->tot_len - ETH_PAD_SIZE);

    (void)netif;
    if (in_flight == BUFFERS || size > FRAME)
        return ERR_BUF; /* TCP sends it again */
    (void)pbuf_copy_partial(p, sent.bytes[buffer] + HEAD, size, ETH_PAD_SIZE);
    give(&sent, 1, buffer, (uint32_t)HEAD + size);
    return ERR_OK;
}

signed char board_netif_init(struct netif *netif)
{
    unsigned irq = find_card();

    REG(STATUS) = 0;
    REG(STATUS) = ACKNOWLEDGE | DRIVER;
    REG(FEATURES_SEL) = 0;
    REG(FEATURES) = HAS_MAC;
    REG(FEATURES_SEL) = 1;
    REG(FEATURES) = VERSION_1;
    REG(STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    set_up(&received, 0, CARD_WRITES);
    set_up(&sent, 1, 0);
    REG(STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
    for (unsigned i = 0; i < BUFFERS; i++)
        give(&received, 0, i, HEAD + FRAME);
    sent.avail.flags = 1; /* no interrupt for what was sent */
    board_wake_by(irq);

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    for (unsigned i = 0; i < 6; i++)
        netif->hwaddr[i] = *(volatile uint8_t *)(card + CONFIG + i);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    return ERR_OK;
}

void virtio_net_quiet(void)
{
    REG(INTERRUPT_ACK) = REG(INTERRUPT_STATUS);
}

bool board_netif_poll(struct netif *netif)
{
    for (int i = 0; i < FRAMES_A_POLL; i++) {
        unsigned slot = received.seen % BUFFERS;
        uint32_t buffer, size;
        struct pbuf *p;

        if (received.seen == used_index(&received))
            return false;
        fence();
        buffer = received.used.ring[slot].id % BUFFERS;
        size = received.used.ring[slot].size - HEAD;
        p = pbuf_alloc(PBUF_RAW, (u16_t)(ETH_PAD_SIZE + size), PBUF_POOL);
        if (p == NULL)
            return false; /* it waits */
        (void)pbuf_take_at(p, received.bytes[buffer] + HEAD, (u16_t)size,
                           ETH_PAD_SIZE);
        received.seen++;
        give(&received, 0, buffer, HEAD + FRAME);
        if (netif->input(p, netif) != ERR_OK)
            pbuf_free(p);
    }
    return true;
}
