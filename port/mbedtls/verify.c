/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - is this the server that was asked for? And if not, why not.
 *
 * Mbed TLS verifies signatures, dates and DNS names, and hands each certificate
 * of the chain to kinf_mbedtls_verify, root first. What it does not do, or not
 * as we want it, is done there: IP addresses (as "host name" it would send them
 * as SNI, which RFC 6066 forbids), names only from the alternative names (as
 * browsers, Go and kubectl do), dates against the time of the build, and the
 * words for status().reason, which must be found while the certificate is at
 * hand. */
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/rsa.h>

#include "glue.h"

/* ---- IP addresses ------------------------------------------------------- */

/* Reads decimal digits up to 255 without a leading zero. */
static bool read_byte(const char **text, uint8_t *out)
{
    const char *at = *text;
    unsigned value = 0;

    if (*at == '0' && at[1] >= '0' && at[1] <= '9')
        return false;
    while (*at >= '0' && *at <= '9' && value <= 255)
        value = value * 10 + (unsigned)(*at++ - '0');
    if (at == *text || value > 255)
        return false;
    *out = (uint8_t)value;
    *text = at;
    return true;
}

static bool read_v4(const char **text, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0 && *(*text)++ != '.')
            return false;
        if (!read_byte(text, &out[i]))
            return false;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_group(const char **text, uint8_t out[2])
{
    unsigned value = 0;
    int digits = 0;

    while (digits < 4 && hex_digit(**text) >= 0) {
        value = value << 4 | (unsigned)hex_digit(*(*text)++);
        digits++;
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return digits > 0;
}

/* Eight groups; "::" once stands for the zeros that are missing; the last two
 * may be written as an IPv4 address. */
static bool read_v6(const char *text, uint8_t out[16])
{
    size_t n = 0, gap = 17;

    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text != '\0' && n < 16) {
        const char *group = text;
        uint8_t v4[4];

        if (n <= 12 && read_v4(&group, v4) && *group == '\0') {
            memcpy(out + n, v4, 4);
            n += 4;
            text = group;
            break;
        }
        if (!read_group(&text, out + n))
            return false;
        n += 2;
        if (*text == '\0')
            break;
        if (*text++ != ':' || *text == '\0')
            return false;
        if (*text == ':') {
            if (gap <= 16)
                return false;
            gap = n;
            text++;
        }
    }
    if (*text != '\0' || (gap > 16 && n != 16) || (gap <= 16 && n > 14))
        return false;
    if (gap <= 16) {
        memmove(out + 16 - (n - gap), out + gap, n - gap);
        memset(out + gap, 0, 16 - n);
    }
    return true;
}

uint8_t kinf_mbedtls_ip(const char *text, uint8_t out[16])
{
    const char *v4 = text;

    if (read_v4(&v4, out) && *v4 == '\0')
        return 4;
    return read_v6(text, out) ? 16 : 0;
}

/* ---- names -------------------------------------------------------------- */

static unsigned kind_of(const mbedtls_x509_sequence *san)
{
    return (unsigned)san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
}

static bool has_ip(const mbedtls_x509_crt *crt, const struct live *live)
{
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names;
         san != NULL; san = san->next)
        if (kind_of(san) == MBEDTLS_X509_SAN_IP_ADDRESS &&
            san->buf.len == live->ip_len &&
            memcmp(san->buf.p, live->ip, live->ip_len) == 0)
            return true;
    return false;
}

static bool has_names(const mbedtls_x509_crt *crt)
{
    return mbedtls_x509_crt_has_ext_type(
               crt, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) != 0;
}

static void write_v4(struct kinf_words *w, const unsigned char *ip)
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            kinf_words_text(w, ".");
        kinf_words_number(w, ip[i]);
    }
}

/* The names a certificate is for, as far as there is place. */
static void write_names(struct kinf_words *w, const mbedtls_x509_crt *crt)
{
    const char *comma = "";

    if (!has_names(crt)) {
        kinf_words_text(w, "no name at all (no subject alternative names)");
        return;
    }
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names;
         san != NULL; san = san->next) {
        if (kind_of(san) == MBEDTLS_X509_SAN_DNS_NAME) {
            kinf_words_text(w, comma);
            kinf_words_bytes(w, san->buf.p, san->buf.len);
        } else if (kind_of(san) == MBEDTLS_X509_SAN_IP_ADDRESS &&
                   san->buf.len == 4) {
            kinf_words_text(w, comma);
            write_v4(w, san->buf.p);
        } else {
            continue;
        }
        comma = ", ";
    }
}

