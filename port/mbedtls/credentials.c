/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - trust anchors, client certificate, and the configuration of
 * Mbed TLS made from them.
 *
 * New certificates are parsed twice: once to see that they are good, then, with
 * the old ones freed, for good. So an error leaves what was, and yet the old
 * and the new never lie in the arena together for long: its lowest bytes look
 * the same after the hundredth change as after the first.
 *
 * RSA keys cache a number at their first use, in the middle of a handshake,
 * where it would cut the arena's free space in two for ever. So each is used
 * once here. */
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>

#include "glue.h"

#define KINF_FILE 64 /* for kinf_assert_failed */

/* ---- what is negotiated ------------------------------------------------- */

/* Without AES in hardware ChaCha20 takes a third of the time. A Go server
 * takes the order of the first entries as a hint. */
static const int chacha_first[] = {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0
};

#if defined(MBEDTLS_AESNI_C) || defined(MBEDTLS_AESCE_C)
static const int aes_first[] = {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0
};
#endif

static const int *suites(void)
{
#if defined(MBEDTLS_AESNI_C)
    return __builtin_cpu_supports("aes") ? aes_first : chacha_first;
#elif defined(MBEDTLS_AESCE_C)
    return aes_first;
#else
    return chacha_first;
#endif
}

/* The first is the one whose key share is sent: P-256, which every server
 * takes and Mbed TLS computes fastest. */
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
#if defined(MBEDTLS_ECP_DP_CURVE25519_ENABLED)
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
#endif
#if defined(MBEDTLS_ECP_DP_SECP384R1_ENABLED)
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
#endif
#if defined(MBEDTLS_ECP_DP_SECP521R1_ENABLED)
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
#endif
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE
};

/* PKCS #1 before PSS: under TLS 1.2 Mbed TLS 3.6.6 offers RSA-PSS (for 1.3) and
 * then refuses it, so a server that follows our order must not come to it. */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
#if defined(MBEDTLS_RSA_C)
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
#endif
#endif
    MBEDTLS_TLS1_3_SIG_NONE
};

/* Not const, because Mbed TLS forgot to say that it only reads. */
static const char *protocols[] = { "http/1.1", NULL };

static const mbedtls_x509_crt_profile profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = 0xFFFFFFF,
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
                      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
                      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
    .rsa_min_bitlen = 2048,
};

/* Makes the configuration anew: there is no taking back of a certificate. */
static int make_conf(struct held *held)
{
    mbedtls_ssl_config *conf = &held->conf;
    int ret;

    mbedtls_ssl_config_free(conf);
    mbedtls_ssl_config_init(conf);
    ret = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret != 0)
        return ret;
    mbedtls_ssl_conf_rng(conf, kinf_mbedtls_random, NULL);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(conf, suites());
    mbedtls_ssl_conf_groups(conf, groups);
    mbedtls_ssl_conf_sig_algs(conf, signatures);
    mbedtls_ssl_conf_cert_profile(conf, &profile);
    mbedtls_ssl_conf_ca_chain(conf, &held->anchors, NULL);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    ret = mbedtls_ssl_conf_alpn_protocols(conf, protocols);
    if (ret == 0 && held->identity != NULL)
        ret = mbedtls_ssl_conf_own_cert(conf, &held->identity->chain,
                                        &held->identity->key);
    return ret;
}

/* A connection is not begun while conf_err is set. */
static int configure(struct held *held)
{
    held->conf_err = make_conf(held);
    return held->conf_err;
}

/* ---- parsing ------------------------------------------------------------ */

static int refuse(struct kinf_mbedtls_credentials *c, uint32_t refused,
                  const char *why)
{
    if (kinf_mbedtls_arena_refused() != refused) {
        c->reason = "the TLS arena is exhausted";
        return KINF_ERR_NO_MEMORY;
    }
    c->reason = why;
    return KINF_ERR_CREDENTIALS;
}

static bool starts(struct kinf_span text, const char *with)
{
    size_t len = strlen(with);

    return text.len >= len && memcmp(text.ptr, with, len) == 0;
}

/* Finds text in text; at the end of it when it is not there. */
static size_t find(struct kinf_span text, const char *what)
{
    while (text.len > 0 && !starts(text, what)) {
        text.ptr++;
        text.len--;
    }
    return text.len;
}

static bool is_pem(struct kinf_span text)
{
    return find(text, "-----BEGIN ") > 0;
}

#if defined(MBEDTLS_PEM_PARSE_C)
/* PEM must end in a NUL for Mbed TLS: one block at a time is copied, so that a
 * bundle of authorities needs no second place of its size. */
static unsigned char *copy_block(struct kinf_span block)
{
    unsigned char *copy = kinf_mbedtls_calloc(1, block.len + 1);

    if (copy != NULL)
        memcpy(copy, block.ptr, block.len);
    return copy;
}

