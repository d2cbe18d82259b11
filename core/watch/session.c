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
    for (; *end != NULL; end = &(*end)->next)
        KINF_ASSERT(*end != s);
    *s = (struct kinf_session){
        .k = k, .ops = ops, .ctx = ctx, .buf = buffer, .size = size
    };
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
        if (CONFIG_KINF_TURNS && s->owner != NULL)
            kinf_wake(s->k); /* the owner may be stuck, and looks again */
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

static bool has_line_break(struct kinf_span text)
{
    for (; text.len > 0; text.ptr++, text.len--)
        if ((unsigned char)*text.ptr < 0x20 || *text.ptr == 0x7F)
            return true;
    return false;
}

/* Where requests go, who sends them, and what is accepted. */
static void set_values(struct kinf_http_request *q, const struct kinf_config *c)
{
    bool v6 = memchr(c->host.ptr, ':', c->host.len) != NULL;
    struct kinf_span *host = http_value(q, v6 ? 'r' : 't');

    host[0] = c->host;
    kinf_decimal(&host[1], c->port, q->port);
    memcpy(http_value(q, 'p'),
           (const char *)c + offsetof(struct kinf_config, path_prefix),
           2 * sizeof(struct kinf_span)); /* and the agent, q */
    if (c->user_agent.len == 0)
        *http_value(q, 'q') = KINF_SPAN("kinformer/" KINF_VERSION);
    if (http_value(q, 'x')->len == 0)
        *http_value(q, 'x') = KINF_SPAN("application/json");
    if (CONFIG_KINF_METADATA && http_value(q, 'y')->len > 0) {
        *http_value(q, 'z') = KINF_SPAN("v1");
        *http_value(q, 'n') = *http_value(q, 'x');
    }
}

static void set_deadline(struct kinf_session *s, uint32_t ms)
{
    s->deadline_ms = s->k->now_ms + ms;
}

KINF_APART static void start_sending(struct kinf_session *s)
{
    s->state = SENDING;
    s->rest.len = s->body.len = 0;
    set_deadline(s, CONFIG_KINF_SEND_MS);
}

static void start_opening(struct kinf_session *s)
{
    s->reused = false;
    s->state = OPENING;
    s->phase = KINF_PHASE_CLOSED;
}

int kinf_session_start(struct kinf_session *s, const char *template_)
{
    const struct kinf_config *c = s->k->config;
    struct kinf_http_request *q = &s->u.request;

    if (c->credentials.token != NULL)
        q->secret = c->credentials.token(c->credentials.ctx, s->refused);
    if (has_line_break(q->secret))
        return KINF_ERR_CREDENTIALS;
    set_values(q, c);
    kinf_http_request_start(q, template_);
    s->template_ = template_;
    if (s->open) {
        s->reused = true;
        start_sending(s);
    } else {
        start_opening(s);
    }
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
    s->body.len = 0;
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
    if (s->u.request.secret.len > 0 && !status.verified)
        return KINF_ERR_NOT_TRUSTED;
    s->open = true;
    start_sending(s);
    return KINF_OK;
}

/* ---- sending ------------------------------------------------------------ */

static int step_sending(struct kinf_session *s)
{
    struct kinf_http_request *q = &s->u.request;
    struct kinf_span *part = &s->rest;
    int sent;

    if (part->len == 0) {
        part->ptr = s->buf;
        part->len = kinf_http_request_fill(q, s->buf, s->size);
    }
    if (part->len == 0)
        part = &q->rest; /* of the secret, which passes no buffer of ours */
    if (part->len == 0) {
        s->state = AWAIT;
        set_deadline(s, CONFIG_KINF_HEADERS_MS);
        return KINF_OK;
    }
    sent = s->ops->send(s->ctx, part->ptr, part->len);
    KINF_ASSERT(sent != 0 && (sent < 0 || (size_t)sent <= part->len));
    if (sent < 0)
        return sent == KINF_ERR_AGAIN ? again(s) : sent;
    part->ptr += sent;
    part->len -= (size_t)sent;
    return KINF_OK;
}

/* ---- receiving ---------------------------------------------------------- */

/* Leaves one read out, and says so, that would most likely be told AGAIN: a
 * server writes an event out whole, and its last byte has come. What comes all
 * the same the wait must see. */
static bool leave_read_out(struct kinf_session *s)
{
    bool maybe = s->emptied && s->state == BODY &&
                 s->u.answer.response.left == 0;

    s->emptied = false;
    return maybe && status_of(s).level;
}

