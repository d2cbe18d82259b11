/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the model API server: connections, answers, watches; server.h. */
#include "server.h"

#include <stdio.h>

#include "net.h"
#include "request.h"

struct server server;

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
    /* watch */
    size_t next;        /* in the resource's log */
    uint64_t from;      /* events after this version */
    uint64_t told;      /* newest version that was sent */
    uint64_t end_at;
    uint32_t unread;    /* events since the client last had read all */
    bool no_bookmarks;
};

/* ---- small things ------------------------------------------------------- */

#define WALL_BASE 1782864000 /* 2026-07-01 */

int64_t server_wall_s(void)
{
    return WALL_BASE + (int64_t)(sim.now / SECOND) + server.wall_skew_s;
}

uint64_t server_wall_base(void)
{
    return WALL_BASE;
}

void token_text(struct text *out, uint32_t number)
{
    text_fmt(out, "sim-token-%u-", number);
    while (out->len + 2 < server.token_bytes)
        text_add(out, "abcDEF._~+/");
    text_add(out, "==");
}

bool server_up(void)
{
    return sim.now >= server.up_at;
}

static bool chance(uint32_t percent)
{
    return rng_percent(&sim.rng, percent);
}

static struct replica *replica_of(const struct conn *c)
{
    return &server.replicas[c->replica];
}

static struct conn *conn_of(uint64_t arg)
{
    for (size_t i = 0; i < server.conns.count; i++)
        if (server.conns.at[i]->id == arg >> 32)
            return server.conns.at[i]->serial == (uint32_t)arg
                       ? server.conns.at[i] : NULL;
    return NULL;
}

static void later(struct conn *c, uint64_t at, timer_func func)
{
    timer_at(at, func, NULL, (uint64_t)c->id << 32 | c->serial);
}

static struct asked asked_of(const struct conn *c)
{
    const struct request *q = &c->q;

    return (struct asked){
        .link = c->link->number, .view = q->view,
        .list = !q->watch && q->name[0] == '\0',
        .first_page = !q->watch && q->name[0] == '\0' && !q->has_continue,
        .watch = q->watch, .stream = q->watch && q->initial_events,
        .get = q->name[0] != '\0', .has_version = q->has_version,
        .probe = !q->watch && q->limit == 1 && !q->has_version &&
                 !q->has_continue && q->view.metadata_only
    };
}

/* ---- writing an answer -------------------------------------------------- */

static void over(struct conn *c)
{
    c->state = CONN_OVER;
    link_end(c->link);
}

static void cut(struct conn *c)
{
    c->state = CONN_OVER;
    link_cut(c->link);
}

static void idle_end(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_IDLE && link_backlog(c->link) == 0)
        over(c);
}

static void answered(struct conn *c)
{
    c->state = CONN_IDLE;
    later(c, sim.now + 90 * SECOND, idle_end);
}

static void date(struct text *out, int64_t wall_s)
{
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
        "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon",
                                        "Tue", "Wed" };
    int64_t day = wall_s / 86400, z = day + 719468, era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;

    text_fmt(out, "%s, %02d %s %d %02d:%02d:%02d GMT", days[day % 7],
             (int)(doy - (153 * mp + 2) / 5 + 1), months[month - 1],
             (int)(yoe + era * 400 + (month <= 2)),
             (int)(wall_s / 3600 % 24), (int)(wall_s / 60 % 60),
             (int)(wall_s % 60));
}

