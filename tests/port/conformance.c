/* SPDX-License-Identifier: Apache-2.0 */
/* conformance.c - the contract of a port, a sentence a check. */
#include <stdlib.h>
#include <string.h>

#include "port/conformance.h"

#define BIG (1024 * 1024)

/* ---- platform ----------------------------------------------------------- */

static const struct kinf_platform *platform_of(struct rig *rig)
{
    if (rig->port->platform == NULL)
        skipped("the port supplies no platform");
    return rig->port->platform;
}

static void clock_counts_milliseconds(struct rig *rig)
{
    const struct kinf_platform *p = platform_of(rig);
    uint32_t before = p->now_ms(p->ctx), last = before;
    int64_t real = rig_ms(rig);
    uint32_t passed;

    for (int i = 0; i < 1000; i++) {
        uint32_t now = p->now_ms(p->ctx);

        REQUIRE((int32_t)(now - last) >= 0, "the clock went back");
        last = now;
    }
    rig_pass(rig, 200);
    passed = p->now_ms(p->ctx) - before;
    real = rig_ms(rig) - real;
    REQUIRE(passed + 20 >= 200 && passed <= real + 20,
            "in %lld ms the clock went on by %u", (long long)real, passed);
}

static void wall_time_is_a_time_or_unknown(struct rig *rig)
{
    const struct kinf_platform *p = platform_of(rig);
    int64_t wall = p->wall_s(p->ctx);

    REQUIRE(wall == KINF_WALL_UNKNOWN || wall > INT64_C(1700000000),
            "wall time %lld is long past", (long long)wall);
    REQUIRE(wall == KINF_WALL_UNKNOWN || wall < INT64_C(32503680000),
            "wall time %lld is not in seconds", (long long)wall);
}

static void random_is_not_constant(struct rig *rig)
{
    const struct kinf_platform *p = platform_of(rig);
    uint8_t a[32], b[32], many[4096];
    bool seen[256] = { false };
    int values = 0;

    p->random(p->ctx, a, sizeof(a));
    p->random(p->ctx, b, sizeof(b));
    REQUIRE(memcmp(a, b, sizeof(a)) != 0, "two draws are equal");
    p->random(p->ctx, many, sizeof(many));
    for (size_t i = 0; i < sizeof(many); i++)
        if (!seen[many[i]]) {
            seen[many[i]] = true;
            values++;
        }
    REQUIRE(values > 240, "4,096 bytes have only %d values", values);
    REQUIRE(memcmp(many, many + 256, 256) != 0, "it repeats after 256 bytes");
}

static void random_fills_exactly_what_is_asked(struct rig *rig)
{
    const struct kinf_platform *p = platform_of(rig);
    uint8_t buffer[600];

    for (size_t size = 1; size < 500; size += 7) {
        size_t changed = 0;

        for (int tries = 0; tries < 8 && changed == 0; tries++) {
            memset(buffer, 0x5A, sizeof(buffer));
            p->random(p->ctx, buffer + 8, size);
            changed = buffer[8 + size - 1] != 0x5A;
        }
        REQUIRE(changed, "the last of %zu bytes is never filled", size);
        for (size_t i = 0; i < 8; i++)
            REQUIRE(buffer[i] == 0x5A && buffer[8 + size + i] == 0x5A,
                    "it wrote outside of %zu bytes", size);
    }
}

/* ---- open --------------------------------------------------------------- */

