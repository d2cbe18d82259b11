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

uint32_t kinf_reflector_random(const struct kinf_informer *inf, uint32_t end)
{
    const struct kinf_platform *p = inf->k->config->platform;
    uint32_t number;

    p->random(p->ctx, &number, sizeof(number));
    return number % end;
}

/* Is our watch one of several that take turns on one connection? */
static bool by_turns(const struct kinf_informer *inf)
{
    return CONFIG_KINF_TURNS && !has_source(inf) &&
           inf->config->session->users > 1;
}

bool kinf_reflector_whole(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return inf->synced && !r->degraded && !r->incomplete;
}

struct kinf_request *kinf_reflector_prepare(struct kinf_exchange *x,
                                            enum kinf_request_type type)
{
    x->request = (struct kinf_request){ .type = type };
    x->state = ASK;
    return &x->request;
}

void kinf_reflector_finish(struct kinf_informer *inf, struct kinf_exchange *x,
                           uint32_t wait_ms)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_receive_end(inf, x);
    kinf_exchange_close(x);
    if (x->aside)
        r->probing = false;
    x->state = WAIT;
    r->at_ms[x->aside] = now_of(inf) + wait_ms;
}

/* ---- what to ask -------------------------------------------------------- */

static bool stream_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (!CONFIG_KINF_STREAMING ||
        inf->config->streaming == KINF_STREAM_NEVER || by_turns(inf) ||
        is_unwatched(r) || inf->store.by_bytes || r->page_len > 0)
        return false;
    return !r->stream_off || kinf_reflector_left(inf, r->at_ms[AT_STREAM]) == 0;
}

static uint32_t watch_seconds(const struct kinf_informer *inf)
{
    if (by_turns(inf))
        return CONFIG_KINF_TURN_SECONDS;
    return CONFIG_KINF_WATCH_SECONDS +
           kinf_reflector_random(inf, CONFIG_KINF_WATCH_SECONDS);
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
    bool list = r->want_list || !r->can_resume;
    struct kinf_request *q;
    uint32_t seconds;

    KINF_ASSERT(list || !r->listing);
    if (list && !r->listing) {
        int err = begin_list(inf);

        if (err != KINF_OK)
            return err;
    }
    q = kinf_reflector_prepare(&r->main, KINF_REQUEST_WATCH);
    if (!list || !r->from_latest)
        q->version = version_span(&r->version);
    if (list) {
        q->type = KINF_REQUEST_STREAM;
        if (!stream_wanted(inf)) {
            q->type = KINF_REQUEST_LIST;
            q->limit = r->page_limit;
            q->not_older_than = q->version.len > 0;
            q->continue_ = span_of(r->page, r->page_len);
            return KINF_OK;
        }
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
        kinf_receive_set_version(&r->list_version, &item->version);
    if (now_of(inf) - r->main.opened_ms < 20000 && r->page_limit < configured)
        r->page_limit = r->page_limit > configured / 2 ? configured
                                                       : r->page_limit * 2;
    r->page_len = (uint16_t)item->continue_.len;
    if (r->page_len > 0)
        memcpy(r->page, item->continue_.ptr, r->page_len);
    return KINF_OK;
}

/* A watch ended cleanly. */
static int end_watch(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t lasted = now_of(inf) - r->main.opened_ms;

    if (CONFIG_KINF_STREAMING && r->listing)
        return KINF_ERR_NO_STREAM;
    kinf_recover_note_silence(r);
    if ((lasted < 1000 && !r->main.had_event) ||
        lasted + 30000 < r->asked_ms)
        return KINF_ERR_SHORT_WATCH;
    return KINF_OK;
}

static int end_answer(struct kinf_informer *inf, struct kinf_exchange *x)
{
    bool page = x->request.type == KINF_REQUEST_LIST;

    if (x->aside) {
        kinf_single_end(inf);
    } else {
        int err = page ? end_page(inf) : end_watch(inf);

        if (err != KINF_OK)
            return err;
        kinf_reflector_contact(inf);
    }
    kinf_reflector_finish(inf, x, 0);
    if (page && inf->reflector.page_len == 0)
        x->state = MARK;
    return KINF_OK;
}

static int take_item(struct kinf_informer *inf, struct kinf_exchange *x)
{
    int err = KINF_OK;

    if (!x->aside) {
        err = kinf_receive_item(inf, x);
        inf->counters.events++;
    } else if (x->request.type == KINF_REQUEST_GET) {
        kinf_receive_fetched(inf);
    }
    kinf_receive_end(inf, x);
    return err;
}

/* ---- deadlines of an answer --------------------------------------------- */

/* How long nothing whole may come. */
static uint32_t idle_ms(const struct kinf_reflector *r,
                        const struct kinf_exchange *x)
{
    if (x->aside)
        return CONFIG_KINF_BODY_MS;
    if (!r->listing)
        return CONFIG_KINF_IDLE_MS;
    return is_stream(r) ? CONFIG_KINF_STREAM_MS : CONFIG_KINF_BODY_MS;
}

/* How long it may still go without progress. */
static uint32_t patience(const struct kinf_informer *inf,
                         const struct kinf_exchange *x)
{
    uint32_t left = kinf_reflector_left(
        inf, x->event_ms + idle_ms(&inf->reflector, x));

    if (x->in_object)
        left = earlier_ms(left, kinf_reflector_left(
                                    inf, x->object_ms + CONFIG_KINF_OBJECT_MS));
    return left;
}

/* How long until a watch should have ended by itself. */
static uint32_t over(const struct kinf_informer *inf,
                     const struct kinf_exchange *x)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (x->aside || x->in_object || r->listing)
        return NEVER;
    return kinf_reflector_left(inf, x->opened_ms + r->asked_ms + 30000);
}