/* Status line and headers; length < 0: chunked. more: lines, or NULL. */
static void head(struct conn *c, int code, const char *reason,
                 const char *type, const char *more, int64_t length)
{
    struct text t = { NULL, 0, 0, 0 };
    bool close = server.close_delimited && length < 0 && !c->q.watch;

    if (server.rechunk && chance(10))
        text_add(&t, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    text_fmt(&t, "HTTP/1.1 %d %s\r\n", code, reason);
    text_add(&t, "Audit-Id: 6c1f3f0e-6f5e-4f7e-9d5e-3f1a2b4c5d6e\r\n");
    text_add(&t, "Cache-Control: no-cache, private\r\n");
    if (type != NULL)
        text_fmt(&t, "%s: %s\r\n",
                 server.rechunk ? "content-type" : "Content-Type", type);
    if (more != NULL)
        text_add(&t, more);
    text_add(&t, "X-Kubernetes-Pf-Flowschema-Uid: "
                 "0b4b9e7e-5a54-4f0e-8b6e-8b6d2f2f1c11\r\n"
                 "X-Kubernetes-Pf-Prioritylevel-Uid: "
                 "d0c7b2b8-32c4-4f1a-9d53-6a8c0a9be0ab\r\nDate: ");
    date(&t, server_wall_s());
    text_add(&t, "\r\n");
    if (close)
        text_add(&t, "Connection: close\r\n");
    else if (length >= 0)
        text_fmt(&t, "Content-Length: %lld\r\n", (long long)length);
    else
        text_add(&t, server.rechunk ? "transfer-encoding: Chunked\r\n"
                                    : "Transfer-Encoding: chunked\r\n");
    c->chunked = length < 0 && !close;
    text_add(&t, "\r\n");
    link_write(c->link, t.ptr, t.len);
    text_free(&t);
}

static void chunk(struct text *out, const char *bytes, size_t len)
{
    if (server.rechunk)
        text_fmt(out, "%s%zX%s\r\n", chance(20) ? "00" : "", len,
                 chance(20) ? ";name=\"va;l\"" : "");
    else
        text_fmt(out, "%zx\r\n", len);
    text_bytes(out, bytes, len);
    text_add(out, "\r\n");
}

/* Writes body bytes, in chunks of at most size when it is chunked. */
static void body(struct conn *c, const char *bytes, size_t len, size_t size)
{
    struct text t = { NULL, 0, 0, 0 };

    while (c->chunked && len > 0) {
        size_t most = server.rechunk ? rng_size(&sim.rng, 5000) : size;
        size_t part = len < most ? len : most;

        chunk(&t, bytes, part);
        bytes += part;
        len -= part;
    }
    text_bytes(&t, bytes, len);
    link_write(c->link, t.ptr, t.len);
    text_free(&t);
}

static void body_end(struct conn *c)
{
    if (c->chunked) {
        const char *last = server.rechunk && chance(50)
                               ? "0\r\nX-Trailer: yes\r\n\r\n" : "0\r\n\r\n";

        link_write(c->link, last, strlen(last));
    }
    answered(c);
}

/* A whole answer with a known end: small with its length, else in chunks. */
static void whole(struct conn *c, int code, const char *reason,
                  const char *type, const char *more, const struct text *t)
{
    bool small = t->len <= 2048 && !(server.rechunk && chance(50));

    head(c, code, reason, type, more, small ? (int64_t)t->len : -1);
    if (t->len > 0)
        body(c, t->ptr, t->len, 2048);
    if (!c->chunked && !small) {
        over(c); /* its end is the connection's */
        return;
    }
    body_end(c);
}

/* ---- refusals ----------------------------------------------------------- */

static void status_json(struct text *t, int code, const char *reason,
                        const char *message, const char *metadata,
                        const char *details)
{
    text_fmt(t, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{%s},"
                "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"%s\",",
             metadata, message, reason);
    if (details != NULL)
        text_fmt(t, "\"details\":{%s},", details);
    text_fmt(t, "\"code\":%d}", code);
}

static void refuse(struct conn *c, int code, const char *phrase,
                   const char *reason, const char *message,
                   const char *details, const char *more)
{
    struct text t = { NULL, 0, 0, 0 };

    TELL("server: %d %s", code, message);
    status_json(&t, code, reason, message, "", details);
    text_add(&t, "\n");
    whole(c, code, phrase, "application/json", more, &t);
    text_free(&t);
}

static void refuse_text(struct conn *c, int code, const char *phrase,
                        const char *message, const char *more)
{
    struct text t = { NULL, 0, 0, 0 };

    TELL("server: %d text %s", code, message);
    text_add(&t, message);
    text_add(&t, "\n");
    whole(c, code, phrase, "text/plain; charset=utf-8", more, &t);
    text_free(&t);
}

static void retry_after(char *out, size_t size, uint32_t seconds)
{
    struct text t = { NULL, 0, 0, 0 };

    text_add(&t, "Retry-After: ");
    if (server.error_date)
        date(&t, server_wall_s() + seconds);
    else
        text_fmt(&t, "%u", seconds);
    snprintf(out, size, "%s\r\n", t.ptr);
    text_free(&t);
}

static void refuse_busy(struct conn *c)
{
    char more[64];

    retry_after(more, sizeof(more), rng_range(&sim.rng, 1, 32));
    if (chance(50))
        refuse_text(c, 429, "Too Many Requests",
                    "Too many requests, please try again later.", more);
    else
        refuse(c, 429, "Too Many Requests", "TooManyRequests",
               "storage is (re)initializing", "\"retryAfterSeconds\":1", more);
}

static void refuse_code(struct conn *c, int code)
{
    char more[64];

    retry_after(more, sizeof(more), rng_range(&sim.rng, 1, 10));
    switch (code) {
    case 400:
        refuse(c, 400, "Bad Request", "BadRequest", "no", NULL, NULL);
        break;
    case 401:
        refuse(c, 401, "Unauthorized", "Unauthorized", "Unauthorized", NULL,
               NULL);
        break;
    case 403:
        refuse(c, 403, "Forbidden", "Forbidden",
               "configmaps is forbidden: User \\\"sim\\\" cannot do this",
               "\"kind\":\"configmaps\"", NULL);
        break;
    case 404:
        refuse_text(c, 404, "Not Found", "404 page not found", NULL);
        break;
    case 405:
        refuse(c, 405, "Method Not Allowed", "MethodNotAllowed",
               "the server does not allow this method", "", NULL);
        break;
    case 410:
        refuse(c, 410, "Gone", "Expired", "too old resource version", NULL,
               NULL);
        break;
    case 422:
        refuse(c, 422, "Unprocessable Entity", "Invalid", "invalid", NULL,
               NULL);
        break;
    case 429:
        refuse_busy(c);
        break;
    case 503:
        refuse_text(c, 503, "Service Unavailable", "upstream is away",
                    chance(50) ? more : NULL);
        break;
    case 504:
        refuse(c, 504, "Gateway Timeout", "Timeout", "request timed out",
               "\"retryAfterSeconds\":1", chance(50) ? more : NULL);
        break;
    default:
        refuse(c, 500, "Internal Server Error", "InternalError",
               "etcdserver: leader changed", NULL, NULL);
        break;
    }
}

static void refuse_too_large(struct conn *c)
{
    char message[128];

    snprintf(message, sizeof(message),
             "Timeout: Too large resource version: %llu, current: %llu",
             (unsigned long long)c->q.version,
             (unsigned long long)replica_of(c)->seen_rev);
    refuse(c, 504, "Gateway Timeout", "Timeout", message,
           "\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":"
           "\"Too large resource version\"}],\"retryAfterSeconds\":1",
           "Retry-After: 1\r\n");
}

static void refuse_old_page(struct conn *c, const struct page_token *token)
{
    struct page_token fresh = *token;
    struct text continue_ = { NULL, 0, 0, 0 }, t = { NULL, 0, 0, 0 };
    char metadata[900];

    fresh.rev = etcd.rev;
    fresh.restores = etcd.restores;
    fresh.made_at = sim.now;
    page_token_write(&continue_, &fresh);
    snprintf(metadata, sizeof(metadata), "\"continue\":\"%s\"",
             continue_.ptr);
    status_json(&t, 410, "Expired",
                "The provided continue parameter is too old", metadata, NULL);
    TELL("server: 410, the page's token is too old");
    whole(c, 410, "Gone", "application/json", NULL, &t);
    text_free(&continue_);
    text_free(&t);
}

/* Something between us and the server answers, or breaks its answer. */
static void odd_answer(struct conn *c)
{
    static const char *const answers[ODDS] = {
        [ODD_HTML] = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
                     "Content-Length: 22\r\n\r\n<html>bad gateway</html",
        [ODD_HTML_200] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                         "Content-Length: 19\r\n\r\n<html>sign in</html",
        [ODD_GZIP] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
                     "\037\213\b\001",
        [ODD_REDIRECT] = "HTTP/1.1 301 Moved Permanently\r\n"
                         "Location: https://elsewhere/\r\n"
                         "Content-Length: 0\r\n\r\n",
        [ODD_HTTP10] = "HTTP/1.0 200 OK\r\nContent-Type: application/json"
                       "\r\n\r\n{}",
        [ODD_TWO_LENGTHS] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                            "Transfer-Encoding: chunked\r\n"
                            "Content-Type: application/json\r\n\r\n0\r\n\r\n",
        [ODD_BAD_CHUNK] = "HTTP/1.1 200 OK\r\nContent-Type: application/json"
                          "\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        [ODD_BAD_LINE] = "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        [ODD_BIG_CHUNK] = "HTTP/1.1 200 OK\r\nContent-Type: application/json"
                          "\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "fffffffffffffffff\r\n{",
        [ODD_NO_TYPE] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        [ODD_EMPTY] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      "Content-Length: 0\r\n\r\n",
        [ODD_TRUNCATED] = "HTTP/1.1 200 OK\r\nContent-Type: application/json"
                          "\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "2\r\n{\"\r\n0\r\n\r\n",
    };
    const char *text = answers[server.odd];
    struct text t = { NULL, 0, 0, 0 };

    TELL("proxy: an odd answer, number %d", (int)server.odd);
    if (text != NULL) {
        text_add(&t, text);
    } else {
        text_add(&t, "HTTP/1.1 200 OK\r\nX-Long: ");
        while (t.len < 20000)
            text_add(&t, "all work and no play ");
    }
    link_write(c->link, t.ptr, t.len);
    text_free(&t);
    over(c);
}

/* ---- lists -------------------------------------------------------------- */

static void write_item(struct text *out, const struct view *v, uint32_t state,
                       bool head_too, uint64_t rev)
{
    const struct form form = { .head = head_too,
                               .metadata_only = v->metadata_only,
                               .spread = server.spread_json, .rev = rev };

    render(out, state, &form);
}

static bool is_after(const struct key *key, const struct page_token *t)
{
    int order = strcmp(key->namespace_, t->namespace_);

    return order != 0 ? order > 0 : strcmp(key->name, t->name) > 0;
}

/* Writes the items of a page; returns how many are left behind it. */
static uint32_t write_items(struct text *out, const struct conn *c,
                            uint64_t rev, struct page_token *token)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    bool limited = c->q.has_limit && !(c->q.has_version && c->q.version == 0);
    bool from_start = !c->q.has_continue;
    struct page_token begin = *token;
    uint32_t count = 0, left = 0;

    for (size_t i = 0; i < r->sorted.count; i++) {
        const struct key *key = r->sorted.at[i];
        uint32_t state = etcd_at(c->q.view.res, key, rev);

        if (!view_has(&c->q.view, state) ||
            (!from_start && !is_after(key, &begin)))
            continue;
        if (limited && count == c->q.limit) {
            left++;
            continue;
        }
        if (count++ > 0)
            text_add(out, ",");
        write_item(out, &c->q.view, state, false, 0);
        snprintf(token->namespace_, sizeof(token->namespace_), "%s",
                 key->namespace_);
        snprintf(token->name, sizeof(token->name), "%s", key->name);
    }
    return left;
}

static void list_metadata(struct text *out, const struct conn *c, uint64_t rev,
                          const struct text *continue_, uint32_t left)
{
    const struct view *v = &c->q.view;
    bool sorted = kinds[v->res].unstructured && !v->metadata_only;
    bool counted = left > 0 && v->selector == 0 && v->field_selector == 0;

    text_add(out, "\"metadata\":{");
    if (!sorted)
        text_fmt(out, "\"resourceVersion\":\"%llu\"",
                 (unsigned long long)rev);
    if (left > 0 || sorted) {
        text_fmt(out, "%s\"continue\":\"", sorted ? "" : ",");
        text_bytes(out, continue_->ptr, continue_->len);
        text_add(out, "\"");
    }
    if (counted)
        text_fmt(out, ",\"remainingItemCount\":%u", left);
    if (sorted)
        text_fmt(out, ",\"resourceVersion\":\"%llu\"",
                 (unsigned long long)rev);
    text_add(out, "}");
}

static void list_json(struct text *out, const struct conn *c, uint64_t rev,
                      const struct page_token *at, uint32_t *left)
{
    const struct kind *k = &kinds[c->q.view.res];
    bool partial = c->q.view.metadata_only;
    struct text items = { NULL, 0, 0, 0 }, continue_ = { NULL, 0, 0, 0 };
    struct text meta = { NULL, 0, 0, 0 };
    struct page_token token = *at;

    *left = write_items(&items, c, rev, &token);
    token.rev = rev;
    token.restores = etcd.restores;
    token.made_at = at->made_at;
    if (*left > 0)
        page_token_write(&continue_, &token);
    list_metadata(&meta, c, rev, &continue_, *left);
    if (partial)
        text_add(out, "{\"kind\":\"PartialObjectMetadataList\","
                      "\"apiVersion\":\"meta.k8s.io/v1\",");
    else if (k->unstructured)
        text_fmt(out, "{\"apiVersion\":\"%s\",", k->api_version);
    else
        text_fmt(out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",", k->kind,
                 k->api_version);
    if (!k->unstructured || partial) {
        text_bytes(out, meta.ptr, meta.len);
        text_add(out, ",");
    }
    if (items.len == 0 && chance(20)) {
        text_add(out, "\"items\":null");
    } else {
        text_add(out, "\"items\":[");
        text_bytes(out, items.ptr, items.len);
        text_add(out, "]");
    }
    if (k->unstructured && !partial) {
        text_fmt(out, ",\"kind\":\"%sList\",", k->kind);
        text_bytes(out, meta.ptr, meta.len);
    }
    text_add(out, "}\n");
    text_free(&items);
    text_free(&continue_);
    text_free(&meta);
}

static void cut_slow_list(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c == NULL || c->state != CONN_IDLE || link_backlog(c->link) == 0)
        return;
    TELL("server: the list took more than 60 s, cut");
    cut(c);
}

static void list_at(struct conn *c, uint64_t rev, const struct page_token *at)
{
    struct text t = { NULL, 0, 0, 0 };
    struct asked asked = asked_of(c);
    uint32_t left;

    list_json(&t, c, rev, at, &left);
    TELL("server: list at %llu, %zu bytes, %u left", (unsigned long long)rev,
         t.len, left);
    whole(c, 200, "OK", "application/json", NULL, &t);
    if (c->state == CONN_IDLE)
        later(c, sim.now + MINUTE, cut_slow_list);
    if (left == 0)
        world_listed(&asked);
    text_free(&t);
}

static void next_page(struct conn *c)
{
    struct page_token token;

    if (!page_token_read(&token, c->q.continue_)) {
        refuse_code(c, 400);
        return;
    }
    if (token.restores != etcd.restores || token.rev > etcd.rev ||
        (server.old_paging && token.rev < etcd.compact_rev)) {
        refuse_old_page(c, &token);
        return;
    }
    list_at(c, token.rev, &token);
}

/* ---- watches ------------------------------------------------------------ */

static void watch_line(struct text *out, const struct conn *c,
                       const char *type, uint32_t state, uint64_t rev)
{
    text_fmt(out, "{\"type\":\"%s\",\"object\":", type);
    write_item(out, &c->q.view, state, true, rev);
    text_add(out, "}\n");
}

static void watch_write(struct conn *c, const struct text *t, size_t size)
{
    if (t->len > 0)
        body(c, t->ptr, t->len, size);
}

static void watch_end(struct conn *c)
{
    TELL("server: watch of connection %u ends", c->link->number);
    body_end(c);
}

static void error_event(struct text *t, int code, const char *reason,
                        const char *message)
{
    text_add(t, "{\"type\":\"ERROR\",\"object\":");
    status_json(t, code, reason, message, "", NULL);
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
    error_event(&t, 410, "Expired", message);
    watch_write(c, &t, t.len);
    text_free(&t);
    watch_end(c);
}

static void bookmark_line(struct text *t, const struct conn *c, uint64_t rev,
                          bool initial_end)
{
    const struct kind *k = &kinds[c->q.view.res];
    bool partial = c->q.view.metadata_only;

    text_fmt(t, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\","
                "\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":"
                "\"%llu\"",
             partial ? "PartialObjectMetadata" : k->kind,
             partial ? "meta.k8s.io/v1" : k->api_version,
             (unsigned long long)rev);
    if (server.old_paging)
        text_add(t, ",\"creationTimestamp\":null");
    if (initial_end)
        text_add(t, ",\"annotations\":{\"k8s.io/initial-events-end\":"
                    "\"true\"}");
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
    watch_write(c, &t, t.len);
    text_free(&t);
}

static void bookmark_minute(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c == NULL || c->state != CONN_WATCH)
        return;
    send_bookmark(c);
    later(c, sim.now + MINUTE, bookmark_minute);
}

