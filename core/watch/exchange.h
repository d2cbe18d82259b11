/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - one request to a source and the times of its answer.
 *
 * While nobody reads (room or a handler is awaited) the answer's clock stands
 * still: all its points in time are moved on when reading goes on. */
#ifndef KINF_WATCH_EXCHANGE_H
#define KINF_WATCH_EXCHANGE_H

#include "kinformer.h"

void kinf_exchange_init(struct kinf_exchange *x,
                        const struct kinf_list_watch_ops *ops, void *ctx);
/* Asks what x->request says. KINF_ERR_AGAIN: in line. */
int kinf_exchange_ask(struct kinf_exchange *x, uint32_t now_ms);
/* Goes on; see struct kinf_list_watch_ops. An object that was announced has got
 * its sink. */
int kinf_exchange_next(struct kinf_exchange *x, uint32_t now_ms);
static inline void exchange_pause(struct kinf_exchange *x, uint32_t now_ms)
{
    if (x->paused)
        return;
    x->paused = true;
    x->paused_ms = now_ms;
}

void kinf_exchange_close(struct kinf_exchange *x);

#endif
