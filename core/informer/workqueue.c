/* SPDX-License-Identifier: Apache-2.0 */
/* workqueue.c - keys to be worked on, with client-go's rules, in fixed slots.
 *
 *                    add                          get
 *     (free) ------------------> DIRTY, queued ---------> PROCESSING
 *        \  add_after           ^        ^                 |  | add
 *         `---------> WAITING --'        |   done          |  v
 *                    when due            `-------- PROCESSING and DIRTY
 *
 * A key has one slot, whatever it is at one time: it may wait for a later time
 * while it is queued or processed, as in client-go. The count of failures lives
 * in the slot, too. A slot that holds nothing but such a count is idle; it is
 * kept, so that the next failure waits longer, until a new key finds no other:
 * then the count is forgotten. So a queue of as many slots as there are keys
 * never forgets, and a smaller one is never blocked by what failed long ago.
 *
 * What is due is queued at the head of each call, so the order is that of time
 * whoever calls when. Looking up, adding and giving take constant time, waiting
 * the logarithm of how many wait. */
#define KINF_FILE 54
#include "base/assert.h"
#include "base/deadline.h"
#include "base/hash.h"
#include "base/span.h"

#define NONE ((kinf_idx)KINF_NONE)
#define DELAY_MAX_MS 0x40000000u /* 12 days: half of what a deadline may be */

enum {
    DIRTY = 1,
    PROCESSING = 2,
    WAITING = 4,
    ACTIVE = DIRTY | PROCESSING | WAITING,
    IDLE = 8 /* held for its failures alone */
};

/* ---- slots -------------------------------------------------------------- */

static uint32_t hash_of(const struct kinf_workqueue *q, struct kinf_span key)
{
    struct hash h;

    kinf_hash_init(&h, q->hash_key);
    kinf_hash_add(&h, key.ptr, key.len);
    return kinf_hash_end(&h);
}

static struct kinf_span key_of(const struct kinf_workqueue *q, kinf_idx i)
{
    return span_of(q->keys + (size_t)i * q->key_bytes, q->works[i].key_len);
}

static kinf_idx find(const struct kinf_workqueue *q, struct kinf_span key,
                     uint32_t hash)
{
    kinf_idx i = q->buckets[hash % q->slots];

    while (i != NONE &&
           (q->works[i].hash != hash || !span_equal(key_of(q, i), key)))
        i = q->works[i].chain;
    return i;
}

static void unchain(struct kinf_workqueue *q, kinf_idx i)
{
    kinf_idx *link = &q->buckets[q->works[i].hash % q->slots];

    while (*link != i)
        link = &q->works[*link].chain;
    *link = q->works[i].chain;
}

/* Gives the slot back if nothing needs it. To be called when a key has left
 * one of its states. */
static void settle(struct kinf_workqueue *q, kinf_idx i)
{
    struct kinf_work *w = &q->works[i];

    if ((w->flags & ACTIVE) != 0)
        return;
    if (w->failures > 0) {
        q->idle = (kinf_idx)(q->idle + !(w->flags & IDLE));
        w->flags = IDLE;
        return;
    }
    q->idle = (kinf_idx)(q->idle - !!(w->flags & IDLE));
    w->flags = 0;
    unchain(q, i);
    w->next = q->free;
    q->free = i;
}

/* A slot for a new key, or none. The hand goes round, so that the idle slot
 * that is taken is one that was not looked at for long. */
static kinf_idx take_slot(struct kinf_workqueue *q)
{
    kinf_idx i = q->free;

    if (i != NONE) {
        q->free = q->works[i].next;
        return i;
    }
    if (q->fresh < q->slots)
        return q->fresh++;
    if (q->idle == 0)
        return NONE;
    do {
        i = q->hand;
        q->hand = (kinf_idx)((i + 1u) % q->slots);
    } while ((q->works[i].flags & IDLE) == 0);
    unchain(q, i);
    q->idle--;
    return i;
}

/* The slot of a key that is about to become active. */
static int hold(struct kinf_workqueue *q, struct kinf_span key, kinf_idx *out)
{
    uint32_t hash = hash_of(q, key);
    kinf_idx i = find(q, key, hash), *bucket = &q->buckets[hash % q->slots];

    if (q->stopped)
        return KINF_ERR_STOPPED;
    if (key.len > q->key_bytes)
        return KINF_ERR_TOO_BIG;
    if (i != NONE) {
        q->idle = (kinf_idx)(q->idle - !!(q->works[i].flags & IDLE));
        q->works[i].flags &= (uint8_t)~IDLE;
    } else {
        i = take_slot(q);
        if (i == NONE)
            return KINF_ERR_FULL;
        q->works[i] = (struct kinf_work){ .hash = hash, .chain = *bucket,
                                          .key_len = (uint16_t)key.len };
        *bucket = i;
        if (key.len > 0)
            memcpy(q->keys + (size_t)i * q->key_bytes, key.ptr, key.len);
    }
    *out = i;
    return KINF_OK;
}

/* ---- queue -------------------------------------------------------------- */

