/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - what an event costs from a decrypted record to the handler: a
 * transport of this file's own gives a watch whose events are 600 bytes of
 * JSON, one a record, and the clocks of kinf_poll are summed. */
#include <string.h>

#include "board.h"
#include "print.h"

#define EVENTS 200

static const char list[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Content-Length: 92\r\n\r\n"
    "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\","
    "\"metadata\":{\"resourceVersion\":\"1000\"},\"items\":[]}\n";
static const char head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
#define VERSION_AT 230
static const char event[] =
    "258\r\n"
    "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":"
    "\"v1\",\"metadata\":{\"name\":\"settings\",\"namespace\":\"default\","
    "\"uid\":\"0a1b2c3d-4e5f-6789-abcd-ef0123456789\",\"creationTimestamp\":"
    "\"2026-01-01T00:00:00Z\",\"resourceVersion\":\"001001\","
    "\"managedFields\":[{\"manager\":\"kubectl\",\"operation\":\"Update\","
    "\"apiVersion\":\"v1\",\"time\":\"2026-01-01T00:00:00Z\",\"fieldsType\":"
    "\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\".\":{},\"f:a\":{},\"f:b\":{}}}}]"
    "},\"data\":{\"a\":\"0123456789 0123456789 0123456789 0123456789\","
    "\"b\":\"abcdefghij abcdefghij abcdefghij abcdefghij abcdefgh\","
    "\"c\":\"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\"}}}\n"
    "\r\n";
_Static_assert(sizeof(event) - 1 == 5 + 600 + 2, "600 bytes of JSON");

static struct kinf kinf;
static struct kinf_session session;
static struct kinf_informer informer;
static struct kinf_listener listener;
static _Alignas(8) unsigned char memory[KINF_INFORMER_BYTES(
    2, 2 * CONFIG_KINF_OBJECT_BYTES + 2048, 1, 1, 2, 0, 0)];
static char io[CONFIG_KINF_IO_BYTES];
static char record[sizeof(event)];
static size_t at, len; /* what recv gives next, of record */
static bool open, watching;
static uint32_t seen;

/* ---- the transport ------------------------------------------------------ */

static void give(const char *text, size_t size)
{
    memcpy(record, text, size);
    at = 0;
    len = size;
}

static int ev_open(void *ctx, struct kinf_span host, uint16_t port)
{
    (void)ctx;
    (void)host;
    (void)port;
    open = true;
    return KINF_OK;
}

/* A request comes in one piece or several; its end is two line breaks. */
static int ev_send(void *ctx, const void *data, size_t size)
{
    const char *text = data;

    (void)ctx;
    for (size_t i = 0; i + 6 < size; i++)
        if (memcmp(text + i, "watch=", 6) == 0)
            watching = true;
    if (size >= 4 && memcmp(text + size - 4, "\r\n\r\n", 4) == 0) {
        if (watching)
            give(head, sizeof(head) - 1);
        else
            give(list, sizeof(list) - 1);
    }
    return (int)size;
}

static int ev_recv(void *ctx, void *data, size_t size)
{
    size_t n = len - at < size ? len - at : size;

    (void)ctx;
    if (n == 0)
        return KINF_ERR_AGAIN;
    memcpy(data, record + at, n);
    at += n;
    return (int)n;
}

static void ev_close(void *ctx)
{
    (void)ctx;
    open = false;
}

static void ev_status(void *ctx, struct kinf_transport_status *out)
{
    (void)ctx;
    out->phase = open ? KINF_PHASE_OPEN : KINF_PHASE_CLOSED;
    out->wants = KINF_WANTS_READ;
    out->verified = true;
}

static const struct kinf_transport_ops ops = {
    .open = ev_open, .send = ev_send, .recv = ev_recv, .close = ev_close,
    .status = ev_status
};

/* ---- handlers ----------------------------------------------------------- */

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)object;
    (void)initial;
    seen++;
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    (void)object;
    seen++;
    return KINF_OK;
}

static int on_other(void *ctx, const struct kinf_object *object, bool unknown)
{
    (void)ctx;
    (void)object;
    (void)unknown;
    board_exit(1);
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    (void)was;
    return on_other(ctx, identity, false);
}

static struct kinf_span no_token(void *ctx, bool refused)
{
    (void)ctx;
    (void)refused;
    return (struct kinf_span){ NULL, 0 };
}

static void start(void)
{
    static const struct kinf_config config = {
        .platform = &board_platform, .host = { "10.0.2.2", 8 }, .port = 443,
        .credentials = { no_token, NULL }
    };
    static const struct kinf_informer_config configmaps = {
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .streaming = KINF_STREAM_NEVER,
        .sizes = { .objects = 2, .object_bytes = CONFIG_KINF_OBJECT_BYTES,
                   .arena_bytes = 2 * CONFIG_KINF_OBJECT_BYTES + 2048,
                   .fifo = 1, .every = 1, .ring = 2 },
        .memory = memory, .memory_size = sizeof(memory), .session = &session
    };
    static const struct kinf_event_handler handler = {
        .on_add = on_add, .on_update = on_update, .on_delete = on_other,
        .on_truncated = on_truncated
    };

    kinf_init(&kinf, &config);
    kinf_session_init(&session, &kinf, &ops, NULL, io, sizeof(io));
    kinf_informer_init(&informer, &kinf, &configmaps);
    (void)kinf_listener_add(&informer, &listener, &handler, NULL, KINF_EVERY,
                            0);
    kinf_start(&kinf);
}

/* Clocks of the polls from a record to its handler; the mean of all. */
static uint32_t one_event(uint32_t version)
{
    uint32_t clocks = 0, before = seen;
    char *digits = record + VERSION_AT;

    give(event, sizeof(event) - 1);
    for (int i = 5; i >= 0; i--, version /= 10)
        digits[i] = (char)('0' + version % 10);
    for (int polls = 0; seen == before; polls++) {
        uint32_t from = board_clocks();

        (void)kinf_poll(&kinf);
        clocks += board_clocks() - from;
        if (polls > 100)
            board_exit(1);
    }
    return clocks;
}

int main(void)
{
    uint32_t clocks = 0;

    start();
    for (int polls = 0; !(watching && at == len); polls++) {
        (void)kinf_poll(&kinf);
        if (polls > 1000)
            board_exit(1);
    }
    (void)one_event(1001);
    for (uint32_t i = 0; i < EVENTS; i++)
        clocks += one_event(1002 + i);
    print("event ");
    print_number(clocks * (1000000000u / board_clock_hz) / EVENTS);
    print(", stack ");
    print_number(board_stack_used());
    print("\n");
    return 0;
}
