/* SPDX-License-Identifier: Apache-2.0 */
/* list_watch.c - requests to the API server; see list_watch.h.
 *
 *   IDLE -> ASKED (in line) -> SENT -> ANSWER -> TAIL -> IDLE
 *                                   \-> REFUSAL (status is not 200) -> error
 */
#define KINF_FILE 21
#include "list_watch.h"

#include "base/assert.h"
#include "base/span.h"
#include "session.h"
#include "wire/http_request.h"
#include "wire/http_response.h"
#include "wire/json_stream.h"

enum { IDLE, ASKED, SENT, ANSWER, TAIL, REFUSAL, WORDS };

void kinf_list_watch_init(struct kinf_list_watch *lw,
                          const struct kinf_informer_config *config,
                          const struct kinf_config *server,
                          struct kinf_session *session)
{
    *lw = (struct kinf_list_watch){ .config = config, .server = server,
                                    .session = session };
}

/* ---- the request -------------------------------------------------------- */

static void add(struct kinf_list_watch *lw, struct kinf_span text)
{
    kinf_http_request_add(&lw->session->u.request, text, KINF_PART_PLAIN);
}

/* Adds "/api/v1" or "/apis/group/version", then as far as they are given
 * "/namespaces/namespace", "/plural" and "/name". */
static void add_path(struct kinf_list_watch *lw, struct kinf_span space,
                     struct kinf_span name)
{
    const struct kinf_resource *r = &lw->config->resource;
    struct kinf_http_request *q = &lw->session->u.request;

    if (r->group.len > 0) {
        add(lw, KINF_SPAN("/apis/"));
        add(lw, r->group);
        add(lw, KINF_SPAN("/"));
    } else {
        add(lw, KINF_SPAN("/api/"));
    }
    add(lw, r->version);
    if (space.len > 0) {
        add(lw, KINF_SPAN("/namespaces/"));
        kinf_http_request_add(q, space, KINF_PART_ENCODED);
    }
    add(lw, KINF_SPAN("/"));
    add(lw, r->plural);
    if (name.len > 0) {
        add(lw, KINF_SPAN("/"));
        kinf_http_request_add(q, name, KINF_PART_ENCODED);
    }
}

/* Adds a parameter if it has a value. */
static void add_query(struct kinf_list_watch *lw, struct kinf_span name,
                      struct kinf_span value)
{
    if (value.len == 0)
        return;
    add(lw, name);
    kinf_http_request_add(&lw->session->u.request, value, KINF_PART_ENCODED);
}

static void add_selectors(struct kinf_list_watch *lw)
{
    add_query(lw, KINF_SPAN("&labelSelector="), lw->config->label_selector);
    add_query(lw, KINF_SPAN("&fieldSelector="), lw->config->field_selector);
}

static void add_list(struct kinf_list_watch *lw)
{
    const struct kinf_request *q = lw->request;

    add(lw, KINF_SPAN("?limit="));
    add(lw, kinf_decimal(q->limit, lw->limit));
    if (q->continue_.len > 0) {
        add_query(lw, KINF_SPAN("&continue="), q->continue_);
    } else if (q->version.len > 0) {
        add_query(lw, KINF_SPAN("&resourceVersion="), q->version);
        add(lw, KINF_SPAN("&resourceVersionMatch=NotOlderThan"));
    }
    add_selectors(lw);
}

static void add_watch(struct kinf_list_watch *lw)
{
    const struct kinf_request *q = lw->request;

    add(lw, KINF_SPAN("?watch=1&allowWatchBookmarks=true&timeoutSeconds="));
    add(lw, kinf_decimal(q->timeout_seconds, lw->timeout));
    add_query(lw, KINF_SPAN("&resourceVersion="), q->version);
    if (q->type == KINF_REQUEST_STREAM)
        add(lw, KINF_SPAN("&sendInitialEvents=true"
                          "&resourceVersionMatch=NotOlderThan"));
    add_selectors(lw);
}

