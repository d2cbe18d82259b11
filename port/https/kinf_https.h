/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_https.h - sockets, TLS and one connection put together, as a program of
 * a host that watches one API server wants them.
 *
 * It saves the wiring, nothing else: what it makes are the public structs of
 * kinformer.h, kinf_posix.h and kinf_mbedtls.h. One for a process, because
 * there is one kinf_mbedtls_start. A program that needs more (client
 * certificates, several connections, a loop of its own) wires those itself;
 * https.c shows how in a page. */
#ifndef KINF_HTTPS_H
#define KINF_HTTPS_H

#include "kinf_mbedtls.h"
#include "kinf_posix.h"
#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KINF_HTTPS_ARENA_BYTES (256 * 1024) /* TLS: 60 of them are common */
#define KINF_HTTPS_CA_BYTES (64 * 1024)     /* of a file of certificates */
#define KINF_HTTPS_IO_BYTES (16 * 1024)

/* All is kept until the end. */
struct kinf_https_config {
    const char *host; /* name or IP address */
    uint16_t port;
    const char *ca_file; /* PEM: who may sign the server's certificate */
    const char *token;   /* bearer token; NULL: as credentials say */
    struct kinf_credentials credentials;
    uint32_t spread_ms; /* as in struct kinf_config */
};

struct kinf_https {
    struct kinf k;               /* for kinf_informer_init, kinf_start, ... */
    struct kinf_session session; /* for struct kinf_informer_config */
    /* private */
    const char *token;
    struct kinf_config config;
    struct kinf_mbedtls_system system;
    struct kinf_mbedtls_credentials trusted;
    struct kinf_mbedtls tls;
    struct kinf_posix posix;
    struct kinf_posix_tcp tcp;
    char ticket[KINF_MBEDTLS_TICKET_BYTES];
    char io[KINF_HTTPS_IO_BYTES];
    char ca[KINF_HTTPS_CA_BYTES];
    uint64_t arena[KINF_HTTPS_ARENA_BYTES / 8];
};

/* Makes loop and session; https may be static or anywhere else that lasts.
 * Nothing is sent yet. Returns KINF_OK, KINF_ERR_CREDENTIALS (the file cannot
 * be read, is larger than KINF_HTTPS_CA_BYTES, or holds no certificate),
 * KINF_ERR_FULL (no descriptors left) or what kinf_mbedtls_start returns. */
int kinf_https_init(struct kinf_https *https,
                    const struct kinf_https_config *config);

/* One round: kinf_poll, then the sleep it allows, until bytes, a wake or a
 * signal end it. */
void kinf_https_poll(struct kinf_https *https);

#ifdef __cplusplus
}
#endif

#endif
