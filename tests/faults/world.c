/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - see world.h. */
#include "world.h"

#include "store/store_check.h"

#define MINUTE 60000u

static const struct scenario *now_playing;

void kinf_assert_failed(unsigned file, unsigned line)
{
    char name[32];

    snprintf(name, sizeof(name), "core file %u", file);
    mock_assert(0, "KINF_ASSERT", name, (int)line);
    abort();
}

/* ---- the failing call --------------------------------------------------- */

static struct {
    const struct fault *fault;
    uint32_t at, count;
    bool for_ever, lifted;
    bool fired;
    uint8_t *kinds;
    uint32_t max;
} calls;

/* Counts a call. Returns what it answers instead, or 0. */
static int call(enum call kind)
{
    uint32_t n = ++calls.count;

    if (calls.kinds != NULL && n <= calls.max)
        calls.kinds[n - 1] = (uint8_t)kind;
    if (calls.at == 0 || n < calls.at || calls.fault->call != kind ||
        calls.lifted || (n > calls.at && !calls.for_ever))
        return 0;
    calls.fired = true;
    return calls.fault->answer;
}

/* ---- platform ----------------------------------------------------------- */

static uint32_t clock_ms;
static uint32_t chance;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    if (call(CALL_NOW) == TRICK_JUMP)
        clock_ms += 10 * MINUTE;
    return clock_ms;
}

static int64_t wall_s(void *ctx)
{
    int trick = call(CALL_WALL);

    (void)ctx;
    return trick == 0            ? 1700000000
           : trick == TRICK_JUMP ? 2700000000
                                 : KINF_WALL_UNKNOWN;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    int trick = call(CALL_RANDOM);
    unsigned char *p = out;

    (void)ctx;
    for (size_t i = 0; i < size; i++) {
        chance = chance * 1103515245 + 12345;
        p[i] = trick == 0           ? (unsigned char)(chance >> 16)
               : trick == TRICK_ODD ? 0xFF
                                    : 0;
    }
}

static bool renewed; /* the token */

static struct kinf_span token(void *ctx, bool refused)
{
    int trick = call(CALL_TOKEN);

    (void)ctx;
    renewed |= refused;
    if (trick == TRICK_NOTHING)
        return (struct kinf_span){ NULL, 0 };
    if (trick == TRICK_ODD)
        return KINF_SPAN("new\r\nX: y");
    return renewed ? KINF_SPAN("new") : KINF_SPAN("old");
}

/* ---- the server --------------------------------------------------------- */

struct thing {
    bool lives;
    unsigned uid, version, size;
};

static struct {
    struct thing things[KEYS];
    struct {
        char type[9];
        unsigned key;
        struct thing thing;
    } log[LOG]; /* by version */
    unsigned version, oldest;
    unsigned requests;
} server;

struct link {
    bool open, failed, watching, ends, hangs;
    unsigned seen; /* version a watch has come to */
    uint32_t until_ms;
    char request[2048], out[16384];
    size_t request_len, at, len;
};
static struct link links[LINKS];
static unsigned opens, moved;

static void change(unsigned key, bool lives, unsigned size)
{
    struct thing *t = &server.things[key];
    unsigned v = ++server.version;

    assert_true(v < LOG);
    if (!t->lives && !lives)
        return;
    strcpy(server.log[v].type, !lives     ? "DELETED"
                               : t->lives ? "MODIFIED"
                                          : "ADDED");
    if (!t->lives)
        t->uid = v;
    *t = (struct thing){ lives, t->uid, v, size };
    server.log[v].key = key;
    server.log[v].thing = *t;
}

static void put(struct link *l, const char *text)
{
    size_t n = strlen(text);

    if (l->at == l->len)
        l->at = l->len = 0;
    assert_true(n <= sizeof(l->out) - l->len);
    memcpy(l->out + l->len, text, n);
    l->len += n;
}

