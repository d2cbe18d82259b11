/* SPDX-License-Identifier: Apache-2.0 */
/* reflector.c - list and watch; see reflector.h.
 *
 * The one place that decides what an error leads to. Versions are opaque; the
 * only comparison is the probe's, and only of decimal ones. */
#define KINF_FILE 22
#include "reflector.h"

#include "base/assert.h"
#include "base/backoff.h"
#include "base/deadline.h"
#include "base/pool.h"
#include "base/span.h"
#include "exchange.h"
#include "list_watch.h"
#include "session.h"
#include "store/arena.h"
#include "store/delta_fifo.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

enum { WAIT, ASK, READ, MARK, STOPPED };

/* Of exchange.state of aside. */
enum { ASIDE_IDLE, ASIDE_ASK, ASIDE_READ };

/* receiving: who is in the middle of an object; there is one at a time. */
enum { NOBODY, MAIN, ASIDE };

static uint32_t now_of(const struct kinf_informer *inf)
{
    return inf->k->now_ms;
}

static uint32_t random_of(const struct kinf_informer *inf)
{
    const struct kinf_platform *p = inf->k->config->platform;
    uint32_t number;

    p->random(p->ctx, &number, sizeof(number));
    return number;
}

static struct kinf_span version_span(const struct kinf_version *v)
{
    return span_of(v->text, v->len);
}

static void set_version(struct kinf_version *v, struct kinf_span text)
{
    KINF_ASSERT(text.len <= KINF_VERSION_MAX);
    v->len = (uint8_t)text.len;
    if (text.len > 0)
        memcpy(v->text, text.ptr, text.len);
}

static bool same_version(const struct kinf_version *a,
                         const struct kinf_version *b)
{
    return span_equal(version_span(a), version_span(b));
}

static bool is_watch(const struct kinf_reflector *r)
{
    return r->main.request.type == KINF_REQUEST_WATCH;
}

static bool is_stream(const struct kinf_reflector *r)
{
    return r->main.request.type == KINF_REQUEST_STREAM;
}

/* Is our watch one of several that take turns on one connection? */
static bool by_turns(const struct kinf_informer *inf)
{
    const struct kinf_session *s = inf->config->session;

    return inf->config->source == NULL && s->users > 1;
}

bool kinf_reflector_whole(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return inf->synced && !r->degraded && !r->incomplete;
}

/* ---- telling ------------------------------------------------------------ */

static void tell(struct kinf_informer *inf, int err,
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

    tell(inf, err, item, &object);
}

/* Something whole came: the server is there and answers. */
static void note_contact(struct kinf_informer *inf)
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

/* May something still give room back? */
static bool in_flight(const struct kinf_informer *inf)
{
    return fifo_len(&inf->fifo) > 0 || inf->processor.undelivered > 0;
}

/* Is there a place for what comes, so that it can be read? */
static int make_room(struct kinf_informer *inf, struct kinf_exchange *x,
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

static void end_receiving(struct kinf_informer *inf, int who)
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

/* Takes in an object that lives. version is none while a list is read. */
static void take_object(struct kinf_informer *inf, struct kinf_exchange *x,
                        const struct kinf_version *version)
{
    struct kinf_reflector *r = &inf->reflector;
    kinf_idx entry, record;

    if (x->item.broken == KINF_ERR_UNREADABLE)
        tell_object(inf, KINF_ERR_UNREADABLE, &x->item);
    switch (kinf_store_receive(&inf->store, &x->item, &x->sink, r->by_bytes,
                               &entry, &record)) {
    case STORE_TAKEN:
        inf->counters.mended += r->verifying ? 1 : 0;
        push(inf, delta_of[x->item.event], entry, record, version);
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
    if (version->len > 0)
        push(inf, KINF_DELTA_BOOKMARK, NONE, NONE, version);
}

static void take_delete(struct kinf_informer *inf, struct kinf_exchange *x,
                        const struct kinf_version *version)
{
    kinf_idx entry = kinf_store_receive_delete(&inf->store, &x->item);

    if (entry != NONE)
        push(inf, KINF_DELTA_DELETED, entry, NONE, version);
    else if (version->len > 0)
        push(inf, KINF_DELTA_BOOKMARK, NONE, NONE, version);
}

/* The list is whole. What its marker finds unseen is gone. */
static void push_marker(struct kinf_informer *inf)
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
    r->by_bytes = r->verifying = r->doubt = false;
    r->silent = 0;
    if (inf->config->verify_ms > 0)
        r->verify_at_ms = now_of(inf) + inf->config->verify_ms;
    note_contact(inf);
}

/* An item without a readable key: the list it belongs to proves no absence. */
static void skip_item(struct kinf_informer *inf, struct kinf_exchange *x)
{
    if (inf->reflector.listing && !x->item.key_too_long)
        inf->reflector.list_incomplete = true;
    tell_object(inf, KINF_ERR_NO_IDENTITY, &x->item);
}

static bool ends_stream(const struct kinf_reflector *r,
                        const struct kinf_item *item)
{
    return r->listing && is_stream(r) && item->initial_end;
}

/* Takes in a whole item or event. Returns KINF_OK or why the request ends. */
static int take_item(struct kinf_informer *inf, struct kinf_exchange *x)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_item *item = &x->item;
    struct kinf_version version = { .len = 0 };

    check_item(item);
    if (item->event == KINF_EVENT_ERROR)
        return kinf_status_error(item->http_status, item->version_ahead);
    if (!r->listing)
        set_version(&version, item->version);
    if (r->listing && item->event <= KINF_EVENT_DELETED)
        r->can_resume = false;
    switch (item->event) {
    case KINF_EVENT_LISTED:
    case KINF_EVENT_ADDED:
    case KINF_EVENT_MODIFIED:
        if (item->broken == KINF_ERR_NO_IDENTITY)
            skip_item(inf, x);
        else
            take_object(inf, x, &version);
        break;
    case KINF_EVENT_DELETED:
        if (item->broken == KINF_ERR_NO_IDENTITY)
            skip_item(inf, x);
        else
            take_delete(inf, x, &version);
        break;
    case KINF_EVENT_BOOKMARK:
        inf->counters.bookmarks++;
        if (ends_stream(r, item)) {
            set_version(&r->list_version, item->version);
            push_marker(inf);
        } else if (r->listing) {
            return KINF_ERR_NO_STREAM;
        } else {
            push(inf, KINF_DELTA_BOOKMARK, NONE, NONE, &version);
        }
        break;
    case KINF_EVENT_UNKNOWN:
    case KINF_EVENT_ERROR:
    default:
        tell(inf, KINF_ERR_EVENT, item, NULL);
        push(inf, KINF_DELTA_BOOKMARK, NONE, NONE, &version);
        break;
    }
    if (version.len > 0)
        r->version = version;
    return KINF_OK;
}

