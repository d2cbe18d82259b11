/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what a test asks of the node: a page of flash beside the
 * credentials', written into the image by board.py. */
#ifndef KINF_TEST_OPTIONS_H
#define KINF_TEST_OPTIONS_H

#include <stdint.h>

enum mode {
    MODE_NODE,
    MODE_TWO,   /* two informers by turns on one connection */
    MODE_LATEST /* a second handler, in "latest" mode */
};

enum { WALL_TRUE, WALL_UNKNOWN /* anything else: this time for ever */ };

/* No gaps; board.py knows the sizes. */
struct options {
    uint32_t mode;
    uint32_t clock_ms;    /* where the clock starts */
    uint32_t seed;        /* 0: true randomness */
    uint32_t arena_bytes; /* for TLS; 0: all there are */
    uint32_t wall_s;      /* what time it is */
    uint32_t ca_size, certificate_size, key_size;
    char token[256];      /* the next one */
    char namespace_[64];  /* of the second informer */
    uint8_t ca[1400];     /* the next trust anchor, DER */
    uint8_t identity[2800]; /* the client's certificate and its key, DER */
};

extern const struct options options;

#endif
