/* SPDX-License-Identifier: Apache-2.0 */
/* indexer.c - postings; see indexer.h. */
#define KINF_FILE 6
#include "indexer.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/span.h"
#include "store.h"

#define NONE ((kinf_idx)KINF_NONE)

int kinf_namespace_index(const struct kinf_object *object, unsigned n,
                         char *value, size_t size)
{
    if (n > 0)
        return KINF_ERR_NOT_FOUND;
    KINF_ASSERT(object->namespace_.len <= size);
    if (object->namespace_.len > 0)
        memcpy(value, object->namespace_.ptr, object->namespace_.len);
    return (int)object->namespace_.len;
}

/* The n-th value of a record in an index, or an error at the end. Values that
 * are too long for the buffer cannot be indexed: the function says so by
 * KINF_ERR_TOO_BIG, and they are left out. */
static int value_of(const struct kinf_store *s, kinf_idx record, uint8_t index,
                    unsigned n, char value[CONFIG_KINF_INDEX_VALUE_BYTES])
{
    struct kinf_object object;

    kinf_store_view(s, record, &object);
    return s->indexes[index].func(&object, n, value,
                                  CONFIG_KINF_INDEX_VALUE_BYTES);
}

static uint32_t value_hash(const struct kinf_store *s, uint8_t index,
                           struct kinf_span value)
{
    struct hash h;

    kinf_hash_init(&h, s->hash_key);
    kinf_hash_add(&h, &index, 1);
    kinf_hash_add(&h, value.ptr, value.len);
    return kinf_hash_end(&h);
}

static uint32_t bucket_of(const struct kinf_store *s, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * s->posting_pool.size >> 32);
}

/* ---- one posting -------------------------------------------------------- */

static void add_posting(struct kinf_store *s, kinf_idx entry, uint8_t index,
                        uint32_t hash)
{
    uint32_t bucket = bucket_of(s, hash);
    kinf_idx at;

    if (pool_full(&s->posting_pool)) {
        s->index_whole = false;
        return;
    }
    at = (kinf_idx)kinf_pool_take(&s->posting_pool);
    s->postings[at] = (struct kinf_posting){
        .hash = hash, .next = NONE, .prev = s->tails[bucket],
        .sibling = s->entries[entry].postings, .entry = entry, .index = index
    };
    if (s->tails[bucket] != NONE)
        s->postings[s->tails[bucket]].next = at;
    else
        s->heads[bucket] = at;
    s->tails[bucket] = at;
    s->entries[entry].postings = at;
}

/* Takes the posting that *link names out of its entry and its chain. */
static void remove_posting(struct kinf_store *s, kinf_idx *link)
{
    kinf_idx at = *link;
    const struct kinf_posting *p = &s->postings[at];
    uint32_t bucket = bucket_of(s, p->hash);

    for (int i = 0; i < CONFIG_KINF_CURSORS; i++)
        if (s->cursors[i].posting == at)
            s->cursors[i].posting = p->next;
    *link = p->sibling;
    if (p->prev != NONE)
        s->postings[p->prev].next = p->next;
    else
        s->heads[bucket] = p->next;
    if (p->next != NONE)
        s->postings[p->next].prev = p->prev;
    else
        s->tails[bucket] = p->prev;
    kinf_pool_give(&s->posting_pool, at);
}

/* ---- all of an entry ---------------------------------------------------- */

static bool has_hash(const struct kinf_store *s, kinf_idx record,
                     uint8_t index, uint32_t hash)
{
    char value[CONFIG_KINF_INDEX_VALUE_BYTES];
    int len = 0;

    for (unsigned n = 0; record != NONE; n++) {
        len = value_of(s, record, index, n, value);
        if (len == KINF_ERR_NOT_FOUND)
            break;
        if (len >= 0 &&
            value_hash(s, index, span_of(value, (size_t)len)) == hash)
            return true;
    }
    return false;
}

