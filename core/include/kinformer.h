/* SPDX-License-Identifier: Apache-2.0 */
/* kinformer.h - the one header an application includes.
 *
 * In order: errors; what the port supplies (platform, transport); objects and
 * how to read them; handlers; sizes and storage; the loop, sessions, informers,
 * listeners and listers in their order of life; workqueue; internals.
 *
 * One thread. Handlers, credentials and error callbacks run from kinf_poll
 * only. From inside a handler everything below may be called but kinf_poll,
 * kinf_init and the *_init functions; adding, removing and stopping take effect
 * when the handler returns. kinf_wake alone may be called from an interrupt or
 * another thread.
 *
 * The caller owns every byte: structs and memory passed to an init function are
 * kept until the informer is stopped, and nothing is allocated, ever. KB and MB
 * are 1,024 and 1,048,576 bytes; times are milliseconds unless a name says
 * otherwise.
 *
 * Features that a small firmware can do without are switches of Kconfig
 * (kinf_config.h: CONFIG_KINF_STREAMING and those after it). What asks for a
 * feature that was left out, a call or a field that is not zero, stops at an
 * assertion; streaming lists alone are then simply not asked for. */
#ifndef KINFORMER_H
#define KINFORMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kinf_config.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KINF_VERSION "0.1.0"

/* Text that somebody else owns, not NUL-terminated. */
struct kinf_span {
    const char *ptr;
    size_t len;
};
#define KINF_SPAN(literal)                                                     \
    ((struct kinf_span){ (literal), sizeof(literal) - 1 })

/* Width of an index into a pool (entries, objects, postings). */
#if CONFIG_KINF_INDEX_BITS == 16
typedef uint16_t kinf_idx;
typedef uint32_t kinf_product; /* of two of them */
typedef uint16_t kinf_off;   /* a place inside one object */
typedef uint16_t kinf_count; /* a counter that stops at its largest value */
#define KINF_NONE 0xFFFFu
#elif CONFIG_KINF_INDEX_BITS == 32
typedef uint32_t kinf_idx;
typedef uint64_t kinf_product;
typedef uint32_t kinf_off;
typedef uint32_t kinf_count;
#define KINF_NONE 0xFFFFFFFFu
#else
#error "CONFIG_KINF_INDEX_BITS is 16 or 32"
#endif

/* ---- errors -------------------------------------------------------------
 *
 * Negative, so that a function can return a count or one of these.
 * kinf_strerror() and the error counters are made from the same list. */
#define KINF_ERR_MAP(X)                                                        \
    X(AGAIN, -1, "nothing to do before more bytes or more time")               \
    X(FULL, -2, "a fixed pool, ring or table has no free slot")                \
    X(TOO_BIG, -3, "larger than what may be kept, or than the buffer")         \
    X(NOT_FOUND, -4, "there is no such thing")                                 \
    X(INCOMPLETE, -5, "not found, but the cache does not hold everything")     \
    X(STOPPED, -6, "the informer or queue has been stopped")                   \
    X(TYPE, -7, "the value is of another type")                                \
    X(SYNTAX, -8, "the selector or path cannot be read")                       \
    /* transport */                                                            \
    X(NAME, -9, "the host name does not resolve")                              \
    X(REFUSED, -10, "the connection was refused or could not be made")         \
    X(CLOSED, -11, "the peer ended the connection")                            \
    X(TIMEOUT, -12, "no progress within the deadline")                         \
    X(TLS, -13, "the TLS layer failed")                                        \
    X(NOT_TRUSTED, -14, "no trust anchor signed the server's certificate")     \
    X(WRONG_HOST, -15, "the server's certificate is for another name")         \
    X(EXPIRED, -16, "the server's certificate has expired")                    \
    X(NOT_YET_VALID, -17, "the server's certificate is not valid yet")         \
    X(NO_CLOCK, -18, "the time is unknown, certificates cannot be checked")    \
    X(NO_MEMORY, -19, "the TLS arena is exhausted")                            \
    X(RECORD, -20, "a TLS record is larger than the input buffer")             \
    X(CREDENTIALS, -21, "the credentials cannot be used")                      \
    /* HTTP */                                                                 \
    X(HTTP_VERSION, -22, "the answer is not HTTP/1.1")                         \
    X(HTTP_LINE, -23, "the status line or a header line is malformed")         \
    X(HTTP_HEADERS, -24, "the header section is too long")                     \
    X(HTTP_NUMBER, -25, "a length in the header is malformed or too large")    \
    X(HTTP_LENGTH, -26, "both Content-Length and chunked, or two lengths")     \
    X(HTTP_CHUNK, -27, "a chunk size is malformed or too large")               \
    X(HTTP_CHUNK_END, -28, "a chunk does not end where it said")               \
    X(HTTP_ENCODING, -29, "a content or transfer coding nobody asked for")     \
    X(HTTP_TYPE, -30, "the answer is not JSON, a proxy may have spoken")       \
    X(REDIRECT, -31, "the server answers with a redirect")                     \
    X(HTTP_STATUS, -32, "the server answers with an unexpected status")        \
    X(CUT, -33, "the answer ended before it was complete")                     \
    /* Kubernetes */                                                           \
    X(AUTH, -34, "401, the credentials were refused")                          \
    X(FORBIDDEN, -35, "403, no right to do this")                              \
    X(NO_RESOURCE, -36, "404, the server has no such resource")                \
    X(METHOD, -37, "405, the resource cannot be watched")                      \
    X(GONE, -38, "410, the resource version is too old")                       \
    X(INVALID, -39, "400 or 422, the request was not understood")              \
    X(BUSY, -40, "429, the server asks to come later")                         \
    X(SERVER, -41, "5xx, the server failed")                                   \
    X(VERSION_AHEAD, -42, "the server has not reached our resource version")   \
    X(SHORT_WATCH, -43, "the watch ended at once or far before its time")      \
    X(NO_STREAM, -44, "the server does not do streaming lists")                \
    /* JSON */                                                                 \
    X(JSON, -45, "the JSON is broken so that objects cannot be told apart")    \
    X(EVENT, -46, "a watch event of unknown type or without an object")        \
    X(UNREADABLE, -47, "an object is broken, only its identity is kept")       \
    X(NO_IDENTITY, -48, "an object without a readable name was skipped")       \
    X(DEGRADED, -49, "no place for a key, the cache is incomplete")            \
    X(BACK_IN_TIME, -50, "the server's version is lower than ours")            \
    X(CONTINUE, -51, "the continue token is longer than its buffer")

