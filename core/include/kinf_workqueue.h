/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_workqueue.h - structs of the workqueue, for sizeof; included by
 * kinformer.h. Every field is private. */
#ifndef KINF_WORKQUEUE_H
#define KINF_WORKQUEUE_H

#ifndef KINFORMER_H
#error "include kinformer.h"
#endif

/* A key that is queued, waits for its time, is being processed, or has failed
 * before. Its text is in the queue's array of keys, at the same index. */
struct kinf_work {
    uint32_t hash;
    uint32_t due_ms;   /* waiting: when it is added */
    kinf_idx chain;    /* next in its bucket */
    kinf_idx next;     /* next in the queue, or next free slot */
    kinf_idx place;    /* waiting: its place in the heap */
    uint16_t key_len;
    uint16_t failures; /* since the last forget; stops at its largest value */
    uint8_t flags;
};

struct kinf_workqueue {
    const struct kinf_platform *platform;
    struct kinf_work *works;
    kinf_idx *buckets; /* as many as slots */
    kinf_idx *heap;    /* waiting keys, the earliest first */
    char *keys;
    uint32_t hash_key[2];
    uint32_t base_ms, cap_ms;
    uint32_t per_s, burst; /* of the bucket */
    int32_t tokens;        /* in it, in thousandths; below zero: promised */
    uint32_t filled_ms;    /* when it was last looked at */
    uint32_t key_bytes;
    kinf_idx slots, fresh; /* slots from fresh on were never used */
    kinf_idx free;         /* slots given back */
    kinf_idx first, last;  /* queue of keys to be given out */
    kinf_idx queued, waiting, processing;
    kinf_idx idle, hand;   /* slots that only hold a count of failures */
    bool stopped, drain;
};

/* Memory of a queue: 20 to 28 bytes a slot beside the key, aligned to 4. */
#define KINF_WORKQUEUE_BYTES_(slots, key_bytes)                                \
    ((size_t)(slots) * (sizeof(struct kinf_work) + 2 * sizeof(kinf_idx) +      \
                        (size_t)(key_bytes)))

#endif