static void open_shows_its_phases(struct rig *rig)
{
    enum kinf_phase last = KINF_PHASE_CLOSED;
    int err;

    REQUIRE(rig_status(rig).phase == KINF_PHASE_CLOSED,
            "not CLOSED before the first open");
    peer_tell(&rig->peer, "accept");
    while ((err = rig->ops->open(rig->ctx, rig->host, rig->number)) ==
           KINF_ERR_AGAIN) {
        enum kinf_phase phase = rig_status(rig).phase;

        REQUIRE(phase != KINF_PHASE_CLOSED && phase != KINF_PHASE_OPEN,
                "phase %d while it opens", (int)phase);
        REQUIRE(phase >= last, "phase %d after %d", (int)phase, (int)last);
        last = phase;
        rig_wait(rig, 10000);
    }
    REQUIRE(err == KINF_OK, "open: %d, %s", err, rig_reason(rig));
    REQUIRE(rig_status(rig).phase == KINF_PHASE_OPEN, "not OPEN when it is");
    REQUIRE(rig_status(rig).reason == NULL, "open, and yet a reason: %s",
            rig_reason(rig));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
    rig->ops->close(rig->ctx);
    REQUIRE(rig_status(rig).phase == KINF_PHASE_CLOSED, "not CLOSED at last");
}

/* Goes on with an open that cannot come to its end. Each call is short, and the
 * phase is the one expected, whose deadline is the caller's. */
static void expect_stalled(struct rig *rig, enum kinf_phase phase)
{
    int64_t until = rig_ms(rig) + 300, shortest = 1000000;

    while (rig_ms(rig) < until) {
        int64_t before = real_ms(), took;
        int err = rig->ops->open(rig->ctx, rig->host, rig->number);

        took = real_ms() - before;
        shortest = took < shortest ? took : shortest;
        REQUIRE(err == KINF_ERR_AGAIN, "open gave %d, %s", err,
                rig_reason(rig));
        rig_wait(rig, 20);
    }
    REQUIRE(shortest < 100, "the quickest call took %lld ms",
            (long long)shortest);
    REQUIRE(rig_status(rig).phase == phase, "in phase %d, not %d",
            (int)rig_status(rig).phase, (int)phase);
    REQUIRE((rig_status(rig).wants & KINF_WANTS_CALL) == 0,
            "it wants to be called for ever");
    REQUIRE(rig_status(rig).reason != NULL,
            "no words for what it is at, should a deadline end it");
    rig->ops->close(rig->ctx);
}

static void a_slow_lookup_does_not_block(struct rig *rig)
{
    if (rig->port->slow == NULL)
        skipped("no names here");
    rig->host = (struct kinf_span){ rig->port->slow, strlen(rig->port->slow) };
    expect_stalled(rig, KINF_PHASE_RESOLVE);
    rig_home(rig);
    rig_connect(rig);
}

static void a_connect_without_answer_does_not_block(struct rig *rig)
{
    REQUIRE(peer_do(&rig->peer, "stall"), "peer: %s", rig->peer.answer);
    rig->number = (uint16_t)atoi(rig->peer.answer);
    expect_stalled(rig, KINF_PHASE_CONNECT);
}

static void a_handshake_without_answer_does_not_block(struct rig *rig)
{
    if (rig->port->peer_tls == NULL)
        skipped("no handshake here");
    expect_stalled(rig, KINF_PHASE_HANDSHAKE);
}

static void a_closed_port_is_refused_with_words(struct rig *rig)
{
    int err;

    REQUIRE(peer_do(&rig->peer, "unlisten"), "peer: %s", rig->peer.answer);
    for (int i = 0; i < 3; i++) {
        err = rig_open(rig);
        REQUIRE(err == KINF_ERR_REFUSED, "open gave %d, not REFUSED", err);
        REQUIRE(rig_status(rig).reason != NULL, "no reason in words");
        rig->ops->close(rig->ctx);
        REQUIRE(rig_status(rig).reason != NULL,
                "the reason is gone before the next open");
    }
}

static void opens_again_after_a_failure(struct rig *rig)
{
    uint64_t at = 0;

    REQUIRE(peer_do(&rig->peer, "unlisten"), "peer: %s", rig->peer.answer);
    REQUIRE(rig_open(rig) == KINF_ERR_REFUSED, "not refused");
    rig->ops->close(rig->ctx);
    REQUIRE(peer_do(&rig->peer, "listen 127.0.0.1 %u", rig->number), "peer: %s",
            rig->peer.answer);
    rig_connect(rig);
    rig_send(rig, &at, 100, 100);
    REQUIRE(peer_do(&rig->peer, "recv 100"), "peer: %s", rig->peer.answer);
    REQUIRE(rig_status(rig).reason == NULL, "the old reason is still there");
}

