/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - a bitmap of places; see pool.h. */
#define KINF_FILE 2
#include "pool.h"

#include <string.h>

#include "assert.h"

void kinf_pool_init(struct kinf_pool *p, uint32_t *map, uint32_t size)
{
    *p = (struct kinf_pool){ .map = map, .size = size };
    memset(map, 0, (size + 31) / 32 * sizeof(*map));
}

uint32_t kinf_pool_take(struct kinf_pool *p)
{
    uint32_t bit = 0;

    KINF_ASSERT(p->used < p->size);
    while (p->map[p->hint] == UINT32_MAX)
        p->hint++;
    while ((p->map[p->hint] >> bit & 1u) != 0)
        bit++;
    p->map[p->hint] |= 1u << bit;
    p->used++;
    if (p->high < p->used)
        p->high = p->used;
    KINF_ASSERT(p->hint * 32 + bit < p->size);
    return p->hint * 32 + bit;
}

void kinf_pool_give(struct kinf_pool *p, uint32_t place)
{
    KINF_ASSERT(place < p->size);
    KINF_ASSERT(pool_holds(p, place));
    p->map[place / 32] &= ~(1u << (place % 32));
    p->used--;
    if (p->hint > place / 32)
        p->hint = place / 32;
}
