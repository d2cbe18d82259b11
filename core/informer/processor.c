/* SPDX-License-Identifier: Apache-2.0 */
/* processor.c - notifications of listeners; see processor.h. */
#define KINF_FILE 10
#include "processor.h"

#include "base/assert.h"
#include "base/deadline.h"
#include "base/feature.h"
#include "store/delta_fifo.h"
#include "store/store.h"

#define NONE ((kinf_idx)KINF_NONE)

enum { CURSOR_NONE, CURSOR_LATE, CURSOR_RESYNC, CURSOR_REAP };

/* Of a link, beside those of a notification. */
enum {
    PENDING = 1,  /* the entry is in the listener's line */
    SHOWN = 2,    /* the handler has it */
    REPLACED = 4, /* shown, and deleted since */
    NEEDED = PENDING | SHOWN /* the entry must stay */
};

/* The slot of the n-th pending notification. Not by their numbers: these wrap,
 * which is a leap in a ring whose size is no power of two. */
KINF_APART static struct kinf_slot *slot_of(const struct kinf_processor *p,
                                            const struct kinf_listener *l,
                                            uint32_t n)
{
    return &p->slots[l->place * p->ring + (l->first + n) % p->ring];
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
    return is_latest(l) || is_removed(l) || pending(l) < p->ring;
}

bool kinf_processor_room(const struct kinf_informer *inf)
{
    const struct kinf_listener *l = inf->processor.listeners;

    while (l != NULL && has_room(&inf->processor, l))
        l = l->next;
    return l == NULL;
}

static void push_slot(struct kinf_informer *inf, struct kinf_listener *l,
                      const struct kinf_slot *step)
{
    struct kinf_processor *p = &inf->processor;

    KINF_ASSERT(pending(l) < p->ring);
    *slot_of(p, l, pending(l)) = *step;
    l->pushed++;
    kinf_store_ref(&inf->store, step->was);
    kinf_store_ref(&inf->store, step->now);
    p->undelivered++;
    if (p->high < p->undelivered)
        p->high = p->undelivered;
}

/* Counts in the entry how many listeners still need its key. */
static void set_link(struct kinf_informer *inf, struct kinf_link *link,
                     kinf_idx entry, unsigned flags)
{
    struct kinf_entry *e = &inf->store.entries[entry];
    int needed = (flags & NEEDED) != 0, before = (link->flags & NEEDED) != 0;

    e->shown = (uint8_t)(e->shown + needed - before);
    link->flags = (uint8_t)flags;
}

/* Puts the entry in line if the handler has something to see of it. */
static void join_line(struct kinf_informer *inf, struct kinf_listener *l,
                      kinf_idx entry, const struct kinf_slot *step)
{
    struct kinf_processor *p = &inf->processor;
    struct kinf_link *link = link_of(p, l, entry);
    unsigned flags = link->flags | PENDING;

    if (step->now != NONE)
        flags |= step->flags & KINF_NOTE_INITIAL;
    else if ((flags & SHOWN) != 0)
        flags |= REPLACED | (step->flags & KINF_NOTE_UNKNOWN_END);
    else
        return;
    if ((link->flags & PENDING) == 0) {
        link->next = NONE;
        if (l->first == NONE)
            l->first = entry;
        else
            link_of(p, l, l->last)->next = entry;
        l->last = entry;
        l->pushed++;
    }
    set_link(inf, link, entry, flags);
}

static void note(struct kinf_informer *inf, struct kinf_listener *l,
                 kinf_idx entry, const struct kinf_slot *step)
{
    if (is_latest(l))
        join_line(inf, l, entry, step);
    else
        push_slot(inf, l, step);
}

void kinf_processor_notify(struct kinf_informer *inf, kinf_idx entry,
                           const struct kinf_slot *step)
{
    for (struct kinf_listener *l = inf->processor.listeners; l != NULL;
         l = l->next) {
        bool ahead = CONFIG_KINF_LATE && l->cursor_kind == CURSOR_LATE &&
                     entry >= l->cursor;

        if (is_removed(l) || ahead)
            continue;
        note(inf, l, entry, step);
        l->turn = false;
    }
}

/* ---- calling ------------------------------------------------------------ */

