/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_watch.c - kinformer watch: one line, or one JSON object, an event.
 *
 * stdout may be a pipe that nobody reads. It is written only when poll says so,
 * at most PIPE_BUF bytes at a time, so that a write never blocks; until there
 * is room the handler says "not now", and the informer stops reading. An object
 * larger than our buffer goes out in pieces: the handler's call comes again and
 * goes on where it was. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "gateway.h"
#include "log.h"
#include "out.h"
#include "program.h"

#define LINE_ROOM 1024 /* a line without its object */

struct watch {
    struct gateway gateway;
    enum format format;
    bool events; /* --output-watch-events */
    char buffer[PIPE_BUF];
    struct out out;   /* composed, and written up to from */
    size_t from;
    bool blocked;     /* stdout takes nothing now */
    bool refused;     /* a handler said "not now" since */
    uint32_t running; /* mark of the object that is half written, or 0 */
    size_t done;      /* bytes of it */
};

/* ---- stdout -------------------------------------------------------------- */

static void output_failed(struct watch *w, int err)
{
    if (err != EPIPE)
        log_say(LOG_FAIL, NULL, "cannot write to stdout: %s", strerror(err));
    gateway_leave(&w->gateway, EXIT_OUTPUT);
}

/* Writes what is composed. False: stdout is full, or gone. */
static bool flush(struct watch *w)
{
    while (w->from < w->out.used) {
        struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
        ssize_t n;

        w->blocked = poll(&p, 1, 0) == 0;
        if (w->blocked)
            return false;
        n = write(STDOUT_FILENO, w->out.ptr + w->from, w->out.used - w->from);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            w->blocked = errno == EAGAIN;
            return false;
        }
        if (n < 0) {
            output_failed(w, errno);
            return false;
        }
        w->from += (size_t)n;
    }
    w->from = w->out.used = 0;
    return true;
}

static size_t room(const struct watch *w)
{
    return sizeof w->buffer - w->out.used;
}

static bool make_room(struct watch *w, size_t bytes)
{
    return room(w) >= bytes || (flush(w) && room(w) >= bytes);
}

/* ---- lines --------------------------------------------------------------- */

static void out_key(struct out *o, const struct kinf_object *object)
{
    char key[320];
    int len = kinf_object_key(object, key, sizeof key);

    out_escaped(o, key, len > 0 ? (size_t)len : 0, sizeof key);
}

static void out_foreign(struct out *o, struct kinf_span text)
{
    out_escaped(o, text.ptr, text.len, 64);
}

static const char *reason(const struct kinf_object *object)
{
    switch (object->reason) {
    case KINF_WHOLE:
        return NULL;
    case KINF_REASON_TOO_BIG:
        return "larger than --max-object";
    case KINF_REASON_NO_ROOM:
        return "no room";
    case KINF_REASON_UNREADABLE:
        return "unreadable";
    case KINF_REASON_KEY_ONLY:
        return "only its name is known";
    }
    return "only its name is known";
}

static void out_line(struct watch *w, const char *type,
                     const struct kinf_object *object, const char *more)
{
    struct out *o = &w->out;

    if (w->format == FORMAT_NAME) {
        out_key(o, object);
        out_text(o, "\n");
        return;
    }
    out_text(o, type);
    for (size_t i = strlen(type); i < 10; i++)
        out_text(o, " ");
    out_key(o, object);
    out_text(o, "  rv ");
    out_foreign(o, object->resource_version);
    if (w->format == FORMAT_WIDE) {
        out_format(o, "  %u bytes  uid ", (unsigned)object->size);
        out_foreign(o, object->uid);
    }
    if (reason(object))
        out_format(o, "  (%s, %u bytes)", reason(object),
                   (unsigned)object->size);
    if (more)
        out_format(o, "  (%s)", more);
    out_text(o, "\n");
}

/* ---- JSON ---------------------------------------------------------------- */

static void out_span_member(struct out *o, const char *name,
                            struct kinf_span text)
{
    out_member(o, name);
    out_json(o, text.ptr, text.len);
}

/* apiVersion and kind, which items of a list do not have. */
static void out_type_members(struct watch *w)
{
    const struct kinf_resource *api = &w->gateway.resource.api;
    struct out *o = &w->out;

    out_text(o, "\"apiVersion\":\"");
    if (api->group.len) {
        out_foreign(o, api->group);
        out_text(o, "/");
    }
    out_foreign(o, api->version);
    out_text(o, "\"");
    out_span_member(o, "kind", api->kind);
}

static void out_head(struct watch *w, const char *type,
                     const struct kinf_object *object)
{
    struct kinf_value kind;

    if (w->events)
        out_format(&w->out, "{\"type\":\"%s\",\"object\":", type);
    out_text(&w->out, "{");
    if (reason(object) || kinf_find(object, "kind", &kind) != KINF_OK) {
        out_type_members(w);
        if (!reason(object) && object->json.len > 2)
            out_text(&w->out, ",");
    }
}

