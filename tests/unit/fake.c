/* SPDX-License-Identifier: Apache-2.0 */
/* fake.c - a world for tests of core; see fake.h. */
#include "fake.h"

#include "store/store_check.h"

/* ---- the platform ------------------------------------------------------- */

uint32_t fake_now_ms;
int64_t fake_wall_s;
uint8_t fake_random;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return fake_now_ms;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return fake_wall_s;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, fake_random, size);
}

const struct kinf_platform fake_platform = { now_ms, wall_s, random_bytes,
                                             NULL };

/* ---- the server --------------------------------------------------------- */

static void put(struct fake_server *s, const char *text)
{
    size_t len = strlen(text);

    if (s->out_at == s->out_len)
        s->out_at = s->out_len = 0;
    assert_true(len <= sizeof(s->out) - s->out_len);
    memcpy(s->out + s->out_len, text, len);
    s->out_len += len;
}

void fake_push(struct fake_server *s, const char *body)
{
    char size[32];

    assert_true(s->chunked);
    if (body[0] == '\0')
        return;
    snprintf(size, sizeof(size), "%zx\r\n", strlen(body));
    put(s, size);
    put(s, body);
    put(s, "\r\n");
}

void fake_finish(struct fake_server *s)
{
    assert_true(s->chunked);
    put(s, "0\r\n\r\n");
    s->chunked = false;
}

void fake_cut(struct fake_server *s)
{
    s->ends = true;
}

static void answer(struct fake_server *s, const struct fake_answer *a)
{
    char head[256];

    if (a->status == 0 && a->end != FAKE_RAW) {
        s->ends = true;
        return;
    }
    if (a->end == FAKE_RAW) {
        put(s, a->body);
        return;
    }
    snprintf(head, sizeof(head), "HTTP/1.1 %d Words\r\n%s", a->status,
             a->end == FAKE_CLOSE ? "Connection: close\r\n" : "");
    put(s, head);
    if (a->headers == NULL || strstr(a->headers, "Content-Type:") == NULL)
        put(s, "Content-Type: application/json\r\n");
    if (a->headers != NULL)
        put(s, a->headers);
    put(s, "Transfer-Encoding: chunked\r\n\r\n");
    s->chunked = true;
    fake_push(s, a->body != NULL ? a->body : "");
    if (a->end == FAKE_WHOLE || a->end == FAKE_CLOSE)
        fake_finish(s);
    s->ends = a->end == FAKE_CUT || a->end == FAKE_CLOSE;
}

/* A whole request has come. */
static void serve(struct fake_server *s)
{
    const char *target = strchr(s->request, ' ');
    size_t len = strcspn(target + 1, " "), used = strlen(s->log);

    s->requests++;
    assert_true(used + len + 2 < sizeof(s->log));
    memcpy(s->log + used, target + 1, len);
    strcpy(s->log + used + len, "\n");
    if (s->at == s->count)
        return;
    if (s->answers[s->at].to != NULL &&
        strstr(s->log + used, s->answers[s->at].to) == NULL)
        fail_msg("answer %zu is for %s, asked for is %s", s->at,
                 s->answers[s->at].to, s->log + used);
    answer(s, &s->answers[s->at++]);
}

static int fake_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct fake_server *s = ctx;

    assert_true(host.len > 0 && port > 0);
    assert_false(s->open);
    if (s->turn++ < s->open_turns)
        return KINF_ERR_AGAIN;
    s->turn = 0;
    s->opens++;
    if (s->open_error != 0)
        return s->open_error;
    s->open = true;
    s->ends = s->chunked = false;
    s->request_len = s->out_at = s->out_len = 0;
    return KINF_OK;
}

static size_t part(const struct fake_server *s, size_t size)
{
    return s->piece > 0 && s->piece < size ? s->piece : size;
}

static int fake_send(void *ctx, const void *data, size_t size)
{
    struct fake_server *s = ctx;
    size_t n = part(s, size);

    assert_true(s->open && size > 0);
    if (s->send_error != 0)
        return s->send_error;
    if (s->ends && s->out_at == s->out_len)
        return KINF_ERR_CLOSED;
    assert_true(s->request_len + n < sizeof(s->request));
    memcpy(s->request + s->request_len, data, n);
    s->request_len += n;
    s->request[s->request_len] = '\0';
    if (s->request_len > 4 &&
        strcmp(s->request + s->request_len - 4, "\r\n\r\n") == 0) {
        s->request_len = 0;
        serve(s);
    }
    return (int)n;
}