static void opens_and_closes_many_times_without_loss(struct rig *rig)
{
    long before = 0;

    for (int i = 0; i < 12; i++) {
        uint64_t sent = 0, got = 0;

        rig_connect(rig);
        rig_send(rig, &sent, 50, 50);
        REQUIRE(peer_do(&rig->peer, "recv 50"), "peer: %s", rig->peer.answer);
        REQUIRE(peer_do(&rig->peer, "send 50"), "peer: %s", rig->peer.answer);
        rig_recv(rig, &got, 50, 50);
        rig->ops->close(rig->ctx);
        if (rig->port->resources == NULL)
            continue;
        if (i == 1)
            before = rig->port->resources();
        REQUIRE(i < 1 || rig->port->resources() == before,
                "after %d rounds it holds %ld, not %ld", i + 1,
                rig->port->resources(), before);
    }
}

static void close_is_legal_at_any_time(struct rig *rig)
{
    long before = 0;

    rig->ops->close(rig->ctx); /* never opened */
    rig->ops->close(rig->ctx);
    REQUIRE(rig_status(rig).phase == KINF_PHASE_CLOSED, "not CLOSED");
    rig_connect(rig);
    rig->ops->close(rig->ctx);
    if (rig->port->resources != NULL)
        before = rig->port->resources();
    /* In each step of an open. */
    for (int steps = 1; steps < 200; steps++) {
        int err = KINF_ERR_AGAIN;

        peer_tell(&rig->peer, "accept 127.0.0.1 2");
        for (int i = 0; i < steps && err == KINF_ERR_AGAIN; i++) {
            if (i > 0)
                rig_wait(rig, 10000);
            err = rig->ops->open(rig->ctx, rig->host, rig->number);
        }
        rig->ops->close(rig->ctx);
        rig->ops->close(rig->ctx);
        REQUIRE(rig_status(rig).phase == KINF_PHASE_CLOSED,
                "not CLOSED after %d steps", steps);
        (void)peer_answer(&rig->peer); /* saw nobody, or one who left */
        rig->ops->close(rig->ctx);
        REQUIRE(rig->port->resources == NULL ||
                    rig->port->resources() == before,
                "closed after %d steps it holds %ld, not %ld", steps,
                rig->port->resources(), before);
        if (err != KINF_ERR_AGAIN)
            break;
    }
    rig_connect(rig);
}

static void a_name_that_does_not_resolve_is_told(struct rig *rig)
{
    int err;

    if (rig->port->nobody == NULL)
        skipped("no names here");
    rig->host = (struct kinf_span){ rig->port->nobody,
                                    strlen(rig->port->nobody) };
    for (int i = 0; i < 2; i++) {
        err = rig_open(rig);
        REQUIRE(err == KINF_ERR_NAME, "open gave %d, not NAME", err);
        REQUIRE(rig_status(rig).reason != NULL, "no reason in words");
        rig->ops->close(rig->ctx);
    }
    rig_home(rig);
    rig_connect(rig);
}

static void all_addresses_are_tried_in_turn(struct rig *rig)
{
    if (rig->port->several == NULL)
        skipped("no names here");
    rig->host = (struct kinf_span){ rig->port->several,
                                    strlen(rig->port->several) };
    for (int i = 0; i < 3; i++) {
        rig_connect(rig);
        rig->ops->close(rig->ctx);
    }
}

/* ---- bytes -------------------------------------------------------------- */

