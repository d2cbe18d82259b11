/* SPDX-License-Identifier: Apache-2.0 */
/* test_tickets.c - tickets, credentials and memory of port/mbedtls. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/tls_rig.h"

/* ---- tickets ------------------------------------------------------------ */

static void reconnects_are_resumed(struct rig *rig)
{
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        serve_version(rig, "server-ec", "", versions[v]);
        REQUIRE(!round_trip(rig), "resumed at once");
        for (int i = 0; i < 3; i++)
            REQUIRE(round_trip(rig), "TLS %s: not resumed", versions[v]);
        rig->ops->forget(rig->ctx);
        REQUIRE(!round_trip(rig), "TLS %s: resumed after forget", versions[v]);
        REQUIRE(round_trip(rig), "TLS %s: not resumed again", versions[v]);
    }
}

static void a_name_is_resumed_too(struct rig *rig)
{
    set_host(rig, "localhost");
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        serve_version(rig, "server-ec", "", versions[v]);
        REQUIRE(!round_trip(rig), "resumed at once");
        REQUIRE(round_trip(rig), "TLS %s: not resumed", versions[v]);
    }
}

static bool is_wiped(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void forget_wipes_the_ticket(struct rig *rig)
{
    round_trip(rig);
    REQUIRE(!is_wiped(the_tls.ticket, sizeof(the_tls.ticket)), "no ticket");
    rig->ops->forget(rig->ctx);
    REQUIRE(is_wiped(the_tls.ticket, sizeof(the_tls.ticket)), "not wiped");
}

static void trust_again(const char *authority)
{
    int err = kinf_mbedtls_trust(&the_tls.credentials,
                                 pki_certificate(authority), false);

    REQUIRE(err == KINF_OK, "trust: %s", the_tls.credentials.reason);
}

/* A resumed session is not verified again: what was verified then must still
 * be what is asked for now. */
static void a_ticket_is_for_what_was_verified(struct rig *rig)
{
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        serve_version(rig, "server-ec", "", versions[v]);
        set_host(rig, "127.0.0.1");
        (void)round_trip(rig);
        REQUIRE(round_trip(rig), "not resumed");

        set_host(rig, "localhost");
        REQUIRE(!round_trip(rig), "resumed for another name");
        REQUIRE(round_trip(rig), "not resumed");

        trust_again("bundle");
        REQUIRE(!round_trip(rig), "resumed with other anchors");
        REQUIRE(round_trip(rig), "not resumed");
        trust_again("ca-other");
        refused(rig, KINF_ERR_NOT_TRUSTED, "");
        trust_again("ca-ec");

        (void)round_trip(rig);
        REQUIRE(round_trip(rig), "not resumed");
        REQUIRE(kinf_mbedtls_identity(&the_tls.credentials,
                                      pki_certificate("client-ec"),
                                      pki_key("client-ec")) == KINF_OK,
                "identity: %s", the_tls.credentials.reason);
        REQUIRE(!round_trip(rig), "resumed with another identity");
    }
}

static void a_ticket_ends_with_the_certificate(struct rig *rig)
{
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        serve_version(rig, "server-short", "", versions[v]);
        (void)round_trip(rig);
        REQUIRE(round_trip(rig), "not resumed");
        tls_wall_s = time(NULL) + 2 * DAY;
        refused(rig, KINF_ERR_EXPIRED, "expired on");
        tls_wall_s = 0;
    }
}

static void a_ticket_for_another_port_is_not_offered(struct rig *rig)
{
    uint16_t first = rig->number, second;

    REQUIRE(!round_trip(rig), "resumed at once");
    REQUIRE(peer_do(&rig->peer, "unlisten"), "peer: %s", rig->peer.answer);
    second = peer_listen(&rig->peer, "127.0.0.1");
    rig->number = second;
    REQUIRE(first != second && !round_trip(rig), "resumed at another port");
}

