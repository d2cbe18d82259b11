/* SPDX-License-Identifier: Apache-2.0 */
/* lister.c - reading the cache: by key, all, by namespace, index, selector. */
#define KINF_FILE 13
#include "base/assert.h"
#include "base/span.h"
#include "selector.h"
#include "store/indexer.h"
#include "store/store.h"
#include "watch/reflector.h"

#define NONE ((kinf_idx)KINF_NONE)

int kinf_get(const struct kinf_informer *inf, struct kinf_span key,
             struct kinf_object *out)
{
    const struct kinf_store *s = &inf->store;
    bool whole = kinf_reflector_whole(inf);
    struct kinf_span parts[2];
    kinf_idx entry = NONE;

    KINF_ASSERT(!inf->stopped);
    KINF_ASSERT((inf->k->polling & KINF_ASKING) == 0);
    if (kinf_split_key(key, &parts[KINF_NAMESPACE], &parts[KINF_NAME]) ==
        KINF_OK)
        entry = kinf_store_find(s, parts);
    if (entry == NONE || s->entries[entry].current == NONE)
        return whole ? KINF_ERR_NOT_FOUND : KINF_ERR_INCOMPLETE;
    kinf_store_view(s, s->entries[entry].current, out);
    return whole ? KINF_OK : KINF_INCOMPLETE;
}

/* Takes one of the places of index listings; the oldest loses its own. */
static void take_cursor(struct kinf_store *s, struct kinf_list_cursor *c)
{
    c->ticket = ++s->ticket;
    c->hash = kinf_index_hash(s, c->index, c->value);
    s->cursors[c->ticket % CONFIG_KINF_CURSORS] = (struct kinf_index_cursor){
        kinf_index_bucket(s, c->hash), c->ticket
    };
    c->by_index = true;
}

int kinf_list(struct kinf_informer *inf, struct kinf_list_cursor *c,
              const struct kinf_list_options *o)
{
    struct kinf_store *s = &inf->store;
    int index = KINF_ERR_NOT_FOUND;

    KINF_ASSERT(!inf->stopped);
    KINF_ASSERT((inf->k->polling & KINF_ASKING) == 0);
    *c = (struct kinf_list_cursor){ .namespace_ = o->namespace_,
                                    .label_selector = o->label_selector };
    if (kinf_selector_check(o->label_selector) != KINF_OK)
        return KINF_ERR_SYNTAX;
    if (o->index != NULL) {
        index = kinf_index_by_name(s, o->index);
        if (index < 0)
            return index;
        c->value = o->value;
    } else if (o->namespace_.len > 0) {
        index = kinf_index_by_name(s, "namespace");
        c->value = o->namespace_;
    }
    if (index < 0)
        return KINF_OK;
    c->has_index = true;
    c->index = (uint8_t)index;
    if (s->index_whole && !s->indexing)
        take_cursor(s, c);
    return KINF_OK;
}

/* Is the entry what the listing asks for? */
static bool wanted(const struct kinf_store *s, struct kinf_list_cursor *c,
                   kinf_idx entry, struct kinf_object *out)
{
    const struct kinf_entry *e = &s->entries[entry];
    int match;

    if (e->current == NONE ||
        (c->has_index && !kinf_index_has(s, entry, c->index, c->value,
                                          UINT32_MAX)))
        return false;
    kinf_store_view(s, e->current, out);
    if (c->namespace_.len > 0 && !span_equal(c->namespace_, out->namespace_))
        return false;
    if (c->label_selector.len == 0)
        return true;
    match = kinf_selector_match(c->label_selector, out);
    c->unsure |= match == KINF_ERR_TOO_BIG;
    return match == 1;
}

/* The next entry of an index listing or none at its end. */
static int step_index(struct kinf_store *s, struct kinf_list_cursor *c,
                      kinf_idx *entry)
{
    struct kinf_index_cursor *at =
        &s->cursors[c->ticket % CONFIG_KINF_CURSORS];

    if (at->ticket != c->ticket)
        return KINF_ERR_FULL;
    at->posting = kinf_index_seek(s, at->posting, c->index, c->hash);
    if (at->posting == NONE) {
        *entry = NONE;
        return KINF_OK;
    }
    *entry = s->postings[at->posting].entry;
    at->posting = s->postings[at->posting].next;
    return KINF_OK;
}

static int step(struct kinf_store *s, struct kinf_list_cursor *c,
                kinf_idx *entry)
{
    if (c->by_index)
        return step_index(s, c, entry);
    while (c->entry < s->entry_pool.high && !store_has(s, c->entry))
        c->entry++;
    *entry = c->entry < s->entry_pool.high ? (kinf_idx)c->entry++ : NONE;
    return KINF_OK;
}

int kinf_list_next(struct kinf_informer *inf, struct kinf_list_cursor *c,
                   struct kinf_object *out)
{
    KINF_ASSERT(!inf->stopped);
    KINF_ASSERT((inf->k->polling & KINF_ASKING) == 0);
    for (int i = 0; i < CONFIG_KINF_POLL_ENTRIES; i++) {
        kinf_idx entry;
        int err = step(&inf->store, c, &entry);
        bool found;

        if (err != KINF_OK)
            return err;
        if (entry == NONE)
            return c->unsure || !kinf_reflector_whole(inf) ? KINF_INCOMPLETE
                                                           : 0;
        KINF_ASKS(inf->k);
        found = wanted(&inf->store, c, entry, out);
        KINF_ASKED(inf->k);
        if (found)
            return 1;
    }
    return KINF_ERR_AGAIN;
}

static bool is_held(const struct kinf_store *s, uint32_t entry)
{
    return store_has(s, entry) && s->entries[entry].current != NONE;
}

/* Was the value given at an earlier place? at is as below. */
static bool given(const struct kinf_store *s, uint8_t index, uint32_t at,
                  struct kinf_span value)
{
    for (uint32_t entry = 0; entry <= at >> 8; entry++)
        if (is_held(s, entry) &&
            kinf_index_has(s, (kinf_idx)entry, index, value,
                           entry < at >> 8 ? UINT32_MAX : at & 0xFFu))
            return true;
    return false;
}

/* at counts entries in its upper bits and values of one entry in its lower
 * eight. A value is given at the first place that has it. */
int kinf_index_values(const struct kinf_informer *inf, const char *index,
                      uint32_t *at, char *value, size_t size)
{
    const struct kinf_store *s = &inf->store;
    int i = kinf_index_by_name(s, index);

    KINF_ASSERT(!inf->stopped);
    KINF_ASSERT((inf->k->polling & KINF_ASKING) == 0);
    if (i < 0)
        return i;
    for (; *at >> 8 < s->entry_pool.high; *at = ((*at >> 8) + 1) << 8) {
        struct kinf_object object;

        if (!is_held(s, *at >> 8))
            continue;
        kinf_store_view(s, s->entries[*at >> 8].current, &object);
        while ((*at & 0xFFu) < 0xFFu) {
            uint32_t here = *at;
            bool is_new;
            int len;

            KINF_ASKS(inf->k);
            len = s->indexes[i].func(&object, here & 0xFFu, value, size);
            is_new = len > 0 && !given(s, (uint8_t)i, here,
                                       span_of(value, (size_t)len));
            KINF_ASKED(inf->k);
            if (len == KINF_ERR_NOT_FOUND)
                break;
            ++*at;
            if (is_new)
                return len;
        }
    }
    return 0;
}
