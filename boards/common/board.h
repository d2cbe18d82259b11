/* SPDX-License-Identifier: Apache-2.0 */
/* board.h - what a Cortex-M board under QEMU gives to main.c. */
#ifndef KINF_BOARD_H
#define KINF_BOARD_H

#include "kinformer.h"

struct netif;

/* Of each board: clock of the processor in Hz, and its Ethernet, whose
 * interrupt only ends a sleep. */
extern const uint32_t board_clock_hz;
extern const unsigned board_net_irq;
void board_start(void);
/* lwIP's init function of the interface. */
signed char board_netif_init(struct netif *netif);
/* Takes in at most a few frames. Returns whether there may be more. */
bool board_netif_poll(struct netif *netif);

/* A byte that came over the serial line, or -1. */
int board_serial_byte(void);

/* Of the family. */
extern const struct kinf_platform board_platform;
void board_print(const char *text, size_t len);
void board_exit(int code) __attribute__((noreturn));
/* Sleeps until a frame or a serial byte comes, or so long. */
void board_sleep(uint32_t ms);
/* The newest byte of the serial line since the last call, or 0. */
char board_command(void);
/* Clocks of the processor since the start; wraps. Under QEMU's -icount shift=0
 * each is 10^9 / board_clock_hz instructions. */
uint32_t board_clocks(void);
/* Bytes of the stack that were ever in use, and its size. */
uint32_t board_stack_used(void);
uint32_t board_stack_size(void);

#endif
