/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - HTTP over one transport; see session.h. */
#define KINF_FILE 20
#include "session.h"

#include "base/assert.h"
#include "base/deadline.h"
#include "wire/http_request.h"
#include "wire/http_response.h"

/* AWAIT: all is sent and no byte of the answer has come. WORDS: the body of a
 * refusal; the head's deadline holds for it. */
enum { CLOSED, OPENING, SENDING, AWAIT, HEAD, WORDS, BODY, IDLE };

void kinf_session_init(struct kinf_session *s, struct kinf *k,
                       const struct kinf_transport_ops *ops, void *ctx,
                       void *buffer, size_t size)
{
    struct kinf_session **end = &k->sessions;

    KINF_ASSERT(size >= 256);
    *s = (struct kinf_session){ .k = k, .ops = ops, .ctx = ctx, .buf = buffer,
                                .size = size };
    while (*end != NULL)
        end = &(*end)->next;
    *end = s;
}

/* ---- lease -------------------------------------------------------------- */

static void leave_line(struct kinf_session *s, struct kinf_lease *lease)
{
    struct kinf_lease **link = &s->line;

    while (*link != lease)
        link = &(*link)->next;
    *link = lease->next;
    lease->waiting = false;
}

int kinf_session_lease(struct kinf_session *s, struct kinf_lease *lease)
{
    struct kinf_lease **end = &s->line;

    if (s->owner == lease)
        return KINF_OK;
    if (!lease->waiting) {
        while (*end != NULL)
            end = &(*end)->next;
        *end = lease;
        lease->next = NULL;
        lease->waiting = true;
    }
    if (s->owner != NULL || s->line != lease || s->k->reloading)
        return KINF_ERR_AGAIN;
    leave_line(s, lease);
    s->owner = lease;
    return KINF_OK;
}

void kinf_session_release(struct kinf_session *s, struct kinf_lease *lease)
{
    if (lease->waiting)
        leave_line(s, lease);
    if (s->owner != lease)
        return;
    if (s->state != IDLE)
        kinf_session_close(s);
    s->owner = NULL;
    if (s->line != NULL)
        kinf_wake(s->k);
}

/* ---- request ------------------------------------------------------------ */

static void add(struct kinf_session *s, struct kinf_span text)
{
    kinf_http_request_add(&s->u.request, text, KINF_PART_PLAIN);
}

void kinf_session_begin(struct kinf_session *s)
{
    kinf_http_request_init(&s->u.request);
    add(s, KINF_SPAN("GET "));
    add(s, s->k->config->path_prefix);
}

static bool has_line_break(struct kinf_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            return true;
    return false;
}

static void add_host(struct kinf_session *s, char port[11])
{
    const struct kinf_config *c = s->k->config;
    bool v6 = c->host.len > 0 && memchr(c->host.ptr, ':', c->host.len) != NULL;

    add(s, v6 ? KINF_SPAN(" HTTP/1.1\r\nHost: [")
              : KINF_SPAN(" HTTP/1.1\r\nHost: "));
    add(s, c->host);
    add(s, v6 ? KINF_SPAN("]:") : KINF_SPAN(":"));
    add(s, kinf_decimal(c->port, port));
}

static void set_deadline(struct kinf_session *s, uint32_t ms)
{
    s->deadline_ms = s->k->now_ms + ms;
}

static void start_sending(struct kinf_session *s)
{
    s->state = SENDING;
    s->from = s->to = s->body_len = 0;
    set_deadline(s, CONFIG_KINF_SEND_MS);
}

int kinf_session_start(struct kinf_session *s, struct kinf_span accept,
                       char port[11])
{
    const struct kinf_config *c = s->k->config;
    struct kinf_span agent = c->user_agent;

    s->token = (struct kinf_span){ NULL, 0 };
    if (c->credentials.token != NULL)
        s->token = c->credentials.token(c->credentials.ctx, s->refused);
    if (has_line_break(s->token))
        return KINF_ERR_CREDENTIALS;
    add_host(s, port);
    add(s, KINF_SPAN("\r\nUser-Agent: "));
    add(s, agent.len > 0 ? agent : KINF_SPAN("kinformer/" KINF_VERSION));
    add(s, KINF_SPAN("\r\nAccept: "));
    add(s, accept);
    if (s->token.len > 0) {
        add(s, KINF_SPAN("\r\nAuthorization: Bearer "));
        kinf_http_request_add(&s->u.request, s->token, KINF_PART_SECRET);
    }
    add(s, KINF_SPAN("\r\n\r\n"));
    if (s->open) {
        s->reused = true;
        start_sending(s);
        return KINF_OK;
    }
    s->reused = false;
    s->state = OPENING;
    s->phase = KINF_PHASE_CLOSED;
    return KINF_OK;
}

/* ---- opening ------------------------------------------------------------ */