/* What stands for an object held as its identity only. */
static void out_identity(struct watch *w, const struct kinf_object *object)
{
    struct out *o = &w->out;

    out_member(o, "metadata");
    out_text(o, "{");
    out_span_member(o, "name", object->name);
    if (object->namespace_.len)
        out_span_member(o, "namespace", object->namespace_);
    out_span_member(o, "uid", object->uid);
    out_span_member(o, "resourceVersion", object->resource_version);
    out_text(o, "}");
    out_member(o, "kinformer");
    out_text(o, "{");
    out_member(o, "truncated");
    out_json(o, reason(object), strlen(reason(object)));
    out_member(o, "size");
    out_uint(o, object->size);
    out_text(o, "}}");
}

static uint32_t mark_of(const char *type, const struct kinf_object *object)
{
    const struct kinf_span parts[] = { object->name, object->namespace_,
                                       object->resource_version,
                                       { type, 2 } };
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < parts[i].len; j++)
            hash = (hash ^ (unsigned char)parts[i].ptr[j]) * 16777619u;
        hash = (hash ^ '/') * 16777619u;
    }
    return hash | 1u;
}

/* Copies the object's bytes behind its opening brace, as far as there is room.
 * True: all. */
static bool out_body(struct watch *w, struct kinf_span json)
{
    while (w->done < json.len) {
        size_t n = json.len - w->done;

        if (!make_room(w, 1))
            return false;
        if (n > room(w))
            n = room(w);
        out_bytes(&w->out, json.ptr + w->done, n);
        w->done += n;
    }
    return true;
}

static int out_object(struct watch *w, const char *type,
                      const struct kinf_object *object)
{
    uint32_t mark = mark_of(type, object);

    if (w->running && w->running != mark)
        return KINF_ERR_AGAIN; /* another informer's is half written */
    if (!w->running) {
        if (!make_room(w, LINE_ROOM))
            return KINF_ERR_AGAIN;
        out_head(w, type, object);
        w->running = mark;
        w->done = 1; /* the brace */
        if (reason(object))
            out_identity(w, object);
    }
    if (!reason(object) && !out_body(w, object->json))
        return KINF_ERR_AGAIN;
    if (!make_room(w, 2))
        return KINF_ERR_AGAIN;
    out_text(&w->out, w->events ? "}\n" : "\n");
    w->running = 0;
    return KINF_OK;
}

/* ---- handler ------------------------------------------------------------- */

static int show(struct watch *w, const char *type,
                const struct kinf_object *object, const char *more)
{
    int err = KINF_OK;

    if (w->format == FORMAT_JSON)
        err = out_object(w, type, object);
    else if (make_room(w, LINE_ROOM))
        out_line(w, type, object, more);
    else
        err = KINF_ERR_AGAIN;
    w->refused |= err != KINF_OK;
    return err;
}

static int on_add(void *ctx, const struct kinf_object *object,
                  bool in_initial_list)
{
    (void)in_initial_list;
    return show(ctx, "ADDED", object, NULL);
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)was;
    return show(ctx, "MODIFIED", object, NULL);
}

static int on_delete(void *ctx, const struct kinf_object *was,
                     bool final_state_unknown)
{
    return show(ctx, "DELETED", was,
                final_state_unknown ? "missed, last known state" : NULL);
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    struct watch *w = ctx;

    if (w->format == FORMAT_JSON) /* one of kubectl's types */
        return show(w, was ? "MODIFIED" : "ADDED", identity, NULL);
    return show(w, "TRUNCATED", identity, NULL);
}

static const struct kinf_event_handler handler = {
    .on_add = on_add,
    .on_update = on_update,
    .on_delete = on_delete,
    .on_truncated = on_truncated,
};

/* ---- the rest ------------------------------------------------------------ */

/* What was composed in a round goes out at its end. Whoever was refused is
 * asked again as soon as all of it is out: by then stdout may be ready, so that
 * no wait would tell. */
static uint32_t on_tick(void *ctx, uint32_t now_ms)
{
    struct watch *w = ctx;

    (void)now_ms;
    if (!flush(w) || !w->refused)
        return UINT32_MAX;
    w->refused = false;
    gateway_resume(&w->gateway);
    return 0;
}

static int on_wait(void *ctx, short *events)
{
    struct watch *w = ctx;

    *events = w->blocked ? POLLOUT : 0; /* 0: tells when the reader is gone */
    return STDOUT_FILENO;
}

static void on_ready(void *ctx, short events)
{
    struct watch *w = ctx;

    if (events & (POLLERR | POLLHUP | POLLNVAL)) {
        output_failed(w, EPIPE);
        return;
    }
    w->blocked = false; /* written at the end of the round */
}

static int on_finished(void *ctx)
{
    return flush(ctx) ? EXIT_DONE : -1;
}

int cmd_watch(const struct options *options)
{
    static struct watch watch;
    static const struct gateway_user user = {
        .handler = &handler,
        .mode = KINF_EVERY,
        .ctx = &watch,
        .tick = on_tick,
        .wait_for = on_wait,
        .ready = on_ready,
        .finished = on_finished,
    };
    int code;

    watch.format = options->format;
    watch.events = options->output_watch_events;
    watch.out = out_over(watch.buffer, sizeof watch.buffer);
    code = gateway_open(&watch.gateway, options, &user);
    return code ? code : gateway_run(&watch.gateway, options->resource);
}
