/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - the state of the program in a file. See status.h.
 *
 * Readers see a whole file, old or new: it is written beside the old one and
 * renamed. It is not fsynced: after a crash of the machine its state would be
 * of no use. */
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "out.h"
#include "troubles.h"

#define MINUTE_MS 60000u
#define SECOND_MS 1000u

static struct {
    uint32_t written_ms;
    uint32_t seen; /* hash of what was written */
    bool ever;
} last;

static const char *phase_name(enum kinf_informer_phase phase)
{
    switch (phase) {
    case KINF_INFORMER_NEW:
        return "new";
    case KINF_INFORMER_CONNECTING:
        return "connecting";
    case KINF_INFORMER_LISTING:
        return "listing";
    case KINF_INFORMER_STREAMING:
        return "streaming";
    case KINF_INFORMER_WATCHING:
        return "watching";
    case KINF_INFORMER_PROBING:
        return "probing";
    case KINF_INFORMER_BACKOFF:
        return "backoff";
    case KINF_INFORMER_DENIED:
        return "denied";
    case KINF_INFORMER_STOPPED:
        return "stopped";
    }
    return "unknown";
}

static void number(struct out *o, const char *name, uint64_t value)
{
    out_member(o, name);
    out_uint(o, value);
}

static void boolean(struct out *o, const char *name, bool value)
{
    out_member(o, name);
    out_text(o, value ? "true" : "false");
}

static void text(struct out *o, const char *name, struct kinf_span value)
{
    out_member(o, name);
    out_json(o, value.ptr, value.len);
}

static void words(struct out *o, const char *name, const char *value)
{
    text(o, name, (struct kinf_span){ value, strlen(value) });
}

static void pool(struct out *o, const char *name,
                 const struct kinf_pool_status *p)
{
    out_member(o, name);
    out_text(o, "{");
    number(o, "used", p->used);
    number(o, "high", p->high);
    number(o, "size", p->size);
    out_text(o, "}");
}

static void versions(struct out *o, const struct kinf_status *s)
{
    out_member(o, "versions");
    out_text(o, "{");
    text(o, "received", s->version_received);
    text(o, "stored", s->version_stored);
    text(o, "delivered", s->version_delivered);
    out_text(o, "}");
}

static void counters(struct out *o, const struct kinf_status *s)
{
    out_member(o, "counters");
    out_text(o, "{");
    number(o, "lists", s->lists);
    number(o, "watches", s->watches);
    number(o, "requests", s->requests);
    number(o, "events", s->events);
    number(o, "bookmarks", s->bookmarks);
    number(o, "relists", s->relists);
    number(o, "unchanged", s->unchanged);
    number(o, "swept", s->swept);
    number(o, "mended", s->mended);
    number(o, "probes", s->probes);
    number(o, "fetches", s->fetches);
    number(o, "bytes", s->bytes);
    out_text(o, "}");
    out_member(o, "errors");
    out_text(o, "{");
    for (int i = 1; i < KINF_ERR_COUNT; i++) {
        if (s->errors[i] && trouble_name(-i))
            number(o, trouble_name(-i), s->errors[i]);
    }
    out_text(o, "}");
}

static void pools(struct out *o, const struct kinf_status *s)
{
    out_member(o, "pools");
    out_text(o, "{");
    pool(o, "entries", &s->entries);
    pool(o, "objects", &s->objects);
    pool(o, "arena", &s->arena);
    pool(o, "fifo", &s->fifo);
    pool(o, "ring", &s->ring);
    pool(o, "postings", &s->postings);
    out_text(o, "}");
}

static void last_error(struct out *o, const struct kinf_status *s)
{
    out_member(o, "last_error");
    if (s->last_error == KINF_OK) {
        out_text(o, "null");
        return;
    }
    out_text(o, "{");
    words(o, "code", trouble_name(s->last_error) ? trouble_name(s->last_error)
                                                 : "?");
    words(o, "text", kinf_strerror(s->last_error));
    number(o, "http_status", (uint64_t)s->http_status);
    text(o, "message", s->message);
    out_text(o, "}");
}

static void informer(struct out *o, const struct gateway_lane *lane)
{
    struct kinf_status s;

    kinf_informer_status(&lane->informer, &s);
    out_text(o, "{");
    text(o, "namespace", lane->config.namespace_);
    words(o, "phase", phase_name(s.phase));
    boolean(o, "synced", s.synced);
    boolean(o, "complete", s.complete);
    boolean(o, "relisting", s.relisting);
    boolean(o, "degraded", s.degraded);
    boolean(o, "handler_stuck", s.handler_stuck);
    number(o, "truncated", s.truncated);
    number(o, "last_contact_ms", s.last_contact_ms);
    number(o, "stale_ms", s.stale_ms);
    number(o, "retry_ms", s.retry_ms);
    last_error(o, &s);
    versions(o, &s);
    counters(o, &s);
    pools(o, &s);
    out_text(o, "}");
}

