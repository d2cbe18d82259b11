/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - what a server must show, and whom port/mbedtls then trusts. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/tls_rig.h"

/* ---- good servers ------------------------------------------------------- */

static void good_servers_of_all_kinds(struct rig *rig)
{
    static const struct {
        const char *cert, *authority;
    } good[] = {
        { "server-ec", "ca-ec" },       { "server-rsa", "ca-rsa" },
        { "server-rsa4096", "ca-rsa" }, { "server-chain", "ca-ec" },
        { "server-chain", "bundle" },
#ifndef KINF_TEST_DER
        { "server-384", "ca-384" },
#endif
    };

    for (size_t i = 0; i < COUNT(good); i++)
        for (size_t v = 0; v < version_count; v++) {
            start(0, good[i].authority);
            serve_version(rig, good[i].cert, "", versions[v]);
            REQUIRE(!round_trip(rig), "resumed at once");
            info_has(rig, versions[v]);
            info_has(rig, "http/1.1");
        }
}

static void names_and_addresses_that_the_certificate_has(struct rig *rig)
{
    static const struct {
        const char *host, *sni;
    } good[] = {
        { "localhost", "localhost " },
        { "localhost.", "localhost " },
        { "kubernetes.default", "kubernetes.default " },
        { "a.wild.test", "a.wild.test " },
        { "127.0.0.1", "none " }, /* RFC 6066: no address as SNI */
    };

    for (size_t i = 0; i < COUNT(good); i++)
        for (size_t v = 0; v < version_count; v++) {
            start(0, "ca-ec");
            serve_version(rig, "server-ec", "", versions[v]);
            set_host(rig, good[i].host[9] == '.' ? "localhost" : good[i].host);
            if (good[i].host[9] == '.')
                the_tls.tls.config.server_name = KINF_SPAN("localhost.");
            round_trip(rig);
            REQUIRE(strncmp(rig->peer.answer, good[i].sni,
                            strlen(good[i].sni)) == 0,
                    "for %s the server saw: %s", good[i].host,
                    rig->peer.answer);
        }
}

static void an_ipv6_address(struct rig *rig)
{
    uint16_t number = peer_listen(&rig->peer, "::1");

    if (number == 0)
        skipped("no IPv6 on this machine");
    rig->number = number;
    set_host(rig, "::1");
    peer_tell(&rig->peer, "accept ::1");
    REQUIRE(rig_open(rig) == KINF_OK, "open: %s", rig_reason(rig));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
    rig->ops->close(rig->ctx);
    the_tls.tls.config.server_name = KINF_SPAN("::2");
    rig->ops->forget(rig->ctx);
    peer_tell(&rig->peer, "accept ::1");
    REQUIRE(rig_open(rig) == KINF_ERR_WRONG_HOST, "another address: %s",
            rig_reason(rig));
    (void)peer_answer(&rig->peer);
}

static void the_server_name_is_asked_for_in_place_of_the_host(struct rig *rig)
{
    the_tls.tls.config.server_name = KINF_SPAN("kubernetes.default");
    round_trip(rig);
    info_has(rig, "kubernetes.default ");
}

/* ---- bad servers -------------------------------------------------------- */

static void wrong_names_are_refused(struct rig *rig)
{
    static const char *const names[] = {
        "other.name", "a.b.wild.test",   "wild.test", "127.0.0.2",
        "::2",        "localhost.other", "ocalhost",  "127.0.0.1.other",
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        the_tls.tls.config.server_name =
            (struct kinf_span){ names[i], strlen(names[i]) };
        refused(rig, KINF_ERR_WRONG_HOST, names[i]);
    }
    refused(rig, KINF_ERR_WRONG_HOST, "but localhost, ");
}

static void a_common_name_alone_is_no_name(struct rig *rig)
{
    serve(rig, "server-cn any");
    the_tls.tls.config.server_name = KINF_SPAN("server-cn");
    refused(rig, KINF_ERR_WRONG_HOST, "no name at all");
}

