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
    *lw = (struct kinf_list_watch){ .config = config,
                                    .server = server,
                                    .session = session };
}

/* ---- the request -------------------------------------------------------- */

/* "/api/v1" or "/apis/group/version", then as far as they are given
 * "/namespaces/namespace", "/plural" and "/name", then the parameters that have
 * a value. */
static const char request_text[] = KINF_SESSION_GET(
    "/api%-s/%g/%v/namespaces/%S/%r/%O?limit=%l&continue=%K"
    "?watch=1&allowWatchBookmarks=true&timeoutSeconds=%w&resourceVersion=%X"
    "&sendInitialEvents=%e&resourceVersionMatch=%m&labelSelector=%T"
    "&fieldSelector=%F");

static void set_list(struct kinf_http_request *v, const struct kinf_request *q)
{
    *http_value(v, 'l') = kinf_decimal(q->limit, v->number);
    if (q->continue_.len > 0)
        *http_value(v, 'k') = q->continue_;
    else
        *http_value(v, 'x') = q->version;
    if (http_value(v, 'x')->len > 0)
        *http_value(v, 'm') = KINF_SPAN("NotOlderThan");
}

static void set_watch(struct kinf_http_request *v, const struct kinf_request *q)
{
    *http_value(v, 'w') = kinf_decimal(q->timeout_seconds, v->number);
    *http_value(v, 'x') = q->version;
    if (q->type == KINF_REQUEST_STREAM) {
        *http_value(v, 'm') = KINF_SPAN("NotOlderThan");
        *http_value(v, 'e') = KINF_SPAN("true");
    }
}

static bool is_list(enum kinf_request_type type)
{
    return type == KINF_REQUEST_LIST || type == KINF_REQUEST_PROBE;
}

static void set_accept(struct kinf_http_request *v,
                       const struct kinf_request *q,
                       const struct kinf_informer_config *c)
{
    struct kinf_span as = KINF_SPAN("PartialObjectMetadataList");

    *http_value(v, 'a') = KINF_SPAN("application/json");
    if (q->type != KINF_REQUEST_PROBE && !c->metadata_only)
        return;
    *http_value(v, 'c') = KINF_SPAN("v1");
    *http_value(v, 'd') = *http_value(v, 'a');
    if (!is_list(q->type))
        as.len -= strlen("List");
    *http_value(v, 'b') = as;
}

static int send_request(struct kinf_list_watch *lw)
{
    const struct kinf_informer_config *c = lw->config;
    const struct kinf_request *q = lw->request;
    struct kinf_http_request *v = &lw->session->u.request;

    kinf_session_begin(lw->session);
    *http_value(v, 'g') = c->resource.group;
    *http_value(v, 'v') = c->resource.version;
    *http_value(v, 'r') = c->resource.plural;
    if (q->type == KINF_REQUEST_GET) {
        *http_value(v, 's') = q->namespace_;
        *http_value(v, 'o') = q->name;
    } else {
        *http_value(v, 's') = c->namespace_;
        *http_value(v, 't') = c->label_selector;
        *http_value(v, 'f') = c->field_selector;
        if (is_list(q->type))
            set_list(v, q);
        else
            set_watch(v, q);
    }
    set_accept(v, q, c);
    return kinf_session_start(lw->session, request_text);
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

static void read_json(struct kinf_list_watch *lw, enum json_mode mode,
                      struct kinf_sink *sink, struct kinf_item *item)
{
    const struct kinf_informer_config *c = lw->config;
    struct kinf_json_stream *s = &lw->session->u.answer.json;

    kinf_json_stream_init(s, mode, sink, item);
    json_stream_keep(s, c->keep, c->keep_count);
    if (!c->metadata_only && lw->request->type != KINF_REQUEST_PROBE)
        s->kind = c->resource.kind;
}

/* The head has come. Returns KINF_SOURCE_OPEN, KINF_OK to read on, or why the
 * answer is of no use. */
static int take_head(struct kinf_list_watch *lw, struct kinf_sink *sink,
                     struct kinf_item *item)
{
    const struct kinf_http_response *r = &lw->session->u.answer.response;

    *item = (struct kinf_item){ .http_status = r->status };
    if (r->status == 200 && r->json) {
        read_json(lw, mode_of(lw->request->type), sink, item);
        lw->state = ANSWER;
        return KINF_SOURCE_OPEN;
    }
    item->retry_after_ms = kinf_session_retry_after(lw->session);
    if (r->status / 100 == 3)
        return KINF_ERR_REDIRECT;
    lw->state = r->json ? REFUSAL : WORDS;
    if (r->json)
        read_json(lw, JSON_STATUS, sink, item);
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
                     struct kinf_item *item)
{
    int status = lw->session->u.answer.response.status;
    size_t used = 0;
    int event = kinf_json_stream_feed(&lw->session->u.answer.json, body.ptr,
                                      body.len, &used);

    kinf_session_consume(lw->session, used);
    if (event == JSON_END)
        lw->state = TAIL;
    if (lw->state == REFUSAL || status != 200)
        item->http_status = status;
    switch (event) {
    case JSON_BEGIN:
        return KINF_SOURCE_BEGIN;
    case JSON_ITEM:
        return KINF_SOURCE_ITEM;
    case JSON_END:
    case KINF_ERR_AGAIN:
        return KINF_OK;
    default:
        return lw->state == REFUSAL ? refused(lw, item) : event;
    }
}

static int take_body(struct kinf_list_watch *lw, struct kinf_span body,
                     struct kinf_item *item)
{
    switch (lw->state) {
    case ANSWER:
    case REFUSAL:
        return take_json(lw, body, item);
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
            result = take_head(lw, sink, item);
        else if (event == SESSION_BODY)
            result = take_body(lw, body, item);
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
