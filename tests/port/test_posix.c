/* SPDX-License-Identifier: Apache-2.0 */
/* test_posix.c - port/posix through the conformance suite, and what it promises
 * beyond: addresses, lookups that are given up, dead peers, the wait. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "port/posix_port.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_host(struct rig *rig, const char *host)
{
    rig->host = (struct kinf_span){ host, strlen(host) };
}

static void also_listen(struct rig *rig, const char *address)
{
    REQUIRE(peer_do(&rig->peer, "listen %s %u", address, rig->number),
            "peer: %s", rig->peer.answer);
}

/* ---- addresses ---------------------------------------------------------- */

static void addresses_of_both_families(struct rig *rig)
{
    static const char *const hosts[] = { "::1", "v6.test", "0:0::1",
                                         "::ffff:127.0.0.1" };

    if (peer_listen(&rig->peer, "::1") == 0)
        skipped("no IPv6 on this machine");
    REQUIRE(peer_do(&rig->peer, "unlisten ::1"), "peer: %s", rig->peer.answer);
    also_listen(rig, "::1");
    for (size_t i = 0; i < COUNT(hosts); i++) {
        set_host(rig, hosts[i]);
        peer_tell(&rig->peer, "accept %s", i < 3 ? "::1" : "127.0.0.1");
        REQUIRE(rig_open(rig) == KINF_OK, "%s: %s", hosts[i], rig_reason(rig));
        REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
        rig->ops->close(rig->ctx);
    }
}

static void an_address_needs_no_lookup(struct rig *rig)
{
    int before = lookups;

    rig_connect(rig);
    REQUIRE(lookups == before, "it was looked up");
}

static void hosts_that_are_none(struct rig *rig)
{
    static char longest[300];
    const struct kinf_span bad[] = {
        { "", 0 }, { longest, 256 }, { longest, 299 }, { "a\0b", 3 },
    };

    memset(longest, 'a', sizeof(longest) - 1);
    for (size_t i = 0; i < COUNT(bad); i++) {
        rig->host = bad[i];
        REQUIRE(rig_open(rig) == KINF_ERR_NAME, "host %zu was taken", i);
        REQUIRE(rig_status(rig).reason != NULL, "no words");
        rig->ops->close(rig->ctx);
    }
}

/* A reset could overtake what was sent before it. */
static void a_close_with_unread_bytes_is_no_reset(struct rig *rig)
{
    uint64_t sent = 0;

    rig_connect(rig);
    rig_send(rig, &sent, 30, 30);
    REQUIRE(peer_do(&rig->peer, "send 5000"), "peer: %s", rig->peer.answer);
    rig->ops->close(rig->ctx);
    REQUIRE(peer_do(&rig->peer, "recv 30"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "end"), "peer: %s", rig->peer.answer);
    REQUIRE(strcmp(rig->peer.answer, "end") == 0, "the peer saw: %s",
            rig->peer.answer);
}

/* The first address accepts and then fails: the next open begins with the
 * second, and stays with it while it lasts. */
static void after_a_failure_another_address_is_first(struct rig *rig)
{
    uint64_t got = 0;

    also_listen(rig, "127.0.0.3");
    set_host(rig, "pair.test");
    peer_tell(&rig->peer, "accept 127.0.0.3");
    REQUIRE(rig_open(rig) == KINF_OK, "%s", rig_reason(rig));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "reset"), "peer: %s", rig->peer.answer);
    REQUIRE(rig_recv_end(rig, &got) < 0, "no error");
    rig->ops->close(rig->ctx);

    for (int i = 0; i < 3; i++) {
        rig_connect(rig); /* 127.0.0.1 */
        set_boot_clock((uint32_t)(i + 1) * 60000); /* it lasted */
        rig->ops->close(rig->ctx);
    }
    rig_connect(rig);
    rig->ops->close(rig->ctx); /* closed from above at once: a failure */
    peer_tell(&rig->peer, "accept 127.0.0.3");
    REQUIRE(rig_open(rig) == KINF_OK, "%s", rig_reason(rig));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
}

