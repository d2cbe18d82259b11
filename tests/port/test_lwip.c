/* SPDX-License-Identifier: Apache-2.0 */
/* test_lwip.c - port/lwip with NO_SYS through the conformance suite: lwIP for
 * the host, with a peer that has a TCP of its own inside the test, in simulated
 * time. Once over a good line, once over one that loses packets; and what is
 * particular to this port. */
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

#include "lwip/kinf_lwip.h"
#include "port/conformance.h"
#include "port/simpeer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void kinf_assert_failed(unsigned file, unsigned line)
{
    broken("assertion in file %u, line %u", file, line);
}

/* ---- time --------------------------------------------------------------- */

static uint32_t shift; /* of the clock that the port sees */
static uint32_t now;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return now + shift;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static uint64_t seed = 88172645463325252u;

static void random_bytes(void *ctx, void *out, size_t size)
{
    uint8_t *at = out;

    (void)ctx;
    while (size-- > 0) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        *at++ = (uint8_t)(seed >> 32);
    }
}

static const struct kinf_platform platform = { now_ms, wall_s, random_bytes,
                                               NULL };

static int64_t time_ms(void)
{
    return now;
}

/* ---- the line: frames wait in the chip until the pool has room ---------- */

#define CHIP_FRAMES 64

static struct netif line;
static struct {
    uint8_t bytes[1500];
    size_t size;
} chip[CHIP_FRAMES];
static unsigned chip_first, chip_count;
static unsigned pool_was_full, chip_was_full;

static void from_peer(const uint8_t *packet, size_t size)
{
    unsigned at = (chip_first + chip_count) % CHIP_FRAMES;

    if (chip_count == CHIP_FRAMES) {
        chip_was_full++;
        return;
    }
    memcpy(chip[at].bytes, packet, size);
    chip[at].size = size;
    chip_count++;
}

static bool take_frame(void)
{
    struct pbuf *p;

    if (chip_count == 0)
        return false;
    p = pbuf_alloc(PBUF_LINK, (u16_t)chip[chip_first].size, PBUF_POOL);
    if (p == NULL) {
        pool_was_full++;
        return false;
    }
    pbuf_take(p, chip[chip_first].bytes, (u16_t)chip[chip_first].size);
    chip_first = (chip_first + 1) % CHIP_FRAMES;
    chip_count--;
    if (line.input(p, &line) != ERR_OK)
        pbuf_free(p);
    return true;
}

static err_t to_peer(struct netif *netif, struct pbuf *p,
                     const ip4_addr_t *address)
{
    uint8_t packet[1600];

    (void)netif;
    (void)address;
    simpeer_in(packet, pbuf_copy_partial(p, packet, sizeof(packet), 0), now);
    return ERR_OK;
}

static err_t line_init(struct netif *netif)
{
    netif->name[0] = 's';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->output = to_peer;
    netif->hwaddr_len = 6;
    netif->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_BROADCAST;
    return ERR_OK;
}

/* ---- the world ---------------------------------------------------------- */

static bool told;

static void notify(void *ctx)
{
    *(bool *)ctx = true;
}

/* One millisecond. */
static void step(void)
{
    now++;
    (void)simpeer_step(now);
    for (int i = 0; i < 4 && take_frame(); i++)
        continue;
    sys_check_timeouts();
}

static void pass_ms(int ms)
{
    while (ms-- > 0)
        step();
}

static void wait_for(void *ctx, const struct kinf_transport_status *status,
                     int timeout_ms)
{
    (void)ctx;
    (void)status;
    while (!told && timeout_ms-- > 0)
        step();
    told = false;
}

static void tell_peer(const char *text)
{
    simpeer_command(text, now);
}

static void wait_for_peer(char *answer, size_t size)
{
    while (!simpeer_done(answer, size))
        step();
}

static const struct peer_inside inside = { tell_peer, wait_for_peer };

static void set_clock(uint32_t to)
{
    shift = to - now;
    sys_restart_timeouts(); /* as after a sleep: no burst of old timers */
}

