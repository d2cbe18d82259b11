/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - see memory.h. */
#include "memory.h"

#include <string.h>

#include "board.h"

#define PAINT 0x5AFE5AFEu
#define SPARED 32 /* words below this frame: those of what is called here */

extern uint32_t data_start[], data_end[], data_load[];
extern uint32_t bss_start[], bss_end[];

void memory_begin(void)
{
    const uint32_t *here = __builtin_frame_address(0);

    memcpy(data_start, data_load,
           (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    for (uint32_t *word = stack_bottom; word < here - SPARED; word++)
        *word = PAINT;
}

uint32_t board_stack_size(void)
{
    return (uint32_t)((char *)stack_top - (char *)stack_bottom);
}

uint32_t board_stack_used(void)
{
    const uint32_t *word = stack_bottom;

    while (word < stack_top && *word == PAINT)
        word++;
    return (uint32_t)((char *)stack_top - (const char *)word);
}