enum kinf_err {
    KINF_OK = 0,
#define X(name, code, text) KINF_ERR_##name = (code),
    KINF_ERR_MAP(X)
#undef X
    KINF_ERR_COUNT = 52 /* one more than the largest magnitude */
};

/* Returns the text of a code: static, never NULL; "" if the texts were left
 * out. */
const char *kinf_strerror(int err);

/* ---- what the platform supplies ----------------------------------------- */

#define KINF_WALL_UNKNOWN INT64_MIN

/* Clock and randomness. No call blocks; all are called from kinf_poll and the
 * init functions. Kept until the end, one table may serve everything. */
struct kinf_platform {
    uint32_t (*now_ms)(void *ctx); /* goes on in suspend; may wrap */
    int64_t (*wall_s)(void *ctx);  /* seconds since 1970 or KINF_WALL_UNKNOWN */
    void (*random)(void *ctx, void *out, size_t size); /* not guessable */
    void *ctx;
};

/* Phase of a connection that is being opened; each has its own deadline. */
enum kinf_phase {
    KINF_PHASE_CLOSED,
    KINF_PHASE_RESOLVE,
    KINF_PHASE_CONNECT,
    KINF_PHASE_HANDSHAKE,
    KINF_PHASE_OPEN
};

enum kinf_wants {
    KINF_WANTS_READ = 1,  /* readable */
    KINF_WANTS_WRITE = 2, /* writable */
    KINF_WANTS_CALL = 4   /* nothing: call again at once */
};

/* What a transport tells of itself. Zeroed by the caller of status(). */
struct kinf_transport_status {
    enum kinf_phase phase;
    unsigned wants;     /* enum kinf_wants, after the last AGAIN; if level, READ
                         * after a recv that gave bytes, too */
    uint32_t wait_ms;   /* call again after so long in any case; 0: none */
    bool verified;      /* the peer's certificate and name were checked */
    bool resumed;       /* opened by a ticket */
    bool level;         /* a wait for READ ends at once while there are bytes:
                         * none is held back where it does not see them. Then a
                         * read that would hardly find any is left out */
    const char *reason; /* why it failed, in words; until the next open */
};

/* How bytes reach the API server. A port fills one const table of these, and
 * TLS is a transport whose ctx holds another transport.
 *
 * No call blocks. open begins (first call after init or close) or goes on, and
 * returns KINF_OK when bytes can be sent; it is called again with the same
 * arguments while it returns KINF_ERR_AGAIN. It tries all addresses of a name
 * in turn, beginning with another one after each failure. send and recv return
 * how many bytes moved (at least 1), KINF_ERR_AGAIN when none can move now (the
 * same bytes are offered again), KINF_ERR_CLOSED when none ever will, or
 * another error. Neither returns 0, so "not yet" and "never" cannot be mixed
 * up. After an error only close is legal. close is legal at any time, twice
 * too, and frees what open took. status is legal at any time. */
struct kinf_transport_ops {
    int (*open)(void *ctx, struct kinf_span host, uint16_t port);
    int (*send)(void *ctx, const void *data, size_t size);
    int (*recv)(void *ctx, void *data, size_t size);
    void (*close)(void *ctx);
    void (*status)(void *ctx, struct kinf_transport_status *out);
    /* Forgets a kept session ticket, if any. May be NULL. */
    void (*forget)(void *ctx);
};

/* The bearer token. token() returns a span that stays unchanged until the next
 * call of it; it is called at the head of each request, with refused set when
 * the last answer was 401 (read the token again). An empty span: no header.
 * Line breaks inside are refused (KINF_ERR_CREDENTIALS). */
struct kinf_credentials {
    struct kinf_span (*token)(void *ctx, bool refused);
    void *ctx;
};

/* ---- objects ------------------------------------------------------------ */

