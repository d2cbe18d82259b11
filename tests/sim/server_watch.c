/* SPDX-License-Identifier: Apache-2.0 */
/* server_watch.c - watches: the window of the watch cache, events, bookmarks,
 * the initial events of a streaming list; see server_conn.h. */
#include <stdio.h>

#include "server_conn.h"

static void watch_line(struct writes *out, const struct conn *c,
                       const char *type, uint32_t state, uint64_t rev)
{
    text_fmt(&out->text, "{\"type\":\"%s\",\"object\":", type);
    write_object(&out->text, &c->q.view, state, true, rev);
    text_add(&out->text, "}\n");
    writes_end(out);
}

/* Sends lines, each as it is, or what is queued together. */
static void watch_write(struct conn *c, const struct writes *w, bool joined)
{
    size_t at = 0;

    if (joined)
        answer_body(c, w);
    for (size_t i = 0; i < w->ends.count && !joined; at = w->ends.at[i++]) {
        struct writes one = { .ends = { NULL, 0, 0 } };

        text_bytes(&one.text, w->text.ptr + at, w->ends.at[i] - at);
        writes_end(&one);
        answer_body(c, &one);
        writes_free(&one);
    }
}

void watch_write_text(struct conn *c, struct text *t)
{
    struct writes w = { .text = *t };

    *t = (struct text){ NULL, 0, 0, 0 };
    writes_end(&w);
    watch_write(c, &w, true);
    writes_free(&w);
}

void watch_end(struct conn *c)
{
    TELL("server: watch of connection %u ends", c->link->number);
    answer_end(c);
}

void watch_error(struct text *t, int code, const char *reason,
                        const char *message, const char *details)
{
    text_add(t, "{\"type\":\"ERROR\",\"object\":");
    status_json(t, code, reason, message, "", details);
    text_add(t, "}\n");
}

static void watch_expired(struct conn *c)
{
    struct text t = { NULL, 0, 0, 0 };
    char message[96];

    snprintf(message, sizeof(message), "too old resource version: %llu (%llu)",
             (unsigned long long)c->q.version,
             (unsigned long long)replica_of(c)->cache_from);
    TELL("server: 410 %s", message);
    watch_error(&t, 410, "Expired", message, NULL);
    watch_write_text(c, &t);
    watch_end(c);
}

static void bookmark_line(struct text *t, const struct conn *c, uint64_t rev,
                          bool initial_end)
{
    static const char end[] =
        "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";
    const struct kind *k = &kinds[c->q.view.res];
    bool partial = c->q.view.metadata_only;
    bool sorted = k->unstructured && !partial;

    text_add(t, "{\"type\":\"BOOKMARK\",\"object\":{");
    if (sorted)
        text_fmt(t, "\"apiVersion\":\"%s\",\"kind\":\"%s\"", k->api_version,
                 k->kind);
    else
        text_fmt(t, "\"kind\":\"%s\",\"apiVersion\":\"%s\"",
                 partial ? "PartialObjectMetadata" : k->kind,
                 partial ? "meta.k8s.io/v1" : k->api_version);
    text_add(t, ",\"metadata\":{");
    if (initial_end && sorted)
        text_fmt(t, "%s,", end);
    text_fmt(t, "\"resourceVersion\":\"%llu\"", (unsigned long long)rev);
    if (server.old_paging)
        text_add(t, ",\"creationTimestamp\":null");
    if (initial_end && !sorted)
        text_fmt(t, ",%s", end);
    text_add(t, "}}}\n");
}

static uint64_t own_rev(const struct conn *c)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    uint64_t seen = replica_of(c)->seen_rev;

    for (size_t i = r->log.count; i-- > 0;)
        if (r->log.at[i].rev <= seen)
            return r->log.at[i].rev > c->from ? r->log.at[i].rev : c->from;
    return c->from;
}

static void send_bookmark(struct conn *c)
{
    uint64_t seen = replica_of(c)->seen_rev;
    uint64_t rev = server.own_bookmarks ? own_rev(c) : seen;
    struct text t = { NULL, 0, 0, 0 };

    if (!c->q.bookmarks || c->no_bookmarks || seen < c->from ||
        sim.now < server.no_bookmarks_until || link_backlog(c->link) > 0)
        return;
    bookmark_line(&t, c, rev, false);
    watch_write_text(c, &t);
    c->told = rev;
    c->told_view = c->q.view;
}

/* A consistent read asks etcd how far it is, and watches that began with a
 * streaming list are told, too; seen with 1.36. */
void watch_progress_told(void)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];

        if (c->state == CONN_WATCH && c->streamed && chance(20))
            send_bookmark(c);
    }
}

static void bookmark_minute(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c == NULL || c->state != CONN_WATCH)
        return;
    send_bookmark(c);
    conn_later(c, sim.now + MINUTE, bookmark_minute);
}

static void bookmark_last(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WATCH)
        send_bookmark(c);
}

static void watch_is_cut(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WATCH)
        conn_cut(c);
}

static void watch_time_is_up(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WATCH)
        watch_end(c);
}

