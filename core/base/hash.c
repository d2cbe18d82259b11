/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - HalfSipHash-2-4, fed byte by byte; see hash.h. */
#define KINF_FILE 1
#include "hash.h"

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return (x << bits) | (x >> (32 - bits));
}

static void take_word(struct hash *h, uint32_t word, unsigned rounds)
{
    uint32_t a = h->v[0], b = h->v[1], c = h->v[2], d = h->v[3] ^ word;

    for (; rounds > 0; rounds--) {
        a += b;
        c += d;
        b = rotate(b, 5) ^ a;
        d = rotate(d, 8) ^ c;
        a = rotate(a, 16) + d;
        c += b;
        d = rotate(d, 7) ^ a;
        b = rotate(b, 13) ^ c;
        c = rotate(c, 16);
    }
    h->v[0] = a ^ word;
    h->v[1] = b;
    h->v[2] = c;
    h->v[3] = d;
}

void kinf_hash_init(struct hash *h, const uint32_t key[2])
{
    h->v[0] = key[0];
    h->v[1] = key[1];
    h->v[2] = key[0] ^ 0x6c796765u;
    h->v[3] = key[1] ^ 0x74656462u;
    h->word = 0;
    h->len = 0;
}

void kinf_hash_add(struct hash *h, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (; size > 0; size--) {
        h->word = h->word >> 8 | (uint32_t)*bytes++ << 24;
        if (++h->len % 4 == 0)
            take_word(h, h->word, 2);
    }
}

uint32_t kinf_hash_end(struct hash *h)
{
    /* The bytes that filled no word, none to three of them. */
    take_word(h, h->word >> 8 >> (24 - h->len % 4 * 8) | h->len << 24, 2);
    h->v[2] ^= 0xff;
    take_word(h, 0, 4);
    return h->v[1] ^ h->v[3];
}