static void chunk(struct link *l, const char *text)
{
    char size[24];

    snprintf(size, sizeof(size), "%zx\r\n", strlen(text));
    put(l, size);
    put(l, text);
    put(l, "\r\n");
}

static void head(struct link *l, int status)
{
    char text[128];

    snprintf(text, sizeof(text),
             "HTTP/1.1 %d x\r\nContent-Type: application/json\r\n"
             "Transfer-Encoding: chunked\r\n\r\n",
             status);
    put(l, text);
}

static void refuse(struct link *l, int status)
{
    head(l, status);
    chunk(l, "{\"kind\":\"Status\",\"message\":\"no\"}");
    put(l, "0\r\n\r\n");
}

static const char *object(unsigned key, const struct thing *t)
{
    static char text[1024];
    char fill[513];

    memset(fill, 'x', sizeof(fill));
    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"%c\",\"uid\":\"u%u\","
             "\"resourceVersion\":\"%u\"},\"data\":{\"x\":\"%.*s\"}}",
             (int)('a' + key), t->uid, t->version, (int)t->size, fill);
    return text;
}

static void event(struct link *l, const char *type, const char *text)
{
    char line[1200];

    snprintf(line, sizeof(line), "{\"type\":\"%s\",\"object\":%s}\n", type,
             text);
    chunk(l, line);
}

static void bookmark(struct link *l, bool end)
{
    char text[200];

    snprintf(text, sizeof(text),
             "{\"metadata\":{\"resourceVersion\":\"%u\"%s}}", server.version,
             end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"
                 : "");
    event(l, "BOOKMARK", text);
}

/* The number behind a name in the request's target, or none. */
static unsigned number(const char *target, const char *name, unsigned none)
{
    const char *found = strstr(target, name);

    return found != NULL ? (unsigned)atoi(found + strlen(name)) : none;
}

static void push_events(struct link *l)
{
    while (l->watching && l->seen < server.version) {
        l->seen++;
        if (server.log[l->seen].type[0] != '\0')
            event(l, server.log[l->seen].type,
                  object(server.log[l->seen].key, &server.log[l->seen].thing));
    }
}

static void serve_watch(struct link *l, const char *target)
{
    unsigned from = number(target, "resourceVersion=", 0);

    if (strstr(target, "sendInitialEvents") != NULL && now_playing->refuses) {
        refuse(l, 422);
        return;
    }
    head(l, 200);
    l->watching = true;
    l->until_ms = clock_ms + 1000 * number(target, "timeoutSeconds=", 300);
    if (strstr(target, "sendInitialEvents") != NULL) {
        for (unsigned key = 0; key < KEYS; key++)
            if (server.things[key].lives)
                event(l, "ADDED", object(key, &server.things[key]));
        bookmark(l, true);
        l->seen = server.version;
    } else if (from < server.oldest) {
        event(l, "ERROR", "{\"kind\":\"Status\",\"code\":410}");
        put(l, "0\r\n\r\n");
        l->watching = false;
    } else {
        l->seen = from;
    }
}

/* A page's token is the key it begins with. */
static void serve_list(struct link *l, const char *target)
{
    unsigned limit = number(target, "limit=", 500), sent = 0;
    unsigned key = number(target, "continue=", 0);
    char text[200];
    bool comma = false;

    head(l, 200);
    chunk(l, "{\"kind\":\"ConfigMapList\",\"items\":[");
    for (; key < KEYS && sent < limit; key++) {
        if (!server.things[key].lives)
            continue;
        if (comma)
            chunk(l, ",");
        comma = true;
        chunk(l, object(key, &server.things[key]));
        sent++;
    }
    while (key < KEYS && !server.things[key].lives)
        key++;
    snprintf(text, sizeof(text), "%u", key);
    snprintf(text, sizeof(text),
             key < KEYS ? "],\"metadata\":{\"resourceVersion\":\"%u\","
                          "\"continue\":\"%u\"}}"
                        : "],\"metadata\":{\"resourceVersion\":\"%u\"}}",
             server.version, key);
    chunk(l, text);
    put(l, "0\r\n\r\n");
}

