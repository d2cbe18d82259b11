/* SPDX-License-Identifier: Apache-2.0 */
/* informers.c - informers and handlers of the library, made and asked by lines
 * of standard input, over verified TLS to a real API server; what they tell
 * goes to standard output, a line each. test_library.py speaks to it.
 *
 *   informers HOST PORT CA.pem TOKEN_FILE
 *
 *   informer NAME SESSION GROUP VERSION PLURAL KIND NAMESPACE SELECTOR FLAGS
 *   handler NAME INFORMER every|latest RESYNC_MS FILTER
 *   start | remove HANDLER | pause HANDLER | resume HANDLER | stop INFORMER
 *   leave HANDLER (removes itself from inside its next update)
 *   get INFORMER KEY | typed INFORMER KEY | index INFORMER | for INFORMER
 *   list INFORMER NAMESPACE SELECTOR INDEX VALUE | values INFORMER INDEX
 *   status INFORMER | synced
 *
 * "-" is nothing, "~" a space. SESSION is a number; informers of one number
 * take turns on one connection. FLAGS, with commas: metadata, keep, paged,
 * index, verify, small (few keys), tight (few bytes; single requests have a
 * connection of their own). FILTER is a label selector. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kinf_mbedtls.h"
#include "kinf_posix.h"
#include "kinf_typed.h"
#include "kinformer.h"

enum { SESSIONS = 4, INFORMERS = 6, HANDLERS = 12, WORDS = 10 };

struct connection {
    struct kinf_posix_tcp tcp;
    struct kinf_mbedtls tls;
    struct kinf_session session;
    char ticket[KINF_MBEDTLS_TICKET_BYTES];
    char io[16384];
};

struct informer {
    char name[32];
    struct kinf_informer_config config;
    struct kinf_informer inf;
};

struct handler {
    char name[32], filter[64];
    struct kinf_listener listener;
    bool paused, leaves;
};

static struct kinf k;
static struct kinf_posix posix;
static struct connection connections[SESSIONS];
static struct informer informers[INFORMERS];
static struct handler handlers[HANDLERS];
static uint32_t informer_count, handler_count;
static const char *token_file;
static char token_text[8192];

static void fail(const char *what, const char *why)
{
    printf("failed %s %s\n", what, why);
    fflush(stdout);
    exit(1);
}

static size_t read_file(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t len = f != NULL ? fread(buf, 1, size - 1, f) : 0;

    if (len == 0)
        fail("to read", path);
    fclose(f);
    buf[len] = '\0';
    return len;
}

/* ---- what handlers are told --------------------------------------------- */

static void say_key(const struct kinf_object *o)
{
    printf("%.*s%s%.*s", (int)o->namespace_.len, o->namespace_.ptr,
           o->namespace_.len > 0 ? "/" : "", (int)o->name.len, o->name.ptr);
}

static void say(const struct handler *h, const char *what,
                const struct kinf_object *o, const char *more)
{
    printf("%s %s ", h->name, what);
    say_key(o);
    printf(" %.*s%s\n", (int)o->resource_version.len, o->resource_version.ptr,
           more);
}

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    const struct handler *h = ctx;

    if (h->paused)
        return KINF_ERR_AGAIN;
    say(h, "add", o, initial ? " initial" : "");
    return KINF_OK;
}

static bool same(struct kinf_span a, struct kinf_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    struct handler *h = ctx;

    if (h->paused)
        return KINF_ERR_AGAIN;
    if (h->leaves)
        kinf_listener_remove(&h->listener);
    say(h,
        was != NULL && same(was->resource_version, o->resource_version)
            ? "sync"
            : "update",
        o, "");
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    const struct handler *h = ctx;

    if (h->paused)
        return KINF_ERR_AGAIN;
    say(h, "delete", was, unknown ? " missed" : "");
    return KINF_OK;
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *o)
{
    (void)was;
    say(ctx, "truncated", o, "");
    return KINF_OK;
}

static bool filtered(void *ctx, const struct kinf_object *o)
{
    const struct handler *h = ctx;
    struct kinf_span selector = { h->filter, strlen(h->filter) };

    return kinf_selector_match(selector, o) == 1;
}

static const struct kinf_event_handler plain = { .on_add = on_add,
                                                 .on_update = on_update,
                                                 .on_delete = on_delete,
                                                 .on_truncated = on_truncated };
static const struct kinf_event_handler filtering = { .on_add = on_add,
                                                     .on_update = on_update,
                                                     .on_delete = on_delete,
                                                     .on_truncated =
                                                         on_truncated,
                                                     .filter = filtered };

