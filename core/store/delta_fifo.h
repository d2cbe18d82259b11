/* SPDX-License-Identifier: Apache-2.0 */
/* delta_fifo.h - what happened to which key, between wire and store.
 *
 * The name, the delta types and the known objects are DeltaFIFO's, the order is
 * RealFIFO's (client-go builds on it since 1.33): one place a delta, in wire
 * order across keys, and each key counts its queued deltas. The depth is fixed:
 * when it is reached nobody reads the wire. */
#ifndef KINF_STORE_DELTA_FIFO_H
#define KINF_STORE_DELTA_FIFO_H

#include "kinformer.h"

static inline uint32_t fifo_len(const struct kinf_delta_fifo *f)
{
    return f->len;
}

static inline bool fifo_full(const struct kinf_delta_fifo *f)
{
    return fifo_len(f) == f->size;
}

/* The oldest delta; the FIFO must not be empty. */
struct kinf_delta *kinf_fifo_first(struct kinf_delta_fifo *f);

/* Appends a delta of the newest state of entry (which may be none), counted in
 * both. The FIFO must not be full. Returns it, to be completed. */
struct kinf_delta *kinf_fifo_push(struct kinf_delta_fifo *f,
                                  struct kinf_store *s, kinf_idx entry);

/* Drops the oldest. */
void kinf_fifo_pop(struct kinf_delta_fifo *f, struct kinf_store *s);

#endif
