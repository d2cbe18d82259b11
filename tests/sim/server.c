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
        .version = q->version,
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
    if (c->nosniff)
        text_add(&t, "X-Content-Type-Options: nosniff\r\n");
    if (!c->early)
        text_add(&t, "X-Kubernetes-Pf-Flowschema-Uid: "
                     "0b4b9e7e-5a54-4f0e-8b6e-8b6d2f2f1c11\r\n"
                     "X-Kubernetes-Pf-Prioritylevel-Uid: "
                     "d0c7b2b8-32c4-4f1a-9d53-6a8c0a9be0ab\r\n");
    text_add(&t, "Date: ");
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

/* Text with the ends of the writes that made it. */
struct writes {
    struct text text;
    ARRAY(size_t) ends;
};

static void written(struct writes *w)
{
    *array_push(&w->ends) = w->text.len;
}

static void writes_free(struct writes *w)
{
    text_free(&w->text);
    free(w->ends.at);
    *w = (struct writes){ .ends = { NULL, 0, 0 } };
}

/* A buffer of 2,048 bytes goes out as a chunk when it is full; what is longer
 * and meets an empty buffer goes out whole. */
enum { BUFFER = 2048 };

static void chunks_of(struct text *out, const struct writes *w)
{
    const char *bytes = w->text.ptr;
    size_t sent = 0, at = 0;

    for (size_t i = 0; i < w->ends.count; at = w->ends.at[i++]) {
        while (w->ends.at[i] - sent > BUFFER) {
            size_t size = sent == at ? w->ends.at[i] - sent : BUFFER;

            chunk(out, bytes + sent, size);
            sent += size;
            if (at < sent)
                at = sent;
        }
    }
    if (sent < w->text.len)
        chunk(out, bytes + sent, w->text.len - sent);
}

/* A proxy's chunks have nothing to do with ours. */
static void other_chunks(struct text *out, const struct text *t)
{
    for (size_t at = 0, size; at < t->len; at += size) {
        size = rng_size(&sim.rng, 5000);
        if (size > t->len - at)
            size = t->len - at;
        chunk(out, t->ptr + at, size);
    }
}

/* Writes body bytes, framed as they have to be. */
static void body(struct conn *c, const struct writes *w)
{
    struct text t = { NULL, 0, 0, 0 };

    if (!c->chunked)
        text_bytes(&t, w->text.ptr, w->text.len);
    else if (server.rechunk)
        other_chunks(&t, &w->text);
    else
        chunks_of(&t, w);
    if (t.len > 0)
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
                  const char *type, const char *more, const struct writes *w)
{
    bool small = w->text.len <= BUFFER && !(server.rechunk && chance(50));

    head(c, code, reason, type, more, small ? (int64_t)w->text.len : -1);
    body(c, w);
    if (!c->chunked && !small) {
        over(c); /* its end is the connection's */
        return;
    }
    body_end(c);
}

/* Members and items on lines of their own, as an agent of people gets them. */
static void prettify(struct text *t)
{
    struct text copy = *t;
    size_t depth = 0;
    bool in_string = false;

    *t = (struct text){ NULL, 0, 0, 0 };
    for (size_t i = 0; i < copy.len; i++) {
        char c = copy.ptr[i];
        bool opens = !in_string && (c == '{' || c == '[');
        bool closes = !in_string && (c == '}' || c == ']');
        bool empty = opens && i + 1 < copy.len &&
                     (copy.ptr[i + 1] == '}' || copy.ptr[i + 1] == ']');

        if (c == '\n')
            continue;
        depth -= closes;
        if (closes && copy.ptr[i - 1] != '{' && copy.ptr[i - 1] != '[')
            text_fmt(t, "\n%*s", (int)depth * 2, "");
        text_bytes(t, &c, 1);
        if (in_string && c == '\\')
            text_bytes(t, &copy.ptr[++i], 1);
        else if (c == '"')
            in_string = !in_string;
        depth += opens;
        if ((opens && !empty) || (!in_string && c == ','))
            text_fmt(t, "\n%*s", (int)depth * 2, "");
        else if (!in_string && c == ':')
            text_add(t, " ");
    }
    text_free(&copy);
}