static void on_error(void *ctx, int err, int http_status,
                     struct kinf_span message, const struct kinf_object *o)
{
    const struct informer *i = ctx;

    (void)o;
    printf("error %s %d %d %.*s\n", i->name, err, http_status, (int)message.len,
           message.ptr);
}

/* ---- making ------------------------------------------------------------- */

/* Values of a label, and one for each object that has none. */
static int app_index(const struct kinf_object *o, unsigned n, char *value,
                     size_t size)
{
    struct kinf_value label;

    if (n > 0 || kinf_find(o, "metadata.labels.app", &label) != KINF_OK)
        return KINF_ERR_NOT_FOUND;
    return kinf_string(label, value, size);
}

static struct kinf_span span_of(const char *word)
{
    return (struct kinf_span){ word,
                               strcmp(word, "-") == 0 ? 0 : strlen(word) };
}

static void make_informer(char *word[])
{
    static const struct kinf_span keep[] = { { "data.a", 6 },
                                             { "metadata.labels", 15 } };
    struct informer *i = &informers[informer_count++];
    const char *flags = word[9];

    i->config = (struct kinf_informer_config){
        .resource = { span_of(word[3]), span_of(word[4]), span_of(word[5]),
                      span_of(word[6]) },
        .namespace_ = span_of(word[7]),
        .label_selector = span_of(word[8]),
        .metadata_only = strstr(flags, "metadata") != NULL,
        .limit = strstr(flags, "paged") != NULL ? 2 : 0,
        .verify_ms = strstr(flags, "verify") != NULL ? 1000 : 0,
        .streaming = strstr(flags, "paged") != NULL ? KINF_STREAM_NEVER
                                                    : KINF_STREAM_AUTO,
        .keep = keep,
        .keep_count = strstr(flags, "keep") != NULL ? 2 : 0,
        .sizes = { .objects = 2000,
                   .object_bytes = 65536,
                   .arena_bytes = 4 << 20,
                   .fifo = 16,
                   .every = 4,
                   .ring = 16,
                   .latest = 2,
                   .postings = 4000 },
        .session = &connections[atoi(word[2]) % SESSIONS].session,
        .on_error = on_error,
        .ctx = i
    };

    snprintf(i->name, sizeof(i->name), "%s", word[1]);
    if (strstr(flags, "small") != NULL)
        i->config.sizes.objects = 3;
    if (strstr(flags, "tight") != NULL) {
        i->config.sizes.arena_bytes = 2 * (65536 + 64);
        i->config.single = &connections[SESSIONS - 1].session;
    }
    i->config.memory_size = kinf_informer_bytes(&i->config.sizes);
    i->config.memory = calloc(1, i->config.memory_size);
    if (i->config.memory == NULL)
        fail("to make", i->name);
    kinf_informer_init(&i->inf, &k, &i->config);
    if (strstr(flags, "index") != NULL)
        kinf_informer_index(&i->inf, "app", app_index);
}

static struct informer *informer_named(const char *name)
{
    for (uint32_t i = 0; i < informer_count; i++)
        if (strcmp(informers[i].name, name) == 0)
            return &informers[i];
    fail("no informer", name);
    return NULL;
}

static struct handler *handler_named(const char *name)
{
    for (uint32_t i = 0; i < handler_count; i++)
        if (strcmp(handlers[i].name, name) == 0)
            return &handlers[i];
    fail("no handler", name);
    return NULL;
}

static void make_handler(char *word[])
{
    struct handler *h = &handlers[handler_count++];
    enum kinf_mode mode =
        strcmp(word[3], "every") == 0 ? KINF_EVERY : KINF_LATEST;
    bool filters = strcmp(word[5], "-") != 0;
    int err;

    snprintf(h->name, sizeof(h->name), "%s", word[1]);
    snprintf(h->filter, sizeof(h->filter), "%s", word[5]);
    err = kinf_listener_add(&informer_named(word[2])->inf, &h->listener,
                            filters ? &filtering : &plain, h, mode,
                            (uint32_t)atoi(word[4]));
    if (err != KINF_OK)
        fail("to add a handler:", kinf_strerror(err));
}

/* ---- asking ------------------------------------------------------------- */

static void get(char *word[])
{
    struct kinf_object o;
    int err = kinf_get(&informer_named(word[1])->inf, span_of(word[2]), &o);

    if (err < 0)
        printf("got %s\n", kinf_strerror(err));
    else
        printf("got %.*s\n", (int)o.json.len, o.json.ptr);
}

