/* SPDX-License-Identifier: Apache-2.0 */
/* sntp.c - wall time from an SNTP server (RFC 4330), for boards without a
 * clock; see kinf_lwip.h.
 *
 * Not lwIP's own: a request carries 64 random bits where its time would stand,
 * and only an answer that repeats them counts, so that nobody who does not see
 * the request can set our clock. Who does see it can: SNTP is not signed, and
 * port/mbedtls refuses a time before the build or before the last good one. */
#include "kinf_lwip.h"

#include <string.h>

#include "lwip/opt.h"

#if CONFIG_KINF_LWIP_SNTP

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"

uint32_t kinf_lwip_random(void);

#define PORT 123
#define MESSAGE_BYTES 48
#define SECONDS_1900_TO_1970 INT64_C(2208988800)
#define FIRST_WAIT_MS 1000
#define LONGEST_WAIT_MS 64000 /* between two requests without an answer */
#define PERIOD_MS (CONFIG_KINF_LWIP_SNTP_SECONDS * UINT32_C(1000))

static struct {
    struct udp_pcb *pcb;
    const char *name; /* NULL: the server that DHCP names */
    ip_addr_t server;
    bool known; /* the server's address is */
    bool asked; /* nonce is out */
    uint8_t nonce[8];
    uint32_t wait_ms; /* after a request without an answer */
    /* The last time known, and when; moved on at each request, so that the
     * clock's wrap is none here. */
    int64_t base_s;
    uint32_t base_ms;
} sntp = { .base_s = KINF_WALL_UNKNOWN };

static void on_timer(void *arg);

static void again_after(uint32_t ms)
{
    sys_untimeout(on_timer, NULL);
    sys_timeout(ms, on_timer, NULL);
}

static void set_base(int64_t seconds, uint32_t now_ms)
{
    SYS_ARCH_DECL_PROTECT(level);

    SYS_ARCH_PROTECT(level);
    sntp.base_s = seconds;
    sntp.base_ms = now_ms;
    SYS_ARCH_UNPROTECT(level);
}

/* Whole seconds only: what is left stays in base_ms. */
static void move_base(void)
{
    uint32_t passed_s = (sys_now() - sntp.base_ms) / 1000;

    if (sntp.base_s != KINF_WALL_UNKNOWN)
        set_base(sntp.base_s + passed_s, sntp.base_ms + passed_s * 1000);
}

int64_t kinf_lwip_wall_s(void *ctx)
{
    int64_t seconds;
    uint32_t from_ms;
    SYS_ARCH_DECL_PROTECT(level);

    (void)ctx;
    SYS_ARCH_PROTECT(level);
    seconds = sntp.base_s;
    from_ms = sntp.base_ms;
    SYS_ARCH_UNPROTECT(level);
    if (seconds == KINF_WALL_UNKNOWN)
        return seconds;
    return seconds + (sys_now() - from_ms) / 1000;
}

/* ---- the answer --------------------------------------------------------- */

/* Is it one to our request, from a server that knows the time? */
static bool is_answer(const uint8_t *m)
{
    unsigned leap = m[0] >> 6, version = m[0] >> 3 & 7, mode = m[0] & 7;

    return leap != 3 && version >= 3 && version <= 4 && mode == 4 &&
           m[1] >= 1 && m[1] <= 15 && memcmp(m + 24, sntp.nonce, 8) == 0;
}

/* Seconds of the time it was sent at. They count from 1900 and wrap in 2036:
 * what lies before 1968 is of the next era. */
static int64_t seconds_of(const uint8_t *m)
{
    uint32_t seconds = (uint32_t)m[40] << 24 | (uint32_t)m[41] << 16 |
                       (uint32_t)m[42] << 8 | m[43];
    int64_t era = (seconds >> 31) != 0 ? 0 : INT64_C(1) << 32;

    return seconds == 0 ? KINF_WALL_UNKNOWN
                        : seconds + era - SECONDS_1900_TO_1970;
}

static void on_answer(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                      const ip_addr_t *from, u16_t port)
{
    uint8_t m[MESSAGE_BYTES];
    bool whole = pbuf_copy_partial(p, m, sizeof(m), 0) == sizeof(m);

    (void)arg;
    (void)pcb;
    pbuf_free(p);
    if (!whole || !sntp.asked || port != PORT || !is_answer(m) ||
        !ip_addr_eq(from, &sntp.server) || seconds_of(m) == KINF_WALL_UNKNOWN)
        return;
    sntp.asked = false; /* each request has one answer */
    sntp.wait_ms = FIRST_WAIT_MS;
    set_base(seconds_of(m), sys_now());
    again_after(PERIOD_MS);
}

/* ---- the request -------------------------------------------------------- */

static void ask(void)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, MESSAGE_BYTES, PBUF_RAM);
    uint32_t random[2] = { kinf_lwip_random(), kinf_lwip_random() };
    uint8_t *m;

    if (p == NULL)
        return; /* next time */
    m = p->payload;
    memset(m, 0, MESSAGE_BYTES);
    m[0] = 4 << 3 | 3; /* version 4, a client */
    memcpy(sntp.nonce, random, sizeof(sntp.nonce));
    memcpy(m + 40, sntp.nonce, sizeof(sntp.nonce));
    sntp.asked = true;
    (void)udp_sendto(sntp.pcb, p, &sntp.server, PORT);
    pbuf_free(p);
}

#if LWIP_DNS
static void on_found(const char *name, const ip_addr_t *address, void *arg)
{
    (void)arg;
    if (name == NULL || address == NULL || sntp.name == NULL)
        return;
    sntp.server = *address;
    sntp.known = true;
    ask();
}
#endif

/* Finds the server's address, now or later. */
static void look_up(void)
{
    sntp.known = sntp.name != NULL && ipaddr_aton(sntp.name, &sntp.server);
#if LWIP_DNS
    if (!sntp.known && sntp.name != NULL)
        sntp.known = dns_gethostbyname(sntp.name, &sntp.server, on_found,
                                       NULL) == ERR_OK;
#endif
}

/* A server that is silent for long is looked up again: it may have moved. */
static void on_timer(void *arg)
{
    (void)arg;
    move_base();
    if (sntp.name != NULL && (!sntp.known || sntp.wait_ms == LONGEST_WAIT_MS))
        look_up();
    if (sntp.known)
        ask();
    again_after(sntp.wait_ms);
    sntp.wait_ms =
        sntp.wait_ms < LONGEST_WAIT_MS / 2 ? sntp.wait_ms * 2 : LONGEST_WAIT_MS;
}

int kinf_lwip_sntp_start(const char *server)
{
    if (sntp.pcb == NULL)
        sntp.pcb = udp_new();
    if (sntp.pcb == NULL)
        return KINF_ERR_FULL;
    udp_recv(sntp.pcb, on_answer, NULL);
    sntp.name = server;
    sntp.known = sntp.asked = false;
    sntp.wait_ms = FIRST_WAIT_MS;
    again_after(0);
    return KINF_OK;
}

#if LWIP_DHCP && LWIP_DHCP_GET_NTP_SRV
/* By lwIP's DHCP client: option 42. */
void dhcp_set_ntp_servers(u8_t count, const ip4_addr_t *servers)
{
    if (sntp.pcb == NULL || sntp.name != NULL || count == 0)
        return;
    ip_addr_copy_from_ip4(sntp.server, servers[0]);
    sntp.known = true;
    sntp.wait_ms = FIRST_WAIT_MS;
    again_after(0);
}
#endif

#endif
