/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - waits that double, spread over [d, 2d) (client-go's reflector).
 *
 * The random number is an argument. Who owns it resets it, and only after a
 * connection has lasted longer than the cap: a server that takes connections
 * and then dies must not be asked every second for ever. */
#ifndef KINF_BASE_BACKOFF_H
#define KINF_BASE_BACKOFF_H

#include "kinformer.h"

/* Returns the next wait in ms, of d and at_least the later with a random part
 * of d on top, and doubles the one after it, up to the cap. Those who were told
 * to wait equally long do not come back together either. */
static inline uint32_t backoff_next(struct kinf_backoff *b, uint32_t at_least,
                                    uint32_t random)
{
    uint32_t d = b->next_ms != 0 ? b->next_ms : CONFIG_KINF_BACKOFF_MS;

    b->next_ms = d < CONFIG_KINF_BACKOFF_CAP_MS / 2
                     ? d * 2
                     : CONFIG_KINF_BACKOFF_CAP_MS;
    return (d > at_least ? d : at_least) + random % d;
}

static inline void backoff_reset(struct kinf_backoff *b)
{
    b->next_ms = 0;
}

#endif
