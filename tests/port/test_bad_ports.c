/* SPDX-License-Identifier: Apache-2.0 */
/* test_bad_ports.c - ports that break one sentence of the contract each. The
 * suite must find every one of them, by the check that is named. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/posix_port.h"

#define GOOD (&kinf_posix_tcp_ops)

static struct kinf_posix_tcp tcp;
static struct kinf_transport_ops ops; /* of the bad port */
static struct kinf_platform platform;

static void *make(void)
{
    kinf_posix_tcp_init(&tcp);
    return &tcp;
}

/* ---- bytes -------------------------------------------------------------- */

static int recv_zero_for_again(void *ctx, void *data, size_t size)
{
    int n = GOOD->recv(ctx, data, size);

    return n == KINF_ERR_AGAIN ? 0 : n;
}

static int recv_zero_at_end(void *ctx, void *data, size_t size)
{
    int n = GOOD->recv(ctx, data, size);

    return n == KINF_ERR_CLOSED ? 0 : n;
}

static int recv_closed_for_again(void *ctx, void *data, size_t size)
{
    int n = GOOD->recv(ctx, data, size);

    return n == KINF_ERR_AGAIN ? KINF_ERR_CLOSED : n;
}

static int recv_again_at_end(void *ctx, void *data, size_t size)
{
    int n = GOOD->recv(ctx, data, size);

    return n < 0 ? KINF_ERR_AGAIN : n;
}

static int recv_that_waits(void *ctx, void *data, size_t size)
{
    struct kinf_transport_status status = { .wants = KINF_WANTS_READ };
    int n = GOOD->recv(ctx, data, size);

    if (n != KINF_ERR_AGAIN)
        return n;
    posix_wait(ctx, &status, 200);
    return GOOD->recv(ctx, data, size);
}

static int recv_too_much(void *ctx, void *data, size_t size)
{
    uint8_t more[8300];
    int n = GOOD->recv(ctx, more, size + 1);

    if (n > 0)
        memcpy(data, more, (size_t)n);
    return n;
}

static int recv_that_loses(void *ctx, void *data, size_t size)
{
    uint8_t byte;
    int n = GOOD->recv(ctx, data, size);

    if (n == (int)size && size > 4000) /* "it did not fit" */
        (void)GOOD->recv(ctx, &byte, 1);
    return n;
}

static int send_claims_all(void *ctx, const void *data, size_t size)
{
    int n = GOOD->send(ctx, data, size);

    return n > 0 || n == KINF_ERR_AGAIN ? (int)size : n;
}

static int send_zero_when_full(void *ctx, const void *data, size_t size)
{
    int n = GOOD->send(ctx, data, size);

    return n == KINF_ERR_AGAIN ? 0 : n;
}

static int send_that_hides_the_end(void *ctx, const void *data, size_t size)
{
    int n = GOOD->send(ctx, data, size);

    return n < 0 ? KINF_ERR_AGAIN : n;
}

/* ---- open, close, status ------------------------------------------------ */

static bool opened_before;

static int open_only_once(void *ctx, struct kinf_span host, uint16_t port)
{
    int err;

    if (opened_before)
        return KINF_ERR_REFUSED;
    err = GOOD->open(ctx, host, port);
    opened_before = err == KINF_OK;
    return err;
}

static int open_fails_for_ever(void *ctx, struct kinf_span host, uint16_t port)
{
    static int failed;

    if (failed == 0) {
        int err = GOOD->open(ctx, host, port);

        failed = err != KINF_ERR_AGAIN && err < 0 ? err : 0;
        return err;
    }
    return failed;
}

static int open_that_waits(void *ctx, struct kinf_span host, uint16_t port)
{
    struct kinf_transport_status status = { .wants = KINF_WANTS_WRITE };
    int err = GOOD->open(ctx, host, port);

    if (err == KINF_ERR_AGAIN && tcp.fd < 0)
        return err;
    while (err == KINF_ERR_AGAIN) {
        posix_wait(ctx, &status, -1);
        err = GOOD->open(ctx, host, port);
    }
    return err;
}

static int open_first_address(void *ctx, struct kinf_span host, uint16_t port)
{
    if (host.len == strlen("several.test"))
        host = KINF_SPAN("127.0.0.3");
    return GOOD->open(ctx, host, port);
}

static int open_calls_all_refused(void *ctx, struct kinf_span host,
                                  uint16_t port)
{
    int err = GOOD->open(ctx, host, port);

    return err == KINF_ERR_NAME ? KINF_ERR_REFUSED : err;
}

