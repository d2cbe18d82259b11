/* SPDX-License-Identifier: Apache-2.0 */
/* stranger.c - bounds the work that a stranger's RSA key can cause.
 *
 * Each certificate that a server sends is tried as the issuer of the one before
 * it, long before anybody knows whether to trust it. Verifying with the usual
 * exponent (65,537) takes 17 multiplications; Mbed TLS takes any exponent up to
 * the modulus, and that is thousands: minutes on a microcontroller. Like Go and
 * most others we take exponents of up to 32 bits. The modulus is bounded by
 * MBEDTLS_MPI_MAX_SIZE, the chain by MBEDTLS_X509_MAX_INTERMEDIATE_CA.
 *
 * Mbed TLS has no call between parsing a chain and verifying it. So the linker
 * puts this one in the way, with --wrap=mbedtls_rsa_parse_pubkey; a program
 * linked without that option works, and lacks the bound. */
#include <stddef.h>

#include "glue.h"

#if defined(MBEDTLS_RSA_C)
#include <mbedtls/rsa.h>

#define EXPONENT_BITS_MAX 32

int __real_mbedtls_rsa_parse_pubkey(mbedtls_rsa_context *rsa,
                                    const unsigned char *key, size_t len)
    __attribute__((weak));
int __wrap_mbedtls_rsa_parse_pubkey(mbedtls_rsa_context *rsa,
                                    const unsigned char *key, size_t len);

int __wrap_mbedtls_rsa_parse_pubkey(mbedtls_rsa_context *rsa,
                                    const unsigned char *key, size_t len)
{
    int ret = __real_mbedtls_rsa_parse_pubkey(rsa, key, len);
    mbedtls_mpi exponent;

    if (ret != 0)
        return ret;
    mbedtls_mpi_init(&exponent);
    ret = mbedtls_rsa_export(rsa, NULL, NULL, NULL, NULL, &exponent);
    if (ret == 0 && mbedtls_mpi_bitlen(&exponent) > EXPONENT_BITS_MAX)
        ret = MBEDTLS_ERR_RSA_KEY_CHECK_FAILED;
    mbedtls_mpi_free(&exponent);
    return ret;
}
#endif
