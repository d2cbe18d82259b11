/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_wire.h - structs of core/wire, for sizeof; included by kinformer.h. */
#ifndef KINF_WIRE_H
#define KINF_WIRE_H

#ifndef KINFORMER_H
#error "include kinformer.h"
#endif

/* Where an object's kept JSON is written: at most size bytes at ptr. The store
 * lends it, the wire fills it. ptr NULL: nobody keeps it. */
struct kinf_sink {
    char *ptr;
    size_t size;
    size_t used;     /* bytes written, at most size */
    uint32_t wanted; /* bytes it would take; larger than used: overflowed */
};

enum kinf_event {
    KINF_EVENT_LISTED, /* an item of a list, or the answer to a GET */
    KINF_EVENT_ADDED,
    KINF_EVENT_MODIFIED,
    KINF_EVENT_DELETED,
    KINF_EVENT_BOOKMARK,
    KINF_EVENT_ERROR,
    KINF_EVENT_UNKNOWN /* counted and skipped; the version moves on */
};

/* What was learned of an object, an event or a whole answer. Spans point into
 * the source (its identity buffer) and are good until its next call. Identity
 * texts are unescaped; those that cannot be read or do not fit are empty. The
 * *_at fields tell where the same text stands in the sink (written there
 * unescaped too); they count only if the object fitted the sink. */
struct kinf_item {
    enum kinf_event event;
    int broken; /* KINF_OK, KINF_ERR_UNREADABLE or KINF_ERR_NO_IDENTITY */
    struct kinf_span name, namespace_, uid, version;
    kinf_off name_at, namespace_at, uid_at, version_at;
    bool initial_end;            /* BOOKMARK with initial-events-end "true" */
    bool key_too_long;           /* NO_IDENTITY because it cannot be held */
    struct kinf_span continue_;  /* END of a list page */
    int http_status;             /* of the answer, or a Status' code */
    uint32_t retry_after_ms;     /* 0: not told */
    struct kinf_span message;    /* the server's words, cut, or body's start */
    bool version_ahead;          /* cause ResourceVersionTooLarge */
};

/* ---- HTTP response (core/wire/http_response) ---------------------------- */

struct kinf_http_response {
    uint8_t state; /* enum http_state */
    uint8_t digits;
    bool keep_alive; /* the connection serves another request */
    bool json;       /* the content type is application/json */
    bool chunked, has_length;
    bool after_cr, line_long;
    int16_t error;
    int status;
    uint32_t retry_after_s;   /* 0: not told */
    int64_t retry_after_date; /* seconds since 1970, 0: not told */
    int64_t date;             /* the server's clock, 0: not told */
    uint64_t left;            /* of the body or of a chunk */
    uint32_t head_bytes;
    uint8_t line_len;
    char line[CONFIG_KINF_HTTP_LINE_BYTES];
};

/* ---- HTTP request (core/wire/http_request) ------------------------------ */

enum kinf_part_type {
    KINF_PART_PLAIN,
    KINF_PART_ENCODED, /* percent-encoded as it is written */
    KINF_PART_SECRET   /* sent from its own span, never copied */
};
struct kinf_part {
    struct kinf_span text;
    enum kinf_part_type type;
};
#define KINF_PARTS_MAX 40
struct kinf_http_request {
    struct kinf_part parts[KINF_PARTS_MAX];
    uint8_t count;
    uint8_t part; /* being sent */
    size_t at;    /* bytes of it sent */
};

/* ---- JSON stream (core/wire/json_stream) -------------------------------- */

struct kinf_json_stream {
    uint8_t state; /* enum json_state */
};

#endif
