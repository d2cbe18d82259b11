/* SPDX-License-Identifier: Apache-2.0 */
/* stellaris_enet.c - clock, UART and the Ethernet on the LM3S6965's chip.
 *
 * The Ethernet is one FIFO register of 32 bits. A received frame starts with
 * its length, which lies where lwIP wants two bytes of padding: whole words go
 * straight into the pool's pieces. */
#include <string.h>

#include "board.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "netif/ethernet.h"
#include "words.h"

#define REG(address) (*(volatile uint32_t *)(address))
#define SYS_RIS REG(0x400FE050u)
#define SYS_RCC REG(0x400FE060u)
#define SYS_RCGC1 REG(0x400FE104u)
#define SYS_RCGC2 REG(0x400FE108u)
#define UART_DR REG(0x4000C000u)
#define UART_FR REG(0x4000C018u)
#define MAC_RIS REG(0x40048000u)
#define MAC_IM REG(0x40048004u)
#define MAC_RCTL REG(0x40048008u)
#define MAC_TCTL REG(0x4004800Cu)
#define MAC_DATA REG(0x40048010u)
#define MAC_IA0 REG(0x40048014u)
#define MAC_IA1 REG(0x40048018u)
#define MAC_NP REG(0x40048034u)
#define MAC_TR REG(0x40048038u)

#define RCC_SYSDIV(n) ((uint32_t)(n) << 23)
#define RCC_USESYSDIV (1u << 22)
#define RCC_PWRDN (1u << 13)
#define RCC_BYPASS (1u << 11)
#define RCC_XTAL_8MHZ (0xEu << 6)
#define PLL_LOCKED (1u << 6)
#define RECEIVED 1u
#define FRAMES_A_POLL 4
#define LENGTH_AND_FCS 6u
#define LONGEST (LENGTH_AND_FCS + 1518u)

_Static_assert(ETH_PAD_SIZE == 2 && PBUF_POOL_BUFSIZE % 4 == 0,
               "frames are read by words into pieces of whole words");

const uint32_t board_clock_hz = 50000000;
const unsigned board_net_irq = 42;

/* A length that was read for which the pool had no room: reading takes it out
 * of the FIFO, so it is kept. 0: none. */
static uint32_t held;

/* 50 MHz: the PLL's 200 MHz by four. */
static void start_clock(void)
{
    SYS_RCC = RCC_SYSDIV(15) | RCC_BYPASS | RCC_PWRDN | RCC_XTAL_8MHZ;
    SYS_RCC = RCC_SYSDIV(15) | RCC_BYPASS | RCC_XTAL_8MHZ;
    for (unsigned i = 0; i < 100000 && (SYS_RIS & PLL_LOCKED) == 0; i++)
        continue;
    SYS_RCC = RCC_SYSDIV(3) | RCC_USESYSDIV | RCC_XTAL_8MHZ;
}

void board_start(void)
{
    start_clock();
    SYS_RCGC1 = 1;                  /* UART 0 */
    SYS_RCGC2 = 1u << 28 | 1u << 30; /* Ethernet and its PHY */
    MAC_IM = 0;
    MAC_RIS = 0x7F;
    MAC_RCTL = 1u << 4; /* empties the FIFO */
    MAC_TCTL = 1u << 4 | 1u << 2 | 1u << 1 | 1u; /* duplex, CRC, padding, on */
}

int board_serial_byte(void)
{
    return (UART_FR & 1u << 4) == 0 ? (int)(UART_DR & 0xFF) : -1;
}

/* Words of a frame: the first two bytes are the length without the header,
 * where lwIP has its padding. */
static err_t send_frame(struct netif *netif, struct pbuf *p)
{
    struct words_out out = { &MAC_DATA, (uint32_t)p->tot_len - SIZEOF_ETH_HDR,
                             2 };

    (void)netif;
    words_put_frame(&out, p);
    MAC_TR = 1;
    return ERR_OK;
}

signed char board_netif_init(struct netif *netif)
{
    uint32_t low = MAC_IA0, high = MAC_IA1;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, &low, 4);
    memcpy(netif->hwaddr + 4, &high, 2);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    MAC_RCTL = 1u << 3 | 1u; /* bad checksums refused, on */
    MAC_IM = RECEIVED;
    return ERR_OK;
}

/* Copies the frame's words into p, which has room for all of them. word is the
 * first one, read already. */
static void read_frame(struct pbuf *p, uint32_t word, uint32_t bytes)
{
    for (struct pbuf *q = p; q != NULL; q = q->next) {
        for (uint32_t at = 0; at + 4 <= q->len; at += 4) {
            memcpy((char *)q->payload + at, &word, 4);
            bytes = bytes > 4 ? bytes - 4 : 0;
            if (bytes > 0)
                word = MAC_DATA;
        }
    }
}

static void drop_frame(uint32_t bytes)
{
    for (; bytes > 4; bytes -= 4)
        (void)MAC_DATA;
}

/* Returns false when the pool has no room: the frame stays in the FIFO. */
static bool take_frame(struct netif *netif)
{
    uint32_t first = held != 0 ? held : MAC_DATA;
    uint32_t bytes = first & 0xFFFF;
    struct pbuf *p;

    held = 0;
    if (bytes <= LENGTH_AND_FCS + SIZEOF_ETH_HDR - ETH_PAD_SIZE ||
        bytes > LONGEST) {
        drop_frame(bytes);
        return true;
    }
    p = pbuf_alloc(PBUF_RAW, (u16_t)((bytes + 3) & ~3u), PBUF_POOL);
    if (p == NULL) {
        held = first;
        return false;
    }
    read_frame(p, first, bytes);
    pbuf_realloc(p, (u16_t)(bytes - 4)); /* without the FCS */
    if (netif->input(p, netif) != ERR_OK)
        pbuf_free(p);
    return true;
}

bool board_netif_poll(struct netif *netif)
{
    MAC_RIS = RECEIVED;
    for (int i = 0; i < FRAMES_A_POLL; i++) {
        if (held == 0 && (MAC_NP & 0x3F) == 0)
            return false;
        if (!take_frame(netif))
            return false;
    }
    return true;
}