static int fake_recv(void *ctx, void *data, size_t size)
{
    struct fake_server *s = ctx;
    size_t n = part(s, size);

    assert_true(s->open && size > 0);
    s->receives++;
    if (n > s->out_len - s->out_at)
        n = s->out_len - s->out_at;
    if (n == 0 && s->recv_error != 0)
        return s->recv_error;
    if (n == 0)
        return s->ends ? KINF_ERR_CLOSED : KINF_ERR_AGAIN;
    memcpy(data, s->out + s->out_at, n);
    s->out_at += n;
    return (int)n;
}

static void fake_close(void *ctx)
{
    struct fake_server *s = ctx;

    s->closes += s->open;
    s->open = false;
    s->turn = 0;
}

static void fake_tell(void *ctx, struct kinf_transport_status *out)
{
    const struct fake_server *s = ctx;

    out->phase = s->open ? KINF_PHASE_OPEN : s->phase;
    out->wants = s->wants != 0 ? s->wants : (unsigned)KINF_WANTS_READ;
    out->wait_ms = s->wait_ms;
    out->verified = !s->unverified;
    out->level = s->level;
    out->reason = s->reason;
}

static void fake_forget(void *ctx)
{
    struct fake_server *s = ctx;

    s->forgets++;
}

const struct kinf_transport_ops fake_transport = {
    fake_open, fake_send, fake_recv, fake_close, fake_tell, fake_forget
};

const char *fake_nth(const struct fake_server *s, unsigned n)
{
    static char line[1024];
    const char *at = s->log;
    size_t len;

    for (; n > 1 && *at != '\0'; n--)
        at += strcspn(at, "\n") + 1;
    len = strcspn(at, "\n");
    assert_true(len < sizeof(line));
    memcpy(line, at, len);
    line[len] = '\0';
    return line;
}

const char *fake_target(const struct fake_server *s, unsigned n)
{
    unsigned lines = 0;

    for (const char *at = s->log; *at != '\0'; at++)
        lines += *at == '\n';
    return n < lines ? fake_nth(s, lines - n) : "";
}

unsigned fake_count(const struct fake_server *s, const char *text)
{
    unsigned count = 0;

    for (const char *line = s->log; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *found = strstr(line, text);

        count += found != NULL && found < line + len;
        line += len + 1;
    }
    return count;
}

/* ---- the handler -------------------------------------------------------- */

static int note(struct fake_handler *h, const char *format, ...)
{
    size_t used = strlen(h->log);
    va_list args;

    h->calls++;
    if (h->answer != KINF_OK)
        return h->answer;
    va_start(args, format);
    vsnprintf(h->log + used, sizeof(h->log) - used, format, args);
    va_end(args);
    return KINF_OK;
}

#define TEXT(span) (int)(span).len, (span).ptr

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    return note(ctx, "%s %.*s@%.*s ", initial ? "initial" : "add",
                TEXT(o->name), TEXT(o->resource_version));
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    static const struct kinf_span nobody = { "", 0 };
    struct kinf_span old = was != NULL ? was->resource_version : nobody;

    return note(ctx, "update %.*s@%.*s>%.*s ", TEXT(o->name), TEXT(old),
                TEXT(o->resource_version));
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    return note(ctx, "%s %.*s@%.*s ", unknown ? "lost" : "delete",
                TEXT(was->name), TEXT(was->resource_version));
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *o)
{
    (void)was;
    return note(ctx, "truncated %.*s@%.*s ", TEXT(o->name),
                TEXT(o->resource_version));
}

static bool filter(void *ctx, const struct kinf_object *object)
{
    const struct fake_handler *h = ctx;

    return h->passes(object);
}

const struct kinf_event_handler fake_events = {
    on_add, on_update, on_delete, on_truncated, NULL
};
const struct kinf_event_handler fake_filtered = {
    on_add, on_update, on_delete, on_truncated, filter
};

const char *fake_shown(struct fake_handler *h)
{
    static char shown[sizeof(h->log)];
    size_t len = strlen(h->log);

    if (len > 0)
        h->log[len - 1] = '\0'; /* the last space */
    memcpy(shown, h->log, sizeof(shown));
    h->log[0] = '\0';
    return shown;
}