static void bookmark_last(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WATCH)
        send_bookmark(c);
}

static void watch_time_is_up(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WATCH)
        watch_end(c);
}

/* What a change is to this watcher, if anything. */
static void change_line(struct text *t, const struct conn *c,
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
static void watch_pump(struct conn *c)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    uint64_t seen = replica_of(c)->seen_rev;
    struct text t = { NULL, 0, 0, 0 };
    uint32_t lines = 0;

    if (link_backlog(c->link) == 0)
        c->unread = 0;
    for (; c->next < r->log.count && r->log.at[c->next].rev <= seen;
         c->next++) {
        size_t before = t.len;

        if (r->log.at[c->next].rev <= c->from)
            continue;
        change_line(&t, c, &r->log.at[c->next]);
        lines += t.len > before;
    }
    watch_write(c, &t, lines > 1 && chance(40) ? 2048 : t.len);
    text_free(&t);
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
    later(c, c->end_at, watch_time_is_up);
    if (seconds >= 45) {
        later(c, sim.now + MINUTE, bookmark_minute);
        later(c, c->end_at - 2 * SECOND, bookmark_last);
    }
    watch_pump(c);
}

/* The objects as they are, as ADDED, then the bookmark that ends them. */
static void initial_events(struct conn *c, uint64_t rev, bool annotated)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    struct asked asked = asked_of(c);
    struct text t = { NULL, 0, 0, 0 };

    for (size_t i = 0; i < r->sorted.count; i++) {
        uint32_t state = etcd_at(c->q.view.res, r->sorted.at[i], rev);

        if (view_has(&c->q.view, state))
            watch_line(&t, c, "ADDED", state, 0);
    }
    TELL("server: initial events at %llu, %zu bytes%s",
         (unsigned long long)rev, t.len, annotated ? "" : ", no bookmark");
    if (annotated)
        bookmark_line(&t, c, rev, true);
    watch_write(c, &t, 2048);
    text_free(&t);
    if (annotated)
        world_listed(&asked);
}

