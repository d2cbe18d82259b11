/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - which places of an array are taken: a bitmap, lowest place first. */
#ifndef KINF_BASE_POOL_H
#define KINF_BASE_POOL_H

#include "kinformer.h"

/* map holds (size + 31) / 32 words. */
void kinf_pool_init(struct kinf_pool *p, uint32_t *map, uint32_t size);
/* The lowest free place; the pool must not be full. */
uint32_t kinf_pool_take(struct kinf_pool *p);
void kinf_pool_give(struct kinf_pool *p, uint32_t place);

static inline bool pool_full(const struct kinf_pool *p)
{
    return p->used == p->size;
}

static inline bool pool_holds(const struct kinf_pool *p, uint32_t place)
{
    return (p->map[place / 32] >> (place % 32) & 1u) != 0;
}

#endif
