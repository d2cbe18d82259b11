/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c - what an error leads to: resume, list again, wait; see parts.h.
 *
 * The one place that decides it. Everywhere else errors pass unchanged. */
#define KINF_FILE 26
#include "base/backoff.h"
#include "parts.h"

static bool same_version(const struct kinf_version *a,
                         const struct kinf_version *b)
{
    return span_equal(version_span(a), version_span(b));
}

static uint32_t random_below(const struct kinf_informer *inf, uint32_t end)
{
    return kinf_reflector_random(inf) % end;
}

uint32_t kinf_recover_backoff(struct kinf_informer *inf,
                              struct kinf_exchange *x)
{
    return backoff_next(&x->backoff, x->item.retry_after_ms,
                        kinf_reflector_random(inf));
}

/* How long the connection lasted decides where the backoff begins. */
static bool had_lasted(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;
    bool lasted = r->main.opened && now_of(inf) - r->main.opened_ms >
                                        CONFIG_KINF_BACKOFF_CAP_MS;

    if (lasted)
        backoff_reset(&r->main.backoff);
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
    return before ? kinf_recover_backoff(inf, &r->main) : 0;
}

static void no_stream(struct kinf_informer *inf)
{
    struct kinf_reflector *r = &inf->reflector;

    r->stream_off = true;
    r->at_ms[AT_STREAM] = now_of(inf) + CONFIG_KINF_STREAM_RETRY_MS;
    r->cut_streams = 0;
}

/* A streaming list failed before its end. Returns whether the paged list is to
 * follow at once. */
static bool after_stream(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;

    r->listing = false;
    switch (err) {
    case KINF_ERR_NO_STREAM:
    case KINF_ERR_TIMEOUT:
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
        r->listing = r->want_list = r->from_latest = r->verifying = false;
        inf->relisting = inf->store.by_bytes = false;
        inf->store.freed = true; /* what it was to fetch is looked for again */
    } else if (r->page_len == 0 || err == KINF_ERR_JSON ||
               err == KINF_ERR_INVALID) {
        r->listing = false; /* anew: the same page might never be good */
    }
}

/* What a quick retry would meet again. */
static bool denied(int err)
{
    return err == KINF_ERR_FORBIDDEN || err == KINF_ERR_NO_RESOURCE ||
           err == KINF_ERR_METHOD || err == KINF_ERR_RECORD;
}

/* Framing was lost: once may be the road's fault, twice at one version is the
 * server's, and only a list gets past it. While the list is broken, too, what
 * stands behind that place is not known. */
static void after_broken(struct kinf_reflector *r)
{
    if (is_watch(r) && same_version(&r->broken_at, &r->version))
        r->can_resume = false;
    r->broken_at = r->version;
    if (!r->can_resume)
        r->incomplete = true;
}

static uint32_t wait_after(struct kinf_informer *inf, int err)
{
    struct kinf_reflector *r = &inf->reflector;
    bool lasted = had_lasted(inf);
    uint32_t spread_ms = inf->k->config->spread_ms;

    if (err == KINF_ERR_GONE || err == KINF_ERR_VERSION_AHEAD)
        return after_gone(inf);
    if (is_stream(r) && r->listing && after_stream(inf, err))
        return 0;
    if (r->main.request.type == KINF_REQUEST_LIST)
        after_page(inf, err);
    if (err == KINF_ERR_JSON)
        after_broken(r);
    /* A record too large for TLS comes again at this version; a list does not
     * show what was deleted since. */
    if ((err == KINF_ERR_INVALID || err == KINF_ERR_RECORD) && is_watch(r))
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
               random_below(inf, CONFIG_KINF_DENIED_MS / 4);
    }
    if (!lasted)
        return kinf_recover_backoff(inf, &r->main);
    return r->main.item.retry_after_ms +
           random_below(inf, spread_ms > 0 ? spread_ms : 1000);
}

/* Watches that end, however they end, and showed nothing: three in a row are
 * as doubtful as a long one. A proxy may cut each before it is. */
void kinf_recover_note_silence(struct kinf_reflector *r)
{
    if (is_watch(r) && r->main.opened && !r->main.had_event &&
        r->silent < UINT8_MAX)
        r->silent++;
}

uint32_t kinf_recover(struct kinf_informer *inf, int err)
{
    kinf_recover_note_silence(&inf->reflector);
    return wait_after(inf, err);
}
