/* SPDX-License-Identifier: Apache-2.0 */
/* overflow.c - a firmware for boards/riscv-virt that uses more stack than there
 * is. */
#include "board.h"

int main(void);

static unsigned deeper(unsigned depth)
{
    volatile unsigned char frame[256];

    frame[0] = (unsigned char)depth;
    return depth == 0 ? frame[0] : deeper(depth - 1) + frame[0];
}

int main(void)
{
    return (int)(deeper(10) == 0 || deeper(1000) == 0);
}