static void watch(struct conn *c)
{
    const struct request *q = &c->q;
    bool ignores = server.stream_mode == STREAM_IGNORED;
    bool stream = q->initial_events && q->bookmarks && !ignores;
    uint64_t rev = etcd.rev;

    if (stream && q->has_version && q->version > 0)
        rev = replica_of(c)->seen_rev;
    head(c, 200, "OK", "application/json", NULL, -1);
    if (stream) {
        c->no_bookmarks = server.stream_mode == STREAM_NO_BOOKMARK;
        initial_events(c, rev, !c->no_bookmarks);
        watch_on(c, rev);
        return;
    }
    c->no_bookmarks = false;
    if (!q->has_version || q->version == 0) {
        initial_events(c, rev, false);
        watch_on(c, rev);
    } else if (q->version < window_from(c)) {
        watch_expired(c);
    } else {
        server.has_ignored |= q->initial_events;
        TELL("server: watch from %llu for %u s",
             (unsigned long long)q->version, q->timeout_seconds);
        watch_on(c, q->version);
    }
}

/* ---- requests ----------------------------------------------------------- */

static void get_one(struct conn *c)
{
    const struct request *q = &c->q;
    uint32_t key = etcd_find_key(q->view.res, q->view.namespace_,
                                 strlen(q->view.namespace_), q->name,
                                 strlen(q->name));
    uint32_t state = key != UINT32_MAX ? etcd_now(q->view.res, key) : NO_STATE;
    struct text t = { NULL, 0, 0, 0 };

    if (state == NO_STATE) {
        refuse(c, 404, "Not Found", "NotFound", "it is not there",
               "\"kind\":\"configmaps\"", NULL);
        return;
    }
    TELL("server: get %s/%s", q->view.namespace_, q->name);
    write_item(&t, &q->view, state, true, 0);
    text_add(&t, "\n");
    whole(c, 200, "OK", "application/json", NULL, &t);
    text_free(&t);
}

