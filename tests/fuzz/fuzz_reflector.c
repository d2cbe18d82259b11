/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_reflector.c - the whole library on connections that play the input:
 * bytes, errors, time, slow handlers. After each step the store is sound and
 * the loop comes to rest; each handler is called in a legal order; what is held
 * at the end was said by the server; stopped, all pools are empty.
 *
 * Input: the informers' configuration (see set_up), then steps, a byte each
 * with its arguments (see step). Answers are made of templates, or of bytes of
 * the input framed as a chunk or as they stand. */
#include <inttypes.h>
#include <stdarg.h>

#include "fuzz.h"
#include "store/store_check.h"
#include "wire/http_response.h"

enum { LINKS = 2, INFORMERS = 2, LISTENERS = 3, SHOWN = 64, ANSWERS = 512 };

/* ---- connections -------------------------------------------------------- */

struct link {
    bool open, hears;      /* hears: a request has been sent */
    int open_error, error; /* what open and, after the bytes, recv say */
    size_t piece;          /* recv gives at most so many bytes */
    bool slow;             /* send takes one byte at a time */
    struct told bytes;     /* to be received */
    size_t at;
    struct kinf_http_response parser; /* what was received, for answers */
    bool lost;                        /* it cannot be parsed */
};

static struct link links[LINKS];
static struct link *talked; /* the link that was asked last */
static uint32_t clock_ms;
static uint64_t dice_state;
static uint32_t moved; /* bytes and calls that got somewhere */

/* Bodies of all answers, one each. */
static struct told answers[ANSWERS];
static size_t answer_count;

static void new_answer(struct link *l)
{
    kinf_http_response_init(&l->parser);
    l->lost = answer_count == ANSWERS;
    answer_count += !l->lost;
}

/* Two links may be in the middle of an answer at one time. */
static size_t answer_of[LINKS];

static void follow(struct link *l, const char *data, size_t size)
{
    size_t used, n = (size_t)(l - links);
    struct kinf_span body;
    int event;

    while (size > 0 && !l->lost) {
        event = kinf_http_response_feed(&l->parser, data, size, &used, &body);
        data += used;
        size -= used;
        if (event == HTTP_BODY)
            told_bytes(&answers[answer_of[n]], body.ptr, body.len);
        if (event == HTTP_END) {
            new_answer(l);
            answer_of[n] = answer_count - 1;
        }
        if (event < 0 && event != KINF_ERR_AGAIN)
            l->lost = true;
    }
}

static int link_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct link *l = ctx;

    MUST(host.len == 3 && port == 6443 && !l->open);
    if (l->open_error != KINF_OK)
        return l->open_error;
    l->open = true;
    new_answer(l);
    answer_of[l - links] = answer_count - 1;
    return KINF_OK;
}

static int link_send(void *ctx, const void *data, size_t size)
{
    struct link *l = ctx;
    const char *bytes = data;

    MUST(l->open && size > 0);
    (void)bytes[size - 1];
    moved++;
    talked = l;
    l->hears = true;
    return l->slow ? 1 : (int)size;
}

static int link_recv(void *ctx, void *data, size_t size)
{
    struct link *l = ctx;
    size_t n = l->bytes.len - l->at;

    MUST(l->open && size > 0);
    if (n == 0)
        return l->error != KINF_OK ? l->error : KINF_ERR_AGAIN;
    if (n > size)
        n = size;
    if (n > l->piece)
        n = l->piece;
    memcpy(data, l->bytes.text + l->at, n);
    follow(l, l->bytes.text + l->at, n);
    l->at += n;
    moved++;
    return (int)n;
}

static void link_close(void *ctx)
{
    struct link *l = ctx;

    l->open = l->hears = false;
    l->bytes.len = l->at = 0;
    l->error = KINF_OK;
}

static void link_status(void *ctx, struct kinf_transport_status *out)
{
    struct link *l = ctx;

    out->phase = l->open ? KINF_PHASE_OPEN : KINF_PHASE_CONNECT;
    out->verified = true;
    out->wants = KINF_WANTS_READ;
    out->reason = "words of the transport";
}