static void strangers_are_not_trusted(struct rig *rig)
{
    static const struct {
        const char *cert, *authority, *words;
    } bad[] = {
        { "server-ec", "ca-other", "ca-ec" },
        { "server-ec", "ca-rsa", "ca-ec" },
        { "server-rsa", "ca-ec", "ca-rsa" },
        { "server-chain", "ca-other", "ca-ec" },
        { "server-usage", "ca-ec", "not meant for servers" },
        { "server-deep", "ca-ec", "longer than" },
        { "server-weak", "ca-rsa", "too weak" },
        { "server-exponent", "ca-rsa", "cannot be read" }, /* verify.c */
    };

    for (size_t i = 0; i < COUNT(bad); i++)
        for (size_t v = 0; v < version_count; v++) {
            start(0, bad[i].authority);
            serve_version(rig, bad[i].cert, "weak", versions[v]);
            refused(rig, KINF_ERR_NOT_TRUSTED, bad[i].words);
        }
}

static void no_anchor_no_connection(struct rig *rig)
{
    start(0, NULL);
    REQUIRE(rig_open(rig) == KINF_ERR_CREDENTIALS, "opened");
    REQUIRE(strstr(rig_reason(rig), "anchor") != NULL, "%s", rig_reason(rig));
    rig->ops->close(rig->ctx);
    REQUIRE(peer_do(&rig->peer, "pending"), "peer: %s", rig->peer.answer);
    info_has(rig, "no");
}

/* ---- time --------------------------------------------------------------- */

static void dates_are_checked(struct rig *rig)
{
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        serve_version(rig, "server-short", "noticket", versions[v]);
        tls_wall_s = time(NULL) + 2 * DAY;
        refused(rig, KINF_ERR_EXPIRED, "expired on 20");
        tls_wall_s = time(NULL) - 2 * DAY;
        refused(rig, KINF_ERR_NOT_YET_VALID, "valid from 20");
        tls_wall_s = 0;
        round_trip(rig);
    }
}

static void who_is_not_trusted_is_not_called_expired(struct rig *rig)
{
    start(0, "ca-other");
    serve(rig, "server-short any");
    tls_wall_s = time(NULL) + 2 * DAY;
    refused(rig, KINF_ERR_NOT_TRUSTED, "");
}

static void unknown_time_is_refused_before_a_byte(struct rig *rig)
{
    tls_wall_s = KINF_WALL_UNKNOWN;
    for (int i = 0; i < 2; i++) {
        REQUIRE(rig_open(rig) == KINF_ERR_NO_CLOCK, "%s", rig_reason(rig));
        REQUIRE(rig_status(rig).reason != NULL, "no words");
        rig->ops->close(rig->ctx);
        /* A time before the build is as good as none. */
        tls_system.built_s = time(NULL);
        start(0, "ca-ec");
        tls_wall_s = time(NULL) - DAY;
    }
    REQUIRE(peer_do(&rig->peer, "pending"), "peer: %s", rig->peer.answer);
    info_has(rig, "no");
    tls_wall_s = 0;
    round_trip(rig);
}

static void the_builds_time_is_a_choice(struct rig *rig)
{
    tls_wall_s = KINF_WALL_UNKNOWN;
    tls_system.no_clock = KINF_MBEDTLS_CHECK_BUILD_TIME;
    start(0, "ca-ec");
    REQUIRE(rig_open(rig) == KINF_ERR_NO_CLOCK, "without a build time");
    rig->ops->close(rig->ctx);
    tls_system.built_s = time(NULL) - 30 * DAY; /* certificates are younger */
    start(0, "ca-ec");
    round_trip(rig);
    tls_system.built_s = time(NULL) + 2 * DAY; /* this one ended before */
    start(0, "ca-ec");
    serve(rig, "server-short any");
    refused(rig, KINF_ERR_EXPIRED, "expired on");
}

