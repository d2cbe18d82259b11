/* SPDX-License-Identifier: Apache-2.0 */
/* receive.c - whole items and events into store and FIFO; see parts.h. */
#define KINF_FILE 25
#include "base/assert.h"
#include "list_watch.h"
#include "parts.h"
#include "reflector.h"
#include "session.h"
#include "store/arena.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

void kinf_receive_set_version(struct kinf_version *v,
                              const struct kinf_span *text)
{
    KINF_ASSERT(text->len <= KINF_VERSION_MAX);
    v->len = (uint8_t)text->len;
    if (text->len > 0)
        memcpy(v->text, text->ptr, text->len);
}

/* ---- telling ------------------------------------------------------------ */

_Static_assert(offsetof(struct kinf_object, json) ==
                   sizeof(((struct kinf_item *)0)->identity),
               "an object begins with its identity, in the same order");

void kinf_reflector_tell(struct kinf_informer *inf, int err,
                         const struct kinf_item *item, bool of_object)
{
    const struct kinf_informer_config *c = inf->config;
    struct kinf_object object;
    kinf_count *count = &inf->counters.errors[-err];
    size_t len = item->message.len;

    KINF_ASSERT(err < 0 && err > -KINF_ERR_COUNT);
    if ((kinf_count)(*count + 1) != 0)
        ++*count;
    if (len > sizeof(inf->message))
        len = sizeof(inf->message);
    if (len > 0)
        memcpy(inf->message, item->message.ptr, len);
    inf->message_len = (uint16_t)len;
    inf->last_error = err;
    inf->http_status = item->http_status;
    memcpy(&object, item->identity, sizeof(item->identity));
    object.json = span_of(NULL, 0);
    object.size = 0;
    object.reason = KINF_REASON_UNREADABLE;
    if (c->on_error != NULL)
        c->on_error(c->ctx, err, item->http_status, item->message,
                    of_object ? &object : NULL);
}

/* Something whole came: the server is there and answers. */
void kinf_reflector_contact(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->contact_ms = now_of(inf);
    r->contacted = true;
    r->auth_tried = false;
    r->denied = false;
    inf->last_error = KINF_OK;
    inf->http_status = 0;
    inf->message_len = 0;
}

/* ---- the FIFO ----------------------------------------------------------- */

/* Queues a delta. The version goes with it: all that was received before is
 * queued already. */
static void push(struct kinf_informer *inf, enum kinf_delta_type type,
                 kinf_idx entry)
{
    struct kinf_delta *d = kinf_fifo_push(&inf->fifo, &inf->store, entry);

    d->type = (uint8_t)type;
    d->generation = inf->store.generation;
    kinf_version_copy(&d->version, &inf->reflector.version);
}

bool kinf_reflector_in_flight(const struct kinf_informer *inf)
{
    return fifo_len(&inf->fifo) > 0 || inf->processor.undelivered > 0;
}

bool kinf_receive_can(struct kinf_informer *inf, bool keep)
{
    return inf->reflector.receiving == NULL && !fifo_full(&inf->fifo) &&
           (!keep ||
            kinf_store_reserve(&inf->store, kinf_reflector_in_flight(inf)) ==
                KINF_OK);
}

/* Is there a place for what comes, so that it can be read? */
int kinf_receive_room(struct kinf_informer *inf, struct kinf_exchange *x)
{
    const struct kinf_store *s = &inf->store;
    bool keep = x->item.event < KINF_EVENT_DELETED ||
                x->item.event > KINF_EVENT_ERROR;

    x->sink = (struct kinf_sink){ .ptr = NULL };
    if (x->request.type == KINF_REQUEST_PROBE)
        return KINF_OK;
    if (!kinf_receive_can(inf, keep))
        return KINF_ERR_AGAIN;
    if (keep) {
        x->sink.ptr = arena_head(s);
        x->sink.size = s->object_bytes;
    }
    inf->reflector.receiving = x;
    return KINF_OK;
}

void kinf_receive_end(struct kinf_informer *inf, const struct kinf_exchange *x)
{
    if (inf->reflector.receiving != x)
        return;
    inf->reflector.receiving = NULL;
    store_release(&inf->store);
}

/* ---- objects ------------------------------------------------------------ */

/* Cuts what we cannot hold. */
static void check_item(struct kinf_item *item)
{
    bool cut = false;

    if (item->uid.len > 36) { /* a UUID */
        item->uid.len = 0;
        cut = true;
    }
    if (item->version.len > KINF_VERSION_MAX) {
        item->version.len = 0;
        cut = true;
    }
    if (item->broken == KINF_OK && cut)
        item->broken = KINF_ERR_UNREADABLE;
    if (item->broken != KINF_ERR_NO_IDENTITY &&
        (item->name.len > 255 || item->namespace_.len > 255)) {
        item->broken = KINF_ERR_NO_IDENTITY;
        item->key_too_long = true;
    }
}

/* A key found no place. The cache must shrink before it can. */
static void note_full(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->missed++;
    r->degraded = true;
    r->full_keys = inf->store.entry_pool.used;
    r->full_bytes = inf->store.settled;
}