/* An answer that is written at once. */
static void whole_text(struct conn *c, int code, const char *reason,
                       const char *type, const char *more, struct text *t)
{
    struct writes w = { .ends = { NULL, 0, 0 } };

    if (c->q.pretty && strcmp(type, "application/json") == 0)
        prettify(t);
    w.text = *t;
    *t = (struct text){ NULL, 0, 0, 0 };
    written(&w);
    whole(c, code, reason, type, more, &w);
    writes_free(&w);
}

/* ---- refusals ----------------------------------------------------------- */

static void status_json(struct text *t, int code, const char *reason,
                        const char *message, const char *metadata,
                        const char *details)
{
    text_fmt(t, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{%s},"
                "\"status\":\"Failure\",\"message\":\"", metadata);
    text_add(t, message);
    text_fmt(t, "\",\"reason\":\"%s\",", reason);
    if (details != NULL) {
        text_add(t, "\"details\":{");
        text_add(t, details);
        text_add(t, "},");
    }
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
    whole_text(c, code, phrase, "application/json", more, &t);
}

static void refuse_text(struct conn *c, int code, const char *phrase,
                        const char *message, const char *more)
{
    struct text t = { NULL, 0, 0, 0 };

    TELL("server: %d text %s", code, message);
    text_add(&t, message);
    text_add(&t, "\n");
    c->nosniff = true;
    whole_text(c, code, phrase, "text/plain; charset=utf-8", more, &t);
}

static void retry_after(const struct conn *c, char *out, size_t size,
                        uint32_t seconds)
{
    struct asked asked = asked_of(c);
    struct text t = { NULL, 0, 0, 0 };

    if (server.retry_after_s > 0)
        seconds = server.retry_after_s;
    text_add(&t, "Retry-After: ");
    if (server.error_date)
        date(&t, server_wall_s() + seconds);
    else
        text_fmt(&t, "%u", seconds);
    snprintf(out, size, "%s\r\n", t.ptr);
    text_free(&t);
    world_told_to_wait(&asked, seconds);
}

static void refuse_busy(struct conn *c)
{
    char more[64];

    retry_after(c, more, sizeof(more), rng_range(&sim.rng, 1, 32));
    if (chance(50))
        refuse_text(c, 429, "Too Many Requests",
                    "Too many requests, please try again later.", more);
    else
        refuse(c, 429, "Too Many Requests", "TooManyRequests",
               "storage is (re)initializing", "\"retryAfterSeconds\":1", more);
}

/* What the request is about, as messages of the server name it. */
static void named(struct text *out, const struct request *q)
{
    const struct kind *k = &kinds[q->view.res];

    text_fmt(out, "%s%s%s", k->plural, *k->group != '\0' ? "." : "", k->group);
    if (q->name[0] != '\0')
        text_fmt(out, " \\\"%s\\\"", q->name);
}

static void details_of(struct text *out, const struct request *q)
{
    const struct kind *k = &kinds[q->view.res];

    if (q->name[0] != '\0')
        text_fmt(out, "\"name\":\"%s\",", q->name);
    if (*k->group != '\0')
        text_fmt(out, "\"group\":\"%s\",", k->group);
    text_fmt(out, "\"kind\":\"%s\"", k->plural);
}

static void refuse_rights(struct conn *c, const char *user)
{
    const struct request *q = &c->q;
    const struct kind *k = &kinds[q->view.res];
    struct text message = { NULL, 0, 0, 0 }, details = { NULL, 0, 0, 0 };

    named(&message, q);
    text_fmt(&message, " is forbidden: User \\\"%s\\\" cannot %s resource "
                       "\\\"%s\\\" in API group \\\"%s\\\" ", user,
             q->watch ? "watch" : q->name[0] != '\0' ? "get" : "list",
             k->plural, k->group);
    if (q->view.namespace_[0] != '\0')
        text_fmt(&message, "in the namespace \\\"%s\\\"", q->view.namespace_);
    else
        text_add(&message, "at the cluster scope");
    details_of(&details, q);
    c->nosniff = true;
    refuse(c, 403, "Forbidden", "Forbidden", message.ptr, details.ptr, NULL);
    text_free(&message);
    text_free(&details);
}

static void refuse_unknown(struct conn *c)
{
    MUST(server.answers_all, "an unknown path");
    if (c->q.plain_unknown)
        refuse_text(c, 404, "Not Found", "404 page not found", NULL);
    else
        refuse(c, 404, "Not Found", "NotFound",
               "the server could not find the requested resource", "", NULL);
}

