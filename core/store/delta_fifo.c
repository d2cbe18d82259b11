/* SPDX-License-Identifier: Apache-2.0 */
/* delta_fifo.c - a ring of deltas; see delta_fifo.h. */
#define KINF_FILE 4
#include "delta_fifo.h"

#include "base/assert.h"
#include "store.h"

static struct kinf_delta *slot(struct kinf_delta_fifo *f, uint32_t n)
{
    return &f->slots[(f->head + n) % f->size];
}

struct kinf_delta *kinf_fifo_first(struct kinf_delta_fifo *f)
{
    KINF_ASSERT(f->len > 0);
    return slot(f, 0);
}

struct kinf_delta *kinf_fifo_push(struct kinf_delta_fifo *f,
                                  struct kinf_store *s, kinf_idx entry)
{
    struct kinf_delta *d = slot(f, f->len);

    KINF_ASSERT(!fifo_full(f));
    d->entry = entry;
    d->record = (kinf_idx)KINF_NONE;
    if (entry != KINF_NONE) {
        struct kinf_entry *e = &s->entries[entry];

        e->queued++;
        if (!e->gone)
            d->record = e->newest;
        kinf_store_ref(s, d->record);
    }
    f->len++;
    if (f->high < f->len)
        f->high = f->len;
    return d;
}

void kinf_fifo_pop(struct kinf_delta_fifo *f, struct kinf_store *s)
{
    const struct kinf_delta *d = kinf_fifo_first(f);

    f->head = (f->head + 1) % f->size;
    f->len--;
    kinf_store_unref(s, d->record);
    if (d->entry == KINF_NONE)
        return;
    s->entries[d->entry].queued--;
    kinf_store_settle(s, d->entry);
}