#define AS(kind) "application/json;as=" kind ";g=meta.k8s.io;v=v1"
static struct kinf_span accept_for(const struct kinf_list_watch *lw)
{
    enum kinf_request_type type = lw->request->type;

    if (type != KINF_REQUEST_PROBE && !lw->config->metadata_only)
        return KINF_SPAN("application/json");
    if (type == KINF_REQUEST_PROBE || type == KINF_REQUEST_LIST)
        return KINF_SPAN(AS("PartialObjectMetadataList") ",application/json");
    return KINF_SPAN(AS("PartialObjectMetadata") ",application/json");
}

static int send_request(struct kinf_list_watch *lw)
{
    const struct kinf_request *q = lw->request;
    struct kinf_span none = { NULL, 0 };

    kinf_session_begin(lw->session);
    if (q->type == KINF_REQUEST_GET)
        add_path(lw, q->namespace_, q->name);
    else
        add_path(lw, lw->config->namespace_, none);
    if (q->type == KINF_REQUEST_LIST || q->type == KINF_REQUEST_PROBE)
        add_list(lw);
    else if (q->type != KINF_REQUEST_GET)
        add_watch(lw);
    return kinf_session_start(lw->session, accept_for(lw), lw->port);
}

static int request(void *ctx, const struct kinf_request *q)
{
    struct kinf_list_watch *lw = ctx;

    KINF_ASSERT(lw->state == IDLE || lw->state == ASKED);
    lw->request = q;
    lw->words_len = 0;
    lw->state = ASKED;
    if (kinf_session_lease(lw->session, &lw->lease) != KINF_OK)
        return KINF_ERR_AGAIN;
    lw->state = SENT;
    return send_request(lw);
}

/* ---- the answer --------------------------------------------------------- */

static enum json_mode mode_of(enum kinf_request_type type)
{
    switch (type) {
    case KINF_REQUEST_WATCH:
    case KINF_REQUEST_STREAM:
        return JSON_WATCH;
    case KINF_REQUEST_GET:
        return JSON_SINGLE;
    case KINF_REQUEST_LIST:
    case KINF_REQUEST_PROBE:
    default:
        return JSON_LIST;
    }
}

static void read_json(struct kinf_list_watch *lw, enum json_mode mode)
{
    const struct kinf_informer_config *c = lw->config;
    struct kinf_span kind = c->metadata_only ? (struct kinf_span){ NULL, 0 }
                                             : c->resource.kind;

    if (lw->request->type == KINF_REQUEST_PROBE)
        kind.len = 0;
    kinf_json_stream_init(&lw->session->u.answer.json, mode, c->keep,
                          c->keep_count, kind);
}

/* The head has come. Returns KINF_SOURCE_OPEN, KINF_OK to read on, or why the
 * answer is of no use. */
static int take_head(struct kinf_list_watch *lw, struct kinf_item *item)
{
    const struct kinf_http_response *r = &lw->session->u.answer.response;

    *item = (struct kinf_item){ .http_status = r->status };
    if (r->status == 200 && r->json) {
        read_json(lw, mode_of(lw->request->type));
        lw->state = ANSWER;
        return KINF_SOURCE_OPEN;
    }
    item->retry_after_ms = kinf_session_retry_after(lw->session);
    if (r->status / 100 == 3)
        return KINF_ERR_REDIRECT;
    lw->state = r->json ? REFUSAL : WORDS;
    if (r->json)
        read_json(lw, JSON_STATUS);
    return KINF_OK;
}

/* What a refusal comes to, now that its body is read as far as it could be. */
static int refused(const struct kinf_list_watch *lw,
                   const struct kinf_item *item)
{
    int status = lw->session->u.answer.response.status;

    return status == 200 ? KINF_ERR_HTTP_TYPE
                         : kinf_status_error(status, item->version_ahead);
}

static void keep_words(struct kinf_list_watch *lw, struct kinf_span body,
                       struct kinf_item *item)
{
    size_t room = sizeof(lw->words) - lw->words_len;
    size_t n = body.len < room ? body.len : room;

