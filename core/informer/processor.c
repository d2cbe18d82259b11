/* SPDX-License-Identifier: Apache-2.0 */
/* processor.c - notifications of listeners; see processor.h. */
#define KINF_FILE 10
#include "processor.h"

#include "base/assert.h"
#include "base/deadline.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

enum { CURSOR_NONE, CURSOR_LATE, CURSOR_RESYNC, CURSOR_REAP };

/* Of a slot. */
enum { SLOT_INITIAL = 1, SLOT_UNKNOWN_END = 2 };

/* Of a link. */
enum {
    LINK_PENDING = 1,  /* the entry is in the listener's line */
    LINK_SHOWN = 2,    /* the handler has it */
    LINK_REPLACED = 4, /* shown, and deleted since */
    LINK_INITIAL = 8,
    LINK_UNKNOWN_END = 16
};

/* What a callback is about. */
struct step {
    kinf_idx was, now;
    bool initial, unknown_end;
};

static struct kinf_slot *slot_of(const struct kinf_processor *p,
                                 const struct kinf_listener *l, uint32_t n)
{
    return &p->slots[l->place * p->ring + n % p->ring];
}

static struct kinf_link *link_of(const struct kinf_processor *p,
                                 const struct kinf_listener *l, uint32_t entry)
{
    return &p->links[l->place * p->objects + entry];
}

static uint32_t pending(const struct kinf_listener *l)
{
    return l->pushed - l->popped;
}

/* ---- notifying ---------------------------------------------------------- */

static bool has_room(const struct kinf_processor *p,
                     const struct kinf_listener *l)
{
    return l->mode == KINF_LATEST || l->removed || pending(l) < p->ring;
}

bool kinf_processor_room(const struct kinf_informer *inf)
{
    const struct kinf_listener *l = inf->processor.listeners;

    while (l != NULL && has_room(&inf->processor, l))
        l = l->next;
    return l == NULL;
}

static void push_slot(struct kinf_informer *inf, struct kinf_listener *l,
                      const struct step *step)
{
    struct kinf_processor *p = &inf->processor;
    struct kinf_slot *slot = slot_of(p, l, l->pushed);

    KINF_ASSERT(pending(l) < p->ring);
    *slot = (struct kinf_slot){
        .was = step->was, .now = step->now,
        .flags = (uint8_t)((step->initial ? SLOT_INITIAL : 0) |
                           (step->unknown_end ? SLOT_UNKNOWN_END : 0))
    };
    if (step->was != NONE)
        store_ref(&inf->store, step->was);
    if (step->now != NONE)
        store_ref(&inf->store, step->now);
    l->pushed++;
    p->undelivered++;
    if (p->high < p->undelivered)
        p->high = p->undelivered;
}

/* Counts in the entry how many listeners still need its key. */
static void set_link(struct kinf_informer *inf, struct kinf_link *link,
                     kinf_idx entry, unsigned flags)
{
    struct kinf_entry *e = &inf->store.entries[entry];
    const unsigned needs = LINK_PENDING | LINK_SHOWN;

    if ((link->flags & needs) == 0 && (flags & needs) != 0)
        e->shown++;
    if ((link->flags & needs) != 0 && (flags & needs) == 0)
        e->shown--;
    link->flags = (uint8_t)flags;
}

static void join_line(struct kinf_informer *inf, struct kinf_listener *l,
                      kinf_idx entry, unsigned more)
{
    struct kinf_processor *p = &inf->processor;
    struct kinf_link *link = link_of(p, l, entry);

    if ((link->flags & LINK_PENDING) == 0) {
        link->next = NONE;
        if (l->first == NONE)
            l->first = entry;
        else
            link_of(p, l, l->last)->next = entry;
        l->last = entry;
        l->pushed++;
    }
    set_link(inf, link, entry, link->flags | LINK_PENDING | more);
}

static void note_latest(struct kinf_informer *inf, struct kinf_listener *l,
                        kinf_idx entry, const struct step *step)
{
    unsigned flags = link_of(&inf->processor, l, entry)->flags;

    if (step->now != NONE)
        join_line(inf, l, entry, step->initial ? LINK_INITIAL : 0);
    else if ((flags & LINK_SHOWN) != 0)
        join_line(inf, l, entry,
                  LINK_REPLACED | (step->unknown_end ? LINK_UNKNOWN_END : 0));
}

static void note(struct kinf_informer *inf, struct kinf_listener *l,
                 kinf_idx entry, const struct step *step)
{
    if (l->mode == KINF_LATEST)
        note_latest(inf, l, entry, step);
    else
        push_slot(inf, l, step);
}