static void serve_object(struct link *l, char name)
{
    unsigned key = (unsigned)(name - 'a');

    assert_true(key < KEYS);
    if (!server.things[key].lives) {
        refuse(l, 404);
        return;
    }
    head(l, 200);
    chunk(l, object(key, &server.things[key]));
    put(l, "0\r\n\r\n");
}

static void refuse_for_now(struct link *l)
{
    put(l, "HTTP/1.1 429 x\r\nRetry-After: Tue, 14 Nov 2023 22:13:25 GMT\r\n"
           "Content-Length: 3\r\n\r\nno\n");
}

static void serve(struct link *l)
{
    char *target = strchr(l->request, ' ') + 1;
    bool authorized = strstr(l->request, "Bearer new\r\n") != NULL;

    server.requests++;
    *strchr(target, ' ') = '\0';
    if (now_playing->token && !authorized)
        refuse(l, 401);
    else if (now_playing->busy && server.requests == 1)
        refuse_for_now(l);
    else if (strstr(target, "watch=1") != NULL)
        serve_watch(l, target);
    else if (strchr(target, '?') != NULL)
        serve_list(l, target);
    else
        serve_object(l, target[strlen(target) - 1]);
}

static void end_watches(void)
{
    for (int i = 0; i < LINKS; i++) {
        if (links[i].watching)
            put(&links[i], "0\r\n\r\n");
        links[i].watching = false;
    }
}

/* Time has passed. */
static void serve_time(void)
{
    for (int i = 0; i < LINKS; i++) {
        struct link *l = &links[i];

        push_events(l);
        if (l->watching && (int32_t)(clock_ms - l->until_ms) >= 0) {
            put(l, "0\r\n\r\n");
            l->watching = false;
        }
    }
}

/* ---- transport ---------------------------------------------------------- */

static int failed(struct link *l, int err)
{
    l->failed = err != KINF_ERR_AGAIN;
    return err;
}

/* How much of it moves at once? */
static size_t part(size_t n, int trick)
{
    if (trick == TRICK_SHORT)
        return 1;
    return now_playing->piece > 0 && n > now_playing->piece ? now_playing->piece
                                                            : n;
}

static int link_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct link *l = ctx;
    int err = call(CALL_OPEN);

    assert_true(host.len == 3 && port == 443);
    assert_false(l->open || l->failed);
    opens++;
    if (err != 0)
        return failed(l, err);
    *l = (struct link){ .open = true };
    return KINF_OK;
}

static int link_send(void *ctx, const void *data, size_t size)
{
    struct link *l = ctx;
    int err = call(CALL_SEND);
    size_t n = part(size, err);

    assert_true(l->open && !l->failed && size > 0);
    if (err < 0)
        return failed(l, err);
    assert_true(l->request_len + n < sizeof(l->request));
    memcpy(l->request + l->request_len, data, n);
    l->request_len += n;
    l->request[l->request_len] = '\0';
    moved++;
    if (l->request_len > 4 &&
        strcmp(l->request + l->request_len - 4, "\r\n\r\n") == 0) {
        l->request_len = 0;
        serve(l);
    }
    return (int)n;
}

static int link_recv(void *ctx, void *data, size_t size)
{
    struct link *l = ctx;
    int err = call(CALL_RECV);
    size_t n = l->len - l->at;

    assert_true(l->open && !l->failed && size > 0);
    if (err < 0)
        return failed(l, err);
    if (n == 0)
        return l->ends ? failed(l, KINF_ERR_CLOSED) : KINF_ERR_AGAIN;
    n = part(n < size ? n : size, err);
    memcpy(data, l->out + l->at, n);
    l->at += n;
    moved++;
    return (int)n;
}

static void link_close(void *ctx)
{
    struct link *l = ctx;

    (void)call(CALL_CLOSE);
    *l = (struct link){ .open = false };
}