static struct kinf_lwip_tcp tcp, second;

static void start_lwip(void)
{
    static bool started;
    ip4_addr_t address, mask, gateway;
    ip_addr_t server;

    if (started)
        return;
    started = true;
    simpeer_start(from_peer);
    kinf_lwip_platform(&platform);
    lwip_init();
    IP4_ADDR(&address, 192, 0, 2, 7);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 192, 0, 2, 53);
    netif_add(&line, &address, &mask, &gateway, NULL, line_init, netif_input);
    netif_set_default(&line);
    netif_set_up(&line);
    ip_addr_set_ip4_u32_val(server, lwip_htonl(SIMPEER_NS));
    dns_setserver(0, &server);
}

static void *make(void)
{
    start_lwip();
    kinf_lwip_tcp_init(&tcp);
    kinf_lwip_notify(&tcp, notify, &told);
    return &tcp;
}

static void *make_lossy(void)
{
    simpeer_faults.drop_every = 13;
    return make();
}

/* Pool pieces in use, and connections that somebody holds. */
static long resources(void)
{
    long held = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL;
         pcb = pcb->next)
        held += pcb->callback_arg != NULL;
    for (const struct tcp_pcb *pcb = tcp_bound_pcbs; pcb != NULL;
         pcb = pcb->next)
        held += 100;
    return held + 1000 * lwip_stats.memp[MEMP_PBUF_POOL]->used;
}

/* ---- particular to this port -------------------------------------------- */

/* A window's worth lies unread and the server goes on: what we send passes, and
 * what we read then comes whole. */
static void a_full_window_does_not_stop_what_is_sent(struct rig *rig)
{
    uint64_t sent = 0, got = 0;

    rig_connect(rig);
    peer_tell(&rig->peer, "send 100000");
    rig_pass(rig, 5000);
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
    REQUIRE(lwip_stats.memp[MEMP_PBUF_POOL]->used + 2 <= PBUF_POOL_SIZE,
            "%d of %d pieces are taken",
            (int)lwip_stats.memp[MEMP_PBUF_POOL]->used, PBUF_POOL_SIZE);
    rig_send(rig, &sent, 20000, 1000);
    REQUIRE(peer_do(&rig->peer, "recv 20000"), "peer: %s", rig->peer.answer);
    rig_recv(rig, &got, 100000, 700);
}

static void small_segments_do_not_fill_the_pool(struct rig *rig)
{
    uint64_t sent = 0, got = 0;

    rig_connect(rig);
    for (int i = 0; i < 40; i++) { /* each may sit in a piece of its own */
        peer_tell(&rig->peer, "send 1");
        rig_pass(rig, 5);
        REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
    }
    rig_send(rig, &sent, 5000, 500);
    peer_tell(&rig->peer, "recv 5000");
    rig_recv(rig, &got, 40, 40);
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
}

/* Read in part while more come: what is packed keeps its order. */
static void small_segments_are_packed_while_they_are_read(struct rig *rig)
{
    uint64_t got = 0, unread = 0;
    uint16_t number;

    rig_connect(rig);
    for (int i = 0; i < 1000; i++) {
        random_bytes(NULL, &number, sizeof(number));
        if (unread < 1000) {
            unsigned size = number % 8 == 0 ? number % 400 + 1 : number % 9 + 1;

            peer_tell(&rig->peer, "send %u", size);
            rig_pass(rig, 2);
            REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
            unread += size;
        }
        if (number % 5 == 0 || unread >= 1000) {
            size_t size = number % 61 + 1;

            size = size < unread ? size : (size_t)unread;
            rig_recv(rig, &got, size, 7);
            unread -= size;
        }
        REQUIRE(lwip_stats.memp[MEMP_PBUF_POOL]->used + 2 <= PBUF_POOL_SIZE,
                "%d pieces for %d bytes",
                (int)lwip_stats.memp[MEMP_PBUF_POOL]->used, (int)unread);
    }
    rig_recv(rig, &got, (size_t)unread, 100);
}

