/* SPDX-License-Identifier: Apache-2.0 */
/* receive.c - whole items and events into store and FIFO; see parts.h. */
#define KINF_FILE 25
#include "base/assert.h"
#include "list_watch.h"
#include "parts.h"
#include "session.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

void kinf_receive_set_version(struct kinf_version *v, struct kinf_span text)
{
    KINF_ASSERT(text.len <= KINF_VERSION_MAX);
    v->len = (uint8_t)text.len;
    if (text.len > 0)
        memcpy(v->text, text.ptr, text.len);
}

/* ---- telling ------------------------------------------------------------ */

void kinf_reflector_tell(struct kinf_informer *inf, int err,
                         const struct kinf_item *item,
                         const struct kinf_object *object)
{
    const struct kinf_informer_config *c = inf->config;
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
    if (c->on_error != NULL)
        c->on_error(c->ctx, err, item->http_status, item->message, object);
}

static void tell_object(struct kinf_informer *inf, int err,
                        const struct kinf_item *item)
{
    struct kinf_object object = {
        .name = item->name, .namespace_ = item->namespace_,
        .uid = item->uid, .resource_version = item->version,
        .reason = KINF_REASON_UNREADABLE
    };

    kinf_reflector_tell(inf, err, item, &object);
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

static struct kinf_delta *push(struct kinf_informer *inf,
                               enum kinf_delta_type type, kinf_idx entry,
                               kinf_idx record,
                               const struct kinf_version *version)
{
    return kinf_fifo_push(&inf->fifo, &inf->store, type, entry, record,
                          version);
}

/* Is there a place for what comes, so that it can be read? */
int kinf_receive_room(struct kinf_informer *inf, struct kinf_exchange *x,
                      int who)
{
    struct kinf_reflector *r = &inf->reflector;
    bool keep = x->request.type != KINF_REQUEST_PROBE &&
                (x->item.event <= KINF_EVENT_MODIFIED ||
                 x->item.event == KINF_EVENT_UNKNOWN);

    if (r->receiving != NOBODY ||
        (fifo_full(&inf->fifo) && x->request.type != KINF_REQUEST_PROBE))
        return KINF_ERR_AGAIN;
    x->sink = (struct kinf_sink){ .ptr = NULL };
    if (keep && kinf_store_reserve(&inf->store, in_flight(inf), &x->sink) !=
                    KINF_OK)
        return KINF_ERR_AGAIN;
    r->receiving = (uint8_t)who;
    return KINF_OK;
}

void kinf_receive_end(struct kinf_informer *inf, int who)
{
    if (inf->reflector.receiving != who)
        return;
    inf->reflector.receiving = NOBODY;
    store_release(&inf->store);
}

/* ---- objects ------------------------------------------------------------ */

/* Cuts what we cannot hold. */
static void check_item(struct kinf_item *item)
{
    if (item->broken != KINF_ERR_NO_IDENTITY &&
        (item->name.len > 255 || item->namespace_.len > 255)) {
        item->broken = KINF_ERR_NO_IDENTITY;
        item->key_too_long = true;
    }
    if (item->uid.len > 36) { /* a UUID */
        item->uid.len = 0;
        item->broken = item->broken != 0 ? item->broken : KINF_ERR_UNREADABLE;
    }
    if (item->version.len > KINF_VERSION_MAX) {
        item->version.len = 0;
        item->broken = item->broken != 0 ? item->broken : KINF_ERR_UNREADABLE;
    }
}

static const enum kinf_delta_type delta_of[] = {
    [KINF_EVENT_LISTED] = KINF_DELTA_REPLACED,
    [KINF_EVENT_ADDED] = KINF_DELTA_ADDED,
    [KINF_EVENT_MODIFIED] = KINF_DELTA_UPDATED,
    [KINF_EVENT_DELETED] = KINF_DELTA_DELETED,
    [KINF_EVENT_BOOKMARK] = KINF_DELTA_BOOKMARK
};

/* A key found no place. The cache must shrink before it can. */
static void note_full(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->degraded = true;
    r->full_keys = inf->store.entry_pool.used;
    r->full_bytes = inf->store.settled;
}

/* Of an event there is nothing to keep but that it came. */
static void pass(struct kinf_informer *inf, const struct kinf_version *version)
{
    if (version->len > 0)
        push(inf, KINF_DELTA_BOOKMARK, NONE, NONE, version);
}

/* Takes in an object that lives. version is none while a list is read. */
static void take_object(struct kinf_informer *inf, struct kinf_exchange *x,
                        const struct kinf_version *version)
{
    struct kinf_reflector *r = &inf->reflector;
    kinf_idx record;

    if (x->item.broken == KINF_ERR_UNREADABLE)
        tell_object(inf, KINF_ERR_UNREADABLE, &x->item);
    switch (kinf_store_receive(&inf->store, &x->item, &x->sink, &record)) {
    case STORE_TAKEN:
        inf->counters.mended += r->verifying ? 1 : 0;
        push(inf, delta_of[x->item.event],
             inf->store.records[record].entry, record, version);
        if (inf->store.records[record].reason == KINF_REASON_TOO_BIG)
            tell_object(inf, KINF_ERR_TOO_BIG, &x->item);
        else if (inf->store.records[record].reason == KINF_REASON_NO_ROOM)
            tell_object(inf, KINF_ERR_FULL, &x->item);
        return;
    case STORE_SAME:
        inf->counters.unchanged++;
        break;
    default:
        r->missed++;
        note_full(inf);
        tell_object(inf, KINF_ERR_DEGRADED, &x->item);
        break;
    }
    pass(inf, version);
}

static void take_delete(struct kinf_informer *inf, struct kinf_exchange *x,
                        const struct kinf_version *version)
{
    kinf_idx entry = kinf_store_receive_delete(&inf->store, &x->item);

    if (entry != NONE)
        push(inf, KINF_DELTA_DELETED, entry, NONE, version);
    else
        pass(inf, version);
}

/* The list is whole. What its marker finds unseen is gone. */
void kinf_receive_list_end(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_delta *d = push(inf, KINF_DELTA_SWEEP, NONE, NONE,
                                &r->list_version);

    d->complete = !r->list_incomplete;
    d->generation = inf->store.generation;
    r->version = r->list_version;
    r->can_resume = r->version.len > 0;
    r->incomplete = r->list_incomplete;
    r->degraded = r->missed > 0;
    r->listing = r->want_list = r->from_latest = false;
    inf->store.by_bytes = r->verifying = r->doubt = false;
    r->silent = 0;
    if (inf->config->verify_ms > 0)
        r->verify_at_ms = now_of(inf) + inf->config->verify_ms;
    kinf_reflector_contact(inf);
}

/* An item without a readable key: the list it belongs to proves no absence, and
 * after such an event the cache may hold what has changed or is gone: a list is
 * wanted, which may be whole. */
static void skip_item(struct kinf_informer *inf, struct kinf_exchange *x,
                      const struct kinf_version *version)
{
    struct kinf_reflector *r = &inf->reflector;

    if (!x->item.key_too_long) {
        r->list_incomplete = r->listing;
        r->incomplete |= !r->listing;
    }
    tell_object(inf, KINF_ERR_NO_IDENTITY, &x->item);
    pass(inf, version);
}

static bool ends_stream(const struct kinf_reflector *r,
                        const struct kinf_item *item)
{
    return r->listing && is_stream(r) && item->initial_end;
}

/* Takes in a whole item or event. Returns KINF_OK or why the request ends. */
int kinf_receive_item(struct kinf_informer *inf, struct kinf_exchange *x)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_item *item = &x->item;
    struct kinf_version version = { .len = 0 };

    check_item(item);
    if (item->event == KINF_EVENT_ERROR)
        return kinf_status_error(item->http_status, item->version_ahead);
    if (!r->listing)
        kinf_receive_set_version(&version, item->version);
    if (r->listing && item->event <= KINF_EVENT_DELETED)
        r->can_resume = false;
    switch (item->event) {
    case KINF_EVENT_LISTED:
    case KINF_EVENT_ADDED:
    case KINF_EVENT_MODIFIED:
        if (item->broken == KINF_ERR_NO_IDENTITY)
            skip_item(inf, x, &version);
        else
            take_object(inf, x, &version);
        break;
    case KINF_EVENT_DELETED:
        if (item->broken == KINF_ERR_NO_IDENTITY)
            skip_item(inf, x, &version);
        else
            take_delete(inf, x, &version);
        break;
    case KINF_EVENT_BOOKMARK:
        inf->counters.bookmarks++;
        if (ends_stream(r, item)) {
            kinf_receive_set_version(&r->list_version, item->version);
            kinf_receive_list_end(inf);
        } else if (r->listing) {
            return KINF_ERR_NO_STREAM;
        } else {
            pass(inf, &version);
        }
        break;
    case KINF_EVENT_UNKNOWN:
    case KINF_EVENT_ERROR:
    default:
        kinf_reflector_tell(inf, KINF_ERR_EVENT, item, NULL);
        pass(inf, &version); /* without an object no place was asked for */
        break;
    }
    if (version.len > 0)
        r->version = version;
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
    struct kinf_version none = { .len = 0 };
    kinf_idx record;

    check_item(&x->item);
    if (entry == NONE || s->entries[entry].gone || x->item.broken != KINF_OK)
        return;
    if (r->listing ||
        (inf->relisting && s->entries[entry].generation != s->generation))
        return; /* a list may be finding out that it is gone */
    kinf_store_view(s, s->entries[entry].newest, &held);
    if (held.reason == KINF_WHOLE || !same_state(&held, &x->item))
        return;
    if (kinf_store_receive(&inf->store, &x->item, &x->sink, &record) !=
        STORE_TAKEN)
        return;
    push(inf, KINF_DELTA_REPLACED, entry, record, &none)->fetched = true;
}
