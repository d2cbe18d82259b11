/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS as a transport over another transport.
 *
 * An open call does one step: of the transport below, or of the handshake (one
 * flight's message, or one slice of elliptic curve work). All that a connection
 * needs is taken from the arena when the transport below has opened, and given
 * back by close, to the byte. */
#include <limits.h>
#include <string.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/version.h>

#include "glue.h"

#define KINF_FILE 65 /* for kinf_assert_failed */

enum state {
    STATE_CLOSED,
    STATE_LOWER, /* the transport below opens */
    STATE_HANDSHAKE,
    STATE_OPEN,
    STATE_FAILED /* only close is legal */
};

/* Records without data (tickets, key updates) taken in one recv. */
#define EMPTY_RECORDS_MAX 8

void kinf_mbedtls_init(struct kinf_mbedtls *tls,
                       const struct kinf_mbedtls_config *config)
{
    memset(tls, 0, sizeof(*tls));
    tls->config = *config;
    if (config->lower == NULL || config->credentials == NULL)
        kinf_assert_failed(KINF_FILE, __LINE__);
}

static int again(struct kinf_mbedtls *tls, bool call)
{
    tls->call = call;
    return KINF_ERR_AGAIN;
}

static struct kinf_words reason(struct kinf_mbedtls *tls)
{
    return kinf_words_in(tls->reason, sizeof(tls->reason));
}

static int fail(struct kinf_mbedtls *tls, int err, const char *why)
{
    struct kinf_words w = reason(tls);

    kinf_words_text(&w, why);
    tls->state = STATE_FAILED;
    tls->call = false;
    return err;
}

/* ---- the bytes below ---------------------------------------------------- */

static int lower_failed(struct kinf_mbedtls *tls, int err)
{
    tls->lower_err = err;
    return MBEDTLS_ERR_NET_CONN_RESET;
}

static int bio_send(void *ctx, const unsigned char *data, size_t size)
{
    struct kinf_mbedtls *tls = ctx;
    int n = tls->config.lower->send(tls->config.lower_ctx, data, size);

    if (n > 0)
        return n;
    if (n != KINF_ERR_AGAIN)
        return lower_failed(tls, n);
    tls->starved = true;
    return MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int bio_recv(void *ctx, unsigned char *data, size_t size)
{
    struct kinf_mbedtls *tls = ctx;
    int n;

    /* Its last answer was final; asking again is not legal. */
    if (tls->lower_err != KINF_OK)
        return MBEDTLS_ERR_NET_CONN_RESET;
    n = tls->config.lower->recv(tls->config.lower_ctx, data, size);
    if (n > 0)
        return n;
    if (n != KINF_ERR_AGAIN)
        return lower_failed(tls, n);
    tls->starved = true;
    return MBEDTLS_ERR_SSL_WANT_READ;
}

/* ---- why a connection failed -------------------------------------------- */

static int no_memory(struct kinf_mbedtls *tls)
{
    struct kinf_mbedtls_arena arena;
    struct kinf_words w = reason(tls);

    kinf_mbedtls_arena(&arena);
    kinf_words_text(&w, "the TLS arena of ");
    kinf_words_number(&w, (uint32_t)arena.size);
    kinf_words_text(&w, " bytes is exhausted");
    return KINF_ERR_NO_MEMORY;
}

static int unknown(struct kinf_mbedtls *tls, int ret)
{
    struct kinf_words w = reason(tls);

    kinf_words_text(&w, "Mbed TLS failed with -");
    kinf_words_hex(&w, (uint32_t)-ret);
    if (tls->state == STATE_HANDSHAKE) {
        const struct live *live = tls->live;

        kinf_words_text(&w, " in handshake state ");
        kinf_words_number(&w, (uint32_t)live->ssl.MBEDTLS_PRIVATE(state));
    }
    return KINF_ERR_TLS;
}

/* An error of X.509, ASN.1, keys or curves (those of SSL lie below -0x6000)
 * while the chain was parsed. */
static bool is_bad_chain(const struct live *live, int ret)
{
    return live->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE &&
           ret > -0x6000;
}

static int too_large(struct kinf_mbedtls *tls)
{
    struct kinf_words w = reason(tls);

    kinf_words_text(&w, "a TLS record is larger than the input buffer of ");
    kinf_words_number(&w, MBEDTLS_SSL_IN_CONTENT_LEN);
    kinf_words_text(&w, " bytes (KINF_TLS_IN_BYTES)");
    return KINF_ERR_RECORD;
}

static int ended(struct kinf_mbedtls *tls)
{
    struct kinf_words w = reason(tls);

    kinf_words_text(&w, tls->state == STATE_HANDSHAKE
                            ? "the peer ended the connection in the middle of "
                              "the TLS handshake"
                            : "the peer ended the connection");
    return KINF_ERR_CLOSED;
}

static int alert(struct kinf_mbedtls *tls, const struct live *live)
{
    struct kinf_words w = reason(tls);

    return kinf_mbedtls_alert(&w, live->ssl.MBEDTLS_PRIVATE(in_msg)[1]);
}

/* Out of memory comes first: inside a verification Mbed TLS tells it as a bad
 * signature. */
static int explain(struct kinf_mbedtls *tls, struct live *live, int ret)
{
    if (kinf_mbedtls_arena_refused() != tls->refused)
        return no_memory(tls);
    if (ret == MBEDTLS_ERR_SSL_ALLOC_FAILED)
        return fail(tls, KINF_ERR_NO_MEMORY,
                    "more handshakes at one time than PSA has key slots for "
                    "(MBEDTLS_PSA_KEY_SLOT_COUNT)");
    if (tls->lower_err == KINF_ERR_CLOSED && tls->state == STATE_HANDSHAKE)
        return ended(tls);
    if (tls->lower_err != KINF_OK) {
        tls->reason[0] = '\0'; /* the words are those of below */
        return tls->lower_err;
    }
    switch (ret) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_X509_FATAL_ERROR:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
        return kinf_mbedtls_verify_error(live);
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return alert(tls, live);
    case 0:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return ended(tls);
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        if (MBEDTLS_SSL_IN_CONTENT_LEN < 16384)
            return too_large(tls);
        return unknown(tls, ret);
    case MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL:
        return fail(tls, KINF_ERR_TLS,
                    "a message of ours is larger than the output buffer "
                    "(KINF_TLS_OUT_BYTES)");
    default:
        break;
    }
    if (tls->state == STATE_HANDSHAKE && is_bad_chain(live, ret))
        return fail(tls, KINF_ERR_NOT_TRUSTED,
                    "the server's certificate cannot be read, or is of a kind "
                    "that is not supported");
    return unknown(tls, ret);
}

/* Mbed TLS before 3.6.7 offers RSA-PSS for TLS 1.3 and refuses it under 1.2,
 * where a server that goes by its own order may come to it. The next open then
 * offers 1.2 alone, and no PSS. */
static void note_pss(struct kinf_mbedtls *tls, const struct live *live, int ret)
{
#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && MBEDTLS_VERSION_NUMBER < 0x03060700
    if (ret == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER && live->rsa &&
        live->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_KEY_EXCHANGE)
        tls->only_1_2 = true;
#else
    (void)tls;
    (void)live;
    (void)ret;
#endif
}

static int fail_with(struct kinf_mbedtls *tls, int ret)
{
    struct live *live = tls->live;
    int err = explain(tls, live, ret);

    note_pss(tls, live, ret);
    /* A ticket that led to this may do so again. */
    if (live->offered && tls->state == STATE_HANDSHAKE)
        kinf_mbedtls_ticket_drop(tls);
    tls->state = STATE_FAILED;
    tls->call = false;
    return err;
}

/* ---- open --------------------------------------------------------------- */

/* What is refused before a byte is sent. */
static int begin(struct kinf_mbedtls *tls)
{
    struct kinf_mbedtls_credentials *c = tls->config.credentials;
    const struct held *held = c->held;
    int64_t now_s;
    bool build;

    tls->reason[0] = '\0';
    tls->lower_err = KINF_OK;
    tls->verified = tls->resumed = false;
    tls->pending = 0;
    c->users++;
    if (held == NULL || held->anchors.version == 0)
        return fail(tls, KINF_ERR_CREDENTIALS, "no trust anchor was given");
    if (held->conf_err != 0)
        return fail(tls, KINF_ERR_NO_MEMORY, "the TLS arena is exhausted");
    if (!kinf_mbedtls_now(&now_s, &build))
        return fail(tls, KINF_ERR_NO_CLOCK,
                    "the time is unknown, or before the build or a good one: "
                    "certificates cannot be checked");
    tls->state = STATE_LOWER;
    return KINF_OK;
}

/* The name to verify: without the dot at its end that DNS allows and
 * certificates and SNI do not know. */
static struct kinf_span name_of(const struct kinf_mbedtls *tls,
                                struct kinf_span host)
{
    struct kinf_span name =
        tls->config.server_name.len > 0 ? tls->config.server_name : host;

    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

static const mbedtls_ssl_config *conf_of(const struct kinf_mbedtls *tls,
                                         struct live *live)
{
    const struct held *held = tls->config.credentials->held;

#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    if (tls->only_1_2) {
        live->conf = held->conf; /* lent: only credentials.c frees it */
        mbedtls_ssl_conf_max_tls_version(&live->conf,
                                         MBEDTLS_SSL_VERSION_TLS1_2);
        return &live->conf;
    }
#else
    (void)live;
#endif
    return &held->conf;
}

static int make_live(struct kinf_mbedtls *tls, struct kinf_span host,
                     uint16_t port)
{
    struct kinf_span name = name_of(tls, host);
    struct live *live;
    int64_t now_s;
    int ret;

    if (name.len == 0 || name.len > MBEDTLS_SSL_MAX_HOST_NAME_LEN)
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    live = kinf_mbedtls_calloc(1, sizeof(*live) + name.len + 1);
    if (live == NULL)
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    tls->live = live;
    live->tls = tls;
    live->port = port;
    live->name_len = (uint16_t)name.len;
    memcpy(live->name, name.ptr, name.len);
    live->ip_len = kinf_mbedtls_ip(live->name, live->ip);
    (void)kinf_mbedtls_now(&now_s, &live->build_time);

    mbedtls_ssl_init(&live->ssl);
    ret = mbedtls_ssl_setup(&live->ssl, conf_of(tls, live));
    /* NULL: no SNI, and the name is verified by us. */
    if (ret == 0)
        ret = mbedtls_ssl_set_hostname(&live->ssl,
                                       live->ip_len != 0 ? NULL : live->name);
    if (ret != 0)
        return ret;
    mbedtls_ssl_set_verify(&live->ssl, kinf_mbedtls_verify, live);
    mbedtls_ssl_set_bio(&live->ssl, tls, bio_send, bio_recv, NULL);
    kinf_mbedtls_ticket_offer(tls, live);
    return 0;
}

/* What a caller tells when its deadline ends this phase. */
static void in_handshake(struct kinf_mbedtls *tls)
{
    const struct live *live = tls->live;
    struct kinf_words w = reason(tls);

    kinf_words_text(&w, "in the TLS handshake with ");
    kinf_words_bytes(&w, live->name, live->name_len);
    tls->state = STATE_HANDSHAKE;
}

static int open_lower(struct kinf_mbedtls *tls, struct kinf_span host,
                      uint16_t port)
{
    int err = tls->config.lower->open(tls->config.lower_ctx, host, port);
    int ret;

    if (err == KINF_ERR_AGAIN)
        return again(tls, false);
    if (err != KINF_OK) {
        tls->state = STATE_FAILED;
        return err;
    }
    tls->refused = kinf_mbedtls_arena_refused();
    ret = make_live(tls, host, port);
    if (ret == 0) {
        in_handshake(tls);
        return again(tls, true);
    }
    if (kinf_mbedtls_arena_refused() != tls->refused) {
        tls->state = STATE_FAILED;
        return no_memory(tls);
    }
    return fail(tls, KINF_ERR_TLS, "the host name is empty or too long");
}

/* Can the step that comes next not be cut? Only ECDSA under TLS 1.2 can. */
static bool is_long_step(const struct live *live)
{
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    (void)live;
    return true;
#else
    return live->rsa &&
           live->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_CLIENT_KEY_EXCHANGE;
#endif
}

static bool is_1_3(const struct live *live)
{
    return mbedtls_ssl_get_version_number(&live->ssl) ==
           MBEDTLS_SSL_VERSION_TLS1_3;
}

/* A handshake without a verified chain, or a resumed one without a ticket that
 * stands for it, must not exist; if it does, no byte goes over it. */
static int finish(struct kinf_mbedtls *tls, struct live *live)
{
    if ((!live->asked && !live->offered) || live->flags != 0 ||
        mbedtls_ssl_get_verify_result(&live->ssl) != 0)
        return fail(tls, KINF_ERR_NOT_TRUSTED,
                    "the server's certificate was not verified");
    tls->verified = true;
    tls->reason[0] = '\0';
    tls->resumed = !live->asked;
    if (live->asked && !live->build_time)
        kinf_mbedtls_note_good();
    tls->state = STATE_OPEN;
    tls->call = false;
    if (!is_1_3(live)) /* 1.3 sends its ticket later */
        kinf_mbedtls_ticket_keep(tls, live);
    return KINF_OK;
}

static int handshake(struct kinf_mbedtls *tls)
{
    struct live *live = tls->live;
    int ret;

    if (is_long_step(live))
        kinf_mbedtls_long_step();
    tls->starved = false;
    ret = mbedtls_ssl_handshake_step(&live->ssl);
    switch (ret) {
    case 0:
        if (mbedtls_ssl_is_handshake_over(&live->ssl))
            return finish(tls, live);
        return again(tls, true);
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return again(tls, !tls->starved);
    case MBEDTLS_ERR_SSL_CRYPTO_IN_PROGRESS:
        return again(tls, true);
    default:
        return fail_with(tls, ret);
    }
}

static int tls_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct kinf_mbedtls *tls = ctx;
    int err;

    switch ((enum state)tls->state) {
    case STATE_CLOSED:
        err = begin(tls);
        return err == KINF_OK ? open_lower(tls, host, port) : err;
    case STATE_LOWER:
        return open_lower(tls, host, port);
    case STATE_HANDSHAKE:
        return handshake(tls);
    case STATE_OPEN:
        return KINF_OK;
    case STATE_FAILED:
    default:
        kinf_assert_failed(KINF_FILE, __LINE__);
        return KINF_ERR_CLOSED;
    }
}

