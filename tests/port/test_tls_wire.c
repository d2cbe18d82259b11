/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_wire.c - what the network may do to a TLS connection. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/tls_rig.h"

/* ---- what the network does ---------------------------------------------- */

/* Cuts the connection at the first call of send or recv, then at the second,
 * ... until the handshake gets through. */
static void a_cut_at_any_point_is_an_error(struct rig *rig)
{
    size_t before = arena_used();

    for (size_t v = 0; v < version_count; v++) {
        int err = KINF_ERR_CLOSED;
        unsigned cut;

        serve_version(rig, "server-ec", "", versions[v]);
        for (cut = 1; cut < 200 && err != KINF_OK; cut++) {
            rig->ops->forget(rig->ctx);
            memset(&faults, 0, sizeof(faults));
            faults.cut_at = cut;
            faults.recv_piece = 300;
            peer_tell(&rig->peer, "accept");
            err = rig_open(rig);
            REQUIRE(err == KINF_OK || err == KINF_ERR_CLOSED,
                    "cut at %u: %d, %s", cut, err, rig_reason(rig));
            REQUIRE(err == KINF_OK || rig_status(rig).reason != NULL,
                    "no words");
            rig->ops->close(rig->ctx);
            (void)peer_answer(&rig->peer);
            REQUIRE(arena_used() == before, "cut at %u leaves %zu bytes", cut,
                    arena_used() - before);
        }
        REQUIRE(cut > 8 && err == KINF_OK, "it never got through");
    }
}

static void a_changed_byte_never_gets_through(struct rig *rig)
{
    size_t before = arena_used();

    for (size_t v = 0; v < version_count; v++) {
        serve_version(rig, "server-ec", "noticket", versions[v]);
        for (uint64_t at = 1; at < 5000; at += 23) {
            int err;
            bool stuck = false; /* a changed length: bytes that never come */

            memset(&faults, 0, sizeof(faults));
            faults.flip_at = at;
            peer_tell(&rig->peer, "accept 127.0.0.1 2");
            while ((err = rig->ops->open(rig->ctx, rig->host, rig->number)) ==
                       KINF_ERR_AGAIN && !stuck) {
                struct kinf_transport_status status = rig_status(rig);
                int64_t began = real_ms();

                if ((status.wants & KINF_WANTS_CALL) != 0)
                    continue;
                tls_wait(rig->ctx, &status, 100);
                stuck = faults.received >= at && real_ms() - began >= 95;
            }
            REQUIRE(err != KINF_OK || faults.received < at,
                    "byte %llu was changed and nobody saw it",
                    (unsigned long long)at);
            rig->ops->close(rig->ctx);
            (void)peer_answer(&rig->peer);
            REQUIRE(arena_used() == before, "byte %llu leaves bytes",
                    (unsigned long long)at);
            if (err == KINF_OK)
                break;
        }
    }
}

static void a_changed_record_is_an_error(struct rig *rig)
{
    uint64_t got = 0;
    int err;

    rig_connect(rig);
    faults.flip_at = faults.received + 200;
    REQUIRE(peer_do(&rig->peer, "send 1000"), "peer: %s", rig->peer.answer);
    err = rig_recv_end(rig, &got);
    REQUIRE(err == KINF_ERR_TLS, "recv gave %d, %s", err, rig_reason(rig));
    REQUIRE(got == 0, "%llu bytes of it were given out",
            (unsigned long long)got);
}

/* Debian's 3.6.6 cannot at the first try (see note_pss in tls.c). */
static void a_server_that_wants_pss_under_tls_1_2(struct rig *rig)
{
    int err;

    start(0, "ca-rsa");
    serve(rig, "server-rsa 1.2 ownorder");
    peer_tell(&rig->peer, "accept");
    err = rig_open(rig);
    REQUIRE(err == KINF_OK || err == KINF_ERR_TLS, "open: %d, %s", err,
            rig_reason(rig));
    rig->ops->close(rig->ctx);
    (void)peer_answer(&rig->peer);
    (void)round_trip(rig);
    REQUIRE(round_trip(rig), "not resumed");
}

static void a_reset_in_the_handshake_is_an_error(struct rig *rig)
{
    for (int bytes = 50; bytes < 300; bytes += 100) {
        size_t before = arena_used();
        int err;

        peer_tell(&rig->peer, "accept_raw");
        peer_tell(&rig->peer, "recv_raw %d", bytes);
        peer_tell(&rig->peer, "reset");
        err = rig_open(rig);
        REQUIRE(err == KINF_ERR_CLOSED, "open: %d, %s", err, rig_reason(rig));
        REQUIRE(strstr(rig_reason(rig), "handshake") != NULL, "words: %s",
                rig_reason(rig));
        rig->ops->close(rig->ctx);
        for (int i = 0; i < 3; i++)
            (void)peer_answer(&rig->peer);
        REQUIRE(arena_used() == before, "leaves bytes");
    }
    round_trip(rig);
}

static void a_server_that_speaks_http_is_no_tls_server(struct rig *rig)
{
    int err;

    peer_tell(&rig->peer, "accept_raw");
    peer_tell(&rig->peer, "send 300");
    err = rig_open(rig);
    REQUIRE(err == KINF_ERR_TLS, "open: %d, %s", err, rig_reason(rig));
    REQUIRE(rig_status(rig).reason != NULL, "no words");
    (void)peer_answer(&rig->peer);
    (void)peer_answer(&rig->peer);
}

/* Full records are 16 KB; they come whole through buffers of any size. */
static void records_of_16_kb(struct rig *rig)
{
    for (size_t v = 0; v < version_count; v++) {
        start(0, "ca-ec");
        for (size_t piece = 100; piece < 8192; piece *= 3) {
            uint64_t got = 0;

            serve_version(rig, "server-ec", "", versions[v]);
            rig_connect(rig);
            peer_tell(&rig->peer, "send 200000");
            rig_recv(rig, &got, 200000, piece);
            REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
            rig->ops->close(rig->ctx);
        }
    }
}

#define CHECK(name) { #name, name, 120 }
static const struct check checks[] = {
    CHECK(a_cut_at_any_point_is_an_error),
    CHECK(a_changed_byte_never_gets_through),
    CHECK(a_changed_record_is_an_error),
    CHECK(a_server_that_wants_pss_under_tls_1_2),
    CHECK(a_reset_in_the_handshake_is_an_error),
    CHECK(a_server_that_speaks_http_is_no_tls_server),
    CHECK(records_of_16_kb),
};

int main(void)
{
    return tls_main(checks, COUNT(checks));
}