void kinf_processor_notify(struct kinf_informer *inf, kinf_idx entry,
                           kinf_idx was, kinf_idx now, bool unknown_end)
{
    struct step step = { was, now, !inf->synced, unknown_end };

    for (struct kinf_listener *l = inf->processor.listeners; l != NULL;
         l = l->next) {
        bool ahead = l->cursor_kind == CURSOR_LATE && entry >= l->cursor;

        if (l->removed || ahead)
            continue;
        note(inf, l, entry, &step);
        l->turn = false;
    }
}

/* ---- calling ------------------------------------------------------------ */

static bool passes(const struct kinf_listener *l,
                   const struct kinf_object *object)
{
    return l->handler->filter == NULL || l->handler->filter(l->ctx, object);
}

static int call(const struct kinf_listener *l, const struct kinf_object *was,
                const struct kinf_object *now, const struct step *step,
                bool known)
{
    const struct kinf_event_handler *h = l->handler;

    if (now == NULL)
        return h->on_delete(l->ctx, was, step->unknown_end);
    if (now->reason != KINF_WHOLE)
        return h->on_truncated(l->ctx, was, now);
    if (known)
        return h->on_update(l->ctx, was, now);
    return h->on_add(l->ctx, now, step->initial);
}

/* Notes a handler's answer. Returns whether it took the notification. */
static bool took(struct kinf_informer *inf, struct kinf_listener *l,
                 int answer)
{
    l->stuck = answer != KINF_OK;
    l->timed = answer > 0;
    if (l->timed)
        l->retry_at_ms = inf->k->now_ms + (uint32_t)answer;
    KINF_ASSERT(answer >= 0 || answer == KINF_ERR_AGAIN);
    return !l->stuck;
}

static void pop_slot(struct kinf_informer *inf, struct kinf_listener *l)
{
    const struct kinf_slot slot = *slot_of(&inf->processor, l, l->popped);

    l->popped++;
    inf->processor.undelivered--;
    if (slot.was != NONE)
        kinf_store_unref(&inf->store, slot.was);
    if (slot.now != NONE)
        kinf_store_unref(&inf->store, slot.now);
}

static bool deliver_slot(struct kinf_informer *inf, struct kinf_listener *l)
{
    const struct kinf_slot *slot = slot_of(&inf->processor, l, l->popped);
    struct step step = { slot->was, slot->now,
                         (slot->flags & SLOT_INITIAL) != 0,
                         (slot->flags & SLOT_UNKNOWN_END) != 0 };
    struct kinf_object was, now;
    bool had = slot->was != NONE, has = slot->now != NONE;
    int answer = KINF_OK;

    if (had)
        kinf_store_view(&inf->store, slot->was, &was);
    if (has)
        kinf_store_view(&inf->store, slot->now, &now);
    had = had && passes(l, &was);
    has = has && passes(l, &now);
    if (had || has)
        answer = call(l, had ? &was : NULL, has ? &now : NULL, &step, had);
    if (!took(inf, l, answer))
        return false;
    pop_slot(inf, l);
    return true;
}

static void leave_line(struct kinf_informer *inf, struct kinf_listener *l,
                       unsigned flags)
{
    kinf_idx entry = l->first;
    struct kinf_link *link = link_of(&inf->processor, l, entry);

    l->first = link->next;
    l->popped++;
    set_link(inf, link, entry, flags);
    kinf_store_settle(&inf->store, entry);
}

/* Shows the first of the line its outcome. A key that was deleted and added
 * again is told in two steps and keeps its place between them. */
static bool deliver_latest(struct kinf_informer *inf, struct kinf_listener *l)
{
    kinf_idx entry = l->first;
    const struct kinf_entry *e = &inf->store.entries[entry];
    struct kinf_link *link = link_of(&inf->processor, l, entry);
    bool shown = (link->flags & LINK_SHOWN) != 0;
    bool replaced = (link->flags & LINK_REPLACED) != 0;
    struct step step = { NONE, NONE, (link->flags & LINK_INITIAL) != 0,
                         (link->flags & LINK_UNKNOWN_END) != 0 };
    struct kinf_object key, now;
    bool has = e->current != NONE;
    int answer = KINF_OK;

    kinf_store_view(&inf->store, e->newest, &key);
    key.json = (struct kinf_span){ NULL, 0 };
    key.reason = KINF_REASON_KEY_ONLY;
    if (has)
        kinf_store_view(&inf->store, e->current, &now);
    has = has && passes(l, &now);
    if (shown && (replaced || !has)) {
        if (!took(inf, l, call(l, &key, NULL, &step, true)))
            return false;
        if (has) {
            link->flags = LINK_PENDING;
            return true;
        }
        leave_line(inf, l, 0);
        return true;
    }
    if (has)
        answer = call(l, NULL, &now, &step, shown);
    if (!took(inf, l, answer))
        return false;
    leave_line(inf, l, has ? LINK_SHOWN : 0);
    return true;
}

