/* SPDX-License-Identifier: Apache-2.0 */
/* mbedtls_port.h - port/mbedtls over port/posix, with a clock that tests can
 * set and a transport between the two that can be made to fail. */
#ifndef PORT_MBEDTLS_PORT_H
#define PORT_MBEDTLS_PORT_H

#include "mbedtls/kinf_mbedtls.h"
#include "port/posix_port.h"

/* Everything of one TLS transport. */
struct tls_rig {
    struct kinf_posix_tcp tcp;
    struct kinf_mbedtls_credentials credentials;
    struct kinf_mbedtls tls;
    uint8_t ticket[KINF_MBEDTLS_TICKET_BYTES];
};
extern struct tls_rig the_tls;

/* What the system of the next tls_start is made of. */
extern struct kinf_platform tls_platform; /* posix, but tls_wall_s for time */
extern int64_t tls_wall_s;                /* 0: the machine's */
extern struct kinf_mbedtls_system tls_system;
extern unsigned tls_draws; /* of randomness from the platform */

/* The firmware profile speaks TLS 1.3 by option only. */
#if defined(KINF_TEST_DER) && !defined(CONFIG_KINF_TLS_1_3)
#define ONLY_TLS_1_2
#endif

/* What lies between TLS and TCP. Zero: nothing. */
struct faults {
    unsigned recv_piece, send_piece; /* at most so many bytes a call */
    bool drip;       /* AGAIN before each piece */
    bool asked;      /* drip: AGAIN was said */
    unsigned cut_at; /* the n-th call of recv or send ends the connection */
    unsigned calls;
    uint64_t flip_at; /* the n-th byte received is changed */
    uint64_t received;
};
extern struct faults faults;

/* Reads a file of the PKI into static memory; good until the fourth read
 * after it. */
struct kinf_span pki(const char *name);
/* The form this profile reads: ".pem", or ".der" without PEM. */
struct kinf_span pki_certificate(const char *name);
struct kinf_span pki_key(const char *name);

/* Starts the system with an arena of so many bytes (0: plenty) and makes the
 * transport with an authority to trust; returns what the first call that failed
 * returned. */
int tls_start(size_t arena_bytes, const char *authority);
void *tls_make(void); /* the same, or breaks the check; trusts ca-ec */
void tls_wait(void *tls, const struct kinf_transport_status *status,
              int timeout_ms);
long tls_resources(void);

extern const struct port tls_port; /* peer_tls to be set */

#endif
