/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the smallest firmware: one informer on ConfigMaps over verified TLS,
 * each change printed. Reads as the tutorial does: system, network, TLS, loop.
 *
 * Address, token and trust anchor come from a page of flash, see credentials.h.
 * After so many changes as it says, or a "q" on the serial line, it ends. */
#include <string.h>

#include "board.h"
#include "credentials.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"
#include "lwip/kinf_lwip.h"
#include "mbedtls/kinf_mbedtls.h"
#include "netif/ethernet.h"

static struct kinf kinf;
static struct kinf_session session;
static struct kinf_informer informer;
static struct kinf_listener listener;
static struct kinf_lwip_tcp tcp;
static struct kinf_mbedtls tls;
static struct kinf_mbedtls_credentials trusted;
static struct netif ethernet;
static _Alignas(8) unsigned char memory[KINF_INFORMER_BYTES_DEFAULT];
static _Alignas(8) unsigned char arena[CONFIG_KINF_TLS_ARENA_BYTES];
static char ticket[KINF_MBEDTLS_TICKET_BYTES_FIRMWARE];
static char io[CONFIG_KINF_IO_BYTES];
static uint32_t changes;

/* ---- printing ----------------------------------------------------------- */

static void say(const char *text)
{
    board_print(text, strlen(text));
}

static void say_span(struct kinf_span text)
{
    if (text.len > 0)
        board_print(text.ptr, text.len);
}

static void say_number(uint32_t number)
{
    char text[11], *at = text + sizeof(text);

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    board_print(at, (size_t)(text + sizeof(text) - at));
}

static int say_object(const char *what, const struct kinf_object *object)
{
    say(what);
    say_span(object->namespace_);
    say("/");
    say_span(object->name);
    say(" rv ");
    say_span(object->resource_version);
    say("\n");
    changes += kinf_listener_synced(&listener);
    return KINF_OK;
}

/* ---- handlers ----------------------------------------------------------- */

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)initial;
    return say_object("ADDED     ", object);
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    return say_object("MODIFIED  ", object);
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    (void)unknown;
    return say_object("DELETED   ", was);
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    (void)ctx;
    (void)was;
    return say_object("TRUNCATED ", identity);
}

static const struct kinf_event_handler handler = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_truncated
};

static void on_error(void *ctx, int err, int status, struct kinf_span message,
                     const struct kinf_object *object)
{
    (void)ctx;
    (void)object;
    say("error ");
    say_number((uint32_t)-err);
    say(" ");
    say(kinf_strerror(err));
    say(", HTTP ");
    say_number((uint32_t)status);
    say(": ");
    say_span(message);
    say("\n");
}

/* ---- set-up ------------------------------------------------------------- */

static struct kinf_span text(const char *zero_ended)
{
    return (struct kinf_span){ zero_ended, strlen(zero_ended) };
}

static struct kinf_span token(void *ctx, bool refused)
{
    (void)ctx;
    (void)refused;
    return text(board_credentials.token);
}

static void start_network(void)
{
    ip4_addr_t address, mask, gateway;

    IP4_ADDR(&address, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 2, 2);
    kinf_lwip_platform(&board_platform);
    lwip_init();
    netif_add(&ethernet, &address, &mask, &gateway, NULL, board_netif_init,
              ethernet_input);
    netif_set_default(&ethernet);
    netif_set_up(&ethernet);
    kinf_lwip_tcp_init(&tcp);
}

static int start_tls(void)
{
    static const struct kinf_mbedtls_system system = {
        .platform = &board_platform, .arena = arena,
        .arena_size = sizeof(arena)
    };
    const struct kinf_mbedtls_config config = {
        .lower = &kinf_lwip_tcp_ops, .lower_ctx = &tcp,
        .credentials = &trusted, .server_name = text(board_credentials.name),
        .ticket = ticket, .ticket_size = sizeof(ticket)
    };
    struct kinf_span ca = { (const char *)board_credentials.ca,
                            board_credentials.ca_size };
    int err = kinf_mbedtls_start(&system);

    if (err == KINF_OK)
        err = kinf_mbedtls_credentials_init(&trusted);
    if (err == KINF_OK)
        err = kinf_mbedtls_trust(&trusted, ca, true);
    kinf_mbedtls_init(&tls, &config);
    return err;
}

static void start_informer(void)
{
    const struct kinf_config config = {
        .platform = &board_platform, .host = text(board_credentials.host),
        .port = board_credentials.port, .credentials = { token, NULL }
    };
    const struct kinf_informer_config configmaps = {
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .namespace_ = text(board_credentials.namespace_),
        .sizes = KINF_SIZES_DEFAULT, .memory = memory,
        .memory_size = sizeof(memory), .session = &session,
        .on_error = on_error
    };

    kinf_init(&kinf, &config);
    kinf_session_init(&session, &kinf, &kinf_mbedtls_ops, &tls, io,
                      sizeof(io));
    kinf_informer_init(&informer, &kinf, &configmaps);
    (void)kinf_listener_add(&informer, &listener, &handler, NULL, KINF_EVERY,
                            0);
    kinf_start(&kinf);
}

static void say_summary(void)
{
    struct kinf_mbedtls_arena heap;

    kinf_mbedtls_arena(&heap);
    say_number(changes);
    say(" changes seen, stack ");
    say_number(board_stack_used());
    say(" of ");
    say_number(board_stack_size());
    say(", TLS arena ");
    say_number((uint32_t)heap.high);
    say(" of ");
    say_number((uint32_t)heap.size);
    say(" bytes\n");
}

static bool at_end(void)
{
    uint32_t wanted = board_credentials.changes;

    return (wanted > 0 && changes >= wanted) || board_asked_to_end();
}

static void loop(void)
{
    bool told = false;

    while (!at_end()) {
        bool more = board_netif_poll(&ethernet);
        uint32_t sleep, tcp_sleep;

        sys_check_timeouts();
        sleep = kinf_poll(&kinf);
        if (!told && kinf_listener_synced(&listener)) {
            told = true;
            say("in sync\n");
        }
        tcp_sleep = sys_timeouts_sleeptime();
        if (!more)
            board_sleep(sleep < tcp_sleep ? sleep : tcp_sleep);
    }
}

int main(void)
{
    if (board_credentials.magic != CREDENTIALS_MAGIC) {
        say("the page of credentials is empty\n");
        return 1;
    }
    start_network();
    if (start_tls() != KINF_OK) {
        say("TLS: ");
        say(trusted.reason != NULL ? trusted.reason : "set-up failed");
        say("\n");
        return 1;
    }
    start_informer();
    loop();
    say_summary();
    return 0;
}
