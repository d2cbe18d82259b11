/* SPDX-License-Identifier: Apache-2.0 */
/* server_conn.h - a connection of the model server, and what the parts of the
 * server share; nobody else includes it.
 *
 *   server.c         connections; what a request comes to
 *   server_admit.c   what it has to pass first: rights, priority and fairness
 *   server_answer.c  heads, chunks, writes
 *   server_refuse.c  every way to say no
 *   server_list.c    lists and pages
 *   server_watch.c   the watch cache's window, events, bookmarks
 *   server_life.c    replicas, restarts, restores, failover */
#ifndef SIM_SERVER_CONN_H
#define SIM_SERVER_CONN_H

#include "net.h"
#include "request.h"
#include "server.h"

enum conn_state {
    CONN_IDLE,
    CONN_WAITING, /* a list waits for the version it asked for */
    CONN_WATCH,
    CONN_OVER     /* nothing more is sent or taken */
};

struct conn {
    struct link *link;
    uint32_t id, serial; /* serial: of the request, for timers */
    enum conn_state state;
    uint32_t replica;
    struct text in;
    struct request q;
    bool chunked;
    bool early;   /* refused before flow control: no headers of its */
    bool nosniff; /* what Go's http.Error says */
    /* watch */
    size_t next;        /* in the resource's log */
    uint64_t from;      /* events after this version */
    uint64_t told;      /* by the last bookmark, to this view */
    struct view told_view;
    uint64_t end_at;
    uint32_t unread;    /* events since the client last had read all */
    bool streamed;      /* it began with the initial events */
    bool no_bookmarks;
};

static inline bool chance(uint32_t percent)
{
    return rng_percent(&sim.rng, percent);
}

static inline struct replica *replica_of(const struct conn *c)
{
    return &server.replicas[c->replica];
}

/* ---- server.c ---- */

/* A timer of this request: its func finds the connection by conn_of(arg), or
 * NULL when the request is over. */
void conn_later(struct conn *c, uint64_t at, timer_func func);
struct conn *conn_of(uint64_t arg);
struct asked conn_asked(const struct conn *c);
/* The answer is whole: the next request may come. */
void conn_answered(struct conn *c);
/* Ends after what was written, or at once. */
void conn_over(struct conn *c);
void conn_cut(struct conn *c);
/* Answers what was asked, now or when the version asked for is there. */
void answer_request(struct conn *c);

/* ---- server_admit.c ---- */

/* Was the request answered on its way to us? */
bool stopped_on_the_way(struct conn *c);

/* ---- server_answer.c ---- */

/* Text with the ends of the writes that made it. */
struct writes {
    struct text text;
    ARRAY(size_t) ends;
};
void writes_end(struct writes *w);
void writes_free(struct writes *w);

/* A time as a header has it. */
void http_date(struct text *out, int64_t wall_s);
/* Status line and headers; length < 0: chunked. more: lines, or NULL. */
void answer_head(struct conn *c, int code, const char *reason, const char *type,
                 const char *more, int64_t length);
/* Body bytes, framed as they have to be; then its end. */
void answer_body(struct conn *c, const struct writes *w);
void answer_end(struct conn *c);
/* A whole answer with a known end; and one that is written at once. */
void answer_whole(struct conn *c, int code, const char *reason,
                  const char *type, const char *more, const struct writes *w);
void answer_text(struct conn *c, int code, const char *reason, const char *type,
                 const char *more, struct text *t);

/* ---- server_refuse.c ---- */

void status_json(struct text *t, int code, const char *reason,
                 const char *message, const char *metadata,
                 const char *details);
void refuse(struct conn *c, int code, const char *phrase, const char *reason,
            const char *message, const char *details, const char *more);
void refuse_text(struct conn *c, int code, const char *phrase,
                 const char *message, const char *more);
void refuse_busy(struct conn *c);
void refuse_rights(struct conn *c, const char *user);
void refuse_unknown(struct conn *c);
void refuse_options(struct conn *c, const char *why, const char *field);
void refuse_code(struct conn *c, int code);
void refuse_old_page(struct conn *c, const struct page_token *token);
void refuse_missing(struct conn *c);
void refuse_too_large(struct conn *c);
/* Something between us and the server answers, or breaks its answer. */
void refuse_oddly(struct conn *c);

/* ---- server_list.c ---- */

/* An object as this view shows it; head: with kind and apiVersion. */
void write_object(struct text *out, const struct view *v, uint32_t state,
                  bool head, uint64_t rev);
/* A list, or its page behind at, as of a version. */
void list_at(struct conn *c, uint64_t rev, const struct page_token *at);
void list_exact(struct conn *c);
void list_next_page(struct conn *c);

/* ---- server_watch.c ---- */

void watch_begin(struct conn *c);
/* Sends what the connection's replica has seen since. */
void watch_pump(struct conn *c);
void watch_end(struct conn *c);
void watch_write_text(struct conn *c, struct text *t);
void watch_error(struct text *t, int code, const char *reason,
                 const char *message, const char *details);
/* A consistent read told the watch cache how far etcd is. */
void watch_progress_told(void);

#endif