static void bytes_go_both_ways(struct rig *rig)
{
    uint64_t sent = 0, got = 0;

    rig_connect(rig);
    for (int i = 0; i < 20; i++) {
        size_t size = (size_t)(1 + i * 37);

        rig_send(rig, &sent, size, size);
        REQUIRE(peer_do(&rig->peer, "recv %zu", size), "peer: %s",
                rig->peer.answer);
        REQUIRE(peer_do(&rig->peer, "send %zu", size), "peer: %s",
                rig->peer.answer);
        rig_recv(rig, &got, size, 8192);
    }
}

static void one_byte_at_a_time(struct rig *rig)
{
    uint64_t sent = 0, got = 0;

    rig_connect(rig);
    rig_send(rig, &sent, 500, 1);
    REQUIRE(peer_do(&rig->peer, "recv 500"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "send 3000 1000"), "peer: %s",
            rig->peer.answer);
    rig_recv(rig, &got, 3000, 1);
}

static void a_megabyte_comes_whole(struct rig *rig)
{
    uint64_t got = 0;

    rig_connect(rig);
    peer_tell(&rig->peer, "send %d", BIG);
    rig_recv(rig, &got, BIG, 8192);
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
}

/* The peer does not read at first, so that send must say AGAIN; what was
 * offered then is offered again, and nothing is lost or doubled. */
static void a_megabyte_goes_whole_past_a_slow_reader(struct rig *rig)
{
    uint64_t sent = 0;
    uint8_t bytes[4096];
    int n = 1;

    rig_connect(rig);
    while (n > 0 && sent < 64u * BIG) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = peer_byte(sent + i);
        n = rig->ops->send(rig->ctx, bytes, sizeof(bytes));
        REQUIRE(n <= (int)sizeof(bytes), "send took %d bytes", n);
        if (n > 0)
            sent += (unsigned)n;
    }
    REQUIRE(n == KINF_ERR_AGAIN, "send to a full connection gave %d", n);
    REQUIRE((rig_status(rig).wants & (KINF_WANTS_WRITE | KINF_WANTS_CALL)) != 0,
            "after AGAIN from send it does not want to write");
    for (int i = 0; i < 20; i++) {
        int again = rig->ops->send(rig->ctx, bytes, sizeof(bytes));

        if (again > 0) {
            sent += (unsigned)again;
            break;
        }
        REQUIRE(again == KINF_ERR_AGAIN, "send gave %d", again);
    }
    peer_tell(&rig->peer, "recv %llu", (unsigned long long)sent + BIG);
    rig_send(rig, &sent, BIG, sizeof(bytes));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
}

static void nothing_to_read_is_again_at_once(struct rig *rig)
{
    int64_t shortest = 1000000;
    uint8_t byte;

    rig_connect(rig);
    for (int i = 0; i < 10; i++) {
        int64_t before = real_ms(), took;
        int n = rig->ops->recv(rig->ctx, &byte, 1);

        took = real_ms() - before;
        shortest = took < shortest ? took : shortest;
        REQUIRE(n != 0, "recv returned 0");
        REQUIRE(n == KINF_ERR_AGAIN, "recv with nothing to read gave %d", n);
        REQUIRE((rig_status(rig).wants & (KINF_WANTS_READ | KINF_WANTS_CALL)) !=
                    0,
                "after AGAIN from recv it does not want to read");
    }
    REQUIRE(shortest < 100, "the quickest of ten calls took %lld ms",
            (long long)shortest);
}

/* What it says it waits for must wake a sleeper when it comes, and not before:
 * an idle connection costs no calls. */