static void push(struct kinf_workqueue *q, kinf_idx i)
{
    q->works[i].next = NONE;
    if (q->queued++ == 0)
        q->first = i;
    else
        q->works[q->last].next = i;
    q->last = i;
}

/* Once is enough: a key that is dirty already is in the queue, or will be when
 * its processing is done. */
static void mark_dirty(struct kinf_workqueue *q, kinf_idx i)
{
    struct kinf_work *w = &q->works[i];

    if ((w->flags & (DIRTY | PROCESSING)) == 0)
        push(q, i);
    w->flags |= DIRTY;
}

/* ---- heap of those that wait -------------------------------------------- */

static uint32_t now_ms(const struct kinf_workqueue *q)
{
    return q->platform->now_ms(q->platform->ctx);
}

/* Due times lie within a little more than DELAY_MAX_MS of each other, for all
 * that is due leaves before anything new enters. */
static bool earlier(const struct kinf_workqueue *q, kinf_idx a, kinf_idx b)
{
    return !deadline_passed(q->works[b].due_ms, q->works[a].due_ms);
}

static void put(struct kinf_workqueue *q, kinf_idx place, kinf_idx i)
{
    q->heap[place] = i;
    q->works[i].place = place;
}

static void sift_up(struct kinf_workqueue *q, kinf_idx place, kinf_idx i)
{
    while (place > 0) {
        kinf_idx parent = (kinf_idx)((place - 1) / 2);

        if (!earlier(q, i, q->heap[parent]))
            break;
        put(q, place, q->heap[parent]);
        place = parent;
    }
    put(q, place, i);
}

/* Takes the earliest out; the last one sinks into its place. */
static kinf_idx take_earliest(struct kinf_workqueue *q)
{
    kinf_idx top = q->heap[0], i = q->heap[--q->waiting], place = 0;

    for (;;) {
        size_t child = 2 * (size_t)place + 1;

        if (child >= q->waiting)
            break;
        if (child + 1 < q->waiting &&
            earlier(q, q->heap[child + 1], q->heap[child]))
            child++;
        if (!earlier(q, q->heap[child], i))
            break;
        put(q, place, q->heap[child]);
        place = (kinf_idx)child;
    }
    put(q, place, i);
    q->works[top].flags &= (uint8_t)~WAITING;
    return top;
}

/* ---- bucket ------------------------------------------------------------- */

/* A rate of n a second is n thousandths a millisecond: no fraction is lost. */
static void fill_bucket(struct kinf_workqueue *q, uint32_t now)
{
    int32_t full = (int32_t)(q->burst * 1000);
    uint64_t gain = (uint64_t)(now - q->filled_ms) * q->per_s;
    uint64_t room = (uint64_t)((int64_t)full - q->tokens);

    q->tokens = gain < room ? (int32_t)(q->tokens + (int64_t)gain) : full;
    q->filled_ms = now;
}

/* Takes a token, of the future if need be. Returns the wait for it. */
static uint32_t take_token(struct kinf_workqueue *q)
{
    if (q->tokens >= INT32_MIN + 1001)
        q->tokens -= 1000;
    if (q->tokens >= 0)
        return 0;
    return ((uint32_t)-q->tokens + q->per_s - 1) / q->per_s;
}

/* Queues what is due. */
static uint32_t tick(struct kinf_workqueue *q)
{
    uint32_t now = now_ms(q);

    while (q->waiting > 0 && deadline_passed(q->works[q->heap[0]].due_ms, now))
        mark_dirty(q, take_earliest(q));
    fill_bucket(q, now);
    return now;
}

/* ---- calls -------------------------------------------------------------- */

void kinf_workqueue_init(struct kinf_workqueue *q,
                         const struct kinf_workqueue_config *config,
                         void *memory, size_t slots, size_t key_bytes)
{
    const struct kinf_platform *p = config->platform;

    KINF_ASSERT(slots > 0);
    KINF_ASSERT(slots < KINF_NONE);
    KINF_ASSERT(key_bytes <= UINT16_MAX);
    KINF_ASSERT((uintptr_t)memory % _Alignof(struct kinf_work) == 0);
    KINF_ASSERT(config->bucket_burst <= INT32_MAX / 1000);
    *q = (struct kinf_workqueue){ .platform = p, .works = memory };
    q->buckets = (kinf_idx *)(q->works + slots);
    q->heap = q->buckets + slots;
    q->keys = (char *)(q->heap + slots);
    q->slots = (kinf_idx)slots;
    q->key_bytes = (uint32_t)key_bytes;
    q->base_ms = config->base_ms != 0 ? config->base_ms : 5;
    q->cap_ms = config->cap_ms != 0 ? config->cap_ms : 1000000;
    q->per_s = config->bucket_per_s != 0 ? config->bucket_per_s : 10;
    q->burst = config->bucket_burst != 0 ? config->bucket_burst : 100;
    q->tokens = (int32_t)(q->burst * 1000);
    q->free = NONE;
    for (size_t i = 0; i < slots; i++)
        q->buckets[i] = NONE;
    p->random(p->ctx, q->hash_key, sizeof(q->hash_key));
    q->filled_ms = now_ms(q);
}

