/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what the two C clients of the benchmark share: a connection as we
 * ship it, and figures told on request. */
#ifndef KINF_TESTS_BENCH_CLIENT_H
#define KINF_TESTS_BENCH_CLIENT_H

#include "kinf_mbedtls.h"
#include "kinf_posix.h"

/* PROGRAM HOST PORT CA.crt TOKEN-FILE [NAMESPACE] */
struct client {
    const char *host, *space;
    uint16_t port;
    struct kinf_posix_tcp tcp;
    struct kinf_mbedtls tls;
    struct kinf_mbedtls_credentials credentials;
    char token[8192];
};

/* Reads the arguments, sets up TLS. Ends the program when that fails. */
void client_init(struct client *c, int argc, char **argv);

/* Answers a line on standard input: {"cpu_us", "events", "objects", ...}. */
void client_report(uint64_t events, uint64_t objects, uint64_t bytes);

#endif