static const struct kinf_transport_ops ops = { link_open,   link_send,
                                               link_recv,   link_close,
                                               link_status, NULL };

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    unsigned char *p = out;

    (void)ctx;
    while (size-- > 0) {
        dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
        *p++ = (unsigned char)(dice_state >> 33);
    }
}

static struct kinf_span token(void *ctx, bool refused)
{
    (void)ctx;
    return refused ? KINF_SPAN("another") : KINF_SPAN("secret");
}

static const struct kinf_platform platform = { now_ms, wall_s, random_bytes,
                                               NULL };
static struct kinf_config config = {
    .platform = &platform,
    .host = { "api", 3 },
    .port = 6443,
};

/* ---- handlers ----------------------------------------------------------- */

struct shown {
    char key[600], version[64];
};

struct watcher {
    struct kinf_listener listener;
    enum kinf_mode mode;
    bool used;
    int answer; /* what its handler returns */
    struct shown shown[SHOWN];
    size_t count;
};

static struct watcher watchers[INFORMERS][LISTENERS];

static void check_object(const struct kinf_object *o)
{
    MUST(o->name.len > 0);
    if (o->reason == KINF_WHOLE)
        MUST(o->json.len > 1 && o->json.ptr[0] == '{' &&
             o->json.ptr[o->json.len - 1] == '}' && o->uid.len < 512);
    else
        MUST(o->json.len == 0);
}

static struct shown *find(struct watcher *w, const struct kinf_object *o)
{
    char key[600];
    int n = kinf_object_key(o, key, sizeof(key) - 1);

    MUST(n > 0);
    key[n] = '\0';
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->shown[i].key, key) == 0)
            return &w->shown[i];
    return NULL;
}

static void note(struct shown *s, const struct kinf_object *o)
{
    size_t n = o->resource_version.len;

    MUST(n < sizeof(s->version));
    if (n > 0)
        memcpy(s->version, o->resource_version.ptr, n);
    s->version[n] = '\0';
}

static void check_was(const struct watcher *w, const struct shown *s,
                      const struct kinf_object *was)
{
    if (w->mode == KINF_LATEST) {
        MUST(was == NULL);
        return;
    }
    MUST(was != NULL);
    check_object(was);
    MUST(strlen(s->version) == was->resource_version.len &&
         memcmp(s->version, was->resource_version.ptr,
                was->resource_version.len) == 0);
}

static void show(struct watcher *w, const struct kinf_object *o)
{
    struct shown *s = &w->shown[w->count++];
    int n;

    MUST(w->count <= SHOWN);
    n = kinf_object_key(o, s->key, sizeof(s->key) - 1);
    MUST(n > 0);
    s->key[n] = '\0';
    note(s, o);
}

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    struct watcher *w = ctx;

    (void)initial;
    MUST(w->used);
    check_object(o);
    MUST(o->reason == KINF_WHOLE && find(w, o) == NULL);
    if (w->answer == KINF_OK)
        show(w, o);
    return w->answer;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    struct watcher *w = ctx;
    struct shown *s = find(w, o);

    MUST(w->used && s != NULL && o->reason == KINF_WHOLE);
    check_object(o);
    check_was(w, s, was);
    if (w->answer == KINF_OK)
        note(s, o);
    return w->answer;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    struct watcher *w = ctx;
    struct shown *s;

    (void)unknown;
    MUST(w->used && was != NULL);
    s = find(w, was);
    MUST(s != NULL);
    if (w->answer == KINF_OK)
        *s = w->shown[--w->count];
    return w->answer;
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *o)
{
    struct watcher *w = ctx;
    struct shown *s = find(w, o);

    MUST(w->used && o->reason != KINF_WHOLE);
    check_object(o);
    if (w->mode == KINF_EVERY)
        MUST((was != NULL) == (s != NULL));
    if (s != NULL)
        check_was(w, s, was);
    if (w->answer == KINF_OK && s != NULL)
        note(s, o);
    else if (w->answer == KINF_OK)
        show(w, o);
    return w->answer;
}