/* Why an object is held as its identity only. */
enum kinf_reason {
    KINF_WHOLE = 0,
    KINF_REASON_TOO_BIG,    /* larger than object_bytes as kept */
    KINF_REASON_NO_ROOM,    /* the arena is full; fetched when there is room */
    KINF_REASON_UNREADABLE, /* broken JSON, not UTF-8, no version, ... */
    KINF_REASON_KEY_ONLY    /* a deleted key, shown to a "latest" handler */
};

/* One state of a key. Made on the fly: the struct and what it points to are
 * good until the handler returns, or, given by a lister, until the next
 * kinf_poll. kinf_copy is for longer. */
struct kinf_object {
    struct kinf_span name;
    struct kinf_span namespace_; /* empty: cluster scoped */
    struct kinf_span uid;
    struct kinf_span resource_version;
    struct kinf_span json; /* the kept JSON; empty unless reason is WHOLE */
    uint32_t size;         /* bytes of JSON as it would be kept */
    enum kinf_reason reason;
};

/* Copies an object with all it points to into buf. Returns the bytes used, or
 * KINF_ERR_TOO_BIG. */
int kinf_copy(const struct kinf_object *object, void *buf, size_t size,
              struct kinf_object *out);

/* Writes "namespace/name", or "name", not NUL-terminated. Returns the length or
 * KINF_ERR_TOO_BIG (316 bytes always do). */
int kinf_object_key(const struct kinf_object *object, char *buf, size_t size);

/* Splits a key at its slash. Returns KINF_ERR_SYNTAX on a second slash. */
int kinf_split_key(struct kinf_span key, struct kinf_span *namespace_,
                   struct kinf_span *name);

enum kinf_json_type {
    KINF_JSON_NULL,
    KINF_JSON_BOOL,
    KINF_JSON_NUMBER,
    KINF_JSON_STRING,
    KINF_JSON_ARRAY,
    KINF_JSON_OBJECT
};

/* A value inside kept JSON: its text as it stands, strings without quotes. */
struct kinf_value {
    enum kinf_json_type type;
    struct kinf_span raw;
};

/* Finds a value by path: member names joined by dots, "\." for a dot inside a
 * name, "[3]" for an element: "data.app\\.conf", "spec.containers[0].image".
 * A step into null is NOT_FOUND, "" is the value itself. Returns KINF_OK,
 * KINF_ERR_NOT_FOUND, KINF_ERR_TYPE (a step into another scalar),
 * KINF_ERR_SYNTAX (the path), KINF_ERR_TOO_BIG (held as identity only) or
 * KINF_ERR_JSON (a broken text of the user's own). */
int kinf_find(const struct kinf_object *object, const char *path,
              struct kinf_value *out);
int kinf_value_find(struct kinf_value from, const char *path,
                    struct kinf_value *out);

/* Walks the members of an object or the elements of an array. Zero the cursor,
 * then each call gives the next (name is empty for elements; its raw text may
 * hold escapes, see kinf_string). Returns 1 while there is one, then 0, or
 * KINF_ERR_TYPE when of is neither, KINF_ERR_JSON when it is broken. */
struct kinf_json_cursor {
    size_t at;
};
int kinf_each(struct kinf_value of, struct kinf_json_cursor *cursor,
              struct kinf_span *name, struct kinf_value *value);

/* Reads a string piece by piece, unescaped (UTF-8, NUL included as a byte) or
 * base64-decoded (line breaks are passed over). Half a surrogate pair reads as
 * U+FFFD. Returns bytes written (0 at the end), KINF_ERR_TYPE (not a string,
 * not base64). A piece never ends inside a UTF-8
 * sequence when size is 4 or more. */
struct kinf_reader {
    struct kinf_span raw;
    size_t at;
    uint32_t bits; /* base64: left over */
    uint8_t held;
};
void kinf_reader_init(struct kinf_reader *reader, struct kinf_value value);
int kinf_read_string(struct kinf_reader *reader, void *buf, size_t size);
int kinf_read_base64(struct kinf_reader *reader, void *buf, size_t size);

/* The same in one go: returns the length, KINF_ERR_TOO_BIG or KINF_ERR_TYPE.
 * kinf_int64: TOO_BIG out of range, TYPE for a fraction or an exponent. */
int kinf_string(struct kinf_value value, char *buf, size_t size);
int kinf_base64(struct kinf_value value, void *buf, size_t size);
int kinf_int64(struct kinf_value value, int64_t *out);
bool kinf_equal(struct kinf_value value, struct kinf_span text); /* unescaped */

/* Typed access: a table from paths to the fields of a C struct. A text field is
 * char[size], NUL-terminated; one that does not fit or holds a NUL is left
 * empty and makes kinf_decode return KINF_ERR_TOO_BIG, one of another type
 * KINF_ERR_TYPE, after all others were filled. Absent values leave zero. */
enum kinf_field_type {
    KINF_FIELD_TEXT,
    KINF_FIELD_INT32,
    KINF_FIELD_INT64,
    KINF_FIELD_BOOL,
    KINF_FIELD_SPAN, /* struct kinf_value, for maps and lists */
};
struct kinf_field {
    const char *path;
    enum kinf_field_type type;
    uint16_t offset;
    uint16_t size;
};
#define KINF_FIELD(struct_, member, type, path)                                \
    { (path), (type), (uint16_t)offsetof(struct_, member),                     \
      (uint16_t)sizeof(((struct_ *)0)->member) }
