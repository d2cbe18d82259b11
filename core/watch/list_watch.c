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

#if CONFIG_KINF_STREAMING
#define STREAM "&sendInitialEvents=%i"
#else
#define STREAM
#endif

/* "/api/v1" or "/apis/group/version", then as far as they are given
 * "/namespaces/namespace", "/plural" and "/name", then the parameters that have
 * a value. Values a to g are the configuration's, in its order. */
static const char request_text[] = KINF_SESSION_GET(
    "/api%-s/%a/%b/namespaces/%E/%c/%O?limit=%l&continue=%K"
    "?watch=1&allowWatchBookmarks=true&timeoutSeconds=%w"
    "&resourceVersion=%V" STREAM
    "&resourceVersionMatch=%m&labelSelector=%F&fieldSelector=%G");

enum { CONFIG_SPANS = offsetof(struct kinf_informer_config, metadata_only) };
_Static_assert(CONFIG_SPANS == ('g' - 'a' + 1) * sizeof(struct kinf_span),
               "group, version, plural, kind, namespace, two selectors");

static void set_list(struct kinf_http_request *v, const struct kinf_request *q)
{
    kinf_decimal(http_value(v, 'l'), q->limit, v->number);
    *http_value(v, 'k') = q->continue_;
    if (q->continue_.len == 0)
        *http_value(v, 'v') = q->version;
    if (http_value(v, 'v')->len > 0)
        *http_value(v, 'm') = KINF_SPAN("NotOlderThan");
}

static void set_watch(struct kinf_http_request *v, const struct kinf_request *q)
{
    kinf_decimal(http_value(v, 'w'), q->timeout_seconds, v->number);
    *http_value(v, 'v') = q->version;
    if (CONFIG_KINF_STREAMING && q->type == KINF_REQUEST_STREAM) {
        *http_value(v, 'm') = KINF_SPAN("NotOlderThan");
        *http_value(v, 'i') = KINF_SPAN("true");
    }
}

static void set_get(struct kinf_http_request *v, const struct kinf_request *q)
{
    *http_value(v, 'e') = q->namespace_;
    *http_value(v, 'o') = q->name;
    http_value(v, 'f')->len = http_value(v, 'g')->len = 0;
}

/* Is metadata asked for, without the rest? */
static bool is_metadata(const struct kinf_list_watch *lw)
{
    return CONFIG_KINF_METADATA && (lw->config->metadata_only ||
                                    lw->request->type == KINF_REQUEST_PROBE);
}

static int send_request(struct kinf_list_watch *lw)
{
    const struct kinf_request *q = lw->request;
    struct kinf_http_request *v = &lw->session->u.request;
    struct kinf_span as = KINF_SPAN("PartialObjectMetadataList");

    kinf_http_request_init(v);
    memcpy(http_value(v, 'a'), lw->config, CONFIG_SPANS);
    switch (q->type) {
    case KINF_REQUEST_LIST:
    case KINF_REQUEST_PROBE:
        set_list(v, q);
        break;
    case KINF_REQUEST_GET:
        set_get(v, q);
        as.len -= sizeof("List") - 1;
        break;
    case KINF_REQUEST_WATCH:
    case KINF_REQUEST_STREAM:
    default:
        set_watch(v, q);
        as.len -= sizeof("List") - 1;
        break;
    }
    if (is_metadata(lw))
        *http_value(v, 'y') = as;
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
    static const uint8_t modes[] = { [KINF_REQUEST_LIST] = JSON_LIST,
                                     [KINF_REQUEST_WATCH] = JSON_WATCH,
                                     [KINF_REQUEST_STREAM] = JSON_WATCH,
                                     [KINF_REQUEST_GET] = JSON_SINGLE,
                                     [KINF_REQUEST_PROBE] = JSON_LIST };

    return (enum json_mode)modes[type];
}

static void read_json(struct kinf_list_watch *lw, enum json_mode mode,
                      struct kinf_sink *sink, struct kinf_item *item)
{
    const struct kinf_informer_config *c = lw->config;
    struct kinf_json_stream *s = &lw->session->u.answer.json;

    kinf_json_stream_init(s, mode, sink, item);
    json_stream_keep(s, c->keep, c->keep_count);
    if (!is_metadata(lw))
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

static void keep_words(struct kinf_list_watch *lw, struct kinf_span *body,
                       struct kinf_item *item)
{
    size_t room = sizeof(lw->words) - lw->words_len;
    size_t n = body->len < room ? body->len : room;

    memcpy(lw->words + lw->words_len, body->ptr, n);
    lw->words_len = (uint16_t)(lw->words_len + n);
    item->message = span_of(lw->words, lw->words_len);
}

/* Takes body bytes through the JSON stream. */
static int take_json(struct kinf_list_watch *lw, struct kinf_span *body,
                     struct kinf_item *item)
{
    int status = lw->session->u.answer.response.status;
    size_t used;
    int event = kinf_json_stream_feed(&lw->session->u.answer.json, body->ptr,
                                      body->len, &used);

    body->ptr += used;
    body->len -= used;
    if (status != 200)
        item->http_status = status; /* whatever the body says */
    if (event == JSON_END)
        lw->state = TAIL;
    if (event == JSON_END || event == KINF_ERR_AGAIN)
        return KINF_OK;
    return lw->state == REFUSAL ? refused(lw, item) : event;
}

static int take_body(struct kinf_list_watch *lw, struct kinf_span *body,
                     struct kinf_item *item)
{
    if (lw->state == ANSWER || lw->state == REFUSAL)
        return take_json(lw, body, item);
    if (lw->state == WORDS) /* else TAIL: what follows a whole document */
        keep_words(lw, body, item);
    body->len = 0;
    return lw->words_len == sizeof(lw->words) ? refused(lw, item) : KINF_OK;
}

static int take_end(struct kinf_list_watch *lw, const struct kinf_item *item)
{
    if (lw->session->u.answer.response.status != 200 || lw->state == WORDS)
        return refused(lw, item);
    return lw->state == TAIL ||
                   kinf_json_stream_between(&lw->session->u.answer.json)
               ? (int)KINF_SOURCE_END
               : KINF_ERR_CUT;
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
        int event = kinf_session_next(lw->session);

        result = event;
        if (event == SESSION_HEAD)
            result = take_head(lw, sink, item);
        else if (event == SESSION_BODY)
            result = take_body(lw, &lw->session->body, item);
        else if (event == SESSION_END)
            result = take_end(lw, item);
        else if (event == KINF_ERR_AGAIN)
            break;
        else if (lw->state >= REFUSAL)
            result = refused(lw, item); /* though its words are not whole */
        if (event < 0 && item->message.len == 0)
            kinf_session_reason(lw->session, &item->message);
    }
    return result;
}

const struct kinf_list_watch_ops kinf_list_watch_session_ops = {
    .request = request, .next = next, .close = close_request
};