static void waited_enough(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WAITING)
        refuse_too_large(c);
}

/* Lists and streaming lists of a version the replica has not reached wait. */
static bool must_wait(const struct conn *c)
{
    const struct request *q = &c->q;
    bool not_older = q->has_version && !q->has_continue && !q->exact &&
                     (!q->watch || q->initial_events) &&
                     !(q->watch && server.stream_mode == STREAM_IGNORED);

    return not_older && q->version > replica_of(c)->seen_rev;
}

static void answer(struct conn *c)
{
    const struct request *q = &c->q;
    struct page_token start = { .made_at = sim.now };

    if (must_wait(c)) {
        if (c->state != CONN_WAITING)
            later(c, sim.now + 3 * SECOND, waited_enough);
        c->state = CONN_WAITING;
    } else if (q->watch) {
        watch(c);
    } else if (q->name[0] != '\0') {
        get_one(c);
    } else if (q->has_continue) {
        next_page(c);
    } else if (q->has_version && q->version > 0 && q->has_limit &&
               !q->has_match) {
        sim_fail("a list with limit and version but no match means Exact");
    } else if (q->has_version) {
        list_at(c, replica_of(c)->seen_rev, &start);
    } else {
        list_at(c, etcd.rev, &start);
    }
}

static bool token_good(const struct conn *c)
{
    struct text t = { NULL, 0, 0, 0 };
    bool good;

    if (!c->link->verified) {
        MUST(!c->q.has_token, "a token over a connection without TLS");
        return true;
    }
    if (!c->q.has_token)
        return false;
    token_text(&t, server.token);
    good = strcmp(t.ptr, c->q.token) == 0;
    text_free(&t);
    return good;
}

