/* SPDX-License-Identifier: Apache-2.0 */
/* ticket.c - a session kept between two connections, in the caller's bytes.
 *
 *   [head][name][Mbed TLS's session]
 *
 * A resumed session is not verified again, so what was verified is bound to
 * the ticket and compared: name, port, trust anchors and client identity (by
 * their generation), and the end of the shortest-lived certificate. Kept as
 * bytes and not as a session in the arena, which could then never be whole
 * again between connections. */
#include <string.h>

#include <mbedtls/platform_util.h>

#include "glue.h"

struct head {
    int64_t valid_to_s;
    uint32_t generation;
    uint16_t port;
    uint16_t name_len;
};

void kinf_mbedtls_ticket_drop(struct kinf_mbedtls *tls)
{
    if (tls->ticket_len > 0)
        mbedtls_platform_zeroize(tls->config.ticket, tls->config.ticket_size);
    tls->ticket_len = 0;
}

static size_t before_session(const struct live *live)
{
    return sizeof(struct head) + live->name_len;
}

/* Writes the session behind the head. Returns its length, 0 if it does not
 * fit or cannot be had. */
static size_t save(struct kinf_mbedtls *tls, struct live *live)
{
    size_t front = before_session(live), len = 0;
    mbedtls_ssl_session session;
    int ret;

    if (tls->config.ticket_size <= front)
        return 0;
    mbedtls_ssl_session_init(&session);
    ret = mbedtls_ssl_get_session(&live->ssl, &session);
    if (ret == 0)
        ret = mbedtls_ssl_session_save(
            &session, (unsigned char *)tls->config.ticket + front,
            tls->config.ticket_size - front, &len);
    mbedtls_ssl_session_free(&session);
    return ret == 0 ? len : 0;
}

void kinf_mbedtls_ticket_keep(struct kinf_mbedtls *tls, struct live *live)
{
    struct head head = {
        .valid_to_s = live->valid_to_s,
        .generation = tls->config.credentials->generation,
        .port = live->port,
        .name_len = live->name_len,
    };
    uint32_t refused = kinf_mbedtls_arena_refused();
    uint8_t *out = tls->config.ticket;
    size_t len;

    kinf_mbedtls_ticket_drop(tls);
    len = save(tls, live);
    /* Without a ticket all goes on: a full arena here is no error. */
    tls->refused += kinf_mbedtls_arena_refused() - refused;
    tls->ticket_len = tls->config.ticket_size; /* what drop wipes */
    if (len == 0) {
        kinf_mbedtls_ticket_drop(tls);
        return;
    }
    memcpy(out, &head, sizeof(head));
    memcpy(out + sizeof(head), live->name, live->name_len);
    tls->ticket_len = before_session(live) + len;
}

static bool is_ours(const struct kinf_mbedtls *tls, const struct live *live,
                    struct head *head)
{
    const uint8_t *in = tls->config.ticket;
    int64_t now_s;
    bool build;

    memcpy(head, in, sizeof(*head));
    return head->generation == tls->config.credentials->generation &&
           head->port == live->port && head->name_len == live->name_len &&
           memcmp(in + sizeof(*head), live->name, live->name_len) == 0 &&
           kinf_mbedtls_now(&now_s, &build) && now_s <= head->valid_to_s;
}

void kinf_mbedtls_ticket_offer(struct kinf_mbedtls *tls, struct live *live)
{
    uint32_t refused = kinf_mbedtls_arena_refused();
    size_t front = before_session(live);
    mbedtls_ssl_session session;
    struct head head;
    int ret;

    if (tls->ticket_len == 0)
        return;
    if (!is_ours(tls, live, &head)) {
        kinf_mbedtls_ticket_drop(tls);
        return;
    }
    mbedtls_ssl_session_init(&session);
    ret = mbedtls_ssl_session_load(
        &session, (const unsigned char *)tls->config.ticket + front,
        tls->ticket_len - front);
    if (ret == 0)
        ret = mbedtls_ssl_set_session(&live->ssl, &session);
    mbedtls_ssl_session_free(&session);
    tls->refused += kinf_mbedtls_arena_refused() - refused;
    if (ret != 0) {
        kinf_mbedtls_ticket_drop(tls);
        return;
    }
    live->offered = true;
    live->valid_to_s = head.valid_to_s;
}