static void refuse_options(struct conn *c, const char *why, const char *field)
{
    struct text message = { NULL, 0, 0, 0 }, details = { NULL, 0, 0, 0 };

    text_fmt(&message, "ListOptions.meta.k8s.io \\\"\\\" is invalid: %s: "
                       "Forbidden: %s", field, why);
    text_fmt(&details, "\"group\":\"meta.k8s.io\",\"kind\":\"ListOptions\","
                       "\"causes\":[{\"reason\":\"FieldValueForbidden\","
                       "\"message\":\"Forbidden: %s\",\"field\":\"%s\"}]",
             why, field);
    refuse(c, 422, "Unprocessable Entity", "Invalid", message.ptr, details.ptr,
           NULL);
    text_free(&message);
    text_free(&details);
}

static void refuse_code(struct conn *c, int code)
{
    char more[64];
    bool has_more = (code == 503 || code == 504) && chance(50);

    if (has_more)
        retry_after(c, more, sizeof(more), rng_range(&sim.rng, 1, 10));
    switch (code) {
    case 400:
        refuse(c, 400, "Bad Request", "BadRequest", "no", NULL, NULL);
        break;
    case 401:
        c->early = true;
        refuse(c, 401, "Unauthorized", "Unauthorized", "Unauthorized", NULL,
               NULL);
        break;
    case 403:
        refuse_rights(c, "sim");
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
                    has_more ? more : NULL);
        break;
    case 504:
        refuse(c, 504, "Gateway Timeout", "Timeout", "request timed out",
               "\"retryAfterSeconds\":1", has_more ? more : NULL);
        break;
    default:
        refuse(c, 500, "Internal Server Error", "InternalError",
               "etcdserver: leader changed", NULL, NULL);
        break;
    }
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
                "The provided continue parameter is too old to display a "
                "consistent list result. You can start a new list without the "
                "continue parameter, or use the continue token in this "
                "response to retrieve the remainder of the results. "
                "Continuing with the provided token results in an "
                "inconsistent list - objects that were created, modified, or "
                "deleted between the time the first chunk was returned and "
                "now may show up in the list.", metadata, NULL);
    TELL("server: 410, the page's token is too old");
    text_add(&t, "\n");
    whole_text(c, 410, "Gone", "application/json", NULL, &t);
    text_free(&continue_);
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

static bool in_path(const struct view *v, uint32_t state)
{
    return state != NO_STATE &&
           (v->namespace_[0] == '\0' ||
            strcmp(v->namespace_, key_of(state)->namespace_) == 0);
}

/* Writes the items of a page; returns how many are left behind it, whether a
 * selector has them or not: a last page may be empty. */
