/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - entries, records and what they cost; see store.h. */
#define KINF_FILE 5
#include "store.h"

#include "arena.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/pool.h"
#include "indexer.h"

#define UID_BYTES 36u /* a UUID; longer ones are not kept */

/* ---- keys --------------------------------------------------------------- */

static kinf_idx key_hash(const struct kinf_store *s,
                         const struct kinf_span key[2])
{
    struct hash h;

    kinf_hash_init(&h, s->hash_key);
    kinf_hash_add(&h, key[KINF_NAMESPACE].ptr, key[KINF_NAMESPACE].len);
    kinf_hash_add(&h, "/", 1);
    kinf_hash_add(&h, key[KINF_NAME].ptr, key[KINF_NAME].len);
    return (kinf_idx)kinf_hash_end(&h);
}

KINF_APART static kinf_idx *bucket_of(const struct kinf_store *s, kinf_idx hash)
{
    return &s->buckets[(kinf_product)hash * s->entry_pool.size >>
                       CONFIG_KINF_INDEX_BITS];
}

static bool key_is(const struct kinf_store *s, kinf_idx record,
                   const struct kinf_span key[2])
{
    struct kinf_object held;

    kinf_store_view(s, record, &held);
    return kinf_texts_equal(texts_of(&held), key, 2);
}

/* The entry of a key, or none; its hash in any case. */
static kinf_idx find(const struct kinf_store *s, const struct kinf_span key[2],
                     kinf_idx *hash)
{
    kinf_idx at;

    *hash = key_hash(s, key);
    at = *bucket_of(s, *hash);
    while (at != KINF_NONE && (s->entries[at].hash != *hash ||
                               !key_is(s, s->entries[at].newest, key)))
        at = s->entries[at].next;
    return at;
}

kinf_idx kinf_store_find(const struct kinf_store *s,
                         const struct kinf_span key[2])
{
    kinf_idx hash;

    return find(s, key, &hash);
}

void kinf_store_view(const struct kinf_store *s, kinf_idx record,
                     struct kinf_object *out)
{
    const struct kinf_record *r = &s->records[record];
    const char *payload = s->arena + r->place;

    for (int i = 0; i < KINF_TEXTS; i++)
        texts_of(out)[i] = span_of(payload + r->at[i], r->len[i]);
    out->json = span_of(payload, r->reason == KINF_WHOLE ? r->size : 0);
    out->size = r->size;
    out->reason = (enum kinf_reason)r->reason;
}

bool kinf_store_same_uid(const struct kinf_store *s, kinf_idx a, kinf_idx b)
{
    struct kinf_object x, y;

    kinf_store_view(s, a, &x);
    kinf_store_view(s, b, &y);
    return kinf_texts_equal(&x.uid, &y.uid, 1);
}

/* ---- what things cost --------------------------------------------------- */

/* An identity counts with room for any uid and the longest version, so that a
 * newer one of the same key always fits in its stead. */
static uint32_t identity_cost(size_t key_len)
{
    return arena_cost((uint32_t)key_len + UID_BYTES + KINF_VERSION_MAX);
}

KINF_APART static uint32_t entry_cost(const struct kinf_store *s,
                                      const struct kinf_entry *e)
{
    const struct kinf_record *r;
    uint32_t identity;

    /* What has no newest state is gone, too. */
    if (e->gone && !(CONFIG_KINF_LATEST_MODE && s->keep_gone &&
                     e->newest != KINF_NONE))
        return 0;
    r = &s->records[e->newest];
    identity = identity_cost((size_t)r->len[KINF_NAME] +
                             r->len[KINF_NAMESPACE]);
    if (e->gone || r->reason != KINF_WHOLE || arena_cost(r->size) < identity)
        return identity;
    return arena_cost(r->size);
}

uint32_t kinf_store_cost(const struct kinf_store *s, kinf_idx entry)
{
    return entry_cost(s, &s->entries[entry]);
}

/* May what costs cost be taken in place of what costs old? */
KINF_APART static bool admits(const struct kinf_store *s, uint32_t old,
                              uint32_t cost)
{
    return s->settled - old + cost + arena_cost(s->object_bytes) <=
           s->arena_bytes;
}

bool kinf_store_fits(const struct kinf_store *s, kinf_idx entry, uint32_t size)
{
    KINF_ASSERT(size <= s->object_bytes);
    return admits(s, entry_cost(s, &s->entries[entry]), arena_cost(size));
}

/* Adds what an entry takes and is to the sums, or takes it off (by -1); around
 * each change of newest or gone. */
static void account(struct kinf_store *s, const struct kinf_entry *e,
                    uint32_t by)
{
    s->settled += entry_cost(s, e) * by;
    if (e->gone)
        return;
    if (s->records[e->newest].reason != KINF_WHOLE)
        s->truncated += by;
    if (s->records[e->newest].reason == KINF_REASON_NO_ROOM)
        s->no_room += by;
}