/* A state as the handler may see it; NULL if it may not. */
static const struct kinf_object *look(const struct kinf_informer *inf,
                                      const struct kinf_listener *l,
                                      kinf_idx record, struct kinf_object *out)
{
    const struct kinf_event_handler *h = l->handler;
    bool hidden;

    if (record == NONE)
        return NULL;
    kinf_store_view(&inf->store, record, out);
    KINF_ASKS(inf->k);
    hidden = CONFIG_KINF_FILTERS && h->filter != NULL &&
             !h->filter(l->ctx, out);
    KINF_ASKED(inf->k);
    return hidden ? NULL : out;
}

/* Has a "latest" handler seen the key before? */
static bool was_shown(unsigned flags)
{
    return CONFIG_KINF_LATEST_MODE && (flags & SHOWN) != 0;
}

/* Tells a handler what was and what is (either may be NULL), and notes its
 * answer. Returns whether it took the notification. */
static bool tell(struct kinf_informer *inf, struct kinf_listener *l,
                 unsigned flags, const struct kinf_object *was,
                 const struct kinf_object *now)
{
    const struct kinf_event_handler *h = l->handler;
    int answer = KINF_OK;

    if (now == NULL && was != NULL)
        answer = h->on_delete(l->ctx, was,
                              (flags & KINF_NOTE_UNKNOWN_END) != 0);
    else if (now != NULL && now->reason != KINF_WHOLE)
        answer = h->on_truncated(l->ctx, was, now);
    else if (now != NULL && (was != NULL || was_shown(flags)))
        answer = h->on_update(l->ctx, was, now);
    else if (now != NULL)
        answer = h->on_add(l->ctx, now, (flags & KINF_NOTE_INITIAL) != 0);
    KINF_ASSERT(answer >= 0 || answer == KINF_ERR_AGAIN);
    l->stuck = answer != KINF_OK;
    l->timed = answer > 0;
    l->retry_at_ms = inf->k->now_ms + (uint32_t)answer;
    return !l->stuck;
}

static void pop_slot(struct kinf_informer *inf, struct kinf_listener *l)
{
    const struct kinf_slot slot = *slot_of(&inf->processor, l, 0);

    l->popped++;
    l->first = (kinf_idx)((l->first + 1u) % inf->processor.ring);
    inf->processor.undelivered--;
    kinf_store_unref(&inf->store, slot.was);
    kinf_store_unref(&inf->store, slot.now);
}

static bool deliver_slot(struct kinf_informer *inf, struct kinf_listener *l)
{
    const struct kinf_slot *slot = slot_of(&inf->processor, l, 0);
    struct kinf_object was, now;

    if (!tell(inf, l, slot->flags, look(inf, l, slot->was, &was),
              look(inf, l, slot->now, &now)))
        return false;
    pop_slot(inf, l);
    return true;
}

/* The first of the line has been shown and is as flags say. */
static void leave_line(struct kinf_informer *inf, struct kinf_listener *l,
                       unsigned flags)
{
    kinf_idx entry = l->first;
    struct kinf_link *link = link_of(&inf->processor, l, entry);

    set_link(inf, link, entry, flags);
    if ((flags & PENDING) != 0)
        return;
    l->first = link->next;
    l->popped++;
    kinf_store_settle(&inf->store, entry);
}

/* Shows the first of the line its outcome. A key that was deleted and added
 * again is told in two steps and keeps its place between them. */
static bool deliver_latest(struct kinf_informer *inf, struct kinf_listener *l)
{
    const struct kinf_entry *e = &inf->store.entries[l->first];
    unsigned flags = link_of(&inf->processor, l, l->first)->flags;
    struct kinf_object key, object;
    const struct kinf_object *was = NULL;
    const struct kinf_object *now = look(inf, l, e->current, &object);
    unsigned after = now != NULL ? SHOWN : 0;

    if ((flags & SHOWN) != 0 && ((flags & REPLACED) != 0 || now == NULL)) {
        kinf_store_view(&inf->store, e->newest, &key);
        key.json = (struct kinf_span){ NULL, 0 };
        key.reason = KINF_REASON_KEY_ONLY;
        was = &key;
        after = now != NULL ? PENDING : 0;
        now = NULL;
    }
    if (!tell(inf, l, flags, was, now))
        return false;
    leave_line(inf, l, after);
    return true;
}

