/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - TLS over lwIP's TCP with the page's authority as the only one
 * trusted, and the memory for it. */
#ifndef KINF_BOARD_TLS_H
#define KINF_BOARD_TLS_H

#include "mbedtls/kinf_mbedtls.h"

extern struct kinf_mbedtls tls;
extern struct kinf_mbedtls_credentials trusted;

/* Sets all of it up; the platform is kept for ever. arena_size: of the arena's
 * CONFIG_KINF_TLS_ARENA_BYTES. What fails is told on the console. */
int tls_start(const struct kinf_platform *platform, size_t arena_size);

#endif