static void head(struct out *o, const struct gateway *g)
{
    struct kinf_mbedtls_arena arena;

    kinf_mbedtls_arena(&arena);
    out_text(o, "{");
    words(o, "version", KINF_VERSION);
    number(o, "pid", (uint64_t)getpid());
    number(o, "written", (uint64_t)time(NULL));
    text(o, "server", g->credentials.where);
    text(o, "group", g->resource.api.group);
    text(o, "resource", g->resource.api.plural);
    words(o, "selector", g->options->label_selector
                             ? g->options->label_selector : "");
    boolean(o, "synced", g->synced);
    number(o, "memory", g->size);
    out_member(o, "tls");
    out_text(o, "{");
    number(o, "used", arena.used);
    number(o, "high", arena.high);
    number(o, "size", arena.size);
    number(o, "refused", arena.refused);
    out_text(o, "}");
    if (g->user->status)
        g->user->status(g->user->ctx, o);
}

/* Piece by piece, so that many informers need no large buffer. */
static int write_all(const struct gateway *g, int fd)
{
    char piece[4096];
    struct out o = out_over(piece, sizeof piece);
    int err;

    head(&o, g);
    out_member(&o, "informers");
    out_text(&o, "[");
    err = out_write(fd, piece, o.used);
    for (unsigned i = 0; g->started && i < g->lane_count && err == 0; i++) {
        o.used = 0;
        if (i)
            out_text(&o, ",");
        informer(&o, g->lanes[i]);
        err = out_write(fd, piece, o.used);
    }
    return err ? err : out_write(fd, "]}\n", 3);
}

static void write_file(const struct gateway *g)
{
    const char *path = g->options->status;
    char fresh[4096];
    struct out o = out_over(fresh, sizeof fresh - 1);
    int fd, err;

    out_text(&o, path);
    out_text(&o, ".new");
    fresh[o.used] = '\0';
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
              0644);
    err = fd < 0 ? errno : write_all(g, fd);
    if (fd >= 0)
        close(fd);
    if (err == 0 && rename(fresh, path) != 0)
        err = errno;
    if (err)
        log_say(LOG_WARN, "tried again in a minute", "cannot write %.*s: %s",
                (int)strlen(path), path, strerror(err));
}

static uint32_t mix(uint32_t hash, uint32_t value)
{
    return (hash ^ value) * 16777619u + 1;
}

static uint32_t mix_span(uint32_t hash, struct kinf_span span)
{
    for (size_t i = 0; i < span.len; i++)
        hash = mix(hash, (unsigned char)span.ptr[i]);
    return hash;
}

/* Of all a reader may wait for; times are left out. */
static uint32_t signature(const struct gateway *g)
{
    uint32_t hash = 2166136261u;

    for (unsigned i = 0; g->started && i < g->lane_count; i++) {
        struct kinf_status s;

        kinf_informer_status(&g->lanes[i]->informer, &s);
        hash = mix(hash, (uint32_t)s.phase << 8 | (uint32_t)s.synced << 4 |
                             (uint32_t)s.complete << 3 |
                             (uint32_t)s.relisting << 2 |
                             (uint32_t)s.degraded << 1 | s.handler_stuck);
        hash = mix(hash, (uint32_t)s.last_error);
        hash = mix(mix(hash, s.truncated), s.events);
        hash = mix(mix(hash, s.requests), s.entries.used);
        hash = mix_span(hash, s.version_delivered);
    }
    if (g->user->status) {
        char text[1024];
        struct out o = out_over(text, sizeof text);

        g->user->status(g->user->ctx, &o);
        hash = mix_span(hash, (struct kinf_span){ text, o.used });
    }
    return hash;
}

void status_last(struct gateway *g)
{
    if (g->options->status)
        write_file(g);
}

uint32_t status_tick(struct gateway *g, uint32_t now_ms)
{
    uint32_t since = now_ms - last.written_ms, seen;

    if (!g->options->status)
        return UINT32_MAX;
    seen = signature(g);
    if (last.ever && seen == last.seen && since < MINUTE_MS)
        return MINUTE_MS - since;
    if (last.ever && since < SECOND_MS)
        return SECOND_MS - since;
    last.ever = true;
    last.seen = seen;
    last.written_ms = now_ms;
    write_file(g);
    return MINUTE_MS;
}
