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

static bool is_decimal(struct kinf_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

static bool decimal_less(struct kinf_span a, struct kinf_span b)
{
    if (!is_decimal(a) || !is_decimal(b))
        return false;
    if (a.len != b.len)
        return a.len < b.len;
    return memcmp(a.ptr, b.ptr, a.len) < 0;
}

uint32_t kinf_reflector_left(const struct kinf_informer *inf, uint32_t at_ms)
{
    return deadline_left(at_ms, now_of(inf));
}

/* ---- when --------------------------------------------------------------- */

static uint32_t verify_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (!CONFIG_KINF_VERIFY || inf->config->verify_ms == 0 || !inf->synced ||
        r->listing || r->want_list)
        return NEVER;
    return kinf_reflector_left(inf, r->at_ms[AT_VERIFY]);
}

/* A key found no entry: a list repairs it once the cache holds less than it
 * did then. Or the last list had an item, or an event came since, whose key
 * could not be read. */
static uint32_t repair_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    const struct kinf_store *s = &inf->store;
    bool shrunk = r->degraded && (s->entry_pool.used < r->full_keys ||
                                  s->settled < r->full_bytes);

    if (r->listing || r->want_list || !(r->incomplete || shrunk))
        return NEVER;
    return kinf_reflector_left(inf, r->at_ms[AT_REPAIR]);
}

/* Something was freed since an object found no room. When many wait one list is
 * cheaper; not so often, though, nor soon after one was told it is gone. */
static uint32_t fetch_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    const struct kinf_store *s = &inf->store;
    unsigned after = s->no_room > CONFIG_KINF_FETCH_MAX ? AT_REPAIR
                     : r->fetch_at == 0                 ? AT_FETCH
                                                        : AT_MAIN;

    if (s->no_room == 0 || (!s->freed && r->fetch_at == 0) || r->listing ||
        r->want_list || !r->can_resume)
        return NEVER;
    return later_ms(kinf_reflector_left(inf, r->at_ms[AT_MAIN]),
                    kinf_reflector_left(inf, r->at_ms[after]));
}

/* A watch that shows nothing for long, or three in a row. */
static uint32_t probe_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    const struct kinf_exchange *x = &r->main;
    uint32_t doubt_at = r->at_ms[AT_PROBE];

    if (!r->can_resume || r->listing || !is_watch(r))
        return NEVER;
    if (r->silent < 3) {
        if (x->state != READ || !x->opened || x->had_event || x->paused)
            return NEVER;
        doubt_at = x->opened_ms + CONFIG_KINF_DOUBT_MS;
    }
    return later_ms(kinf_reflector_left(inf, doubt_at),
                    kinf_reflector_left(inf, r->at_ms[AT_PROBE]));
}

uint32_t kinf_single_wait(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;
    uint32_t wait = NEVER;

    if (r->aside.state == WAIT)
        wait = later_ms(kinf_reflector_left(inf, r->at_ms[AT_ASIDE]),
                        earlier_ms(probe_wait(inf), fetch_wait(inf)));
    return earlier_ms(wait, earlier_ms(repair_wait(inf), verify_wait(inf)));
}

/* On one connection single requests go between two watches, all that are due
 * then: the next chance is a watch away. */
bool kinf_single_first(const struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    return r->probing || r->aside.state == READ ||
           later_ms(kinf_reflector_left(inf, r->at_ms[AT_ASIDE]),
                    fetch_wait(inf)) == 0;
}

bool kinf_single_yields(struct kinf_informer *inf)
{
    if (inf->reflector.aside.request.type != KINF_REQUEST_GET ||
        probe_wait(inf) > 0)
        return false;
    inf->store.freed = true; /* looked for again after the probe */
    return true;
}

/* ---- lists -------------------------------------------------------------- */

static void want_list(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->want_list = true;
    r->at_ms[AT_REPAIR] = now_of(inf) + CONFIG_KINF_REPAIR_MS;
}

void kinf_single_due_lists(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    if (verify_wait(inf) == 0) {
        r->at_ms[AT_VERIFY] = now_of(inf) + inf->config->verify_ms;
        r->want_list = r->verifying = r->from_latest = true;
    }
    if (repair_wait(inf) == 0)
        want_list(inf);
}

/* ---- probes ------------------------------------------------------------- */

static void begin_probe(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    kinf_reflector_prepare(&r->aside, KINF_REQUEST_PROBE)->limit = 1;
    r->at_ms[AT_PROBE] = now_of(inf) + CONFIG_KINF_PROBE_MS;
    r->silent = 0;
    r->probing = true;
    r->doubt = true;
    inf->counters.probes++;
}

/* The probe's answer: a server whose version is lower than ours has gone back
 * in time, and its state is the truth. */
static void judge(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->doubt = false;
    if (!decimal_less(r->aside.item.version, version_span(&r->version)))
        return;
    kinf_reflector_tell(inf, KINF_ERR_BACK_IN_TIME, &r->aside.item, false);
    r->can_resume = false;
    r->from_latest = r->want_list = true;
}

/* ---- fetches ------------------------------------------------------------ */

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

static void begin_fetch(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    const struct kinf_store *s = &inf->store;
    kinf_idx entry = find_fetch(inf);
    struct kinf_request *q;
    struct kinf_object held;
    size_t len;

    if (entry == NONE)
        return;
    if (s->no_room > CONFIG_KINF_FETCH_MAX) {
        r->fetch_at = 0;
        want_list(inf);
        return;
    }
    kinf_store_view(s, s->entries[entry].newest, &held);
    len = held.namespace_.len;
    if (held.name.len + len > sizeof(r->key))
        return; /* no real key is so long */
    memcpy(r->key, held.name.ptr, held.name.len);
    memcpy(r->key + held.name.len, held.namespace_.ptr, len);
    q = kinf_reflector_prepare(&r->aside, KINF_REQUEST_GET);
    q->name = span_of(r->key, held.name.len);
    q->namespace_ = span_of(r->key + held.name.len, len);
    inf->counters.fetches++;
}

/* ---- single requests ---------------------------------------------------- */

bool kinf_single_begin(struct kinf_informer *inf)
{
    const struct kinf_reflector *r = &inf->reflector;

    if (probe_wait(inf) == 0)
        begin_probe(inf);
    else if (fetch_wait(inf) == 0)
        begin_fetch(inf);
    else
        return false;
    return r->aside.state != WAIT || r->fetch_at == 0;
}

void kinf_single_end(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->contact_ms = now_of(inf);
    backoff_reset(&r->aside.backoff);
    if (r->probing)
        judge(inf);
}

uint32_t kinf_single_failed(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    /* A fetched object may be gone meanwhile: the watch will say so, or after
     * a list that was not whole the next one. Or it is not gone, and who says
     * so is a proxy or a server that begins. */
    if (r->probing || err != KINF_ERR_NO_RESOURCE)
        kinf_reflector_tell(inf, err, &r->aside.item, false);
    else
        r->at_ms[AT_FETCH] = now_of(inf) + CONFIG_KINF_DENIED_MS;
    inf->store.freed = true; /* what was not fetched is looked for again */
    return kinf_recover_backoff(inf, &r->aside);
}