static unsigned scope_of(const struct request *q)
{
    return q->watch ? SCOPE_WATCH : q->name[0] != '\0' ? SCOPE_GET
                                                       : SCOPE_LIST;
}

/* What comes before the answer: those in between, rights, load. */
static bool stopped_on_the_way(struct conn *c)
{
    const char *why = request_invalid(&c->q);
    bool stream = c->q.watch && c->q.initial_events;

    if (sim.now < server.odd_until && server.odd != ODD_NONE)
        odd_answer(c);
    else if (sim.now < server.error_until &&
             (server.error_scope & scope_of(&c->q)) != 0 &&
             server.error_code != 0)
        refuse_code(c, server.error_code);
    else if (server.leaving_at <= sim.now) {
        refuse(c, 429, "Too Many Requests", "TooManyRequests",
               "The apiserver is shutting down, please try again later.",
               "\"retryAfterSeconds\":5",
               "Retry-After: 5\r\nConnection: close\r\n");
        over(c);
    } else if (sim.now < server.ready_at)
        refuse_busy(c);
    else if (!token_good(c))
        refuse_code(c, 401);
    else if (stream && server.stream_mode == STREAM_422)
        refuse(c, 422, "Unprocessable Entity", "Invalid",
               "ListOptions.meta.k8s.io \\\"\\\" is invalid: "
               "sendInitialEvents: Forbidden: sendInitialEvents is forbidden "
               "for watch unless the WatchList feature gate is enabled",
               "\"group\":\"meta.k8s.io\",\"kind\":\"ListOptions\"", NULL);
    else if (stream && server.stream_mode == STREAM_400)
        refuse_code(c, 400);
    else if (why != NULL)
        sim_fail("a request the real server answers with 422: %s", why);
    else
        return false;
    return true;
}