static bool may_call(const struct kinf_informer *inf,
                     const struct kinf_listener *l)
{
    if (is_removed(l) || is_stopping(inf) || pending(l) == 0)
        return false;
    return !l->stuck ||
           (l->timed && deadline_passed(l->retry_at_ms, inf->k->now_ms));
}

uint32_t kinf_processor_deliver(struct kinf_informer *inf, uint32_t budget)
{
    uint32_t calls = 0;
    bool progress;

    do {
        progress = false;
        for (struct kinf_listener *l = inf->processor.listeners; l != NULL;
             l = l->next) {
            if (!may_call(inf, l))
                continue;
            if (calls == budget)
                return calls;
            calls++;
            progress |= is_latest(l) ? deliver_latest(inf, l)
                                     : deliver_slot(inf, l);
        }
    } while (progress);
    return calls;
}

/* ---- cursors ------------------------------------------------------------ */

static void end_cursor(struct kinf_listener *l)
{
    l->cursor_kind = CURSOR_NONE;
    l->cursor = 0;
}

/* In a ring the cursor and live events take turns. */
static bool may_show(const struct kinf_informer *inf,
                     const struct kinf_listener *l)
{
    return is_latest(l) || (has_room(&inf->processor, l) &&
                            !(l->turn && fifo_len(&inf->fifo) > 0));
}

/* Shows what is at the cursor. Returns false if it must wait. */
static bool show_at_cursor(struct kinf_informer *inf, struct kinf_listener *l)
{
    struct kinf_entry *e = &inf->store.entries[l->cursor];
    bool late = CONFIG_KINF_LATE && l->cursor_kind == CURSOR_LATE;
    struct kinf_slot step = { late ? NONE : e->current, e->current,
                              late ? KINF_NOTE_INITIAL : 0 };

    if (!store_has(&inf->store, l->cursor) || e->current == NONE ||
        (!late && e->queued > 0))
        return true;
    if (!may_show(inf, l))
        return false;
    note(inf, l, (kinf_idx)l->cursor, &step);
    l->turn = true;
    return true;
}

/* Lets go of what a removed listener held, bit by bit. Returns false while
 * there is more at the cursor. */
static bool reap_at_cursor(struct kinf_informer *inf, struct kinf_listener *l)
{
    kinf_idx entry = (kinf_idx)l->cursor;

    if (!is_latest(l)) {
        if (pending(l) > 0)
            pop_slot(inf, l);
        return pending(l) == 0;
    }
    if (store_has(&inf->store, entry)) {
        set_link(inf, link_of(&inf->processor, l, entry), entry, 0);
        kinf_store_settle(&inf->store, entry);
    }
    return true;
}

static void unlink_listener(struct kinf_processor *p, struct kinf_listener *l)
{
    struct kinf_listener **link = &p->listeners;

    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    p->used[l->mode] &= ~(1u << l->place);
    l->inf = NULL;
}

static void due_cursor(struct kinf_informer *inf, struct kinf_listener *l)
{
    if (is_removed(l) && l->cursor_kind != CURSOR_REAP) {
        l->cursor_kind = CURSOR_REAP;
        l->cursor = 0;
    }
    if (!CONFIG_KINF_RESYNC || l->cursor_kind != CURSOR_NONE ||
        l->resync_ms == 0 || !l->synced ||
        !deadline_passed(l->resync_at_ms, inf->k->now_ms))
        return;
    l->cursor_kind = CURSOR_RESYNC;
    l->resync_at_ms += l->resync_ms;
    if (deadline_passed(l->resync_at_ms, inf->k->now_ms))
        l->resync_at_ms = inf->k->now_ms + l->resync_ms;
}

static void due_synced(struct kinf_informer *inf, struct kinf_listener *l)
{
    if (l->synced || is_removed(l) || !inf->synced ||
        (CONFIG_KINF_LATE && l->cursor_kind == CURSOR_LATE))
        return;
    if (!l->marked) { /* all adds are in line now: note how long it is */
        l->marked = true;
        l->sync_mark = l->pushed;
    }
    if ((int32_t)(l->popped - l->sync_mark) < 0)
        return;
    l->synced = true;
    if (CONFIG_KINF_RESYNC)
        l->resync_at_ms = inf->k->now_ms + l->resync_ms;
}

