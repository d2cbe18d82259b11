/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_internal.h - structs an application needs for sizeof only. Every field
 * here is private; kinformer.h includes this file. */
#ifndef KINF_INTERNAL_H
#define KINF_INTERNAL_H

#ifndef KINFORMER_H
#error "include kinformer.h"
#endif

#include "kinf_wire.h"

struct kinf;
struct kinf_informer;
struct kinf_listener;
struct kinf_informer_config;
struct kinf_list_watch_ops;
struct kinf_config;

/* A program and a library built with other layouts do not link: the name of
 * this symbol holds every size that both must know. */
#define KINF_ABI_NAME_(bits, id, cont, msg, line, keep, cur)                   \
    kinf_abi_##bits##_##id##_##cont##_##msg##_##line##_##keep##_##cur
#define KINF_ABI_NAME(bits, id, cont, msg, line, keep, cur)                    \
    KINF_ABI_NAME_(bits, id, cont, msg, line, keep, cur)
#define KINF_ABI                                                               \
    KINF_ABI_NAME(CONFIG_KINF_INDEX_BITS, CONFIG_KINF_IDENTITY_BYTES,          \
                  CONFIG_KINF_CONTINUE_BYTES, CONFIG_KINF_MESSAGE_BYTES,       \
                  CONFIG_KINF_HTTP_LINE_BYTES, CONFIG_KINF_KEEP_PATHS,         \
                  CONFIG_KINF_CURSORS)
extern const uint8_t KINF_ABI;

/* ---- base --------------------------------------------------------------- */

/* A resource version: opaque bytes, compared as a number only when decimal. */
#define KINF_VERSION_MAX 23
struct kinf_version {
    uint8_t len;
    char text[KINF_VERSION_MAX];
};

/* Free places as a bitmap; the lowest free one is handed out, so that what was
 * never needed is never touched. */
struct kinf_pool {
    uint32_t *map;
    uint32_t size, used, high;
    uint32_t hint; /* no word below this one has a free bit */
};

struct kinf_backoff {
    uint32_t next_ms; /* 0: the first */
};

/* ---- store -------------------------------------------------------------- */

/* A key, while it lives or is still to be shown. */
struct kinf_entry {
    kinf_idx hash;       /* of the key: as wide as there can be buckets */
    kinf_idx next;       /* in its bucket's chain */
    kinf_idx newest;     /* record received last; the key is read from it */
    kinf_idx current;    /* record applied: what listers and handlers see */
    kinf_idx postings;   /* first of its index postings */
    kinf_idx queued;     /* deltas in the FIFO */
    uint16_t generation; /* of the list that saw it last */
    uint8_t gone;        /* the newest state is a deletion */
    uint8_t shown;       /* "latest" handlers that still have to show it */
};

/* The texts of an identity, in this order wherever they stand side by side. */
enum { KINF_NAME, KINF_NAMESPACE, KINF_UID, KINF_RESOURCE_VERSION, KINF_TEXTS };

/* One state of a key; its payload lies in the arena at place. */
struct kinf_record {
    uint32_t place;
    uint32_t size; /* bytes of JSON as kept, or as it would be */
    kinf_idx entry;
    kinf_idx refs;
    kinf_off at[KINF_TEXTS]; /* where its texts stand in the payload */
    uint8_t len[KINF_TEXTS];
    uint8_t reason; /* enum kinf_reason */
    uint8_t shrink; /* deleted: becomes its identity once nobody reads it */
};

/* Precedes each payload in the arena; a hole has no owner. */
struct kinf_block {
    uint32_t bytes; /* with this header, a multiple of 4 */
    kinf_idx owner;
};

struct kinf_posting {
    uint32_t hash; /* of index number and value */
    kinf_idx next, prev; /* chain of its bucket, in order of arrival */
    kinf_idx sibling;    /* next posting of the same entry */
    kinf_idx entry;
    uint8_t index;
};

#define KINF_INDEXES 4 /* the namespace's and three of the user's */
struct kinf_index {
    const char *name;
    kinf_index_func func;
};

/* Place of an index listing, moved on when its posting goes away. */
struct kinf_index_cursor {
    kinf_idx posting;
    uint32_t ticket;
};

