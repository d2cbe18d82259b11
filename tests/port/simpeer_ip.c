/* SPDX-License-Identifier: Apache-2.0 */
/* simpeer_ip.c - see simpeer_ip.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/simpeer.h"
#include "port/simpeer_ip.h"

#define LATER_SLOTS 8

struct simpeer_faults simpeer_faults;
int64_t simpeer_wall_s = 1800000000;
unsigned simpeer_requests;

static uint32_t now;
static unsigned passed_in, passed_out;
static void (*out)(const uint8_t *packet, size_t size);

/* A packet that leaves later. */
static struct later {
    uint8_t packet[400];
    size_t size;
    uint32_t at;
} later[LATER_SLOTS];

void simpeer_start(void (*to)(const uint8_t *packet, size_t size))
{
    out = to;
}

void simpeer_wrong(const char *what)
{
    fprintf(stderr, "simpeer: %s\n", what);
    abort();
}

/* ---- packets ------------------------------------------------------------ */

static uint32_t add_up(const uint8_t *at, size_t size, uint32_t sum)
{
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += get16(at + i);
    return size % 2 != 0 ? sum + (uint32_t)(at[size - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

uint16_t simpeer_sum(const uint8_t *packet, size_t size)
{
    uint32_t sum = packet[9] + (uint32_t)(size - 20);

    sum = add_up(packet + 12, 8, sum);
    return fold(add_up(packet + 20, size - 20, sum));
}

void simpeer_emit(const uint8_t *packet, size_t size)
{
    if (simpeer_faults.mute)
        return;
    if (simpeer_faults.drop_every != 0 &&
        ++passed_out % simpeer_faults.drop_every == 0)
        return;
    out(packet, size);
}

void simpeer_finish(uint8_t *packet, size_t size, uint8_t protocol,
                    uint32_t from, uint32_t to)
{
    static uint16_t number;

    memset(packet, 0, 20);
    packet[0] = 0x45;
    put16(packet + 2, (uint32_t)size);
    put16(packet + 4, ++number);
    packet[8] = 64;
    packet[9] = protocol;
    put32(packet + 12, from);
    put32(packet + 16, to);
    put16(packet + 10, fold(add_up(packet, 20, 0)));
}

bool simpeer_arrives(const uint8_t *packet, size_t size)
{
    if (size < 28 || size != get16(packet + 2) || packet[0] != 0x45)
        simpeer_wrong("not an IP packet");
    if (fold(add_up(packet, 20, 0)) != 0)
        simpeer_wrong("an IP header's checksum is wrong");
    if ((packet[9] == 6 || get16(packet + 26) != 0) &&
        simpeer_sum(packet, size) != 0)
        simpeer_wrong("a checksum is wrong");
    return !simpeer_faults.mute &&
           (simpeer_faults.drop_every == 0 ||
            ++passed_in % simpeer_faults.drop_every != 0);
}

/* ---- UDP: names, addresses, time ---------------------------------------- */

static void send_udp(uint32_t from, uint32_t to, uint16_t from_port,
                     uint16_t to_port, const uint8_t *data, size_t size,
                     uint32_t delay_ms)
{
    struct later *l = NULL;
    uint8_t *udp;

    for (int i = 0; i < LATER_SLOTS && l == NULL; i++)
        if (later[i].size == 0)
            l = &later[i];
    if (l == NULL || size + 28 > sizeof(l->packet))
        return;
    udp = l->packet + 20;
    put16(udp, from_port);
    put16(udp + 2, to_port);
    put16(udp + 4, (uint32_t)size + 8);
    put16(udp + 6, 0);
    memcpy(udp + 8, data, size);
    simpeer_finish(l->packet, size + 28, 17, from, to);
    put16(udp + 6, simpeer_sum(l->packet, size + 28));
    l->size = size + 28;
    l->at = now + delay_ms;
}

static void in_dns(uint32_t from, uint16_t port, const uint8_t *query,
                   size_t size)
{
    uint8_t answer[300];
    char name[128];
    size_t at = 12, len = 0;
    bool known;

    if (size > 250)
        return;
    while (query[at] != 0 && len + query[at] + 2 < sizeof(name)) {
        memcpy(name + len, query + at + 1, query[at]);
        len += query[at];
        name[len++] = '.';
        at += query[at] + 1u;
    }
    name[len > 0 ? len - 1 : 0] = '\0';
    if (strcmp(name, "never.test") == 0)
        return;
    at += 5; /* the zero, type and class */
    known = strcmp(name, "slow.test") == 0 || strcmp(name, "localhost") == 0;
    memcpy(answer, query, at);
    put16(answer + 2, known ? 0x8180 : 0x8183);
    put16(answer + 6, known);
    put32(answer + 8, 0);
    if (known) {
        static const uint8_t record[] = { 0xC0, 12, 0, 1, 0,   1, 0, 0,
                                          0,    60, 0, 4, 192, 0, 2, 1 };

        memcpy(answer + at, record, sizeof(record));
        at += sizeof(record);
    }
    send_udp(SIMPEER_NS, from, 53, port, answer, at,
             strcmp(name, "slow.test") == 0 ? 1000 : 2);
}

static uint8_t *option(uint8_t *at, uint8_t code, uint32_t value)
{
    at[0] = code;
    at[1] = 4;
    put32(at + 2, value);
    return at + 6;
}

static void in_dhcp(const uint8_t *asked, size_t size)
{
    uint8_t answer[300] = { 0 }, *at = answer + 240, type = 0;

    for (size_t i = 240; i + 2 < size && asked[i] != 255;
         i += asked[i + 1] + 2u)
        if (asked[i] == 53)
            type = asked[i + 2];
    if (type != 1 && type != 3)
        return;
    memcpy(answer, asked, 44);
    memcpy(answer + 236, asked + 236, 4);
    answer[0] = 2;
    put32(answer + 16, SIMPEER_ADDRESS);
    at[0] = 53;
    at[1] = 1;
    at[2] = type == 1 ? 2 : 5; /* an offer, or it is yours */
    at = option(at + 3, 54, SIMPEER_NS);
    at = option(at, 51, 3600);
    at = option(at, 1, 0xFFFFFF00u);
    at = option(at, 3, SIMPEER_NS);
    at = option(at, 6, SIMPEER_NS);
    at = option(at, 42, SIMPEER_NS);
    *at++ = 255;
    send_udp(SIMPEER_NS, 0xFFFFFFFFu, 67, 68, answer,
             (size_t)(at - answer) + 20, 3);
}

static void in_sntp(uint32_t here, uint32_t from, uint16_t port,
                    const uint8_t *asked, size_t size)
{
    uint8_t answer[48] = { 0x24, 2 }; /* version 4, a server, stratum 2 */
    uint32_t seconds = (uint32_t)(simpeer_wall_s + now / 1000 + 2208988800);
    uint16_t sender = 123;

    simpeer_requests++;
    if (size != 48 || (asked[0] & 7) != 3)
        simpeer_wrong("not a client's SNTP request");
    if (simpeer_faults.no_sntp > 0) {
        simpeer_faults.no_sntp--;
        return;
    }
    memcpy(answer + 24, asked + 40, 8);
    put32(answer + 32, seconds);
    put32(answer + 40, seconds);
    if (simpeer_faults.sntp != NULL)
        simpeer_faults.sntp(answer);
    if (simpeer_faults.sntp_from != 0)
        here = simpeer_faults.sntp_from;
    if (simpeer_faults.sntp_port != 0)
        sender = simpeer_faults.sntp_port;
    send_udp(here, from, sender, port, answer, 48, 5);
    put32(answer + 40, seconds + 86400);
    if (simpeer_faults.sntp_twice)
        send_udp(here, from, sender, port, answer, 48, 20000);
}

void simpeer_udp(const uint8_t *packet, size_t size, uint32_t now_ms)
{
    const uint8_t *udp = packet + 20;
    uint32_t from = get32(packet + 12);
    uint16_t port = (uint16_t)get16(udp);

    now = now_ms;
    switch (get16(udp + 2)) {
    case 53:
        in_dns(from, port, udp + 8, size - 28);
        break;
    case 67:
        in_dhcp(udp + 8, size - 28);
        break;
    case 123:
        in_sntp(get32(packet + 16), from, port, udp + 8, size - 28);
        break;
    default:
        break;
    }
}

void simpeer_udp_step(uint32_t now_ms)
{
    now = now_ms;
    for (int i = 0; i < LATER_SLOTS; i++)
        if (later[i].size != 0 && (int32_t)(now - later[i].at) >= 0) {
            size_t size = later[i].size;

            later[i].size = 0;
            simpeer_emit(later[i].packet, size);
        }
}
