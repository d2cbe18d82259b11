/* SPDX-License-Identifier: Apache-2.0 */
/* semihost.c - see semihost.h. */
#include "semihost.h"

#include "board.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6,
       SYS_EXIT_EXTENDED = 0x20 };

void board_exit(int code)
{
    const uintptr_t block[2] = { 0x20026, (uintptr_t)code };

    for (;;)
        (void)semihost(SYS_EXIT_EXTENDED, block);
}

void board_print(const char *text, size_t len)
{
    static uintptr_t out = (uintptr_t)-1;
    uintptr_t block[3];

    if (out == (uintptr_t)-1) {
        const uintptr_t opening[3] = { (uintptr_t)":tt", 4, 3 };

        out = semihost(SYS_OPEN, opening);
    }
    block[0] = out;
    block[1] = (uintptr_t)text;
    block[2] = len;
    (void)semihost(SYS_WRITE, block);
}

void semihost_random(void *ctx, void *out, size_t size)
{
    static const char name[] = "/dev/urandom";
    const uintptr_t opening[3] = { (uintptr_t)name, 1, sizeof(name) - 1 };
    uintptr_t block[3] = { semihost(SYS_OPEN, opening), (uintptr_t)out, size };

    (void)ctx;
    if (block[0] == (uintptr_t)-1 || semihost(SYS_READ, block) != 0)
        board_exit(3);
    (void)semihost(SYS_CLOSE, block);
}

void kinf_assert_failed(unsigned file, unsigned line)
{
    char text[] = "assertion in file 000, line 00000\n";

    for (int i = 0; i < 3; i++, file /= 10)
        text[20 - i] = (char)('0' + file % 10);
    for (int i = 0; i < 5; i++, line /= 10)
        text[32 - i] = (char)('0' + line % 10);
    board_print(text, sizeof(text) - 1);
    board_exit(2);
}
