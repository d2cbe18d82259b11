/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - a source that plays a script, for tests of handlers.
 *
 * Steps answer requests in their order. A request the next step is not for
 * waits ("ask again"): script.at says where. But a streaming list that the
 * script does not know is refused, so that the paged one follows, and so is a
 * probe or a single GET.
 *
 * A list ends with its body. A watch stays open after its body: the next step,
 * if it is a watch too, goes on in the same answer, and after the last one the
 * watch is silent, until count is raised. A step with an error plays its body,
 * if any, and then fails: { KINF_REQUEST_WATCH, KINF_ERR_GONE, NULL } is how a
 * script gets to its next list. */
#define KINF_FILE 55
#include "base/assert.h"
#include "base/span.h"
#include "wire/json_stream.h"

enum { PIECE = 256 }; /* bytes fed at once */

/* Places no body has. */
#define SILENT SIZE_MAX          /* a watch that has played all */
#define DONE (SIZE_MAX - 1)      /* the document is whole */
#define REFUSED (SIZE_MAX - 2)   /* the script has no such answer */
#define NO_STREAM (SIZE_MAX - 3) /* nor a streaming list */

static bool is_watch(enum kinf_request_type type)
{
    return type == KINF_REQUEST_WATCH || type == KINF_REQUEST_STREAM;
}

static enum json_mode mode_of(enum kinf_request_type type)
{
    if (is_watch(type))
        return JSON_WATCH;
    return type == KINF_REQUEST_GET ? JSON_SINGLE : JSON_LIST;
}

/* Does the next step answer this? */
static bool answers(const struct kinf_script *s, enum kinf_request_type type)
{
    return s->at < s->count && s->steps[s->at].on == type;
}

static int request(void *ctx, const struct kinf_request *request)
{
    struct kinf_script *s = ctx;
    enum kinf_request_type type = request->type;

    if (s->busy)
        return KINF_ERR_AGAIN;
    if (answers(s, type)) {
        s->at++;
        s->offset = 0;
    } else if (type == KINF_REQUEST_WATCH && s->at == s->count) {
        s->offset = SILENT;
    } else if (type == KINF_REQUEST_WATCH || type == KINF_REQUEST_LIST) {
        return KINF_ERR_AGAIN;
    } else {
        s->offset = is_watch(type) ? NO_STREAM : REFUSED;
    }
    s->mode = (uint8_t)mode_of(type);
    s->busy = true;
    s->open = false;
    return KINF_OK;
}

/* The next bytes of the step that plays; none at its end. */
static struct kinf_span piece_of(const struct kinf_script *s)
{
    const char *body = s->steps[s->at - 1].body;
    size_t len = 0;

    if (body == NULL)
        return span_of(NULL, 0);
    while (len < PIECE && body[s->offset + len] != '\0')
        len++;
    return span_of(body + s->offset, len);
}

/* The body has been played. */
static int end_step(struct kinf_script *s)
{
    const struct kinf_script_step *step = &s->steps[s->at - 1];

    if (step->error != KINF_OK)
        return step->error;
    if (!is_watch(step->on))
        return s->offset == DONE ? (int)KINF_SOURCE_END : KINF_ERR_CUT;
    s->offset = SILENT;
    return KINF_ERR_AGAIN;
}

/* Plays a piece. Returns KINF_OK to go on, or what there is to report. */
static int play(struct kinf_script *s)
{
    struct kinf_span piece = span_of(NULL, 0);
    size_t used = 0;
    int event;

    if (s->offset == SILENT) {
        if (!answers(s, KINF_REQUEST_WATCH))
            return KINF_ERR_AGAIN;
        s->at++;
        s->offset = 0;
    }
    if (s->offset != DONE)
        piece = piece_of(s);
    if (piece.len == 0)
        return end_step(s);
    event = kinf_json_stream_feed(&s->json, piece.ptr, piece.len, &used);
    s->offset += used;
    switch (event) {
    case JSON_BEGIN:
        return KINF_SOURCE_BEGIN;
    case JSON_ITEM:
        return KINF_SOURCE_ITEM;
    case JSON_END:
        s->offset = DONE;
        return KINF_OK;
    case KINF_ERR_AGAIN:
        return KINF_OK;
    default:
        return event;
    }
}

/* An error without a body comes in place of the answer's head. */
static bool fails_at_once(const struct kinf_script *s)
{
    const struct kinf_script_step *step = &s->steps[s->at - 1];

    return s->offset == 0 && step->error != KINF_OK && step->body == NULL;
}

static int next(void *ctx, uint32_t now_ms, struct kinf_sink *sink,
                struct kinf_item *item)
{
    struct kinf_script *s = ctx;
    int result = KINF_OK;

    (void)now_ms;
    KINF_ASSERT(s->busy);
    if (s->offset == REFUSED)
        return KINF_ERR_NO_RESOURCE;
    if (s->offset == NO_STREAM)
        return KINF_ERR_NO_STREAM;
    if (!s->open && !fails_at_once(s)) {
        *item = (struct kinf_item){ .http_status = 200 };
        kinf_json_stream_init(&s->json, (enum json_mode)s->mode, sink, item);
        s->open = true;
        return KINF_SOURCE_OPEN;
    }
    while (result == KINF_OK)
        result = play(s);
    return result;
}

static void close_request(void *ctx)
{
    struct kinf_script *s = ctx;

    s->busy = false;
}

const struct kinf_list_watch_ops kinf_script_ops = {
    .request = request, .next = next, .close = close_request
};