static uint32_t write_items(struct writes *w, const struct conn *c,
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

        if (!in_path(&c->q.view, state) ||
            (!from_start && !is_after(key, &begin)))
            continue;
        if (limited && count == c->q.limit) {
            left++;
            continue;
        }
        if (!view_has(&c->q.view, state))
            continue;
        if (count++ > 0)
            text_add(&w->text, ",");
        written(w);
        write_item(&w->text, &c->q.view, state, false, 0);
        written(w);
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

/* Items and metadata lie apart, for a custom resource's metadata comes last
 * and the token in it names the last item. */
static uint32_t list_json(struct writes *out, const struct conn *c,
                          uint64_t rev, const struct page_token *at)
{
    const struct kind *k = &kinds[c->q.view.res];
    bool partial = c->q.view.metadata_only;
    bool sorted = k->unstructured && !partial;
    struct writes items = { .ends = { NULL, 0, 0 } };
    struct text meta = { NULL, 0, 0, 0 }, continue_ = { NULL, 0, 0, 0 };
    struct text *text = &out->text;
    struct page_token token = *at;
    uint32_t left = write_items(&items, c, rev, &token);

    token.rev = rev;
    token.restores = etcd.restores;
    token.made_at = at->made_at;
    if (left > 0)
        page_token_write(&continue_, &token);
    list_metadata(&meta, c, rev, &continue_, left);
    if (sorted)
        text_fmt(text, "{\"apiVersion\":\"%s\",\"items\":", k->api_version);
    else
        text_fmt(text, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",%s,"
                       "\"items\":",
                 partial ? "PartialObjectMetadata" : k->kind,
                 partial ? "meta.k8s.io/v1" : k->api_version, meta.ptr);
    /* Older servers say null where nothing is. */
    text_add(text, items.text.len == 0 && !server.answers_all && chance(20)
                       ? "null" : "[");
    for (size_t i = 0; i < items.ends.count; i++)
        *array_push(&out->ends) = text->len + items.ends.at[i];
    text_bytes(text, items.text.ptr, items.text.len);
    written(out);
    if (text->ptr[text->len - 1] != 'l')
        text_add(text, "]");
    if (sorted)
        text_fmt(text, ",\"kind\":\"%sList\",%s", k->kind, meta.ptr);
    text_add(text, "}\n");
    written(out);
    writes_free(&items);
    text_free(&continue_);
    text_free(&meta);
    return left;
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
    struct writes w = { .ends = { NULL, 0, 0 } };
    struct asked asked = asked_of(c);
    uint32_t left = list_json(&w, c, rev, at);

    TELL("server: list at %llu, %zu bytes, %u left", (unsigned long long)rev,
         w.text.len, left);
    if (c->q.pretty || c->q.view.metadata_only) /* not item by item */
        whole_text(c, 200, "OK", "application/json", NULL, &w.text);
    else
        whole(c, 200, "OK", "application/json", NULL, &w);
    if (c->state == CONN_IDLE)
        later(c, sim.now + MINUTE, cut_slow_list);
    if (left == 0)
        world_listed(&asked, rev);
    writes_free(&w);
}

/* Older versions come from the snapshots of the watch cache, which begin with
 * it; without them from etcd. */
static bool is_compacted(const struct conn *c, uint64_t rev)
{
    return rev < etcd.compact_rev &&
           (server.old_paging || rev < replica_of(c)->cache_from);
}

static void next_page(struct conn *c)
{
    struct page_token token;

    if (!page_token_read(&token, c->q.continue_)) {
        refuse(c, 400, "Bad Request", "BadRequest",
               "invalid continue token: continue key is not valid: invalid "
               "character 'i' looking for beginning of value", NULL, NULL);
        return;
    }
    if (token.restores != etcd.restores || token.rev > etcd.rev ||
        is_compacted(c, token.rev)) {
        refuse_old_page(c, &token);
        return;
    }
    list_at(c, token.rev, &token);
}

/* ---- watches ------------------------------------------------------------ */

static void watch_line(struct writes *out, const struct conn *c,
                       const char *type, uint32_t state, uint64_t rev)
{
    text_fmt(&out->text, "{\"type\":\"%s\",\"object\":", type);
    write_item(&out->text, &c->q.view, state, true, rev);
    text_add(&out->text, "}\n");
    written(out);
}

/* Sends lines, each as it is, or what is queued together. */
static void watch_write(struct conn *c, const struct writes *w, bool joined)
{
    size_t at = 0;

    if (joined)
        body(c, w);
    for (size_t i = 0; i < w->ends.count && !joined; at = w->ends.at[i++]) {
        struct writes one = { .ends = { NULL, 0, 0 } };

        text_bytes(&one.text, w->text.ptr + at, w->ends.at[i] - at);
        written(&one);
        body(c, &one);
        writes_free(&one);
    }
}

static void watch_write_text(struct conn *c, struct text *t)
{
    struct writes w = { .text = *t };

    *t = (struct text){ NULL, 0, 0, 0 };
    written(&w);
    watch_write(c, &w, true);
    writes_free(&w);
}

static void watch_end(struct conn *c)
{
    TELL("server: watch of connection %u ends", c->link->number);
    body_end(c);
}

static void error_event(struct text *t, int code, const char *reason,
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
    error_event(&t, 410, "Expired", message, NULL);
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
static void progress_told(void)
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
    later(c, sim.now + MINUTE, bookmark_minute);
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
        cut(c);
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
static void watch_pump(struct conn *c)
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
    later(c, c->end_at, watch_time_is_up);
    if (sim.now < server.short_until)
        later(c, sim.now + server.short_ms,
              server.short_clean ? watch_time_is_up : watch_is_cut);
    if (seconds >= 45)
        later(c, sim.now + MINUTE, bookmark_minute);
    /* Shorter ones get none from a server with nothing else to do. */
    if (seconds >= 45 || (seconds > 2 && chance(20))) {
        later(c, c->end_at - 2 * SECOND, bookmark_last);
        if (chance(50))
            later(c, c->end_at - 1 * SECOND, bookmark_last);
    }
    watch_pump(c);
}

/* The objects as they are, as ADDED, then the bookmark that ends them. */
static void initial_events(struct conn *c, uint64_t rev, bool annotated)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    struct asked asked = asked_of(c);
    struct writes w = { .ends = { NULL, 0, 0 } };

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
        written(&w);
    }
    watch_write(c, &w, true);
    writes_free(&w);
    if (annotated)
        world_listed(&asked, rev);
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
        server.has_ignored |= q->initial_events;
        TELL("server: watch from %llu for %u s",
             (unsigned long long)q->version, q->timeout_seconds);
        watch_on(c, q->version);
    }
}

