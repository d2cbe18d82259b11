/* SPDX-License-Identifier: Apache-2.0 */
/* config_gateway.h - Mbed TLS 3.6 for the gateway: TLS 1.3 and 1.2, PEM,
 * hardware AES, any certificate a public or private authority may sign. */
#ifndef KINF_MBEDTLS_CONFIG_GATEWAY_H
#define KINF_MBEDTLS_CONFIG_GATEWAY_H

#include "config_base.h"

#define KINF_MBEDTLS_GATEWAY 1

/* ---- hardware ----------------------------------------------------------- */

#if defined(__x86_64__) || defined(__i386__)
#define MBEDTLS_AESNI_C
#endif
#if defined(__aarch64__)
#define MBEDTLS_AESCE_C
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#endif

/* ---- wider choice of keys, hashes and curves ---------------------------- */

#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_PK_RSA_ALT_SUPPORT
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PK_PARSE_EC_EXTENDED
#define MBEDTLS_PK_PARSE_EC_COMPRESSED

/* ---- TLS 1.3, which stands on PSA --------------------------------------- */

#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_HKDF_C
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PK_WRITE_C
/* Slots in .bss: with keys on the heap a volatile key would ask the arena. Two
 * for each handshake that runs at one time. */
#define MBEDTLS_PSA_KEY_SLOT_COUNT 128
/* psa_status_t mbedtls_psa_external_get_random(...) is port/mbedtls's too. */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG

/* ---- sizes -------------------------------------------------------------- */

#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
/* Holds the client's whole certificate message; a bearer token of 8 KB may
 * take two records. */
#define MBEDTLS_SSL_OUT_CONTENT_LEN 8192

#endif
