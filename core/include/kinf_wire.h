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
    int broken;      /* KINF_OK, KINF_ERR_UNREADABLE or KINF_ERR_NO_IDENTITY */
    int http_status; /* of the answer, or a Status' code */
    uint32_t retry_after_ms; /* 0: not told */
    bool initial_end;        /* BOOKMARK with initial-events-end "true" */
    bool key_too_long;       /* NO_IDENTITY because it cannot be held */
    bool version_ahead;      /* cause ResourceVersionTooLarge */
    union {
        struct {
            kinf_off name_at, namespace_at, uid_at, version_at;
        };
        kinf_off identity_at[4]; /* the same, for a loop */
    };
    union {
        struct {
            struct kinf_span name, namespace_, uid, version;
        };
        struct kinf_span identity[4];
    };
    struct kinf_span continue_; /* END of a list page */
    struct kinf_span message;   /* the server's words, cut, or body's start */
};

/* ---- HTTP response (core/wire/http_response) ---------------------------- */

struct kinf_http_response {
    uint8_t state; /* enum http_state */
    int8_t error;  /* sticky */
    /* Read by others, from HTTP_HEAD on. */
    bool keep_alive; /* the connection serves another request */
    bool json;       /* the content type is application/json */
    bool chunked;
    bool has_length; /* private, as is the rest but for the dates */
    bool cr;         /* the line's LF is to come */
    uint16_t status;
    uint16_t line_len;      /* bytes kept in line, or of a chunk size */
    uint32_t header_bytes;  /* of the header section, then of the trailers */
    uint32_t left;          /* bytes of the body or of the chunk to come */
    uint32_t retry_after_s; /* 0: none */
#if CONFIG_KINF_HTTP_DATE
    int64_t retry_after_date; /* seconds since 1970, 0: none */
    int64_t date;             /* of the server's clock, 0: none */
#endif
    char line[CONFIG_KINF_HTTP_LINE_BYTES + 1];
};

/* ---- HTTP request (core/wire/http_request) ------------------------------ */

struct kinf_http_request {
    char after;              /* names the value after the words, '-': none */
    char piece;              /* what rest is of; '-': words */
    const char *next;        /* of the template */
    struct kinf_span rest;   /* unsent of the piece */
    struct kinf_span secret; /* sent from where it lies, never copied */
    struct kinf_span values[26];
    char port[11], number[11]; /* texts of values, for who sets them */
};

/* ---- JSON stream (core/wire/json_stream) -------------------------------- */

/* Room for a list's version and continue token, or the message of a Status. */
#define KINF_JSON_PAGE_BYTES                                                   \
    (CONFIG_KINF_CONTINUE_BYTES > CONFIG_KINF_MESSAGE_BYTES                    \
         ? CONFIG_KINF_CONTINUE_BYTES + 64                                     \
         : CONFIG_KINF_MESSAGE_BYTES + 64)
#define KINF_JSON_WORD_BYTES 65 /* longer than any name or kind we know */

/* Small fields stand first: a Thumb instruction of two bytes reaches bytes up
 * to 31, half words up to 62, words up to 124. */
struct kinf_json_stream {
    uint8_t state;      /* enum json_state */
    uint8_t mode;       /* enum json_mode */
    uint8_t role_depth; /* open containers that we know */
    uint8_t field;      /* what the value is that comes, enum known */
    uint8_t taken;      /* field whose text is being copied */
    uint8_t literal;    /* place in a word, or what may follow in a number */
    uint8_t left;       /* bytes of a character, digits of an escape to come;
                         * what may follow a digit of a number */
    int8_t told;        /* event to return; an error is sticky */
    bool comma;         /* one stands before the next member */
    bool comma_before;  /* the same, at the mark */
    bool in_key, in_object;
    bool holding; /* an escape is read that is written unescaped */
    bool cut;     /* the text that is copied does not fit */
    bool partial; /* paths name something inside the member */
    uint8_t keep_count;
    uint16_t identity_used, page_used; /* bytes of their areas */
    uint16_t room;         /* for the rest of the text that is copied */
    char *to;              /* where it goes on */
    struct kinf_span text; /* what was copied of it */
    /* In one call: what is read, and where the bytes begin that go to the sink
     * as they are; NULL while bytes are left out. */
    const char *at, *end, *run;
    struct kinf_sink *sink;
    struct kinf_item *item;
    uint32_t roles;        /* a stack of four bits each, the innermost lowest */
    uint32_t depth;        /* open brackets */
    uint32_t drop_depth;   /* a member at this depth is dropped; 0: none */
    uint32_t mark;         /* length in the sink before the member */
    uint32_t seen;         /* a bit for each field that came */
    uint32_t code;         /* of the character or escape that is read */
    uint32_t arrays;       /* a stack of bits: the container is an array */
    struct kinf_span kind; /* of one object, empty: not checked */
    struct kinf_span pages[2]; /* a list's version and continue token */
#if CONFIG_KINF_KEEP_PATHS > 0
    const struct kinf_span *keep; /* paths */
    uint32_t object_depth;        /* of the object's members */
    uint32_t whole_depth; /* a member at this depth is kept whole; 0: none */
    uint32_t path_alive;  /* paths that may still name the key that is read */
    uint16_t path_at[CONFIG_KINF_KEEP_PATHS];   /* place in the path */
    uint8_t path_level[CONFIG_KINF_KEEP_PATHS]; /* steps taken of it */
#endif
    char identity[CONFIG_KINF_IDENTITY_BYTES + 1]; /* of the object read */
    char page[KINF_JSON_PAGE_BYTES + 1];
    char word[KINF_JSON_WORD_BYTES + 1]; /* a text that is only looked at */
};

#endif