/* ---- what to ask -------------------------------------------------------- */

static bool stream_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (inf->config->streaming == KINF_STREAM_NEVER || by_turns(inf) ||
        r->no_watch || r->by_bytes || r->page_len > 0)
        return false;
    return !r->stream_off || deadline_passed(r->stream_at_ms, now_of(inf));
}

static uint32_t watch_seconds(const struct kinf_informer *inf)
{
    if (by_turns(inf))
        return CONFIG_KINF_TURN_SECONDS;
    return CONFIG_KINF_WATCH_SECONDS +
           random_of(inf) % CONFIG_KINF_WATCH_SECONDS;
}

/* Begins an attempt at a list: from now on it is known by a generation, and
 * what it does not show will be swept. */
static int begin_list(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    int err = kinf_store_new_generation(&inf->store);

    if (err != KINF_OK)
        return err;
    r->listing = true;
    r->list_incomplete = false;
    r->missed = 0;
    r->page_len = 0;
    r->list_version.len = 0;
    r->by_bytes = (r->from_latest || r->verifying) &&
                  inf->store.entry_pool.used > 0;
    inf->relisting = inf->synced;
    inf->counters.lists++;
    inf->counters.relists += inf->synced;
    return KINF_OK;
}

static int choose(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_request *q = &r->main.request;
    bool list = r->want_list || !r->can_resume || r->listing;
    uint32_t seconds;

    if (list && !r->listing) {
        int err = begin_list(inf);

        if (err != KINF_OK)
            return err;
    }
    *q = (struct kinf_request){ .type = KINF_REQUEST_WATCH };
    if (list)
        q->type = stream_wanted(inf) ? KINF_REQUEST_STREAM : KINF_REQUEST_LIST;
    if (!list || !r->from_latest) {
        r->asked_version = r->version;
        q->version = version_span(&r->asked_version);
    }
    if (q->type == KINF_REQUEST_LIST) {
        q->limit = r->page_limit;
        q->not_older_than = q->version.len > 0;
        q->continue_ = span_of(r->page, r->page_len);
        return KINF_OK;
    }
    seconds = watch_seconds(inf);
    r->asked_ms = seconds * 1000;
    q->timeout_seconds = seconds;
    inf->counters.watches++;
    return KINF_OK;
}

/* ---- what an error leads to --------------------------------------------- */

static void wait_until(struct kinf_informer *inf, uint32_t wait_ms)
{
    inf->reflector.state = WAIT;
    inf->reflector.retry_at_ms = now_of(inf) + wait_ms;
}

static uint32_t backoff_wait(struct kinf_informer *inf)
{
    return backoff_next(&inf->reflector.backoff, random_of(inf));
}

/* How long the connection lasted decides where the backoff begins. */
static bool had_lasted(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    bool lasted = r->main.opened && now_of(inf) - r->main.opened_ms >
                                        CONFIG_KINF_BACKOFF_CAP_MS;

    if (lasted)
        backoff_reset(&r->backoff);
    return lasted;
}

