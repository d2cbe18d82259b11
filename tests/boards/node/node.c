/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - the firmware of the tests: as boards/common/main.c, and it tells the
 * use of every pool and the instructions of each kinf_poll, and can be made to
 * starve. Bytes of the serial line are its commands:
 *
 *   m  pools and work     z  work from here on     q  stop, tell, end
 *   h  hold the TLS arena p  hold lwIP's pool      n  handlers say "not now"
 *   r  release all        t  the next token        a  the next authority
 *   o  overflow the stack l  the latest one does */
#include "board.h"
#include "credentials.h"
#include "lwip/pbuf.h"
#include "mbedtls/arena.h"
#include "network.h"
#include "options.h"
#include "pools.h"
#include "print.h"
#include "tls.h"
#include "work.h"

#ifndef NODE_INFORMERS
#define NODE_INFORMERS 1 /* 2: by turns, where RAM allows it */
#endif
#define HELD_BYTES 512      /* a piece of the TLS arena that is held */
#ifdef KINF_LWIP_STATS
#define LAST_WORDS_MS 30000 /* for connections that close at the end */
#else
#define LAST_WORDS_MS 1 /* nobody looks */
#endif

static struct kinf kinf;
static struct kinf_session session;
static struct kinf_informer informers[NODE_INFORMERS];
static struct kinf_informer_config configs[NODE_INFORMERS];
static struct kinf_listener listeners[NODE_INFORMERS], latest;
static unsigned informer_count = 1;
static _Alignas(8) unsigned char memory[KINF_INFORMER_BYTES_DEFAULT];
static char io[CONFIG_KINF_IO_BYTES];
static uint32_t calls; /* of handlers */
static bool not_now, latest_not_now;
static void **held;          /* a chain of pieces of the arena */
static struct pbuf *pieces;  /* a chain of lwIP's */

/* ---- the platform: clocks and chance as a test wants them --------------- */

static uint32_t now_ms(void *ctx)
{
    return board_platform.now_ms(ctx) + options.clock_ms;
}

static int64_t wall_s(void *ctx)
{
    switch (options.wall_s) {
    case WALL_TRUE:
        return board_platform.wall_s(ctx);
    case WALL_UNKNOWN:
        return KINF_WALL_UNKNOWN;
    default:
        return options.wall_s;
    }
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    static uint32_t state;
    uint8_t *byte = out;

    if (options.seed == 0) {
        board_platform.random(ctx, out, size);
        return;
    }
    if (state == 0)
        state = options.seed;
    for (size_t i = 0; i < size; i++) { /* xorshift: tests alone */
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        byte[i] = (uint8_t)(state >> 24);
    }
}

static const struct kinf_platform platform = { now_ms, wall_s, random_bytes,
                                               NULL };

/* ---- handlers ----------------------------------------------------------- */

static int show(const char *what, const struct kinf_object *object)
{
    if (not_now)
        return KINF_ERR_AGAIN;
    calls++;
    print_change(what, object);
    return KINF_OK;
}

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)initial;
    return show("ADDED     ", object);
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    return show("MODIFIED  ", object);
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    (void)unknown;
    return show("DELETED   ", was);
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    (void)ctx;
    (void)was;
    return show("TRUNCATED ", identity);
}

/* Of the handler in "latest" mode: the newest state alone. */
static int on_newest(void *ctx, const struct kinf_object *object, bool flag)
{
    (void)ctx;
    (void)flag;
    if (latest_not_now)
        return KINF_ERR_AGAIN;
    print_change("LATEST    ", object);
    return KINF_OK;
}

static int on_newer(void *ctx, const struct kinf_object *was,
                    const struct kinf_object *object)
{
    (void)was;
    return on_newest(ctx, object, false);
}

/* ---- what is asked ------------------------------------------------------ */

static void hold_arena(void)
{
    void **piece;

    while ((piece = kinf_mbedtls_calloc(1, HELD_BYTES)) != NULL) {
        *piece = held;
        held = piece;
    }
}

static void hold_pool(void)
{
    struct pbuf *piece;

    while ((piece = pbuf_alloc(PBUF_RAW, 1, PBUF_POOL)) != NULL) {
        if (pieces != NULL)
            pbuf_cat(piece, pieces);
        pieces = piece;
    }
}

static void release(void)
{
    while (held != NULL) {
        void **next = *held;

        kinf_mbedtls_free(held);
        held = next;
    }
    if (pieces != NULL)
        pbuf_free(pieces);
    pieces = NULL;
    not_now = latest_not_now = false;
    if (options.mode == MODE_LATEST)
        kinf_listener_resume(&latest);
    for (unsigned i = 0; i < informer_count; i++)
        kinf_listener_resume(&listeners[i]);
}

static void tell(void)
{
    pools_tell(informers, informer_count);
    work_tell();
    print("told\n");
}

/* No connection is left: the next authority in place of the one of before. */
static void trust_next(void *ctx)
{
    const struct kinf_span next = { (const char *)options.ca, options.ca_size };

    (void)ctx;
    print(kinf_mbedtls_trust(&trusted, next, true) == KINF_OK
              ? "trusted\n" : "not taken\n");
}