static void request(struct conn *c)
{
    struct asked asked = asked_of(c);

    server.requests++;
    TELL("server: connection %u asks for %s%s%s%s%s, version %llu, limit %u",
         c->link->number, kinds[c->q.view.res].plural,
         c->q.view.metadata_only ? " metadata" : "",
         asked.watch ? (asked.stream ? " stream" : " watch") : "",
         asked.get ? " get" : "", c->q.has_continue ? " continue" : "",
         (unsigned long long)c->q.version, c->q.limit);
    world_asked(&asked);
    c->serial++;
    if (!stopped_on_the_way(c))
        answer(c);
}

/* ---- connections -------------------------------------------------------- */

struct conn *server_accept(struct link *link)
{
    static uint32_t ids;
    struct conn *c = calloc(1, sizeof(*c));

    MUST(c != NULL, "out of memory");
    c->link = link;
    c->id = ++ids;
    c->replica = server.spread ? rng_below(&sim.rng, 2) : server.active;
    *array_push(&server.conns) = c;
    later(c, sim.now + 90 * SECOND, idle_end);
    return c;
}

bool server_idle(const struct conn *c)
{
    return c->state == CONN_IDLE;
}

void server_input(struct conn *c, const char *bytes, size_t len)
{
    size_t whole_len;

    if (c->state == CONN_OVER)
        return;
    text_bytes(&c->in, bytes, len);
    whole_len = request_length(c->in.ptr, c->in.len);
    if (whole_len == 0)
        return;
    request_read(&c->q, c->in.ptr, whole_len);
    text_drop(&c->in, whole_len);
    MUST(c->in.len == 0, "bytes behind a request");
    request(c);
}

void server_hangup(struct conn *c)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        if (server.conns.at[i] != c)
            continue;
        memmove(&server.conns.at[i], &server.conns.at[i + 1],
                (server.conns.count - i - 1) * sizeof(server.conns.at[0]));
        server.conns.count--;
        text_free(&c->in);
        free(c);
        return;
    }
    sim_fail("the model server lost a connection");
}

/* ---- the life of the server --------------------------------------------- */

static void pump_all(uint32_t replica)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];

        if (c->replica != replica)
            continue;
        if (c->state == CONN_WATCH)
            watch_pump(c);
        else if (c->state == CONN_WAITING)
            answer(c);
    }
}