/* ---- bytes -------------------------------------------------------------- */

static struct live *opened(struct kinf_mbedtls *tls, size_t size)
{
    if (tls->state != STATE_OPEN || size == 0)
        kinf_assert_failed(KINF_FILE, __LINE__);
    tls->starved = false;
    return tls->live;
}

/* When a record could not leave whole, Mbed TLS wants the same bytes again and
 * then answers with what it is given: so it is given what it had. */
static int tls_send(void *ctx, const void *data, size_t size)
{
    struct kinf_mbedtls *tls = ctx;
    struct live *live = opened(tls, size);
    int ret;

    if (tls->pending > 0) {
        if (size < tls->pending)
            kinf_assert_failed(KINF_FILE, __LINE__);
        size = tls->pending;
    }
    if (size > MBEDTLS_SSL_OUT_CONTENT_LEN)
        size = MBEDTLS_SSL_OUT_CONTENT_LEN;
    ret = mbedtls_ssl_write(&live->ssl, data, size);
    if (ret > 0) {
        tls->pending = 0;
        return ret;
    }
    if (ret == MBEDTLS_ERR_SSL_WANT_WRITE) {
        tls->pending = size;
        return again(tls, !tls->starved);
    }
    if (ret == MBEDTLS_ERR_SSL_WANT_READ)
        return again(tls, !tls->starved);
    return fail_with(tls, ret);
}

