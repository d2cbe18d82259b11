/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - payloads in one line; see arena.h. */
#define KINF_FILE 3
#include "arena.h"

#include <string.h>

#include "base/assert.h"

#define WALK_COST 64u /* looking at a block counts as moving so many bytes */

static struct kinf_block *block_at(const struct kinf_store *s, uint32_t place)
{
    KINF_ASSERT(place % 4 == 0);
    KINF_ASSERT(place < s->arena_bytes);
    return (struct kinf_block *)(void *)(s->arena + place);
}

static uint32_t block_of(const struct kinf_store *s, kinf_idx record)
{
    return s->records[record].place - (uint32_t)sizeof(struct kinf_block);
}

void kinf_arena_take(struct kinf_store *s, kinf_idx record, uint32_t size)
{
    struct kinf_block *block = block_at(s, s->head);

    KINF_ASSERT(s->head + arena_cost(size) <= s->arena_bytes);
    block->bytes = arena_cost(size);
    block->owner = record;
    s->records[record].place =
        s->head + (uint32_t)sizeof(struct kinf_block);
    s->head += block->bytes;
    if (s->high < s->head)
        s->high = s->head;
}

/* Notes a hole. The last one is no hole: the head moves back, unless somebody
 * is writing there. */
static void note_hole(struct kinf_store *s, uint32_t at)
{
    struct kinf_block *block = block_at(s, at);

    block->owner = (kinf_idx)KINF_NONE;
    if (at + block->bytes == s->head && !s->reserved) {
        s->head = at;
        return;
    }
    s->holes += block->bytes;
    if ((!s->compacting || at < s->gap) && at < s->lowest)
        s->lowest = at;
}

void kinf_arena_free(struct kinf_store *s, kinf_idx record)
{
    note_hole(s, block_of(s, record));
}

void kinf_arena_shrink(struct kinf_store *s, kinf_idx record, uint32_t size)
{
    uint32_t at = block_of(s, record);
    struct kinf_block *block = block_at(s, at);
    uint32_t left = block->bytes - arena_cost(size);

    KINF_ASSERT(arena_cost(size) <= block->bytes);
    if (left < sizeof(struct kinf_block))
        return;
    block->bytes -= left;
    block_at(s, at + block->bytes)->bytes = left;
    note_hole(s, at + block->bytes);
}

static bool worth_it(const struct kinf_store *s)
{
    if (s->holes == 0)
        return false;
    if (arena_wanted(s))
        return true;
    return s->holes > (s->head - s->holes) / CONFIG_KINF_COMPACT_SHARE +
                          s->object_bytes / 2;
}

/* Slides the block at scan down, or swallows it if it is a hole. Returns what
 * that cost. */
static uint32_t slide(struct kinf_store *s)
{
    struct kinf_block *block = block_at(s, s->scan);
    uint32_t bytes = block->bytes;

    KINF_ASSERT(bytes >= sizeof(struct kinf_block));
    if (block->owner == KINF_NONE) {
        s->scan += bytes;
        return WALK_COST;
    }
    s->records[block->owner].place -= s->scan - s->gap;
    memmove(s->arena + s->gap, s->arena + s->scan, bytes);
    s->gap += bytes;
    s->scan += bytes;
    return WALK_COST + bytes;
}

bool kinf_arena_compact(struct kinf_store *s, uint32_t budget)
{
    uint32_t cost = 0;

    if (!s->compacting) {
        if (!worth_it(s))
            return false;
        s->gap = s->scan = s->lowest;
        s->lowest = UINT32_MAX;
        s->compacting = true;
    }
    while (cost < budget && s->scan < s->head)
        cost += slide(s);
    if (s->scan < s->head)
        return true;
    if (s->reserved)
        return false; /* what is being received follows the gap */
    s->holes -= s->scan - s->gap;
    s->head = s->gap;
    s->compacting = false;
    return worth_it(s);
}