/* Takes the next certificate's block off the front. */
static bool next_block(struct kinf_span *text, struct kinf_span *block)
{
    static const char end[] = "-----END CERTIFICATE-----";
    size_t left = find(*text, "-----BEGIN CERTIFICATE-----");
    size_t after;

    text->ptr += text->len - left;
    text->len = left;
    after = find(*text, end);
    if (after == 0)
        return false;
    block->ptr = text->ptr;
    block->len = text->len - after + sizeof(end) - 1;
    text->ptr += block->len;
    text->len -= block->len;
    return true;
}

static int parse_pem(mbedtls_x509_crt *chain, struct kinf_span text)
{
    struct kinf_span block;
    int count = 0;

    while (next_block(&text, &block)) {
        unsigned char *copy = copy_block(block);
        int ret;

        if (copy == NULL)
            return MBEDTLS_ERR_X509_ALLOC_FAILED;
        ret = mbedtls_x509_crt_parse(chain, copy, block.len + 1);
        kinf_mbedtls_free(copy);
        if (ret != 0)
            return ret;
        count++;
    }
    return count > 0 ? 0 : MBEDTLS_ERR_X509_INVALID_FORMAT;
}
#endif

/* DER says its own length: 0x30, then one byte, or a count of length bytes. */
static size_t der_len(struct kinf_span text)
{
    const unsigned char *b = (const unsigned char *)text.ptr;
    size_t len = 0, count;

    if (text.len < 2 || b[0] != 0x30)
        return 0;
    if (b[1] < 0x80)
        return b[1] + (size_t)2;
    count = b[1] & 0x7Fu;
    if (count > 3 || text.len < 2 + count)
        return 0;
    for (size_t i = 0; i < count; i++)
        len = len << 8 | b[2 + i];
    return len + 2 + count;
}

static int parse_der(mbedtls_x509_crt *chain, struct kinf_span text, bool stays)
{
    do {
        size_t len = der_len(text);
        const unsigned char *at = (const unsigned char *)text.ptr;
        int ret;

        if (len == 0 || len > text.len)
            return MBEDTLS_ERR_X509_INVALID_FORMAT;
        ret = stays ? mbedtls_x509_crt_parse_der_nocopy(chain, at, len)
                    : mbedtls_x509_crt_parse_der(chain, at, len);
        if (ret != 0)
            return ret;
        text.ptr += len;
        text.len -= len;
    } while (text.len > 0);
    return 0;
}

static int parse(mbedtls_x509_crt *chain, struct kinf_span text, bool stays)
{
    if (!is_pem(text))
        return parse_der(chain, text, stays);
#if defined(MBEDTLS_PEM_PARSE_C)
    return parse_pem(chain, text);
#else
    return MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE;
#endif
}

static const char *why_not(int ret)
{
    if (ret == MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE)
        return "this build reads certificates in DER only, not PEM";
    return "a certificate cannot be read: not PEM or DER, cut, or of a kind "
           "that is not supported";
}

/* ---- use once ----------------------------------------------------------- */

static bool is_rsa(const mbedtls_pk_context *pk)
{
    mbedtls_pk_type_t type = mbedtls_pk_get_type(pk);

    return type == MBEDTLS_PK_RSA || type == MBEDTLS_PK_RSASSA_PSS;
}

/* Verifies a signature that is none. */
static void use_public(mbedtls_pk_context *pk)
{
    static const unsigned char hash[32];
    size_t len = mbedtls_pk_get_len(pk);
    unsigned char *sig;

    if (!is_rsa(pk))
        return;
    sig = kinf_mbedtls_calloc(1, len);
    if (sig == NULL)
        return;
    sig[len - 1] = 2;
    (void)mbedtls_pk_verify(pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), sig,
                            len);
    kinf_mbedtls_free(sig);
}

/* Signs something nobody will see; twice, because the second time squares the
 * blinding numbers that the first has made, and they grow. */
static void use_private(mbedtls_pk_context *pk)
{
    static const unsigned char hash[32];
    size_t len = mbedtls_pk_get_len(pk);
    unsigned char *sig;

    if (!is_rsa(pk))
        return;
    sig = kinf_mbedtls_calloc(1, len);
    if (sig == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        kinf_mbedtls_long_step();
        (void)mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), sig,
                              len, &len, kinf_mbedtls_random, NULL);
    }
    kinf_mbedtls_free(sig);
}

/* ---- the public calls --------------------------------------------------- */

static void free_anchors(struct held *held)
{
    mbedtls_x509_crt_free(&held->anchors);
    mbedtls_x509_crt_init(&held->anchors);
}

static struct identity *new_identity(void)
{
    struct identity *id = kinf_mbedtls_calloc(1, sizeof(*id));

    if (id != NULL) {
        mbedtls_x509_crt_init(&id->chain);
        mbedtls_pk_init(&id->key);
    }
    return id;
}

static void free_identity(struct identity *id)
{
    if (id == NULL)
        return;
    mbedtls_pk_free(&id->key);
    mbedtls_x509_crt_free(&id->chain);
    kinf_mbedtls_free(id);
}

