/* SPDX-License-Identifier: Apache-2.0 */
/* controller.h - pops deltas, applies them to the store, tells the processor.
 *
 * The store decides the callback, not the event: a known key with the same uid
 * was updated, with another uid it was deleted (unseen) and added again, an
 * unknown key was added. The store is changed before the callback. */
#ifndef KINF_INFORMER_CONTROLLER_H
#define KINF_INFORMER_CONTROLLER_H

#include "kinformer.h"

/* Applies deltas: at most budget callbacks' worth, and about entries entries
 * looked at by a sweep. Returns whether there is more to do at once. */
bool kinf_controller_apply(struct kinf_informer *inf, uint32_t budget,
                           uint32_t entries);

/* Moves the version that is known to be delivered to all. */
void kinf_controller_mark(struct kinf_informer *inf);

/* Is something in the FIFO that waits for nobody? */
bool kinf_controller_ready(const struct kinf_informer *inf);

#endif