static int recv_that_holds_back(void *ctx, void *data, size_t size)
{
    static char held[64];
    static size_t at, len;

    if (at == len) {
        int got = GOOD->recv(ctx, held, sizeof(held));

        if (got <= 0)
            return got;
        at = 0;
        len = (size_t)got;
    }
    if (size > len - at)
        size = len - at;
    memcpy(data, held + at, size);
    at += size;
    return (int)size;
}

static void close_that_leaks(void *ctx)
{
    tcp.fd = -1; /* forgotten, not closed */
    GOOD->close(ctx);
}

static void close_that_does_nothing(void *ctx)
{
    (void)ctx;
}

static void status_wants_nothing(void *ctx, struct kinf_transport_status *out)
{
    GOOD->status(ctx, out);
    out->wants = 0;
}

static void status_wants_a_call(void *ctx, struct kinf_transport_status *out)
{
    GOOD->status(ctx, out);
    if (out->wants != 0)
        out->wants = KINF_WANTS_CALL;
}

static void status_wants_the_other(void *ctx,
                                   struct kinf_transport_status *out)
{
    GOOD->status(ctx, out);
    if (out->phase == KINF_PHASE_OPEN && out->wants == KINF_WANTS_READ)
        out->wants = KINF_WANTS_WRITE;
}

static void status_is_never_level(void *ctx, struct kinf_transport_status *out)
{
    GOOD->status(ctx, out);
    out->level = false;
}

static void status_open_at_once(void *ctx, struct kinf_transport_status *out)
{
    GOOD->status(ctx, out);
    if (out->phase != KINF_PHASE_CLOSED)
        out->phase = KINF_PHASE_OPEN;
}

static void status_without_words(void *ctx, struct kinf_transport_status *out)
{
    GOOD->status(ctx, out);
    out->reason = NULL;
}

/* ---- platform ----------------------------------------------------------- */

static uint32_t clock_of_seconds(void *ctx)
{
    return kinf_posix_platform.now_ms(ctx) / 1000;
}

static uint32_t clock_that_stands(void *ctx)
{
    (void)ctx;
    return 12345;
}

static uint32_t clock_that_ends(void *ctx)
{
    static uint32_t last;
    uint32_t now_ms = kinf_posix_platform.now_ms(ctx);

    last = now_ms < last ? UINT32_MAX : now_ms;
    return last;
}

static int64_t wall_of_1970(void *ctx)
{
    (void)ctx;
    return 3600;
}

static int64_t wall_in_ms(void *ctx)
{
    return kinf_posix_platform.wall_s(ctx) * 1000;
}