static void catch_up(void *ctx, uint64_t arg)
{
    struct replica *r = ctx;
    uint64_t rev = arg >> 8;

    if ((arg & 0xFF) != (etcd.restores & 0xFF) || rev <= r->seen_rev)
        return;
    r->seen_rev = rev;
    pump_all((uint32_t)(r - server.replicas));
}

void server_changed(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct replica *r = &server.replicas[i];
        uint64_t arg = etcd.rev << 8 | (etcd.restores & 0xFF);

        if (r->lag_ms == 0)
            catch_up(r, arg);
        else
            timer_at(sim.now + r->lag_ms, catch_up, r, arg);
    }
}

static void cut_all(void)
{
    for (size_t i = 0; i < server.conns.count; i++)
        if (server.conns.at[i]->state != CONN_OVER)
            cut(server.conns.at[i]);
}

static void begin_caches(void)
{
    for (int i = 0; i < 2; i++)
        server.replicas[i] = (struct replica){ .seen_rev = etcd.rev,
                                               .cache_from = etcd.rev };
}

void server_init(void)
{
    server.leaving_at = NEVER;
    server.window = 1000;
    server.token_bytes = 240;
    begin_caches();
}

static void go_down(uint32_t down_ms, uint32_t slow_ms)
{
    cut_all();
    begin_caches();
    server.leaving_at = NEVER;
    server.up_at = sim.now + down_ms;
    server.ready_at = server.up_at + slow_ms;
    TELL("server: down for %u ms, then slow for %u ms", down_ms, slow_ms);
}

static void leave(void *ctx, uint64_t arg)
{
    (void)ctx;
    if (server.leaving_at <= sim.now)
        go_down((uint32_t)(arg >> 32), (uint32_t)arg);
}

void server_restart(uint32_t down_ms, uint32_t slow_ms, bool graceful)
{
    if (!graceful) {
        go_down(down_ms, slow_ms);
        return;
    }
    TELL("server: shuts down gracefully");
    server.leaving_at = sim.now;
    server_end_watches(true);
    timer_at(sim.now + 10 * SECOND, leave, NULL,
             (uint64_t)down_ms << 32 | slow_ms);
}

void server_restore(uint32_t down_ms)
{
    etcd_restore();
    go_down(down_ms, 0);
}

void server_end_watches(bool clean)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];

        if (c->state != CONN_WATCH)
            continue;
        if (clean)
            watch_end(c);
        else
            cut(c);
    }
}

void server_stray(enum stray stray)
{
    static const char *const lines[STRAYS] = {
        [STRAY_UNKNOWN_TYPE] =
            "{\"type\":\"FANCY\",\"object\":{\"kind\":\"ConfigMap\",\"a\":1}}"
            "\n",
        [STRAY_NO_OBJECT] = "{\"type\":\"MODIFIED\"}\n",
        [STRAY_GARBAGE] = "<html>oops</html>\n",
        [STRAY_BLANK] = "\n \r\n\t\n",
        [STRAY_BRACKET] = "{\"type\":\"ADDED\",\"object\":{]}}\n",
    };

    for (size_t i = 0; i < server.conns.count; i++) {
        struct conn *c = server.conns.at[i];
        struct text t = { NULL, 0, 0, 0 };

        if (c->state != CONN_WATCH)
            continue;
        if (stray == STRAY_ERROR_500)
            error_event(&t, 500, "InternalError", "etcd is away");
        else if (stray == STRAY_ERROR_429)
            error_event(&t, 429, "TooManyRequests", "come later");
        else if (stray == STRAY_ERROR_410)
            error_event(&t, 410, "Expired", "too old resource version");
        else
            text_add(&t, lines[stray]);
        watch_write(c, &t, t.len);
        text_free(&t);
        if (stray >= STRAY_ERROR_500 && stray <= STRAY_ERROR_410)
            watch_end(c);
    }
}

void server_failover(uint32_t lag_ms)
{
    server.active = 1 - server.active;
    server.replicas[server.active].lag_ms = lag_ms;
    TELL("server: replica %u takes over, %u ms behind", server.active, lag_ms);
    cut_all();
}

void server_calm(void)
{
    if (server.up_at > sim.now)
        server.up_at = sim.now;
    if (server.ready_at > sim.now)
        server.ready_at = sim.now;
    server.leaving_at = NEVER;
    server.error_until = server.odd_until = server.no_bookmarks_until = 0;
    server.replicas[0].lag_ms = server.replicas[1].lag_ms = 0;
    server_changed();
}