/* ---- requests ----------------------------------------------------------- */

static void refuse_missing(struct conn *c)
{
    struct text message = { NULL, 0, 0, 0 }, details = { NULL, 0, 0, 0 };

    named(&message, &c->q);
    text_add(&message, " not found");
    details_of(&details, &c->q);
    refuse(c, 404, "Not Found", "NotFound", message.ptr, details.ptr, NULL);
    text_free(&message);
    text_free(&details);
}

static void get_one(struct conn *c)
{
    const struct request *q = &c->q;
    uint32_t key = etcd_find_key(q->view.res, q->view.namespace_,
                                 strlen(q->view.namespace_), q->name,
                                 strlen(q->name));
    uint32_t state = key != UINT32_MAX ? etcd_now(q->view.res, key) : NO_STATE;
    struct text t = { NULL, 0, 0, 0 };

    if (state == NO_STATE) {
        refuse_missing(c);
        return;
    }
    TELL("server: get %s/%s", q->view.namespace_, q->name);
    write_item(&t, &q->view, state, true, 0);
    text_add(&t, "\n");
    whole_text(c, 200, "OK", "application/json", NULL, &t);
}

/* A streaming list is told so by an event. */
static void refuse_too_large(struct conn *c)
{
    static const char details[] =
        "\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":"
        "\"Too large resource version\"}],\"retryAfterSeconds\":1";
    struct text t = { NULL, 0, 0, 0 };
    char message[128];

    snprintf(message, sizeof(message),
             "Timeout: Too large resource version: %llu, current: %llu",
             (unsigned long long)c->q.version,
             (unsigned long long)replica_of(c)->seen_rev);
    if (!c->q.watch) {
        refuse(c, 504, "Gateway Timeout", "Timeout", message, details,
               "Retry-After: 1\r\n");
        return;
    }
    TELL("server: 504 %s", message);
    head(c, 200, "OK", "application/json", NULL, -1);
    error_event(&t, 504, "Timeout", message, details);
    watch_write_text(c, &t);
    watch_end(c);
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
    bool not_older = q->has_version && !q->has_continue &&
                     (!q->exact || q->version > replica_of(c)->seen_rev) &&
                     (!q->watch || q->initial_events) &&
                     !(q->watch && server.stream_mode == STREAM_IGNORED);

    return not_older && q->version > replica_of(c)->seen_rev;
}

static bool means_exact(const struct request *q)
{
    bool unsaid = q->has_version && q->version > 0 && q->has_limit &&
                  !q->has_match;

    MUST(!unsaid || server.answers_all,
         "a list with limit and version but no match means Exact");
    return q->exact || unsaid;
}

static void list_exact(struct conn *c)
{
    struct page_token start = { .made_at = sim.now };

    if (is_compacted(c, c->q.version))
        refuse(c, 410, "Gone", "Expired",
               "The resourceVersion for the provided list is too old.", NULL,
               NULL);
    else
        list_at(c, c->q.version, &start);
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
    } else if (means_exact(q)) {
        list_exact(c);
    } else if (q->has_version) {
        list_at(c, replica_of(c)->seen_rev, &start);
    } else {
        list_at(c, etcd.rev, &start);
        progress_told();
    }
}

static bool token_is(const struct conn *c, uint32_t number)
{
    struct text t = { NULL, 0, 0, 0 };
    bool good;

    token_text(&t, number);
    good = strcmp(t.ptr, c->q.token) == 0;
    text_free(&t);
    return good;
}

