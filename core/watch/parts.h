/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - what the parts of the reflector share; nobody else includes it.
 *
 *   reflector.c  the machine: ask, read, next
 *   receive.c    whole items into store and FIFO
 *   recover.c    what an error leads to
 *   single.c     probes, fetches, and when a list is wanted
 *
 * A thing that is due at a time is one function that tells how long until then
 * (0: now, NEVER: it is not wanted). The step acts when it is 0, and the sleep
 * is the least of them: the two cannot differ. */
#ifndef KINF_WATCH_PARTS_H
#define KINF_WATCH_PARTS_H

#include "base/deadline.h"
#include "base/feature.h"
#include "base/span.h"
#include "store/delta_fifo.h"

#define NEVER UINT32_MAX

/* States of an exchange: it waits for its time, then for the session, then for
 * the answer. MARK: the list is whole, its sweep marker needs a place. */
enum { WAIT, ASK, READ, MARK, STOPPED };

/* Points in time of a reflector. */
enum { AT_MAIN, AT_ASIDE, AT_REPAIR, AT_PROBE, AT_STREAM, AT_VERIFY,
       AT_FETCH, AT_COUNT };
_Static_assert(sizeof(((struct kinf_reflector *)0)->at_ms) ==
                   AT_COUNT * sizeof(uint32_t), "a place for each");

static inline uint32_t now_of(const struct kinf_informer *inf)
{
    return inf->k->now_ms;
}

/* Milliseconds until a point, 0 when it is past. */
uint32_t kinf_reflector_left(const struct kinf_informer *inf, uint32_t at_ms);

/* A random number below end. */
uint32_t kinf_reflector_random(const struct kinf_informer *inf, uint32_t end);

static inline uint32_t later_ms(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline struct kinf_span version_span(const struct kinf_version *v)
{
    return span_of(v->text, v->len);
}

static inline bool is_watch(const struct kinf_reflector *r)
{
    return r->main.request.type == KINF_REQUEST_WATCH;
}

static inline bool is_stream(const struct kinf_reflector *r)
{
    return CONFIG_KINF_STREAMING &&
           r->main.request.type == KINF_REQUEST_STREAM;
}

/* ---- reflector.c ---- */

/* An empty request of a type, to be filled and asked. */
struct kinf_request *kinf_reflector_prepare(struct kinf_exchange *x,
                                            enum kinf_request_type type);
/* Ends what runs. The next request follows after a while, at once if 0. */
void kinf_reflector_finish(struct kinf_informer *inf, struct kinf_exchange *x,
                           uint32_t wait_ms);

/* ---- receive.c ---- */

/* Tells of an error: counter, status, the user's on_error. of_object: it is
 * about the object that item is of, as far as that was read. */
void kinf_reflector_tell(struct kinf_informer *inf, int err,
                         const struct kinf_item *item, bool of_object);
/* Something whole came: the server is there and answers. */
void kinf_reflector_contact(struct kinf_informer *inf);

void kinf_receive_set_version(struct kinf_version *v,
                              const struct kinf_span *text);
/* Can an object be taken in? keep: it is one that lives, and what it may take
 * is reserved. */
bool kinf_receive_can(struct kinf_informer *inf, bool keep);
/* Makes sure that what comes can be taken in; KINF_ERR_AGAIN if it must wait.
 * x receives then, until kinf_receive_end. */
int kinf_receive_room(struct kinf_informer *inf, struct kinf_exchange *x);
void kinf_receive_end(struct kinf_informer *inf,
                      const struct kinf_exchange *x);
/* Takes in a whole item or event. Returns KINF_OK or why the request ends. */
int kinf_receive_item(struct kinf_informer *inf, struct kinf_exchange *x);
/* The list is whole: its sweep marker goes into the FIFO, which has room. */
void kinf_receive_list_end(struct kinf_informer *inf);
/* Takes in the answer to a fetch, if it still counts. */
void kinf_receive_fetched(struct kinf_informer *inf);

/* ---- recover.c ---- */

/* How long to wait after an error of the main request, and what follows. */
uint32_t kinf_recover(struct kinf_informer *inf, unsigned code);
/* A watch has ended, somehow. */
void kinf_recover_note_silence(struct kinf_reflector *r);
/* The next wait of an exchange's backoff. */
uint32_t kinf_recover_backoff(struct kinf_informer *inf,
                              struct kinf_exchange *x);

/* ---- single.c ---- */

/* Begins the single request that is due. Returns whether something was, and is
 * over: a search for what to fetch may take several polls. */
bool kinf_single_begin(struct kinf_informer *inf);
/* A single request came to its end. */
void kinf_single_end(struct kinf_informer *inf);
/* It failed. Returns how long to wait until the next. */
uint32_t kinf_single_failed(struct kinf_informer *inf, int err);
/* Asks for the lists that are due: verification and repair. */
void kinf_single_due_lists(struct kinf_informer *inf);
/* Does a fetch in line make way for a probe? */
bool kinf_single_yields(struct kinf_informer *inf);
/* Do single requests on a shared connection go before the next watch? */
bool kinf_single_first(const struct kinf_informer *inf);
/* Milliseconds until a single request or a list is due. */
uint32_t kinf_single_wait(const struct kinf_informer *inf);

#endif
