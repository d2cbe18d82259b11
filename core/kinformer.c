/* SPDX-License-Identifier: Apache-2.0 */
/* kinformer.c - the loop: sees everything, owns the order and the budget.
 *
 * From the handler end backwards: deliver, apply, receive, so that each round
 * frees room before it fills it. What one event leads to is then carried
 * through to its handler in the same poll, if the budget allows. */
#define KINF_FILE 30
#include "base/assert.h"
#include "base/deadline.h"
#include "base/feature.h"
#include "informer/controller.h"
#include "informer/processor.h"
#include "informer/shared_informer.h"
#include "store/arena.h"
#include "store/delta_fifo.h"
#include "store/indexer.h"
#include "watch/reflector.h"
#include "watch/session.h"

const uint8_t KINF_ABI = 1;

/* Left out, all of them are one. */
#define WORDS(text) (CONFIG_KINF_ERROR_TEXTS ? (text) : "")

const char *kinf_strerror(int err)
{
    switch (err) {
    case KINF_OK:
        return WORDS("well");
#define X(name, code, text)                                                    \
    case KINF_ERR_##name:                                                      \
        return WORDS(text);
        KINF_ERR_MAP(X)
#undef X
    default:
        return WORDS("unknown error");
    }
}

void kinf_init_abi(struct kinf *k, const struct kinf_config *config,
                   const uint8_t *abi)
{
    const struct kinf_platform *p = config->platform;

    KINF_ASSERT(*abi == KINF_ABI);
    KINF_ASSERT(config->host.len > 0);
    *k = (struct kinf){ .config = config };
    p->random(p->ctx, k->hash_key, sizeof(k->hash_key));
    k->now_ms = p->now_ms(p->ctx);
}

void kinf_wake(struct kinf *k)
{
    k->woken = true;
}

void kinf_start(struct kinf *k)
{
    for (struct kinf_informer *i = k->informers; i != NULL; i = i->next)
        kinf_informer_start(i);
}

bool kinf_synced(struct kinf *k, struct kinf_informer **missing)
{
    struct kinf_informer *i = k->informers;

    while (i != NULL && (!i->started || i->synced))
        i = i->next;
    if (missing != NULL)
        *missing = i;
    return i == NULL;
}

void kinf_stop(struct kinf *k)
{
    KINF_ASSERT(CONFIG_KINF_STOP);
    for (struct kinf_informer *i = k->informers; i != NULL; i = i->next)
        kinf_informer_stop(i);
    k->stopping = true;
    kinf_wake(k);
}

bool kinf_stopped(const struct kinf *k)
{
    return k->stopping && k->informers == NULL;
}

size_t kinf_waits(const struct kinf *k, struct kinf_wait *out, size_t max)
{
    size_t n = 0;

    for (const struct kinf_session *s = k->sessions; s != NULL; s = s->next) {
        struct kinf_transport_status status = { .wants = 0 };

        if (n < max) {
            if (s->waits)
                s->ops->status(s->ctx, &status);
            out[n] = (struct kinf_wait){ s->ctx, status.wants };
        }
        n++;
    }
    return n;
}

void kinf_reload(struct kinf *k, void (*closed)(void *ctx), void *ctx)
{
    KINF_ASSERT(CONFIG_KINF_RELOAD);
    k->closed = closed;
    k->closed_ctx = ctx;
    k->reloading = true;
    kinf_wake(k);
}

/* Once nobody uses a connection any more, the old credentials can go. */
static void step_reload(struct kinf *k)
{
    struct kinf_session *s = k->sessions;

    while (s != NULL && s->owner == NULL)
        s = s->next;
    if (s != NULL)
        return;
    for (s = k->sessions; s != NULL; s = s->next) {
        kinf_session_close(s);
        if (s->ops->forget != NULL)
            s->ops->forget(s->ctx);
    }
    k->reloading = false;
    k->closed(k->closed_ctx);
    kinf_wake(k);
}

/* Returns whether there is more to do at once. */
static bool step_informer(struct kinf_informer *inf)
{
    const uint32_t events = CONFIG_KINF_POLL_EVENTS;
    const uint32_t entries = CONFIG_KINF_POLL_ENTRIES;
    bool more = kinf_arena_compact(&inf->store, CONFIG_KINF_COMPACT_BYTES);

    more |= kinf_processor_deliver(inf, events) == events;
    more |= kinf_controller_apply(inf, events, entries);
    if (PROCESSOR_WALKS)
        more |= kinf_processor_cursors(inf, entries);
    if (CONFIG_KINF_INDEXES) {
        KINF_ASKS(inf->k);
        more |= kinf_index_build(&inf->store, entries);
        KINF_ASKED(inf->k);
    }
    more |= kinf_reflector_step(inf, events);
    if (kinf_reflector_in_flight(inf)) {
        more |= kinf_controller_apply(inf, events, entries);
        more |= kinf_processor_deliver(inf, events) == events;
    }
    more |= kinf_controller_ready(inf);
    more |= kinf_reflector_ready(inf);
    more |= arena_wanted(&inf->store);
    kinf_processor_note_synced(inf);
    kinf_controller_mark(inf);
    return more;
}

static uint32_t sleep_of(const struct kinf_informer *inf)
{
    return earlier_ms(kinf_processor_wait(inf), kinf_reflector_wait(inf));
}

/* Steps one informer; returns how long it can sleep. */
KINF_APART static uint32_t poll_informer(struct kinf_informer *inf)
{
    bool more = false;

    if (inf->started && !is_stopping(inf))
        more = step_informer(inf);
    if (is_stopping(inf)) {
        kinf_informer_end(inf);
        return 0;
    }
    if (!inf->started)
        return UINT32_MAX;
    return more ? 0 : sleep_of(inf);
}

static uint32_t poll_session(struct kinf_session *s)
{
    uint32_t wait = UINT32_MAX;

    if (s->get_step != NULL)
        wait = s->get_step(s);
    if (CONFIG_KINF_STOP && s->k->stopping && s->owner == NULL)
        kinf_session_close(s);
    return earlier_ms(wait, kinf_session_wait(s));
}

uint32_t kinf_poll(struct kinf *k)
{
    const struct kinf_platform *p = k->config->platform;
    uint32_t sleep = UINT32_MAX;

    KINF_ASSERT(k->polling == 0);
    k->polling = 1;
    k->woken = false;
    k->now_ms = p->now_ms(p->ctx);
    for (struct kinf_session *s = k->sessions; s != NULL; s = s->next)
        kinf_session_begin_poll(s);
    for (struct kinf_informer *i = k->informers, *next; i != NULL; i = next) {
        next = i->next;
        sleep = earlier_ms(sleep, poll_informer(i));
    }
    for (struct kinf_session *s = k->sessions; s != NULL; s = s->next)
        sleep = earlier_ms(sleep, poll_session(s));
    if (is_reloading(k))
        step_reload(k);
    k->polling = 0;
    return k->woken ? 0 : sleep;
}

struct kinf_informer *kinf_informer_for(struct kinf *k,
                                        const struct kinf_resource *resource,
                                        struct kinf_span namespace_,
                                        struct kinf_span label_selector)
{
    struct kinf_informer *i = k->informers;

    while (i != NULL && !kinf_informer_is(i, resource, namespace_,
                                          label_selector))
        i = i->next;
    return i;
}
