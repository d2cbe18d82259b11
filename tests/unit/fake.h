/* SPDX-License-Identifier: Apache-2.0 */
/* fake.h - a world for tests of core: a platform whose time is a number, a
 * server that answers by script, a handler that writes down what it is shown.
 *
 * The server is a transport: what core says is HTTP, and so is what it gets. An
 * answer is given when its turn comes and a request is whole; with none left
 * the server is silent. Nothing here sleeps. */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinformer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- texts of the server ------------------------------------------------ */

#define META(name, uid, version, more)                                         \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"" uid                      \
    "\",\"resourceVersion\":\"" version "\"" more "}}"
#define OBJECT(name, version) META(name, "u-" name, version, "")
#define IN(space, name, version)                                               \
    META(name, "u-" name, version, ",\"namespace\":\"" space "\"")
#define EVENT(type, object)                                                    \
    "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                      \
    EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define INITIAL_END(version)                                                   \
    EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version          \
          "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")
#define LIST(version, items)                                                   \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items    \
    "]}"
#define PAGE(version, token, items)                                            \
    "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token \
    "\"},\"items\":[" items "]}"
#define STATUS(code)                                                           \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"words\","       \
    "\"code\":" #code "}"
#define ERROR_EVENT(code) EVENT("ERROR", STATUS(code))

/* ---- the platform ------------------------------------------------------- */

extern uint32_t fake_now_ms;
extern int64_t fake_wall_s;
extern uint8_t fake_random; /* every random byte */
extern const struct kinf_platform fake_platform;

/* ---- the server --------------------------------------------------------- */

enum fake_end {
    FAKE_WHOLE, /* then the connection is kept */
    FAKE_OPEN,  /* the body goes on: fake_push, fake_finish */
    FAKE_CUT,   /* the connection ends before the body does */
    FAKE_CLOSE, /* whole, and then the connection ends */
    FAKE_RAW    /* body is the whole answer, head and all; kept open */
};

struct fake_answer {
    const char *to;      /* found in the request's target; NULL: any */
    int status;          /* 0: the connection is closed instead */
    const char *body;
    enum fake_end end;
    const char *headers; /* further ones, each with its line's end; one with
                            "Content-Type:" replaces JSON's */
};

struct fake_server {
    const struct fake_answer *answers;
    size_t count, at;
    /* How it behaves; 0 is well. */
    int open_error;      /* of every open */
    unsigned open_turns; /* an open says AGAIN so often first */
    int send_error, recv_error;
    size_t piece;        /* bytes moved at once; 0: all */
    enum kinf_phase phase; /* while it opens */
    unsigned wants;
    uint32_t wait_ms;
    const char *reason;
    bool unverified, level;
    /* What it saw. */
    char log[8192];     /* targets, one a line */
    char request[4096]; /* the last one, or its beginning */
    size_t request_len;
    unsigned opens, closes, forgets, requests, receives;
    /* Private. */
    bool open, ends, chunked;
    unsigned turn;
    char out[65536];
    size_t out_at, out_len;
};
extern const struct kinf_transport_ops fake_transport;

#define FAKE_PLAY(server, script)                                              \
    ((server)->answers = (script), (server)->count = COUNT_OF(script),         \
     (server)->at = 0)

/* Goes on with an answer that is open. */
void fake_push(struct fake_server *server, const char *body);
void fake_finish(struct fake_server *server);
void fake_cut(struct fake_server *server);
/* The n-th target from the end, 0: the last; "" if there were fewer. */
const char *fake_target(const struct fake_server *server, unsigned n);
/* The n-th target, the first is 1; "" if there were fewer. */
const char *fake_nth(const struct fake_server *server, unsigned n);
/* How many targets hold this text. */
unsigned fake_count(const struct fake_server *server, const char *text);

/* ---- the handler -------------------------------------------------------- */

/* Writes "add a@1", "initial a@1", "update a@1>2", "delete a@2", "lost a@2",
 * "truncated a@3", each with a space behind it. */
struct fake_handler {
    struct kinf_listener listener;
    int answer; /* of every call */
    unsigned calls;
    char log[8192];
    bool (*passes)(const struct kinf_object *object);
};
extern const struct kinf_event_handler fake_events;
extern const struct kinf_event_handler fake_filtered; /* by passes */
/* What was shown since the last call of this. */
const char *fake_shown(struct fake_handler *h);

/* ---- the world ---------------------------------------------------------- */

/* fake_prepare fills in what works; a test changes that; fake_begin makes and
 * starts all of it. */
struct fake_world {
    struct fake_server server, second; /* second: of a session for singles */
    char buffer[512], second_buffer[512];
    struct kinf_session session, single;
    struct kinf_config config;
    struct kinf_informer_config informer;
    struct kinf k;
    struct kinf_informer inf;
    struct fake_handler handler;
    enum kinf_mode mode;
    uint32_t resync_ms;
    bool with_single; /* a second session */
    bool idle;        /* not started: a test plays the wire */
    int errors[KINF_ERR_COUNT]; /* told by on_error, by -code */
    int http_status;            /* of the last of them */
    char words[256];
    char object[64]; /* it was about, as "namespace/name" */
};
void fake_prepare(struct fake_world *w);
void fake_begin(struct fake_world *w);
/* Lets so much time pass, polling as kinf_poll asks for. Returns the number of
 * polls. Checks the store after each. */
unsigned fake_run(struct fake_world *w, uint32_t ms);
/* Stops, expects every pool to be empty, and gives the memory back. */
void fake_end_world(struct fake_world *w);

struct kinf_status fake_status(const struct fake_world *w);
struct kinf_span fake_span(const char *text);
/* "KINF_ERR_..." is easier to read than a number. */
const char *fake_error(int err);
#define EXPECT_ERR(expected, got)                                              \
    assert_string_equal(fake_error(expected), fake_error(got))

#endif