static void add_index(char *word[])
{
    int err = kinf_informer_index(&informer_named(word[1])->inf, "app",
                                  app_index);

    if (err != KINF_OK)
        fail("to add an index:", kinf_strerror(err));
}

/* Is it found by what it is for? */
static void find_for(char *word[])
{
    const struct informer *i = informer_named(word[1]);
    const struct kinf_informer_config *c = &i->config;

    printf("for %s\n",
           kinf_informer_for(&k, &c->resource, c->namespace_,
                             c->label_selector) == &i->inf
               ? "found"
               : "not found");
}

static void typed(char *word[])
{
    const struct informer *i = informer_named(word[1]);
    struct kinf_object o;
    struct kinf_pod pod;
    struct kinf_deployment deployment;
    struct kinf_secret secret;

    if (kinf_get(&i->inf, span_of(word[2]), &o) < 0)
        fail("no object", word[2]);
    if (strcmp(i->name, "pods") == 0 && kinf_pod_decode(&o, &pod) == KINF_OK)
        printf("typed %s %s\n", pod.node_name, pod.phase);
    else if (strcmp(i->name, "deployments") == 0 &&
             kinf_deployment_decode(&o, &deployment) == KINF_OK)
        printf("typed %d\n", deployment.replicas);
    else if (strcmp(i->name, "secrets") == 0 &&
             kinf_secret_decode(&o, &secret) == KINF_OK)
        printf("typed %s\n", secret.type);
    else
        printf("typed not\n");
}

static void list(char *word[])
{
    struct informer *i = informer_named(word[1]);
    struct kinf_list_options options = { .namespace_ = span_of(word[2]),
                                         .label_selector = span_of(word[3]),
                                         .index = strcmp(word[4], "-") == 0
                                                      ? NULL
                                                      : word[4],
                                         .value = span_of(word[5]) };
    struct kinf_list_cursor cursor;
    struct kinf_object o;
    int err = kinf_list(&i->inf, &cursor, &options);

    while (err == KINF_OK || err == 1 || err == KINF_ERR_AGAIN) {
        err = kinf_list_next(&i->inf, &cursor, &o);
        if (err == 1) {
            printf("listed ");
            say_key(&o);
            printf("\n");
        } else if (err == 0) {
            break;
        }
    }
    printf("list ends %d\n", err);
}

static void values(char *word[])
{
    const struct informer *i = informer_named(word[1]);
    uint32_t at = 0;
    char value[64];
    int len;

    while ((len = kinf_index_values(&i->inf, word[2], &at, value,
                                    sizeof(value))) > 0)
        printf("value %.*s\n", len, value);
    printf("values end %d\n", len);
}

static void status(char *word[])
{
    struct informer *i = informer_named(word[1]);
    struct kinf_status s;

    kinf_informer_status(&i->inf, &s);
    printf("status {\"phase\": %d, \"synced\": %d, \"complete\": %d, "
           "\"degraded\": %d, \"truncated\": %u, \"stale\": %u, "
           "\"stuck\": %d, \"lists\": %u, \"relists\": %u, \"watches\": %u, "
           "\"probes\": %u, \"unchanged\": %u, \"requests\": %u, "
           "\"error\": %d, \"http\": %d, \"version\": \"%.*s\", "
           "\"arena\": %u, \"mended\": %u, \"fetches\": %u}\n",
           (int)s.phase, s.synced, s.complete, s.degraded, s.truncated,
           s.stale_ms, s.handler_stuck, s.lists, s.relists, s.watches, s.probes,
           s.unchanged, s.requests, s.last_error, s.http_status,
           (int)s.version_stored.len,
           s.version_stored.ptr, s.arena.used, s.mended, s.fetches);
}

static void synced(char *word[])
{
    struct kinf_informer *missing;

    (void)word;
    if (kinf_synced(&k, &missing)) {
        printf("synced\n");
        return;
    }
    for (uint32_t i = 0; i < informer_count; i++)
        if (&informers[i].inf == missing)
            printf("missing %s\n", informers[i].name);
}

static void resume(struct handler *h)
{
    h->paused = false;
    kinf_listener_resume(&h->listener);
}

