/* SPDX-License-Identifier: Apache-2.0 */
/* controller.c - from the FIFO to the store; see controller.h. */
#define KINF_FILE 11
#include "controller.h"

#include "base/assert.h"
#include "base/feature.h"
#include "base/span.h"
#include "processor.h"
#include "store/delta_fifo.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

/* Where a ring has no place, a call that could be made may get it one. */
bool kinf_controller_ready(const struct kinf_informer *inf)
{
    return fifo_len(&inf->fifo) > 0 &&
           (kinf_processor_room(inf) || kinf_processor_wait(inf) == 0);
}

/* Changes the current record of a key and tells everybody. The old one is held
 * until all have taken their reference. */
static void change(struct kinf_informer *inf, kinf_idx entry, kinf_idx now,
                   unsigned flags)
{
    struct kinf_store *s = &inf->store;
    struct kinf_slot step = { s->entries[entry].current, now, (uint8_t)flags };

    if (!inf->synced)
        step.flags |= KINF_NOTE_INITIAL;
    kinf_store_ref(s, step.was);
    KINF_ASKS(inf->k);
    kinf_store_apply(s, entry, now);
    KINF_ASKED(inf->k);
    kinf_processor_notify(inf, entry, &step);
    kinf_store_unref(s, step.was);
}

/* Goes on with a sweep: deletes what the list did not hold, one key a call.
 * Returns true at its end. */
static bool sweep(struct kinf_informer *inf, const struct kinf_delta *d,
                  uint32_t *entries)
{
    struct kinf_store *s = &inf->store;

    for (; *entries > 0 && inf->sweep_at < s->entry_pool.high; --*entries) {
        kinf_idx at = (kinf_idx)inf->sweep_at++;
        struct kinf_entry *e = &s->entries[at];

        if (!store_has(s, at) || e->current == NONE ||
            e->generation >= d->generation)
            continue;
        KINF_ASSERT(e->queued == 0); /* what was queued has stamped it */
        inf->counters.swept++;
        kinf_store_note_gone(s, at);
        change(inf, at, NONE, KINF_NOTE_UNKNOWN_END);
        kinf_store_settle(s, at);
        break;
    }
    return inf->sweep_at == s->entry_pool.high;
}

static void end_list(struct kinf_informer *inf)
{
    inf->sweep_at = 0;
    inf->sweeping = false;
    inf->relisting = inf->reflector.listing; /* the next may have begun */
    inf->synced = true;
}

/* Applies the first step of the oldest delta that is left. Returns whether the
 * delta is done. */
static bool apply(struct kinf_informer *inf, struct kinf_delta *d,
                  uint32_t *entries)
{
    const struct kinf_store *s = &inf->store;
    kinf_idx current;

    switch ((enum kinf_delta_type)d->type) {
    case KINF_DELTA_BOOKMARK:
        return true;
    case KINF_DELTA_SWEEP:
        inf->sweeping = true;
        if (!sweep(inf, d, entries))
            return false;
        end_list(inf);
        return true;
    case KINF_DELTA_LIST_END:
        end_list(inf);
        return true;
    case KINF_DELTA_DELETED:
        change(inf, d->entry, NONE, 0);
        return true;
    case KINF_DELTA_ADDED:
    case KINF_DELTA_UPDATED:
    case KINF_DELTA_REPLACED:
        current = s->entries[d->entry].current;
        if (current != NONE && !kinf_store_same_uid(s, current, d->record)) {
            change(inf, d->entry, NONE, KINF_NOTE_UNKNOWN_END);
            return false;
        }
        change(inf, d->entry, d->record, 0);
        return true;
    default:
        KINF_UNREACHABLE("delta type is corrupt");
        return true;
    }
}

bool kinf_controller_apply(struct kinf_informer *inf, uint32_t budget,
                           uint32_t entries)
{
    while (fifo_len(&inf->fifo) > 0) {
        struct kinf_delta *d = kinf_fifo_first(&inf->fifo);

        if (!kinf_processor_room(inf))
            return false;
        if (budget-- == 0 || entries == 0)
            return true;
        if (!apply(inf, d, &entries))
            continue;
        if (d->version.len > 0)
            kinf_version_copy(&inf->stored, &d->version);
        kinf_fifo_pop(&inf->fifo, &inf->store);
    }
    return false;
}

/* ---- what everybody has seen -------------------------------------------- */

void kinf_controller_mark(struct kinf_informer *inf)
{
    struct kinf_listener *l = inf->processor.listeners;

    while (l != NULL && (is_removed(l) || !inf->marking ||
                         (int32_t)(l->popped - l->mark) >= 0))
        l = l->next;
    if (l != NULL)
        return;
    if (inf->marking)
        kinf_version_copy(&inf->delivered, &inf->marked);
    kinf_version_copy(&inf->marked, &inf->stored);
    inf->marking = true;
    for (l = inf->processor.listeners; l != NULL; l = l->next)
        l->mark = l->pushed;
}