/* No event tells that another one has given memory back. */
static void memory_that_others_hold_is_asked_for_again(struct rig *rig)
{
    uint64_t sent = 0;
    uint8_t bytes[600] = { 0 };
    void *held[64];
    size_t count = 0;
    int n;

    rig_connect(rig);
    while (count < COUNT(held) && (held[count] = mem_malloc(128)) != NULL)
        count++;
    n = rig->ops->send(rig->ctx, bytes, sizeof(bytes));
    REQUIRE(n == KINF_ERR_AGAIN, "send gave %d", n);
    REQUIRE(rig_status(rig).wait_ms > 0, "it would wait for ever");
    while (count > 0)
        mem_free(held[--count]);
    rig_wait(rig, 10000);
    rig_send(rig, &sent, 3000, 600);
    REQUIRE(peer_do(&rig->peer, "recv 3000"), "peer: %s", rig->peer.answer);
}

/* More connections at one time than there are places: told as such, and the
 * place of one that closes is free at once. */
static void a_closing_connection_leaves_its_place(struct rig *rig)
{
    struct kinf_lwip_tcp more[MEMP_NUM_TCP_PCB];
    int err = KINF_ERR_AGAIN;

    for (int round = 0; round < 20; round++) {
        simpeer_faults.mute = round % 2 != 0; /* FIN without an answer */
        rig->ops->close(rig->ctx);
        simpeer_faults.mute = false;
        rig_connect(rig);
    }
    for (int i = 0; i < MEMP_NUM_TCP_PCB; i++) {
        kinf_lwip_tcp_init(&more[i]);
        err = rig->ops->open(&more[i], rig->host, rig->number);
    }
    REQUIRE(err == KINF_ERR_REFUSED, "one too many gave %d", err);
    for (int i = 0; i < MEMP_NUM_TCP_PCB; i++)
        rig->ops->close(&more[i]);
}

static void a_silent_peer_is_dead_after_45_seconds(struct rig *rig)
{
    uint64_t got = 0;
    uint32_t from;
    int err;

    for (int sending = 0; sending < 2; sending++) {
        uint64_t sent = 0;

        rig_connect(rig);
        pass_ms(100);
        simpeer_faults.mute = true;
        from = now;
        if (sending == 1)
            rig_send(rig, &sent, 100, 100);
        err = rig_recv_end(rig, &got);
        REQUIRE(err == KINF_ERR_CLOSED, "the end is %d", err);
        REQUIRE(now - from > 40000 && now - from < 50000, "after %u ms",
                now - from);
        REQUIRE(strstr(rig_reason(rig), "dead") != NULL, "words: %s",
                rig_reason(rig));
        rig->ops->close(rig->ctx);
        simpeer_faults.mute = false;
    }
}

/* Neither constant nor counting: what lwIP does without our hook. */
static void sequence_numbers_cannot_be_guessed(struct rig *rig)
{
    uint32_t lowest = UINT32_MAX;

    for (int i = 0; i < 40; i++) {
        rig_connect(rig);
        rig->ops->close(rig->ctx);
        pass_ms(50);
    }
    for (unsigned i = 1; i < simpeer_opened && i < 64; i++) {
        uint32_t step_ = simpeer_isn[i] - simpeer_isn[i - 1];

        step_ = step_ < 0x80000000u ? step_ : 0 - step_;
        lowest = step_ < lowest ? step_ : lowest;
    }
    REQUIRE(simpeer_opened >= 40, "only %u connections", simpeer_opened);
    REQUIRE(lowest > 100000, "two numbers lie only %u apart", lowest);
}

