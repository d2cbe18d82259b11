/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - see tls.h. */
#include "tls.h"

#include "credentials.h"
#include "lwip/kinf_lwip.h"
#include "print.h"

struct kinf_mbedtls tls;
struct kinf_mbedtls_credentials trusted;
static struct kinf_lwip_tcp tcp;
static _Alignas(8) unsigned char arena[CONFIG_KINF_TLS_ARENA_BYTES];
static char ticket[KINF_MBEDTLS_TICKET_BYTES_FIRMWARE];

static void tell(int err)
{
    if (trusted.reason != NULL) {
        print("TLS: ");
        print(trusted.reason);
        print("\n");
    } else if (err == KINF_ERR_NO_MEMORY) {
        print("the TLS arena needs ");
        print_number((uint32_t)kinf_mbedtls_least_arena());
        print(" bytes\n");
    }
}

int tls_start(const struct kinf_platform *platform, size_t arena_size)
{
    static struct kinf_mbedtls_system system = {
        .arena = arena,
        .built_s = BOARD_BUILT_S, /* no earlier time is believed */
        .no_clock = KINF_MBEDTLS_NO_CLOCK_DEFAULT
    };
    const struct kinf_mbedtls_config config = {
        .lower = &kinf_lwip_tcp_ops, .lower_ctx = &tcp,
        .credentials = &trusted,
        .server_name = board_text(board_credentials.name),
        .ticket = ticket, .ticket_size = sizeof(ticket)
    };
    int err;

    system.platform = platform;
    system.arena_size = arena_size;
    err = kinf_mbedtls_start(&system);
    if (err == KINF_OK)
        err = kinf_mbedtls_credentials_init(&trusted);
    if (err == KINF_OK)
        err = kinf_mbedtls_trust(&trusted, board_anchors(), true);
    if (err != KINF_OK)
        tell(err);
    kinf_lwip_tcp_init(&tcp);
    kinf_mbedtls_init(&tls, &config);
    return err;
}