int kinf_mbedtls_credentials_init(struct kinf_mbedtls_credentials *c)
{
    struct held *held = kinf_mbedtls_calloc(1, sizeof(*held));

    memset(c, 0, sizeof(*c));
    if (held == NULL)
        return KINF_ERR_NO_MEMORY;
    c->held = held;
    mbedtls_ssl_config_init(&held->conf);
    mbedtls_x509_crt_init(&held->anchors);
    return KINF_OK;
}

static struct held *closed(struct kinf_mbedtls_credentials *c)
{
    if (c->held == NULL || c->users != 0)
        kinf_assert_failed(KINF_FILE, __LINE__); /* a connection uses them */
    c->reason = NULL;
    return c->held;
}

int kinf_mbedtls_trust(struct kinf_mbedtls_credentials *c,
                       struct kinf_span certificates, bool stays)
{
    struct held *held = closed(c);
    uint32_t refused = kinf_mbedtls_arena_refused();
    mbedtls_x509_crt probe;
    int ret;

    mbedtls_x509_crt_init(&probe);
    ret = parse(&probe, certificates, stays);
    mbedtls_x509_crt_free(&probe);
    if (ret != 0)
        return refuse(c, refused, why_not(ret));

    c->generation++;
    free_anchors(held);
    ret = parse(&held->anchors, certificates, stays);
    if (ret == 0)
        ret = configure(held);
    if (ret != 0) {
        free_anchors(held);
        return refuse(c, refused, why_not(ret));
    }
    for (mbedtls_x509_crt *crt = &held->anchors; crt != NULL; crt = crt->next)
        use_public(&crt->pk);
    return KINF_OK;
}

static int parse_key(mbedtls_pk_context *key, struct kinf_span text)
{
#if defined(MBEDTLS_PEM_PARSE_C)
    if (is_pem(text)) {
        unsigned char *copy = copy_block(text);
        int ret;

        if (copy == NULL)
            return MBEDTLS_ERR_PK_ALLOC_FAILED;
        ret = mbedtls_pk_parse_key(key, copy, text.len + 1, NULL, 0,
                                   kinf_mbedtls_random, NULL);
        kinf_mbedtls_free(copy); /* wipes it */
        return ret;
    }
#endif
    return mbedtls_pk_parse_key(key, (const unsigned char *)text.ptr, text.len,
                                NULL, 0, kinf_mbedtls_random, NULL);
}

/* Parses both and sees whether they belong together. */
static int parse_identity(struct kinf_mbedtls_credentials *c,
                          struct identity *id, struct kinf_span certificates,
                          struct kinf_span key)
{
    uint32_t refused = kinf_mbedtls_arena_refused();
    int ret = parse(&id->chain, certificates, false);

    if (ret != 0)
        return refuse(c, refused, why_not(ret));
    ret = parse_key(&id->key, key);
    if (ret == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        return refuse(c, refused, "the client key is protected by a password");
    if (ret != 0)
        return refuse(c, refused, "the client key cannot be read");
    if (mbedtls_pk_check_pair(&id->chain.pk, &id->key, kinf_mbedtls_random,
                              NULL) != 0)
        return refuse(c, refused, "the client certificate and the client key "
                                  "do not belong together");
    return KINF_OK;
}

/* Gives *out an identity, or NULL for none. */
static int make_identity(struct kinf_mbedtls_credentials *c,
                         struct kinf_span certificates, struct kinf_span key,
                         struct identity **out)
{
    uint32_t refused = kinf_mbedtls_arena_refused();
    struct identity *id;
    int err;

    *out = NULL;
    if (certificates.len == 0 && key.len == 0)
        return KINF_OK;
    id = new_identity();
    if (id == NULL)
        return refuse(c, refused, "");
    err = parse_identity(c, id, certificates, key);
    if (err == KINF_OK)
        *out = id;
    else
        free_identity(id);
    return err;
}

int kinf_mbedtls_identity(struct kinf_mbedtls_credentials *c,
                          struct kinf_span certificates, struct kinf_span key)
{
    struct held *held = closed(c);
    uint32_t refused = kinf_mbedtls_arena_refused();
    struct identity *probe;
    int err = make_identity(c, certificates, key, &probe);

    if (err != KINF_OK)
        return err;
    free_identity(probe);
    c->generation++;
    free_identity(held->identity);
    err = make_identity(c, certificates, key, &held->identity);
    if (configure(held) != 0 && err == KINF_OK)
        err = refuse(c, refused, "the client certificate cannot be used");
    if (err == KINF_OK && held->identity != NULL)
        use_private(&held->identity->key);
    return err;
}

void kinf_mbedtls_credentials_free(struct kinf_mbedtls_credentials *c)
{
    struct held *held;

    if (c->held == NULL)
        return;
    held = closed(c);
    free_identity(held->identity);
    free_anchors(held);
    mbedtls_ssl_config_free(&held->conf);
    kinf_mbedtls_free(held);
    c->held = NULL;
}
