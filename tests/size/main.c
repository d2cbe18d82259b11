/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the smallest firmware with one informer, to be linked and measured,
 * never run: one handler, one session, and a port that does nothing. What the
 * linker keeps of core is what such a firmware pays for it. WITH_TLS puts
 * port/mbedtls between the two. */
#include "kinformer.h"

#ifdef WITH_TLS
#include "mbedtls/kinf_mbedtls.h"
#endif

static struct kinf kinf;
static struct kinf_session session;
static struct kinf_informer informer;
static struct kinf_listener listener;
static char io[CONFIG_KINF_IO_BYTES];
static uint64_t memory[(KINF_INFORMER_BYTES_DEFAULT + 7) / 8];

/* Read by the port in a real firmware; volatile so that nothing is folded. */
static volatile uint32_t port_register;

static int port_open(void *ctx, struct kinf_span host, uint16_t port)
{
    (void)ctx;
    (void)host;
    port_register = port;
    return KINF_OK;
}

static int port_send(void *ctx, const void *data, size_t size)
{
    (void)ctx;
    port_register = *(const char *)data;
    return (int)size;
}

static int port_recv(void *ctx, void *data, size_t size)
{
    (void)ctx;
    *(char *)data = (char)port_register;
    return (int)size;
}

static void port_close(void *ctx)
{
    (void)ctx;
    port_register = 0;
}

static void port_status(void *ctx, struct kinf_transport_status *out)
{
    (void)ctx;
    out->phase = KINF_PHASE_OPEN;
    out->verified = port_register != 0;
}

static const struct kinf_transport_ops transport = {
    .open = port_open,
    .send = port_send,
    .recv = port_recv,
    .close = port_close,
    .status = port_status,
};

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return port_register;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    (void)size;
    *(char *)out = (char)port_register;
}

static const struct kinf_platform platform = {
    .now_ms = now_ms,
    .wall_s = wall_s,
    .random = random_bytes,
};

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)initial;
    port_register = object->size;
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    port_register = object->size;
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    (void)unknown;
    port_register = was->size;
    return KINF_OK;
}

static const struct kinf_event_handler handler = {
    .on_add = on_add,
    .on_update = on_update,
    .on_delete = on_delete,
    .on_truncated = on_update,
};

static struct kinf_span token(void *ctx, bool refused)
{
    (void)ctx;
    (void)refused;
    return KINF_SPAN("token");
}

void kinf_assert_failed(unsigned file, unsigned line)
{
    port_register = file + line;
    for (;;)
        ;
}

static const struct kinf_config config = {
    .platform = &platform,
    .host = { "192.0.2.1", 9 },
    .port = 6443,
    .credentials = { .token = token },
};

static const struct kinf_informer_config informer_config = {
    .resource = KINF_RESOURCE_CONFIGMAPS,
    .sizes = KINF_SIZES_DEFAULT,
    .memory = memory,
    .memory_size = sizeof(memory),
    .session = &session,
};

#ifdef WITH_TLS
static struct kinf_mbedtls tls;
static struct kinf_mbedtls_credentials credentials;
static uint64_t arena[27648 / 8];
static char ticket[KINF_MBEDTLS_TICKET_BYTES_FIRMWARE];

static const struct kinf_mbedtls_system tls_system = {
    .platform = &platform,
    .arena = arena,
    .arena_size = sizeof(arena),
};

static const struct kinf_mbedtls_config tls_config = {
    .lower = &transport,
    .credentials = &credentials,
    .ticket = ticket,
    .ticket_size = sizeof(ticket),
};

static void session_init(void)
{
    static const char der[] = { 0x30, 0x00 };
    struct kinf_span roots = { der, sizeof(der) };

    kinf_mbedtls_start(&tls_system);
    kinf_mbedtls_credentials_init(&credentials);
    kinf_mbedtls_trust(&credentials, roots, true);
    kinf_mbedtls_init(&tls, &tls_config);
    kinf_session_init(&session, &kinf, &kinf_mbedtls_ops, &tls, io, sizeof(io));
}
#else
static void session_init(void)
{
    kinf_session_init(&session, &kinf, &transport, NULL, io, sizeof(io));
}
#endif

int main(void)
{
    kinf_init(&kinf, &config);
    session_init();
    kinf_informer_init(&informer, &kinf, &informer_config);
    kinf_listener_add(&informer, &listener, &handler, NULL, KINF_EVERY, 0);
    kinf_start(&kinf);
    for (;;)
        port_register = kinf_poll(&kinf);
}
