/* SPDX-License-Identifier: Apache-2.0 */
/* tls_rig.h - what the tests of TLS have in common. */
#ifndef PORT_TLS_RIG_H
#define PORT_TLS_RIG_H

#include "port/mbedtls_port.h"

#define DAY 86400
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What this profile speaks: "1.2" and perhaps "1.3". */
extern const char *const versions[];
extern const size_t version_count;

/* What the peer answers the next connections with: "server-ec any ...". */
void serve(struct rig *rig, const char *command);
void serve_version(struct rig *rig, const char *cert, const char *rest,
                   const char *version);
/* A fresh transport that trusts this authority (NULL: none). */
void start(size_t arena_bytes, const char *authority);
void set_host(struct rig *rig, const char *host);

/* The handshake must fail like this, and no byte of ours be seen. */
void refused(struct rig *rig, int expected, const char *words);
/* One round over a new connection; returns whether it was resumed. The peer's
 * answer is then its "info". */
bool round_trip(struct rig *rig);
void info_has(struct rig *rig, const char *words);
size_t arena_used(void);

/* Runs a table of checks as a program. */
int tls_main(const struct check *checks, size_t count);

#endif
