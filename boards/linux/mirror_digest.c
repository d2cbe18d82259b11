/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_digest.c - SipHash-2-4-128, piece by piece. See mirror_digest.h. */
#include "mirror_digest.h"

static uint64_t turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], unsigned count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn(v[1], 13) ^ v[0];
        v[3] = turn(v[3], 16) ^ v[2];
        v[0] = turn(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn(v[1], 17) ^ v[2];
        v[3] = turn(v[3], 21) ^ v[0];
        v[2] = turn(v[2], 32);
    }
}

static void take_word(struct mirror_digest *d, uint64_t word)
{
    d->v[3] ^= word;
    rounds(d->v, 2);
    d->v[0] ^= word;
}

void mirror_digest_begin(struct mirror_digest *d)
{
    const uint64_t k0 = 0x0706050403020100u, k1 = 0x0f0e0d0c0b0a0908u;

    *d = (struct mirror_digest){
        .v = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du ^ 0xee,
               k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u }
    };
}

void mirror_digest_add(struct mirror_digest *d, const void *data, size_t size)
{
    const unsigned char *at = data;

    for (; size > 0; size--, at++) {
        d->word |= (uint64_t)*at << d->len++ % 8 * 8;
        if (d->len % 8 != 0)
            continue;
        take_word(d, d->word);
        d->word = 0;
    }
}

void mirror_digest_add_len(struct mirror_digest *d, uint64_t len)
{
    unsigned char bytes[8];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(len >> i * 8);
    mirror_digest_add(d, bytes, sizeof bytes);
}

static char *hex(uint64_t word, char *out)
{
    for (unsigned i = 0; i < 8; i++, word >>= 8) {
        *out++ = "0123456789abcdef"[word >> 4 & 15];
        *out++ = "0123456789abcdef"[word & 15];
    }
    return out;
}

void mirror_digest_end(struct mirror_digest *d, char out[33])
{
    take_word(d, d->word | d->len << 56);
    d->v[2] ^= 0xee;
    rounds(d->v, 4);
    out = hex(d->v[0] ^ d->v[1] ^ d->v[2] ^ d->v[3], out);
    d->v[1] ^= 0xdd;
    rounds(d->v, 4);
    out = hex(d->v[0] ^ d->v[1] ^ d->v[2] ^ d->v[3], out);
    *out = '\0';
}