int kinf_decode(const struct kinf_object *object,
                const struct kinf_field *table, size_t count, void *out,
                size_t out_size);

/* Of a ConfigMap or Secret: walks the keys of data and then of binaryData
 * (binary set: read it with kinf_read_base64). A Secret's data is binary. */
struct kinf_data_cursor {
    struct kinf_json_cursor at;
    struct kinf_value map;
    uint8_t stage;
};
int kinf_configmap_each(const struct kinf_object *object,
                        struct kinf_data_cursor *cursor, struct kinf_span *key,
                        struct kinf_value *value, bool *binary);
int kinf_secret_each(const struct kinf_object *object,
                     struct kinf_data_cursor *cursor, struct kinf_span *key,
                     struct kinf_value *value, bool *binary);

/* Does a label selector ("a=b,c!=d,e in (f,g),!h") match the object's
 * metadata.labels? Returns 1, 0, KINF_ERR_SYNTAX, or KINF_ERR_TOO_BIG for an
 * object that is held as identity only. */
int kinf_selector_match(struct kinf_span selector,
                        const struct kinf_object *object);

/* ---- handlers ----------------------------------------------------------- */

/* Each returns KINF_OK, or "not now": KINF_ERR_AGAIN waits for
 * kinf_listener_resume, a positive number is the wait in ms. The same call
 * comes again then, and nothing is lost meanwhile.
 *
 * was is NULL in "latest" mode. An object held as identity only comes by
 * on_truncated (was NULL: it stands for on_add), which every handler must
 * supply; what follows is on_update with the identity as was, on_truncated or
 * on_delete. final_state_unknown: the delete itself was missed, was is the last
 * state known. filter, if given, is asked with each state and must depend on
 * it alone: a change of its answer becomes add or delete. */
struct kinf_event_handler {
    int (*on_add)(void *ctx, const struct kinf_object *object,
                  bool in_initial_list);
    int (*on_update)(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object);
    int (*on_delete)(void *ctx, const struct kinf_object *was,
                     bool final_state_unknown);
    int (*on_truncated)(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity);
    bool (*filter)(void *ctx, const struct kinf_object *object);
};

enum kinf_mode {
    KINF_EVERY, /* every step, in order, through a ring of its own */
    KINF_LATEST /* at most one notification a key, with its newest state */
};

/* ---- sizes -------------------------------------------------------------- */

/* Pools of one informer. Zero a struct, set what differs from the defaults of
 * KINF_SIZES_DEFAULT. */
struct kinf_sizes {
    uint32_t objects;      /* keys; 1 .. 65,000 with 16-bit indexes */
    uint32_t object_bytes; /* largest object as kept, at least
                              CONFIG_KINF_IDENTITY_BYTES */
    uint32_t arena_bytes;  /* payloads; at least 2 x object_bytes + 32 */
    uint32_t fifo;         /* deltas between wire and store, 1 or more */
    uint32_t every;        /* handlers in "every" mode at one time */
    uint32_t ring;         /* undelivered notifications of each of them */
    uint32_t latest;       /* handlers in "latest" mode at one time */
    uint32_t postings;     /* index values over all objects; 0: no indexes */
};
#define KINF_SIZES_DEFAULT                                                     \
    { .objects = CONFIG_KINF_OBJECTS,                                          \
      .object_bytes = CONFIG_KINF_OBJECT_BYTES,                                \
      .arena_bytes = CONFIG_KINF_ARENA_BYTES, .fifo = CONFIG_KINF_FIFO,        \
      .every = CONFIG_KINF_EVERY, .ring = CONFIG_KINF_RING,                    \
      .latest = CONFIG_KINF_LATEST, .postings = CONFIG_KINF_POSTINGS }

/* Bytes of memory an informer of these sizes takes, as a constant expression
 * (KINF_INFORMER_BYTES: sizes that cannot work do not compile) and for sizes
 * known at start only. */
#define KINF_INFORMER_BYTES(objects, arena_bytes, fifo, every, ring, latest,   \
                            postings)                                          \
    (KINF_INFORMER_BYTES_(objects, arena_bytes, fifo, every, ring, latest,     \
                          postings) *                                          \
     sizeof(char[KINF_SIZES_WORK_(objects, arena_bytes, fifo, every, ring,     \
                                  latest, postings)                            \
                     ? 1                                                       \
                     : -1]))
#define KINF_INFORMER_BYTES_DEFAULT                                            \
    KINF_INFORMER_BYTES(CONFIG_KINF_OBJECTS, CONFIG_KINF_ARENA_BYTES,          \
                        CONFIG_KINF_FIFO, CONFIG_KINF_EVERY, CONFIG_KINF_RING, \
                        CONFIG_KINF_LATEST, CONFIG_KINF_POSTINGS)
size_t kinf_informer_bytes(const struct kinf_sizes *sizes);

/* ---- resources ---------------------------------------------------------- */

