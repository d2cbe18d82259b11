/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - payloads in one line, new ones at its head.
 *
 *   0        gap      scan             head             arena_bytes
 *   |AAAA BBB|........|CCCC|hole|DDDDD|  reserved for one |
 *             \______/ compaction under way: what is live below scan has been
 *                      slid down to gap
 *
 * Each payload follows a block that says how long it is and whose, so that it
 * can be moved. A payload moves whole and only while nobody reads: kinf_poll
 * compacts between callbacks. */
#ifndef KINF_STORE_ARENA_H
#define KINF_STORE_ARENA_H

#include "kinformer.h"

/* Bytes a payload takes, with its block. */
static inline uint32_t arena_cost(uint32_t size)
{
    return ((uint32_t)sizeof(struct kinf_block) + size + 3u) & ~3u;
}

/* Is there room for the largest object at the head? */
static inline bool arena_room(const struct kinf_store *s)
{
    return s->head + arena_cost(s->object_bytes) <= s->arena_bytes;
}

/* Is that room asked for, and could compaction make it? */
static inline bool arena_wanted(const struct kinf_store *s)
{
    return s->want_room && s->holes > 0 && !arena_room(s);
}

static inline char *arena_head(const struct kinf_store *s)
{
    return s->arena + s->head + sizeof(struct kinf_block);
}

/* Gives the size bytes at the head to a record. */
void kinf_arena_take(struct kinf_store *s, kinf_idx record, uint32_t size);

/* Makes a hole of a record's payload, or of what lies behind its first size
 * bytes. */
void kinf_arena_free(struct kinf_store *s, kinf_idx record);
void kinf_arena_shrink(struct kinf_store *s, kinf_idx record, uint32_t size);

/* Moves about budget bytes down if it is worth it, or if room is wanted.
 * Returns whether there is more to do at once. */
bool kinf_arena_compact(struct kinf_store *s, uint32_t budget);

#endif
