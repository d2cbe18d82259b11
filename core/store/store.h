/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - entries (keys) and records (one state of a key each).
 *
 *   bucket -> entry -> entry      chained through slots: no tombstones, so
 *               |  \              that churn at constant size costs nothing
 *         newest    current
 *            |         |
 *          record    record -> payload in the arena
 *
 * newest was received last: the wire is compared with it and the key is read
 * from it. current is applied: listers and handlers see it. In between a state
 * waits in the FIFO. settled is what the payloads will take once all that is
 * queued is applied; a payload is taken only if one more largest object then
 * still fits, so the next object can always be read in the end.
 *
 * Invariants (kinf_store_check): each taken entry is in its chain and has a
 * newest record; settled is the sum over entries; refs of a record are
 * newest + current + deltas + notifications; no two payloads overlap. */
#ifndef KINF_STORE_STORE_H
#define KINF_STORE_STORE_H

#include "base/span.h"
#include "kinformer.h"

enum {
    STORE_TAKEN = 1, /* a new record, to be queued */
    STORE_SAME,      /* what we hold: stamped, nothing to do */
    STORE_NO_ENTRY   /* no place for its key */
};

/* ---- receiving ---- */

/* Keeps the head of the arena free for one object (see arena_head). in_flight:
 * something may still give room back. KINF_ERR_AGAIN when that has to be waited
 * for. */
int kinf_store_reserve(struct kinf_store *s, bool in_flight);
/* Takes what was written to the sink, or its identity, or nothing; ends the
 * reservation. When STORE_TAKEN, entry is filled: the new record is its newest
 * (and that its one reference). */
int kinf_store_receive(struct kinf_store *s, const struct kinf_item *item,
                       const struct kinf_sink *sink, kinf_idx *entry);
/* The key was deleted: returns its entry, or none if it is unknown or gone. */
kinf_idx kinf_store_receive_delete(struct kinf_store *s,
                                   const struct kinf_item *item);
static inline void store_release(struct kinf_store *s)
{
    s->reserved = false;
}

/* The entry of a key (its name, then its namespace), or none. */
kinf_idx kinf_store_find(const struct kinf_store *s,
                         const struct kinf_span key[2]);

/* ---- generations of lists ---- */

/* Begins a list. KINF_ERR_AGAIN: stamps are being cleared before the number
 * wraps, call again. */
int kinf_store_new_generation(struct kinf_store *s);

/* ---- applying ---- */

/* Makes record (or none) the current one. The old one loses a reference: who
 * needs it takes one first. */
void kinf_store_apply(struct kinf_store *s, kinf_idx entry, kinf_idx record);
/* The newest state of the key is a deletion: it was told so, or a sweep has
 * found it. */
void kinf_store_note_gone(struct kinf_store *s, kinf_idx entry);
/* Gives an entry back if nothing needs it, or shrinks a deleted one to its
 * key if only "latest" handlers do. */
void kinf_store_settle(struct kinf_store *s, kinf_idx entry);

/* Counts a user of a record more or less; none is legal. */
void kinf_store_ref(struct kinf_store *s, kinf_idx record);
void kinf_store_unref(struct kinf_store *s, kinf_idx record);

/* ---- reading ---- */

static inline bool store_has(const struct kinf_store *s, uint32_t entry)
{
    return (s->entry_pool.map[entry / 32] >> (entry % 32) & 1u) != 0;
}
void kinf_store_view(const struct kinf_store *s, kinf_idx record,
                     struct kinf_object *out);
bool kinf_store_same_uid(const struct kinf_store *s, kinf_idx a, kinf_idx b);
/* What the key takes in the arena once all that is queued is applied. */
uint32_t kinf_store_cost(const struct kinf_store *s, kinf_idx entry);
/* Would an object of this size, at most object_bytes, now be taken for this
 * entry? */
bool kinf_store_fits(const struct kinf_store *s, kinf_idx entry,
                     uint32_t size);

#endif