struct kinf_resource {
    struct kinf_span group; /* empty: the core group */
    struct kinf_span version;
    struct kinf_span plural;
    struct kinf_span kind; /* of one object; empty: not checked */
};
#define KINF_RESOURCE_CONFIGMAPS                                               \
    { { "", 0 }, { "v1", 2 }, { "configmaps", 10 }, { "ConfigMap", 9 } }
#define KINF_RESOURCE_SECRETS                                                  \
    { { "", 0 }, { "v1", 2 }, { "secrets", 7 }, { "Secret", 6 } }
#define KINF_RESOURCE_PODS                                                     \
    { { "", 0 }, { "v1", 2 }, { "pods", 4 }, { "Pod", 3 } }
#define KINF_RESOURCE_DEPLOYMENTS                                              \
    { { "apps", 4 }, { "v1", 2 }, { "deployments", 11 }, { "Deployment", 10 } }

/* Writes the n-th value of an object for an index (n = 0, 1, ...) and returns
 * its length, or KINF_ERR_NOT_FOUND when there is no n-th. It must depend on
 * the object alone. */
typedef int (*kinf_index_func)(const struct kinf_object *object, unsigned n,
                               char *value, size_t size);

/* ---- requests of a reflector (the user's own source answers them too) --- */

/* What a reflector asks of its source. Spans are good until the answer's first
 * object, or close. */
enum kinf_request_type {
    KINF_REQUEST_LIST,
    KINF_REQUEST_WATCH,
    KINF_REQUEST_STREAM, /* a watch with sendInitialEvents */
    KINF_REQUEST_GET,    /* one object, by namespace and name */
    KINF_REQUEST_PROBE   /* a list of limit 1, metadata only, no version */
};
struct kinf_request {
    enum kinf_request_type type;
    struct kinf_span version;   /* empty: most recent */
    bool not_older_than;        /* LIST: resourceVersionMatch=NotOlderThan */
    uint32_t limit;             /* LIST: objects a page; 0: none */
    struct kinf_span continue_; /* LIST: next page */
    uint32_t timeout_seconds;   /* WATCH, STREAM */
    struct kinf_span namespace_, name; /* GET */
};

/* ---- internals: needed for sizeof only ---------------------------------- */

#include "kinf_internal.h"

/* ---- the loop ----------------------------------------------------------- */

struct kinf_config {
    const struct kinf_platform *platform;
    struct kinf_span host; /* name or IP address, without brackets */
    uint16_t port;
    struct kinf_span path_prefix; /* before /api; empty or "/k8s/c-1" */
    struct kinf_span user_agent;  /* empty: "kinformer/VERSION" */
    struct kinf_credentials credentials;
    /* After a connection that had lasted is lost, the first attempt is spread
     * over so long. 0: 1 s, since one user should not wait for a fleet that he
     * has not; a fleet of a thousand wants 30,000 or more. */
    uint32_t spread_ms;
};

/* Makes the loop. config and everything it points to are kept until the end. */
#define kinf_init(k, config) kinf_init_abi(k, config, &KINF_ABI)
void kinf_init_abi(struct kinf *k, const struct kinf_config *config,
                   const uint8_t *abi);

/* Does a bounded amount of work. Returns how many milliseconds the caller may
 * sleep: 0 to be called again at once, UINT32_MAX if only new bytes matter.
 * kinf_waits() tells which transports may end the sleep earlier. */
uint32_t kinf_poll(struct kinf *k);

/* Ends a sleep: the next kinf_poll looks at everything. The one call that is
 * legal from an interrupt or another thread; the port must end the sleep. */
void kinf_wake(struct kinf *k);

/* What each session's transport waits for, in the order of kinf_session_init.
 * A session that is not read now (a handler or room is awaited) wants nothing.
 * Returns the number of sessions; fills at most max. */
struct kinf_wait {
    void *transport; /* the ctx of the session's transport */
    unsigned wants;  /* enum kinf_wants */
};
size_t kinf_waits(const struct kinf *k, struct kinf_wait *out, size_t max);

/* New client certificate or trust anchor: ends every connection between two
 * events, drops tickets, then calls closed() once, in which the old ones may be
 * freed and the new ones set; then all resume from their versions. */
void kinf_reload(struct kinf *k, void (*closed)(void *ctx), void *ctx);

/* Starts every informer that was not started (twice is harmless). */
void kinf_start(struct kinf *k);

/* Have all started informers synced? When not, missing (may be NULL) gets the
 * first that has not, whose status says why. */
bool kinf_synced(struct kinf *k, struct kinf_informer **missing);

/* Stops every informer. When the next kinf_poll has returned UINT32_MAX and
 * kinf_stopped is true, all memory is the caller's again. */
void kinf_stop(struct kinf *k);
bool kinf_stopped(const struct kinf *k);

/* Finds the informer made for this resource, namespace and selectors, so that
 * two users share it. NULL: make one. */
struct kinf_informer *kinf_informer_for(struct kinf *k,
                                        const struct kinf_resource *resource,
                                        struct kinf_span namespace_,
                                        struct kinf_span label_selector);

/* ---- sessions ----------------------------------------------------------- */

