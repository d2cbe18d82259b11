/* SPDX-License-Identifier: Apache-2.0 */
/* config_base.h - what both profiles of Mbed TLS 3.6 have in common.
 *
 * Included by config_gateway.h and config_firmware.h, never on its own. The
 * library gets no heap, no stdio, no sockets and no clock of its own: memory
 * is one arena of ours, and what it asks of the platform are the functions
 * named below, which port/mbedtls supplies. */
#ifndef KINF_MBEDTLS_CONFIG_BASE_H
#define KINF_MBEDTLS_CONFIG_BASE_H

#include "kinf_config.h"

/* ---- platform: all of it comes from port/mbedtls ------------------------ */

#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_PLATFORM_MEMORY /* arena.c */
#define MBEDTLS_PLATFORM_CALLOC_MACRO kinf_mbedtls_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO kinf_mbedtls_free
#define MBEDTLS_HAVE_ASM

/* mbedtls_time_t kinf_mbedtls_time(mbedtls_time_t *): wall time in seconds,
 * mbedtls_ms_time() and mbedtls_platform_gmtime_r() by their own names. */
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_TIME_MACRO kinf_mbedtls_time
#define MBEDTLS_PLATFORM_MS_TIME_ALT
#define MBEDTLS_PLATFORM_GMTIME_R_ALT

/* A damaged arena ends here: void kinf_mbedtls_exit(int). What would be
 * printed before that vanishes together with stderr. */
#define MBEDTLS_PLATFORM_EXIT_MACRO kinf_mbedtls_exit
#define KINF_MBEDTLS_NO_PRINT(...) ((void)0)
#define MBEDTLS_PLATFORM_PRINTF_MACRO KINF_MBEDTLS_NO_PRINT
#define MBEDTLS_PLATFORM_FPRINTF_MACRO KINF_MBEDTLS_NO_PRINT
#define MBEDTLS_PLATFORM_SNPRINTF_MACRO snprintf /* in text nobody links */
#ifndef __ASSEMBLER__
void kinf_mbedtls_exit(int status);
#include <stddef.h>
#include <stdio.h>
#include <time.h>
void *kinf_mbedtls_calloc(size_t count, size_t size);
void kinf_mbedtls_free(void *ptr);
time_t kinf_mbedtls_time(time_t *now);
#endif

/* Seeded by port/mbedtls from the platform's entropy; no pool in between. */
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_NO_PLATFORM_ENTROPY

/* ---- hashes and ciphers ------------------------------------------------- */

#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_CIPHER_C
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C

/* ---- public keys and certificates --------------------------------------- */

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C

/* ---- TLS client --------------------------------------------------------- */

#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED

#endif
