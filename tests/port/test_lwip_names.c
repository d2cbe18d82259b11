/* SPDX-License-Identifier: Apache-2.0 */
/* test_lwip_names.c - what port/lwip with NO_SYS gets from servers of the net,
 * in the world of lwip/world.h: addresses of names (DNS), an address of its own
 * (DHCP), and the time (SNTP). */
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"

#include "port/lwip/world.h"

/* ---- names and addresses ------------------------------------------------ */

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
    CHECK(hosts_that_are_none),
    CHECK(a_lookup_that_was_given_up_is_not_taken_for_another),
    CHECK(without_dns_server_a_name_is_refused),
    CHECK(an_address_by_dhcp),
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
    const struct port port = world_port(false);

    checks_run(&port, checks, COUNT(checks));
    return checks_end();
}
