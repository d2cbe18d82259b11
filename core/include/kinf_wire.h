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
    int8_t error;  /* sticky */
    /* Read by others, from HTTP_HEAD on. */
    bool keep_alive; /* the connection serves another request */
    bool json;       /* the content type is application/json */
    bool chunked;
    bool has_length; /* private, as is what follows the dates */
    uint16_t status;
    uint32_t retry_after_s;   /* 0: none */
    int64_t retry_after_date; /* seconds since 1970, 0: none */
    int64_t date;             /* of the server's clock, 0: none */
    uint32_t header_bytes;    /* of the header section, then of the trailers */
    uint32_t left;            /* bytes of the body or of the chunk to come */
    uint16_t line_len; /* bytes kept in line, or of a chunk extension */
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

/* One text: two areas in a row. The first holds the identity of the object
 * that is read and, behind it, the value that is looked at; the second a list's
 * version and continue token, or the message of a Status. */
#define KINF_JSON_PAGE_BYTES                                                   \
    (CONFIG_KINF_CONTINUE_BYTES > CONFIG_KINF_MESSAGE_BYTES                    \
         ? CONFIG_KINF_CONTINUE_BYTES + 64                                     \
         : CONFIG_KINF_MESSAGE_BYTES + 64)
#define KINF_JSON_TEXT_BYTES (CONFIG_KINF_IDENTITY_BYTES + KINF_JSON_PAGE_BYTES)

struct kinf_json_text {
    uint16_t at, len; /* in text */
};

/* Small fields stand first: a Thumb instruction of two bytes reaches bytes up
 * to 31, half words up to 62, words up to 124. */
struct kinf_json_stream {
    uint8_t state;      /* enum json_state */
    uint8_t mode;       /* enum json_mode */
    uint8_t event;      /* enum kinf_event */
    uint8_t role;       /* of the innermost container we know, enum known */
    uint8_t role_depth; /* where it lies */
    uint8_t field;      /* what the value is that comes, enum known */
    uint8_t taken;      /* field whose value is being copied into text */
    uint8_t literal;    /* place in a word, or state of a number */
    uint8_t left;       /* bytes of a character, digits of an escape to come */
    uint8_t keep_count;
    int8_t told;        /* event to return; an error is sticky */
    bool comma;         /* one stands before the next member */
    bool comma_before;  /* the same, at the mark */
    bool in_key, in_object;
    bool begun;         /* JSON_BEGIN was told */
    bool partial;       /* paths name something inside the member */
    bool cut;           /* the text that is copied does not fit */
    bool broken, key_too_long, initial_end, version_ahead;
    uint16_t name_alive;   /* names that may still be the key that is read */
    uint16_t identity_len; /* of the first area in use */
    uint16_t page_len;     /* of the second */
    uint16_t room;         /* for the text that is copied */
    struct kinf_json_text text_taken;
    /* In one call: what is read, and where the bytes begin that go to the sink
     * as they are; NULL while bytes are left out. */
    const char *at, *end, *run;
    struct kinf_sink *sink;
    struct kinf_item *item;
    uint32_t depth;       /* open brackets */
    uint32_t drop_depth;  /* a member at this depth is dropped; 0: none */
    uint32_t whole_depth; /* a member at this depth is kept whole; 0: none */
    uint32_t mark;        /* length in the sink before the member */
    uint32_t seen;        /* a bit for each field that came */
    uint32_t code;        /* of the character or escape that is read */
    uint32_t least;       /* of characters with so many bytes */
    uint32_t key_len;
    uint32_t path_alive;  /* paths that may still name the key that is read */
    uint32_t retry_after_s, http_status;
    struct kinf_json_text identity[4]; /* name, namespace, uid, version */
    struct kinf_json_text version, page; /* page: token or message */
    const struct kinf_span *keep;        /* paths */
    struct kinf_span kind;
    uint32_t arrays[2];   /* a bit for each level: it is an array */
    kinf_off sink_at[4];  /* where the identity stands in the sink */
    uint16_t path_at[CONFIG_KINF_KEEP_PATHS];   /* place in the path */
    uint8_t path_level[CONFIG_KINF_KEEP_PATHS]; /* steps taken of it */
    char text[KINF_JSON_TEXT_BYTES];
};

#endif