/* 410, or a version the server has not reached: a list. The first follows at
 * once and asks for what is not older than we are, the next for the most
 * recent, after the backoff. */
static uint32_t after_gone(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    bool before = r->gone_before;

    r->gone_before = true;
    r->can_resume = false;
    r->from_latest = r->listing ? r->page_len == 0 || r->from_latest : before;
    r->listing = false;
    r->page_len = 0;
    return before ? backoff_wait(inf) : 0;
}

static void no_stream(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->stream_off = true;
    r->stream_at_ms = now_of(inf) + CONFIG_KINF_STREAM_RETRY_MS;
    r->cut_streams = 0;
}

/* A streaming list failed before its end. Returns whether the paged list is to
 * follow at once. */
static bool after_stream(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    r->listing = false;
    switch (err) {
    case KINF_ERR_INVALID:
    case KINF_ERR_NO_STREAM:
    case KINF_ERR_TIMEOUT:
    case KINF_ERR_SHORT_WATCH:
        if (!r->main.opened && err == KINF_ERR_TIMEOUT)
            return false;
        no_stream(inf);
        return true;
    case KINF_ERR_CUT:
    case KINF_ERR_CLOSED:
        if (r->main.opened && ++r->cut_streams >= 2)
            no_stream(inf);
        return false;
    default:
        return false;
    }
}

/* A list's page failed. The next try goes on with the same page, unless
 * nothing of the list was taken in yet and there is something to resume. */
static void after_page(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t lasted = now_of(inf) - r->main.opened_ms;

    if (r->main.opened && lasted >= 50000 &&
        (err == KINF_ERR_CUT || err == KINF_ERR_CLOSED) && r->page_limit > 1)
        r->page_limit /= 2;
    if (r->can_resume) {
        r->listing = r->want_list = r->verifying = false;
        inf->relisting = false;
    } else if (r->page_len == 0 || err == KINF_ERR_JSON ||
               err == KINF_ERR_INVALID) {
        r->listing = false; /* anew: the same page might never be good */
    }
}

static bool denied(int err)
{
    return err == KINF_ERR_FORBIDDEN || err == KINF_ERR_NO_RESOURCE ||
           err == KINF_ERR_METHOD;
}

/* Framing was lost: once may be the road's fault, twice at one version is the
 * server's, and only a list gets past it. */
static void after_broken(struct kinf_reflector *r)
{
    if (same_version(&r->broken_at, &r->version))
        r->can_resume = false;
    r->broken_at = r->version;
}

static uint32_t wait_after(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;
    bool lasted = had_lasted(inf);
    uint32_t retry_ms = r->main.item.retry_after_ms;
    uint32_t wait;

    if (err == KINF_ERR_GONE || err == KINF_ERR_VERSION_AHEAD)
        return after_gone(inf);
    if (is_stream(r) && r->listing && after_stream(inf, err))
        return 0;
    if (r->main.request.type == KINF_REQUEST_LIST)
        after_page(inf, err);
    if (err == KINF_ERR_JSON && is_watch(r))
        after_broken(r);
    if (err == KINF_ERR_INVALID && is_watch(r))
        r->can_resume = false;
    if (err == KINF_ERR_AUTH && !r->auth_tried) {
        r->auth_tried = true;
        return 0;
    }
    if (err == KINF_ERR_METHOD && inf->config->poll_ms > 0) {
        r->no_watch = true;
        r->can_resume = false;
        return inf->config->poll_ms;
    }
    if (denied(err)) {
        r->denied = true;
        return CONFIG_KINF_DENIED_MS +
               random_of(inf) % (uint32_t)(CONFIG_KINF_DENIED_MS / 4);
    }
    wait = lasted ? random_of(inf) % (inf->k->config->spread_ms > 0
                                          ? inf->k->config->spread_ms
                                          : 1000)
                  : backoff_wait(inf);
    return retry_ms > wait ? retry_ms : wait;
}

/* Watches that end, however they end, and showed nothing: three in a row are
 * as doubtful as a long one. A proxy may cut each before it is. */
static void note_silence(struct kinf_reflector *r)
{
    if (is_watch(r) && !r->listing && r->main.opened && !r->main.had_event &&
        r->silent < UINT8_MAX)
        r->silent++;
}

/* Ends the request that runs, and says when the next attempt is. */
static void give_up(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    /* So does a server answer that knows no streaming lists. */
    if (err == KINF_ERR_INVALID && is_stream(r) && r->listing)
        err = KINF_ERR_NO_STREAM;
    note_silence(r);
    end_receiving(inf, MAIN);
    kinf_exchange_close(&r->main);
    tell(inf, err, &r->main.item, NULL);
    wait_until(inf, wait_after(inf, err));
}

/* ---- answers ------------------------------------------------------------ */