/* Walks one cursor. Returns whether it has more to do at once. */
static bool walk(struct kinf_informer *inf, struct kinf_listener *l,
                 uint32_t *budget)
{
    uint32_t end = inf->store.entry_pool.high;
    bool reaps = CONFIG_KINF_STOP && l->cursor_kind == CURSOR_REAP;

    if (l->cursor_kind == CURSOR_NONE)
        return false;
    for (; *budget > 0 && l->cursor < end; (*budget)--) {
        if (reaps ? reap_at_cursor(inf, l) : show_at_cursor(inf, l))
            l->cursor++;
        else if (!reaps)
            return false;
    }
    if (l->cursor < end)
        return true;
    if (reaps)
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

uint32_t kinf_processor_wait(const struct kinf_informer *inf)
{
    uint32_t wait = UINT32_MAX, now = inf->k->now_ms;

    for (const struct kinf_listener *l = inf->processor.listeners; l != NULL;
         l = l->next) {
        if (is_removed(l) || (pending(l) > 0 && !l->stuck) ||
            (PROCESSOR_WALKS && l->cursor_kind != CURSOR_NONE &&
             may_show(inf, l)))
            return 0;
        if (l->stuck && l->timed)
            wait = earlier_ms(wait, deadline_left(l->retry_at_ms, now));
        if (CONFIG_KINF_RESYNC && l->resync_ms > 0 && l->synced &&
            l->cursor_kind == CURSOR_NONE)
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

    while (place < 32 && (used >> place & 1u) != 0)
        place++;
    return place;
}

/* A listener is added once, until kinf_listener_gone. */
static void check_new(const struct kinf *k, const struct kinf_listener *l)
{
    const struct kinf_informer *i = CONFIG_KINF_ASSERT ? k->informers : NULL;

    for (; i != NULL; i = i->next)
        for (const struct kinf_listener *o = i->processor.listeners; o != NULL;
             o = o->next)
            KINF_ASSERT(o != l);
}

int kinf_listener_add(struct kinf_informer *inf, struct kinf_listener *l,
                      const struct kinf_event_handler *handler, void *ctx,
                      enum kinf_mode mode, uint32_t resync_ms)
{
    struct kinf_processor *p = &inf->processor;
    struct kinf_listener **end = &p->listeners;
    uint8_t place = lowest_free(p->used[mode]);

    KINF_ASSERT(handler->on_add != NULL && handler->on_update != NULL);
    KINF_ASSERT(handler->on_delete != NULL && handler->on_truncated != NULL);
    KINF_ASSERT(CONFIG_KINF_FILTERS || handler->filter == NULL);
    KINF_ASSERT(CONFIG_KINF_LATE || !inf->started);
    KINF_ASSERT(resync_ms <= (CONFIG_KINF_RESYNC ? INT32_MAX : 0));
    KINF_ASSERT(CONFIG_KINF_LATEST_MODE || mode == KINF_EVERY);
    if (CONFIG_KINF_STOP && (inf->stopping || inf->stopped))
        return KINF_ERR_STOPPED;
    if (place >= p->places[mode])
        return KINF_ERR_FULL;
    check_new(inf->k, l);
    *l = (struct kinf_listener){
        .inf = inf, .handler = handler, .ctx = ctx, .mode = (uint8_t)mode,
        .place = place, .resync_ms = resync_ms,
        .cursor_kind = CONFIG_KINF_LATE ? CURSOR_LATE : CURSOR_NONE,
        .first = CONFIG_KINF_LATEST_MODE && mode == KINF_LATEST ? NONE : 0,
        .last = NONE
    };
    p->used[mode] |= 1u << place;
    while (*end != NULL)
        end = &(*end)->next;
    *end = l;
    kinf_wake(inf->k);
    return KINF_OK;
}

void kinf_listener_remove(struct kinf_listener *l)
{
    KINF_ASSERT(CONFIG_KINF_STOP);
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