/* ---- counting references ------------------------------------------------ */

/* Writes texts one behind the other and notes where. Returns their bytes. */
KINF_APART static uint32_t write_identity(struct kinf_record *r, char *out,
                                          const struct kinf_span *texts)
{
    uint32_t used = 0;

    for (int i = 0; i < KINF_TEXTS; i++) {
        r->at[i] = (kinf_off)used;
        r->len[i] = (uint8_t)texts[i].len;
        if (texts[i].len > 0)
            memcpy(out + used, texts[i].ptr, texts[i].len);
        used += (uint32_t)texts[i].len;
    }
    return used;
}

/* Leaves of a deleted key's payload what a "latest" handler will be told. */
static void shrink(struct kinf_store *s, kinf_idx record)
{
    struct kinf_record *r = &s->records[record];
    char copy[CONFIG_KINF_IDENTITY_BYTES];
    struct kinf_object key;
    uint32_t size;

    r->shrink = false;
    if (r->reason == KINF_REASON_KEY_ONLY)
        return;
    kinf_store_view(s, record, &key);
    key.resource_version.len = 0;
    size = write_identity(r, copy, texts_of(&key));
    memcpy(s->arena + r->place, copy, size);
    r->reason = KINF_REASON_KEY_ONLY;
    kinf_arena_shrink(s, record, size);
}

void kinf_store_ref(struct kinf_store *s, kinf_idx record)
{
    if (record != KINF_NONE)
        s->records[record].refs++;
}

void kinf_store_unref(struct kinf_store *s, kinf_idx record)
{
    struct kinf_record *r = &s->records[record];

    if (record == KINF_NONE)
        return;
    KINF_ASSERT(r->refs > 0);
    r->refs--;
    if (r->refs == 0) {
        kinf_arena_free(s, record);
        kinf_pool_give(&s->record_pool, record);
    } else if (CONFIG_KINF_LATEST_MODE && r->refs == 1 && r->shrink &&
               s->entries[r->entry].newest == record) {
        shrink(s, record);
    }
}

/* The one place where the newest state of an entry changes. */
static void set_newest(struct kinf_store *s, kinf_idx entry, kinf_idx record,
                       bool gone)
{
    struct kinf_entry *e = &s->entries[entry];
    uint32_t before = s->settled;
    kinf_idx old = e->newest;

    account(s, e, UINT32_MAX);
    e->newest = record;
    e->gone = gone;
    account(s, e, 1);
    s->freed |= s->settled < before;
    kinf_store_ref(s, record);
    kinf_store_unref(s, old);
}

/* ---- entries ------------------------------------------------------------ */

/* A key of which nothing is held yet: as good as gone. */
static kinf_idx take_entry(struct kinf_store *s, kinf_idx hash)
{
    kinf_idx at = (kinf_idx)kinf_pool_take(&s->entry_pool);
    kinf_idx *bucket = bucket_of(s, hash);

    s->entries[at] = (struct kinf_entry){
        .hash = hash, .next = *bucket, .newest = (kinf_idx)KINF_NONE,
        .current = (kinf_idx)KINF_NONE, .postings = (kinf_idx)KINF_NONE,
        .queued = 0, .generation = 0, .gone = true, .shown = 0
    };
    *bucket = at;
    return at;
}

static void give_entry(struct kinf_store *s, kinf_idx entry)
{
    kinf_idx *link = bucket_of(s, s->entries[entry].hash);

    KINF_ASSERT(s->entries[entry].postings == KINF_NONE);
    set_newest(s, entry, (kinf_idx)KINF_NONE, true);
    while (*link != entry)
        link = &s->entries[*link].next;
    *link = s->entries[entry].next;
    kinf_pool_give(&s->entry_pool, entry);
}

void kinf_store_settle(struct kinf_store *s, kinf_idx entry)
{
    struct kinf_entry *e = &s->entries[entry];

    if (e->current != KINF_NONE || e->queued > 0)
        return;
    if (!CONFIG_KINF_LATEST_MODE || e->shown == 0) {
        give_entry(s, entry);
        return;
    }
    s->records[e->newest].shrink = true;
    if (s->records[e->newest].refs == 1)
        shrink(s, e->newest);
}

/* ---- receiving ---------------------------------------------------------- */

int kinf_store_reserve(struct kinf_store *s, bool in_flight)
{
    KINF_ASSERT(!s->reserved);
    if (!arena_room(s)) {
        s->want_room = true;
        KINF_ASSERT(in_flight || s->holes > 0);
        return KINF_ERR_AGAIN;
    }
    s->want_room = false;
    if (in_flight && pool_full(&s->entry_pool))
        return KINF_ERR_AGAIN;
    KINF_ASSERT(!pool_full(&s->record_pool));
    s->reserved = true;
    return KINF_OK;
}