static void what_it_waits_for_wakes_a_sleeper(struct rig *rig)
{
    uint64_t got = 0;
    uint8_t byte;
    int waits = 0;

    rig_connect(rig);
    while (rig->ops->recv(rig->ctx, &byte, 1) == KINF_ERR_AGAIN && waits < 10) {
        struct kinf_transport_status status = rig_status(rig);
        int64_t before = rig_ms(rig);

        waits++;
        if ((status.wants & KINF_WANTS_CALL) != 0)
            continue;
        rig->port->wait(rig->ctx, &status, 300);
        if (rig_ms(rig) - before >= 250)
            break; /* it slept */
    }
    REQUIRE(waits < 10, "a sleeper is woken again and again by nothing");
    for (int i = 0; i < 5; i++) {
        int64_t before = rig_ms(rig);

        REQUIRE(peer_do(&rig->peer, "send 10"), "peer: %s", rig->peer.answer);
        rig_recv(rig, &got, 10, 10);
        REQUIRE(rig_ms(rig) - before < 5000, "bytes came, nobody was woken");
    }
}

/* If a wait sees all there is, it ends at once while there is something; a port
 * that can say so does when all is read. */
static void what_is_level_hides_nothing(struct rig *rig)
{
    uint64_t got = 0;

    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "send 100"), "peer: %s", rig->peer.answer);
    while (got < 99) {
        struct kinf_transport_status status;
        int64_t before;

        rig_recv(rig, &got, 1, 1);
        status = rig_status(rig);
        before = rig_ms(rig);
        if (!status.level)
            continue;
        REQUIRE((status.wants & KINF_WANTS_READ) != 0, "level, and not READ");
        rig->port->wait(rig->ctx, &status, 5000);
        REQUIRE(rig_ms(rig) - before < 4000, "level, and bytes are held back");
    }
    rig_recv(rig, &got, 1, 1);
    REQUIRE(!rig->port->level || rig_status(rig).level,
            "all is read, and it is not level");
}

/* ---- the end ------------------------------------------------------------ */

static void the_peers_end_comes_after_its_last_byte(struct rig *rig)
{
    uint64_t got = 0;
    int err;

    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "send 100000"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "close"), "peer: %s", rig->peer.answer);
    err = rig_recv_end(rig, &got);
    REQUIRE(got == 100000, "only %llu bytes before the end",
            (unsigned long long)got);
    REQUIRE(err == KINF_ERR_CLOSED, "the end is %d, not CLOSED", err);
    REQUIRE(rig_status(rig).reason != NULL, "no reason in words");
}

static void half_a_connection_still_sends(struct rig *rig)
{
    uint64_t sent = 0, got = 0;
    int err;

    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "send 20"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "shut"), "peer: %s", rig->peer.answer);
    rig_recv(rig, &got, 20, 20);
    rig_pass(rig, 50);
    rig_send(rig, &sent, 5000, 1000);
    REQUIRE(peer_do(&rig->peer, "recv 5000"), "peer: %s", rig->peer.answer);
    err = rig_recv_end(rig, &got);
    REQUIRE(err == KINF_ERR_CLOSED, "the end is %d, not CLOSED", err);
}

static void a_reset_is_an_error_with_words(struct rig *rig)
{
    uint64_t got = 0, sent = 0;
    int err;

    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "reset"), "peer: %s", rig->peer.answer);
    err = rig_recv_end(rig, &got);
    REQUIRE(err < 0 && err != KINF_ERR_AGAIN, "recv gave %d", err);
    REQUIRE(rig_status(rig).reason != NULL, "no reason in words");
    rig->ops->close(rig->ctx);
    rig_connect(rig);
    rig_send(rig, &sent, 10, 10);
    REQUIRE(peer_do(&rig->peer, "recv 10"), "peer: %s", rig->peer.answer);
}

/* A program must not die of SIGPIPE either. */
static void sending_to_one_who_left_is_an_error(struct rig *rig)
{
    uint8_t bytes[1000] = { 0 };
    int n = KINF_ERR_AGAIN;

    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "reset"), "peer: %s", rig->peer.answer);
    for (int i = 0; i < 100 && (n > 0 || n == KINF_ERR_AGAIN); i++) {
        n = rig->ops->send(rig->ctx, bytes, sizeof(bytes));
        REQUIRE(n != 0, "send returned 0");
        rig_pass(rig, 5);
    }
    REQUIRE(n < 0 && n != KINF_ERR_AGAIN, "send still gives %d", n);
}