/* A page came whole. */
static int end_page(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    const struct kinf_item *item = &r->main.item;
    uint32_t configured = inf->config->limit > 0 ? inf->config->limit
                                                 : CONFIG_KINF_LIST_LIMIT;

    if (item->continue_.len > sizeof(r->page))
        return KINF_ERR_CONTINUE;
    if (item->version.len > KINF_VERSION_MAX)
        return KINF_ERR_UNREADABLE;
    if (r->page_len == 0 || r->list_version.len == 0)
        set_version(&r->list_version, item->version);
    if (now_of(inf) - r->main.opened_ms < 20000 && r->page_limit < configured)
        r->page_limit = r->page_limit > configured / 2 ? configured
                                                       : r->page_limit * 2;
    r->page_len = (uint16_t)item->continue_.len;
    if (r->page_len > 0)
        memcpy(r->page, item->continue_.ptr, r->page_len);
    r->state = r->page_len > 0 ? ASK : MARK;
    return KINF_OK;
}

/* A watch ended cleanly. */
static int end_watch(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t lasted = now_of(inf) - r->main.opened_ms;

    if (r->listing)
        return KINF_ERR_NO_STREAM;
    note_silence(r);
    if ((lasted < 1000 && !r->main.had_event) ||
        lasted + 30000 < r->asked_ms)
        return KINF_ERR_SHORT_WATCH;
    r->state = ASK;
    return KINF_OK;
}

static int end_answer(struct kinf_informer *inf)
{
    bool page = inf->reflector.main.request.type == KINF_REQUEST_LIST;
    int err = page ? end_page(inf) : end_watch(inf);

    if (err == KINF_OK) {
        note_contact(inf);
        kinf_exchange_close(&inf->reflector.main);
    }
    return err;
}

/* How long nothing whole may come. */
static uint32_t idle_ms(const struct kinf_reflector *r)
{
    if (!r->listing)
        return CONFIG_KINF_IDLE_MS;
    return is_stream(r) ? CONFIG_KINF_STREAM_MS : CONFIG_KINF_BODY_MS;
}

/* How long the request that runs may still go without progress; only asked
 * when the source has nothing for us. */
static int check_deadlines(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->main;
    uint32_t now = now_of(inf);
    uint32_t idle = idle_ms(r);

    if (!x->opened)
        return KINF_ERR_AGAIN; /* the session has its own */
    if (x->in_object && deadline_passed(x->object_ms + CONFIG_KINF_OBJECT_MS,
                                        now))
        return KINF_ERR_TIMEOUT;
    if (deadline_passed(x->event_ms + idle, now))
        return KINF_ERR_TIMEOUT;
    if (x->in_object || r->listing ||
        !deadline_passed(x->opened_ms + r->asked_ms + 30000, now))
        return KINF_ERR_AGAIN;
    kinf_exchange_close(x); /* it should have ended: watch anew */
    r->state = ASK;
    return KINF_OK;
}

static bool wants_break(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (r->main.in_object || r->listing)
        return inf->k->reloading && !r->main.in_object;
    return inf->k->reloading || r->want_list ||
           (r->probing && r->shared);
}

/* Ends a watch between two events, to go on from the same version. */
static void take_break(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_exchange_close(&r->main);
    r->state = ASK;
}

/* We cannot read on: deadlines stand still, and a turn that others wait for is
 * given up. */
static int pause_reading(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->main;

    kinf_exchange_pause(x, now_of(inf));
    if (!by_turns(inf) || inf->config->session->line == NULL ||
        !deadline_passed(x->paused_ms + CONFIG_KINF_TURN_STUCK_MS,
                         now_of(inf)))
        return KINF_ERR_AGAIN;
    take_break(inf);
    wait_until(inf, CONFIG_KINF_TURN_STUCK_MS);
    return KINF_OK;
}

/* Reads on. Returns KINF_OK (call again), KINF_ERR_AGAIN, or why to give up. */
static int read_main(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->main;
    int event;

    if (x->begun) {
        if (make_room(inf, x, MAIN) != KINF_OK)
            return pause_reading(inf);
        kinf_exchange_begin_object(x, now_of(inf));
    } else if (wants_break(inf)) {
        take_break(inf);
        return KINF_OK;
    }
    event = kinf_exchange_next(x, now_of(inf));
    switch (event) {
    case KINF_SOURCE_OPEN:
        inf->counters.requests++;
        return KINF_OK;
    case KINF_SOURCE_BEGIN:
        return KINF_OK;
    case KINF_SOURCE_ITEM:
        event = take_item(inf, x);
        end_receiving(inf, MAIN);
        inf->counters.events++;
        if (event == KINF_OK && !r->listing) {
            note_contact(inf);
            r->gone_before = r->doubt = false;
            r->silent = 0;
            r->broken_at.len = 0;
        }
        return event;
    case KINF_SOURCE_END:
        return end_answer(inf);
    case KINF_ERR_AGAIN:
        return check_deadlines(inf);
    default:
        return event;
    }
}

/* ---- the machine -------------------------------------------------------- */

