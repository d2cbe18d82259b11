/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_mbedtls.h - TLS by Mbed TLS 3.6, as a transport over any other.
 *
 * In order: the system (once for the process), credentials (once for a
 * cluster), the transport (one for each session).
 *
 * The server's certificate chain, its name and its dates are always verified;
 * no switch turns that off. An IP address as host is looked for among the
 * certificate's IP names, and no SNI is sent for it. All memory comes from one
 * arena; what is given back to it is wiped. */
#ifndef KINF_MBEDTLS_H
#define KINF_MBEDTLS_H

#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the system --------------------------------------------------------- */

/* What an open does while platform->wall_s() says KINF_WALL_UNKNOWN. */
enum kinf_mbedtls_no_clock {
    KINF_MBEDTLS_REFUSE, /* KINF_ERR_NO_CLOCK before a byte is sent */
    /* Takes built_s for the time, or good_s when that is later: a certificate
     * that ended before is refused, one that ended since is TAKEN, for as long
     * as the device lives. Whoever has stolen the key of such a certificate can
     * be our server. For boards without a clock that accept this; say so to
     * your users. */
    KINF_MBEDTLS_CHECK_BUILD_TIME
};
/* What Kconfig's KINF_TLS_CHECK_BUILD_TIME chose; refused by default. */
#if defined(CONFIG_KINF_TLS_CHECK_BUILD_TIME) &&                               \
    CONFIG_KINF_TLS_CHECK_BUILD_TIME
#define KINF_MBEDTLS_NO_CLOCK_DEFAULT KINF_MBEDTLS_CHECK_BUILD_TIME
#else
#define KINF_MBEDTLS_NO_CLOCK_DEFAULT KINF_MBEDTLS_REFUSE
#endif

struct kinf_mbedtls_system {
    const struct kinf_platform *platform;
    void *arena; /* aligned to 8; kept for ever */
    size_t arena_size;
    /* Wall time of the build, seconds since 1970. An earlier wall time counts
     * as unknown, whatever its source. 0: any time is believed. */
    int64_t built_s;
    /* Firmware profile: the last good time, as kinf_mbedtls_good_s gave it
     * before the restart; 0: none kept. An earlier wall time counts as unknown,
     * too. (A gateway's clock is its administrator's, who may set it back.) */
    int64_t good_s;
    enum kinf_mbedtls_no_clock no_clock;
    /* Elliptic curve operations in one slice of a handshake that can be cut
     * (firmware profile, TLS 1.2, ECDSA server). 0: CONFIG_KINF_TLS_MAX_OPS. */
    unsigned max_ops;
    /* Called before a step that cannot be cut, to feed a watchdog. May be
     * NULL. */
    void (*long_step)(void *ctx);
    void *ctx;
};

/* Prepares arena, randomness and crypto. What system points to is kept until
 * the end. Returns KINF_OK, KINF_ERR_NO_MEMORY (arena too small) or
 * KINF_ERR_TLS. Again only when no credentials and no connection live. */
int kinf_mbedtls_start(const struct kinf_mbedtls_system *system);

/* The least arena that kinf_mbedtls_start takes, in bytes: no handshake ends
 * well in less. More is needed for chains of certificates, a client's
 * certificate, TLS 1.3, and on 64-bit machines. */
size_t kinf_mbedtls_least_arena(void);

/* The latest wall time at which a server's whole chain was valid, or good_s.
 * Worth a place in flash now and then: an attacker who answers for the time
 * server cannot take the clock back behind it. 0: none yet. */
int64_t kinf_mbedtls_good_s(void);

/* How the arena stands, block headers included, in bytes. */
struct kinf_mbedtls_arena {
    size_t size, used, high;
    size_t top;      /* bytes from its begin that were ever in use */
    uint32_t refused; /* requests it had no room for */
};
void kinf_mbedtls_arena(struct kinf_mbedtls_arena *out);

/* ---- credentials -------------------------------------------------------- */

/* Trust anchors and, if there is one, the client's certificate and key. Shared
 * by all sessions of one cluster. */
struct kinf_mbedtls_credentials {
    const char *reason; /* why the last call failed, in words, or NULL */
    /* private */
    void *held; /* in the arena */
    uint32_t generation; /* counts changes; a ticket is bound to it */
    unsigned users;      /* connections that are not closed */
};

/* Makes empty credentials, after kinf_mbedtls_start. Returns KINF_OK or
 * KINF_ERR_NO_MEMORY. */
int kinf_mbedtls_credentials_init(struct kinf_mbedtls_credentials *c);

/* Sets the certificates that are trusted to sign servers': PEM (gateway) with
 * one or more, or DER, one after the other. Those of before are freed; on an
 * error they stay. stays: DER bytes that will not change or go away (flash)
 * are used in place instead of copied. Legal only while no connection uses c
 * (see kinf_reload). Tickets end. Returns KINF_OK, KINF_ERR_CREDENTIALS (with
 * reason) or KINF_ERR_NO_MEMORY. */
int kinf_mbedtls_trust(struct kinf_mbedtls_credentials *c,
                       struct kinf_span certificates, bool stays);

/* Sets the client's certificate, its chain behind it, and its key; two empty
 * spans: none. The spans may be wiped afterwards. All else as above. */
int kinf_mbedtls_identity(struct kinf_mbedtls_credentials *c,
                          struct kinf_span certificates, struct kinf_span key);

/* Frees all; keys are wiped. */
void kinf_mbedtls_credentials_free(struct kinf_mbedtls_credentials *c);

/* ---- the transport ------------------------------------------------------ */

/* Bytes for a ticket: enough for one of an API server and, gateway, the
 * server's certificate chain that is kept with it. With a client certificate
 * of its own a server may make larger ones; those are not kept. */
#define KINF_MBEDTLS_TICKET_BYTES 4096
#define KINF_MBEDTLS_TICKET_BYTES_FIRMWARE 512

struct kinf_mbedtls_config {
    const struct kinf_transport_ops *lower; /* bytes below */
    void *lower_ctx;
    struct kinf_mbedtls_credentials *credentials;
    /* The name asked for and verified in place of the host; empty: the host. */
    struct kinf_span server_name;
    /* Where a session ticket is kept between connections; 0 bytes: every
     * connection begins with a full handshake. Holds secrets; wiped when the
     * ticket ends. */
    void *ticket;
    size_t ticket_size;
};

struct kinf_mbedtls {
    /* private */
    struct kinf_mbedtls_config config;
    void *live;    /* of this connection, in the arena */
    uint8_t state; /* enum state in tls.c */
    bool call;     /* goes on without waiting */
    bool starved;  /* the transport below had nothing, or no room */
    bool verified, resumed;
    bool only_1_2; /* see note_pss in tls.c */
    int lower_err;     /* of the transport below, or KINF_OK */
    uint32_t refused;  /* by the arena, before this open */
    size_t pending;    /* bytes of send() that wait inside a record */
    size_t ticket_len; /* 0: none */
    char reason[CONFIG_KINF_MESSAGE_BYTES];
};

/* The transport's table; its ctx is a struct kinf_mbedtls. */
extern const struct kinf_transport_ops kinf_mbedtls_ops;

/* Makes a closed connection. config is copied, what it points to is kept. */
void kinf_mbedtls_init(struct kinf_mbedtls *tls,
                       const struct kinf_mbedtls_config *config);

#ifdef __cplusplus
}
#endif

#endif