/* One connection: transport, HTTP state, one buffer for what is sent and
 * received (size: 256 bytes or more; larger saves calls, not memory copies). */
void kinf_session_init(struct kinf_session *session, struct kinf *k,
                       const struct kinf_transport_ops *ops, void *ctx,
                       void *buffer, size_t size);

/* One GET beside the informers, such as discovery. The struct is the caller's
 * and kept until end() is called; from inside end() it may be used again. Not
 * repeated on an error. Its body has CONFIG_KINF_BODY_MS from byte to byte, and
 * CONFIG_KINF_OBJECT_MS in all. */
struct kinf_get {
    struct kinf_span path;   /* "/apis/apps/v1", sent as it stands */
    struct kinf_span accept; /* empty: application/json */
    /* A piece of the body of a 200. Anything but KINF_OK: enough seen. */
    int (*body)(void *ctx, struct kinf_span piece);
    /* Once: KINF_OK, or the error with HTTP status and words. */
    void (*end)(void *ctx, int err, int http_status, struct kinf_span message);
    void *ctx;
    struct kinf_get *next; /* private from here */
    struct kinf_lease lease;
    int status;
    uint32_t opened_ms, progress_ms;
    bool sent;
};
void kinf_session_get(struct kinf_session *session, struct kinf_get *get);

/* ---- informers ---------------------------------------------------------- */

enum kinf_streaming {
    KINF_STREAM_AUTO, /* ask for a streaming list, remember a refusal */
    KINF_STREAM_NEVER
};

struct kinf_informer_config {
    struct kinf_resource resource;
    struct kinf_span namespace_; /* empty: all */
    struct kinf_span label_selector;
    struct kinf_span field_selector;
    bool metadata_only; /* ask for PartialObjectMetadata */
    enum kinf_streaming streaming;
    uint32_t limit;       /* objects a page; 0: CONFIG_KINF_LIST_LIMIT */
    uint32_t verify_ms; /* 0: never; else at most INT32_MAX: the clock wraps */
    /* A watch answered by 405 is told as KINF_ERR_METHOD. 0: it is tried again
     * each CONFIG_KINF_DENIED_MS, phase DENIED. Else: never again; the resource
     * is listed so often (30,000 or more keeps below 125 lists an hour; at most
     * INT32_MAX), and between two lists phase is BACKOFF. */
    uint32_t poll_ms;
    /* Paths to keep, beside the identity; none: all. apiVersion, kind (known
     * and not in a list's items), metadata.managedFields and the last-applied
     * annotation never stay. */
    const struct kinf_span *keep;
    uint32_t keep_count; /* at most CONFIG_KINF_KEEP_PATHS */
    struct kinf_sizes sizes;
    void *memory; /* aligned to 8; kinf_informer_bytes(&sizes) bytes */
    size_t memory_size;
    struct kinf_session *session; /* for lists and watches */
    struct kinf_session *single;  /* for single requests; NULL: the same */
    /* The user's own source in place of the API server; NULL: the session. */
    const struct kinf_list_watch_ops *source;
    void *source_ctx;
    /* Told of each error, from kinf_poll: a code, the HTTP status or 0, words
     * that are good until it returns, and the object concerned or NULL. Of
     * KINF_ERR_JSON that is the one in which, or behind which, the text broke;
     * its name may be empty. While such an object stands in every list nothing
     * behind it is seen: it is listed at the backoff's pace, and what is held
     * stays and counts as incomplete. */
    void (*on_error)(void *ctx, int err, int http_status,
                     struct kinf_span message,
                     const struct kinf_object *object);
    void *ctx;
};

/* Wires an informer together. config and all it points to are kept until it is
 * stopped. Sizes that cannot work stop at an assertion; at run time
 * kinf_informer_check tells the bytes that would do instead. */
void kinf_informer_init(struct kinf_informer *inf, struct kinf *k,
                        const struct kinf_informer_config *config);

/* KINF_OK, or KINF_ERR_TOO_BIG with in *need the arena_bytes (or, when those
 * suffice, the memory_size) that would do. */
int kinf_informer_check(const struct kinf_informer_config *config,
                        size_t *need);

/* Starts one informer; twice is harmless, after its stop it has to be made anew
 * by kinf_informer_init. Stops it: its connection is closed unread, undelivered
 * notifications are dropped, nobody is called again. */
void kinf_informer_start(struct kinf_informer *inf);
void kinf_informer_stop(struct kinf_informer *inf);

/* Has the first complete list been applied? */
bool kinf_informer_synced(const struct kinf_informer *inf);

/* Adds an index, before or after the start (objects held are then indexed in
 * bounded steps; until that is done its listings look at every object). name
 * is kept. Returns KINF_ERR_FULL if there are three already. "namespace" is
 * built in; each value of each object needs one of sizes.postings, and when
 * they run out listings look at every object. */
int kinf_informer_index(struct kinf_informer *inf, const char *name,
                        kinf_index_func func);

enum kinf_informer_phase {
    KINF_INFORMER_NEW,
    KINF_INFORMER_CONNECTING,
    KINF_INFORMER_LISTING,
    KINF_INFORMER_STREAMING,
    KINF_INFORMER_WATCHING,
    KINF_INFORMER_PROBING,
    KINF_INFORMER_BACKOFF,
    KINF_INFORMER_DENIED,
    KINF_INFORMER_STOPPED
};