static void an_address_without_answer_leaves_time_for_the_next(struct rig *rig)
{
    struct kinf_transport_status status;
    uint64_t sent = 0;

    REQUIRE(peer_do(&rig->peer, "stall 127.0.0.3"), "peer: %s",
            rig->peer.answer);
    rig->number = (uint16_t)atoi(rig->peer.answer);
    also_listen(rig, "127.0.0.1");
    set_host(rig, "pair.test");
    set_boot_clock(1000);
    for (;;) {
        int err = rig->ops->open(rig->ctx, rig->host, rig->number);

        REQUIRE(err == KINF_ERR_AGAIN, "open gave %d", err);
        status = rig_status(rig);
        if (status.phase == KINF_PHASE_CONNECT)
            break;
        rig_wait(rig, 1000);
    }
    REQUIRE(status.wait_ms > 4000 && status.wait_ms <= KINF_POSIX_ADDRESS_MS,
            "it waits for %u ms", status.wait_ms);
    set_boot_clock(1000 + status.wait_ms + 10);
    rig_connect(rig);
    rig_send(rig, &sent, 10, 10);
    REQUIRE(peer_do(&rig->peer, "recv 10"), "peer: %s", rig->peer.answer);
}

static void words_name_address_and_cause(struct rig *rig)
{
    REQUIRE(peer_do(&rig->peer, "unlisten"), "peer: %s", rig->peer.answer);
    set_host(rig, "several.test");
    REQUIRE(rig_open(rig) == KINF_ERR_REFUSED, "not refused");
    REQUIRE(strstr(rig_reason(rig), "127.0.0.1 port") != NULL &&
                strstr(rig_reason(rig), "refused") != NULL &&
                strstr(rig_reason(rig), "3 of 3 addresses") != NULL,
            "words: %s", rig_reason(rig));
    rig->ops->close(rig->ctx);
    set_host(rig, "nobody.test");
    REQUIRE(rig_open(rig) == KINF_ERR_NAME, "resolved");
    REQUIRE(strstr(rig_reason(rig), "nobody.test: ") != NULL, "words: %s",
            rig_reason(rig));
}

/* ---- lookups ------------------------------------------------------------ */

static void a_lookup_that_is_given_up_leaves_nothing(struct rig *rig)
{
    long before = open_descriptors();

    set_host(rig, "slow.test");
    for (int i = 0; i < 5; i++) {
        REQUIRE(rig->ops->open(rig->ctx, rig->host, rig->number) ==
                    KINF_ERR_AGAIN, "not slow");
        rig->ops->close(rig->ctx);
    }
    rig->host = KINF_SPAN("127.0.0.1");
    rig_connect(rig); /* while they still run */
    rig->ops->close(rig->ctx);
    for (int i = 0; i < 300 && open_descriptors() != before; i++)
        usleep(10000);
    REQUIRE(open_descriptors() == before, "%ld descriptors, were %ld",
            open_descriptors(), before);
}

/* ---- a peer that is gone ------------------------------------------------ */

static int option(const struct kinf_posix_tcp *tcp, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    REQUIRE(getsockopt(kinf_posix_tcp_fd(tcp), level, name, &value, &size) ==
                0, "option %d", name);
    return value;
}

static void a_dead_peer_is_found_in_45_seconds(struct rig *rig)
{
    const struct kinf_posix_tcp *tcp = rig->ctx;
    int last;

    rig_connect(rig);
    REQUIRE(option(tcp, IPPROTO_TCP, TCP_NODELAY) != 0, "no TCP_NODELAY");
    REQUIRE(option(tcp, SOL_SOCKET, SO_KEEPALIVE) != 0, "no SO_KEEPALIVE");
    last = option(tcp, IPPROTO_TCP, TCP_KEEPIDLE) +
           option(tcp, IPPROTO_TCP, TCP_KEEPINTVL) *
               option(tcp, IPPROTO_TCP, TCP_KEEPCNT);
    REQUIRE(last == 45, "keepalive ends after %d s", last);
    REQUIRE(option(tcp, IPPROTO_TCP, TCP_USER_TIMEOUT) == 45000,
            "user timeout %d", option(tcp, IPPROTO_TCP, TCP_USER_TIMEOUT));
    rig->ops->close(rig->ctx);
    REQUIRE(kinf_posix_tcp_fd(tcp) == -1, "closed, and yet a descriptor");
}

