/* SPDX-License-Identifier: Apache-2.0 */
/* startup.c - clock and sleep of QEMU's RISC-V "virt", the guard of the stack,
 * and how the emulator is asked. No interrupt is ever taken: one that is
 * pending ends a sleep, and that is all it has to do. */
#include "board.h"
#include "memory.h"
#include "semihost.h"
#include "virtio_net.h"

/* Control registers are an extension by now; the assembler wants to hear it. */
__asm(".option arch, +zicsr");

#define MTIME ((volatile uint32_t *)0x0200BFF8u)
#define MTIMECMP ((volatile uint32_t *)0x02004000u)
#define RTC ((volatile uint32_t *)0x00101000u)
#define UART ((volatile uint8_t *)0x10000000u)
#define UART_HAS_BYTE (UART[5] & 1)
#define PLIC_PRIORITY ((volatile uint32_t *)0x0C000000u)
#define PLIC_ENABLE (*(volatile uint32_t *)0x0C002000u)
#define PLIC_CLAIM (*(volatile uint32_t *)0x0C200004u)
#define UART_IRQ 10u
#define TICKS_A_MS 10000u

int main(void);
void kinf_begin(void);
void kinf_fault(void);

static char command;

void kinf_fault(void)
{
    static const char text[] = "fault\n";

    board_print(text, sizeof(text) - 1);
    board_exit(3);
}

/* After an overflow there is no stack to stand on: it begins anew. */
__attribute__((naked, aligned(4))) static void fault(void)
{
    __asm volatile("la sp, stack_top\n j kinf_fault");
}

__attribute__((naked, section(".start"), used)) void kinf_reset(void);
void kinf_reset(void)
{
    __asm volatile(".option push\n .option norelax\n"
                   "la gp, __global_pointer$\n .option pop\n"
                   "la sp, stack_top\n j kinf_begin");
}

/* The 4 KB below the stack are forbidden, and the rule is locked, so that it
 * counts in machine mode, too. */
static void guard_stack(void)
{
    uintptr_t below = (uintptr_t)stack_bottom - 4096;

    __asm volatile("csrw pmpaddr0, %0\n csrw pmpcfg0, %1"
                   : : "r"(below >> 2 | 0x1FF), "r"(0x98));
}

void kinf_begin(void)
{
    memory_begin();
    __asm volatile("csrw mtvec, %0" : : "r"(fault));
    guard_stack();
    board_start();
    board_exit(main());
}

/* ---- clock and sleep ---------------------------------------------------- */

static uint64_t ticks(void)
{
    uint32_t high, low;

    do {
        high = MTIME[1];
        low = MTIME[0];
    } while (high != MTIME[1]);
    return (uint64_t)high << 32 | low;
}

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)(ticks() / TICKS_A_MS);
}

uint32_t board_clocks(void)
{
    uint32_t count;

    __asm volatile("csrr %0, minstret" : "=r"(count));
    return count;
}

void board_start(void)
{
    PLIC_PRIORITY[UART_IRQ] = 1;
    UART[1] = 1; /* tells of a byte that came */
    PLIC_ENABLE = 1u << UART_IRQ;
    /* Timer and devices end a wfi; none is taken, mstatus.MIE stays 0. */
    __asm volatile("csrw mie, %0" : : "r"(1u << 7 | 1u << 11));
}

void board_wake_by(unsigned irq)
{
    PLIC_PRIORITY[irq] = 1;
    PLIC_ENABLE |= 1u << irq;
}

int board_serial_byte(void)
{
    return UART_HAS_BYTE ? UART[0] : -1;
}

char board_command(void)
{
    int byte = board_serial_byte();
    char c = command;

    command = 0;
    return byte > 0 ? (char)byte : c;
}

void board_sleep(uint32_t ms)
{
    uint64_t until = ticks() + (uint64_t)ms * TICKS_A_MS;
    uint32_t irq = 0;

    if (ms == UINT32_MAX)
        until = UINT64_MAX;
    MTIMECMP[1] = UINT32_MAX; /* never too early in between */
    MTIMECMP[0] = (uint32_t)until;
    MTIMECMP[1] = (uint32_t)(until >> 32);
    while (irq == 0 && ticks() < until) {
        __asm volatile("wfi" ::: "memory");
        irq = PLIC_CLAIM;
        if (irq == UART_IRQ && UART_HAS_BYTE)
            command = (char)UART[0];
        else if (irq != 0)
            virtio_net_quiet();
        if (irq != 0)
            PLIC_CLAIM = irq; /* done with */
    }
}

/* ---- the emulator ------------------------------------------------------- */

/* The three instructions that mark a call must lie in one page. */
uintptr_t semihost(uintptr_t operation, const void *block)
{
    register uintptr_t a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = block;

    __asm volatile(".option push\n .option norvc\n .balign 16\n"
                   "slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n .option pop"
                   : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

/* A clock that counts nanoseconds since 1970. Reading its low half keeps the
 * high one. */
static int64_t wall_s(void *ctx)
{
    uint32_t low = RTC[0];
    uint64_t ns = (uint64_t)RTC[1] << 32 | low;

    (void)ctx;
    return (int64_t)(ns / 1000000000);
}

const struct kinf_platform board_platform = { now_ms, wall_s, semihost_random,
                                              NULL };