static struct kinf_transport_status status_of(const struct kinf_session *s)
{
    struct kinf_transport_status status = { .phase = KINF_PHASE_CLOSED };

    s->ops->status(s->ctx, &status);
    return status;
}

void kinf_session_close(struct kinf_session *s)
{
    if (s->state != CLOSED)
        s->ops->close(s->ctx);
    s->state = CLOSED;
    s->open = false;
    s->body_len = 0;
}

/* AGAIN, or TIMEOUT if the phase has lasted too long: only asked when the
 * transport has nothing for us. */
static int again(struct kinf_session *s)
{
    s->waits = true;
    return deadline_passed(s->deadline_ms, s->k->now_ms) ? KINF_ERR_TIMEOUT
                                                         : KINF_ERR_AGAIN;
}

static uint32_t phase_ms(enum kinf_phase phase)
{
    switch (phase) {
    case KINF_PHASE_CLOSED:
    case KINF_PHASE_RESOLVE:
        return CONFIG_KINF_RESOLVE_MS;
    case KINF_PHASE_CONNECT:
        return CONFIG_KINF_CONNECT_MS;
    case KINF_PHASE_HANDSHAKE:
    case KINF_PHASE_OPEN:
    default:
        return CONFIG_KINF_HANDSHAKE_MS;
    }
}

static int step_opening(struct kinf_session *s)
{
    const struct kinf_config *c = s->k->config;
    int err = s->ops->open(s->ctx, c->host, c->port);
    struct kinf_transport_status status;

    KINF_ASSERT(err <= 0);
    if (err != KINF_OK && err != KINF_ERR_AGAIN)
        return err;
    status = status_of(s);
    if (err == KINF_ERR_AGAIN) {
        if (s->phase != (uint8_t)(status.phase + 1)) {
            s->phase = (uint8_t)(status.phase + 1);
            set_deadline(s, phase_ms(status.phase));
        }
        return again(s);
    }
    if (s->token.len > 0 && !status.verified)
        return KINF_ERR_NOT_TRUSTED;
    s->open = true;
    start_sending(s);
    return KINF_OK;
}

/* ---- sending ------------------------------------------------------------ */

static int send_some(struct kinf_session *s, const char *data, size_t size)
{
    int sent = s->ops->send(s->ctx, data, size);

    KINF_ASSERT(sent != 0 && (sent < 0 || (size_t)sent <= size));
    return sent;
}

static int step_sending(struct kinf_session *s)
{
    struct kinf_span secret;
    int sent;

    if (s->from == s->to) {
        s->from = 0;
        s->to = kinf_http_request_fill(&s->u.request, s->buf, s->size);
    }
    if (s->from < s->to) {
        sent = send_some(s, s->buf + s->from, s->to - s->from);
        s->from += sent > 0 ? (size_t)sent : 0;
    } else if (kinf_http_request_done(&s->u.request)) {
        s->from = s->to = 0;
        s->state = AWAIT;
        set_deadline(s, CONFIG_KINF_HEADERS_MS);
        return KINF_OK;
    } else {
        secret = kinf_http_request_secret(&s->u.request);
        sent = send_some(s, secret.ptr, secret.len);
        if (sent > 0)
            kinf_http_request_sent(&s->u.request, (size_t)sent);
    }
    if (sent == KINF_ERR_AGAIN)
        return again(s);
    return sent < 0 ? sent : KINF_OK;
}

/* ---- receiving ---------------------------------------------------------- */

static int receive(struct kinf_session *s)
{
    int got;

    s->spent = s->taken >= CONFIG_KINF_POLL_BYTES;
    if (s->spent)
        return KINF_ERR_AGAIN;
    got = s->ops->recv(s->ctx, s->buf, s->size);
    KINF_ASSERT(got != 0 && (got < 0 || (size_t)got <= s->size));
    if (got > 0) {
        s->from = 0;
        s->to = (size_t)got;
        s->bytes += (uint32_t)got;
        s->taken += (uint32_t)got;
        if (s->state == AWAIT) {
            kinf_http_response_init(&s->u.answer.response);
            s->state = HEAD;
        }
        return KINF_OK;
    }
    if (got == KINF_ERR_AGAIN && s->state != BODY)
        return again(s);
    s->waits = got == KINF_ERR_AGAIN;
    if (got == KINF_ERR_CLOSED && s->state >= WORDS)
        return kinf_http_response_closed(&s->u.answer.response) == KINF_OK
                   ? (int)SESSION_END
                   : KINF_ERR_CUT;
    return got;
}

static void end_answer(struct kinf_session *s)
{
    if (s->u.answer.response.keep_alive && s->from == s->to)
        s->state = IDLE;
    else
        kinf_session_close(s);
}