/* ---- the wait ----------------------------------------------------------- */

static struct kinf k;
static struct kinf_posix posix;

static void wait_init(void)
{
    static const struct kinf_config config = {
        .platform = &kinf_posix_platform,
        .host = { "127.0.0.1", 9 },
        .port = 1,
    };

    kinf_init(&k, &config);
    REQUIRE(kinf_posix_init(&posix) == KINF_OK, "no pipe");
}

static int64_t waited(uint32_t timeout_ms, struct pollfd *extra, size_t count)
{
    int64_t before = real_ms();

    (void)kinf_posix_wait(&posix, &k, timeout_ms, extra, count);
    return real_ms() - before;
}

static void the_wait_ends_with_its_time(struct rig *rig)
{
    int64_t took;

    (void)rig;
    wait_init();
    took = waited(120, NULL, 0);
    REQUIRE(took >= 115 && took < 5000, "120 ms took %lld", (long long)took);
    REQUIRE(waited(0, NULL, 0) < 5000, "0 ms took long");
    kinf_posix_free(&posix);
}

static void *wake_later(void *arg)
{
    (void)arg;
    usleep(100000);
    kinf_posix_wake(&posix, &k);
    return NULL;
}

static void the_wait_ends_when_it_is_woken(struct rig *rig)
{
    pthread_t thread;

    (void)rig;
    wait_init();
    for (int i = 0; i < 3; i++) {
        REQUIRE(pthread_create(&thread, NULL, wake_later, NULL) == 0, "thread");
        REQUIRE(waited(UINT32_MAX, NULL, 0) < 10000, "not woken");
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < 100000; i++) /* more than the pipe holds */
        kinf_posix_wake(&posix, &k);
    REQUIRE(waited(UINT32_MAX, NULL, 0) < 10000, "not woken");
    for (int i = 0; i < 2000 && waited(0, NULL, 0) < 1000; i++)
        ;
    REQUIRE(waited(100, NULL, 0) >= 95, "old calls wake for ever");
    kinf_posix_free(&posix);
}

static void on_signal(int number)
{
    (void)number;
    kinf_posix_wake(&posix, &k);
}

static void a_signal_ends_the_wait(struct rig *rig)
{
    struct sigaction action = { .sa_handler = on_signal };

    (void)rig;
    wait_init();
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1); /* before the wait began: must not be lost */
    REQUIRE(waited(UINT32_MAX, NULL, 0) < 10000, "not woken");
    kinf_posix_free(&posix);
}

static void the_applications_own_descriptors_end_it(struct rig *rig)
{
    int ends[2];
    struct pollfd extra[2];

    (void)rig;
    wait_init();
    REQUIRE(pipe(ends) == 0, "pipe");
    extra[0] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
    extra[1] = (struct pollfd){ .fd = -1, .events = POLLIN };
    REQUIRE(waited(60, extra, 2) >= 55 && extra[0].revents == 0, "empty");
    REQUIRE(write(ends[1], "x", 1) == 1, "write");
    REQUIRE(kinf_posix_wait(&posix, &k, UINT32_MAX, extra, 2) == 1, "count");
    REQUIRE(extra[0].revents == POLLIN && extra[1].revents == 0, "revents");
    kinf_posix_free(&posix);
}

#define CHECK(name) { #name, name, 0 }
static const struct check checks[] = {
    CHECK(addresses_of_both_families),
    CHECK(an_address_needs_no_lookup),
    CHECK(hosts_that_are_none),
    CHECK(a_close_with_unread_bytes_is_no_reset),
    CHECK(after_a_failure_another_address_is_first),
    CHECK(an_address_without_answer_leaves_time_for_the_next),
    CHECK(words_name_address_and_cause),
    CHECK(a_lookup_that_is_given_up_leaves_nothing),
    CHECK(a_dead_peer_is_found_in_45_seconds),
    CHECK(the_wait_ends_with_its_time),
    CHECK(the_wait_ends_when_it_is_woken),
    CHECK(a_signal_ends_the_wait),
    CHECK(the_applications_own_descriptors_end_it),
};

int main(void)
{
    checks_run(&posix_port, conformance, conformance_count);
    checks_run(&posix_port, checks, COUNT(checks));
    return checks_end();
}