static void link_status(void *ctx, struct kinf_transport_status *out)
{
    const struct link *l = ctx;
    int trick = call(CALL_STATUS);

    if (trick == TRICK_NOTHING)
        return;
    out->phase = l->open ? KINF_PHASE_OPEN : KINF_PHASE_CONNECT;
    out->wants = KINF_WANTS_READ | KINF_WANTS_WRITE;
    out->verified = trick != TRICK_ODD && !now_playing->plain;
    out->reason = "words";
}

static const struct kinf_transport_ops ops = { link_open,   link_send,
                                               link_recv,   link_close,
                                               link_status, NULL };

/* ---- handlers ----------------------------------------------------------- */

struct shown {
    struct kinf_listener listener;
    enum kinf_mode mode;
    bool used;
    char key[KEYS][24]; /* the version it was shown last, "" for none */
};
static struct shown handlers[INFORMERS][MODES + 1]; /* the last one is late */

static char *shown_of(struct shown *h, const struct kinf_object *o)
{
    assert_true(h->used);
    assert_int_equal(1, o->name.len);
    assert_true(o->name.ptr[0] >= 'a' && o->name.ptr[0] < 'a' + KEYS);
    return h->key[o->name.ptr[0] - 'a'];
}

static void note(char *shown, const struct kinf_object *o)
{
    memcpy(shown, o->resource_version.ptr, o->resource_version.len);
    shown[o->resource_version.len] = '\0';
}

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    char *shown = shown_of(ctx, o);

    (void)initial;
    assert_string_equal("", shown);
    note(shown, o);
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    struct shown *h = ctx;
    char *shown = shown_of(h, o);

    assert_string_not_equal("", shown);
    assert_true((was == NULL) == (h->mode == KINF_LATEST));
    if (was != NULL)
        assert_memory_equal(shown, was->resource_version.ptr,
                            was->resource_version.len);
    note(shown, o);
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    char *shown = shown_of(ctx, was);

    (void)unknown;
    assert_string_not_equal("", shown);
    shown[0] = '\0';
    return KINF_OK;
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *o)
{
    (void)was;
    note(shown_of(ctx, o), o);
    return KINF_OK;
}

static const struct kinf_event_handler events = { on_add, on_update, on_delete,
                                                  on_truncated, NULL };

/* ---- the world ---------------------------------------------------------- */

static struct kinf k;
static struct kinf_session sessions[LINKS];
static char buffers[LINKS][512];
static struct kinf_informer informers[INFORMERS];
static struct kinf_informer_config configs[INFORMERS];
static _Alignas(8) char memories[INFORMERS][24576];

static const struct kinf_platform platform = { now_ms, wall_s, random_bytes,
                                               NULL };
static struct kinf_config config = { .platform = &platform,
                                     .host = { "api", 3 },
                                     .port = 443 };

static int informer_count(void)
{
    return now_playing->two ? 2 : 1;
}

static void add_handler(int informer, int n, enum kinf_mode mode)
{
    struct shown *h = &handlers[informer][n];

    *h = (struct shown){ .mode = mode, .used = true };
    assert_int_equal(KINF_OK,
                     kinf_listener_add(&informers[informer], &h->listener,
                                       &events, h, mode, 0));
}

static void begin_informer(int n)
{
    static const struct kinf_resource resources[INFORMERS] = {
        KINF_RESOURCE_CONFIGMAPS,
        { { "", 0 }, { "v1", 2 }, { "others", 6 }, { "", 0 } }
    };
    struct kinf_informer_config *c = &configs[n];

    *c = (struct kinf_informer_config){
        .resource = resources[n],
        .streaming = now_playing->stream ? KINF_STREAM_AUTO : KINF_STREAM_NEVER,
        .limit = now_playing->limit,
        .sizes = { .objects = KEYS,
                   .object_bytes = 1024,
                   .fifo = 2,
                   .every = 2,
                   .ring = 2,
                   .latest = 1,
                   .postings = 16,
                   .arena_bytes = now_playing->arena_bytes > 0
                                      ? now_playing->arena_bytes
                                      : 12288 },
        .memory = memories[n],
        .memory_size = sizeof(memories[n]),
        .session = &sessions[0],
        .single = now_playing->single ? &sessions[1] : NULL
    };
    kinf_informer_init(&informers[n], &k, c);
    add_handler(n, 0, KINF_EVERY);
    add_handler(n, 1, KINF_LATEST);
}

