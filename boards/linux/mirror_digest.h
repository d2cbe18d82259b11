/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_digest.h - 128 bits that tell whether two objects have the same keys
 * and values: SipHash-2-4-128, with a fixed key.
 *
 * Who makes two different contents collide does so in an object of his own, and
 * gains that his own change is not shown. */
#ifndef MIRROR_DIGEST_H
#define MIRROR_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct mirror_digest {
    uint64_t v[4];
    uint64_t word; /* bytes that do not fill a word yet */
    uint64_t len;
};

void mirror_digest_begin(struct mirror_digest *d);
void mirror_digest_add(struct mirror_digest *d, const void *data, size_t size);
/* Adds a number that tells where one part ends and the next begins. */
void mirror_digest_add_len(struct mirror_digest *d, uint64_t len);
/* Writes 32 hex digits and a NUL. */
void mirror_digest_end(struct mirror_digest *d, char out[33]);

#endif