static bool may_call(struct kinf_informer *inf, struct kinf_listener *l)
{
    if (l->removed || inf->stopping || pending(l) == 0)
        return false;
    return !l->stuck ||
           (l->timed && deadline_passed(l->retry_at_ms, inf->k->now_ms));
}

uint32_t kinf_processor_deliver(struct kinf_informer *inf, uint32_t budget)
{
    struct kinf_processor *p = &inf->processor;
    uint32_t calls = 0;
    bool progress = true;

    p->calling = true;
    while (progress && calls < budget) {
        progress = false;
        for (struct kinf_listener *l = p->listeners;
             l != NULL && calls < budget; l = l->next) {
            if (!may_call(inf, l))
                continue;
            calls++;
            progress |= l->mode == KINF_LATEST ? deliver_latest(inf, l)
                                               : deliver_slot(inf, l);
        }
    }
    p->calling = false;
    return calls;
}

/* ---- cursors ------------------------------------------------------------ */

static void end_cursor(struct kinf_listener *l)
{
    l->cursor_kind = CURSOR_NONE;
    l->cursor = 0;
}

/* Shows what is at the cursor. Returns false if it must wait. */
static bool show_at_cursor(struct kinf_informer *inf, struct kinf_listener *l)
{
    struct kinf_entry *e = &inf->store.entries[l->cursor];
    bool late = l->cursor_kind == CURSOR_LATE;
    struct step step = { late ? NONE : e->current, e->current, late, false };

    if (!store_has(&inf->store, l->cursor) || e->current == NONE ||
        (!late && e->queued > 0))
        return true;
    if (l->mode == KINF_EVERY &&
        (!has_room(&inf->processor, l) ||
         (l->turn && inf->fifo.head != inf->fifo.tail)))
        return false;
    note(inf, l, (kinf_idx)l->cursor, &step);
    l->turn = true;
    return true;
}

/* Lets go of what a removed listener held, bit by bit. */
static bool reap_at_cursor(struct kinf_informer *inf, struct kinf_listener *l)
{
    if (l->mode == KINF_EVERY) {
        if (pending(l) > 0)
            pop_slot(inf, l);
        else
            l->cursor = inf->store.entry_pool.high;
        return true;
    }
    if (store_has(&inf->store, l->cursor)) {
        set_link(inf, link_of(&inf->processor, l, l->cursor),
                 (kinf_idx)l->cursor, 0);
        kinf_store_settle(&inf->store, (kinf_idx)l->cursor);
    }
    l->cursor++;
    return true;
}

static void unlink_listener(struct kinf_processor *p, struct kinf_listener *l)
{
    struct kinf_listener **link = &p->listeners;

    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    if (l->mode == KINF_LATEST)
        p->latest_used &= ~(1u << l->place);
    else
        p->every_used &= ~(1u << l->place);
    l->inf = NULL;
}

static void due_cursor(struct kinf_informer *inf, struct kinf_listener *l)
{
    if (l->removed && l->cursor_kind != CURSOR_REAP) {
        l->cursor_kind = CURSOR_REAP;
        l->cursor = 0;
    }
    if (l->cursor_kind != CURSOR_NONE || l->resync_ms == 0 || !l->synced ||
        !deadline_passed(l->resync_at_ms, inf->k->now_ms))
        return;
    l->cursor_kind = CURSOR_RESYNC;
    l->resync_at_ms += l->resync_ms;
    if (deadline_passed(l->resync_at_ms, inf->k->now_ms))
        l->resync_at_ms = inf->k->now_ms + l->resync_ms;
}

static void due_synced(struct kinf_informer *inf, struct kinf_listener *l)
{
    if (l->synced || l->removed || !inf->synced ||
        l->cursor_kind == CURSOR_LATE)
        return;
    if (!l->marked) { /* all adds are in line now: note how long it is */
        l->marked = true;
        l->sync_mark = l->pushed;
    }
    if ((int32_t)(l->popped - l->sync_mark) < 0)
        return;
    l->synced = true;
    l->resync_at_ms = inf->k->now_ms + l->resync_ms;
}

