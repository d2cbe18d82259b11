/* SPDX-License-Identifier: Apache-2.0 */
/* platform.c - FreeRTOS' ticks as milliseconds; see kinf_freertos.h.
 *
 * Ticks times a period would be wrong twice: most rates have no whole period,
 * and the product wraps with the ticks, not at 2^32 milliseconds, so that every
 * deadline of core would be off at each wrap. So what has passed since the last
 * call is added up, and the rest of a division is carried on. */
#include "freertos/kinf_freertos.h"

_Static_assert(sizeof(TickType_t) >= 4,
               "16-bit ticks wrap within a minute: configTICK_TYPE_WIDTH_IN_"
               "BITS (configUSE_16_BIT_TICKS 0) is to be 32 or 64");

static struct {
    TickType_t last;
    uint32_t ms;
    uint64_t rest; /* thousandths of a tick's share, below the rate */
} clock_;

static struct {
    int64_t (*wall_s)(void *ctx);
    void *ctx;
} wall;

/* Called at least once a wrap of the ticks: the task sees to that. */
static uint32_t now_ms(void *ctx)
{
    const uint64_t rate = configTICK_RATE_HZ;
    TickType_t now;
    uint64_t passed;
    uint32_t ms;

    (void)ctx;
    taskENTER_CRITICAL();
    now = xTaskGetTickCount();
    passed = (uint64_t)(TickType_t)(now - clock_.last) * 1000 + clock_.rest;
    clock_.last = now;
    clock_.ms += (uint32_t)(passed / rate);
    clock_.rest = passed % rate;
    ms = clock_.ms;
    taskEXIT_CRITICAL();
    return ms;
}

void kinf_freertos_slept(uint32_t ms)
{
    taskENTER_CRITICAL();
    clock_.ms += ms;
    taskEXIT_CRITICAL();
}

void kinf_freertos_wall(int64_t (*wall_s)(void *ctx), void *ctx)
{
    wall.wall_s = wall_s;
    wall.ctx = ctx;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return wall.wall_s != NULL ? wall.wall_s(wall.ctx) : KINF_WALL_UNKNOWN;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    kinf_freertos_entropy(out, size);
}

const struct kinf_platform kinf_freertos_platform = { .now_ms = now_ms,
                                                      .wall_s = wall_s,
                                                      .random = random_bytes };