int kinf_workqueue_add(struct kinf_workqueue *q, struct kinf_span key)
{
    kinf_idx i;
    int err;

    tick(q);
    err = hold(q, key, &i);
    if (err == KINF_OK)
        mark_dirty(q, i);
    return err;
}

/* Lets a held key wait until a time. If it waits already the earlier counts. */
static void wait_until(struct kinf_workqueue *q, kinf_idx i, uint32_t due_ms)
{
    struct kinf_work *w = &q->works[i];
    bool waits = (w->flags & WAITING) != 0;

    if (waits && deadline_passed(w->due_ms, due_ms))
        return;
    w->due_ms = due_ms;
    w->flags |= WAITING;
    sift_up(q, waits ? w->place : q->waiting++, i);
}

static void delay(struct kinf_workqueue *q, kinf_idx i, uint32_t now,
                  uint32_t delay_ms)
{
    if (delay_ms == 0)
        mark_dirty(q, i);
    else
        wait_until(q, i, now + earlier_ms(delay_ms, DELAY_MAX_MS));
}

int kinf_workqueue_add_after(struct kinf_workqueue *q, struct kinf_span key,
                             uint32_t delay_ms)
{
    uint32_t now = tick(q);
    kinf_idx i;
    int err = hold(q, key, &i);

    if (err == KINF_OK)
        delay(q, i, now, delay_ms);
    return err;
}

/* The wait after so many failures: base, doubled with each, up to the cap. */
static uint32_t backoff(const struct kinf_workqueue *q, uint32_t failures)
{
    uint32_t ms = q->base_ms;

    for (; failures > 0 && ms < q->cap_ms; failures--)
        ms = ms <= q->cap_ms / 2 ? ms * 2 : q->cap_ms;
    return earlier_ms(ms, q->cap_ms);
}

int kinf_workqueue_add_rate_limited(struct kinf_workqueue *q,
                                    struct kinf_span key)
{
    uint32_t now = tick(q), item_ms, bucket_ms;
    kinf_idx i;
    int err = hold(q, key, &i);

    if (err < 0)
        return err; /* no token and no failure: the caller asks again */
    item_ms = backoff(q, q->works[i].failures);
    if (q->works[i].failures < UINT16_MAX)
        q->works[i].failures++;
    bucket_ms = take_token(q);
    delay(q, i, now, item_ms > bucket_ms ? item_ms : bucket_ms);
    return KINF_OK;
}

int kinf_workqueue_get(struct kinf_workqueue *q, struct kinf_span *key)
{
    kinf_idx i;

    tick(q);
    if (q->queued == 0)
        return q->stopped && !(q->drain && q->processing > 0)
                   ? KINF_ERR_STOPPED
                   : KINF_ERR_AGAIN;
    i = q->first;
    q->first = q->works[i].next;
    q->queued--;
    q->processing++;
    q->works[i].flags =
        (uint8_t)((q->works[i].flags & ~DIRTY) | PROCESSING);
    *key = key_of(q, i);
    return KINF_OK;
}

void kinf_workqueue_done(struct kinf_workqueue *q, struct kinf_span key)
{
    kinf_idx i = find(q, key, hash_of(q, key));

    KINF_ASSERT(i != NONE);
    KINF_ASSERT((q->works[i].flags & PROCESSING) != 0);
    tick(q);
    q->processing--;
    q->works[i].flags &= (uint8_t)~PROCESSING;
    if ((q->works[i].flags & DIRTY) != 0)
        push(q, i);
    settle(q, i);
}

void kinf_workqueue_forget(struct kinf_workqueue *q, struct kinf_span key)
{
    kinf_idx i = find(q, key, hash_of(q, key));

    if (i == NONE)
        return;
    q->works[i].failures = 0;
    settle(q, i);
}

uint32_t kinf_workqueue_failures(const struct kinf_workqueue *q,
                                 struct kinf_span key)
{
    kinf_idx i = find(q, key, hash_of(q, key));

    return i == NONE ? 0 : q->works[i].failures;
}

size_t kinf_workqueue_len(const struct kinf_workqueue *q)
{
    return q->queued;
}

uint32_t kinf_workqueue_wait(struct kinf_workqueue *q)
{
    uint32_t now = tick(q);

    if (q->queued > 0)
        return 0;
    return q->waiting == 0 ? UINT32_MAX
                           : deadline_left(q->works[q->heap[0]].due_ms, now);
}

/* As in client-go, what is not due yet is dropped. */
void kinf_workqueue_shut_down(struct kinf_workqueue *q, bool drain)
{
    tick(q);
    q->stopped = true;
    q->drain = drain;
    while (q->waiting > 0)
        settle(q, take_earliest(q));
}

bool kinf_workqueue_drained(const struct kinf_workqueue *q)
{
    return q->stopped && q->queued == 0 && q->processing == 0;
}
