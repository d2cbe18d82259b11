/* SPDX-License-Identifier: Apache-2.0 */
/* reflector.h - keeps the FIFO in step with the server: list, watch, resume,
 * list again.
 *
 *   WAIT -> ASK -> READ (a list's page, a streaming list, a watch)
 *    ^       ^______|  next page, watch after list, watch after watch
 *    |______________|  anything that failed, after the backoff
 *   READ -> MARK (the list is whole: its sweep marker needs a place) -> ASK
 *
 * Beside it, on the session for single requests: a probe when the server is in
 * doubt, and fetches of objects that had no room. */
#ifndef KINF_WATCH_REFLECTOR_H
#define KINF_WATCH_REFLECTOR_H

#include "kinformer.h"

void kinf_reflector_init(struct kinf_informer *inf);

/* Takes in at most events objects and events. Returns whether there is more to
 * do at once. */
bool kinf_reflector_step(struct kinf_informer *inf, uint32_t events);

/* Is something on its way to the handlers, which may still give room back? */
bool kinf_reflector_in_flight(const struct kinf_informer *inf);

/* Has room come for what it held back? */
bool kinf_reflector_ready(struct kinf_informer *inf);

/* Milliseconds until something is due. */
uint32_t kinf_reflector_wait(const struct kinf_informer *inf);

/* Closes what is open, unread. */
void kinf_reflector_stop(struct kinf_informer *inf);

/* Fills phase, times and what is known of the cache's wholeness. */
void kinf_reflector_status(const struct kinf_informer *inf,
                           struct kinf_status *out);

/* Does the cache hold every key of the server, as far as we know? */
bool kinf_reflector_whole(const struct kinf_informer *inf);

#endif