static const struct kinf_event_handler handler = { on_add, on_update, on_delete,
                                                   on_truncated, NULL };

/* All of it can be read: a sanitizer would say. */
static void look_at(struct kinf_span text)
{
    volatile char sum = 0;

    for (size_t i = 0; i < text.len; i++)
        sum = (char)(sum + text.ptr[i]);
}

static void on_error(void *ctx, int err, int http_status,
                     struct kinf_span message, const struct kinf_object *object)
{
    (void)ctx;
    MUST(err < 0 && err > -KINF_ERR_COUNT && http_status >= 0);
    look_at(message);
    if (object == NULL)
        return;
    /* Without a name only where it says so; the text may break before it. */
    MUST(object->name.len > 0 || err == KINF_ERR_NO_IDENTITY ||
         err == KINF_ERR_JSON);
    look_at(object->name);
    look_at(object->namespace_);
    look_at(object->uid);
    look_at(object->resource_version);
}

static int index_data(const struct kinf_object *o, unsigned n, char *value,
                      size_t size)
{
    struct kinf_value v;

    if (n > 0 || kinf_find(o, "data.x", &v) != KINF_OK)
        return KINF_ERR_NOT_FOUND;
    return v.raw.len > size ? KINF_ERR_NOT_FOUND : kinf_string(v, value, size);
}

/* ---- set-up ------------------------------------------------------------- */

static struct kinf k;
static struct kinf_session sessions[LINKS];
static char buffers[LINKS][512];
static struct kinf_informer informers[INFORMERS];
static struct kinf_informer_config configs[INFORMERS];
static size_t informer_count;
static void *memories[INFORMERS];
static const struct kinf_span keep[] = { { "data.x", 6 },
                                         { "metadata.labels", 15 } };

static struct kinf_sizes sizes_of(struct dice *d)
{
    uint8_t a = dice_byte(d), b = dice_byte(d);
    struct kinf_sizes z = { .objects = 1 + a % 8,
                            .object_bytes = 512,
                            .fifo = 1 + (a >> 3) % 3,
                            .every = (a >> 5) % 3,
                            .ring = 1 + b % 3,
                            .latest = (b >> 2) % 3,
                            .postings = (b & 16) ? 8u : 0 };

    z.arena_bytes = 2 * (512 + 32) + 256u * (b >> 5);
    return z;
}

static void set_up_informer(struct dice *d, uint8_t bits)
{
    static const struct kinf_resource resources[INFORMERS] = {
        KINF_RESOURCE_CONFIGMAPS, KINF_RESOURCE_SECRETS
    };
    size_t n = informer_count++;
    struct kinf_informer_config *c = &configs[n];

    *c = (struct kinf_informer_config){
        .resource = resources[n],
        .sizes = sizes_of(d),
        .session = &sessions[0],
        .on_error = on_error,
        .single = (bits & 1) ? &sessions[1] : NULL,
        .streaming = (bits & 2) ? KINF_STREAM_NEVER : KINF_STREAM_AUTO,
        .metadata_only = bits & 4,
        .limit = bits >> 3 & 3,
        .poll_ms = (bits & 32) ? 5000 : 0,
        .verify_ms = (bits & 64) ? 600000 : 0
    };
    if (bits & 128) {
        c->keep = keep;
        c->keep_count = 2;
    }
    c->memory_size = kinf_informer_bytes(&c->sizes);
    c->memory = calloc(1, c->memory_size);
    memories[n] = c->memory;
    MUST(c->memory != NULL);
    kinf_informer_init(&informers[n], &k, c);
}

static void add_listener(size_t informer, size_t n, enum kinf_mode mode,
                         uint32_t resync_ms)
{
    struct watcher *w = &watchers[informer][n];

    if (w->used && !kinf_listener_gone(&w->listener))
        return;
    *w = (struct watcher){ .mode = mode };
    w->used = kinf_listener_add(&informers[informer], &w->listener, &handler, w,
                                mode, resync_ms) == KINF_OK;
}

