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
        (c->has_index && !kinf_index_has(s, entry, c->index, c->value)))
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
    for (int i = 0; i < CONFIG_KINF_POLL_ENTRIES; i++) {
        kinf_idx entry;
        int err = step(&inf->store, c, &entry);

        if (err != KINF_OK)
            return err;
        if (entry == NONE)
            return c->unsure || !kinf_reflector_whole(inf) ? KINF_INCOMPLETE
                                                           : 0;
        if (wanted(&inf->store, c, entry, out))
            return 1;
    }
    return KINF_ERR_AGAIN;
}

/* at counts entries in its upper bits and values of one entry in its lower
 * eight. A value is given at the first entry that has it. */
int kinf_index_values(const struct kinf_informer *inf, const char *index,
                      uint32_t *at, char *value, size_t size)
{
    const struct kinf_store *s = &inf->store;
    int i = kinf_index_by_name(s, index);

    if (i < 0)
        return i;
    for (; *at >> 8 < s->entry_pool.high; *at = ((*at >> 8) + 1) << 8) {
        uint32_t entry = *at >> 8;
        struct kinf_object object;

        if (!store_has(s, entry) || s->entries[entry].current == NONE)
            continue;
        kinf_store_view(s, s->entries[entry].current, &object);
        for (;;) {
            int len = s->indexes[i].func(&object, *at & 0xFFu, value, size);
            uint32_t before = 0;

            if (len == KINF_ERR_NOT_FOUND || (*at & 0xFFu) == 0xFFu)
                break;
            ++*at;
            if (len <= 0)
                continue;
            while (before < entry &&
                   !(store_has(s, before) &&
                     s->entries[before].current != NONE &&
                     kinf_index_has(s, (kinf_idx)before, (uint8_t)i,
                                    span_of(value, (size_t)len))))
                before++;
            if (before == entry)
                return len;
        }
    }
    return 0;
}
