/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a model of kube-apiserver: HTTP/1.1 as reference/apiserver.md
 * measured it, over what etcd.h holds, with its faults.
 *
 * Two replicas, each with its own watch cache (a window that begins at its
 * start) and its own lag behind etcd. What a client may not do (speak before
 * its turn, bad encoding, a token over a connection that is not verified, an
 * option list the real server refuses) ends the run. */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "etcd.h"

struct link;
struct conn;

/* How a streaming list is answered. */
enum stream_mode { STREAM_GOOD, STREAM_422, STREAM_400, STREAM_IGNORED,
                   STREAM_NO_BOOKMARK, STREAM_MODES };

/* What an answer may be in place of the right one. */
enum odd { ODD_NONE, ODD_HTML, ODD_HTML_200, ODD_GZIP, ODD_REDIRECT, ODD_HTTP10,
           ODD_TWO_LENGTHS, ODD_BAD_CHUNK, ODD_LONG_HEADER, ODD_BAD_LINE,
           ODD_BIG_CHUNK, ODD_NO_TYPE, ODD_EMPTY, ODD_TRUNCATED, ODDS };

/* What may stand in a watch. */
enum stray { STRAY_UNKNOWN_TYPE, STRAY_NO_OBJECT, STRAY_ERROR_500,
             STRAY_ERROR_429, STRAY_ERROR_410, STRAY_GARBAGE, STRAY_BLANK,
             STRAY_BRACKET, STRAYS };

enum { SCOPE_LIST = 1, SCOPE_WATCH = 2, SCOPE_GET = 4, SCOPE_ALL = 7 };

struct replica {
    uint64_t seen_rev;   /* of etcd, as far as its cache knows */
    uint64_t cache_from; /* where its window begins */
    uint32_t lag_ms;
};

struct server {
    uint64_t up_at, ready_at; /* before: refused; 429 or the like */
    uint64_t leaving_at;      /* graceful shutdown: 429, then down */
    struct replica replicas[2];
    uint32_t active; /* replica for new connections */
    bool spread;     /* either, by chance */
    /* its nature */
    bool old_paging;      /* pages are not served after a compaction */
    bool own_bookmarks;   /* bookmarks know only their resource's versions */
    bool answers_all;     /* talk.h: what no client of ours may ask, too */
    uint32_t inflight;    /* requests at a time, watches aside; 0: any */
    uint32_t window;      /* changes of a resource that a watch can go back */
    enum stream_mode stream_mode;
    bool rechunk;         /* a proxy that frames anew */
    bool close_delimited; /* a proxy that ends lists by closing */
    bool spread_json;     /* white space in what it sends */
    uint32_t token;       /* number of the one valid token */
    uint32_t token_bytes;  /* how long a token is, about */
    /* faults */
    uint64_t error_until;
    int error_code;
    unsigned error_scope;
    bool error_date; /* Retry-After as a date */
    uint32_t retry_after_s; /* the same for all; 0: by chance */
    uint64_t odd_until;
    uint64_t blank_at; /* bytes came that are no event */
    enum odd odd;
    uint64_t no_bookmarks_until;
    uint64_t mute_until;  /* answers fall silent, */
    uint32_t mute_after;  /* after so many bytes */
    uint64_t short_until; /* watches end after so long, cleanly or not */
    uint32_t short_ms;
    bool short_clean;
    int64_t wall_skew_s;
    /* counters */
    uint64_t requests;
    ARRAY(struct conn *) conns;
};
extern struct server server;

/* What a client asked, for those who count. */
struct asked {
    uint32_t link;
    bool list, first_page, watch, stream, get, probe;
    bool has_version;
    uint64_t version;
    uint64_t told; /* by the last bookmark of the watch before, or 0 */
    struct view view;
};
/* Called for each request that was read; defined by the world. */
void world_asked(const struct asked *asked);
/* An answer of Retry-After is written. */
void world_told_to_wait(const struct asked *asked, uint32_t seconds);
/* An answer tells the past: all that was at rev; or, where a streaming list is
 * answered by a watch, what has been since. */
void world_retold(const struct asked *asked, uint64_t rev, bool since);
/* A watch begins: after a list that told the past, all since then comes. */
void world_watched(const struct asked *asked, uint64_t rev);
/* A whole list (its last page, its last initial event) was written. */
void world_listed(const struct asked *asked, uint64_t rev);
/* A connection was closed before all that was sent by it had been read: its
 * owner may not know the last answer. */
void world_lost(uint32_t link);

void server_init(void);
bool server_up(void);
int64_t server_wall_s(void);

struct conn *server_accept(struct link *link);
void server_input(struct conn *conn, const char *bytes, size_t len);
void server_hangup(struct conn *conn);
/* Is the last answer complete, so that a request may come? */
bool server_idle(const struct conn *conn);

/* etcd has changed. */
void server_changed(void);
void server_restart(uint32_t down_ms, uint32_t slow_ms, bool graceful);
void server_restore(uint32_t down_ms);
void server_end_watches(bool clean);
void server_stray(enum stray stray);
void server_failover(uint32_t lag_ms);
void server_calm(void);
void token_text(struct text *out, uint32_t number);
uint64_t server_wall_base(void);

#endif
