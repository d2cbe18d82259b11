/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - HalfSipHash-2-4 over pieces, so that a key need not lie in one.
 *
 * Names come from outside: with a key drawn at each boot nobody can choose
 * names that collide. Of the SipHash family (Aumasson, Bernstein: "SipHash: a
 * fast short-input PRF") the member with words of 32 bits: a chain needs no
 * more, and a small processor has no 64-bit rotation. For tables alone, since
 * its key is too short for a MAC. */
#ifndef KINF_BASE_HASH_H
#define KINF_BASE_HASH_H

#include "kinformer.h"

struct hash {
    uint32_t v[4];
    uint32_t word; /* bytes that do not fill a word yet */
    uint32_t len;
};

void kinf_hash_init(struct hash *h, const uint32_t key[2]);
void kinf_hash_add(struct hash *h, const void *data, size_t size);
uint32_t kinf_hash_end(struct hash *h);

#endif
