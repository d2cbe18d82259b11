/* SPDX-License-Identifier: Apache-2.0 */
/* test_lwip.c - port/lwip with NO_SYS through the conformance suite, in the
 * world of lwip/world.h: once over a good line, once over one that loses
 * packets; and what is particular to this port's connections. */
#include <string.h>

#include "port/lwip/world.h"

static struct kinf_lwip_tcp second;

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

#define CHECK(name) { #name, name, 0 }
static const struct check checks[] = {
    CHECK(a_full_window_does_not_stop_what_is_sent),
    CHECK(small_segments_do_not_fill_the_pool),
    CHECK(small_segments_are_packed_while_they_are_read),
    CHECK(memory_that_others_hold_is_asked_for_again),
    CHECK(a_closing_connection_leaves_its_place),
    CHECK(a_silent_peer_is_dead_after_45_seconds),
    CHECK(sequence_numbers_cannot_be_guessed),
    CHECK(a_stuck_connection_leaves_the_other_alone),
};

int main(void)
{
    const struct port good = world_port(false), lossy = world_port(true);

    checks_run(&good, conformance, conformance_count);
    checks_run(&lossy, conformance, conformance_count);
    checks_run(&good, checks, COUNT(checks));
    return checks_end();
}