static void without_place_for_a_ticket_all_works(struct rig *rig)
{
    for (size_t size = 0; size < 200; size += 25) {
        the_tls.tls.config.ticket_size = size;
        REQUIRE(!round_trip(rig), "resumed from %zu bytes", size);
    }
    for (size_t i = 200; i < sizeof(the_tls.ticket); i++)
        REQUIRE(the_tls.ticket[i] == 0, "wrote past the end");
}

/* A server that has lost its keys does a full handshake. */
static void a_ticket_nobody_knows(struct rig *rig)
{
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        serve_version(rig, "server-ec", "", versions[v]);
        (void)round_trip(rig);
        serve_version(rig, "server-ec", "", versions[v]);
        REQUIRE(!round_trip(rig), "resumed by a server that forgot");
        REQUIRE(round_trip(rig), "not resumed");
    }
}

/* ---- credentials -------------------------------------------------------- */

static void a_client_shows_its_certificate(struct rig *rig)
{
    static const struct {
        const char *name, *authority;
    } clients[] = { { "client-ec", "client=ca-ec" },
                    { "client-rsa", "client=ca-rsa" } };

    for (size_t i = 0; i < COUNT(clients); i++)
        for (size_t v = 0; v < version_count; v++) {
            start(0, "ca-ec");
            REQUIRE(kinf_mbedtls_identity(&the_tls.credentials,
                                          pki_certificate(clients[i].name),
                                          pki_key(clients[i].name)) == KINF_OK,
                    "%s", the_tls.credentials.reason);
            serve_version(rig, "server-ec", clients[i].authority, versions[v]);
            round_trip(rig);
            info_has(rig, clients[i].name);
            REQUIRE(round_trip(rig), "not resumed");
        }
}

/* TLS 1.2 ends in the handshake, 1.3 with the first byte that is read. */
static void a_server_that_requires_one_says_so(struct rig *rig)
{
    uint64_t got = 0;
    int err;

    serve(rig, "server-ec 1.2 client=ca-ec");
    peer_tell(&rig->peer, "accept");
    err = rig_open(rig);
    /* Its alert is lost when it resets what we sent meanwhile. */
    REQUIRE(err == KINF_ERR_CLOSED ||
                strstr(rig_reason(rig), "the server refused") != NULL,
            "%d, %s", err, rig_reason(rig));
    REQUIRE(err < 0 && err != KINF_ERR_AGAIN, "it opened");
    rig->ops->close(rig->ctx);
    (void)peer_answer(&rig->peer);
    if (version_count < 2)
        return;
    serve(rig, "server-ec 1.3 client=ca-ec");
    peer_tell(&rig->peer, "accept");
    REQUIRE(rig_open(rig) == KINF_OK, "open: %s", rig_reason(rig));
    err = rig_recv_end(rig, &got);
    REQUIRE(err == KINF_ERR_CREDENTIALS, "%d, %s", err, rig_reason(rig));
    REQUIRE(strstr(rig_reason(rig), "requires a client certificate") != NULL,
            "%s", rig_reason(rig));
    rig->ops->close(rig->ctx);
    (void)peer_answer(&rig->peer);
}

static void bad_anchors_leave_the_old_ones(struct rig *rig)
{
    struct kinf_span good = pki_certificate("ca-ec"), half = good;
    static const struct {
        const char *what, *text;
    } bad[] = {
        { "nothing", "" },
        { "words", "no certificate at all" },
        { "a begin", "-----BEGIN CERTIFICATE-----\nMIIB" },
        { "an empty one",
          "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" },
        { "bad base64", "-----BEGIN CERTIFICATE-----\n####\n"
                        "-----END CERTIFICATE-----\n" },
        { "a length of 4 GB", "\x30\x84\xFF\xFF\xFF\xFF" },
    };
    size_t before = arena_used();
    int err;

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct kinf_span text = { bad[i].text, strlen(bad[i].text) };

        err = kinf_mbedtls_trust(&the_tls.credentials, text, false);
        REQUIRE(err == KINF_ERR_CREDENTIALS, "%s: %d", bad[i].what, err);
        REQUIRE(the_tls.credentials.reason != NULL, "%s: no words",
                bad[i].what);
        REQUIRE(arena_used() == before, "%s: leaves %zu bytes", bad[i].what,
                arena_used() - before);
    }
    for (half.len = 0; half.len < good.len - 30; half.len += 19) {
        err = kinf_mbedtls_trust(&the_tls.credentials, half, false);
        REQUIRE(err == KINF_ERR_CREDENTIALS, "%zu bytes of it: %d", half.len,
                err);
    }
    REQUIRE(arena_used() == before, "leaves %zu bytes", arena_used() - before);
    round_trip(rig);
}

