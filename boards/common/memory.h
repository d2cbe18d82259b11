/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - what the linker script has laid out. */
#ifndef KINF_BOARD_MEMORY_H
#define KINF_BOARD_MEMORY_H

#include <stdint.h>

extern uint32_t stack_bottom[], stack_top[];

/* Gives data and bss their first values and paints the stack below the caller.
 * The first thing a start-up calls. */
void memory_begin(void);

#endif
