/* SPDX-License-Identifier: Apache-2.0 */
/* lan9118.c - SMSC LAN9118 Ethernet, and UART 0.
 *
 * A frame is taken from the chip only when the pool has room for it: until then
 * it waits in the chip's FIFO. */
#include <string.h>

#include "board.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "netif/ethernet.h"
#include "words.h"

#define REG(offset) (*(volatile uint32_t *)(0x40200000u + (offset)))
#define UART_DATA (*(volatile uint32_t *)0x40004000u)
#define UART_STATE (*(volatile uint32_t *)0x40004004u)
#define UART_CTRL (*(volatile uint32_t *)0x40004008u)
#define UART_BAUD_DIV (*(volatile uint32_t *)0x40004010u)
#define RX_DATA REG(0x00)
#define TX_DATA REG(0x20)
#define RX_STATUS REG(0x40)
#define IRQ_CFG REG(0x54)
#define INT_STS REG(0x58)
#define INT_EN REG(0x5C)
#define FIFO_INT REG(0x68)
#define RX_CFG REG(0x6C)
#define TX_CFG REG(0x70)
#define HW_CFG REG(0x74)
#define RX_FIFO_INF REG(0x7C)
#define MAC_CMD REG(0xA4)
#define MAC_DATA REG(0xA8)

#define FRAME_IS_THERE (1u << 3)
#define FRAMES_A_POLL 4
/* Padding, a frame with its FCS, and up to a whole word. */
#define LONGEST_FRAME 1518
#define LONGEST (ETH_PAD_SIZE + LONGEST_FRAME + 2)

_Static_assert(PBUF_POOL_BUFSIZE >= LONGEST, "a frame lies in one piece");

const uint32_t board_clock_hz = 25000000;
const unsigned board_net_irq = 13;

static void write_mac(uint32_t index, uint32_t value)
{
    while ((MAC_CMD >> 31) != 0)
        continue;
    MAC_DATA = value;
    MAC_CMD = 1u << 31 | index;
    while ((MAC_CMD >> 31) != 0)
        continue;
}

void board_start(void)
{
    HW_CFG = 1; /* soft reset */
    while ((HW_CFG & 1) != 0)
        continue;
    HW_CFG = 5u << 16 | 1u << 20; /* 5 KB for what is sent */
    INT_EN = 0;
    IRQ_CFG = 1u << 8 | 1u << 4 | 1u; /* on, active high, driven */
    FIFO_INT = 0x48000000; /* from the first frame on */
    INT_STS = 0xFFFFFFFFu;
    RX_CFG = 0;
    TX_CFG = 1u << 1;
    UART_BAUD_DIV = 16;
    UART_CTRL = 1u << 1; /* receives */
}

int board_serial_byte(void)
{
    return (UART_STATE & 1u << 1) != 0 ? (int)(UART_DATA & 0xFF) : -1;
}

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
    uint32_t len = (uint32_t)p->tot_len - ETH_PAD_SIZE;
    struct words_out out = { &TX_DATA, 0, 0 };

    (void)netif;
    TX_DATA = 1u << 13 | 1u << 12 | len; /* first and last piece */
    TX_DATA = len;
    words_put_frame(&out, p);
    return ERR_OK;
}

signed char board_netif_init(struct netif *netif)
{
    static const uint8_t mac[6] = { 0x02, 'k', 'i', 'n', 'f', 1 };

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    for (int i = 0; i < 6; i++)
        netif->hwaddr[i] = mac[i];
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    write_mac(2, (uint32_t)mac[5] << 8 | mac[4]);
    write_mac(3, (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 |
                     (uint32_t)mac[1] << 8 | mac[0]);
    INT_EN = FRAME_IS_THERE;
    write_mac(1, 1u << 20 | 1u << 3 | 1u << 2); /* full duplex, send, receive */
    return ERR_OK;
}

/* Copies words out of the chip into p, behind the padding. The whole frame lies
 * in one piece. */
static void read_frame(struct pbuf *p, uint32_t len)
{
    uint8_t *to = (uint8_t *)p->payload + ETH_PAD_SIZE;

    for (uint32_t done = 0; done < len; done += 4) {
        uint32_t word = RX_DATA;

        if (done < LONGEST_FRAME)
            memcpy(to + done, &word, 4);
    }
}

bool board_netif_poll(struct netif *netif)
{
    INT_STS = FRAME_IS_THERE;
    for (int i = 0; i < FRAMES_A_POLL; i++) {
        struct pbuf *p;
        uint32_t len;

        if ((RX_FIFO_INF >> 16 & 0xFF) == 0)
            return false;
        p = pbuf_alloc(PBUF_RAW, LONGEST, PBUF_POOL);
        if (p == NULL)
            return false; /* the frame stays in the chip */
        len = RX_STATUS >> 16 & 0x3FFF;
        read_frame(p, len);
        if (len > LONGEST_FRAME) {
            pbuf_free(p);
            continue;
        }
        pbuf_realloc(p, (u16_t)(ETH_PAD_SIZE + len - 4)); /* without the FCS */
        if (netif->input(p, netif) != ERR_OK)
            pbuf_free(p);
    }
    return true;
}
