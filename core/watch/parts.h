/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - what the parts of the reflector share; nobody else includes it.
 *
 *   reflector.c  the machine: ask, read, next
 *   receive.c    whole items into store and FIFO
 *   recover.c    what an error leads to
 *   single.c     probes, fetches, and when a list is wanted */
#ifndef KINF_WATCH_PARTS_H
#define KINF_WATCH_PARTS_H

#include "base/deadline.h"
#include "base/span.h"
#include "store/delta_fifo.h"

/* State of a reflector, and of its single requests (aside.state). */
enum { WAIT, ASK, READ, MARK, STOPPED };
enum { ASIDE_IDLE, ASIDE_ASK, ASIDE_READ };

/* receiving: who is in the middle of an object; there is one at a time. */
enum { NOBODY, MAIN, ASIDE };

static inline uint32_t now_of(const struct kinf_informer *inf)
{
    return inf->k->now_ms;
}

uint32_t kinf_reflector_random(const struct kinf_informer *inf);

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
    return r->main.request.type == KINF_REQUEST_STREAM;
}

static inline bool in_flight(const struct kinf_informer *inf)
{
    return fifo_len(&inf->fifo) > 0 || inf->processor.undelivered > 0;
}

/* ---- receive.c ---- */

/* Tells of an error: counter, status, the user's on_error. */
void kinf_reflector_tell(struct kinf_informer *inf, int err,
                         const struct kinf_item *item,
                         const struct kinf_object *object);
/* Something whole came: the server is there and answers. */
void kinf_reflector_contact(struct kinf_informer *inf);

void kinf_receive_set_version(struct kinf_version *v, struct kinf_span text);
/* Makes sure that what comes can be taken in; KINF_ERR_AGAIN if it must wait.
 * who receives then, until kinf_receive_end. */
int kinf_receive_room(struct kinf_informer *inf, struct kinf_exchange *x,
                      int who);
void kinf_receive_end(struct kinf_informer *inf, int who);
/* Takes in a whole item or event. Returns KINF_OK or why the request ends. */
int kinf_receive_item(struct kinf_informer *inf, struct kinf_exchange *x);
/* The list is whole: its sweep marker goes into the FIFO, which has room. */
void kinf_receive_list_end(struct kinf_informer *inf);
/* Takes in the answer to a fetch, if it still counts. */
void kinf_receive_fetched(struct kinf_informer *inf);

/* ---- recover.c ---- */

/* Plans the next attempt after an error of the main request. */
void kinf_recover(struct kinf_informer *inf, int err);
void kinf_recover_wait(struct kinf_informer *inf, uint32_t wait_ms);
/* A watch has ended, somehow. */
void kinf_recover_note_silence(struct kinf_reflector *r);

/* ---- single.c ---- */

/* Does one unit of work of single requests. Returns KINF_OK to be called again
 * at once, else KINF_ERR_AGAIN. */
int kinf_single_step(struct kinf_informer *inf);
/* Asks for the lists that are due: verification and repair. */
void kinf_single_due_lists(struct kinf_informer *inf);
/* Do single requests on a shared connection go before the next watch? */
bool kinf_single_first(const struct kinf_informer *inf);
/* Milliseconds until a single request or a list is due. */
uint32_t kinf_single_wait(const struct kinf_informer *inf);

#endif
