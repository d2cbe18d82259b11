/* SPDX-License-Identifier: Apache-2.0 */
/* startup.c - vectors, the millisecond tick, sleep, the guard of the stack, and
 * how the emulator is asked. */
#include "board.h"
#include "memory.h"
#include "semihost.h"

#define SYSTICK ((volatile uint32_t *)0xE000E010u)
#define SYSTICK_PENDING (*(volatile uint32_t *)0xE000ED04u & 1u << 26)
#define MEMORY_FAULT (*(volatile uint8_t *)0xE000ED28u)
#define MPU ((volatile uint32_t *)0xE000ED90u)
#define NVIC_ENABLE ((volatile uint32_t *)0xE000E100u)
#define NVIC_DISABLE ((volatile uint32_t *)0xE000E180u)

int main(void);
void kinf_reset(void);
void kinf_tick(void);
void kinf_frame(void);
void kinf_fault(void);

static volatile uint32_t ticks;
static volatile bool frame_came;
static volatile char command;

void kinf_fault(void)
{
    static const char other[] = "fault\n", stack[] = "stack overflow\n";

    if (MEMORY_FAULT != 0)
        board_print(stack, sizeof(stack) - 1);
    else
        board_print(other, sizeof(other) - 1);
    board_exit(3);
}

/* After an overflow there is no stack to stand on: it begins anew. */
__attribute__((naked)) static void fault(void)
{
    __asm volatile("ldr r0, =stack_top\n mov sp, r0\n b kinf_fault\n .ltorg");
}

void kinf_tick(void)
{
    int byte = board_serial_byte();

    ticks = ticks + 1;
    if (byte > 0)
        command = (char)byte;
}

/* The line stays up until the frames are read, so it is masked until the next
 * sleep. */
void kinf_frame(void)
{
    NVIC_DISABLE[board_net_irq / 32] = 1u << board_net_irq % 32;
    frame_came = true;
}

/* The stack lies at the bottom of RAM. The 16 MB below it are forbidden, so
 * that an overflow faults at once and costs no byte as a guard. */
static void guard_stack(void)
{
    enum { VALID = 1 << 4, NEVER_RUN = 1 << 28, BYTES_16M = 23 << 1, ON = 1,
           ELSE_AS_USUAL = 1 << 2 };

    MPU[3] = ((uint32_t)stack_bottom - 0x1000000u) | VALID;
    MPU[4] = NEVER_RUN | BYTES_16M | ON;
    MPU[1] = ELSE_AS_USUAL | ON;
}

void kinf_reset(void)
{
    memory_begin();
    guard_stack();
    SYSTICK[1] = board_clock_hz / 1000 - 1;
    SYSTICK[2] = 0;
    SYSTICK[0] = 7; /* processor clock, interrupt, on */
    board_start();
    board_exit(main());
}

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return ticks;
}

/* The counter runs down. At 0 a tick begins and its interrupt is due, which may
 * have come within that one clock, or not yet. */
uint32_t board_clocks(void)
{
    uint32_t per_tick = board_clock_hz / 1000, whole, left, past;

    do {
        whole = ticks;
        left = SYSTICK[2];
        past = left == 0 ? 0 : per_tick - left;
        if (SYSTICK_PENDING != 0 && past < per_tick / 2)
            whole++;
    } while (whole - ticks > 1);
    return whole * per_tick + past;
}

char board_command(void)
{
    char c = command;

    command = 0;
    return c;
}

/* With interrupts held back, one that comes before wfi ends it at once: none is
 * slept through. */
void board_sleep(uint32_t ms)
{
    uint32_t from = ticks;

    frame_came = false;
    NVIC_ENABLE[board_net_irq / 32] = 1u << board_net_irq % 32;
    while (ticks - from < ms && !frame_came && command == 0) {
        __asm volatile("cpsid i" ::: "memory");
        if (!frame_came && command == 0)
            __asm volatile("wfi");
        __asm volatile("cpsie i\n isb" ::: "memory");
    }
}

/* ---- the emulator ------------------------------------------------------- */

enum { SYS_TIME = 0x11 };

uintptr_t semihost(uintptr_t operation, const void *block)
{
    register uintptr_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = block;

    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return (int64_t)(uint32_t)semihost(SYS_TIME, NULL);
}

const struct kinf_platform board_platform = { now_ms, wall_s, semihost_random,
                                              NULL };

#define V(handler) ((uintptr_t)(handler))
#define FRAME_8                                                                \
    V(kinf_frame), V(kinf_frame), V(kinf_frame), V(kinf_frame),                \
        V(kinf_frame), V(kinf_frame), V(kinf_frame), V(kinf_frame)

/* Only the Ethernet's interrupt is ever enabled, so that all lines may lead to
 * it and a board only tells its number, below 48. */
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
    V(stack_top), V(kinf_reset), V(fault), V(fault), V(fault), V(fault),
    V(fault), 0, 0, 0, 0, V(fault), V(fault), 0, V(fault), V(kinf_tick),
    FRAME_8, FRAME_8, FRAME_8, FRAME_8, FRAME_8, FRAME_8
};