static int step_receiving(struct kinf_session *s, struct kinf_span *body)
{
    const struct kinf_http_response *r = &s->u.answer.response;
    size_t used = 0;
    int event;

    if (s->from == s->to) {
        event = receive(s);
        if (event == SESSION_END)
            kinf_session_close(s);
        return event;
    }
    event = kinf_http_response_feed(&s->u.answer.response, s->buf + s->from,
                                    s->to - s->from, &used, body);
    s->from += used;
    switch (event) {
    case HTTP_HEAD:
        s->state = r->status == 200 && r->json ? BODY : WORDS;
        s->refused = r->status == 401;
        if (s->refused && s->ops->forget != NULL)
            s->ops->forget(s->ctx);
        return SESSION_HEAD;
    case HTTP_BODY:
        s->body_at = (size_t)(body->ptr - s->buf);
        s->body_len = body->len;
        return KINF_OK;
    case HTTP_END:
        end_answer(s);
        return SESSION_END;
    case KINF_ERR_AGAIN: /* all consumed: receive more */
        return KINF_OK;
    default:
        return event;
    }
}

void kinf_session_consume(struct kinf_session *s, size_t count)
{
    KINF_ASSERT(count <= s->body_len);
    s->body_at += count;
    s->body_len -= count;
}

static int step(struct kinf_session *s, struct kinf_span *body)
{
    switch (s->state) {
    case OPENING:
        return step_opening(s);
    case SENDING:
        return step_sending(s);
    case AWAIT:
    case HEAD:
    case WORDS:
    case BODY:
        return step_receiving(s, body);
    default:
        KINF_UNREACHABLE("a session without a request is asked to go on");
        return KINF_ERR_CLOSED;
    }
}

/* Opens anew what was kept too long: nothing of the answer has come, so the
 * request can be sent again. */
static void reopen(struct kinf_session *s)
{
    kinf_session_close(s);
    s->reused = false;
    s->u.request.part = 0; /* from its beginning */
    s->u.request.at = 0;
    s->state = OPENING;
    s->phase = KINF_PHASE_CLOSED;
}

int kinf_session_next(struct kinf_session *s, struct kinf_span *body)
{
    int event = KINF_OK;

    while (event == KINF_OK) {
        if (s->body_len > 0) {
            *body = span_of(s->buf + s->body_at, s->body_len);
            return SESSION_BODY;
        }
        event = step(s, body);
        if (s->reused && (s->state == SENDING || s->state == AWAIT) &&
            event < 0 && event != KINF_ERR_AGAIN &&
            event != KINF_ERR_TIMEOUT) {
            reopen(s);
            event = KINF_OK;
        }
    }
    return event;
}

/* ---- what an answer means ----------------------------------------------- */

int kinf_status_error(int http_status, bool version_ahead)
{
    if (version_ahead)
        return KINF_ERR_VERSION_AHEAD;
    switch (http_status) {
    case 400:
    case 422:
        return KINF_ERR_INVALID;
    case 401:
        return KINF_ERR_AUTH;
    case 403:
        return KINF_ERR_FORBIDDEN;
    case 404:
        return KINF_ERR_NO_RESOURCE;
    case 405:
        return KINF_ERR_METHOD;
    case 410:
        return KINF_ERR_GONE;
    case 429:
        return KINF_ERR_BUSY;
    default:
        break;
    }
    if (http_status >= 500)
        return KINF_ERR_SERVER;
    return http_status / 100 == 3 ? KINF_ERR_REDIRECT : KINF_ERR_HTTP_STATUS;
}

uint32_t kinf_session_retry_after(const struct kinf_session *s)
{
    const struct kinf_http_response *r = &s->u.answer.response;
    const struct kinf_platform *p = s->k->config->platform;
    int64_t now = r->date != 0 ? r->date : p->wall_s(p->ctx);
    int64_t seconds = r->retry_after_s;

    if (r->retry_after_date != 0 && now != KINF_WALL_UNKNOWN)
        seconds = r->retry_after_date - now;
    if (seconds <= 0)
        return 0;
    return seconds > CONFIG_KINF_RETRY_AFTER_CAP_MS / 1000
               ? CONFIG_KINF_RETRY_AFTER_CAP_MS
               : (uint32_t)seconds * 1000;
}

struct kinf_span kinf_session_reason(const struct kinf_session *s)
{
    struct kinf_transport_status status = status_of(s);

    if (status.reason == NULL)
        return (struct kinf_span){ "", 0 };
    return span_of(status.reason, strlen(status.reason));
}

uint32_t kinf_session_wait(const struct kinf_session *s)
{
    struct kinf_transport_status status;
    uint32_t wait = UINT32_MAX;

    if (s->spent)
        return 0;
    if (!s->waits)
        return wait;
    status = status_of(s);
    if ((status.wants & KINF_WANTS_CALL) != 0)
        return 0;
    if (status.wait_ms > 0)
        wait = status.wait_ms;
    if (s->state >= OPENING && s->state <= WORDS)
        wait = earlier_ms(wait, deadline_left(s->deadline_ms, s->k->now_ms));
    return wait;
}