/* ---- the world ---------------------------------------------------------- */

static void on_error(void *ctx, int err, int http_status,
                     struct kinf_span message,
                     const struct kinf_object *object)
{
    struct fake_world *w = ctx;

    w->object[0] = '\0';
    if (object != NULL)
        snprintf(w->object, sizeof(w->object), "%.*s/%.*s",
                 TEXT(object->namespace_), TEXT(object->name));
    assert_true(err < 0 && err > -KINF_ERR_COUNT);
    w->errors[-err]++;
    w->http_status = http_status;
    snprintf(w->words, sizeof(w->words), "%.*s", TEXT(message));
}

void fake_prepare(struct fake_world *w)
{
    memset(w, 0, sizeof(*w));
    fake_now_ms = 1000;
    fake_wall_s = 1700000000;
    fake_random = 0;
    w->server.phase = w->second.phase = KINF_PHASE_CONNECT;
    w->config = (struct kinf_config){
        .platform = &fake_platform, .host = KINF_SPAN("host"), .port = 443
    };
    w->informer = (struct kinf_informer_config){
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .streaming = KINF_STREAM_NEVER,
        .sizes = { .objects = 16, .object_bytes = 1024, .arena_bytes = 16384,
                   .fifo = 4, .every = 2, .ring = 4, .latest = 2,
                   .postings = 32 },
        .on_error = on_error, .ctx = w
    };
}

void fake_begin(struct fake_world *w)
{
    struct kinf_informer_config *c = &w->informer;

    c->memory_size = kinf_informer_bytes(&c->sizes);
    c->memory = malloc(c->memory_size);
    assert_non_null(c->memory);
    kinf_init(&w->k, &w->config);
    if (c->source == NULL && c->session == NULL) {
        kinf_session_init(&w->session, &w->k, &fake_transport, &w->server,
                          w->buffer, sizeof(w->buffer));
        c->session = &w->session;
    }
    if (w->with_single) {
        kinf_session_init(&w->single, &w->k, &fake_transport, &w->second,
                          w->second_buffer, sizeof(w->second_buffer));
        c->single = &w->single;
    }
    kinf_informer_init(&w->inf, &w->k, c);
    EXPECT_ERR(KINF_OK, kinf_listener_add(&w->inf, &w->handler.listener,
                                          &fake_events, &w->handler, w->mode,
                                          w->resync_ms));
    if (!w->idle)
        kinf_start(&w->k);
}

unsigned fake_run(struct fake_world *w, uint32_t ms)
{
    uint32_t end = fake_now_ms + ms;

    for (unsigned polls = 1;; polls++) {
        uint32_t sleep = kinf_poll(&w->k), left = end - fake_now_ms;

        kinf_store_check(&w->inf.store, &w->inf.fifo, &w->inf.processor);
        assert_true(polls < 200000);
        if (left == 0 && sleep > 0)
            return polls;
        fake_now_ms += sleep < left ? sleep : left;
    }
}

void fake_end_world(struct fake_world *w)
{
    struct kinf_status s;

    kinf_stop(&w->k);
    for (int i = 0; i < 1000 && !kinf_stopped(&w->k); i++)
        kinf_poll(&w->k);
    assert_true(kinf_stopped(&w->k));
    s = fake_status(w);
    assert_int_equal(0, s.entries.used);
    assert_int_equal(0, s.objects.used);
    assert_int_equal(0, s.arena.used);
    assert_int_equal(0, s.fifo.used);
    assert_int_equal(0, s.ring.used);
    assert_int_equal(0, s.postings.used);
    free(w->informer.memory);
}

struct kinf_status fake_status(const struct fake_world *w)
{
    struct kinf_status s;

    kinf_informer_status(&w->inf, &s);
    return s;
}

struct kinf_span fake_span(const char *text)
{
    return (struct kinf_span){ text, strlen(text) };
}

const char *fake_error(int err)
{
    static char number[2][16];
    static int turn;

    switch (err) {
    case KINF_OK:
        return "KINF_OK";
#define X(name, code, text)                                                    \
    case KINF_ERR_##name:                                                      \
        return "KINF_ERR_" #name;
        KINF_ERR_MAP(X)
#undef X
    default:
        turn = !turn;
        snprintf(number[turn], sizeof(number[turn]), "%d", err);
        return number[turn];
    }
}