/* Ends a watch between two events, to go on from the same version, or a list,
 * to go on with the same page; its first one is asked for as a new list, since
 * what it held a while ago may be gone. */
static void take_break(struct kinf_informer *inf, struct kinf_exchange *x,
                       uint32_t wait_ms)
{
    struct kinf_reflector *r = &inf->reflector;

    if (!x->aside)
        r->listing = r->listing && r->page_len > 0;
    kinf_reflector_finish(inf, x, wait_ms);
}

/* Only asked when the source has nothing for us. */
static int check_deadlines(struct kinf_informer *inf, struct kinf_exchange *x)
{
    if (!x->opened)
        return KINF_ERR_AGAIN; /* the session has its own */
    if (patience(inf, x) == 0)
        return KINF_ERR_TIMEOUT;
    if (over(inf, x) > 0)
        return KINF_ERR_AGAIN;
    take_break(inf, x, 0); /* watch anew */
    return KINF_OK;
}

/* How long a connection that is not read may still be kept from others: from a
 * watch by turns, or, by a single request, from whoever is in line. */
static uint32_t hindrance(const struct kinf_informer *inf,
                          const struct kinf_exchange *x)
{
    const struct kinf_session *s = x->aside ? inf->single.session
                                            : inf->main.session;

    if (!CONFIG_KINF_TURNS || has_source(inf) ||
        (!x->aside && !by_turns(inf)))
        return NEVER;
    if (s->line == NULL)
        return NEVER; /* who joins the line wakes us */
    return kinf_reflector_left(inf, x->paused_ms + CONFIG_KINF_TURN_STUCK_MS);
}

/* We cannot read on: deadlines stand still. */
static int pause_reading(struct kinf_informer *inf, struct kinf_exchange *x)
{
    exchange_pause(x, now_of(inf));
    if (hindrance(inf, x) > 0)
        return KINF_ERR_AGAIN;
    inf->store.freed = true;
    take_break(inf, x, x->aside ? CONFIG_KINF_BACKOFF_CAP_MS
                                : CONFIG_KINF_TURN_STUCK_MS);
    return KINF_OK;
}

static uint32_t exchange_wait(const struct kinf_informer *inf,
                              const struct kinf_exchange *x)
{
    uint32_t left = kinf_reflector_left(inf, inf->reflector.at_ms[x->aside]);

    if (x->state == WAIT && !x->aside)
        return left > 0 ? left : NEVER; /* something else is in the way */
    if (x->state != READ)
        return NEVER;
    if (x->paused)
        return hindrance(inf, x);
    return x->opened ? earlier_ms(patience(inf, x), over(inf, x)) : NEVER;
}

/* ---- the machine -------------------------------------------------------- */