struct kinf_store {
    bool compacting, reserved, want_room;
    bool by_bytes;      /* versions prove nothing: unchanged is equal bytes */
    bool freed;         /* settled has shrunk: something may fit now */
    bool keep_gone;     /* "latest" handlers need the keys of the deleted */
    bool indexing;      /* an index is being built, up to index_at */
    bool index_whole;   /* every value of every object has its posting */
    uint8_t index_count;
    uint16_t generation;
    const uint32_t *hash_key;
    struct kinf_entry *entries;
    struct kinf_record *records;
    kinf_idx *buckets; /* as many as entries */
    /* arena */
    char *arena;
    uint32_t arena_bytes;
    uint32_t object_bytes;
    uint32_t head;    /* end of the last block */
    uint32_t high;    /* highest head */
    uint32_t holes;   /* bytes of holes below head */
    uint32_t lowest;  /* no hole below this place */
    uint32_t gap, scan; /* compaction under way: hole from gap to scan */
    uint32_t settled; /* bytes once all that is queued is applied */
    uint32_t clear_at;  /* stamps below are cleared; see generation */
    uint32_t truncated; /* entries whose newest is an identity */
    uint32_t no_room;   /* of them, those that may fit one day */
    struct kinf_pool entry_pool, record_pool, posting_pool;
    /* indexes */
    struct kinf_posting *postings;
    kinf_idx *heads, *tails; /* posting chains, as many as postings */
    struct kinf_index indexes[KINF_INDEXES];
    struct kinf_index_cursor cursors[CONFIG_KINF_CURSORS];
    uint32_t ticket;
    uint32_t index_at;
};

/* The first are those of enum kinf_event. */
enum kinf_delta_type {
    KINF_DELTA_REPLACED, /* an item of a list, or of a GET */
    KINF_DELTA_ADDED,
    KINF_DELTA_UPDATED,
    KINF_DELTA_DELETED,
    KINF_DELTA_BOOKMARK,
    KINF_DELTA_SWEEP,   /* after a list: keys it did not stamp are gone */
    KINF_DELTA_LIST_END /* the same, but not every key could be read */
};
struct kinf_delta {
    uint8_t type;
    uint16_t generation; /* of the last list when it came */
    kinf_idx entry, record;
    struct kinf_version version;
};
struct kinf_delta_fifo {
    struct kinf_delta *slots;
    uint32_t size, head, len, high;
};

/* ---- informer ----------------------------------------------------------- */

/* One undelivered notification of an "every" handler. */
struct kinf_slot {
    kinf_idx was, now; /* records or none */
    uint8_t flags;
};

/* What a "latest" handler keeps of an entry. */
struct kinf_link {
    kinf_idx next;
    uint8_t flags;
};

struct kinf_listener {
    struct kinf_listener *next;
    struct kinf_informer *inf; /* NULL: the struct is the caller's */
    const struct kinf_event_handler *handler;
    void *ctx;
    uint8_t mode;
    uint8_t place;  /* which ring, or which array of links, it has */
    uint8_t cursor_kind;
    bool removed, stuck, synced, marked, turn;
    bool timed;     /* stuck until retry_at_ms, else until resumed */
    uint32_t retry_at_ms;
    uint32_t resync_ms, resync_at_ms;
    uint32_t cursor;
    uint32_t pushed, popped; /* notifications, for ever */
    uint32_t mark, sync_mark;
    kinf_idx first; /* "latest": of its line of entries; "every": oldest slot */
    kinf_idx last;  /* "latest" */
};

struct kinf_processor {
    struct kinf_listener *listeners;
    struct kinf_slot *slots;
    struct kinf_link *links;
    uint32_t ring, objects;
    uint32_t undelivered, high; /* slots in use over all rings */
    uint8_t places[2];          /* by mode: how many listeners there can be */
    uint32_t used[2];           /* by mode: a bit for each place taken */
};

/* ---- watch -------------------------------------------------------------- */

/* Who may use a session: one owner, the others in line. */
struct kinf_lease {
    struct kinf_lease *next;
    bool waiting;
};