static bool has_posting(const struct kinf_store *s, kinf_idx entry,
                        uint8_t index, uint32_t hash)
{
    kinf_idx at = s->entries[entry].postings;

    while (at != NONE && (s->postings[at].hash != hash ||
                          s->postings[at].index != index))
        at = s->postings[at].sibling;
    return at != NONE;
}

static void add_values(struct kinf_store *s, kinf_idx entry, uint8_t index)
{
    char value[CONFIG_KINF_INDEX_VALUE_BYTES];

    for (unsigned n = 0;; n++) {
        int len = value_of(s, s->entries[entry].current, index, n, value);
        uint32_t hash;

        if (len == KINF_ERR_NOT_FOUND)
            return;
        if (len < 0)
            continue;
        hash = value_hash(s, index, span_of(value, (size_t)len));
        if (!has_posting(s, entry, index, hash))
            add_posting(s, entry, index, hash);
    }
}

void kinf_index_update(struct kinf_store *s, kinf_idx entry)
{
    struct kinf_entry *e = &s->entries[entry];
    kinf_idx *link = &e->postings;

    while (*link != NONE) {
        const struct kinf_posting *p = &s->postings[*link];

        if (has_hash(s, e->current, p->index, p->hash))
            link = &s->postings[*link].sibling;
        else
            remove_posting(s, link);
    }
    for (uint8_t i = 0; e->current != NONE && i < s->index_count; i++)
        add_values(s, entry, i);
}

/* ---- building ----------------------------------------------------------- */

bool kinf_index_build(struct kinf_store *s, uint32_t budget)
{
    if (!s->indexing) {
        if (s->index_whole || pool_full(&s->posting_pool))
            return false;
        s->indexing = true;
        s->index_whole = true; /* until a value finds no posting */
        s->index_at = 0;
    }
    for (; budget > 0 && s->index_at < s->entry_pool.high; budget--) {
        kinf_idx entry = (kinf_idx)s->index_at++;

        if (store_has(s, entry) && s->entries[entry].current != NONE)
            kinf_index_update(s, entry);
    }
    s->indexing = s->index_at < s->entry_pool.high;
    return s->indexing;
}

int kinf_index_add(struct kinf_store *s, const char *name,
                   kinf_index_func func)
{
    if (s->index_count == KINF_INDEXES)
        return KINF_ERR_FULL;
    s->indexes[s->index_count++] = (struct kinf_index){ name, func };
    s->index_whole = s->entry_pool.used == 0;
    s->indexing = false;
    return KINF_OK;
}

int kinf_index_by_name(const struct kinf_store *s, const char *name)
{
    for (int i = 0; i < s->index_count; i++)
        if (strcmp(s->indexes[i].name, name) == 0)
            return i;
    return KINF_ERR_NOT_FOUND;
}

/* ---- looking up --------------------------------------------------------- */

bool kinf_index_has(const struct kinf_store *s, kinf_idx entry, uint8_t index,
                    struct kinf_span value, unsigned first)
{
    char own[CONFIG_KINF_INDEX_VALUE_BYTES];

    for (unsigned n = 0; n < first; n++) {
        int len = value_of(s, s->entries[entry].current, index, n, own);

        if (len == KINF_ERR_NOT_FOUND)
            break;
        if (len >= 0 && span_equal(span_of(own, (size_t)len), value))
            return true;
    }
    return false;
}

uint32_t kinf_index_hash(const struct kinf_store *s, uint8_t index,
                         struct kinf_span value)
{
    return value_hash(s, index, value);
}

kinf_idx kinf_index_bucket(const struct kinf_store *s, uint32_t hash)
{
    return s->heads[bucket_of(s, hash)];
}

kinf_idx kinf_index_seek(const struct kinf_store *s, kinf_idx at,
                         uint8_t index, uint32_t hash)
{
    while (at != NONE && (s->postings[at].hash != hash ||
                          s->postings[at].index != index))
        at = s->postings[at].next;
    return at;
}