static bool fetch_wanted(const struct kinf_informer *inf);

/* On one connection single requests go between two watches, all that are due
 * then: the next chance is a watch away. */
static bool aside_first(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return r->probing || r->aside.state == ASIDE_READ ||
           (fetch_wanted(inf) && deadline_passed(r->aside_at_ms, now_of(inf)));
}

/* Could an answer be read? A request whose answer cannot is not sent. */
static bool has_room(struct kinf_informer *inf)
{
    struct kinf_sink sink;

    if (inf->reflector.receiving != NOBODY || fifo_full(&inf->fifo) ||
        kinf_store_reserve(&inf->store, in_flight(inf), &sink) != KINF_OK)
        return false;
    store_release(&inf->store);
    return true;
}

/* Is nothing in the way of the next request? A number of lists that is about to
 * wrap waits until no sweep of an older one is queued. */
static bool may_ask(struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return !inf->k->reloading && !(r->shared && aside_first(inf)) &&
           (inf->store.generation < UINT16_MAX || fifo_len(&inf->fifo) == 0) &&
           has_room(inf);
}

static int ask(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    int err = KINF_OK;

    if (!may_ask(inf)) {
        kinf_exchange_close(&r->main); /* out of the line: others go first */
        return KINF_ERR_AGAIN;
    }
    if (!r->main.asked) {
        err = choose(inf);
        r->main.asked = err == KINF_OK;
    }
    if (err == KINF_OK)
        err = kinf_exchange_ask(&r->main, now_of(inf));
    if (err == KINF_OK)
        r->state = READ;
    return err;
}

/* Does one unit of work of list and watch. */
static int step_main(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    switch (r->state) {
    case WAIT:
        if (!deadline_passed(r->retry_at_ms, now_of(inf)))
            return KINF_ERR_AGAIN;
        r->state = ASK;
        return KINF_OK;
    case ASK:
        return ask(inf);
    case READ:
        return read_main(inf);
    case MARK:
        if (fifo_full(&inf->fifo))
            return KINF_ERR_AGAIN;
        push_marker(inf);
        r->state = ASK;
        if (r->no_watch)
            wait_until(inf, inf->config->poll_ms);
        r->can_resume = r->can_resume && !r->no_watch;
        return KINF_OK;
    case STOPPED:
        return KINF_ERR_AGAIN;
    default:
        KINF_UNREACHABLE("reflector state is corrupt");
        return KINF_ERR_AGAIN;
    }
}

/* ---- single requests ---------------------------------------------------- */

static bool decimal_less(struct kinf_span a, struct kinf_span b)
{
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] < '0' || a.ptr[i] > '9')
            return false;
    for (size_t i = 0; i < b.len; i++)
        if (b.ptr[i] < '0' || b.ptr[i] > '9')
            return false;
    if (a.len == 0 || b.len == 0)
        return false;
    if (a.len != b.len)
        return a.len < b.len;
    return memcmp(a.ptr, b.ptr, a.len) < 0;
}

/* The probe's answer: a server whose version is lower than ours has gone back
 * in time, and its state is the truth. */
static void judge(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->doubt = false;
    if (!decimal_less(r->aside.item.version, version_span(&r->version)))
        return;
    tell(inf, KINF_ERR_BACK_IN_TIME, &r->aside.item, NULL);
    r->can_resume = false;
    r->from_latest = r->want_list = true;
}

static void end_aside(struct kinf_informer *inf, uint32_t wait_ms)
{
    struct kinf_reflector *r = &inf->reflector;

    end_receiving(inf, ASIDE);
    kinf_exchange_close(&r->aside);
    r->aside.state = ASIDE_IDLE;
    r->probing = false;
    r->aside_at_ms = now_of(inf) + wait_ms;
}

/* A fetched object counts only if it is the very state we hold the identity
 * of: anything newer comes by the watch. */
static void take_fetched(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->aside;
    const struct kinf_store *s = &inf->store;
    kinf_idx entry = kinf_store_find(s, x->item.namespace_, x->item.name);
    struct kinf_object held;
    struct kinf_version none = { .len = 0 };
    kinf_idx record;

    check_item(&x->item);
    if (entry == NONE || s->entries[entry].gone || x->item.broken != KINF_OK)
        return;
    if (r->listing || s->entries[entry].generation != s->generation)
        return; /* a list may be finding out that it is gone */
    kinf_store_view(s, s->entries[entry].newest, &held);
    if (held.reason == KINF_WHOLE || !span_equal(held.uid, x->item.uid) ||
        !span_equal(held.resource_version, x->item.version))
        return;
    if (kinf_store_receive(&inf->store, &x->item, &x->sink, false, &entry,
                           &record) != STORE_TAKEN)
        return;
    push(inf, KINF_DELTA_REPLACED, entry, record, &none)->fetched = true;
}

