/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - what watch and mirror have in common. See gateway.h. */
#include "gateway.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "out.h"
#include "program.h"
#include "status.h"
#include "troubles.h"

#define KB ((size_t)1024)
#define MB (1024 * KB)

/* Sizes of what is carved. Only what is used of them is ever touched. */
#define TLS_FIXED (256 * KB)    /* anchors, identity, one handshake's peak */
#define TLS_CONNECTION (96 * KB) /* records in and out, keys, chain */
#define IO_BYTES (16 * KB)      /* of a session */
#define ARENA_ONE (64 * MB)     /* default payload room, one informer */
#define ARENA_EACH (32 * MB)    /* of several */
#define OBJECTS 20000u
/* The largest legal ConfigMap: 1 MiB of values and 256 KB of annotations, all
 * of it control characters that take six bytes each in JSON. */
#define OBJECT_BYTES (8 * MB)
#define FIFO 16
#define RING 16

#define MINUTE_MS 60000u
#define SETTLE_MS 20u /* between sync and the last handler's having seen it */
#define ASK_FIRST_MS 1000u
#define ASK_MOST_MS 60000u

uint32_t gateway_now(const struct gateway *g)
{
    (void)g;
    return kinf_posix_platform.now_ms(kinf_posix_platform.ctx);
}

void gateway_leave(struct gateway *g, int code)
{
    if (g->leave < 0)
        g->leave = code;
}

void gateway_resume(struct gateway *g)
{
    for (unsigned i = 0; i < g->lane_count; i++)
        kinf_listener_resume(&g->lanes[i]->listener);
}

/* ---- memory -------------------------------------------------------------- */

