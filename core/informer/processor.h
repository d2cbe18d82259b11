/* SPDX-License-Identifier: Apache-2.0 */
/* processor.h - from an applied delta to each handler, at the handler's pace.
 *
 * An "every" listener has a ring of notifications, each holding the state that
 * was and the state that is. A "latest" listener has a link an entry and keeps
 * a line of entries that have something to show; what it shows is looked up
 * when its turn comes. A delta is applied only when every ring has a place.
 *
 * A listener that comes late, and a resync, walk the entries by a cursor. Of
 * entries ahead of a late listener's cursor it is shown nothing: the cursor
 * will show their outcome. In a ring the cursor and live events take turns. */
#ifndef KINF_INFORMER_PROCESSOR_H
#define KINF_INFORMER_PROCESSOR_H

#include "kinformer.h"

/* Has every ring a place for one more notification? */
bool kinf_processor_room(const struct kinf_informer *inf);

/* Flags of a notification. */
enum { KINF_NOTE_INITIAL = 8, KINF_NOTE_UNKNOWN_END = 16 };

/* Tells all listeners that entry went from one record to another (either may
 * be none). */
void kinf_processor_notify(struct kinf_informer *inf, kinf_idx entry,
                           const struct kinf_slot *step);

/* Calls handlers, at most budget times. Returns how often it did. */
uint32_t kinf_processor_deliver(struct kinf_informer *inf, uint32_t budget);

/* Does anything walk the entries by a cursor? */
#define PROCESSOR_WALKS                                                        \
    (CONFIG_KINF_LATE || CONFIG_KINF_RESYNC || CONFIG_KINF_STOP)

/* Moves cursors of late listeners and resyncs, and clears what removed ones
 * left; looks at about budget entries. Returns whether it should be called
 * again at once. */
bool kinf_processor_cursors(struct kinf_informer *inf, uint32_t budget);

/* Notes which handlers have seen the whole initial list by now. */
void kinf_processor_note_synced(struct kinf_informer *inf);

/* Milliseconds until a handler's wait or a resync is over. */
uint32_t kinf_processor_wait(const struct kinf_informer *inf);

/* Drops everything undelivered and frees all listeners. */
void kinf_processor_stop(struct kinf_informer *inf);

#endif