#ifdef KINF_TEST_DER
/* Firmware: a clock that somebody has set back, whatever its source. */
static void a_time_before_the_last_good_one_is_refused(struct rig *rig)
{
    int64_t now = time(NULL);

    tls_system.built_s = now - 30 * DAY;
    start(0, "ca-ec");
    REQUIRE(kinf_mbedtls_good_s() == 0, "good from the start");
    tls_wall_s = now;
    serve(rig, "server-ec 1.2 noticket");
    round_trip(rig);
    REQUIRE(kinf_mbedtls_good_s() == now, "not noted");
    tls_wall_s = now - 1;
    REQUIRE(rig_open(rig) == KINF_ERR_NO_CLOCK, "%s", rig_reason(rig));
    rig->ops->close(rig->ctx);
    tls_wall_s = now + 5;
    round_trip(rig);
    REQUIRE(kinf_mbedtls_good_s() == now + 5, "not noted");

    tls_system.good_s = kinf_mbedtls_good_s(); /* kept over a restart */
    start(0, "ca-ec");
    tls_wall_s = now + 4;
    REQUIRE(rig_open(rig) == KINF_ERR_NO_CLOCK, "%s", rig_reason(rig));
    rig->ops->close(rig->ctx);
    tls_wall_s = now + 6;
    round_trip(rig);
}

/* A wrong time is no good time, and neither is that of the build. */
static void only_a_valid_chain_makes_a_time_good(struct rig *rig)
{
    int64_t now = time(NULL);

    start(0, "ca-ec");
    serve(rig, "server-short 1.2 noticket");
    tls_wall_s = now + 2 * DAY;
    refused(rig, KINF_ERR_EXPIRED, "expired on");
    REQUIRE(kinf_mbedtls_good_s() == 0, "noted");
    tls_wall_s = KINF_WALL_UNKNOWN;
    tls_system.built_s = now - 3600;
    tls_system.no_clock = KINF_MBEDTLS_CHECK_BUILD_TIME;
    start(0, "ca-ec");
    round_trip(rig);
    REQUIRE(kinf_mbedtls_good_s() == 0, "the build's time was noted");
    /* Without a clock the last good time is the better one to check against. */
    tls_system.good_s = now + 2 * DAY;
    start(0, "ca-ec");
    serve(rig, "server-short 1.2 noticket");
    refused(rig, KINF_ERR_EXPIRED, "expired on");
}

static void dates_are_refused_without_a_clock_by_default(struct rig *rig)
{
    (void)rig;
    REQUIRE((int)KINF_MBEDTLS_NO_CLOCK_DEFAULT == KINF_MBEDTLS_REFUSE,
            "the default is lax");
}
#endif

/* ---- long steps --------------------------------------------------------- */

static unsigned long_steps;

static void on_long_step(void *ctx)
{
    (void)ctx;
    long_steps++;
}

/* ECDSA under TLS 1.2 is cut in the firmware profile; all else is told. */
static void steps_that_cannot_be_cut_are_announced(struct rig *rig)
{
    tls_system.long_step = on_long_step;
    start(0, "ca-rsa");
    long_steps = 0;
    serve(rig, "server-rsa 1.2");
    (void)round_trip(rig);
    REQUIRE(long_steps > 0, "a handshake with RSA, and nobody was told");
#ifdef ONLY_TLS_1_2
    start(0, "ca-ec");
    long_steps = 0;
    serve(rig, "server-ec 1.2");
    (void)round_trip(rig);
    REQUIRE(long_steps == 0, "told %u times of steps that are cut", long_steps);
#endif
}

#ifdef ONLY_TLS_1_2
/* Calls of open() until the connection stands. */
static unsigned steps_with(struct rig *rig, unsigned max_ops)
{
    unsigned steps = 0;
    int err;

    tls_system.max_ops = max_ops;
    start(0, "ca-ec");
    peer_tell(&rig->peer, "accept");
    while ((err = rig->ops->open(rig->ctx, rig->host, rig->number)) ==
           KINF_ERR_AGAIN) {
        steps++;
        rig_wait(rig, 10000);
    }
    REQUIRE(err == KINF_OK, "%s", rig_reason(rig));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
    rig->ops->close(rig->ctx);
    return steps;
}