/* "Read more" from Mbed TLS may mean that a record without data was eaten: only
 * when the transport below had nothing either is there nothing to come. */
static int tls_recv(void *ctx, void *data, size_t size)
{
    struct kinf_mbedtls *tls = ctx;
    struct live *live = opened(tls, size);

    for (int i = 0; i < EMPTY_RECORDS_MAX; i++) {
        int ret = mbedtls_ssl_read(&live->ssl, data,
                                   size < INT_MAX ? size : INT_MAX);

        switch (ret) {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
        case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
            kinf_mbedtls_ticket_keep(tls, live);
            break;
#endif
        case MBEDTLS_ERR_SSL_WANT_READ:
        case MBEDTLS_ERR_SSL_WANT_WRITE:
            if (tls->starved)
                return again(tls, false);
            break;
        default:
            return ret > 0 ? ret : fail_with(tls, ret);
        }
    }
    return again(tls, true);
}

/* ---- the end ------------------------------------------------------------ */

static void tls_close(void *ctx)
{
    struct kinf_mbedtls *tls = ctx;
    struct live *live = tls->live;

    if (tls->state == STATE_CLOSED)
        return;
    if (live != NULL) {
        /* Said once if there is room for it; nobody waits. */
        if (tls->state == STATE_OPEN && tls->pending == 0)
            (void)mbedtls_ssl_close_notify(&live->ssl);
        mbedtls_ssl_free(&live->ssl);
        kinf_mbedtls_free(live);
        tls->live = NULL;
        kinf_mbedtls_reseed();
    }
    tls->config.lower->close(tls->config.lower_ctx);
    tls->config.credentials->users--;
    tls->state = STATE_CLOSED;
    tls->call = tls->verified = tls->resumed = false;
    tls->pending = 0;
}

