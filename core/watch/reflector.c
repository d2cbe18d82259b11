/* SPDX-License-Identifier: Apache-2.0 */
/* reflector.c - list and watch: the machine; see reflector.h and parts.h. */
#define KINF_FILE 22
#include "reflector.h"

#include "base/assert.h"
#include "base/pool.h"
#include "exchange.h"
#include "list_watch.h"
#include "parts.h"
#include "session.h"
#include "store/arena.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

uint32_t kinf_reflector_random(const struct kinf_informer *inf)
{
    const struct kinf_platform *p = inf->k->config->platform;
    uint32_t number;

    p->random(p->ctx, &number, sizeof(number));
    return number;
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

/* ---- what to ask -------------------------------------------------------- */

static bool stream_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (inf->config->streaming == KINF_STREAM_NEVER || by_turns(inf) ||
        r->no_watch || inf->store.by_bytes || r->page_len > 0)
        return false;
    return !r->stream_off || deadline_passed(r->stream_at_ms, now_of(inf));
}

static uint32_t watch_seconds(const struct kinf_informer *inf)
{
    if (by_turns(inf))
        return CONFIG_KINF_TURN_SECONDS;
    return CONFIG_KINF_WATCH_SECONDS +
           kinf_reflector_random(inf) % CONFIG_KINF_WATCH_SECONDS;
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
    inf->store.by_bytes = r->from_latest && inf->store.entry_pool.used > 0;
    inf->relisting = inf->synced;
    inf->counters.lists++;
    inf->counters.relists += inf->synced;
    return KINF_OK;
}

static int choose(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_request *q = &r->main.request;
    bool list = r->want_list || !r->can_resume;
    uint32_t seconds;

    KINF_ASSERT(list || !r->listing);
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
        kinf_receive_set_version(&r->list_version, item->version);
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
    kinf_recover_note_silence(r);
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
        kinf_reflector_contact(inf);
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

/* Ends a watch between two events, to go on from the same version, or a list,
 * to go on with the same page; its first one is asked for as a new list, since
 * what it held a while ago may be gone. */
static void take_break(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->listing = r->listing && r->page_len > 0;
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
    kinf_recover_wait(inf, CONFIG_KINF_TURN_STUCK_MS);
    return KINF_OK;
}

/* Reads on. Returns KINF_OK (call again), KINF_ERR_AGAIN, or why to give up. */
static int read_main(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    struct kinf_exchange *x = &r->main;
    int event;

    if (x->begun) {
        if (kinf_receive_room(inf, x, MAIN) != KINF_OK)
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
        event = kinf_receive_item(inf, x);
        kinf_receive_end(inf, MAIN);
        inf->counters.events++;
        if (event == KINF_OK && !r->listing) {
            kinf_reflector_contact(inf);
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

/* Ends the request that runs, and plans the next attempt. */
static void give_up(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    /* So does a server answer that knows no streaming lists. */
    if (err == KINF_ERR_INVALID && is_stream(r) && r->listing)
        err = KINF_ERR_NO_STREAM;
    kinf_receive_end(inf, MAIN);
    kinf_exchange_close(&r->main);
    kinf_reflector_tell(inf, err, &r->main.item, NULL);
    kinf_recover(inf, err);
}

/* ---- the machine -------------------------------------------------------- */

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

    return !inf->k->reloading && !(r->shared && kinf_single_first(inf)) &&
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
        kinf_receive_list_end(inf);
        r->state = ASK;
        if (r->no_watch)
            kinf_recover_wait(inf, inf->config->poll_ms);
        r->can_resume = r->can_resume && !r->no_watch;
        return KINF_OK;
    default:
        KINF_UNREACHABLE("reflector state is corrupt");
        return KINF_ERR_AGAIN;
    }
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

bool kinf_reflector_ready(struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (r->state == MARK)
        return !fifo_full(&inf->fifo);
    if (r->state == ASK && !r->main.asked)
        return may_ask(inf);
    return (r->main.begun || r->aside.begun) && has_room(inf);
}

bool kinf_reflector_step(struct kinf_informer *inf, uint32_t events)
{
    int main = KINF_OK, aside = KINF_OK;
    uint32_t before = inf->counters.events;
    uint32_t steps = events + 64;

    keep_recent(inf);
    kinf_single_due_lists(inf);
    while (steps-- > 0 && inf->counters.events - before < events &&
           (main == KINF_OK || aside == KINF_OK) && !inf->stopping) {
        if (main == KINF_OK) {
            main = step_main(inf);
            if (main != KINF_OK && main != KINF_ERR_AGAIN) {
                give_up(inf, main);
                main = KINF_OK;
            }
        }
        aside = kinf_single_step(inf);
    }
    return main == KINF_OK || aside == KINF_OK;
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
    return earlier_ms(wait, kinf_single_wait(inf));
}

void kinf_reflector_stop(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_exchange_close(&r->main);
    kinf_exchange_close(&r->aside);
    r->aside.state = ASIDE_IDLE;
    r->state = STOPPED;
    r->receiving = NOBODY;
    if (inf->config->source == NULL)
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