static void hosts_that_are_none(struct rig *rig)
{
    static char longest[300];
    const struct kinf_span bad[] = {
        { "", 0 },     { longest, 256 }, { longest, 299 },
        { "a\0b", 3 }, { longest, 70 }, /* a label of more than 63 */
    };

    memset(longest, 'a', sizeof(longest) - 1);
    for (size_t i = 0; i < COUNT(bad); i++) {
        rig->host = bad[i];
        REQUIRE(rig_open(rig) == KINF_ERR_NAME, "host %zu was taken", i);
        REQUIRE(rig_status(rig).reason != NULL, "no words");
        rig->ops->close(rig->ctx);
    }
}

/* lwIP cannot be told that nobody waits any more: the late answer to the first
 * name must not open a connection for the second. */
static void a_lookup_that_was_given_up_is_not_taken_for_another(struct rig *rig)
{
    int err;

    rig->host = KINF_SPAN("slow.test");
    REQUIRE(rig->ops->open(rig->ctx, rig->host, rig->number) == KINF_ERR_AGAIN,
            "not slow");
    rig->ops->close(rig->ctx);
    rig->host = KINF_SPAN("never.test");
    err = rig->ops->open(rig->ctx, rig->host, rig->number);
    REQUIRE(err == KINF_ERR_AGAIN, "open gave %d", err);
    pass_ms(1005);
    REQUIRE(rig_status(rig).phase == KINF_PHASE_RESOLVE,
            "the other name's address was taken: phase %d",
            (int)rig_status(rig).phase);
    REQUIRE(rig_open(rig) == KINF_ERR_NAME, "resolved");
}

static void without_dns_server_a_name_is_refused(struct rig *rig)
{
    ip_addr_t none;

    ip_addr_set_zero(&none);
    dns_setserver(0, &none);
    rig->host = KINF_SPAN("localhost.test");
    REQUIRE(rig_open(rig) == KINF_ERR_NAME, "it was looked up");
    REQUIRE(strstr(rig_reason(rig), "DNS") != NULL, "words: %s",
            rig_reason(rig));
}

