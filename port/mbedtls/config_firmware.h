/* SPDX-License-Identifier: Apache-2.0 */
/* config_firmware.h - Mbed TLS 3.6 for microcontrollers: TLS 1.2 with tickets
 * and elliptic curves that can be cut into slices; DER only. Sizes and
 * switches come from Kconfig (menu "TLS"). */
#ifndef KINF_MBEDTLS_CONFIG_FIRMWARE_H
#define KINF_MBEDTLS_CONFIG_FIRMWARE_H

#include "config_base.h"

#define KINF_MBEDTLS_GATEWAY 0

#define MBEDTLS_X509_REMOVE_INFO

/* ---- defaults of Kconfig's menu "TLS" ----------------------------------- */

#ifndef CONFIG_KINF_TLS_IN_BYTES
#define CONFIG_KINF_TLS_IN_BYTES 16384 /* largest record received */
#endif
#ifndef CONFIG_KINF_TLS_OUT_BYTES
#define CONFIG_KINF_TLS_OUT_BYTES 2048 /* largest record sent */
#endif
#ifndef CONFIG_KINF_TLS_ARENA_BYTES
#define CONFIG_KINF_TLS_ARENA_BYTES 27648 /* all memory of one connection */
#endif
#ifndef CONFIG_KINF_TLS_MAX_OPS
#define CONFIG_KINF_TLS_MAX_OPS 250 /* in one slice of a handshake */
#endif
#ifndef CONFIG_KINF_TLS_RSA
#define CONFIG_KINF_TLS_RSA 1 /* servers and authorities with RSA keys */
#endif
#ifndef CONFIG_KINF_TLS_P384
#define CONFIG_KINF_TLS_P384 0 /* curve P-384 and SHA-384 */
#endif
#ifndef CONFIG_KINF_TLS_BIG_TABLES
#define CONFIG_KINF_TLS_BIG_TABLES 0 /* 9 KB of flash for quicker SHA */
#endif
#ifndef CONFIG_KINF_TLS_1_3
#define CONFIG_KINF_TLS_1_3 0 /* TLS 1.3 beside 1.2 */
#endif
#ifndef CONFIG_KINF_TLS_CHECK_BUILD_TIME
#define CONFIG_KINF_TLS_CHECK_BUILD_TIME 0 /* the only date without a clock */
#endif

/* ---- sizes -------------------------------------------------------------- */

#if CONFIG_KINF_TLS_OUT_BYTES > CONFIG_KINF_TLS_IN_BYTES
#error "CONFIG_KINF_TLS_OUT_BYTES is at most CONFIG_KINF_TLS_IN_BYTES"
#endif
#define MBEDTLS_SSL_IN_CONTENT_LEN CONFIG_KINF_TLS_IN_BYTES
#define MBEDTLS_SSL_OUT_CONTENT_LEN CONFIG_KINF_TLS_OUT_BYTES
#define MBEDTLS_X509_MAX_INTERMEDIATE_CA 3 /* a stranger's chain ends there */
#define MBEDTLS_ECP_WINDOW_SIZE 4
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 1
#if CONFIG_KINF_TLS_RSA
#define MBEDTLS_MPI_MAX_SIZE 512 /* roots of up to RSA-4096 */
#else
#define MBEDTLS_MPI_MAX_SIZE 48
#endif

/* ---- what a board may leave out or add ---------------------------------- */

#if CONFIG_KINF_TLS_RSA
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#endif

#if CONFIG_KINF_TLS_P384
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#endif

#if !CONFIG_KINF_TLS_BIG_TABLES
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT /* GCM only encrypts */
#define MBEDTLS_AES_FEWER_TABLES
#endif

#if CONFIG_KINF_TLS_1_3
/* 16 to 46 M instructions in one step: nothing of 1.3 can be cut. */
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_HKDF_C
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_KEY_SLOT_COUNT 8
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PK_WRITE_C
#endif

#define MBEDTLS_ECP_RESTARTABLE /* TLS 1.2 with ECDHE-ECDSA is cut */

#endif
