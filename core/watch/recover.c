/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c - what an error leads to: resume, list again, wait; see parts.h.
 *
 * The one place that decides it. Everywhere else errors pass unchanged. */
#define KINF_FILE 26
#include "base/assert.h"
#include "base/backoff.h"
#include "parts.h"

/* Errors by their magnitudes, as the counters have them: small numbers above
 * zero are what a processor of the Thumb kind compares in two bytes. */
enum {
#define X(name, code, text) CODE_##name = -(code),
    KINF_ERR_MAP(X)
#undef X
};

static bool same_version(const struct kinf_version *a,
                         const struct kinf_version *b)
{
    return memcmp(a, b, offsetof(struct kinf_version, text) + a->len) == 0;
}

uint32_t kinf_recover_backoff(struct kinf_informer *inf,
                              struct kinf_exchange *x)
{
    return backoff_next(&x->backoff, x->item.retry_after_ms,
                        kinf_reflector_random(inf, UINT32_MAX));
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
static bool after_stream(struct kinf_informer *inf, unsigned code)
{
    struct kinf_reflector *r = &inf->reflector;

    r->listing = false;
    switch (code) {
    case CODE_NO_STREAM:
    case CODE_TIMEOUT:
        if (!r->main.opened && code == CODE_TIMEOUT)
            return false;
        no_stream(inf);
        return true;
    case CODE_CUT:
    case CODE_CLOSED:
    case CODE_JSON: /* who takes it for a watch may tell it for ever */
        if (r->main.opened && ++r->cut_streams >= 2)
            no_stream(inf);
        return false;
    default:
        return false;
    }
}

/* A list's page failed. The next try goes on with the same page, unless
 * nothing of the list was taken in yet and there is something to resume. */
KINF_APART static void after_page(struct kinf_informer *inf, unsigned code)
{
    struct kinf_reflector *r = &inf->reflector;
    uint32_t lasted = now_of(inf) - r->main.opened_ms;

    if (r->main.opened && lasted >= 50000 &&
        (code == CODE_CUT || code == CODE_CLOSED) && r->page_limit > 1)
        r->page_limit /= 2;
    if (r->can_resume) {
        r->listing = r->want_list = r->from_latest = r->verifying = false;
        inf->relisting = inf->store.by_bytes = false;
        inf->store.freed = true; /* what it was to fetch is looked for again */
    } else if (r->page_len == 0 || code == CODE_JSON ||
               code == CODE_INVALID) {
        r->listing = false; /* anew: the same page might never be good */
    }
}

/* What a quick retry would meet again. */
static bool denied(unsigned code)
{
    return code == CODE_FORBIDDEN || code == CODE_NO_RESOURCE ||
           code == CODE_METHOD || code == CODE_RECORD;
}

/* Framing was lost: once may be the road's fault, twice at one version is the
 * server's, and only a list gets past it. While the list is broken, too, what
 * stands behind that place is not known. */
static void after_broken(struct kinf_reflector *r)
{
    if (is_watch(r) && same_version(&r->broken_at, &r->version))
        r->can_resume = false;
    kinf_version_copy(&r->broken_at, &r->version);
    if (!r->can_resume)
        r->incomplete = true;
}

static uint32_t wait_after(struct kinf_informer *inf, unsigned code)
{
    struct kinf_reflector *r = &inf->reflector;
    bool lasted = had_lasted(inf);
    uint32_t spread_ms;

    if (code == CODE_GONE || code == CODE_VERSION_AHEAD)
        return after_gone(inf);
    if (is_stream(r) && r->listing && after_stream(inf, code))
        return 0;
    if (r->main.request.type == KINF_REQUEST_LIST)
        after_page(inf, code);
    if (code == CODE_JSON)
        after_broken(r);
    /* A record too large for TLS comes again at this version; a list does not
     * show what was deleted since. */
    if ((code == CODE_INVALID || code == CODE_RECORD) && is_watch(r))
        r->can_resume = false;
    if (code == CODE_AUTH && !r->auth_tried) {
        r->auth_tried = true;
        return 0;
    }
    if (CONFIG_KINF_POLLING && code == CODE_METHOD &&
        inf->config->poll_ms > 0 &&
        r->main.request.type != KINF_REQUEST_LIST) {
        r->no_watch = true;
        r->can_resume = false;
        return inf->config->poll_ms;
    }
    if (denied(code)) {
        r->denied = true;
        return CONFIG_KINF_DENIED_MS +
               kinf_reflector_random(inf, CONFIG_KINF_DENIED_MS / 4);
    }
    if (!lasted)
        return kinf_recover_backoff(inf, &r->main);
    spread_ms = inf->k->config->spread_ms;
    return r->main.item.retry_after_ms +
           kinf_reflector_random(inf, spread_ms > 0 ? spread_ms : 1000);
}

/* Watches that end, however they end, and showed nothing: three in a row are
 * as doubtful as a long one. A proxy may cut each before it is. */
void kinf_recover_note_silence(struct kinf_reflector *r)
{
    if (is_watch(r) && r->main.opened && !r->main.had_event &&
        r->silent < UINT8_MAX)
        r->silent++;
}

uint32_t kinf_recover(struct kinf_informer *inf, unsigned code)
{
    kinf_recover_note_silence(&inf->reflector);
    return wait_after(inf, code);
}
