/* SPDX-License-Identifier: Apache-2.0 */
/* app.h - the applications of a world: informers with their memory, handlers
 * at their own pace, and the check of everything a handler is told.
 *
 * A handler remembers for each key what it was shown. From that and the
 * cluster's history it knows what it may be shown next: nothing twice, nothing
 * older than before, no deletion that the server did not make, and as "was"
 * exactly what it was shown last. */
#ifndef SIM_APP_H
#define SIM_APP_H

#include "etcd.h"
#include "kinformer.h"

struct box;

enum told { TOLD_NOTHING, TOLD_ADD, TOLD_UPDATE, TOLD_DELETE, TOLD_TRUNCATED };

/* What a handler was shown of a key. */
struct shown {
    uint32_t object; /* 1 + index of the uid; 0: not shown, or deleted */
    uint32_t seq;    /* of the newest state ever shown of this key */
    uint64_t bytes;  /* hash of all that was shown */
};

struct app {
    struct kinf_listener listener;
    struct box *box;
    uint32_t number;
    enum kinf_mode mode;
    uint32_t resync_ms;
    bool used;      /* added, and not yet gone */
    bool removed;   /* and asked to go */
    bool filters;
    uint64_t stuck_until, slow_until;
    bool stuck_told; /* said AGAIN: must be resumed */
    uint64_t refused_until; /* said a time: not called before */
    enum told refused;      /* the call that comes again */
    uint64_t refused_bytes;
    bool was_synced;
    uint64_t added_at;
    uint64_t filled_at;   /* it shows something since then, */
    uint64_t resynced_at; /* and showed something again */
    uint32_t shows;                  /* keys */
    uint64_t calls;
    ARRAY(struct shown) shown; /* by key */
};

#define BOX_APPS 8

/* Until a list is whole its attempts may go back to the version it began with:
 * by another replica, or a server that takes a streaming list for a watch. */
struct retold {
    uint64_t rev;
    uint32_t seq; /* the newest that may have been shown before */
    bool since;   /* what was told is not what was then, but what came after */
};

/* An informer of the world. */
struct box {
    uint32_t number;
    struct kinf_informer inf;
    struct kinf_informer_config config;
    struct view view;
    uint8_t keep;
    struct kinf_span keep_paths[3];
    void *memory;
    bool running, stopping;
    struct app apps[BOX_APPS];
    /* this hour */
    uint32_t requests, lists, watches, pages;
    uint64_t opens;
    uint32_t whole_lists; /* ever */
    uint64_t listed_rev;  /* of the last one, 0 when it has been looked at */
    uint32_t listed_restores;
    uint32_t sessions;    /* bit mask of links that ask for it */
    /* The server asked us not to come back before: lists and watches; single
     * requests. */
    uint64_t wait_until[2];
    uint32_t errors;
    bool nameless; /* some item had no name since it was complete */
    bool torn;     /* a list broke, and none has come whole since */
    ARRAY(struct retold) retold;
    bool has_index;
    /* a listing that goes on over many polls */
    bool listing, lists_slowly;
    uint8_t lists_by;
    uint64_t listing_at; /* its next step */
    struct kinf_list_cursor cursor;
    ARRAY(uint32_t) at_start; /* by key: object + 1 */
    ARRAY(uint32_t) seen;     /* by key: times */
};

struct apps {
    bool polling;        /* inside kinf_poll */
    bool calm;           /* no mischief now */
    uint32_t mischief;   /* in 1,000 callbacks: something odd is done inside */
    uint64_t callbacks;
    uint32_t callbacks_in_poll;
    uint64_t hour_at; /* this hour's begin, */
    uint64_t resyncs; /* and those of handlers that have gone since */
};
extern struct apps apps;

struct app *app_add(struct box *box, enum kinf_mode mode, uint32_t resync_ms,
                    bool filters);
void app_remove(struct app *a);
void app_resume(struct app *a);
/* Structs of removed handlers that are ours again. */
void apps_reap(struct box *box);
/* The informer was stopped: nobody may be called any more. */
void apps_end(struct box *box);
/* Resyncs that were due since this was asked last. */
uint64_t apps_resyncs(void);
/* Every handler shows what the cache holds, and has synced. */
void apps_check(struct box *box);

/* The state an object shows: the first of seq or later that looks so, or
 * NO_STATE. */
uint32_t state_of(const struct box *box, const struct kinf_object *object,
                  uint32_t seq);
bool app_filter(const struct kinf_object *object);
/* Bytes of a state as kept; with or without kind and apiVersion. */
uint32_t kept_size(const struct box *box, uint32_t state, bool head);

#endif