static void random_that_repeats(void *ctx, void *out, size_t size)
{
    uint32_t state = 1;
    uint8_t *bytes = out;

    (void)ctx;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

static void random_in_words(void *ctx, void *out, size_t size)
{
    kinf_posix_platform.random(ctx, out, size & ~(size_t)3);
}

/* ---- all of them -------------------------------------------------------- */

static const struct bad {
    const char *name;
    const char *found_by;
    struct kinf_transport_ops ops; /* what differs */
    struct kinf_platform platform;
} bad[] = {
    { "recv gives 0 for not yet", "nothing_to_read_is_again_at_once",
      .ops.recv = recv_zero_for_again },
    { "recv gives 0 at the end", "the_peers_end_comes_after_its_last_byte",
      .ops.recv = recv_zero_at_end },
    { "recv gives CLOSED for not yet", "nothing_to_read_is_again_at_once",
      .ops.recv = recv_closed_for_again },
    { "recv gives AGAIN at the end", "the_peers_end_comes_after_its_last_byte",
      .ops.recv = recv_again_at_end },
    { "recv gives AGAIN after a reset", "a_reset_is_an_error_with_words",
      .ops.recv = recv_again_at_end },
    { "recv waits", "nothing_to_read_is_again_at_once",
      .ops.recv = recv_that_waits },
    { "recv writes too much", "one_byte_at_a_time", .ops.recv = recv_too_much },
    { "recv loses a byte", "a_megabyte_comes_whole",
      .ops.recv = recv_that_loses },
    { "send claims all", "a_megabyte_goes_whole_past_a_slow_reader",
      .ops.send = send_claims_all },
    { "send gives 0 when full", "a_megabyte_goes_whole_past_a_slow_reader",
      .ops.send = send_zero_when_full },
    { "send hides the end", "sending_to_one_who_left_is_an_error",
      .ops.send = send_that_hides_the_end },
    { "open waits", "a_connect_without_answer_does_not_block",
      .ops.open = open_that_waits },
    { "open works once", "opens_and_closes_many_times_without_loss",
      .ops.open = open_only_once },
    { "open fails after a failure", "opens_again_after_a_failure",
      .ops.open = open_fails_for_ever },
    { "open tries one address", "all_addresses_are_tried_in_turn",
      .ops.open = open_first_address },
    { "open takes a bad name for a refusal",
      "a_name_that_does_not_resolve_is_told",
      .ops.open = open_calls_all_refused },
    { "close leaks", "opens_and_closes_many_times_without_loss",
      .ops.close = close_that_leaks },
    { "close leaks in the middle", "close_is_legal_at_any_time",
      .ops.close = close_that_leaks },
    { "close does nothing", "close_is_legal_at_any_time",
      .ops.close = close_that_does_nothing },
    { "the peer never sees a close", "the_peer_sees_our_close",
      .ops.close = close_that_does_nothing },
    { "status wants nothing", "nothing_to_read_is_again_at_once",
      .ops.status = status_wants_nothing },
    { "status wants a call for ever", "what_it_waits_for_wakes_a_sleeper",
      .ops.status = status_wants_a_call },
    { "recv holds bytes back", "what_is_level_hides_nothing",
      .ops.recv = recv_that_holds_back },
    { "status is never level", "what_is_level_hides_nothing",
      .ops.status = status_is_never_level },
    { "status wants the other thing", "what_it_waits_for_wakes_a_sleeper",
      .ops.status = status_wants_the_other },
    { "status says open at once", "a_connect_without_answer_does_not_block",
      .ops.status = status_open_at_once },
    { "no words for a refusal", "a_closed_port_is_refused_with_words",
      .ops.status = status_without_words },
    { "no words for a reset", "a_reset_is_an_error_with_words",
      .ops.status = status_without_words },
    { "the clock counts seconds", "clock_counts_milliseconds",
      .platform.now_ms = clock_of_seconds },
    { "the clock stands", "clock_counts_milliseconds",
      .platform.now_ms = clock_that_stands },
    { "the clock does not wrap", "it_works_over_the_clocks_wrap",
      .platform.now_ms = clock_that_ends },
    { "wall time begins in 1970", "wall_time_is_a_time_or_unknown",
      .platform.wall_s = wall_of_1970 },
    { "wall time in milliseconds", "wall_time_is_a_time_or_unknown",
      .platform.wall_s = wall_in_ms },
    { "random starts anew", "random_is_not_constant",
      .platform.random = random_that_repeats },
    { "random fills whole words only", "random_fills_exactly_what_is_asked",
      .platform.random = random_in_words },
};

static const struct check *check_of(const char *name)
{
    for (size_t i = 0; i < conformance_count; i++)
        if (strcmp(conformance[i].name, name) == 0)
            return &conformance[i];
    fprintf(stderr, "no check is named %s\n", name);
    abort();
}

static struct port port_of(const struct bad *b)
{
    struct port port = posix_port;

    ops = *GOOD;
    platform = kinf_posix_platform;
#define TAKE(from, member)                                                     \
    if (b->from.member != NULL)                                                \
        from.member = b->from.member
    TAKE(ops, open);
    TAKE(ops, send);
    TAKE(ops, recv);
    TAKE(ops, close);
    TAKE(ops, status);
    TAKE(platform, now_ms);
    TAKE(platform, wall_s);
    TAKE(platform, random);
#undef TAKE
    port.ops = &ops;
    port.platform = &platform;
    port.make = make;
    return port;
}

int main(void)
{
    size_t failed = 0, count = sizeof(bad) / sizeof(bad[0]);
    char text[512];

    for (size_t i = 0; i < count; i++) {
        struct port port = port_of(&bad[i]);
        enum outcome outcome = conformance_run(
            &port, check_of(bad[i].found_by), text, sizeof(text));

        failed += outcome != BROKEN;
        printf("%sok %zu - found: %s\n", outcome == BROKEN ? "" : "not ",
               i + 1, bad[i].name);
        printf("# %s: %s\n", bad[i].found_by, text);
        fflush(stdout);
    }
    printf("1..%zu\n", count);
    return failed == 0 ? 0 : 1;
}