static void aside_failed(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    /* A fetched object may be gone meanwhile: the watch will say so. */
    if (r->aside.request.type != KINF_REQUEST_GET ||
        err != KINF_ERR_NO_RESOURCE)
        tell(inf, err, &r->aside.item, NULL);
    inf->store.freed = true; /* what was not fetched is looked for again */
    end_aside(inf, backoff_next(&r->aside_backoff, random_of(inf)));
}

/* Does somebody wait for the connection on which we do not read on? */
static bool aside_hinders(const struct kinf_informer *inf)
{
    return inf->reflector.aside.paused && inf->config->source == NULL &&
           inf->single.session->line != NULL;
}

/* We cannot read on: others, our own watch too, come first after a while. */
static int pause_aside(struct kinf_informer *inf)
{
    struct kinf_exchange *x = &inf->reflector.aside;

    kinf_exchange_pause(x, now_of(inf));
    if (!aside_hinders(inf) ||
        !deadline_passed(x->paused_ms + CONFIG_KINF_TURN_STUCK_MS,
                         now_of(inf)))
        return KINF_ERR_AGAIN;
    inf->store.freed = true;
    end_aside(inf, CONFIG_KINF_BACKOFF_CAP_MS);
    return KINF_OK;
}

static int read_aside(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->aside;
    int event;

    if (x->begun) {
        if (make_room(inf, x, ASIDE) != KINF_OK)
            return pause_aside(inf);
        kinf_exchange_begin_object(x, now_of(inf));
    }
    event = kinf_exchange_next(x, now_of(inf));
    switch (event) {
    case KINF_SOURCE_OPEN:
        inf->counters.requests++;
        return KINF_OK;
    case KINF_SOURCE_BEGIN:
        return KINF_OK;
    case KINF_SOURCE_ITEM:
        if (x->request.type == KINF_REQUEST_GET)
            take_fetched(inf);
        end_receiving(inf, ASIDE);
        return KINF_OK;
    case KINF_SOURCE_END:
        r->contact_ms = now_of(inf);
        backoff_reset(&r->aside_backoff);
        if (x->request.type == KINF_REQUEST_PROBE)
            judge(inf);
        end_aside(inf, 0);
        return KINF_OK;
    case KINF_ERR_AGAIN:
        if (x->opened && deadline_passed(x->event_ms + CONFIG_KINF_BODY_MS,
                                         now_of(inf)))
            return KINF_ERR_TIMEOUT;
        return KINF_ERR_AGAIN;
    default:
        return event;
    }
}

/* Looks for an identity whose object would fit now. */
static kinf_idx find_fetch(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_store *s = &inf->store;

    if (r->fetch_at == 0)
        s->freed = false; /* what is freed from now on asks for another look */
    for (uint32_t i = 0; i < CONFIG_KINF_POLL_ENTRIES; i++) {
        kinf_idx at = (kinf_idx)r->fetch_at;
        const struct kinf_record *held;

        if (r->fetch_at >= s->entry_pool.high) {
            r->fetch_at = 0;
            return NONE;
        }
        r->fetch_at++;
        if (!store_has(s, at) || s->entries[at].gone)
            continue;
        held = &s->records[s->entries[at].newest];
        if (held->reason == KINF_REASON_NO_ROOM &&
            kinf_store_fits(s, at, held->size))
            return at;
    }
    return NONE;
}

/* So many that one list is cheaper; not so often, though. */
static void fetch_by_list(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->fetch_at = 0;
    if (!deadline_passed(r->repair_at_ms, now_of(inf))) {
        inf->store.freed = true;
        r->aside_at_ms = r->repair_at_ms;
        return;
    }
    r->want_list = true;
    r->repair_at_ms = now_of(inf) + CONFIG_KINF_REPAIR_MS;
}

static void begin_fetch(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    const struct kinf_store *s = &inf->store;
    struct kinf_object held;

    r->fetching = find_fetch(inf);
    if (r->fetching == NONE)
        return;
    if (s->no_room > CONFIG_KINF_FETCH_MAX) {
        fetch_by_list(inf);
        return;
    }
    kinf_store_view(s, s->entries[r->fetching].newest, &held);
    r->aside.request = (struct kinf_request){ .type = KINF_REQUEST_GET };
    if (kinf_object_key(&held, r->key, sizeof(r->key)) < 0)
        return;
    r->aside.request.namespace_ = span_of(r->key, held.namespace_.len);
    r->aside.request.name =
        span_of(r->key + (held.namespace_.len > 0 ? held.namespace_.len + 1
                                                  : 0),
                held.name.len);
    inf->counters.fetches++;
    r->aside.state = ASIDE_ASK;
}

static void begin_probe(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->probe_at_ms = now_of(inf) + CONFIG_KINF_PROBE_MS;
    r->aside.request = (struct kinf_request){ .type = KINF_REQUEST_PROBE,
                                              .limit = 1 };
    r->silent = 0;
    r->probing = true;
    r->doubt = true;
    inf->counters.probes++;
    r->aside.state = ASIDE_ASK;
}

