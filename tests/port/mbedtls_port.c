/* SPDX-License-Identifier: Apache-2.0 */
/* mbedtls_port.c - port/mbedtls for the conformance suite. */
#include <stdlib.h>
#include <string.h>

#include "port/mbedtls_port.h"

#define ARENA_BYTES (256 * 1024)

struct tls_rig the_tls;
int64_t tls_wall_s;
unsigned tls_draws;
struct faults faults;
static _Alignas(8) uint8_t arena[ARENA_BYTES];

/* ---- platform ----------------------------------------------------------- */

static uint32_t now_ms(void *ctx)
{
    return kinf_posix_platform.now_ms(ctx);
}

static int64_t wall_s(void *ctx)
{
    return tls_wall_s != 0 ? tls_wall_s : kinf_posix_platform.wall_s(ctx);
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    tls_draws++;
    kinf_posix_platform.random(ctx, out, size);
}

struct kinf_platform tls_platform = { now_ms, wall_s, random_bytes, NULL };
struct kinf_mbedtls_system tls_system = { .platform = &tls_platform };

/* ---- faults between TLS and TCP ----------------------------------------- */

static int faulty_open(void *ctx, struct kinf_span host, uint16_t port)
{
    return kinf_posix_tcp_ops.open(ctx, host, port);
}

static bool is_cut(void)
{
    faults.calls++;
    return faults.cut_at != 0 && faults.calls >= faults.cut_at;
}

/* AGAIN every second time, with nothing to wait for but a call. */
static bool drips(void)
{
    if (!faults.drip)
        return false;
    faults.asked = !faults.asked;
    return faults.asked;
}

static int faulty_send(void *ctx, const void *data, size_t size)
{
    if (is_cut())
        return KINF_ERR_CLOSED;
    if (drips())
        return KINF_ERR_AGAIN;
    if (faults.send_piece != 0 && size > faults.send_piece)
        size = faults.send_piece;
    return kinf_posix_tcp_ops.send(ctx, data, size);
}

static int faulty_recv(void *ctx, void *data, size_t size)
{
    uint8_t *bytes = data;
    int n;

    if (is_cut())
        return KINF_ERR_CLOSED;
    if (drips())
        return KINF_ERR_AGAIN;
    if (faults.recv_piece != 0 && size > faults.recv_piece)
        size = faults.recv_piece;
    n = kinf_posix_tcp_ops.recv(ctx, data, size);
    if (n > 0) {
        uint64_t at = faults.received;

        faults.received += (unsigned)n;
        if (faults.flip_at > at && faults.flip_at <= faults.received)
            bytes[faults.flip_at - at - 1] ^= 0x40;
    }
    return n;
}

static void faulty_close(void *ctx)
{
    kinf_posix_tcp_ops.close(ctx);
}

static void faulty_status(void *ctx, struct kinf_transport_status *out)
{
    kinf_posix_tcp_ops.status(ctx, out);
    if (faults.drip && faults.asked)
        out->wants = KINF_WANTS_CALL;
}

static const struct kinf_transport_ops faulty_ops = {
    .open = faulty_open,
    .send = faulty_send,
    .recv = faulty_recv,
    .close = faulty_close,
    .status = faulty_status,
};

/* ---- the transport ------------------------------------------------------ */

struct kinf_span pki(const char *name)
{
    static char places[4][16384];
    static unsigned next;
    char path[512];
    char *out = places[next++ % 4];
    size_t len;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", PKI_DIR, name);
    file = fopen(path, "rb");
    if (file == NULL)
        broken("%s: cannot be opened", path);
    len = fread(out, 1, sizeof(places[0]), file);
    fclose(file);
    return (struct kinf_span){ out, len };
}

/* Each profile is tried with the form it is meant for. */
#ifndef KINF_TEST_DER
#define CERTIFICATE_FORM ".pem"
#define KEY_FORM ".key"
#else
#define CERTIFICATE_FORM ".der"
#define KEY_FORM ".key.der"
#endif

static struct kinf_span pki_form(const char *name, const char *form)
{
    char file[100];

    snprintf(file, sizeof(file), "%s%s", name, form);
    return pki(file);
}

struct kinf_span pki_certificate(const char *name)
{
    return pki_form(name, CERTIFICATE_FORM);
}

struct kinf_span pki_key(const char *name)
{
    return pki_form(name, KEY_FORM);
}

int tls_start(size_t arena_bytes, const char *authority)
{
    struct kinf_mbedtls_config config = {
        .lower = &faulty_ops,
        .lower_ctx = &the_tls.tcp,
        .credentials = &the_tls.credentials,
        .ticket = the_tls.ticket,
        .ticket_size = sizeof(the_tls.ticket),
    };
    int err;

    memset(&the_tls, 0, sizeof(the_tls));
    memset(&faults, 0, sizeof(faults));
    kinf_posix_tcp_init(&the_tls.tcp);
    tls_system.arena = arena;
    tls_system.arena_size = arena_bytes != 0 ? arena_bytes : sizeof(arena);
    err = kinf_mbedtls_start(&tls_system);
    if (err == KINF_OK)
        err = kinf_mbedtls_credentials_init(&the_tls.credentials);
    if (err == KINF_OK && authority != NULL)
        err = kinf_mbedtls_trust(&the_tls.credentials,
                                 pki_certificate(authority), false);
    kinf_mbedtls_init(&the_tls.tls, &config);
    return err;
}

void *tls_make(void)
{
    int err = tls_start(0, "ca-ec");

    if (err != KINF_OK)
        broken("start: %d", err);
    return &the_tls.tls;
}

void tls_wait(void *ctx, const struct kinf_transport_status *status,
              int timeout_ms)
{
    (void)ctx;
    posix_wait(&the_tls.tcp, status, timeout_ms);
}

/* Bytes of the arena and descriptors, in one number. */
long tls_resources(void)
{
    struct kinf_mbedtls_arena now;

    kinf_mbedtls_arena(&now);
    return (long)now.used * 1000 + open_descriptors();
}

const struct port tls_port = {
    .name = "mbedtls",
    .ops = &kinf_mbedtls_ops,
    .platform = &tls_platform,
    .make = tls_make,
    .wait = tls_wait,
    .level = true,
    .peer_tls = "tls server-ec any",
    .resources = tls_resources,
    .nobody = "nobody.test",
    .slow = "slow.test",
    .several = "several.test",
    .set_clock = set_boot_clock,
};