/* Could an answer be read? A request whose answer cannot is not sent. */
static bool has_room(struct kinf_informer *inf)
{
    if (!kinf_receive_can(inf, true))
        return false;
    store_release(&inf->store);
    return true;
}

/* Is nothing in the way of the next request? A number of lists that is about to
 * wrap waits until no sweep of an older one is queued. */
static bool may_ask(struct kinf_informer *inf)
{
    return !is_reloading(inf->k) &&
           !(is_shared(&inf->reflector) && kinf_single_first(inf)) &&
           (inf->store.generation < UINT16_MAX || fifo_len(&inf->fifo) == 0) &&
           has_room(inf);
}

/* Is a watch to be ended between two events, to go on from the same version? */
static bool wants_break(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return !r->main.in_object &&
           (is_reloading(inf->k) ||
            (!r->listing && (r->want_list || (r->probing && is_shared(r)))));
}

/* Reads on. Returns KINF_OK (call again), KINF_ERR_AGAIN, or why to give up. */
static int read_on(struct kinf_informer *inf, struct kinf_exchange *x)
{
    int event;

    if (x->begun) {
        if (kinf_receive_room(inf, x) != KINF_OK)
            return pause_reading(inf, x);
    } else if (!x->aside && wants_break(inf)) {
        take_break(inf, x, 0);
        return KINF_OK;
    }
    event = kinf_exchange_next(x, now_of(inf));
    if (event == KINF_ERR_AGAIN)
        return check_deadlines(inf, x);
    if (event == KINF_SOURCE_ITEM)
        return take_item(inf, x);
    if (event == KINF_SOURCE_END)
        return end_answer(inf, x);
    if (event == KINF_SOURCE_OPEN)
        inf->counters.requests++;
    return event > 0 ? KINF_OK : event;
}

/* Its time has come: what is to be asked? */
static int begin(struct kinf_informer *inf, struct kinf_exchange *x)
{
    if (x->aside)
        return kinf_single_begin(inf) ? KINF_OK : KINF_ERR_AGAIN;
    return may_ask(inf) ? choose(inf) : KINF_ERR_AGAIN;
}

/* Does one unit of work of list and watch, or of single requests. */
static int step(struct kinf_informer *inf, struct kinf_exchange *x)
{
    struct kinf_reflector *r = &inf->reflector;
    int err;

    switch (x->state) {
    case WAIT:
        if (kinf_reflector_left(inf, r->at_ms[x->aside]) > 0)
            return KINF_ERR_AGAIN;
        return begin(inf, x);
    case ASK:
        if (x->aside ? kinf_single_yields(inf) : !may_ask(inf)) {
            kinf_reflector_finish(inf, x, 0); /* out of the line */
            return KINF_OK;
        }
        err = kinf_exchange_ask(x, now_of(inf));
        if (err == KINF_OK)
            x->state = READ;
        return err;
    case READ:
        return read_on(inf, x);
    case MARK:
        if (fifo_full(&inf->fifo))
            return KINF_ERR_AGAIN;
        kinf_receive_list_end(inf);
        if (is_unwatched(r))
            r->can_resume = false;
        kinf_reflector_finish(inf, x,
                              is_unwatched(r) ? inf->config->poll_ms : 0);
        return KINF_OK;
    default:
        KINF_UNREACHABLE("reflector state is corrupt");
        return KINF_ERR_AGAIN;
    }
}

/* Ends the request that failed, and plans what follows. */
static void give_up(struct kinf_informer *inf, struct kinf_exchange *x, int err)
{
    uint32_t wait;

    if (x->aside) {
        wait = kinf_single_failed(inf, err);
    } else {
        /* So does a server answer that knows no streaming lists. */
        if (err == KINF_ERR_INVALID && is_stream(&inf->reflector) &&
            inf->reflector.listing)
            err = KINF_ERR_NO_STREAM;
        kinf_reflector_tell(inf, err, &x->item, err == KINF_ERR_JSON);
        wait = kinf_recover(inf, (unsigned)-err);
    }
    kinf_reflector_finish(inf, x, wait);
}

/* Returns whether there is more to do at once. */
static bool advance(struct kinf_informer *inf, struct kinf_exchange *x)
{
    int err = step(inf, x);

    if (err < KINF_ERR_AGAIN)
        give_up(inf, x, err);
    return err != KINF_ERR_AGAIN;
}