/* Takes in an object that lives. Returns what is to be told of it. */
static int take_object(struct kinf_informer *inf, struct kinf_exchange *x,
                       kinf_idx *entry)
{
    const struct kinf_store *s = &inf->store;
    int err = x->item.broken;
    unsigned reason;

    switch (kinf_store_receive(&inf->store, &x->item, &x->sink, entry)) {
    case STORE_TAKEN:
        if (is_verifying(&inf->reflector))
            inf->counters.mended++;
        reason = s->records[s->entries[*entry].newest].reason;
        if (reason == KINF_REASON_TOO_BIG)
            err = KINF_ERR_TOO_BIG;
        if (reason == KINF_REASON_NO_ROOM)
            err = KINF_ERR_FULL;
        return err;
    case STORE_SAME:
        inf->counters.unchanged++;
        return err;
    default:
        note_full(inf);
        return KINF_ERR_DEGRADED;
    }
}

/* The list is whole. What its marker finds unseen is gone. */
void kinf_receive_list_end(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_version_copy(&r->version, &r->list_version);
    r->can_resume = r->version.len > 0;
    r->incomplete = r->list_incomplete;
    r->degraded = r->missed > 0;
    if (r->incomplete)
        r->at_ms[AT_REPAIR] = now_of(inf) + 10 * CONFIG_KINF_REPAIR_MS;
    r->listing = r->want_list = r->from_latest = r->verifying = false;
    r->doubt = false;
    r->silent = 0;
    inf->store.by_bytes = false;
    if (CONFIG_KINF_VERIFY)
        r->at_ms[AT_VERIFY] = now_of(inf) + inf->config->verify_ms;
    push(inf, r->incomplete ? KINF_DELTA_LIST_END : KINF_DELTA_SWEEP, NONE);
    kinf_reflector_contact(inf);
}

/* Takes in an object or a deletion: entry gets what it is about, or none.
 * Returns what is to be told of it. */
static int take(struct kinf_informer *inf, struct kinf_exchange *x,
                kinf_idx *entry)
{
    struct kinf_reflector *r = &inf->reflector;

    if (r->listing)
        r->can_resume = false;
    if (x->item.broken == KINF_ERR_NO_IDENTITY) {
        /* The list it belongs to proves no absence, and after such an event
         * the cache may hold what has changed or is gone: a list is wanted,
         * which may be whole. */
        if (!x->item.key_too_long) {
            r->list_incomplete |= r->listing;
            r->incomplete |= !r->listing;
        }
        return KINF_ERR_NO_IDENTITY;
    }
    if (x->item.event == KINF_EVENT_DELETED) {
        *entry = kinf_store_receive_delete(&inf->store, &x->item);
        return KINF_OK;
    }
    return take_object(inf, x, entry);
}

/* An event of a watch: the server is there, and our version is its own. */
static void note_event(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_reflector_contact(inf);
    r->gone_before = r->doubt = false;
    r->silent = 0;
    r->broken_at.len = 0;
}

/* The first bookmark of a streaming list is its end. */
static int end_stream(struct kinf_informer *inf, const struct kinf_item *item)
{
    struct kinf_reflector *r = &inf->reflector;

    if (!is_stream(r) || !item->initial_end)
        return KINF_ERR_NO_STREAM;
    kinf_receive_set_version(&r->list_version, &item->version);
    kinf_receive_list_end(inf);
    note_event(inf);
    return KINF_OK;
}

int kinf_receive_item(struct kinf_informer *inf, struct kinf_exchange *x)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_item *item = &x->item;
    kinf_idx entry = NONE;
    int told = KINF_OK;

    check_item(item);
    if (item->event == KINF_EVENT_ERROR)
        return kinf_status_error(item->http_status, item->version_ahead);
    if (item->event == KINF_EVENT_BOOKMARK) {
        inf->counters.bookmarks++;
        if (CONFIG_KINF_STREAMING && r->listing)
            return end_stream(inf, item);
    } else if (item->event > KINF_EVENT_DELETED) {
        kinf_reflector_tell(inf, KINF_ERR_EVENT, item, false);
    } else {
        told = take(inf, x, &entry);
    }
    if (told != KINF_OK)
        kinf_reflector_tell(inf, told, item, true);
    if (!r->listing && item->version.len > 0)
        kinf_receive_set_version(&r->version, &item->version);
    if (entry != NONE)
        push(inf, (enum kinf_delta_type)item->event, entry);
    else if (!r->listing && item->version.len > 0)
        push(inf, KINF_DELTA_BOOKMARK, NONE);
    if (!r->listing)
        note_event(inf);
    return KINF_OK;
}

/* A fetched object counts only if it is the very state we hold the identity
 * of: anything newer comes by the watch. */
void kinf_receive_fetched(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->aside;
    const struct kinf_store *s = &inf->store;
    kinf_idx entry = kinf_store_find(s, item_texts(&x->item));
    struct kinf_object held;

    check_item(&x->item);
    if (entry == NONE || s->entries[entry].gone || x->item.broken != KINF_OK)
        return;
    if (r->listing ||
        (inf->relisting && s->entries[entry].generation != s->generation))
        return; /* a list may be finding out that it is gone */
    kinf_store_view(s, s->entries[entry].newest, &held);
    if (held.reason == KINF_WHOLE || !same_state(&held, &x->item))
        return;
    if (kinf_store_receive(&inf->store, &x->item, &x->sink, &entry) ==
        STORE_TAKEN)
        push(inf, KINF_DELTA_REPLACED, entry);
}