static bool probe_due(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    uint32_t now = now_of(inf);

    if (!r->can_resume || r->listing || !is_watch(r) ||
        !deadline_passed(r->probe_at_ms, now))
        return false;
    return r->silent >= 3 ||
           (r->state == READ && r->main.opened && !r->main.had_event &&
            !r->main.paused &&
            deadline_passed(r->main.opened_ms + CONFIG_KINF_DOUBT_MS, now));
}

/* A key found no entry: a list repairs it once the cache holds less than it
 * did then. */
static bool repair_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    const struct kinf_store *s = &inf->store;

    return r->degraded && !r->listing && !r->want_list &&
           (s->entry_pool.used < r->full_keys || s->settled < r->full_bytes);
}

static bool fetch_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return inf->store.no_room > 0 && (inf->store.freed || r->fetch_at > 0) &&
           !r->listing && !r->want_list && r->can_resume &&
           (r->state == READ || r->state == ASK) &&
           (inf->store.no_room <= CONFIG_KINF_FETCH_MAX ||
            deadline_passed(r->repair_at_ms, now_of(inf)));
}

static bool verify_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return inf->config->verify_ms > 0 && inf->synced && !r->listing &&
           !r->want_list;
}

/* Lists that are wanted beside those that errors lead to. */
static void due_lists(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t now = now_of(inf);

    if (verify_wanted(inf) && deadline_passed(r->verify_at_ms, now)) {
        r->verify_at_ms = now + inf->config->verify_ms;
        r->want_list = r->verifying = r->from_latest = true;
    }
    if (repair_wanted(inf) && deadline_passed(r->repair_at_ms, now)) {
        r->want_list = true;
        r->repair_at_ms = now + CONFIG_KINF_REPAIR_MS;
    }
}

static void begin_aside(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t now = now_of(inf);

    if (!deadline_passed(r->aside_at_ms, now))
        return;
    if (probe_due(inf))
        begin_probe(inf);
    else if (fetch_wanted(inf))
        begin_fetch(inf);
}

static int step_aside(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    int err;

    switch (r->aside.state) {
    case ASIDE_IDLE:
        begin_aside(inf);
        return r->aside.state == ASIDE_IDLE ? KINF_ERR_AGAIN : KINF_OK;
    case ASIDE_ASK:
        if (r->aside.request.type == KINF_REQUEST_GET && probe_due(inf)) {
            inf->store.freed = true; /* looked for again after the probe */
            end_aside(inf, 0);
            return KINF_OK;
        }
        err = kinf_exchange_ask(&r->aside, now_of(inf));
        if (err == KINF_OK)
            r->aside.state = ASIDE_READ;
        break;
    case ASIDE_READ:
        err = read_aside(inf);
        break;
    default:
        KINF_UNREACHABLE("state of single requests is corrupt");
        return KINF_ERR_AGAIN;
    }
    if (err != KINF_OK && err != KINF_ERR_AGAIN) {
        aside_failed(inf, err);
        return KINF_OK;
    }
    return err;
}

/* ---- what the loop calls ------------------------------------------------ */

void kinf_reflector_init(struct kinf_informer *inf)
{
    const struct kinf_informer_config *c = inf->config;
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_session *single = c->single != NULL ? c->single : c->session;

    *r = (struct kinf_reflector){ .state = WAIT, .fetching = NONE };
    r->page_limit = c->limit > 0 ? c->limit : CONFIG_KINF_LIST_LIMIT;
    if (c->source != NULL) {
        kinf_exchange_init(&r->main, c->source, c->source_ctx);
        kinf_exchange_init(&r->aside, c->source, c->source_ctx);
        r->shared = true;
        return;
    }
    KINF_ASSERT(c->session != NULL);
    c->session->users++;
    kinf_list_watch_init(&inf->main, c, inf->k->config, c->session);
    kinf_list_watch_init(&inf->single, c, inf->k->config, single);
    kinf_exchange_init(&r->main, &kinf_list_watch_session_ops, &inf->main);
    kinf_exchange_init(&r->aside, &kinf_list_watch_session_ops, &inf->single);
    r->shared = single == c->session;
}

/* A point long past would come to lie in the future when the clock has gone
 * half round: what is past is brought up to now. */
static void keep_recent(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t *const points[] = { &r->retry_at_ms, &r->repair_at_ms,
                                 &r->probe_at_ms, &r->stream_at_ms,
                                 &r->aside_at_ms };
    uint32_t now = now_of(inf);

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        if (!r->awake || deadline_passed(*points[i], now))
            *points[i] = now;
    r->awake = true;
}

bool kinf_reflector_wants_room(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return r->main.begun || r->aside.begun || r->state == MARK ||
           r->state == ASK;
}