static void begin(void)
{
    clock_ms = UINT32_MAX - 3 * MINUTE; /* it wraps on the way */
    chance = 1;
    renewed = false;
    opens = moved = 0;
    memset(&server, 0, sizeof(server));
    memset(links, 0, sizeof(links));
    memset(handlers, 0, sizeof(handlers));
    config.credentials.token = now_playing->token ? token : NULL;
    kinf_init(&k, &config);
    for (int i = 0; i < LINKS; i++)
        kinf_session_init(&sessions[i], &k, &ops, &links[i], buffers[i],
                          now_playing->piece > 0 ? 256 : sizeof(buffers[i]));
    for (int i = 0; i < informer_count(); i++)
        begin_informer(i);
    kinf_start(&k);
}

/* ---- what must hold ----------------------------------------------------- */

static bool shows(const struct shown *h)
{
    char version[24];

    for (unsigned key = 0; h->used && key < KEYS; key++) {
        version[0] = '\0';
        if (server.things[key].lives)
            snprintf(version, sizeof(version), "%u",
                     server.things[key].version);
        if (strcmp(version, h->key[key]) != 0)
            return false;
    }
    return true;
}

static bool last_step;

/* All that it can, and, when there is room, all. */
static bool holds(const struct kinf_informer *inf)
{
    bool enough = now_playing->arena_bytes == 0;

    for (unsigned key = 0; key < KEYS; key++) {
        char name = (char)('a' + key), version[24];
        struct kinf_object o;
        int found = kinf_get(inf, (struct kinf_span){ &name, 1 }, &o);

        if (!server.things[key].lives) {
            if (found != KINF_ERR_NOT_FOUND && found != KINF_ERR_INCOMPLETE)
                return false;
            continue;
        }
        snprintf(version, sizeof(version), "%u", server.things[key].version);
        if (found == KINF_ERR_INCOMPLETE && now_playing->objects > 0 &&
            !last_step)
            continue;
        if (found != KINF_OK || strlen(version) != o.resource_version.len ||
            memcmp(version, o.resource_version.ptr, o.resource_version.len) !=
                0)
            return false;
        if (o.reason != KINF_WHOLE && (enough || last_step))
            return false;
    }
    return true;
}

/* In step with the server, everybody told, and at rest. */
static bool settled(void)
{
    for (int i = 0; i < informer_count(); i++) {
        struct kinf_status s;

        kinf_informer_status(&informers[i], &s);
        if (!s.synced || s.relisting || s.fifo.used > 0 || s.ring.used > 0 ||
            (s.phase != KINF_INFORMER_WATCHING &&
             (!now_playing->two || s.phase != KINF_INFORMER_CONNECTING)) ||
            !holds(&informers[i]))
            return false;
        for (int n = 0; n <= MODES; n++)
            if (!shows(&handlers[i][n]) &&
                (now_playing->objects == 0 || last_step))
                return false;
    }
    return !k.reloading;
}

static bool readable(void)
{
    for (int i = 0; i < LINKS; i++)
        if (links[i].open && (links[i].at < links[i].len || links[i].ends))
            return true;
    return false;
}

/* One poll, and the time until the next. Returns whether nothing moves. */
static bool turn(uint32_t *busy)
{
    unsigned before = moved;
    uint32_t sleep;

    serve_time();
    sleep = kinf_poll(&k);
    for (int i = 0; i < informer_count(); i++)
        kinf_store_check(&informers[i].store, &informers[i].fifo,
                         &informers[i].processor);
    if (moved != before) {
        *busy = 0;
        return false;
    }
    assert_true(++*busy < 5000);
    if (sleep == 0)
        return false;
    if (readable() && sleep > 100)
        sleep = 100;
    clock_ms += sleep < 10000 ? sleep : 10000;
    return true;
}

