/* SPDX-License-Identifier: Apache-2.0 */
/* single.c - single requests beside list and watch; see parts.h.
 *
 * A probe when the server is in doubt, fetches of objects that had no room; and
 * when a list is wanted that no error leads to. Versions are opaque: the only
 * comparison is the probe's, and only of decimal ones. */
#define KINF_FILE 27
#include "base/assert.h"
#include "base/backoff.h"
#include "base/pool.h"
#include "exchange.h"
#include "parts.h"
#include "store/arena.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

static bool decimal_less(struct kinf_span a, struct kinf_span b)
{
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] < '0' || a.ptr[i] > '9')
            return false;
    for (size_t i = 0; i < b.len; i++)
        if (b.ptr[i] < '0' || b.ptr[i] > '9')
            return false;
    if (a.len == 0)
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
    kinf_reflector_tell(inf, KINF_ERR_BACK_IN_TIME, &r->aside.item, NULL);
    r->can_resume = false;
    r->from_latest = r->want_list = true;
}

static void end_aside(struct kinf_informer *inf, uint32_t wait_ms)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_receive_end(inf, ASIDE);
    kinf_exchange_close(&r->aside);
    r->aside.state = ASIDE_IDLE;
    r->probing = false;
    r->aside_at_ms = now_of(inf) + wait_ms;
}

static void aside_failed(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    /* A fetched object may be gone meanwhile: the watch will say so. */
    if (r->aside.request.type != KINF_REQUEST_GET ||
        err != KINF_ERR_NO_RESOURCE)
        kinf_reflector_tell(inf, err, &r->aside.item, NULL);
    inf->store.freed = true; /* what was not fetched is looked for again */
    end_aside(inf, backoff_next(&r->aside_backoff, kinf_reflector_random(inf)));
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
        if (kinf_receive_room(inf, x, ASIDE) != KINF_OK)
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
            kinf_receive_fetched(inf);
        kinf_receive_end(inf, ASIDE);
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

/* So many that one list is cheaper; asked for only when one is due. */
static void fetch_by_list(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->fetch_at = 0;
    r->want_list = true;
    r->repair_at_ms = now_of(inf) + CONFIG_KINF_REPAIR_MS;
    kinf_wake(inf->k); /* the watch is to end now */
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
 * did then. Or an event since the last list could not be read. */
static bool repair_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    const struct kinf_store *s = &inf->store;

    if (r->listing || r->want_list)
        return false;
    return (r->incomplete && !r->list_incomplete) ||
           (r->degraded && (s->entry_pool.used < r->full_keys ||
                            s->settled < r->full_bytes));
}

/* Milliseconds until a fetch may begin, UINT32_MAX if none is wanted. */
static uint32_t fetch_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    uint32_t wait = deadline_left(r->aside_at_ms, now_of(inf));
    uint32_t list = deadline_left(r->repair_at_ms, now_of(inf));

    if (inf->store.no_room == 0 || (!inf->store.freed && r->fetch_at == 0) ||
        r->listing || r->want_list || !r->can_resume ||
        (r->state != READ && r->state != ASK))
        return UINT32_MAX;
    return inf->store.no_room > CONFIG_KINF_FETCH_MAX && list > wait ? list
                                                                     : wait;
}

static bool verify_wanted(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return inf->config->verify_ms > 0 && inf->synced && !r->listing &&
           !r->want_list;
}

/* Lists that are wanted beside those that errors lead to. */
void kinf_single_due_lists(struct kinf_informer *inf)
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
    else if (fetch_wait(inf) == 0)
        begin_fetch(inf);
}

int kinf_single_step(struct kinf_informer *inf)
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

/* On one connection single requests go between two watches, all that are due
 * then: the next chance is a watch away. */
bool kinf_single_first(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return r->probing || r->aside.state == ASIDE_READ ||
           fetch_wait(inf) == 0;
}

uint32_t kinf_single_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    uint32_t now = now_of(inf), wait = UINT32_MAX;

    if (r->aside.state == ASIDE_READ && r->aside.opened && !r->aside.paused)
        wait = earlier_ms(wait, deadline_left(r->aside.event_ms +
                                                  CONFIG_KINF_BODY_MS, now));
    if (aside_hinders(inf))
        wait = earlier_ms(wait, deadline_left(r->aside.paused_ms +
                                                  CONFIG_KINF_TURN_STUCK_MS,
                                              now));
    if (repair_wanted(inf))
        wait = earlier_ms(wait, deadline_left(r->repair_at_ms, now));
    if (r->aside.state == ASIDE_IDLE)
        wait = earlier_ms(wait, fetch_wait(inf));
    if (verify_wanted(inf))
        wait = earlier_ms(wait, deadline_left(r->verify_at_ms, now));
    return wait;
}
