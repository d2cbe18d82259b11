/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - frames as the words that a network chip's FIFO takes and gives.
 * Pieces of a frame begin and end anywhere. */
#ifndef KINF_BOARD_WORDS_H
#define KINF_BOARD_WORDS_H

#include <stdint.h>
#include <string.h>

#include "lwip/pbuf.h"

/* Bytes on their way to a FIFO: up to three wait for a fourth. */
struct words_out {
    volatile uint32_t *fifo;
    uint32_t word;
    unsigned filled; /* bytes of it, 0 to 3 */
};

static inline void words_put(struct words_out *o, const void *data, size_t size)
{
    const uint8_t *byte = data;
    unsigned bits = o->filled * 8;

    for (; size >= 4; size -= 4, byte += 4) {
        uint32_t next;

        memcpy(&next, byte, 4);
        *o->fifo = o->word | next << bits;
        o->word = bits > 0 ? next >> (32 - bits) : 0;
    }
    for (; size > 0; size--, byte++) {
        o->word |= (uint32_t)*byte << (o->filled * 8);
        if (++o->filled == 4) {
            *o->fifo = o->word;
            o->word = o->filled = 0;
        }
    }
}

/* A frame without lwIP's padding before it. */
static inline void words_put_frame(struct words_out *o, const struct pbuf *p)
{
    uint32_t skip = ETH_PAD_SIZE;

    for (; p != NULL; p = p->next, skip = 0)
        words_put(o, (const uint8_t *)p->payload + skip, p->len - skip);
    if (o->filled > 0)
        *o->fifo = o->word;
}

#endif