static void set_up(struct dice *d)
{
    uint8_t bits = dice_byte(d), more = dice_byte(d);

    dice_state = 1;
    clock_ms = (more & 1) ? UINT32_MAX - 5000 : 1000;
    config.credentials.token = (more & 2) ? token : NULL;
    memset(watchers, 0, sizeof(watchers));
    kinf_init(&k, &config);
    for (int i = 0; i < LINKS; i++) {
        links[i] = (struct link){ .piece = 1 + (more & 0x70) * 4u };
        kinf_session_init(&sessions[i], &k, &ops, &links[i], buffers[i],
                          256 + 64u * (more >> 6));
    }
    talked = &links[0];
    informer_count = 0;
    set_up_informer(d, bits);
    if (more & 4)
        set_up_informer(d, bits);
    for (size_t i = 0; i < informer_count; i++) {
        add_listener(i, 0, (more & 8) ? KINF_EVERY : KINF_LATEST, 0);
        add_listener(i, 1, KINF_LATEST, 30000);
    }
    kinf_start(&k);
}

/* ---- what the server says ----------------------------------------------- */

static void say(const char *bytes, size_t len)
{
    if (talked->open && talked->bytes.len < 1 << 16)
        told_bytes(&talked->bytes, bytes, len);
}

static void say_chunk(const char *bytes, size_t len)
{
    char head[16];
    int n = snprintf(head, sizeof(head), "%zx\r\n", len);

    if (len == 0)
        return;
    say(head, (size_t)n);
    say(bytes, len);
    say("\r\n", 2);
}

__attribute__((format(printf, 1, 2))) static void chunk(const char *format, ...)
{
    char text[2048];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say_chunk(text, (size_t)n);
}

static void say_head(uint8_t which)
{
    static const char *const heads[] = {
        "200 OK\r\nContent-Type: application/json",
        "200 OK\r\nContent-Type: application/json",
        "401 Unauthorized\r\nContent-Type: application/json",
        "403 Forbidden\r\nContent-Type: application/json",
        "404 Not Found\r\nContent-Type: text/plain",
        "405 Method\r\nContent-Type: application/json",
        "410 Gone\r\nContent-Type: application/json",
        "429 Busy\r\nRetry-After: 5\r\nContent-Type: text/plain",
        "500 Broken\r\nContent-Type: application/json",
        "504 Timeout\r\nContent-Type: application/json",
        "422 Invalid\r\nContent-Type: application/json",
        "302 Found\r\nLocation: x",
        "200 OK\r\nContent-Type: text/html",
    };
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n",
                     heads[which % (sizeof(heads) / sizeof(heads[0]))]);

    say(text, (size_t)n);
}