static void bad_identities_leave_the_old_one(struct rig *rig)
{
    struct kinf_mbedtls_credentials *c = &the_tls.credentials;
    struct kinf_span none = { "", 0 };
    size_t before;
    int err;

    REQUIRE(kinf_mbedtls_identity(c, pki_certificate("client-ec"),
                                  pki_key("client-ec")) == KINF_OK,
            "%s", c->reason);
    before = arena_used();
    for (int i = 0; i < 5; i++) {
        struct kinf_span cert = pki_certificate("client-ec");
        struct kinf_span key = i == 0   ? pki_key("client-rsa")
                               : i == 1 ? pki_key("ca-ec")
                               : i == 2 ? cert
                               : i == 3 ? none
                                        : pki("client-locked.key");

        err = kinf_mbedtls_identity(c, i == 4 ? none : cert, key);
        REQUIRE(err == KINF_ERR_CREDENTIALS && c->reason != NULL,
                "bad key %d: %d", i, err);
        REQUIRE(arena_used() == before, "bad key %d leaves bytes", i);
    }
    serve(rig, "server-ec any client=ca-ec");
    round_trip(rig);
    info_has(rig, "client-ec");
    REQUIRE(kinf_mbedtls_identity(c, none, none) == KINF_OK, "none");
    serve(rig, "server-ec any");
    round_trip(rig);
    info_has(rig, "nobody");
}

static void certificates_in_flash_are_not_copied(struct rig *rig)
{
    struct kinf_span der = pki("ca-rsa.der");
    size_t before, copied;

    start(0, NULL);
    before = arena_used();
    REQUIRE(kinf_mbedtls_trust(&the_tls.credentials, der, false) == KINF_OK,
            "%s", the_tls.credentials.reason);
    copied = arena_used() - before;
    REQUIRE(kinf_mbedtls_trust(&the_tls.credentials, der, true) == KINF_OK,
            "%s", the_tls.credentials.reason);
    REQUIRE(arena_used() - before + der.len <= copied + 8, "it was copied");
    serve(rig, "server-rsa any");
    round_trip(rig);
}

/* ---- memory ------------------------------------------------------------- */

static void an_exhausted_arena_is_told_as_such(struct rig *rig)
{
    static const char *const kinds[] = { "ec", "rsa" };
    bool opened = false;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        char cert[40], authority[40];

        snprintf(cert, sizeof(cert), "server-%s", kinds[k]);
        snprintf(authority, sizeof(authority), "ca-%s", kinds[k]);
        serve_version(rig, cert, "", versions[version_count - 1]);
        opened = false;
        REQUIRE(tls_start(kinf_mbedtls_least_arena() - 8, NULL) ==
                    KINF_ERR_NO_MEMORY, "less than the least was taken");
        for (size_t size = kinf_mbedtls_least_arena(); size < 60 * 1024 &&
                                                       !opened; size += 208) {
            int err = tls_start(size, authority);

            if (err == KINF_OK) {
                peer_tell(&rig->peer, "accept");
                err = rig_open(rig);
                opened = err == KINF_OK;
                if (err == KINF_ERR_NO_MEMORY)
                    REQUIRE(strstr(rig_reason(rig), "arena") != NULL,
                            "words: %s", rig_reason(rig));
                rig->ops->close(rig->ctx);
                (void)peer_answer(&rig->peer);
            }
            REQUIRE(opened || err == KINF_ERR_NO_MEMORY,
                    "%s, arena of %zu: %d, %s", cert, size, err,
                    rig_reason(rig));
        }
        REQUIRE(opened, "60 KB do not suffice");
    }
}