struct kinf_get;

struct kinf_session {
    uint8_t state, phase;
    uint8_t users;             /* reflectors that watch by it */
    bool open, reused;         /* reused: has served an earlier request */
    bool waits;                /* the transport answered AGAIN in this poll */
    bool refused;              /* the last answer was 401 */
    bool spent;                /* the bytes of one poll have been taken */
    bool emptied;              /* the last read got less than it asked for */
    uint32_t taken;            /* bytes received in this poll */
    struct kinf_session *next;
    struct kinf *k;
    const struct kinf_transport_ops *ops;
    void *ctx;
    char *buf;
    size_t size;
    struct kinf_span rest;     /* unread or unsent bytes of buf */
    struct kinf_span body;     /* before them, not consumed yet */
    uint32_t deadline_ms;
    const struct kinf_lease *owner;
    struct kinf_lease *line;
    const char *template_;     /* of the request, to send it again */
    uint64_t bytes;
    struct kinf_get *gets;
    /* Goes on with the first of them. Returns milliseconds that it can wait. */
    uint32_t (*get_step)(struct kinf_session *session);
    union {
        struct kinf_http_request request;
        struct {
            struct kinf_http_response response;
            struct kinf_json_stream json;
        } answer;
    } u;
};

/* The default source: requests to the API server over a session. */
struct kinf_list_watch {
    struct kinf_lease lease;
    const struct kinf_informer_config *config;
    const struct kinf_config *server;
    struct kinf_session *session;
    const struct kinf_request *request;
    uint8_t state;
    uint16_t words_len;
    char words[CONFIG_KINF_MESSAGE_BYTES]; /* start of a body that is no JSON */
};

/* One request of a reflector and how far its answer is. */
struct kinf_exchange {
    uint8_t state;
    bool aside;          /* single requests, beside list and watch */
    bool running;        /* the source was asked */
    bool opened;         /* its head was 200 */
    bool begun;          /* an object was announced and has no sink yet */
    bool in_object, paused, had_event;
    uint32_t opened_ms; /* when the answer's head came, or it was asked for */
    uint32_t event_ms;  /* last whole item, event or bookmark */
    uint32_t object_ms; /* the object began */
    uint32_t paused_ms; /* nobody reads since */
    struct kinf_backoff backoff;
    struct kinf_item item;
    const struct kinf_list_watch_ops *ops;
    void *ctx;
    struct kinf_sink sink;
    struct kinf_request request;
};

/* Here and below small fields come first: a processor of the Thumb kind
 * reaches the first bytes of a struct by its shortest instructions. */
struct kinf_reflector {
    bool listing;      /* between a list's first request and its end */
    bool want_list;    /* repair or verification */
    bool from_latest;  /* the next list asks for the most recent */
    bool verifying;
    bool gone_before, doubt;
    uint8_t silent;
    bool can_resume;   /* version may be watched from */
    bool probing, degraded;
    bool shared;       /* single requests use the watch's session */
    bool no_watch, auth_tried, denied;
    bool list_incomplete, incomplete;
    bool contacted, stream_off;
    uint8_t cut_streams;
    bool awake;        /* points in time are set */
    uint16_t page_len;
    uint32_t at_ms[7];      /* points in time, see parts.h */
    uint32_t asked_ms;      /* how long the watch was asked to last */
    uint32_t contact_ms;    /* last whole event, bookmark or answer */
    uint32_t page_limit;
    uint32_t missed;        /* keys of this list that found no entry */
    uint32_t full_keys, full_bytes; /* held when the last of them came */
    uint32_t fetch_at;      /* next entry to look at */
    const struct kinf_exchange *receiving; /* who is within an object */
    struct kinf_exchange main, aside; /* list or watch; single requests */
    struct kinf_version version;      /* received last: where a watch resumes */
    struct kinf_version list_version; /* of the list being read */
    struct kinf_version broken_at;    /* framing was lost after this one */
    char key[320];                         /* of the entry being fetched */
    char page[CONFIG_KINF_CONTINUE_BYTES]; /* token of the next page */
};

