/* SPDX-License-Identifier: Apache-2.0 */
/* delta_fifo.c - a ring of deltas; see delta_fifo.h.
 *
 * head and tail count for ever. Since the depth need not be a power of two,
 * they are brought back below twice the depth at each pop. */
#define KINF_FILE 4
#include "delta_fifo.h"

#include "base/assert.h"
#include "store.h"

struct kinf_delta *kinf_fifo_first(struct kinf_delta_fifo *f)
{
    KINF_ASSERT(fifo_len(f) > 0);
    return &f->slots[f->head % f->size];
}

struct kinf_delta *kinf_fifo_push(struct kinf_delta_fifo *f,
                                  struct kinf_store *s, kinf_idx entry,
                                  kinf_idx record)
{
    struct kinf_delta *d = &f->slots[f->tail % f->size];

    KINF_ASSERT(!fifo_full(f));
    d->entry = entry;
    d->record = record;
    if (entry != KINF_NONE)
        s->entries[entry].queued++;
    kinf_store_ref(s, record);
    f->tail++;
    if (f->high < fifo_len(f))
        f->high = fifo_len(f);
    return d;
}

void kinf_fifo_pop(struct kinf_delta_fifo *f, struct kinf_store *s)
{
    struct kinf_delta d = *kinf_fifo_first(f);

    f->head++;
    if (f->head >= f->size) {
        f->head -= f->size;
        f->tail -= f->size;
    }
    if (d.entry != KINF_NONE)
        s->entries[d.entry].queued--;
    kinf_store_unref(s, d.record);
    if (d.entry != KINF_NONE)
        kinf_store_settle(s, d.entry);
}
