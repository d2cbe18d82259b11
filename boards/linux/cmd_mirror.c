/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mirror.c - kinformer mirror: between the informers and the files.
 *
 * mirror_files decides what happens on disk; this file tells it what the cache
 * holds and whether it is whole, and puts its reports into words. */
#include <string.h>

#include "commands.h"
#include "gateway.h"
#include "log.h"
#include "mirror_files.h"
#include "out.h"
#include "program.h"

#define STEPS 4 /* of the mirror in one round, each bounded */

struct work {
    struct gateway gateway;
    struct mirror mirror;
    struct mirror_config config;
    const char *namespaces[NAMESPACES_MAX];
    bool idle; /* the last step had nothing left to do */
    /* a walk over all objects */
    unsigned lane;
    bool listing;
    struct kinf_list_cursor cursor;
};

/* ---- the cache ----------------------------------------------------------- */

static bool same(struct kinf_span a, struct kinf_span b)
{
    return a.len == b.len &&
           (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The informer that would hold this namespace's objects, or NULL. */
static struct kinf_informer *informer_of(struct gateway *g,
                                         struct kinf_span namespace_)
{
    for (unsigned i = 0; g->started && i < g->lane_count; i++) {
        struct kinf_span of = g->lanes[i]->config.namespace_;

        if (of.len == 0 || same(of, namespace_))
            return &g->lanes[i]->informer;
    }
    return NULL;
}

static bool unsettled(const struct kinf_informer *inf)
{
    struct kinf_status s;

    kinf_informer_status(inf, &s);
    return !s.synced || s.relisting;
}

static bool any_unsettled(const struct gateway *g)
{
    for (unsigned i = 0; g->started && i < g->lane_count; i++) {
        if (unsettled(&g->lanes[i]->informer))
            return true;
    }
    return !g->started;
}

static int cache_find(void *ctx, struct kinf_span namespace_,
                      struct kinf_span name, struct kinf_object *out)
{
    struct work *w = ctx;
    struct kinf_informer *inf = informer_of(&w->gateway, namespace_);
    char text[320];
    struct out key = out_over(text, sizeof text);
    int found;

    if (!inf)
        return any_unsettled(&w->gateway) ? KINF_ERR_INCOMPLETE : 0;
    out_bytes(&key, namespace_.ptr, namespace_.len);
    out_text(&key, "/");
    out_bytes(&key, name.ptr, name.len);
    found = kinf_get(inf, (struct kinf_span){ text, key.used }, out);
    if (found >= 0)
        return 1;
    return found == KINF_ERR_NOT_FOUND && !unsettled(inf)
               ? 0 : KINF_ERR_INCOMPLETE;
}

static int cache_next(void *ctx, bool first, struct kinf_object *out)
{
    static const struct kinf_list_options everything = { .index = NULL };
    struct work *w = ctx;
    struct gateway *g = &w->gateway;

    if (first) {
        w->lane = 0;
        w->listing = false;
    }
    for (; w->lane < g->lane_count && g->started; w->lane++) {
        struct kinf_informer *inf = &g->lanes[w->lane]->informer;
        int next;

        if (!w->listing)
            (void)kinf_list(inf, &w->cursor, &everything);
        w->listing = true;
        next = kinf_list_next(inf, &w->cursor, out);
        if (next == 1 || next == KINF_ERR_AGAIN)
            return next;
        w->listing = false; /* the end of this one */
    }
    return 0;
}

/* ---- reports ------------------------------------------------------------- */

static enum log_level level_of(enum mirror_problem problem)
{
    switch (problem) {
    case MIRROR_NOT_EMPTY:
    case MIRROR_OTHER:
    case MIRROR_BUSY:
    case MIRROR_TOO_LONG:
        return LOG_FAIL;
    case MIRROR_FINE:
    case MIRROR_RELEASED:
    case MIRROR_LEFT:
        return LOG_NOTE;
    case MIRROR_DISK:
    case MIRROR_IN_THE_WAY:
    case MIRROR_BAD_NAME:
    case MIRROR_BAD_KEY:
    case MIRROR_COLLISION:
    case MIRROR_BAD_VALUE:
    case MIRROR_TRUNCATED:
    case MIRROR_MOVED:
    case MIRROR_HELD:
    case MIRROR_PROBLEMS:
        break;
    }
    return LOG_WARN;
}

static const char *todo_of(enum mirror_problem problem)
{
    switch (problem) {
    case MIRROR_NOT_EMPTY:
        return "give another folder, or --adopt";
    case MIRROR_OTHER:
        return "give another folder, or --reset";
    case MIRROR_BUSY:
        return "end the other one, or give another folder";
    case MIRROR_TOO_LONG:
        return "use fewer namespaces, or -A with a selector";
    case MIRROR_DISK:
        return "it is tried again, its old version stays";
    case MIRROR_IN_THE_WAY:
        return "move it away: kinformer removes only what it made";
    case MIRROR_BAD_NAME:
    case MIRROR_BAD_KEY:
    case MIRROR_COLLISION:
    case MIRROR_BAD_VALUE:
        return "change the object: its old version stays";
    case MIRROR_TRUNCATED:
        return "give more --max-object or --memory: its old version stays";
    case MIRROR_MOVED:
        return "restart kinformer";
    case MIRROR_HELD:
        return "SIGUSR1 lets it go on; --max-delete sets the limit";
    case MIRROR_FINE:
    case MIRROR_RELEASED:
    case MIRROR_LEFT:
    case MIRROR_PROBLEMS:
        break;
    }
    return NULL;
}

static void out_report(struct out *o, const struct mirror_report *r)
{
    out_text(o, mirror_strproblem(r->problem));
    if (r->problem == MIRROR_HELD)
        out_format(o, ": %u of %u objects", (unsigned)r->count,
                   (unsigned)r->total);
    if (r->error)
        out_format(o, ": %s", strerror(r->error));
}

/* Names are the server's text: escaped, and no part of a line's kind. */
static void on_report(void *ctx, const struct mirror_report *r)
{
    char text[256];
    struct out words = out_over(text, sizeof text - 1);

    (void)ctx;
    out_report(&words, r);
    text[words.used] = '\0';
    if (r->key.len)
        log_say(level_of(r->problem), todo_of(r->problem),
                "%.*s/%.*s, key %.*s: %s", (int)r->namespace_.len,
                r->namespace_.ptr, (int)r->name.len, r->name.ptr,
                (int)r->key.len, r->key.ptr, text);
    else if (r->name.len)
        log_say(level_of(r->problem), todo_of(r->problem), "%.*s/%.*s: %s",
                (int)r->namespace_.len, r->namespace_.ptr, (int)r->name.len,
                r->name.ptr, text);
    else
        log_say(level_of(r->problem), todo_of(r->problem), "mirror: %s",
                text);
}

/* ---- handler ------------------------------------------------------------- */

static int put(struct work *w, const struct kinf_object *object)
{
    return mirror_put(&w->mirror, object, gateway_now(&w->gateway));
}

static int on_add(void *ctx, const struct kinf_object *object,
                  bool in_initial_list)
{
    (void)in_initial_list;
    return put(ctx, object);
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)was;
    return put(ctx, object);
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    (void)was;
    return put(ctx, identity);
}

static int on_delete(void *ctx, const struct kinf_object *was,
                     bool final_state_unknown)
{
    struct work *w = ctx;
    const struct kinf_informer *inf = informer_of(&w->gateway,
                                                  was->namespace_);
    bool relisting = final_state_unknown || !inf || unsettled(inf);

    return mirror_remove(&w->mirror, was->namespace_, was->name, relisting,
                         gateway_now(&w->gateway));
}

static const struct kinf_event_handler handler = {
    .on_add = on_add,
    .on_update = on_update,
    .on_delete = on_delete,
    .on_truncated = on_truncated,
};

/* ---- the rest ------------------------------------------------------------ */

static uint32_t on_tick(void *ctx, uint32_t now_ms)
{
    struct work *w = ctx;
    uint32_t wait = 0;

    mirror_relisting(&w->mirror, any_unsettled(&w->gateway));
    for (int i = 0; i < STEPS && wait == 0; i++)
        wait = mirror_step(&w->mirror, now_ms);
    w->idle = wait > 0;
    return wait;
}

static void on_confirm(void *ctx)
{
    struct work *w = ctx;

    mirror_confirm(&w->mirror);
}

static int on_finished(void *ctx)
{
    struct work *w = ctx;
    struct mirror_status s;

    mirror_status(&w->mirror, &s);
    if (!w->idle)
        return -1;
    if (s.failed || s.held)
        return EXIT_HELD;
    for (unsigned i = 0; !s.settled && i < w->gateway.lane_count; i++) {
        struct kinf_status informer;

        kinf_informer_status(&w->gateway.lanes[i]->informer, &informer);
        if (!informer.complete)
            return EXIT_DONE; /* the gateway tells that not all is there */
    }
    return s.settled ? EXIT_DONE : -1;
}

static void number(struct out *o, const char *name, uint32_t value)
{
    out_member(o, name);
    out_uint(o, value);
}

static void on_status(void *ctx, struct out *o)
{
    struct work *w = ctx;
    struct mirror_status s;

    mirror_status(&w->mirror, &s);
    out_member(o, "mirror");
    out_text(o, "{");
    out_member(o, "dir");
    out_json(o, w->config.dir, strlen(w->config.dir));
    out_member(o, "settled");
    out_text(o, s.settled ? "true" : "false");
    number(o, "objects", s.objects);
    number(o, "failed", s.failed);
    number(o, "held", s.held);
    number(o, "noted", s.noted);
    number(o, "written", s.written);
    number(o, "unchanged", s.unchanged);
    number(o, "removed", s.removed);
    number(o, "errors", s.errors);
    number(o, "last_errno", (uint32_t)s.last_error);
    out_text(o, "}");
}

/* Which namespaces the folder is a copy of, for its marker. */
static unsigned take_namespaces(struct work *w, const struct options *o)
{
    if (o->all_namespaces)
        return 0;
    if (o->namespace_count == 0) {
        w->namespaces[0] = w->gateway.credentials.namespace_.ptr;
        return 1;
    }
    memcpy(w->namespaces, o->namespaces, sizeof w->namespaces);
    return o->namespace_count;
}

static bool open_folder(struct work *w, const struct options *o)
{
    w->config = (struct mirror_config){
        .dir = o->dir,
        .claim = o->adopt ? MIRROR_CLAIM_ADOPT
                 : o->reset ? MIRROR_CLAIM_RESET : MIRROR_CLAIM_OWN,
        .secrets = o->secrets,
        .server = w->gateway.credentials.where.ptr,
        .resource = o->secrets ? "secrets" : "configmaps",
        .selector = o->label_selector ? o->label_selector : "",
        .namespaces = w->namespaces,
        .namespace_count = take_namespaces(w, o),
        .max_delete_given = o->max_delete_given,
        .max_delete_percent = o->max_delete_percent,
        .max_delete = o->max_delete,
        .cache = { cache_find, cache_next },
        .report = on_report,
        .ctx = w,
    };
    return mirror_open(&w->mirror, &w->config) == MIRROR_FINE;
}

int cmd_mirror(const struct options *options)
{
    static struct work work;
    static const struct gateway_user user = {
        .handler = &handler,
        .mode = KINF_LATEST,
        .ctx = &work,
        .tick = on_tick,
        .confirm = on_confirm,
        .status = on_status,
        .finished = on_finished,
    };
    int code = gateway_open(&work.gateway, options, &user);

    if (code)
        return code;
    if (!open_folder(&work, options))
        return EXIT_MIRROR;
    code = gateway_run(&work.gateway, work.config.resource);
    mirror_close(&work.mirror);
    return code;
}
