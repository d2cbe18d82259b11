/* SPDX-License-Identifier: Apache-2.0 */
/* server_refuse.c - how the model server says no: each Status and text it is
 * known for, and what comes of proxies; see server_conn.h. */
#include <stdio.h>

#include "server_conn.h"

void status_json(struct text *t, int code, const char *reason,
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

void refuse(struct conn *c, int code, const char *phrase,
                   const char *reason, const char *message,
                   const char *details, const char *more)
{
    struct text t = { NULL, 0, 0, 0 };

    TELL("server: %d %s", code, message);
    status_json(&t, code, reason, message, "", details);
    text_add(&t, "\n");
    answer_text(c, code, phrase, "application/json", more, &t);
}

void refuse_text(struct conn *c, int code, const char *phrase,
                        const char *message, const char *more)
{
    struct text t = { NULL, 0, 0, 0 };

    TELL("server: %d text %s", code, message);
    text_add(&t, message);
    text_add(&t, "\n");
    c->nosniff = true;
    answer_text(c, code, phrase, "text/plain; charset=utf-8", more, &t);
}

static void retry_after(const struct conn *c, char *out, size_t size,
                        uint32_t seconds)
{
    struct asked asked = conn_asked(c);
    struct text t = { NULL, 0, 0, 0 };

    if (server.retry_after_s > 0)
        seconds = server.retry_after_s;
    text_add(&t, "Retry-After: ");
    if (server.error_date)
        http_date(&t, server_wall_s() + seconds);
    else
        text_fmt(&t, "%u", seconds);
    snprintf(out, size, "%s\r\n", t.ptr);
    text_free(&t);
    world_told_to_wait(&asked, seconds);
}

void refuse_busy(struct conn *c)
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

void refuse_rights(struct conn *c, const char *user)
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

void refuse_unknown(struct conn *c)
{
    MUST(server.answers_all, "an unknown path");
    if (c->q.plain_unknown)
        refuse_text(c, 404, "Not Found", "404 page not found", NULL);
    else
        refuse(c, 404, "Not Found", "NotFound",
               "the server could not find the requested resource", "", NULL);
}

void refuse_options(struct conn *c, const char *why, const char *field)
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

void refuse_code(struct conn *c, int code)
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

void refuse_old_page(struct conn *c, const struct page_token *token)
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
    answer_text(c, 410, "Gone", "application/json", NULL, &t);
    text_free(&continue_);
}

/* Something between us and the server answers, or breaks its answer. */
void refuse_oddly(struct conn *c)
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
    conn_over(c);
}

void refuse_missing(struct conn *c)
{
    struct text message = { NULL, 0, 0, 0 }, details = { NULL, 0, 0, 0 };

    named(&message, &c->q);
    text_add(&message, " not found");
    details_of(&details, &c->q);
    refuse(c, 404, "Not Found", "NotFound", message.ptr, details.ptr, NULL);
    text_free(&message);
    text_free(&details);
}

/* A streaming list is told so by an event. */
void refuse_too_large(struct conn *c)
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
    answer_head(c, 200, "OK", "application/json", NULL, -1);
    watch_error(&t, 504, "Timeout", message, details);
    watch_write_text(c, &t);
    watch_end(c);
}
