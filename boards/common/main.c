/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the smallest firmware: one informer on ConfigMaps over verified TLS,
 * each change printed. Reads as the tutorial does: memory, handlers, TLS,
 * informer, loop.
 *
 * Address, token and trust anchor come from a page of flash, see credentials.h.
 * After so many changes as it says, or a "q" on the serial line, it ends. */
#include "board.h"
#include "credentials.h"
#include "network.h"
#include "print.h"
#include "tls.h"

/* All memory there is; nothing is allocated, ever. */
static struct kinf kinf;
static struct kinf_session session;
static struct kinf_informer informer;
static struct kinf_listener listener;
static _Alignas(8) unsigned char memory[KINF_INFORMER_BYTES_DEFAULT];
static char io[CONFIG_KINF_IO_BYTES];
static uint32_t changes; /* since the first list was whole */

/* ---- handlers: one a change, from kinf_poll only ------------------------ */

static int show(const char *what, const struct kinf_object *object)
{
    print_change(what, object);
    changes += kinf_listener_synced(&listener);
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

/* Too large to be kept whole: its name and version are. */
static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    (void)ctx;
    (void)was;
    return show("TRUNCATED ", identity);
}

/* ---- set-up ------------------------------------------------------------- */

static void start_informer(void)
{
    static struct kinf_config config = {
        .platform = &board_platform, .credentials = { board_token, NULL }
    };
    static struct kinf_informer_config configmaps = {
        .resource = KINF_RESOURCE_CONFIGMAPS, .sizes = KINF_SIZES_DEFAULT,
        .memory = memory, .memory_size = sizeof(memory), .session = &session,
        .on_error = print_error
    };
    static const struct kinf_event_handler handler = {
        .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
        .on_truncated = on_truncated
    };

    config.host = board_text(board_credentials.host);
    config.port = board_credentials.port;
    configmaps.namespace_ = board_text(board_credentials.namespace_);
    kinf_init(&kinf, &config);
    kinf_session_init(&session, &kinf, &kinf_mbedtls_ops, &tls, io,
                      sizeof(io));
    kinf_informer_init(&informer, &kinf, &configmaps);
    (void)kinf_listener_add(&informer, &listener, &handler, NULL, KINF_EVERY,
                            0);
    kinf_start(&kinf);
}

static bool at_end(void)
{
    uint32_t wanted = board_credentials.changes;

    return (wanted > 0 && changes >= wanted) || board_command() == 'q';
}

static void print_summary(void)
{
    struct kinf_mbedtls_arena heap;

    kinf_mbedtls_arena(&heap);
    print_number(changes);
    print(" changes seen, stack ");
    print_number(board_stack_used());
    print(" of ");
    print_number(board_stack_size());
    print(", TLS arena ");
    print_number((uint32_t)heap.high);
    print(" of ");
    print_number((uint32_t)heap.size);
    print(" bytes\n");
}

int main(void)
{
    bool told = false;

    if (board_credentials.magic != CREDENTIALS_MAGIC) {
        print("the page of credentials is empty\n");
        return 1;
    }
    network_start(&board_platform);
    if (tls_start(&board_platform, CONFIG_KINF_TLS_ARENA_BYTES) != KINF_OK)
        return 1;
    start_informer();
    while (!at_end()) {
        uint32_t sleep_ms;

        network_poll();
        sleep_ms = kinf_poll(&kinf);
        if (!told && kinf_listener_synced(&listener)) {
            told = true;
            print("in sync\n");
        }
        network_sleep(sleep_ms);
    }
    print_summary();
    return 0;
}
