/* SPDX-License-Identifier: Apache-2.0 */
/* get.c - one GET beside the informers, its body handed on piece by piece. */
#define KINF_FILE 24
#include "base/assert.h"
#include "base/deadline.h"
#include "base/span.h"
#include "session.h"
#include "wire/http_request.h"
#include "wire/http_response.h"

static void finish(struct kinf_session *s, int err, struct kinf_span message)
{
    struct kinf_get *get = s->gets;
    int status = get->status;

    s->gets = get->next;
    if (s->gets == NULL)
        s->get_step = NULL;
    else
        kinf_wake(s->k);
    kinf_session_release(s, &get->lease);
    get->end(get->ctx, err, status, message);
}

static int send_get(struct kinf_session *s, struct kinf_get *get)
{
    struct kinf_http_request *q = &s->u.request;

    get->sent = true;
    kinf_http_request_init(q);
    *http_value(q, 'o') = get->path;
    *http_value(q, 'x') = get->accept;
    return kinf_session_start(s, KINF_SESSION_GET("%o"));
}

static int take_head(struct kinf_session *s, struct kinf_get *get)
{
    const struct kinf_http_response *r = &s->u.answer.response;

    get->status = r->status;
    get->opened_ms = s->k->now_ms;
    if (r->status != 200)
        return kinf_status_error(r->status, false);
    return r->json ? KINF_OK : KINF_ERR_HTTP_TYPE;
}

/* Milliseconds until a body that stands still, or does not end, is given up. Up
 * to the head the session has its own deadlines. */
static uint32_t patience(const struct kinf_session *s,
                         const struct kinf_get *get)
{
    uint32_t now = s->k->now_ms;

    if (get->status == 0)
        return UINT32_MAX;
    return earlier_ms(
        deadline_left(get->progress_ms + CONFIG_KINF_BODY_MS, now),
        deadline_left(get->opened_ms + CONFIG_KINF_OBJECT_MS, now));
}

/* One step. Positive: the answer is whole, or enough was seen. */
static int step(struct kinf_session *s, struct kinf_get *get)
{
    struct kinf_span body;
    int event;

    if (!get->sent)
        return send_get(s, get);
    event = kinf_session_next(s);
    if (event != KINF_ERR_AGAIN)
        get->progress_ms = s->k->now_ms;
    switch (event) {
    case KINF_ERR_AGAIN:
        return patience(s, get) == 0 ? KINF_ERR_TIMEOUT : KINF_ERR_AGAIN;
    case SESSION_HEAD:
        return take_head(s, get);
    case SESSION_BODY:
        body = s->body;
        s->body.len = 0;
        return get->body != NULL && get->body(get->ctx, body) != KINF_OK
                   ? (int)SESSION_END
                   : KINF_OK;
    default:
        return event;
    }
}

static uint32_t get_step(struct kinf_session *s)
{
    struct kinf_get *get = s->gets;
    struct kinf_span words = { "", 0 };
    int err = kinf_session_lease(s, &get->lease);

    while (err == KINF_OK)
        err = step(s, get);
    if (err == KINF_ERR_AGAIN)
        return patience(s, get);
    if (err < 0)
        kinf_session_reason(s, &words);
    finish(s, err < 0 ? err : KINF_OK, words);
    return UINT32_MAX;
}

void kinf_session_get(struct kinf_session *s, struct kinf_get *get)
{
    struct kinf_get **end = &s->gets;

    for (; *end != NULL; end = &(*end)->next)
        KINF_ASSERT(*end != get); /* it has not ended */
    get->next = NULL;
    get->lease = (struct kinf_lease){ .waiting = false };
    get->status = 0;
    get->sent = false;
    *end = get;
    s->get_step = get_step;
    kinf_wake(s->k);
}