/* Is this what we hold already? */
static bool is_same(const struct kinf_store *s, kinf_idx entry,
                    const struct kinf_item *item, const struct kinf_sink *sink,
                    bool whole)
{
    const struct kinf_entry *e = &s->entries[entry];
    struct kinf_span json = span_of(sink->ptr, sink->used);
    struct kinf_object held;

    if (e->gone)
        return false;
    kinf_store_view(s, e->newest, &held);
    if (s->by_bytes)
        return whole && held.reason == KINF_WHOLE &&
               kinf_texts_equal(&held.json, &json, 1);
    return item->version.len > 0 && same_state(&held, item) &&
           (held.reason == KINF_WHOLE || !whole);
}

/* How it can be held in place of what costs old. */
static enum kinf_reason reason_for(const struct kinf_store *s,
                                   const struct kinf_item *item,
                                   uint32_t size, uint32_t old,
                                   uint32_t identity)
{
    uint32_t cost = arena_cost(size);

    if (item->broken != KINF_OK)
        return KINF_REASON_UNREADABLE;
    if (size > s->object_bytes)
        return KINF_REASON_TOO_BIG;
    return admits(s, old, cost > identity ? cost : identity)
               ? KINF_WHOLE
               : KINF_REASON_NO_ROOM;
}

static kinf_idx make_record(struct kinf_store *s, const struct kinf_item *item,
                            const struct kinf_sink *sink, kinf_idx entry,
                            enum kinf_reason reason)
{
    kinf_idx at = (kinf_idx)kinf_pool_take(&s->record_pool);
    struct kinf_record *r = &s->records[at];
    uint32_t size = sink->wanted;

    KINF_ASSERT(item->name.len <= 255 && item->namespace_.len <= 255);
    KINF_ASSERT(item->uid.len <= UID_BYTES);
    KINF_ASSERT(item->version.len <= KINF_VERSION_MAX);
    r->size = size;
    r->entry = entry;
    r->refs = 0;
    r->reason = (uint8_t)reason;
    r->shrink = false;
    if (reason == KINF_WHOLE) {
        for (int i = 0; i < KINF_TEXTS; i++) {
            r->at[i] = item_places(item)[i];
            r->len[i] = (uint8_t)item_texts(item)[i].len;
        }
    } else {
        size = write_identity(r, arena_head(s), item_texts(item));
    }
    kinf_arena_take(s, at, size);
    return at;
}

int kinf_store_receive(struct kinf_store *s, const struct kinf_item *item,
                       const struct kinf_sink *sink, kinf_idx *entry)
{
    uint32_t identity = identity_cost(item->name.len + item->namespace_.len);
    kinf_idx hash;
    kinf_idx at = find(s, item_texts(item), &hash);
    uint32_t old = at != KINF_NONE ? entry_cost(s, &s->entries[at]) : 0;
    enum kinf_reason reason = reason_for(s, item, sink->wanted, old, identity);

    KINF_ASSERT(s->reserved);
    s->reserved = false;
    if (reason != KINF_WHOLE && !admits(s, old, identity))
        return STORE_NO_ENTRY;
    if (at == KINF_NONE) {
        if (pool_full(&s->entry_pool))
            return STORE_NO_ENTRY;
        at = take_entry(s, hash);
    }
    s->entries[at].generation = s->generation;
    if (is_same(s, at, item, sink, reason == KINF_WHOLE))
        return STORE_SAME;
    *entry = at;
    set_newest(s, at, make_record(s, item, sink, at, reason), false);
    return STORE_TAKEN;
}

kinf_idx kinf_store_receive_delete(struct kinf_store *s,
                                   const struct kinf_item *item)
{
    kinf_idx at = kinf_store_find(s, item_texts(item));

    if (at == KINF_NONE || s->entries[at].gone)
        return (kinf_idx)KINF_NONE;
    s->entries[at].generation = s->generation;
    kinf_store_note_gone(s, at);
    return at;
}

/* ---- generations -------------------------------------------------------- */

int kinf_store_new_generation(struct kinf_store *s)
{
    if (s->generation < UINT16_MAX) {
        s->generation++;
        return KINF_OK;
    }
    for (uint32_t i = 0; i < CONFIG_KINF_POLL_ENTRIES; i++) {
        if (s->clear_at == s->entry_pool.high) {
            s->clear_at = 0;
            s->generation = 1;
            return KINF_OK;
        }
        s->entries[s->clear_at++].generation = 0;
    }
    return KINF_ERR_AGAIN;
}

/* ---- applying ----------------------------------------------------------- */

void kinf_store_apply(struct kinf_store *s, kinf_idx entry, kinf_idx record)
{
    struct kinf_entry *e = &s->entries[entry];
    kinf_idx old = e->current;

    kinf_store_ref(s, record);
    e->current = record;
    if (CONFIG_KINF_INDEXES)
        kinf_index_update(s, entry);
    kinf_store_unref(s, old);
}

void kinf_store_note_gone(struct kinf_store *s, kinf_idx entry)
{
    set_newest(s, entry, s->entries[entry].newest, true);
}