static void a_thousand_reconnects_leave_the_arena_as_it_was(struct rig *rig)
{
    struct kinf_mbedtls_arena before, after;

    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-rsa");
        serve_version(rig, "server-rsa", "", versions[v]);
        for (int i = 0; i < 2; i++)
            (void)round_trip(rig);
        rig->ops->forget(rig->ctx);
        (void)round_trip(rig);
        kinf_mbedtls_arena(&before);
        for (int i = 0; i < 500; i++) {
            if (i % 50 == 49)
                rig->ops->forget(rig->ctx);
            rig_connect(rig);
            rig->ops->close(rig->ctx);
        }
        kinf_mbedtls_arena(&after);
        REQUIRE(after.used == before.used, "used %zu, was %zu", after.used,
                before.used);
        REQUIRE(after.top <= before.top + 64, "top %zu, was %zu", after.top,
                before.top);
        REQUIRE(after.refused == 0, "refused %u", after.refused);
    }
}

/* Where holes lie depends on the sizes of the certificates, which are drawn
 * with each build: the top settles within a few connections. */
static void new_credentials_leave_the_arena_as_it_was(struct rig *rig)
{
    struct kinf_mbedtls_arena before, after;

    for (int i = 0; i < 160; i++) {
        trust_again("bundle");
        REQUIRE(kinf_mbedtls_identity(&the_tls.credentials,
                                      pki_certificate("client-rsa"),
                                      pki_key("client-rsa")) == KINF_OK,
                "%s", the_tls.credentials.reason);
        if (i % 10 == 1)
            round_trip(rig);
        if (i == 41)
            kinf_mbedtls_arena(&before);
    }
    kinf_mbedtls_arena(&after);
    /* A blinding number is drawn anew each time, and some are a limb shorter:
     * two numbers of two keys. One byte kept each time would be 118. */
    REQUIRE(after.used <= before.used + 32, "used %zu, was %zu", after.used,
            before.used);
    REQUIRE(after.top <= before.top + 512, "top %zu, was %zu", after.top,
            before.top);
}

static void what_is_freed_is_wiped(struct rig *rig)
{
    size_t left = 0;
    const uint8_t *bytes = tls_system.arena;

    REQUIRE(kinf_mbedtls_identity(&the_tls.credentials,
                                  pki_certificate("client-rsa"),
                                  pki_key("client-rsa")) == KINF_OK,
            "%s", the_tls.credentials.reason);
    round_trip(rig);
    kinf_mbedtls_credentials_free(&the_tls.credentials);
    REQUIRE(arena_used() == 0, "%zu bytes are held", arena_used());
    for (size_t i = 0; i < tls_system.arena_size; i++)
        left += bytes[i] != 0;
    REQUIRE(left <= 8, "%zu bytes are not wiped", left); /* the one head */
    rig->ctx = tls_make();
}

#define CHECK(name) { #name, name, 120 }
static const struct check checks[] = {
    CHECK(reconnects_are_resumed),
    CHECK(a_name_is_resumed_too),
    CHECK(forget_wipes_the_ticket),
    CHECK(a_ticket_is_for_what_was_verified),
    CHECK(a_ticket_ends_with_the_certificate),
    CHECK(a_ticket_for_another_port_is_not_offered),
    CHECK(without_place_for_a_ticket_all_works),
    CHECK(a_ticket_nobody_knows),
    CHECK(a_client_shows_its_certificate),
    CHECK(a_server_that_requires_one_says_so),
    CHECK(bad_anchors_leave_the_old_ones),
    CHECK(bad_identities_leave_the_old_one),
    CHECK(certificates_in_flash_are_not_copied),
    CHECK(an_exhausted_arena_is_told_as_such),
    CHECK(a_thousand_reconnects_leave_the_arena_as_it_was),
    CHECK(new_credentials_leave_the_arena_as_it_was),
    CHECK(what_is_freed_is_wiped),
};

int main(void)
{
    return tls_main(checks, COUNT(checks));
}
