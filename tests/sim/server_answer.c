/* SPDX-License-Identifier: Apache-2.0 */
/* server_answer.c - how the model server writes an answer: head, chunks as
 * measured, the ends of writes; see server_conn.h. */
#include "server_conn.h"

void http_date(struct text *out, int64_t wall_s)
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
void answer_head(struct conn *c, int code, const char *reason,
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
    http_date(&t, server_wall_s());
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

void writes_end(struct writes *w)
{
    *array_push(&w->ends) = w->text.len;
}

void writes_free(struct writes *w)
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
void answer_body(struct conn *c, const struct writes *w)
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

void answer_end(struct conn *c)
{
    if (c->chunked) {
        const char *last = server.rechunk && chance(50)
                               ? "0\r\nX-Trailer: yes\r\n\r\n" : "0\r\n\r\n";

        link_write(c->link, last, strlen(last));
    }
    conn_answered(c);
}

/* A whole answer with a known end: small with its length, else in chunks. */
void answer_whole(struct conn *c, int code, const char *reason,
                  const char *type, const char *more, const struct writes *w)
{
    bool small = w->text.len <= BUFFER && !(server.rechunk && chance(50));

    answer_head(c, code, reason, type, more, small ? (int64_t)w->text.len : -1);
    answer_body(c, w);
    if (!c->chunked && !small) {
        conn_over(c); /* its end is the connection's */
        return;
    }
    answer_end(c);
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
void answer_text(struct conn *c, int code, const char *reason,
                       const char *type, const char *more, struct text *t)
{
    struct writes w = { .ends = { NULL, 0, 0 } };

    if (c->q.pretty && strcmp(type, "application/json") == 0)
        prettify(t);
    w.text = *t;
    *t = (struct text){ NULL, 0, 0, 0 };
    writes_end(&w);
    answer_whole(c, code, reason, type, more, &w);
    writes_free(&w);
}