static void tls_status(void *ctx, struct kinf_transport_status *out)
{
    const struct kinf_mbedtls *tls = ctx;
    const struct live *live = tls->live;

    tls->config.lower->status(tls->config.lower_ctx, out);
    if (tls->call)
        out->wants = KINF_WANTS_CALL;
    out->level = out->level && !tls->call && tls->state == STATE_OPEN &&
                 mbedtls_ssl_check_pending(&live->ssl) == 0;
    out->verified = tls->verified && tls->state == STATE_OPEN;
    out->resumed = tls->resumed;
    if (tls->reason[0] != '\0')
        out->reason = tls->reason;
    if (tls->state == STATE_HANDSHAKE)
        out->phase = KINF_PHASE_HANDSHAKE;
    else if (tls->state == STATE_CLOSED || tls->state == STATE_FAILED)
        out->phase = KINF_PHASE_CLOSED;
}

static void tls_forget(void *ctx)
{
    struct kinf_mbedtls *tls = ctx;

    kinf_mbedtls_ticket_drop(tls);
    tls->only_1_2 = false;
    if (tls->config.lower->forget != NULL)
        tls->config.lower->forget(tls->config.lower_ctx);
}

const struct kinf_transport_ops kinf_mbedtls_ops = {
    .open = tls_open,
    .send = tls_send,
    .recv = tls_recv,
    .close = tls_close,
    .status = tls_status,
    .forget = tls_forget,
};
