/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - the memory Mbed TLS works in. */
#ifndef KINF_MBEDTLS_ARENA_H
#define KINF_MBEDTLS_ARENA_H

#include "kinf_mbedtls.h"

/* Returns false when size cannot hold even an empty arena. */
bool kinf_mbedtls_arena_init(void *memory, size_t size);

/* Requests refused since the start. */
uint32_t kinf_mbedtls_arena_refused(void);

/* What Mbed TLS calls (config_base.h); ours, too. Zeroed, aligned to 8. */
void *kinf_mbedtls_calloc(size_t count, size_t size);
void kinf_mbedtls_free(void *ptr);

#endif
