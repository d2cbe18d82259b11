/* SPDX-License-Identifier: Apache-2.0 */
/* platform.c - clock and random numbers of the operating system. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "posix/kinf_posix.h"

/* A gateway without a battery starts in 1970, or where its image was made: no
 * certificate can be checked against that. */
#define EARLIEST_WALL_S INT64_C(1735689600) /* 2025-01-01 */

#ifdef CLOCK_BOOTTIME
#define CLOCK_OF_LIFE CLOCK_BOOTTIME
#else
#define CLOCK_OF_LIFE CLOCK_MONOTONIC
#endif

static uint32_t now_ms(void *ctx)
{
    struct timespec now = { 0, 0 };

    (void)ctx;
    clock_gettime(CLOCK_OF_LIFE, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 +
                      (uint64_t)now.tv_nsec / 1000000);
}

static int64_t wall_s(void *ctx)
{
    struct timespec now = { 0, 0 };

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < EARLIEST_WALL_S ? KINF_WALL_UNKNOWN : now.tv_sec;
}

/* getentropy gives up to 256 bytes and fails only where the kernel has no
 * random numbers at all: to go on without would be worse than to stop. */
static void random_bytes(void *ctx, void *out, size_t size)
{
    uint8_t *at = out;

    (void)ctx;
    while (size > 0) {
        size_t part = size < 256 ? size : 256;

        if (getentropy(at, part) != 0)
            abort();
        at += part;
        size -= part;
    }
}

const struct kinf_platform kinf_posix_platform = {
    .now_ms = now_ms,
    .wall_s = wall_s,
    .random = random_bytes,
};