static size_t rounded(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

size_t gateway_fixed_bytes(unsigned informers)
{
    size_t lanes = informers + 1; /* and one for single requests */

    return TLS_FIXED + lanes * (TLS_CONNECTION + rounded(IO_BYTES) +
                                rounded(KINF_MBEDTLS_TICKET_BYTES) +
                                rounded(sizeof(struct gateway_lane)));
}

void gateway_sizes(const struct options *o, enum kinf_mode mode,
                   struct kinf_sizes *sizes)
{
    *sizes = (struct kinf_sizes){
        .objects = o->objects ? (uint32_t)o->objects : OBJECTS,
        .object_bytes = (uint32_t)(o->max_object ? o->max_object
                                                 : OBJECT_BYTES),
        .arena_bytes = 0,
        .fifo = FIFO,
        .every = mode == KINF_EVERY,
        .ring = RING,
        .latest = mode == KINF_LATEST,
    };
}

static void *carve(struct gateway *g, size_t bytes)
{
    char *ptr = g->memory + g->used;

    bytes = rounded(bytes);
    if (bytes > g->size - g->used)
        return NULL; /* gateway_fixed_bytes was taken before: cannot be */
    g->used += bytes;
    return ptr;
}

/* The least an informer of these sizes works with. */
static size_t least_arena(const struct kinf_sizes *sizes)
{
    return 2 * (size_t)sizes->object_bytes + 4096;
}

static bool map_memory(struct gateway *g, unsigned informers,
                       const struct kinf_sizes *sizes)
{
    size_t pools = rounded(kinf_informer_bytes(sizes));
    size_t fixed = gateway_fixed_bytes(informers);
    size_t least = fixed + informers * (pools + rounded(least_arena(sizes)));
    size_t arena = informers == 1 ? ARENA_ONE : ARENA_EACH;

    if (arena < 4 * (size_t)sizes->object_bytes)
        arena = 4 * (size_t)sizes->object_bytes;
    g->size = fixed + informers * (pools + arena);
    if (g->options->memory)
        g->size = (size_t)g->options->memory & ~(size_t)63;
    if (g->size < least) {
        log_say(LOG_FAIL, "or set --objects and --max-object lower",
                "--memory must be at least %zu for %u namespace%s of %u "
                "objects of up to %u bytes", least, informers,
                informers == 1 ? "" : "s", (unsigned)sizes->objects,
                (unsigned)sizes->object_bytes);
        return false;
    }
    g->memory = mmap(NULL, g->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (g->memory != MAP_FAILED)
        return true;
    log_say(LOG_FAIL, "set --memory lower", "cannot map %zu bytes: %s",
            g->size, strerror(errno));
    return false;
}

/* ---- opening ------------------------------------------------------------- */

static bool open_signals(struct gateway *g)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* writes tell */
    g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (g->signals >= 0 && kinf_posix_init(&g->posix) == KINF_OK)
        return true;
    log_say(LOG_FAIL, NULL, "no file descriptors: %s", strerror(errno));
    return false;
}

static bool open_tls(struct gateway *g, unsigned informers)
{
    size_t size = TLS_FIXED + (informers + 1) * TLS_CONNECTION;

    g->system = (struct kinf_mbedtls_system){
        .platform = &kinf_posix_platform,
        .arena = carve(g, size),
        .arena_size = size,
    };
    if (kinf_mbedtls_start(&g->system) == KINF_OK)
        return true;
    log_say(LOG_FAIL, NULL, "TLS cannot be started");
    return false;
}

static void make_session(struct gateway *g, struct gateway_lane *lane)
{
    const struct kinf_mbedtls_config config = {
        .lower = &kinf_posix_tcp_ops,
        .lower_ctx = &lane->tcp,
        .credentials = &g->credentials.tls,
        .server_name = g->credentials.server_name,
        .ticket = carve(g, KINF_MBEDTLS_TICKET_BYTES),
        .ticket_size = KINF_MBEDTLS_TICKET_BYTES,
    };

    kinf_posix_tcp_init(&lane->tcp);
    kinf_mbedtls_init(&lane->tls, &config);
    kinf_posix_add(&g->posix, &lane->tcp, &lane->tls);
    kinf_session_init(&lane->session, &g->k, &kinf_mbedtls_ops, &lane->tls,
                      carve(g, IO_BYTES), IO_BYTES);
    lane->gateway = g;
}

static unsigned informers_wanted(const struct options *o)
{
    return o->namespace_count ? o->namespace_count : 1;
}

static void make_lanes(struct gateway *g, unsigned informers)
{
    g->config = (struct kinf_config){
        .platform = &kinf_posix_platform,
        .host = g->credentials.host,
        .port = g->credentials.port,
        .path_prefix = g->credentials.prefix,
        .credentials = { credentials_token, &g->credentials },
        .spread_ms = g->options->spread_s * 1000,
    };
    kinf_init(&g->k, &g->config);
    for (g->lane_count = 0; g->lane_count < informers; g->lane_count++) {
        g->lanes[g->lane_count] = carve(g, sizeof(struct gateway_lane));
        make_session(g, g->lanes[g->lane_count]);
    }
    g->single = carve(g, sizeof(struct gateway_lane));
    make_session(g, g->single);
}

int gateway_open(struct gateway *g, const struct options *options,
                 const struct gateway_user *user)
{
    unsigned informers = informers_wanted(options);
    struct kinf_sizes sizes;

    *g = (struct gateway){ .options = options, .user = user, .leave = -1 };
    g->source = (struct credentials_source){
        .kubeconfig = options->kubeconfig,
        .context = options->context,
        .in_cluster = options->in_cluster,
    };
    if (options->max_object > UINT32_MAX / 4 ||
        (options->max_object && options->max_object < 2 * KB)) {
        log_say(LOG_FAIL, NULL, "--max-object is from 2K to 1G");
        return EXIT_USAGE;
    }
    gateway_sizes(options, user->mode, &sizes);
    if (!map_memory(g, informers, &sizes))
        return EXIT_USAGE;
    if (!open_signals(g) || !open_tls(g, informers))
        return EXIT_INTERNAL;
    if (!credentials_open(&g->credentials, &g->source, &kinf_posix_platform))
        return EXIT_CONFIG;
    make_lanes(g, informers);
    g->watchdog_ms = notify_open();
    return 0;
}

/* ---- informers ----------------------------------------------------------- */

static void what_failed(struct out *o, const struct gateway_lane *lane,
                        const struct kinf_object *object)
{
    const struct kinf_informer_config *c = &lane->config;

    out_escaped(o, c->resource.plural.ptr, c->resource.plural.len, 64);
    if (object) {
        char key[320];
        int len = kinf_object_key(object, key, sizeof key);

        out_text(o, " ");
        out_escaped(o, key, len > 0 ? (size_t)len : 0, sizeof key);
    } else if (c->namespace_.len) {
        out_text(o, " in ");
        out_escaped(o, c->namespace_.ptr, c->namespace_.len, 64);
    }
}

/* An object's name is the server's text, so it is no part of a line's kind
 * (see log.h): hundreds of broken objects are three lines a minute. */
static void tell(const struct gateway_lane *lane, int err, int http_status,
                 struct kinf_span message, const struct kinf_object *object)
{
    enum log_level level = trouble_is_usual(err) ? LOG_NOTE : LOG_WARN;
    const char *todo = trouble_todo(err);
    char where[400];
    struct out o = out_over(where, sizeof where);

    what_failed(&o, lane, object);
    if (http_status && message.len)
        log_say(level, todo, "%.*s: %s (HTTP %d): %.*s", (int)o.used, where,
                kinf_strerror(err), http_status, (int)message.len,
                message.ptr);
    else if (http_status)
        log_say(level, todo, "%.*s: %s (HTTP %d)", (int)o.used, where,
                kinf_strerror(err), http_status);
    else if (message.len)
        log_say(level, todo, "%.*s: %s: %.*s", (int)o.used, where,
                kinf_strerror(err), (int)message.len, message.ptr);
    else
        log_say(level, todo, "%.*s: %s", (int)o.used, where,
                kinf_strerror(err));
}

/* --once does not wait for what waiting cannot mend. */
static void give_up_once(struct gateway *g, struct gateway_lane *lane, int err)
{
    int code = trouble_is_final(err);

    g->last_error = err;
    lane->refusals = err == KINF_ERR_AUTH ? lane->refusals + 1 : 0;
    if (lane->refusals > 1) /* refused with the token read again, too */
        code = EXIT_DENIED;
    if (g->options->once && code >= 0)
        gateway_leave(g, code);
}

static void on_error(void *ctx, int err, int http_status,
                     struct kinf_span message,
                     const struct kinf_object *object)
{
    struct gateway_lane *lane = ctx;

    tell(lane, err, http_status, message, object);
    give_up_once(lane->gateway, lane, err);
}

static struct kinf_span span_of(const char *text)
{
    return (struct kinf_span){ text ? text : "", text ? strlen(text) : 0 };
}

static struct kinf_span namespace_of(const struct gateway *g, unsigned i)
{
    if (g->options->all_namespaces || !g->resource.namespaced)
        return KINF_SPAN("");
    if (g->options->namespace_count)
        return span_of(g->options->namespaces[i]);
    return g->credentials.namespace_;
}

static bool make_informer(struct gateway *g, unsigned i, size_t bytes)
{
    struct gateway_lane *lane = g->lanes[i];
    struct kinf_sizes sizes;
    size_t need = 0;

    gateway_sizes(g->options, g->user->mode, &sizes);
    sizes.arena_bytes = 0;
    bytes -= rounded(kinf_informer_bytes(&sizes)) + 64;
    sizes.arena_bytes = (uint32_t)(bytes < UINT32_MAX - 64 ? bytes
                                                : UINT32_MAX - 64) & ~63u;
    lane->config = (struct kinf_informer_config){
        .resource = g->resource.api,
        .namespace_ = namespace_of(g, i),
        .label_selector = span_of(g->options->label_selector),
        .field_selector = span_of(g->options->field_selector),
        .sizes = sizes,
        .memory_size = kinf_informer_bytes(&sizes),
        .session = &lane->session,
        .single = &g->single->session,
        .on_error = on_error,
        .ctx = lane,
    };
    lane->config.memory = carve(g, lane->config.memory_size);
    if (!lane->config.memory ||
        kinf_informer_check(&lane->config, &need) != KINF_OK) {
        log_say(LOG_FAIL, "give more --memory",
                "an informer of these sizes needs %zu bytes of payload",
                need);
        return false;
    }
    kinf_informer_init(&lane->informer, &g->k, &lane->config);
    return kinf_listener_add(&lane->informer, &lane->listener,
                             g->user->handler, g->user->ctx, g->user->mode,
                             0) == KINF_OK;
}

/* Gives all that is left of the buffer to the informers, in equal parts. */
static void start_informers(struct gateway *g)
{
    size_t each;

    if (!g->resource.namespaced && g->options->namespace_count) {
        log_say(LOG_FAIL, "leave -n out", "%.*s are in no namespace",
                (int)g->resource.api.plural.len, g->resource.api.plural.ptr);
        gateway_leave(g, EXIT_USAGE);
        return;
    }
    each = (g->size - g->used) / g->lane_count & ~(size_t)63;
    for (unsigned i = 0; i < g->lane_count; i++) {
        if (!make_informer(g, i, each)) {
            gateway_leave(g, EXIT_USAGE);
            return;
        }
    }
    kinf_start(&g->k);
    g->started = true;
}

/* ---- asking what a resource is ------------------------------------------- */

static void ask(struct gateway *g);

static int on_body(void *ctx, struct kinf_span piece)
{
    struct gateway *g = ctx;

    return discovery_body(&g->discovery, piece);
}

/* Each wait is twice the one before. */
static void ask_later(struct gateway *g)
{
    g->ask_at_ms = gateway_now(g) + g->ask_wait_ms;
    g->ask_wait_ms = g->ask_wait_ms * 2 < ASK_MOST_MS ? g->ask_wait_ms * 2
                                                      : ASK_MOST_MS;
    g->waiting = true;
}

/* Its definition may be on its way, or the server has only just started. */
static void tell_unknown(struct gateway *g, bool unwatched)
{
    const char *rest = g->discovery.rest, *dot = *rest ? "." : "";
    enum log_level level = g->options->once ? LOG_FAIL : LOG_WARN;

    g->last_error = unwatched ? KINF_ERR_METHOD : KINF_ERR_NO_RESOURCE;
    if (unwatched)
        log_say(level, trouble_todo(KINF_ERR_NO_RESOURCE),
                "%s%s%s cannot be listed and watched", g->discovery.name, dot,
                rest);
    else
        log_say(level, trouble_todo(KINF_ERR_NO_RESOURCE),
                "the server has no resource '%s%s%s'", g->discovery.name, dot,
                rest);
    if (g->options->once)
        gateway_leave(g, EXIT_RESOURCE);
    else
        ask_later(g);
}

static void tell_ask_failed(struct gateway *g, int err, int http_status,
                            struct kinf_span message)
{
    g->last_error = err == KINF_OK ? KINF_ERR_JSON : err;
    if (http_status)
        log_say(LOG_WARN, trouble_todo(g->last_error),
                "asking what the resource is: %s (HTTP %d): %.*s",
                kinf_strerror(g->last_error), http_status, (int)message.len,
                message.ptr);
    else
        log_say(LOG_WARN, trouble_todo(g->last_error),
                "asking what the resource is: %s: %.*s",
                kinf_strerror(g->last_error), (int)message.len, message.ptr);
    give_up_once(g, g->lanes[0], g->last_error);
    ask_later(g);
}

static void on_end(void *ctx, int err, int http_status,
                   struct kinf_span message)
{
    struct gateway *g = ctx;

    switch (discovery_end(&g->discovery, err, http_status)) {
    case DISCOVERY_ASK:
        ask(g);
        break;
    case DISCOVERY_FOUND:
        g->found = true; /* informers are not made from inside kinf_poll */
        break;
    case DISCOVERY_UNKNOWN:
        tell_unknown(g, false);
        break;
    case DISCOVERY_UNWATCHED:
        tell_unknown(g, true);
        break;
    case DISCOVERY_FAILED:
        tell_ask_failed(g, err, http_status, message);
        break;
    }
}

static void ask(struct gateway *g)
{
    g->get = (struct kinf_get){
        .path = discovery_path(&g->discovery),
        .accept = discovery_accept(&g->discovery),
        .body = on_body,
        .end = on_end,
        .ctx = g,
    };
    kinf_session_get(&g->lanes[0]->session, &g->get);
}

/* After a failure, when its wait is over. */
static uint32_t ask_again(struct gateway *g, uint32_t now_ms)
{
    int32_t wait = (int32_t)(g->ask_at_ms - now_ms);

    if (!g->waiting)
        return UINT32_MAX;
    if (wait > 0)
        return (uint32_t)wait;
    g->waiting = false;
    (void)discovery_begin(&g->discovery, &g->resource, g->name);
    ask(g);
    return 0;
}

static void find_resource(struct gateway *g, const char *name)
{
    g->found = resource_known(&g->resource, name);
    if (g->found)
        return;
    g->name = name;
    g->ask_wait_ms = ASK_FIRST_MS;
    if (discovery_begin(&g->discovery, &g->resource, name)) {
        ask(g);
        return;
    }
    log_say(LOG_FAIL, "like configmaps, deploy or widgets.example.com",
            "'%.*s' cannot be the name of a resource", (int)strlen(name),
            name);
    gateway_leave(g, EXIT_USAGE);
}

/* ---- the loop ------------------------------------------------------------ */

static void read_credentials_again(struct gateway *g)
{
    if (credentials_reread(&g->credentials))
        kinf_reload(&g->k, credentials_apply, &g->credentials);
}

static void read_signals(struct gateway *g)
{
    struct signalfd_siginfo info;

    while (read(g->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            log_say(LOG_NOTE, NULL, "SIGHUP: reading credentials again");
            read_credentials_again(g);
        } else if (info.ssi_signo == SIGUSR1) {
            if (g->user->confirm)
                g->user->confirm(g->user->ctx);
        } else {
            gateway_leave(g, EXIT_DONE);
        }
    }
}

static bool all_delivered(const struct gateway *g)
{
    for (unsigned i = 0; i < g->lane_count; i++) {
        if (!kinf_listener_synced(&g->lanes[i]->listener))
            return false;
    }
    return true;
}

static uint64_t objects_held(const struct gateway *g, bool *whole)
{
    uint64_t count = 0;

    *whole = true;
    for (unsigned i = 0; i < g->lane_count; i++) {
        struct kinf_status s;

        kinf_informer_status(&g->lanes[i]->informer, &s);
        count += s.entries.used;
        *whole = *whole && s.complete && s.truncated == 0;
    }
    return count;
}

/* Tells once that all is in sync; ends --once. */
static void note_sync(struct gateway *g)
{
    bool whole;
    uint64_t count;
    int code;

    if (!g->started || !kinf_synced(&g->k, NULL) ||
        !all_delivered(g))
        return;
    if (!g->synced) {
        g->synced = true;
        count = objects_held(g, &whole);
        log_say(LOG_NOTE, NULL, "in sync: %llu %s after %u ms%s",
                (unsigned long long)count, "objects",
                (unsigned)(gateway_now(g) - g->began_ms),
                whole ? "" : ", not all of them whole");
        notify_say("READY=1\nSTATUS=in sync\n");
    }
    if (!g->options->once)
        return;
    code = g->user->finished ? g->user->finished(g->user->ctx) : EXIT_DONE;
    (void)objects_held(g, &whole);
    if (code >= 0)
        gateway_leave(g, code == EXIT_DONE && !whole ? EXIT_INCOMPLETE : code);
}

/* What is due at a time. Returns ms until the next of it. */
static uint32_t tick(struct gateway *g, uint32_t now)
{
    uint32_t wait = MINUTE_MS, next;

    if (now - g->minute_ms >= MINUTE_MS) {
        g->minute_ms = now;
        log_settle(false);
        if (credentials_changed(&g->credentials))
            read_credentials_again(g);
    }
    wait -= now - g->minute_ms;
    if (g->watchdog_ms && now - g->fed_ms >= g->watchdog_ms) {
        g->fed_ms = now;
        notify_say("WATCHDOG=1");
    }
    if (g->watchdog_ms && g->watchdog_ms - (now - g->fed_ms) < wait)
        wait = g->watchdog_ms - (now - g->fed_ms);
    next = ask_again(g, now);
    wait = next < wait ? next : wait;
    next = g->user->tick ? g->user->tick(g->user->ctx, now) : UINT32_MAX;
    wait = next < wait ? next : wait;
    next = status_tick(g, now);
    wait = next < wait ? next : wait;
    if (!g->options->once)
        return wait;
    next = g->options->timeout_s * 1000u;
    if (now - g->began_ms >= next) {
        log_say(LOG_FAIL, "see --timeout", "not in sync after %u seconds",
                (unsigned)g->options->timeout_s);
        gateway_leave(g, trouble_exit_code(g->last_error));
        return 0;
    }
    next -= now - g->began_ms;
    return next < wait ? next : wait;
}

/* One round: work, what is due, sleep. */
static void round_of(struct gateway *g)
{
    struct pollfd fds[2] = { { .fd = g->signals, .events = POLLIN } };
    uint32_t wait, next;

    if (g->found && !g->started)
        start_informers(g);
    wait = kinf_poll(&g->k);
    next = tick(g, gateway_now(g));
    wait = next < wait ? next : wait;
    note_sync(g); /* behind the tick, in which the last of it may be done */
    fds[1].fd = -1;
    if (g->user->wait_for)
        fds[1].fd = g->user->wait_for(g->user->ctx, &fds[1].events);
    if (g->leave >= 0)
        return;
    if (g->found && !g->started)
        wait = 0;
    if (g->started && !g->synced && wait > SETTLE_MS &&
        kinf_synced(&g->k, NULL))
        wait = SETTLE_MS;
    (void)kinf_posix_wait(&g->posix, &g->k, wait, fds, 2);
    if (fds[0].revents)
        read_signals(g);
    if (fds[1].revents && g->user->ready)
        g->user->ready(g->user->ctx, fds[1].revents);
}

static void close_all(struct gateway *g)
{
    kinf_stop(&g->k);
    (void)kinf_poll(&g->k); /* closes the connections */
    credentials_close(&g->credentials);
    log_settle(true);
}

int gateway_run(struct gateway *g, const char *name)
{
    g->began_ms = g->minute_ms = g->fed_ms = gateway_now(g);
    log_say(LOG_NOTE, NULL, "watching %.*s at %.*s", (int)strlen(name), name,
            (int)g->credentials.where.len, g->credentials.where.ptr);
    find_resource(g, name);
    while (g->leave < 0)
        round_of(g);
    notify_say("STOPPING=1");
    status_last(g);
    close_all(g);
    return g->leave;
}
