/* SPDX-License-Identifier: Apache-2.0 */
/* semihost.h - what an emulator gives by semihosting: its end, a console, the
 * host's randomness. The instruction that asks for it is the processor's. */
#ifndef KINF_BOARD_SEMIHOST_H
#define KINF_BOARD_SEMIHOST_H

#include <stddef.h>
#include <stdint.h>

/* Of the processor: an operation and its block of arguments. */
uintptr_t semihost(uintptr_t operation, const void *block);

/* For kinf_platform.random. The emulated parts have no source of their own. */
void semihost_random(void *ctx, void *out, size_t size);

#endif