static void write_common_name(struct kinf_words *w,
                              const mbedtls_x509_name *name)
{
    for (; name != NULL; name = name->next)
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0) {
            kinf_words_bytes(w, name->val.p, name->val.len);
            return;
        }
    kinf_words_text(w, "an authority without a name");
}

static void write_date(struct kinf_words *w, const mbedtls_x509_time *date)
{
    kinf_words_number(w, (uint32_t)date->year);
    kinf_words_text(w, "-");
    kinf_words_two(w, date->mon);
    kinf_words_text(w, "-");
    kinf_words_two(w, date->day);
}

/* ---- what is wrong ------------------------------------------------------ */

#define DATES (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)

/* The gravest first: whoever is not trusted may write any name and date. */
static int error_of(uint32_t flags)
{
    if ((flags & ~(uint32_t)(DATES | MBEDTLS_X509_BADCERT_CN_MISMATCH)) != 0)
        return KINF_ERR_NOT_TRUSTED;
    if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
        return KINF_ERR_EXPIRED;
    if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        return KINF_ERR_NOT_YET_VALID;
    return KINF_ERR_WRONG_HOST;
}

static const char *weakness(uint32_t flags)
{
    if ((flags & (MBEDTLS_X509_BADCERT_KEY_USAGE |
                  MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                  MBEDTLS_X509_BADCERT_NS_CERT_TYPE)) != 0)
        return " is not meant for servers";
    if ((flags & (MBEDTLS_X509_BADCERT_BAD_MD |
                  MBEDTLS_X509_BADCERT_BAD_PK |
                  MBEDTLS_X509_BADCERT_BAD_KEY)) != 0)
        return " has a key or signature that is too weak";
    return NULL;
}

static void write_why(struct live *live, const mbedtls_x509_crt *crt, int depth,
                      uint32_t flags)
{
    struct kinf_words w =
        kinf_words_in(live->tls->reason, sizeof(live->tls->reason));

    kinf_words_text(&w, depth == 0 ? "the server's certificate"
                                   : "its issuer's certificate");
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        kinf_words_text(&w, " is signed by ");
        write_common_name(&w, &crt->issuer);
        kinf_words_text(&w, ", which no trust anchor vouches for");
    } else if (weakness(flags) != NULL) {
        kinf_words_text(&w, weakness(flags));
    } else if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) {
        kinf_words_text(&w, " expired on ");
        write_date(&w, &crt->valid_to);
    } else if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) {
        kinf_words_text(&w, " is valid from ");
        write_date(&w, &crt->valid_from);
        kinf_words_text(&w, ", is the clock right?");
    } else {
        kinf_words_text(&w, " is not for ");
        kinf_words_bytes(&w, live->name, live->name_len);
        kinf_words_text(&w, " but ");
        write_names(&w, crt);
    }
}

/* Is this certificate's fault graver than what is written already? */
static bool graver(uint32_t flags, uint32_t before)
{
    return before == 0 || error_of(flags) > error_of(before);
}

int kinf_mbedtls_verify(void *ctx, mbedtls_x509_crt *crt, int depth,
                        uint32_t *flags)
{
    struct live *live = ctx;
    int64_t end_s = kinf_mbedtls_seconds(&crt->valid_to);

    if (!live->asked || end_s < live->valid_to_s)
        live->valid_to_s = end_s;
    live->asked = true;
    if (live->build_time) /* the present is later than the build */
        *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_FUTURE;
    if (depth == 0) {
        live->rsa = mbedtls_pk_get_type(&crt->pk) == MBEDTLS_PK_RSA;
        if (!has_names(crt) || (live->ip_len != 0 && !has_ip(crt, live)))
            *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    if (*flags != 0) {
        if (graver(*flags, live->flags))
            write_why(live, crt, depth, *flags);
        live->flags |= *flags;
    }
    return 0;
}

/* The purpose of the leaf is looked at after the chain, without a call. */
static bool find_purpose(struct live *live)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&live->ssl);
    struct kinf_words w =
        kinf_words_in(live->tls->reason, sizeof(live->tls->reason));

    if (flags == UINT32_MAX || weakness(flags) == NULL)
        return false;
    kinf_words_text(&w, "the server's certificate");
    kinf_words_text(&w, weakness(flags));
    return true;
}