/* An object of the key, uid, version and size that the bytes say. */
static int write_object(struct dice *d, char *out, size_t size)
{
    uint8_t key = dice_byte(d), bits = dice_byte(d), version = dice_byte(d);
    static const char filler[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    int fill = (bits & 7) * 64;

    return snprintf(out, size,
                    "{\"metadata\":{\"name\":\"k%d\",\"namespace\":\"n%d\","
                    "\"uid\":\"u%d\",\"resourceVersion\":\"%d\","
                    "\"labels\":{\"a\":\"b\"}},\"data\":{\"x\":\"%.*s\","
                    "\"y\":\"%.*s\"}}",
                    key & 15, key >> 4 & 1, bits >> 3, 100 + version, fill / 2,
                    filler, fill / 2, filler);
}

static void say_event(struct dice *d)
{
    static const char *const types[] = { "ADDED", "MODIFIED", "DELETED",
                                         "MODIFIED", "ODD" };
    const char *type = types[dice_byte(d) % 5];
    char object[1400];

    write_object(d, object, sizeof(object));
    chunk("{\"type\":\"%s\",\"object\":%s}\n", type, object);
}

static void say_list(struct dice *d)
{
    uint8_t version = dice_byte(d), more = dice_byte(d);

    chunk("{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"%d\""
          "%s},\"items\":[",
          100 + version, (more & 1) ? ",\"continue\":\"token\"" : "");
}

static void say_item(struct dice *d, bool comma)
{
    char object[1400];

    write_object(d, object, sizeof(object));
    chunk("%s%s", comma ? "," : "", object);
}

static void say_bookmark(struct dice *d)
{
    uint8_t version = dice_byte(d), end = dice_byte(d);

    chunk("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\","
          "\"metadata\":{\"resourceVersion\":\"%d\"%s}}}\n",
          100 + version,
          (end & 1) ? ",\"annotations\":{\"k8s.io/initial-events-end\":"
                      "\"true\"}"
                    : "");
}

static void say_error(struct dice *d)
{
    static const int codes[] = { 410, 500, 504, 429, 403 };
    int code = codes[dice_byte(d) % 5];

    chunk("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":%d,"
          "\"message\":\"it is so\"}}\n",
          code);
}

static void say_status(struct dice *d)
{
    chunk("{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"no\","
          "\"code\":%d%s}",
          400 + dice_byte(d),
          (dice_byte(d) & 1) ? ",\"details\":{\"causes\":[{\"reason\":"
                               "\"ResourceVersionTooLarge\"}]}"
                             : "");
}

/* ---- checks ------------------------------------------------------------- */

static void check(void)
{
    struct kinf_status status;

    for (size_t i = 0; i < informer_count; i++) {
        if (informers[i].stopped)
            continue;
        kinf_store_check(&informers[i].store, &informers[i].fifo,
                         &informers[i].processor);
        kinf_informer_status(&informers[i], &status);
        MUST(status.entries.used <= status.entries.size);
        MUST(status.complete <= status.synced);
    }
}

/* Polls until nothing is to be done before more bytes or more time. */
static void run(void)
{
    uint32_t polls = 0, before = moved;

    while (kinf_poll(&k) == 0) {
        check();
        if (moved != before)
            polls = 0;
        before = moved;
        MUST(++polls < 3000);
    }
    check();
}

static bool was_said(struct kinf_span json)
{
    for (size_t i = answer_count; i-- > 0;)
        if (json_came_from(
                json, (struct kinf_span){ answers[i].text, answers[i].len }))
            return true;
    return false;
}

static void look(size_t informer, const char *selector)
{
    struct kinf_list_options options = { .label_selector = {
                                             selector, strlen(selector) } };
    struct kinf_list_cursor cursor;
    struct kinf_object o;
    int more, count = 0;

    if (kinf_list(&informers[informer], &cursor, &options) != KINF_OK)
        return;
    while ((more = kinf_list_next(&informers[informer], &cursor, &o)) == 1 ||
           more == KINF_ERR_AGAIN) {
        if (more != 1)
            continue;
        check_object(&o);
        MUST(++count <= 16);
        if (o.reason == KINF_WHOLE && answer_count < ANSWERS)
            MUST(json_is_valid(o.json) && was_said(o.json));
    }
    MUST(more == 0 || more == KINF_INCOMPLETE);
}

/* ---- steps -------------------------------------------------------------- */

static void closed(void *ctx)
{
    (void)ctx;
    MUST(!links[0].open && !links[1].open);
}

static int error_of(uint8_t byte)
{
    static const int errors[] = { KINF_ERR_CLOSED,  KINF_ERR_TIMEOUT,
                                  KINF_ERR_REFUSED, KINF_ERR_NAME,
                                  KINF_ERR_TLS,     KINF_ERR_NOT_TRUSTED,
                                  KINF_ERR_EXPIRED, KINF_ERR_NO_MEMORY,
                                  KINF_ERR_AGAIN,   KINF_OK };

    return errors[byte % (sizeof(errors) / sizeof(errors[0]))];
}

static void step_listener(uint8_t byte)
{
    size_t informer = byte & 1 ? informer_count - 1 : 0;
    struct watcher *w = &watchers[informer][(byte >> 1) % LISTENERS];

    if (informers[informer].stopped)
        return;
    switch (byte >> 3 & 3) {
    case 0:
        if (w->used) {
            kinf_listener_remove(&w->listener);
            if (kinf_listener_gone(&w->listener))
                w->used = false;
        }
        break;
    case 1:
        add_listener(informer, (byte >> 1) % LISTENERS,
                     (byte & 32) ? KINF_EVERY : KINF_LATEST,
                     (byte & 64) ? 1000 : 0);
        break;
    case 2:
        w->answer = (byte & 32) ? KINF_ERR_AGAIN : 50;
        break;
    default:
        w->answer = KINF_OK;
        if (w->used && !kinf_listener_gone(&w->listener))
            kinf_listener_resume(&w->listener);
        break;
    }
}

static void step(struct dice *d)
{
    struct kinf_span text;
    uint8_t byte;

    switch (dice_byte(d) & 31) {
    case 0:
        text = dice_text(d, dice_byte(d));
        say(text.ptr, text.len);
        break;
    case 1:
        text = dice_text(d, dice_byte(d));
        say_chunk(text.ptr, text.len);
        break;
    case 2:
        say_head(0);
        break;
    case 3:
        say_head(dice_byte(d));
        break;
    case 4:
    case 5:
        say_event(d);
        break;
    case 6:
        say_list(d);
        break;
    case 7:
        say_item(d, false);
        break;
    case 8:
        say_item(d, true);
        break;
    case 9:
        chunk("]}");
        say("0\r\n\r\n", 5);
        break;
    case 10:
        say("0\r\n\r\n", 5);
        break;
    case 11:
        say_bookmark(d);
        break;
    case 12:
        say_error(d);
        break;
    case 13:
        say_status(d);
        say("0\r\n\r\n", 5);
        break;
    case 14:
        talked->error = error_of(dice_byte(d));
        break;
    case 15:
        byte = dice_byte(d);
        links[byte & 1].open_error = error_of((uint8_t)(byte >> 1));
        break;
    case 16:
        clock_ms += dice_byte(d);
        break;
    case 17:
        clock_ms += dice_byte(d) * 1000u;
        break;
    case 18:
        clock_ms += dice_byte(d) * 60000u;
        break;
    case 19:
    case 20:
        step_listener(dice_byte(d));
        break;
    case 21:
        byte = dice_byte(d);
        if (!informers[0].stopped)
            look(0, byte & 1 ? "a=b" : "");
        break;
    case 22:
        talked->piece = 1 + dice_byte(d);
        break;
    case 23:
        byte = dice_byte(d);
        talked = &links[byte & 1];
        talked->slow = byte & 2;
        break;
    case 24:
        kinf_reload(&k, closed, NULL);
        break;
    case 25:
        if (informers[0].config->sizes.postings > 0 && !informers[0].stopped &&
            informers[0].store.index_count == 1)
            (void)kinf_informer_index(&informers[0], "x", index_data);
        break;
    case 26:
        kinf_informer_stop(&informers[dice_byte(d) % informer_count]);
        break;
    case 27: /* a small object, whole, as a GET is answered */
        say_head(0);
        say_item(d, false);
        say("0\r\n\r\n", 5);
        break;
    default: /* time alone */
        clock_ms += 1;
        break;
    }
}

/* ---- the end ------------------------------------------------------------ */

static void tear_down(void)
{
    for (size_t i = 0; i < informer_count; i++)
        if (!informers[i].stopped)
            look(i, "");
    kinf_stop(&k);
    for (int i = 0; kinf_poll(&k) != UINT32_MAX; i++)
        MUST(i < 10);
    MUST(kinf_stopped(&k));
    for (size_t i = 0; i < informer_count; i++) {
        MUST(informers[i].store.entry_pool.used == 0);
        MUST(informers[i].store.record_pool.used == 0);
        MUST(informers[i].processor.listeners == NULL);
        free(memories[i]);
    }
    for (int i = 0; i < LINKS; i++) {
        MUST(!links[i].open);
        told_free(&links[i].bytes);
    }
    for (size_t i = 0; i < answer_count; i++)
        told_free(&answers[i]);
    answer_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { data, data + size };
    int steps = 0;

    set_up(&d);
    run();
    while (d.at < d.end && steps++ < 400) {
        step(&d);
        run();
    }
    tear_down();
    return 0;
}