/* Does a fault go on and on? */
static bool failing(void)
{
    return calls.fired && calls.for_ever && !calls.lifted;
}

/* Until a fault that stays has begun, too. */
static void run_until_settled(void)
{
    uint32_t begun = clock_ms, busy = 0;

    while (!failing() && (!turn(&busy) || !settled())) {
        if (clock_ms - begun > 25 * MINUTE)
            fail_msg("%s: does not settle (call %u%s, answer %d)",
                     now_playing->name, calls.at,
                     calls.for_ever ? " and all after it" : "",
                     calls.fault != NULL ? calls.fault->answer : 0);
    }
}

static void run_for(uint32_t ms)
{
    uint32_t begun = clock_ms, busy = 0;

    while (clock_ms - begun < ms)
        turn(&busy);
}

/* ---- steps -------------------------------------------------------------- */

static void reloaded(void *ctx)
{
    (void)ctx;
    assert_false(links[0].open || links[1].open);
}

static void cut(void)
{
    for (int i = 0; i < LINKS; i++)
        links[i].ends = links[i].open;
}

static void take_word(const char *word)
{
    unsigned key = (unsigned)(word[1] - 'a');

    if (word[0] == '+' || word[0] == '*' || word[0] == '-') {
        change(key, word[0] != '-', word[0] == '*' ? 500 : 20);
    } else if (strcmp(word, "410") == 0) {
        server.oldest = ++server.version;
        end_watches();
    } else if (strcmp(word, "end") == 0) {
        end_watches();
    } else if (strcmp(word, "cut") == 0) {
        cut();
    } else if (strcmp(word, "wait") == 0) {
        run_for(11 * MINUTE);
    } else if (strcmp(word, "late") == 0) {
        add_handler(0, MODES, KINF_EVERY);
    } else if (strcmp(word, "gone") == 0) {
        kinf_listener_remove(&handlers[0][MODES].listener);
        handlers[0][MODES].used = false;
    } else if (strcmp(word, "reload") == 0) {
        kinf_reload(&k, reloaded, NULL);
    } else {
        fail_msg("no step: %s", word);
    }
}

static void take_step(const char *step)
{
    char words[200], *word;

    strcpy(words, step);
    for (word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
        take_word(word);
}

static void end(void)
{
    uint32_t sleep;

    kinf_stop(&k);
    do
        sleep = kinf_poll(&k);
    while (sleep != UINT32_MAX);
    assert_true(kinf_stopped(&k));
    for (int i = 0; i < informer_count(); i++) {
        struct kinf_status s;

        kinf_informer_status(&informers[i], &s);
        assert_int_equal(0, s.entries.used + s.objects.used + s.fifo.used +
                                s.ring.used + s.postings.used);
        assert_null(informers[i].processor.listeners);
    }
    for (int i = 0; i < LINKS; i++)
        assert_false(links[i].open);
}

uint32_t play(const struct scenario *scenario, const struct fault *fault,
              uint32_t fail_at, bool for_ever, uint8_t *kinds, uint32_t max)
{
    now_playing = scenario;
    memset(&calls, 0, sizeof(calls));
    calls.fault = fault;
    calls.at = fail_at;
    calls.for_ever = for_ever;
    calls.kinds = kinds;
    calls.max = max;
    begin();
    for (const char *const *step = scenario->steps; *step != NULL; step++) {
        last_step = step[1] == NULL;
        take_step(*step);
        run_until_settled();
        if (!failing())
            continue;
        run_for(3 * MINUTE);
        assert_true(server.requests + opens < 200);
        calls.lifted = true;
        run_until_settled();
    }
    end();
    assert_true(fail_at == 0 || calls.fired);
    return calls.count;
}