static void an_address_by_dhcp(struct rig *rig)
{
    uint64_t sent = 0;
    ip_addr_t none;

    ip_addr_set_zero(&none);
    dns_setserver(0, &none);
    netif_set_addr(&line, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
    REQUIRE(dhcp_start(&line) == ERR_OK, "dhcp_start");
    for (int i = 0; i < 10000 && !dhcp_supplied_address(&line); i++)
        pass_ms(1);
    REQUIRE(dhcp_supplied_address(&line), "no address came");
    REQUIRE(lwip_ntohl(netif_ip4_addr(&line)->addr) == SIMPEER_ADDRESS,
            "another address");
    rig->host = KINF_SPAN("localhost"); /* by the DNS server that DHCP gave */
    rig_connect(rig);
    rig_send(rig, &sent, 100, 100);
    REQUIRE(peer_do(&rig->peer, "recv 100"), "peer: %s", rig->peer.answer);
}

/* Two connections at one time, one of them stuck, do not hinder each other. */
static void a_stuck_connection_leaves_the_other_alone(struct rig *rig)
{
    uint64_t sent = 0, got = 0, other = 0;
    uint8_t bytes[1000];
    int n = 1;

    rig_connect(rig);
    memset(bytes, 0, sizeof(bytes));
    kinf_lwip_tcp_init(&second);
    kinf_lwip_notify(&second, notify, &told);
    while (n > 0) { /* the peer does not read */
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = peer_byte(sent + i);
        n = rig->ops->send(rig->ctx, bytes, sizeof(bytes));
        sent += n > 0 ? (unsigned)n : 0;
        pass_ms(3);
    }
    REQUIRE(n == KINF_ERR_AGAIN, "send gave %d", n);
    rig->ctx = &second;
    rig_connect(rig); /* accepting drops the first one's peer, as a process */
    rig_send(rig, &other, 3000, 100);
    REQUIRE(peer_do(&rig->peer, "recv 3000"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "send 30000"), "peer: %s", rig->peer.answer);
    rig_recv(rig, &got, 30000, 1000);
    rig->ops->close(&second);
    rig->ctx = &tcp;
}

/* ---- SNTP --------------------------------------------------------------- */

static bool wall_is(int64_t seconds)
{
    int64_t wall = kinf_lwip_wall_s(NULL);

    return wall >= seconds - 1 && wall <= seconds + 1;
}

/* Starts with a server that answers as it is told; returns after a minute. */
static void sntp_from(const char *server)
{
    REQUIRE(kinf_lwip_wall_s(NULL) == KINF_WALL_UNKNOWN, "known at the start");
    REQUIRE(kinf_lwip_sntp_start(server) == KINF_OK, "not started");
    pass_ms(60000);
}

static void time_comes_by_sntp(struct rig *rig)
{
    (void)rig;
    sntp_from("192.0.2.53");
    REQUIRE(wall_is(simpeer_wall_s + 60), "another time");
    REQUIRE(simpeer_requests == 1, "it asked %u times", simpeer_requests);
    pass_ms(CONFIG_KINF_LWIP_SNTP_SECONDS * 1000);
    REQUIRE(simpeer_requests == 2, "it asked %u times", simpeer_requests);
    REQUIRE(wall_is(simpeer_wall_s + now / 1000), "another time");
}

static void a_server_that_is_silent_is_asked_again(struct rig *rig)
{
    (void)rig;
    simpeer_faults.no_sntp = 4;
    sntp_from("192.0.2.53");
    REQUIRE(wall_is(simpeer_wall_s + 60), "another time");
    REQUIRE(simpeer_requests == 5, "it asked %u times", simpeer_requests);
}

static void a_server_by_its_name_and_by_dhcp(struct rig *rig)
{
    (void)rig;
    sntp_from("slow.test"); /* 192.0.2.1 */
    REQUIRE(simpeer_requests >= 1, "nobody was asked");
    REQUIRE(kinf_lwip_sntp_start(NULL) == KINF_OK, "not started");
    simpeer_requests = 0;
    pass_ms(100000);
    REQUIRE(simpeer_requests == 0, "whom did it ask?");
    REQUIRE(dhcp_start(&line) == ERR_OK, "dhcp_start");
    pass_ms(30000);
    REQUIRE(simpeer_requests == 1, "it asked %u times", simpeer_requests);
    REQUIRE(wall_is(simpeer_wall_s + now / 1000), "another time");
}

static unsigned wrong_how;

static void make_wrong(uint8_t m[48])
{
    switch (wrong_how) {
    case 0:
        m[24] ^= 1;
        break; /* not our number */
    case 1:
        m[31] ^= 0x80;
        break;
    case 2:
        m[0] = 0x23;
        break; /* a client's */
    case 3:
        m[0] = 0x25;
        break; /* a broadcast */
    case 4:
        m[0] |= 0xC0;
        break; /* does not know the time */
    case 5:
        m[1] = 0;
        break; /* go away */
    case 6:
        m[1] = 16;
        break;
    case 7:
        m[0] = 0x14;
        break; /* version 2 */
    default:
        memset(m + 40, 0, 8);
        break; /* no time */
    }
}

/* And not asked in a flood: 1, 2, 4, ... 64 seconds apart. */
static void answers_that_are_none_do_not_count(struct rig *rig)
{
    (void)rig;
    simpeer_faults.sntp = make_wrong;
    for (wrong_how = 0; wrong_how < 9; wrong_how++) {
        simpeer_requests = 0;
        sntp_from("192.0.2.53");
        REQUIRE(kinf_lwip_wall_s(NULL) == KINF_WALL_UNKNOWN,
                "answer %u was believed", wrong_how);
        REQUIRE(simpeer_requests == 6, "it asked %u times", simpeer_requests);
    }
}

static void who_was_not_asked_is_not_believed(struct rig *rig)
{
    (void)rig;
    simpeer_faults.sntp_from = SIMPEER_NS + 1;
    sntp_from("192.0.2.53");
    REQUIRE(kinf_lwip_wall_s(NULL) == KINF_WALL_UNKNOWN, "another address");
    simpeer_faults.sntp_from = 0;
    simpeer_faults.sntp_port = 124;
    sntp_from("192.0.2.53");
    REQUIRE(kinf_lwip_wall_s(NULL) == KINF_WALL_UNKNOWN, "another port");
}

static void a_request_has_one_answer(struct rig *rig)
{
    (void)rig;
    simpeer_faults.sntp_twice = true;
    sntp_from("192.0.2.53");
    REQUIRE(wall_is(simpeer_wall_s + 60), "the second one was believed");
}

static void the_time_goes_on_after_2036(struct rig *rig)
{
    (void)rig;
    simpeer_wall_s = INT64_C(2085978496) - 30; /* 2^32 seconds after 1900 */
    sntp_from("192.0.2.53");
    REQUIRE(wall_is(simpeer_wall_s + 60), "another time");
    REQUIRE(kinf_lwip_sntp_start("192.0.2.53") == KINF_OK, "not started");
    pass_ms(1000); /* asked in the new era */
    REQUIRE(wall_is(simpeer_wall_s + 61), "another time");
}

/* Sixty days without an answer, while the millisecond clock wraps. */
static void the_time_goes_on_over_the_clocks_wrap(struct rig *rig)
{
    uint64_t passed_ms = 0;

    (void)rig;
    sntp_from("192.0.2.53");
    simpeer_faults.mute = true;
    while (passed_ms < UINT64_C(60) * 24 * 3600 * 1000) {
        shift += 60000 - 1;
        step();
        passed_ms += 60000;
    }
    REQUIRE(wall_is(simpeer_wall_s + 60 + (int64_t)(passed_ms / 1000)),
            "off by %lld s",
            (long long)(kinf_lwip_wall_s(NULL) - simpeer_wall_s - 60 -
                        (int64_t)(passed_ms / 1000)));
}

#define CHECK(name) { #name, name, 0 }
static const struct check checks[] = {
    CHECK(a_full_window_does_not_stop_what_is_sent),
    CHECK(small_segments_do_not_fill_the_pool),
    CHECK(small_segments_are_packed_while_they_are_read),
    CHECK(memory_that_others_hold_is_asked_for_again),
    CHECK(a_closing_connection_leaves_its_place),
    CHECK(a_silent_peer_is_dead_after_45_seconds),
    CHECK(sequence_numbers_cannot_be_guessed),
    CHECK(hosts_that_are_none),
    CHECK(a_lookup_that_was_given_up_is_not_taken_for_another),
    CHECK(without_dns_server_a_name_is_refused),
    CHECK(an_address_by_dhcp),
    CHECK(a_stuck_connection_leaves_the_other_alone),
    CHECK(time_comes_by_sntp),
    CHECK(a_server_that_is_silent_is_asked_again),
    CHECK(a_server_by_its_name_and_by_dhcp),
    CHECK(answers_that_are_none_do_not_count),
    CHECK(who_was_not_asked_is_not_believed),
    CHECK(a_request_has_one_answer),
    CHECK(the_time_goes_on_after_2036),
    CHECK(the_time_goes_on_over_the_clocks_wrap),
};

int main(void)
{
    const struct port good = {
        .name = CONFIG_KINF_LWIP_LEAN ? "lwip, lean" : "lwip",
        .ops = &kinf_lwip_tcp_ops,
        .make = make,
        .wait = wait_for,
        .resources = resources,
        .nobody = "nobody.test",
        .slow = "slow.test",
        .set_clock = set_clock,
        .platform = &platform,
        .peer = &inside,
        .host = "192.0.2.1",
        .time_ms = time_ms,
        .pass_ms = pass_ms,
    };
    struct port lossy = good;

    lossy.name = CONFIG_KINF_LWIP_LEAN ? "lwip, lean, lossy" : "lwip, lossy";
    lossy.make = make_lossy;
    checks_run(&good, conformance, conformance_count);
    checks_run(&lossy, conformance, conformance_count);
    checks_run(&good, checks, COUNT(checks));
    return checks_end();
}