/* Who asks must be known, and may not be nobody; else it is refused. */
static bool token_refused(struct conn *c)
{
    if (!c->link->verified) {
        MUST(!c->q.has_token, "a token over a connection without TLS");
        return false;
    }
    if (!c->q.has_token)
        refuse_rights(c, "system:anonymous");
    else if (server.answers_all && strcmp(c->q.token, "none") == 0)
        refuse_rights(c, "none");
    else if (!token_is(c, server.token))
        refuse_code(c, 401);
    else
        return false;
    return true;
}

/* As many as are taken at a time are waiting or being served. */
static bool too_many(const struct conn *c)
{
    uint32_t busy = 0;

    for (size_t i = 0; i < server.conns.count; i++)
        busy += server.conns.at[i]->state == CONN_WAITING;
    return server.inflight > 0 && busy >= server.inflight && !c->q.watch;
}

static unsigned scope_of(const struct request *q)
{
    return q->watch ? SCOPE_WATCH : q->name[0] != '\0' ? SCOPE_GET
                                                       : SCOPE_LIST;
}

/* What comes before the answer: those in between, rights, load. */
static bool stopped_on_the_way(struct conn *c)
{
    const char *field, *why = request_invalid(&c->q, &field);
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
    else if (token_refused(c))
        return true;
    else if (too_many(c))
        refuse_text(c, 429, "Too Many Requests",
                    "Too many requests, please try again later.",
                    "Retry-After: 1\r\n");
    else if (c->q.unknown)
        refuse_unknown(c);
    else if (stream && server.stream_mode == STREAM_422)
        refuse_options(c, "sendInitialEvents is forbidden for watch unless "
                          "the WatchList feature gate is enabled",
                       "sendInitialEvents");
    else if (stream && server.stream_mode == STREAM_400)
        refuse_code(c, 400);
    else if (why != NULL && !server.answers_all)
        sim_fail("a request the real server answers with 422: %s", why);
    else if (why != NULL)
        refuse_options(c, why, field);
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
    if (memcmp(&c->told_view, &c->q.view, sizeof(c->told_view)) == 0)
        asked.told = c->told;
    world_asked(&asked);
    c->told = 0;
    c->serial++;
    c->early = server.inflight > 0; /* it stands in for flow control */
    c->nosniff = c->streamed = false;
    if (sim.now < server.mute_until)
        link_mute(c->link, server.mute_after);
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

/* A second after the connections without an answer: the watches end well. */
static void watches_leave(void *ctx, uint64_t arg)
{
    (void)ctx;
    (void)arg;
    for (size_t i = 0; i < server.conns.count && server.leaving_at <= sim.now;
         i++) {
        struct conn *c = server.conns.at[i];

        if (c->state != CONN_WATCH)
            continue;
        watch_end(c);
        over(c);
    }
}

/* As measured of 1.36: nothing new is taken, what is idle is closed at once.
 * Or, as its documentation has it for those who ask: 429 for a while. */
static void leave_gracefully(uint32_t down_ms)
{
    server.leaving_at = sim.now;
    if (chance(50)) {
        server_end_watches(true);
        return;
    }
    server.up_at = sim.now + 10 * SECOND + down_ms;
    for (size_t i = 0; i < server.conns.count; i++)
        if (server.conns.at[i]->state == CONN_IDLE)
            over(server.conns.at[i]);
    timer_at(sim.now + SECOND, watches_leave, NULL, 0);
}

void server_restart(uint32_t down_ms, uint32_t slow_ms, bool graceful)
{
    if (!graceful) {
        go_down(down_ms, slow_ms);
        return;
    }
    TELL("server: shuts down gracefully");
    leave_gracefully(down_ms);
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
            error_event(&t, 500, "InternalError", "etcd is away", NULL);
        else if (stray == STRAY_ERROR_429)
            error_event(&t, 429, "TooManyRequests", "come later", NULL);
        else if (stray == STRAY_ERROR_410)
            error_event(&t, 410, "Expired", "too old resource version", NULL);
        else
            text_add(&t, lines[stray]);
        watch_write_text(c, &t);
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
    server.short_until = server.mute_until = 0;
    server.replicas[0].lag_ms = server.replicas[1].lag_ms = 0;
    server_changed();
}