static void obey(char *word[])
{
    static const struct {
        const char *name;
        void (*func)(char *word[]);
    } table[] = { { "informer", make_informer },
                  { "handler", make_handler },
                  { "get", get },
                  { "typed", typed },
                  { "index", add_index },
                  { "for", find_for },
                  { "list", list },
                  { "values", values },
                  { "status", status },
                  { "synced", synced } };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(word[0], table[i].name) == 0) {
            table[i].func(word);
            return;
        }
    }
    if (strcmp(word[0], "start") == 0)
        kinf_start(&k);
    else if (strcmp(word[0], "stop") == 0)
        kinf_informer_stop(&informer_named(word[1])->inf);
    else if (strcmp(word[0], "remove") == 0)
        kinf_listener_remove(&handler_named(word[1])->listener);
    else if (strcmp(word[0], "leave") == 0)
        handler_named(word[1])->leaves = true;
    else if (strcmp(word[0], "pause") == 0)
        handler_named(word[1])->paused = true;
    else if (strcmp(word[0], "resume") == 0)
        resume(handler_named(word[1]));
    else
        fail("to understand", word[0]);
}

/* Words stay where they are: informers point to them. */
static void obey_line(const char *text)
{
    char *line = strdup(text), *rest = line;
    char *word[WORDS];
    static char none[] = "-";

    if (line == NULL)
        fail("to hold", text);
    for (size_t i = 0; i < WORDS; i++) {
        word[i] = strtok_r(rest, " ", &rest);
        if (word[i] == NULL)
            word[i] = none;
        for (char *c = word[i]; *c != '\0'; c++)
            *c = *c == '~' ? ' ' : *c;
    }
    obey(word);
    printf("done %s\n", word[0]);
}

/* ---- the loop ----------------------------------------------------------- */

static struct kinf_span token(void *ctx, bool refused)
{
    (void)ctx;
    if (refused || token_text[0] == '\0') {
        read_file(token_file, token_text, sizeof(token_text));
        token_text[strcspn(token_text, "\r\n")] = '\0';
        if (refused)
            printf("token again\n");
    }
    return (struct kinf_span){ token_text, strlen(token_text) };
}

static void set_up(char **argv)
{
    static struct kinf_mbedtls_system system;
    static struct kinf_mbedtls_credentials trusted;
    static struct kinf_config config;
    static uint64_t arena[1 << 17];
    static char ca[65536];
    size_t len = read_file(argv[3], ca, sizeof(ca));

    system = (struct kinf_mbedtls_system){ .platform = &kinf_posix_platform,
                                           .arena = arena,
                                           .arena_size = sizeof(arena) };
    if (kinf_mbedtls_start(&system) != KINF_OK ||
        kinf_mbedtls_credentials_init(&trusted) != KINF_OK ||
        kinf_mbedtls_trust(&trusted, (struct kinf_span){ ca, len }, false) !=
            KINF_OK ||
        kinf_posix_init(&posix) != KINF_OK)
        fail("to set up", "TLS");
    token_file = argv[4];
    config = (struct kinf_config){ .platform = &kinf_posix_platform,
                                   .host = span_of(argv[1]),
                                   .port = (uint16_t)atoi(argv[2]),
                                   .user_agent = KINF_SPAN("library"),
                                   .credentials = { token, NULL },
                                   .spread_ms = 50 };
    kinf_init(&k, &config);
    for (int i = 0; i < SESSIONS; i++) {
        struct connection *c = &connections[i];
        struct kinf_mbedtls_config over = { .lower = &kinf_posix_tcp_ops,
                                            .lower_ctx = &c->tcp,
                                            .credentials = &trusted,
                                            .ticket = c->ticket,
                                            .ticket_size = sizeof(c->ticket) };

        kinf_posix_tcp_init(&c->tcp);
        kinf_mbedtls_init(&c->tls, &over);
        kinf_posix_add(&posix, &c->tcp, &c->tls);
        kinf_session_init(&c->session, &k, &kinf_mbedtls_ops, &c->tls, c->io,
                          sizeof(c->io));
    }
}

/* Takes in what standard input has. Returns whether there can be more. */
static bool take_input(void)
{
    static char text[4096];
    static size_t len;
    ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - 1 - len);
    char *end;

    if (n <= 0)
        return n != 0;
    len += (size_t)n;
    text[len] = '\0';
    while ((end = strchr(text, '\n')) != NULL) {
        *end = '\0';
        obey_line(text);
        len -= (size_t)(end + 1 - text);
        memmove(text, end + 1, len + 1);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

    if (argc != 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    set_up(argv);
    for (;;) {
        uint32_t ms = kinf_poll(&k);

        kinf_posix_wait(&posix, &k, ms, &input, 1);
        if (input.revents != 0 && !take_input())
            break;
    }
    kinf_stop(&k);
    while (!kinf_stopped(&k))
        kinf_poll(&k);
    return 0;
}