/* What a change is to this watcher, if anything. */
static void change_line(struct writes *t, const struct conn *c,
                        const struct change *change)
{
    bool was = view_has(&c->q.view, change->was);
    bool now = view_has(&c->q.view, change->now);

    if (now)
        watch_line(t, c, was ? "MODIFIED" : "ADDED", change->now, 0);
    else if (was)
        watch_line(t, c, "DELETED", change->was, change->rev);
}

/* Sends what the replica has seen since. Several lines that are due at once
 * are joined, or cut at 2,048 bytes, as measured. */
void watch_pump(struct conn *c)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    uint64_t seen = replica_of(c)->seen_rev;
    struct writes w = { .ends = { NULL, 0, 0 } };
    uint32_t lines;

    if (link_backlog(c->link) == 0)
        c->unread = 0;
    for (; c->next < r->log.count && r->log.at[c->next].rev <= seen;
         c->next++) {
        if (r->log.at[c->next].rev > c->from)
            change_line(&w, c, &r->log.at[c->next]);
    }
    lines = (uint32_t)w.ends.count;
    watch_write(c, &w, lines > 1 && chance(40));
    writes_free(&w);
    c->unread += lines;
    if (link_backlog(c->link) > 0 && c->unread > 110) {
        TELL("server: a slow watcher on connection %u", c->link->number);
        watch_end(c);
    }
}

static uint64_t window_from(const struct conn *c)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    uint64_t from = replica_of(c)->cache_from, oldest = 0;

    if (r->log.count > server.window)
        oldest = r->log.at[r->log.count - server.window - 1].rev;
    return from > oldest ? from : oldest;
}

static void watch_on(struct conn *c, uint64_t from)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    uint32_t seconds = c->q.timeout_seconds;

    if (seconds == 0)
        seconds = rng_range(&sim.rng, 1800, 3600);
    c->state = CONN_WATCH;
    c->from = from;
    c->unread = 0;
    c->next = r->log.count;
    while (c->next > 0 && r->log.at[c->next - 1].rev > from)
        c->next--;
    c->end_at = sim.now + (uint64_t)seconds * SECOND;
    conn_later(c, c->end_at, watch_time_is_up);
    if (sim.now < server.short_until)
        conn_later(c, sim.now + server.short_ms,
              server.short_clean ? watch_time_is_up : watch_is_cut);
    if (seconds >= 45)
        conn_later(c, sim.now + MINUTE, bookmark_minute);
    /* Shorter ones get none from a server with nothing else to do. */
    if (seconds >= 45 || (seconds > 2 && chance(20))) {
        conn_later(c, c->end_at - 2 * SECOND, bookmark_last);
        if (chance(50))
            conn_later(c, c->end_at - 1 * SECOND, bookmark_last);
    }
    watch_pump(c);
}

/* The objects as they are, as ADDED, then the bookmark that ends them. */
static void initial_events(struct conn *c, uint64_t rev, bool annotated)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    struct asked asked = conn_asked(c);
    struct writes w = { .ends = { NULL, 0, 0 } };

    if (rev < etcd.rev)
        world_retold(&asked, rev, false);
    for (size_t i = 0; i < r->sorted.count; i++) {
        uint32_t state = etcd_at(c->q.view.res, r->sorted.at[i], rev);

        if (view_has(&c->q.view, state))
            watch_line(&w, c, "ADDED", state, 0);
    }
    TELL("server: initial events at %llu, %zu bytes%s",
         (unsigned long long)rev, w.text.len,
         annotated ? "" : ", no bookmark");
    if (annotated) {
        bookmark_line(&w.text, c, rev, true);
        writes_end(&w);
    }
    watch_write(c, &w, true);
    writes_free(&w);
    if (annotated)
        world_listed(&asked, rev);
}

void watch_begin(struct conn *c)
{
    const struct request *q = &c->q;
    bool ignores = server.stream_mode == STREAM_IGNORED;
    bool stream = q->initial_events && q->bookmarks && !ignores;
    uint64_t rev = etcd.rev;

    if (stream && q->has_version && q->version > 0)
        rev = replica_of(c)->seen_rev;
    answer_head(c, 200, "OK", "application/json", NULL, -1);
    if (stream) {
        c->streamed = true;
        c->no_bookmarks = server.stream_mode == STREAM_NO_BOOKMARK;
        initial_events(c, rev, !c->no_bookmarks);
        watch_on(c, rev);
        return;
    }
    c->no_bookmarks = false;
    if (!q->has_version || q->version == 0) {
        initial_events(c, rev, !q->has_version && q->bookmarks && !ignores &&
                                   !q->initial_events);
        watch_on(c, rev);
    } else if (q->version < window_from(c)) {
        watch_expired(c);
    } else {
        struct asked asked = conn_asked(c);

        if (q->initial_events)
            world_retold(&asked, q->version, true);
        else
            world_watched(&asked, q->version);
        TELL("server: watch from %llu for %u s",
             (unsigned long long)q->version, q->timeout_seconds);
        watch_on(c, q->version);
    }
}