struct kinf_pool_status {
    uint32_t used, high, size;
};

/* Everything one needs to know. Spans are good until the next kinf_poll. The
 * cache is not complete while keys found no entry, and from an item, an event
 * or a list that could not be read to the next whole list; that is asked for
 * once in CONFIG_KINF_REPAIR_MS, or in ten of them when the last one had an
 * item without a name. */
struct kinf_status {
    enum kinf_informer_phase phase;
    int last_error; /* kept until the next whole event, bookmark or list */
    int http_status;
    struct kinf_span message; /* the server's or the transport's words */
    bool synced;
    bool relisting;  /* the cache is a mixture of two versions */
    bool degraded;   /* keys without an entry */
    bool complete;   /* every key of the last list is held */
    bool handler_stuck;
    struct kinf_listener *stuck;      /* the first handler that says not now */
    struct kinf_span version_received;
    struct kinf_span version_stored;
    struct kinf_span version_delivered; /* applied and delivered to all */
    uint32_t last_contact_ms;  /* since the last whole event or answer */
    uint32_t stale_ms;         /* since the state was known to be current; 0:
                                  it is */
    uint32_t retry_ms;         /* until the next attempt, in backoff */
    uint32_t truncated;        /* objects held as identity only */
    uint32_t lists, watches, requests, events, bookmarks, relists, unchanged;
    uint32_t swept, mended, probes, fetches;
    uint64_t bytes; /* HTTP bytes received */
    struct kinf_pool_status entries, objects, arena, fifo, ring, postings;
    const kinf_count *errors; /* [KINF_ERR_COUNT], by -code */
};
void kinf_informer_status(const struct kinf_informer *inf,
                          struct kinf_status *out);

/* ---- listeners (handlers of an informer) -------------------------------- */

/* Adds a handler, before or after the start. It gets the whole cache as adds
 * (in_initial_list) and then every change. resync_ms: 0 for none, else each
 * object is shown again (as an update of itself) so often, at most INT32_MAX.
 * Returns KINF_ERR_FULL (sizes.every or sizes.latest) or KINF_ERR_STOPPED.
 * listener is kept until kinf_listener_gone. */
int kinf_listener_add(struct kinf_informer *inf, struct kinf_listener *listener,
                      const struct kinf_event_handler *handler, void *ctx,
                      enum kinf_mode mode, uint32_t resync_ms);

/* Removes a handler (also from inside itself): it is not called again once the
 * running callback has returned. */
void kinf_listener_remove(struct kinf_listener *listener);

/* Is the struct the caller's again? */
bool kinf_listener_gone(const struct kinf_listener *listener);

/* Ends a "not now". */
void kinf_listener_resume(struct kinf_listener *listener);

/* Has the informer synced, and has this handler seen the initial list? */
bool kinf_listener_synced(const struct kinf_listener *listener);

/* ---- listers ------------------------------------------------------------
 *
 * Legal while the informer has not stopped (kinf_informer_stop and a kinf_poll
 * after it): then its memory is the caller's. Not legal inside a filter or an
 * index function, which depend on their object alone. */

/* A positive answer beside what was found: the cache is not whole. */
#define KINF_INCOMPLETE 2

/* Gets an object by key ("namespace/name" or "name"). Returns KINF_OK,
 * KINF_INCOMPLETE (found, but keys are missing from the cache),
 * KINF_ERR_NOT_FOUND or, in an incomplete cache, KINF_ERR_INCOMPLETE. */
int kinf_get(const struct kinf_informer *inf, struct kinf_span key,
             struct kinf_object *out);

/* What to list. Zero: everything. */
struct kinf_list_options {
    struct kinf_span namespace_;     /* by its index if there is one */
    struct kinf_span label_selector;
    const char *index;               /* name of an index ... */
    struct kinf_span value;          /* ... and the value asked for */
};

/* Begins a listing. options is copied, what it points to is kept until the
 * end. Returns KINF_OK, KINF_ERR_NOT_FOUND (no such index) or KINF_ERR_SYNTAX
 * (the selector). A listing may go on over many kinf_polls: it gives every
 * object that lived throughout exactly once. */
int kinf_list(struct kinf_informer *inf, struct kinf_list_cursor *cursor,
              const struct kinf_list_options *options);

/* Gives the next object. Returns 1, or at the end 0 or KINF_INCOMPLETE (keys
 * are missing, the first list is not whole yet, or a label selector could not
 * be asked of an object that is held as identity only and was left out);
 * KINF_ERR_AGAIN: enough looked at for once, call again (after the next
 * kinf_poll, or now); KINF_ERR_FULL: the place of an index listing was taken by
 * CONFIG_KINF_CURSORS newer ones. */
int kinf_list_next(struct kinf_informer *inf, struct kinf_list_cursor *cursor,
                   struct kinf_object *out);