struct kinf_counters {
    uint32_t lists, watches, requests, events, bookmarks, relists, unchanged;
    uint32_t swept, mended, probes, fetches;
    kinf_count errors[KINF_ERR_COUNT];
};

#include "kinf_workqueue.h"

/* ---- the whole ---------------------------------------------------------- */

struct kinf_list_cursor {
    struct kinf_span namespace_, label_selector, value;
    uint32_t entry;  /* listing every entry: the next one */
    uint32_t ticket; /* listing an index: its cursor's ticket */
    uint32_t hash;   /* of index number and value */
    uint8_t index;
    bool has_index, by_index;
    bool unsure; /* an identity's labels could not be asked */
};

struct kinf_informer {
    bool started, stopping, stopped, synced, relisting, sweeping, marking;
    struct kinf *k;
    const struct kinf_informer_config *config;
    struct kinf_reflector reflector;
    struct kinf_informer *next;
    struct kinf_delta_fifo fifo;
    struct kinf_store store;
    struct kinf_processor processor;
    struct kinf_counters counters;
    int last_error, http_status;
    uint32_t sweep_at;  /* next entry of a running sweep */
    struct kinf_list_watch main, single;
    struct kinf_version stored, delivered, marked;
    uint16_t message_len;
    char message[CONFIG_KINF_MESSAGE_BYTES];
};

struct kinf {
    bool reloading, stopping;
    uint8_t polling; /* inside kinf_poll, and what else */
#define KINF_ASKING 2 /* a function of the user's that may not ask us back */
    volatile bool woken;
    const struct kinf_config *config;
    struct kinf_informer *informers;
    struct kinf_session *sessions;
    uint32_t hash_key[2];
    void (*closed)(void *ctx); /* of kinf_reload */
    void *closed_ctx;
    uint32_t now_ms;
};

/* Bytes of each array an informer carves from its memory, each rounded up to
 * 8. objects + fifo + every x ring + 1 records: one current state an object,
 * one a queued delta, one superseded state an undelivered notification, and the
 * one being received. */
#define KINF_ROUND_(bytes) (((size_t)(bytes) + 7u) & ~(size_t)7u)
#define KINF_MAP_(n) KINF_ROUND_(((size_t)(n) + 31u) / 32u * 4u)
#define KINF_RECORDS_(objects, fifo, every, ring)                              \
    ((size_t)(objects) + (fifo) + (size_t)(every) * (ring) + 1u)
#define KINF_SIZES_WORK_(objects, arena_bytes, fifo, every, ring, latest,      \
                         postings)                                             \
    ((objects) > 0 && (fifo) > 0 && ((every) == 0 || (ring) > 0) &&            \
     (every) <= 32 && (latest) <= 32 &&                                        \
     (arena_bytes) >= 2 * CONFIG_KINF_IDENTITY_BYTES + 32 &&                   \
     KINF_RECORDS_(objects, fifo, every, ring) < KINF_NONE &&                  \
     (postings) < KINF_NONE)
#define KINF_INFORMER_BYTES_(objects, arena_bytes, fifo, every, ring, latest,  \
                             postings)                                         \
    (KINF_ROUND_((size_t)(objects) * sizeof(struct kinf_entry)) +              \
     KINF_ROUND_(KINF_RECORDS_(objects, fifo, every, ring) *                   \
                 sizeof(struct kinf_record)) +                                 \
     KINF_ROUND_((size_t)(objects) * sizeof(kinf_idx)) +                       \
     KINF_ROUND_((size_t)(postings) * sizeof(struct kinf_posting)) +           \
     2u * KINF_ROUND_((size_t)(postings) * sizeof(kinf_idx)) +                 \
     KINF_MAP_(objects) + KINF_MAP_(KINF_RECORDS_(objects, fifo, every, ring)) \
     + KINF_MAP_(postings) +                                                   \
     KINF_ROUND_((size_t)(fifo) * sizeof(struct kinf_delta)) +                 \
     KINF_ROUND_((size_t)(every) * (ring) * sizeof(struct kinf_slot)) +        \
     KINF_ROUND_((size_t)(latest) * (objects) * sizeof(struct kinf_link)) +    \
     KINF_ROUND_(arena_bytes))

#endif