/* Several multiplications of about 3,300 operations each. */
static void a_handshake_with_an_ecdsa_server_is_cut(struct rig *rig)
{
    unsigned whole, by_default;

    serve(rig, "server-ec 1.2 noticket");
    whole = steps_with(rig, 1000000);
    by_default = steps_with(rig, 0);
    REQUIRE(by_default >= whole + 40, "%u steps by default, %u uncut",
            by_default, whole);
    REQUIRE(steps_with(rig, 1000) < by_default, "max_ops has no effect");
}

static void chacha20_comes_first_without_aes_in_hardware(struct rig *rig)
{
    static const char *const servers[][2] = { { "server-ec", "ca-ec" },
                                              { "server-rsa", "ca-rsa" } };

    for (size_t i = 0; i < COUNT(servers); i++) {
        start(0, servers[i][1]);
        serve_version(rig, servers[i][0], "", "1.2");
        (void)round_trip(rig);
        info_has(rig, "CHACHA20-POLY1305");
    }
}

/* A stranger's key above 4,096 bits costs us nothing but its reading. */
static void keys_of_a_size_we_did_not_plan_for_are_refused(struct rig *rig)
{
    start(0, "ca-rsa");
    serve(rig, "server-rsa5120 1.2");
    refused(rig, KINF_ERR_NOT_TRUSTED, "cannot be read");
}
#endif

/* In the middle of a handshake the stack is short. */
static void fresh_entropy_is_drawn_between_connections_only(struct rig *rig)
{
    start(0, "ca-ec");
    for (int i = 0; i < 3; i++) {
        unsigned before = tls_draws;
        uint64_t got = 0;

        peer_tell(&rig->peer, "accept");
        REQUIRE(rig_open(rig) == KINF_OK, "%s", rig_reason(rig));
        REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
        peer_tell(&rig->peer, "send 300000");
        rig_recv(rig, &got, 300000, 8000);
        REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
        REQUIRE(tls_draws == before, "%u draws until then", tls_draws - before);
        rig->ops->close(rig->ctx);
        REQUIRE(tls_draws == before + 1, "%u draws since", tls_draws - before);
    }
}

#define CHECK(name) { #name, name, 120 }
static const struct check checks[] = {
    CHECK(good_servers_of_all_kinds),
    CHECK(names_and_addresses_that_the_certificate_has),
    CHECK(an_ipv6_address),
    CHECK(the_server_name_is_asked_for_in_place_of_the_host),
    CHECK(wrong_names_are_refused),
    CHECK(a_common_name_alone_is_no_name),
    CHECK(strangers_are_not_trusted),
    CHECK(no_anchor_no_connection),
    CHECK(dates_are_checked),
    CHECK(who_is_not_trusted_is_not_called_expired),
    CHECK(unknown_time_is_refused_before_a_byte),
    CHECK(the_builds_time_is_a_choice),
#ifdef KINF_TEST_DER
    CHECK(a_time_before_the_last_good_one_is_refused),
    CHECK(only_a_valid_chain_makes_a_time_good),
    CHECK(dates_are_refused_without_a_clock_by_default),
#endif
    CHECK(steps_that_cannot_be_cut_are_announced),
#ifdef ONLY_TLS_1_2
    CHECK(a_handshake_with_an_ecdsa_server_is_cut),
    CHECK(chacha20_comes_first_without_aes_in_hardware),
    CHECK(keys_of_a_size_we_did_not_plan_for_are_refused),
#endif
    CHECK(fresh_entropy_is_drawn_between_connections_only),
};

int main(void)
{
    return tls_main(checks, COUNT(checks));
}