/* Walks the values an index holds now, each once, in no order. *at is zero at
 * first. Returns the length of the value, 0 at the end, or KINF_ERR_NOT_FOUND.
 * size: CONFIG_KINF_INDEX_VALUE_BYTES. To give a value once, all entries before
 * its own are asked again: a whole walk may call the index function n * n / 2
 * times for n objects, and one call is not bounded. For diagnosis, not for each
 * event. */
int kinf_index_values(const struct kinf_informer *inf, const char *index,
                      uint32_t *at, char *value, size_t size);

/* ---- the user's own source ---------------------------------------------- */

/* What next() of a source reports, beside KINF_ERR_AGAIN and errors. */
enum kinf_source_event {
    KINF_SOURCE_OPEN = 1,   /* the answer's head was 200 */
    KINF_SOURCE_BEGIN,      /* an object begins: give it a sink, or none */
    KINF_SOURCE_ITEM,       /* it ended: *item says what it was */
    KINF_SOURCE_END         /* the answer ended whole; a list's item.version and
                               item.continue_ are set */
};

/* A source answers one request at a time.
 * request: begins; KINF_OK, or KINF_ERR_AGAIN (busy, ask again).
 * next: goes on; sink and item are the same until the request ends. After BEGIN
 *   it is called again only when *sink is set: its ptr NULL for what nobody
 *   will keep. It writes the kept JSON there, counts all of it in sink->wanted,
 *   and goes on when it overflows. An error ends the request; http_status,
 *   retry_after_ms and message of item tell more.
 * close: ends the request at once. reading tells it whether next will be called
 *   soon: deadlines stand still while it will not. */
struct kinf_list_watch_ops {
    int (*request)(void *ctx, const struct kinf_request *request);
    int (*next)(void *ctx, uint32_t now_ms, struct kinf_sink *sink,
                struct kinf_item *item);
    void (*close)(void *ctx);
};

/* A source that plays a script, so that users test their handlers with it. */
struct kinf_script_step {
    enum kinf_request_type on; /* the request it answers */
    int error;                 /* fails so, or KINF_OK */
    const char *body;          /* a list or watch events, as the server sends */
};
struct kinf_script {
    const struct kinf_script_step *steps;
    size_t count;
    size_t at; /* steps played so far */
    struct kinf_json_stream json;
    size_t offset;
    uint8_t mode;
    bool busy, open;
};
extern const struct kinf_list_watch_ops kinf_script_ops;

/* ---- workqueue ---------------------------------------------------------- */

/* Keys to be worked on, with client-go's rules: added while waiting, a key is
 * there once; added while being processed, it comes again after done. Fixed
 * slots of key bytes; a full queue answers KINF_ERR_FULL and the caller's
 * handler says "not now", so no key is lost. A slot that holds only a count of
 * failures is given up when a new key finds no other. Delays are cut to 2^30 ms
 * (12 days). Shutting down drops what is not due, as client-go does. */
struct kinf_workqueue_config {
    const struct kinf_platform *platform;
    uint32_t base_ms;   /* first wait of an item that failed; 0: 5 */
    uint32_t cap_ms;    /* longest; 0: 1,000,000 */
    uint32_t bucket_per_s; /* over all items; 0: 10 */
    uint32_t bucket_burst; /* 0: 100 */
};
#define KINF_WORKQUEUE_BYTES(slots, key_bytes)                                 \
    KINF_WORKQUEUE_BYTES_(slots, key_bytes)
void kinf_workqueue_init(struct kinf_workqueue *q,
                         const struct kinf_workqueue_config *config,
                         void *memory, size_t slots, size_t key_bytes);
int kinf_workqueue_add(struct kinf_workqueue *q, struct kinf_span key);
int kinf_workqueue_add_after(struct kinf_workqueue *q, struct kinf_span key,
                             uint32_t delay_ms);
int kinf_workqueue_add_rate_limited(struct kinf_workqueue *q,
                                    struct kinf_span key);
/* Gives the next key; it is good until kinf_workqueue_done. Returns KINF_OK,
 * KINF_ERR_AGAIN (nothing is due) or KINF_ERR_STOPPED (shut down and empty). */
int kinf_workqueue_get(struct kinf_workqueue *q, struct kinf_span *key);
void kinf_workqueue_done(struct kinf_workqueue *q, struct kinf_span key);
void kinf_workqueue_forget(struct kinf_workqueue *q, struct kinf_span key);
uint32_t kinf_workqueue_failures(const struct kinf_workqueue *q,
                                 struct kinf_span key);
size_t kinf_workqueue_len(const struct kinf_workqueue *q);
/* Milliseconds until a delayed key is due: 0 now, UINT32_MAX never. */
uint32_t kinf_workqueue_wait(struct kinf_workqueue *q);
/* No further adds; what is there is still given. drain: keys that were added
 * while processed are given too. */
void kinf_workqueue_shut_down(struct kinf_workqueue *q, bool drain);
bool kinf_workqueue_drained(const struct kinf_workqueue *q);

/* ---- assertions --------------------------------------------------------- */

/* Called when a promise is broken, by the caller or by ourselves; must not
 * return. Supplied by the port or the application. file is a number (see
 * core/base/assert.h), so that no strings are stored. */
void kinf_assert_failed(unsigned file, unsigned line);

#ifdef __cplusplus
}
#endif

#endif