bool kinf_reflector_step(struct kinf_informer *inf, uint32_t events)
{
    const struct kinf_reflector *r = &inf->reflector;
    int main = KINF_OK, aside = KINF_OK;
    uint32_t before = inf->counters.events;
    uint32_t steps = events + 64;

    keep_recent(inf);
    due_lists(inf);
    while (steps-- > 0 && inf->counters.events - before < events &&
           (main == KINF_OK || aside == KINF_OK) && !inf->stopping) {
        if (main == KINF_OK) {
            main = step_main(inf);
            if (main != KINF_OK && main != KINF_ERR_AGAIN) {
                give_up(inf, main);
                main = KINF_OK;
            }
        }
        aside = step_aside(inf);
    }
    return main == KINF_OK || aside == KINF_OK ||
           (r->state == ASK && !r->main.asked && may_ask(inf));
}

static uint32_t read_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    const struct kinf_exchange *x = &r->main;
    uint32_t now = now_of(inf), wait;

    if (x->paused)
        return by_turns(inf) ? CONFIG_KINF_TURN_STUCK_MS : UINT32_MAX;
    if (!x->opened)
        return UINT32_MAX; /* the session knows */
    wait = deadline_left(x->event_ms + idle_ms(r), now);
    if (x->in_object)
        wait = earlier_ms(wait, deadline_left(x->object_ms +
                                                  CONFIG_KINF_OBJECT_MS, now));
    else if (!r->listing)
        wait = earlier_ms(wait, deadline_left(x->opened_ms + r->asked_ms +
                                                  30000, now));
    if (!x->had_event && is_watch(r) && r->aside.state != ASIDE_READ) {
        uint32_t due = deadline_left(x->opened_ms + CONFIG_KINF_DOUBT_MS, now);
        uint32_t may = deadline_left(r->probe_at_ms, now);
        uint32_t free = deadline_left(r->aside_at_ms, now);

        may = may > free ? may : free;
        if (!r->probing)
            wait = earlier_ms(wait, due > may ? due : may);
    }
    return wait;
}

uint32_t kinf_reflector_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    uint32_t now = now_of(inf), wait = UINT32_MAX;

    if (r->state == WAIT)
        wait = deadline_left(r->retry_at_ms, now);
    else if (r->state == READ)
        wait = read_wait(inf);
    if (r->aside.state == ASIDE_READ && r->aside.opened && !r->aside.paused)
        wait = earlier_ms(wait, deadline_left(r->aside.event_ms +
                                                  CONFIG_KINF_BODY_MS, now));
    if (aside_hinders(inf))
        wait = earlier_ms(wait, deadline_left(r->aside.paused_ms +
                                                  CONFIG_KINF_TURN_STUCK_MS,
                                              now));
    if (repair_wanted(inf))
        wait = earlier_ms(wait, deadline_left(r->repair_at_ms, now));
    if (fetch_wanted(inf) && r->aside.state == ASIDE_IDLE)
        wait = earlier_ms(wait, deadline_left(r->aside_at_ms, now));
    if (verify_wanted(inf))
        wait = earlier_ms(wait, deadline_left(r->verify_at_ms, now));
    return wait;
}

void kinf_reflector_stop(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_exchange_close(&r->main);
    kinf_exchange_close(&r->aside);
    r->aside.state = ASIDE_IDLE;
    r->state = STOPPED;
    r->receiving = NOBODY;
    if (inf->config->source == NULL && inf->config->session->users > 0)
        inf->config->session->users--;
}

static enum kinf_informer_phase phase_of(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (inf->stopped || inf->stopping)
        return KINF_INFORMER_STOPPED;
    if (!inf->started)
        return KINF_INFORMER_NEW;
    if (r->state == WAIT)
        return r->denied ? KINF_INFORMER_DENIED : KINF_INFORMER_BACKOFF;
    if (r->probing)
        return KINF_INFORMER_PROBING;
    if (r->state == READ && !r->main.opened)
        return KINF_INFORMER_CONNECTING;
    if (r->listing)
        return is_stream(r) ? KINF_INFORMER_STREAMING : KINF_INFORMER_LISTING;
    return r->state == READ ? KINF_INFORMER_WATCHING
                            : KINF_INFORMER_CONNECTING;
}

void kinf_reflector_status(const struct kinf_informer *inf,
                           struct kinf_status *out)
{
    const struct kinf_reflector *r = &inf->reflector;
    uint32_t now = now_of(inf);

    out->phase = phase_of(inf);
    out->degraded = r->degraded;
    out->complete = kinf_reflector_whole(inf);
    out->last_contact_ms = r->contacted ? now - r->contact_ms : UINT32_MAX;
    out->stale_ms = out->last_contact_ms;
    if (out->phase == KINF_INFORMER_WATCHING && !r->doubt && inf->synced &&
        !r->main.paused &&
        now - r->main.event_ms < CONFIG_KINF_DOUBT_MS)
        out->stale_ms = 0;
    if (r->state == WAIT)
        out->retry_ms = deadline_left(r->retry_at_ms, now);
}