int kinf_mbedtls_verify_error(struct live *live)
{
    struct kinf_words w;

    if (live->flags != 0)
        return error_of(live->flags);
    if (find_purpose(live))
        return KINF_ERR_NOT_TRUSTED;
    w = kinf_words_in(live->tls->reason, sizeof(live->tls->reason));
    kinf_words_text(&w, "the server's certificate chain is longer than ");
    kinf_words_number(&w, MBEDTLS_X509_MAX_INTERMEDIATE_CA + 1);
    return KINF_ERR_NOT_TRUSTED;
}

/* ---- alerts ------------------------------------------------------------- */

static const struct {
    uint8_t alert;
    bool identity; /* about our certificate */
    const char *words;
} alerts[] = {
    { 40, false, "no cipher suite, curve or signature in common" },
    { 42, true, "the client certificate is bad" },
    { 43, true, "the client certificate is of an unsupported kind" },
    { 44, true, "the client certificate was revoked" },
    { 45, true, "the client certificate has expired" },
    { 46, true, "the client certificate is not accepted" },
    { 48, true, "the client certificate's authority is unknown" },
    { 49, true, "access denied" },
    { 70, false, "no TLS version in common" },
    { 71, false, "the keys offered are too weak" },
    { 80, false, "the server has an internal error" },
    { 112, false, "the server does not know this name" },
    { 116, true, "the server requires a client certificate" },
    { 120, false, "no application protocol in common" },
};

int kinf_mbedtls_alert(struct kinf_words *w, unsigned alert)
{
    kinf_words_text(w, "the server refused the connection: ");
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
        if (alerts[i].alert == alert) {
            kinf_words_text(w, alerts[i].words);
            return alerts[i].identity ? KINF_ERR_CREDENTIALS : KINF_ERR_TLS;
        }
    kinf_words_text(w, "alert ");
    kinf_words_number(w, alert);
    return KINF_ERR_TLS;
}

/* ---- the work a stranger can cause -------------------------------------- */

#if defined(MBEDTLS_RSA_C)
/* Each certificate that a server sends is tried as the issuer of the one before
 * it, long before anybody knows whether to trust it. Verifying with the usual
 * exponent (65,537) takes 17 multiplications; Mbed TLS takes any exponent up to
 * the modulus, and that is thousands: minutes on a microcontroller. Like Go we
 * take exponents of up to 32 bits. The modulus is bounded by
 * MBEDTLS_MPI_MAX_SIZE, the chain by MBEDTLS_X509_MAX_INTERMEDIATE_CA.
 *
 * Mbed TLS has no call between parsing a chain and verifying it. So the linker
 * puts this one in the way, with --wrap=mbedtls_rsa_parse_pubkey; a program
 * linked without that option works, and lacks the bound. */
#define EXPONENT_BITS_MAX 32

int __real_mbedtls_rsa_parse_pubkey(mbedtls_rsa_context *rsa,
                                    const unsigned char *key, size_t len)
    __attribute__((weak));
int __wrap_mbedtls_rsa_parse_pubkey(mbedtls_rsa_context *rsa,
                                    const unsigned char *key, size_t len);

int __wrap_mbedtls_rsa_parse_pubkey(mbedtls_rsa_context *rsa,
                                    const unsigned char *key, size_t len)
{
    int ret = __real_mbedtls_rsa_parse_pubkey(rsa, key, len);
    mbedtls_mpi exponent;

    if (ret != 0)
        return ret;
    mbedtls_mpi_init(&exponent);
    ret = mbedtls_rsa_export(rsa, NULL, NULL, NULL, NULL, &exponent);
    if (ret == 0 && mbedtls_mpi_bitlen(&exponent) > EXPONENT_BITS_MAX)
        ret = MBEDTLS_ERR_RSA_KEY_CHECK_FAILED;
    mbedtls_mpi_free(&exponent);
    return ret;
}
#endif
