/* SPDX-License-Identifier: Apache-2.0 */
/* store_check.c - the store's invariants; see store.h and store_check.h. */
#define KINF_FILE 8
#include "store_check.h"

#include "arena.h"
#include "base/assert.h"
#include "base/pool.h"
#include "base/span.h"
#include "store.h"

/* Blocks lie one behind the other from 0 to head; where compaction is under
 * way, what is between gap and scan is one hole. */
static void check_arena(const struct kinf_store *s)
{
    uint32_t at = 0, holes = 0, owned = 0;

    while (at < s->head) {
        const struct kinf_block *block =
            (const struct kinf_block *)(const void *)(s->arena + at);

        if (s->compacting && at == s->gap && s->gap < s->scan) {
            holes += s->scan - s->gap;
            at = s->scan;
            continue;
        }
        KINF_ASSERT(block->bytes >= sizeof(*block) && block->bytes % 4 == 0);
        if (block->owner == KINF_NONE) {
            holes += block->bytes;
        } else {
            KINF_ASSERT(pool_holds(&s->record_pool, block->owner));
            KINF_ASSERT(s->records[block->owner].place ==
                        at + sizeof(*block));
            owned++;
        }
        at += block->bytes;
    }
    KINF_ASSERT(at == s->head && s->head <= s->arena_bytes);
    KINF_ASSERT(holes == s->holes);
    KINF_ASSERT(owned == s->record_pool.used);
}

static const struct kinf_delta *fifo_at(const struct kinf_delta_fifo *fifo,
                                        uint32_t n)
{
    return &fifo->slots[(fifo->head + n) % fifo->size];
}

static uint32_t refs_of(const struct kinf_store *s, kinf_idx record,
                        const struct kinf_delta_fifo *fifo,
                        const struct kinf_processor *p)
{
    uint32_t refs = 0;

    for (uint32_t i = 0; i < s->entry_pool.size; i++)
        if (pool_holds(&s->entry_pool, i))
            refs += (uint32_t)(s->entries[i].newest == record) +
                    (uint32_t)(s->entries[i].current == record);
    for (uint32_t i = 0; i < fifo->len; i++)
        refs += fifo_at(fifo, i)->record == record;
    for (const struct kinf_listener *l = p->listeners; l != NULL; l = l->next)
        for (uint32_t n = 0;
             l->mode == KINF_EVERY && n != l->pushed - l->popped; n++) {
            const struct kinf_slot *slot =
                &p->slots[l->place * p->ring + (l->first + n) % p->ring];

            refs += (uint32_t)(slot->was == record) +
                    (uint32_t)(slot->now == record);
        }
    return refs;
}

static void check_records(const struct kinf_store *s,
                          const struct kinf_delta_fifo *fifo,
                          const struct kinf_processor *p)
{
    for (uint32_t i = 0; i < s->record_pool.size; i++)
        if (pool_holds(&s->record_pool, i))
            KINF_ASSERT(s->records[i].refs ==
                        refs_of(s, (kinf_idx)i, fifo, p));
}

static void check_entry(const struct kinf_store *s, kinf_idx at,
                        const struct kinf_delta_fifo *fifo)
{
    const struct kinf_entry *e = &s->entries[at];
    struct kinf_object key;
    uint32_t queued = 0;

    KINF_ASSERT(e->newest != KINF_NONE);
    KINF_ASSERT(e->current != KINF_NONE || e->queued > 0 || e->shown > 0);
    kinf_store_view(s, e->newest, &key);
    KINF_ASSERT(kinf_store_find(s, texts_of(&key)) == at);
    for (uint32_t i = 0; i < fifo->len; i++)
        queued += fifo_at(fifo, i)->entry == at;
    KINF_ASSERT(queued == e->queued);
    for (kinf_idx p = e->postings; p != KINF_NONE; p = s->postings[p].sibling)
        KINF_ASSERT(s->postings[p].entry == at);
}

void kinf_store_check(const struct kinf_store *s,
                      const struct kinf_delta_fifo *fifo,
                      const struct kinf_processor *processor)
{
    uint32_t settled = 0, truncated = 0;

    check_arena(s);
    check_records(s, fifo, processor);
    for (uint32_t i = 0; i < s->entry_pool.size; i++) {
        const struct kinf_entry *e = &s->entries[i];

        if (!pool_holds(&s->entry_pool, i))
            continue;
        check_entry(s, (kinf_idx)i, fifo);
        settled += kinf_store_cost(s, (kinf_idx)i);
        truncated += !e->gone && s->records[e->newest].reason != KINF_WHOLE;
    }
    KINF_ASSERT(settled == s->settled);
    KINF_ASSERT(truncated == s->truncated);
    KINF_ASSERT(settled + arena_cost(s->object_bytes) <= s->arena_bytes);
}
