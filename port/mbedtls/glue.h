/* SPDX-License-Identifier: Apache-2.0 */
/* glue.h - what the files of this folder share. */
#ifndef KINF_MBEDTLS_GLUE_H
#define KINF_MBEDTLS_GLUE_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "arena.h"
#include "kinf_mbedtls.h"

/* ---- system.c ----------------------------------------------------------- */

const struct kinf_mbedtls_system *kinf_mbedtls_the_system(void);

/* Seconds since 1970 to check dates against. Returns false when there is no
 * time; *build is set when it is that of the build. */
bool kinf_mbedtls_now(int64_t *now_s, bool *build);

/* A chain was valid now. */
void kinf_mbedtls_note_good(void);

/* Random numbers, in Mbed TLS's shape; p is ignored. */
int kinf_mbedtls_random(void *p, unsigned char *out, size_t size);

/* Fresh entropy: when a connection has ended, so that it never comes due deep
 * inside a handshake, where the stack is short, and delays no reconnect. */
void kinf_mbedtls_reseed(void);

void kinf_mbedtls_long_step(void);

/* Seconds since 1970 of a date, and back. */
int64_t kinf_mbedtls_seconds(const mbedtls_x509_time *date);

/* ---- words.c: sentences without printf ---------------------------------- */

struct kinf_words {
    char *at, *end; /* *end is the NUL's last place */
};
struct kinf_words kinf_words_in(char *buf, size_t size);
void kinf_words_text(struct kinf_words *w, const char *text);
/* Bytes of a stranger: what is not printable becomes '?'. */
void kinf_words_bytes(struct kinf_words *w, const void *bytes, size_t len);
void kinf_words_number(struct kinf_words *w, uint32_t number);
void kinf_words_hex(struct kinf_words *w, uint32_t number);
void kinf_words_two(struct kinf_words *w, int number); /* "07" */

/* ---- credentials.c ------------------------------------------------------ */

/* A client's certificate, its chain behind it, and its key. */
struct identity {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
};

struct held {
    mbedtls_ssl_config conf;
    int conf_err;             /* the configuration could not be made */
    mbedtls_x509_crt anchors; /* version 0: none */
    struct identity *identity; /* NULL: none, which most firmware has */
};

/* ---- one connection ----------------------------------------------------- */

struct live {
    mbedtls_ssl_context ssl;
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
    mbedtls_ssl_config conf; /* the credentials', with less offered */
#endif
    struct kinf_mbedtls *tls;
    bool asked;        /* the server's chain was verified now */
    bool offered;      /* a ticket was */
    bool build_time;   /* dates are checked against the build's */
    bool rsa;          /* the server's key is RSA: its ECDHE is not cut */
    uint8_t ip_len;    /* 0: the name is a DNS name; else 4 or 16 */
    uint8_t ip[16];
    uint32_t flags;    /* of all certificates of the chain */
    int64_t valid_to_s; /* the earliest end in the chain */
    uint16_t port;
    uint16_t name_len;
    char name[];       /* NUL-terminated */
};

/* ---- verify.c ----------------------------------------------------------- */

/* Reads an IP address. Returns 4, 16, or 0 when it is a name. */
uint8_t kinf_mbedtls_ip(const char *text, uint8_t out[16]);

/* Looks at one certificate of the chain, for mbedtls_ssl_set_verify. */
int kinf_mbedtls_verify(void *live, mbedtls_x509_crt *crt, int depth,
                        uint32_t *flags);

/* The error for what verification found, or for its failure; the words were
 * written as it went on. */
int kinf_mbedtls_verify_error(struct live *live);

/* The error and the words for an alert of the server's. */
int kinf_mbedtls_alert(struct kinf_words *w, unsigned alert);

/* ---- ticket.c ----------------------------------------------------------- */

/* Keeps the session's ticket, if it has one and it fits. */
void kinf_mbedtls_ticket_keep(struct kinf_mbedtls *tls, struct live *live);

/* Offers the kept ticket if it was made for this connection. */
void kinf_mbedtls_ticket_offer(struct kinf_mbedtls *tls, struct live *live);

void kinf_mbedtls_ticket_drop(struct kinf_mbedtls *tls);

#endif