/* Walks one cursor. Returns whether it has more to do at once. */
static bool walk(struct kinf_informer *inf, struct kinf_listener *l,
                 uint32_t *budget)
{
    uint32_t end = inf->store.entry_pool.high;

    if (l->cursor_kind == CURSOR_NONE)
        return false;
    for (; *budget > 0 && l->cursor < end; (*budget)--) {
        if (l->cursor_kind == CURSOR_REAP)
            reap_at_cursor(inf, l);
        else if (show_at_cursor(inf, l))
            l->cursor++;
        else
            return false;
    }
    if (l->cursor < end)
        return true;
    if (l->cursor_kind == CURSOR_REAP)
        unlink_listener(&inf->processor, l);
    else
        end_cursor(l);
    return false;
}

void kinf_processor_note_synced(struct kinf_informer *inf)
{
    for (struct kinf_listener *l = inf->processor.listeners; l != NULL;
         l = l->next)
        due_synced(inf, l);
}

bool kinf_processor_cursors(struct kinf_informer *inf, uint32_t budget)
{
    struct kinf_listener *l = inf->processor.listeners;
    bool more = false;

    while (l != NULL) {
        struct kinf_listener *next = l->next;

        due_cursor(inf, l);
        more |= walk(inf, l, &budget);
        l = next;
    }
    return more;
}

/* Could the cursor move at once? */
static bool cursor_ready(const struct kinf_informer *inf,
                         const struct kinf_listener *l)
{
    if (l->cursor_kind == CURSOR_NONE)
        return false;
    return l->mode == KINF_LATEST ||
           (has_room(&inf->processor, l) &&
            !(l->turn && inf->fifo.head != inf->fifo.tail));
}

uint32_t kinf_processor_wait(const struct kinf_informer *inf)
{
    uint32_t wait = UINT32_MAX, now = inf->k->now_ms;

    for (const struct kinf_listener *l = inf->processor.listeners; l != NULL;
         l = l->next) {
        if (l->removed || (pending(l) > 0 && !l->stuck) ||
            cursor_ready(inf, l))
            return 0;
        if (l->stuck && l->timed)
            wait = earlier_ms(wait, deadline_left(l->retry_at_ms, now));
        if (l->resync_ms > 0 && l->synced && l->cursor_kind == CURSOR_NONE)
            wait = earlier_ms(wait, deadline_left(l->resync_at_ms, now));
    }
    return wait;
}

void kinf_processor_stop(struct kinf_informer *inf)
{
    while (inf->processor.listeners != NULL)
        unlink_listener(&inf->processor, inf->processor.listeners);
    inf->processor.undelivered = 0;
}

/* ---- listeners ---------------------------------------------------------- */

static uint8_t lowest_free(uint32_t used)
{
    uint8_t place = 0;

    while ((used >> place & 1u) != 0)
        place++;
    return place;
}

int kinf_listener_add(struct kinf_informer *inf, struct kinf_listener *l,
                      const struct kinf_event_handler *handler, void *ctx,
                      enum kinf_mode mode, uint32_t resync_ms)
{
    struct kinf_processor *p = &inf->processor;
    bool latest = mode == KINF_LATEST;
    uint32_t *used = latest ? &p->latest_used : &p->every_used;
    uint8_t place = lowest_free(*used);
    struct kinf_listener **end = &p->listeners;

    KINF_ASSERT(handler->on_add != NULL && handler->on_update != NULL);
    KINF_ASSERT(handler->on_delete != NULL && handler->on_truncated != NULL);
    if (inf->stopping || inf->stopped)
        return KINF_ERR_STOPPED;
    if (place >= (latest ? p->latest : p->every))
        return KINF_ERR_FULL;
    *l = (struct kinf_listener){
        .inf = inf, .handler = handler, .ctx = ctx, .mode = (uint8_t)mode,
        .place = place, .cursor_kind = CURSOR_LATE, .resync_ms = resync_ms,
        .first = NONE, .last = NONE
    };
    *used |= 1u << place;
    while (*end != NULL)
        end = &(*end)->next;
    *end = l;
    kinf_wake(inf->k);
    return KINF_OK;
}

void kinf_listener_remove(struct kinf_listener *l)
{
    if (l->inf == NULL)
        return;
    l->removed = true;
    l->stuck = false;
    kinf_wake(l->inf->k);
}

bool kinf_listener_gone(const struct kinf_listener *l)
{
    return l->inf == NULL;
}

void kinf_listener_resume(struct kinf_listener *l)
{
    l->stuck = false;
    if (l->inf != NULL)
        kinf_wake(l->inf->k);
}

bool kinf_listener_synced(const struct kinf_listener *l)
{
    return l->synced;
}