static void close_with_unread_bytes(struct rig *rig)
{
    uint64_t got = 0;

    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "send 50000"), "peer: %s", rig->peer.answer);
    rig_recv(rig, &got, 10, 10);
    rig->ops->close(rig->ctx);
    REQUIRE(peer_do(&rig->peer, "end"), "peer: %s", rig->peer.answer);
    got = 0;
    rig_connect(rig);
    REQUIRE(peer_do(&rig->peer, "send 20"), "peer: %s", rig->peer.answer);
    rig_recv(rig, &got, 20, 20);
}

static void the_peer_sees_our_close(struct rig *rig)
{
    uint64_t sent = 0;

    rig_connect(rig);
    rig_send(rig, &sent, 30, 30);
    rig->ops->close(rig->ctx);
    REQUIRE(peer_do(&rig->peer, "recv 30"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "end"), "peer: %s", rig->peer.answer);
    REQUIRE(strcmp(rig->peer.answer, "end") == 0, "the peer saw: %s",
            rig->peer.answer);
}

static void it_works_over_the_clocks_wrap(struct rig *rig)
{
    const struct kinf_platform *p = rig->port->platform;
    uint64_t sent = 0, got = 0;

    if (rig->port->set_clock == NULL)
        skipped("its clock cannot be set");
    for (uint32_t before = 0; before < 60; before += 20) {
        rig->port->set_clock(UINT32_MAX - before);
        rig_connect(rig);
        rig_send(rig, &sent, 1000, 100);
        REQUIRE(peer_do(&rig->peer, "recv 1000"), "peer: %s",
                rig->peer.answer);
        rig_pass(rig, 70);
        REQUIRE(peer_do(&rig->peer, "send 1000"), "peer: %s",
                rig->peer.answer);
        rig_recv(rig, &got, 1000, 100);
        REQUIRE(p == NULL || p->now_ms(p->ctx) < 100000,
                "the clock did not wrap but says %u", p->now_ms(p->ctx));
        rig->ops->close(rig->ctx);
        sent = got = 0;
    }
}

#define CHECK(name) { #name, name, 0 }
const struct check conformance[] = {
    CHECK(clock_counts_milliseconds),
    CHECK(wall_time_is_a_time_or_unknown),
    CHECK(random_is_not_constant),
    CHECK(random_fills_exactly_what_is_asked),
    CHECK(open_shows_its_phases),
    CHECK(a_slow_lookup_does_not_block),
    CHECK(a_connect_without_answer_does_not_block),
    CHECK(a_handshake_without_answer_does_not_block),
    CHECK(a_closed_port_is_refused_with_words),
    CHECK(opens_again_after_a_failure),
    CHECK(opens_and_closes_many_times_without_loss),
    CHECK(close_is_legal_at_any_time),
    CHECK(a_name_that_does_not_resolve_is_told),
    CHECK(all_addresses_are_tried_in_turn),
    CHECK(bytes_go_both_ways),
    CHECK(one_byte_at_a_time),
    CHECK(a_megabyte_comes_whole),
    CHECK(a_megabyte_goes_whole_past_a_slow_reader),
    CHECK(nothing_to_read_is_again_at_once),
    CHECK(what_it_waits_for_wakes_a_sleeper),
    CHECK(what_is_level_hides_nothing),
    CHECK(the_peers_end_comes_after_its_last_byte),
    CHECK(half_a_connection_still_sends),
    CHECK(a_reset_is_an_error_with_words),
    CHECK(sending_to_one_who_left_is_an_error),
    CHECK(close_with_unread_bytes),
    CHECK(the_peer_sees_our_close),
    CHECK(it_works_over_the_clocks_wrap),
};
const size_t conformance_count = sizeof(conformance) / sizeof(conformance[0]);
