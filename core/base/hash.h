/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - SipHash-2-4 over pieces, so that a key need not lie in one piece.
 *
 * Names come from outside: with a key drawn at each boot nobody can choose
 * names that collide. (Aumasson, Bernstein: "SipHash: a fast short-input PRF".)
 */
#ifndef KINF_BASE_HASH_H
#define KINF_BASE_HASH_H

#include "kinformer.h"

struct hash {
    uint64_t v[4];
    uint64_t word; /* bytes that do not fill a word yet */
    uint64_t len;
};

void kinf_hash_init(struct hash *h, const uint64_t key[2]);
void kinf_hash_add(struct hash *h, const void *data, size_t size);
uint64_t kinf_hash_end(struct hash *h);

#endif