static void overflow(volatile uint32_t *above)
{
    volatile uint32_t here[16] = { 0 };

    here[0] = *above + 1;
    if (here[0] != 0)
        overflow(here);
    here[1] = here[0];
}

static void obey(char command)
{
    uint32_t none = 0;

    switch (command) {
    case 'm':
        tell();
        break;
    case 'z':
        work_begin();
        print("zeroed\n");
        break;
    case 'h':
        hold_arena();
        break;
    case 'p':
        hold_pool();
        break;
    case 'n':
        not_now = true;
        break;
    case 'l':
        latest_not_now = true;
        break;
    case 'r':
        release();
        break;
    case 't':
        board_token_renew(board_text(options.token));
        break;
    case 'a':
        if (CONFIG_KINF_RELOAD)
            kinf_reload(&kinf, trust_next, NULL);
        break;
    case 'o':
        overflow(&none);
        break;
    default:
        break;
    }
}

/* ---- set-up and loop ---------------------------------------------------- */

static void start_informer(unsigned i)
{
    static const struct kinf_event_handler handler = {
        .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
        .on_truncated = on_truncated
    };
    static const struct kinf_sizes half = {
        .objects = CONFIG_KINF_OBJECTS / 2,
        .object_bytes = CONFIG_KINF_IDENTITY_BYTES * 2,
        .arena_bytes = CONFIG_KINF_ARENA_BYTES * 3 / 8 / 8 * 8,
        .fifo = CONFIG_KINF_FIFO, .every = 1, .ring = CONFIG_KINF_RING
    };
    static const struct kinf_sizes whole = KINF_SIZES_DEFAULT;
    struct kinf_informer_config *c = &configs[i];
    size_t share = sizeof(memory) / informer_count / 8 * 8;

    *c = (struct kinf_informer_config){
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .sizes = informer_count == 1 ? whole : half,
        .memory = memory + i * share, .memory_size = share,
        .session = &session, .on_error = print_error,
        .namespace_ = board_text(i == 0 ? board_credentials.namespace_
                                        : options.namespace_)
    };
    kinf_informer_init(&informers[i], &kinf, c);
    (void)kinf_listener_add(&informers[i], &listeners[i], &handler, NULL,
                            KINF_EVERY, 0);
}

static void start_latest(void)
{
    static const struct kinf_event_handler handler = {
        .on_add = on_newest, .on_update = on_newer, .on_delete = on_newest,
        .on_truncated = on_newer
    };

    (void)kinf_listener_add(&informers[0], &latest, &handler, NULL,
                            KINF_LATEST, 0);
}

static void start_informers(void)
{
    static struct kinf_config config = {
        .platform = &platform, .credentials = { board_token, NULL },
        .spread_ms = 1
    };

    config.host = board_text(board_credentials.host);
    config.port = board_credentials.port;
    informer_count = options.mode == MODE_TWO ? NODE_INFORMERS : 1;
    kinf_init(&kinf, &config);
    kinf_session_init(&session, &kinf, &kinf_mbedtls_ops, &tls, io,
                      sizeof(io));
    for (unsigned i = 0; i < informer_count; i++)
        start_informer(i);
    if (CONFIG_KINF_LATEST > 0 && options.mode == MODE_LATEST)
        start_latest();
    kinf_start(&kinf);
    work_of(&kinf, &informers[0], &tls, &calls);
}

static void loop(void)
{
    bool told = false;
    char command = 0;

    while (command != 'q') {
        uint32_t sleep_ms;

        work_network();
        sleep_ms = work_poll();
        if (!told && kinf_synced(&kinf, NULL)) {
            told = true;
            print("in sync\n");
        }
        network_sleep(sleep_ms);
        command = board_command();
        obey(command);
    }
    release();
}

/* Stops, and lets TCP say its last words, until not even a TIME-WAIT is left:
 * what is told after that is owed by nobody. */
static void end(void)
{
    uint32_t from = now_ms(NULL);

    if (!CONFIG_KINF_STOP)
        return;
    kinf_stop(&kinf);
    while (!kinf_stopped(&kinf))
        (void)work_poll();
    while (pools_closing() > 0 && now_ms(NULL) - from < LAST_WORDS_MS) {
        network_poll();
        network_sleep(100);
    }
}

/* What nobody calls costs no flash: costs.py asks for it. */
static int show_identity(void)
{
#ifdef NODE_IDENTITY
    const char *at = (const char *)options.identity;

    return kinf_mbedtls_identity(
        &trusted, (struct kinf_span){ at, options.certificate_size },
        (struct kinf_span){ at + options.certificate_size, options.key_size });
#else
    return KINF_OK;
#endif
}

int main(void)
{
    struct kinf_mbedtls_arena heap;

    network_start(&platform);
    if (tls_start(&platform, options.arena_bytes != 0
                                 ? options.arena_bytes
                                 : CONFIG_KINF_TLS_ARENA_BYTES) != KINF_OK ||
        show_identity() != KINF_OK)
        return 1;
    kinf_mbedtls_arena(&heap);
    print("TLS arena ");
    print_number((uint32_t)heap.used);
    print(" bytes at the start\n");
    start_informers();
    work_begin();
    loop();
    end();
    tell();
    return 0;
}