static int receive(struct kinf_session *s)
{
    int got;

    s->spent = s->taken >= CONFIG_KINF_POLL_BYTES;
    if (s->spent)
        return KINF_ERR_AGAIN;
    if (leave_read_out(s)) {
        s->waits = true;
        return KINF_ERR_AGAIN;
    }
    got = s->ops->recv(s->ctx, s->buf, s->size);
    KINF_ASSERT(got != 0 && (got < 0 || (size_t)got <= s->size));
    if (got > 0) {
        s->rest.ptr = s->buf;
        s->rest.len = (size_t)got;
        s->emptied = (size_t)got < s->size;
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

static void begin_answer(struct kinf_session *s)
{
    const struct kinf_http_response *r = &s->u.answer.response;

    s->state = r->status == 200 && r->json ? BODY : WORDS;
    s->refused = r->status == 401;
    if (s->refused && s->ops->forget != NULL)
        s->ops->forget(s->ctx);
}

static void end_answer(struct kinf_session *s)
{
    if (s->u.answer.response.keep_alive && s->rest.len == 0)
        s->state = IDLE;
    else
        kinf_session_close(s);
}

static int step_receiving(struct kinf_session *s)
{
    struct kinf_http_response *r = &s->u.answer.response;
    size_t used;
    int event;

    if (s->rest.len == 0) {
        event = receive(s);
        if (event == SESSION_END)
            kinf_session_close(s);
        return event;
    }
    event =
        kinf_http_response_feed(r, s->rest.ptr, s->rest.len, &used, &s->body);
    s->rest.ptr += used;
    s->rest.len -= used;
    if (event == HTTP_HEAD)
        begin_answer(s);
    else if (event == HTTP_END)
        end_answer(s);
    else if (event == HTTP_BODY || event == KINF_ERR_AGAIN)
        return KINF_OK; /* there is body, or more to be received */
    return event;
}

KINF_APART static int step(struct kinf_session *s)
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
        return step_receiving(s);
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
    kinf_http_request_start(&s->u.request, s->template_);
    start_opening(s);
}

int kinf_session_next(struct kinf_session *s)
{
    int event = KINF_OK;

    while (event == KINF_OK) {
        if (s->body.len > 0)
            return SESSION_BODY;
        event = step(s);
        if (s->reused && (s->state == SENDING || s->state == AWAIT) &&
            event < 0 && event != KINF_ERR_AGAIN && event != KINF_ERR_TIMEOUT) {
            reopen(s);
            event = KINF_OK;
        }
    }
    return event;
}

/* ---- what an answer means ----------------------------------------------- */

int kinf_status_error(int http_status, bool version_ahead)
{
    static const struct {
        uint16_t status;
        int8_t error;
    } errors[] = { { 400, KINF_ERR_INVALID },   { 401, KINF_ERR_AUTH },
                   { 403, KINF_ERR_FORBIDDEN }, { 404, KINF_ERR_NO_RESOURCE },
                   { 405, KINF_ERR_METHOD },    { 410, KINF_ERR_GONE },
                   { 422, KINF_ERR_INVALID },   { 429, KINF_ERR_BUSY } };

    if (version_ahead)
        return KINF_ERR_VERSION_AHEAD;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i].status == http_status)
            return errors[i].error;
    if (http_status >= 500)
        return KINF_ERR_SERVER;
    return http_status / 100 == 3 ? KINF_ERR_REDIRECT : KINF_ERR_HTTP_STATUS;
}

uint32_t kinf_session_retry_after(const struct kinf_session *s)
{
    const struct kinf_http_response *r = &s->u.answer.response;
    uint32_t seconds = r->retry_after_s;

#if CONFIG_KINF_HTTP_DATE
    const struct kinf_platform *p = s->k->config->platform;
    int64_t now = r->date != 0 ? r->date : p->wall_s(p->ctx);

    if (r->retry_after_date > now && now != KINF_WALL_UNKNOWN)
        seconds = r->retry_after_date - now < UINT32_MAX
                      ? (uint32_t)(r->retry_after_date - now)
                      : UINT32_MAX;
#endif
    return seconds > CONFIG_KINF_RETRY_AFTER_CAP_MS / 1000
               ? CONFIG_KINF_RETRY_AFTER_CAP_MS
               : seconds * 1000;
}

void kinf_session_reason(const struct kinf_session *s, struct kinf_span *out)
{
    struct kinf_transport_status status = status_of(s);

    out->ptr = status.reason;
    out->len = status.reason == NULL ? 0 : strlen(status.reason);
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