/* ---- what the loop calls ------------------------------------------------ */

void kinf_reflector_init(struct kinf_informer *inf)
{
    const struct kinf_informer_config *c = inf->config;
    struct kinf_reflector *r = &inf->reflector;
    bool second = CONFIG_KINF_SECOND_SESSION && c->single != NULL;
    struct kinf_session *single = second ? c->single : c->session;

    r->page_limit = c->limit > 0 ? c->limit : CONFIG_KINF_LIST_LIMIT;
    if (CONFIG_KINF_SECOND_SESSION)
        r->shared = has_source(inf) || single == c->session;
    if (has_source(inf)) {
        kinf_exchange_init(&r->main, c->source, c->source_ctx);
        kinf_exchange_init(&r->aside, c->source, c->source_ctx);
    } else {
        KINF_ASSERT(c->session != NULL);
        if (CONFIG_KINF_TURNS)
            c->session->users++;
        kinf_list_watch_init(&inf->main, c, inf->k->config, c->session);
        kinf_list_watch_init(&inf->single, c, inf->k->config, single);
        kinf_exchange_init(&r->main, &kinf_list_watch_session_ops, &inf->main);
        kinf_exchange_init(&r->aside, &kinf_list_watch_session_ops,
                           &inf->single);
    }
    r->aside.aside = true;
}

/* A point long past would come to lie in the future when the clock has gone
 * half round: what is past is brought up to now. */
static void keep_recent(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    for (int i = 0; i < AT_COUNT; i++)
        if (!r->awake || kinf_reflector_left(inf, r->at_ms[i]) == 0)
            r->at_ms[i] = now_of(inf);
    r->awake = true;
}

/* Has room come for the object that was announced? A deletion needs less. */
static bool can_begin(struct kinf_informer *inf, struct kinf_exchange *x)
{
    if (!x->begun || kinf_receive_room(inf, x) != KINF_OK)
        return false;
    kinf_receive_end(inf, x);
    return true;
}

bool kinf_reflector_ready(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    if (r->main.state == MARK)
        return !fifo_full(&inf->fifo);
    if (r->main.begun || r->aside.begun)
        return can_begin(inf, &r->main) || can_begin(inf, &r->aside);
    return r->main.state == WAIT &&
           kinf_reflector_left(inf, r->at_ms[AT_MAIN]) == 0 && may_ask(inf);
}

bool kinf_reflector_step(struct kinf_informer *inf, uint32_t events)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t end = inf->counters.events + events, steps = events + 64;
    bool more = true;

    keep_recent(inf);
    kinf_single_due_lists(inf);
    while (more && steps-- > 0 && inf->counters.events != end &&
           !is_stopping(inf)) {
        more = advance(inf, &r->main);
        more |= advance(inf, &r->aside);
    }
    return more;
}

uint32_t kinf_reflector_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return earlier_ms(earlier_ms(exchange_wait(inf, &r->main),
                                 exchange_wait(inf, &r->aside)),
                      kinf_single_wait(inf));
}

void kinf_reflector_stop(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_reflector_finish(inf, &r->main, 0);
    kinf_reflector_finish(inf, &r->aside, 0);
    r->main.state = r->aside.state = STOPPED;
    if (CONFIG_KINF_TURNS && !has_source(inf))
        inf->config->session->users--;
}

/* Until the next attempt, after an error. */
static uint32_t waits_ms(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return r->main.state == WAIT
               ? kinf_reflector_left(inf, r->at_ms[AT_MAIN])
               : 0;
}

static enum kinf_informer_phase phase_of(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (inf->stopped || inf->stopping)
        return KINF_INFORMER_STOPPED;
    if (!inf->started)
        return KINF_INFORMER_NEW;
    if (waits_ms(inf) > 0)
        return r->denied ? KINF_INFORMER_DENIED : KINF_INFORMER_BACKOFF;
    if (r->probing)
        return KINF_INFORMER_PROBING;
    if (r->main.state == READ && !r->main.opened)
        return KINF_INFORMER_CONNECTING;
    if (r->listing)
        return is_stream(r) ? KINF_INFORMER_STREAMING : KINF_INFORMER_LISTING;
    return r->main.state == READ ? KINF_INFORMER_WATCHING
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
    out->retry_ms = waits_ms(inf);
}
