/* SPDX-License-Identifier: Apache-2.0 */
/* simpeer_ip.h - what the two halves of the simulated peer share: packets, and
 * the small servers (names, addresses, time) that need no connection. */
#ifndef PORT_SIMPEER_IP_H
#define PORT_SIMPEER_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static inline uint32_t get16(const uint8_t *at)
{
    return (uint32_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

/* Sum of the pseudo header and the segment: 0 when it is right. */
uint16_t simpeer_sum(const uint8_t *packet, size_t size);

/* Completes an IP packet whose payload stands behind its header. */
void simpeer_finish(uint8_t *packet, size_t size, uint8_t protocol,
                    uint32_t from, uint32_t to);

/* Sends it, unless the line loses it. */
void simpeer_emit(const uint8_t *packet, size_t size);

/* Checks a packet; does it arrive? */
bool simpeer_arrives(const uint8_t *packet, size_t size);

/* Ends the test. */
void simpeer_wrong(const char *what) __attribute__((noreturn));

/* A UDP packet; answers that are due. */
void simpeer_udp(const uint8_t *packet, size_t size, uint32_t now_ms);
void simpeer_udp_step(uint32_t now_ms);

#endif