    memcpy(lw->words + lw->words_len, body.ptr, n);
    lw->words_len = (uint16_t)(lw->words_len + n);
    item->message = span_of(lw->words, lw->words_len);
}

/* Takes body bytes through the JSON stream. */
static int take_json(struct kinf_list_watch *lw, struct kinf_span body,
                     struct kinf_sink *sink, struct kinf_item *item)
{
    int status = lw->session->u.answer.response.status;
    uint32_t retry_ms = item->retry_after_ms;
    struct kinf_sink nobody = { .ptr = NULL };
    size_t used = 0;
    int event = kinf_json_stream_feed(&lw->session->u.answer.json, body.ptr,
                                      body.len, &used,
                                      lw->state == ANSWER ? sink : &nobody,
                                      item);

    kinf_session_consume(lw->session, used);
    if (lw->state == REFUSAL) {
        item->http_status = status;
        if (item->retry_after_ms == 0)
            item->retry_after_ms = retry_ms;
        lw->state = event == JSON_END ? TAIL : REFUSAL;
        return event < 0 && event != KINF_ERR_AGAIN ? refused(lw, item)
                                                    : KINF_OK;
    }
    switch (event) {
    case JSON_BEGIN:
        return KINF_SOURCE_BEGIN;
    case JSON_ITEM:
        return KINF_SOURCE_ITEM;
    case JSON_END:
        lw->state = TAIL;
        return KINF_OK;
    case KINF_ERR_AGAIN:
        return KINF_OK;
    default:
        return event;
    }
}

static int take_body(struct kinf_list_watch *lw, struct kinf_span body,
                     struct kinf_sink *sink, struct kinf_item *item)
{
    switch (lw->state) {
    case ANSWER:
    case REFUSAL:
        return take_json(lw, body, sink, item);
    case WORDS:
        keep_words(lw, body, item);
        break;
    default: /* TAIL: what follows a whole document */
        break;
    }
    kinf_session_consume(lw->session, body.len);
    return lw->words_len == sizeof(lw->words) ? refused(lw, item) : KINF_OK;
}

static int take_end(struct kinf_list_watch *lw, const struct kinf_item *item)
{
    int status = lw->session->u.answer.response.status;
    bool watch = mode_of(lw->request->type) == JSON_WATCH;

    if (status != 200 || lw->state == WORDS)
        return refused(lw, item);
    if (watch && kinf_json_stream_between(&lw->session->u.answer.json))
        return KINF_SOURCE_END;
    return lw->state == TAIL ? (int)KINF_SOURCE_END : KINF_ERR_CUT;
}

static void close_request(void *ctx)
{
    struct kinf_list_watch *lw = ctx;

    if (lw->state != IDLE)
        kinf_session_release(lw->session, &lw->lease);
    lw->state = IDLE;
}

static int next(void *ctx, uint32_t now_ms, struct kinf_sink *sink,
                struct kinf_item *item)
{
    struct kinf_list_watch *lw = ctx;
    int result = KINF_OK;

    (void)now_ms;
    while (result == KINF_OK) {
        struct kinf_span body = { NULL, 0 };
        int event = kinf_session_next(lw->session, &body);

        if (event == SESSION_HEAD)
            result = take_head(lw, item);
        else if (event == SESSION_BODY)
            result = take_body(lw, body, sink, item);
        else if (event == SESSION_END)
            result = take_end(lw, item);
        else if (lw->state >= REFUSAL && event != KINF_ERR_AGAIN)
            result = refused(lw, item); /* though its words are not whole */
        else
            result = event;
        if (event < 0 && event != KINF_ERR_AGAIN && item->message.len == 0)
            item->message = kinf_session_reason(lw->session);
    }
    return result;
}

const struct kinf_list_watch_ops kinf_list_watch_session_ops = {
    .request = request, .next = next, .close = close_request
};
