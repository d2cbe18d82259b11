/* SPDX-License-Identifier: Apache-2.0 */
/* test_session.c - one connection: what is sent, its phases and deadlines, what
 * an answer means, and when a connection is opened anew. Seen by single GETs,
 * which end with what the session says. */
#include "fake_get.h"
#include "watch/session.h"

static struct fake_world w;
static struct fake_get get;

static const struct fake_answer well[] = {
    { NULL, 200, "{}", FAKE_WHOLE, NULL },
    { NULL, 200, "{}", FAKE_WHOLE, NULL },
    { NULL, 200, "{}", FAKE_WHOLE, NULL },
};

/* Prepares; a test sets what differs, and calls ask. */
static void prepare(void)
{
    fake_prepare(&w);
    w.idle = true;
    memset(&get, 0, sizeof(get));
    FAKE_PLAY(&w.server, well);
}

static void ask(uint32_t ms)
{
    if (w.k.config == NULL)
        fake_begin(&w);
    fake_get(&get, &w.session, "/a");
    fake_run(&w, ms);
}

static void expect_end(int err)
{
    assert_int_equal(1, get.ends);
    EXPECT_ERR(err, get.err);
    fake_end_world(&w);
}

/* ---- what is sent ------------------------------------------------------- */

static struct kinf_span given_token;
static bool told_refused;
static unsigned tokens;

static struct kinf_span token(void *ctx, bool refused)
{
    (void)ctx;
    tokens++;
    told_refused = refused;
    return given_token;
}

static void test_the_head_of_a_request_names_host_agent_and_token(
    void **state)
{
    static const struct {
        const char *host, *agent, *token, *prefix, *head;
    } cases[] = {
        { "host", "", "", "",
          "GET /a HTTP/1.1\r\nHost: host:443\r\nUser-Agent: kinformer/"
          KINF_VERSION "\r\nAccept: application/json\r\n\r\n" },
        { "10.0.0.1", "mine/1", "", "/k8s/c-1",
          "GET /k8s/c-1/a HTTP/1.1\r\nHost: 10.0.0.1:443\r\n"
          "User-Agent: mine/1\r\nAccept: application/json\r\n\r\n" },
        { "fe80::1", "x", "secret", "",
          "GET /a HTTP/1.1\r\nHost: [fe80::1]:443\r\nUser-Agent: x\r\n"
          "Accept: application/json\r\nAuthorization: Bearer secret\r\n"
          "\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare();
        w.config.host = fake_span(cases[i].host);
        w.config.user_agent = fake_span(cases[i].agent);
        w.config.path_prefix = fake_span(cases[i].prefix);
        w.config.credentials.token = token;
        given_token = fake_span(cases[i].token);
        ask(10);
        assert_string_equal(cases[i].head, w.server.request);
        expect_end(KINF_OK);
    }
}

static void test_a_request_is_the_same_in_pieces_of_any_size(void **state)
{
    char whole[512] = "";

    (void)state;
    for (size_t piece = 0; piece < 40; piece++) {
        prepare();
        w.config.credentials.token = token;
        given_token = KINF_SPAN("a-token-of-some-length");
        w.server.piece = piece;
        ask(10);
        if (piece == 0)
            memcpy(whole, w.server.request, sizeof(whole) - 1);
        assert_string_equal(whole, w.server.request);
        expect_end(KINF_OK);
    }
}

static void test_a_token_that_could_forge_a_header_is_not_sent(void **state)
{
    static const char *const tokens_[] = { "a\r\nX: y", "a\n", "\x7f", "\t" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tokens_); i++) {
        prepare();
        w.config.credentials.token = token;
        given_token = fake_span(tokens_[i]);
        ask(10);
        assert_int_equal(0, w.server.requests);
        expect_end(KINF_ERR_CREDENTIALS);
    }
}

static void test_a_token_goes_only_over_a_verified_connection(void **state)
{
    (void)state;
    for (int with_token = 0; with_token < 2; with_token++) {
        prepare();
        w.config.credentials.token = token;
        given_token = fake_span(with_token ? "secret" : "");
        w.server.unverified = true;
        ask(10);
        assert_int_equal(!with_token, w.server.requests);
        assert_null(strstr(w.server.request, "secret"));
        expect_end(with_token ? KINF_ERR_NOT_TRUSTED : KINF_OK);
    }
}

static void test_the_credentials_hear_of_a_401_and_the_ticket_is_dropped(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 401, STATUS(401), FAKE_WHOLE, NULL },
        { NULL, 200, "{}", FAKE_WHOLE, NULL },
        { NULL, 200, "{}", FAKE_WHOLE, NULL },
    };

    (void)state;
    prepare();
    w.config.credentials.token = token;
    given_token = KINF_SPAN("t");
    FAKE_PLAY(&w.server, script);
    ask(10);
    EXPECT_ERR(KINF_ERR_AUTH, get.err);
    assert_false(told_refused);
    assert_int_equal(1, w.server.forgets);
    ask(10);
    assert_true(told_refused);
    ask(10);
    assert_false(told_refused);
    expect_end(KINF_OK);
}

static void test_a_transport_need_not_know_tickets(void **state)
{
    static const struct fake_answer refused[] = {
        { NULL, 401, STATUS(401), FAKE_WHOLE, NULL },
    };
    struct kinf_transport_ops plain = fake_transport;
    char buffer[256];

    (void)state;
    prepare();
    FAKE_PLAY(&w.second, refused);
    fake_begin(&w);
    plain.forget = NULL;
    kinf_session_init(&w.single, &w.k, &plain, &w.second, buffer,
                      sizeof(buffer));
    fake_get(&get, &w.single, "/a");
    fake_run(&w, 10);
    expect_end(KINF_ERR_AUTH);
}

/* ---- phases and deadlines ----------------------------------------------- */

static void test_each_phase_has_its_own_deadline(void **state)
{
    static const struct {
        enum kinf_phase phase;
        uint32_t ms;
    } cases[] = {
        { KINF_PHASE_CLOSED, CONFIG_KINF_RESOLVE_MS },
        { KINF_PHASE_RESOLVE, CONFIG_KINF_RESOLVE_MS },
        { KINF_PHASE_CONNECT, CONFIG_KINF_CONNECT_MS },
        { KINF_PHASE_HANDSHAKE, CONFIG_KINF_HANDSHAKE_MS },
        { KINF_PHASE_OPEN, CONFIG_KINF_HANDSHAKE_MS }, /* a strange port */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare();
        w.server.open_turns = UINT32_MAX;
        w.server.phase = cases[i].phase;
        ask(cases[i].ms - 1);
        assert_int_equal(0, get.ends);
        fake_run(&w, 1);
        expect_end(KINF_ERR_TIMEOUT);
    }
}

static void test_a_phase_that_moves_on_begins_its_own_deadline(void **state)
{
    (void)state;
    prepare();
    w.server.open_turns = UINT32_MAX;
    w.server.phase = KINF_PHASE_RESOLVE;
    ask(CONFIG_KINF_RESOLVE_MS - 1);
    w.server.phase = KINF_PHASE_CONNECT;
    fake_run(&w, 0);
    fake_run(&w, CONFIG_KINF_CONNECT_MS - 1);
    assert_int_equal(0, get.ends);
    w.server.phase = KINF_PHASE_HANDSHAKE;
    fake_run(&w, 0);
    w.server.open_turns = 0;
    fake_run(&w, CONFIG_KINF_HANDSHAKE_MS - 1);
    expect_end(KINF_OK);
}

static void test_a_peer_that_does_not_read_times_out(void **state)
{
    (void)state;
    prepare();
    w.server.send_error = KINF_ERR_AGAIN;
    ask(CONFIG_KINF_SEND_MS - 1);
    assert_int_equal(0, get.ends);
    fake_run(&w, 1);
    expect_end(KINF_ERR_TIMEOUT);
}

static void test_a_peer_that_does_not_answer_times_out(void **state)
{
    static const struct fake_answer half[] = {
        { NULL, 200, "HTTP/1.1 200 OK\r\nContent-", FAKE_RAW, NULL },
    };

    (void)state;
    for (int begins = 0; begins < 2; begins++) {
        prepare();
        w.server.answers = half;
        w.server.count = (size_t)begins;
        ask(CONFIG_KINF_HEADERS_MS - 1);
        assert_int_equal(0, get.ends);
        fake_run(&w, 1);
        expect_end(KINF_ERR_TIMEOUT);
    }
}

/* The words of a refusal are worth no more than the head's time. */
static void test_a_refusal_that_stands_still_times_out(void **state)
{
    static const struct fake_answer half[] = {
        { NULL, 200, "<html>", FAKE_OPEN, "Content-Type: text/html\r\n" },
    };

    (void)state;
    prepare();
    w.informer.session = NULL;
    w.idle = false; /* an informer reads its words */
    FAKE_PLAY(&w.server, half);
    fake_begin(&w);
    fake_run(&w, CONFIG_KINF_HEADERS_MS - 1);
    assert_int_equal(0, w.errors[-KINF_ERR_HTTP_TYPE]);
    fake_run(&w, 1);
    assert_int_equal(1, w.errors[-KINF_ERR_HTTP_TYPE]);
    assert_string_equal("<html>", w.words);
    fake_end_world(&w);
}

/* A deadline counts only when the transport has nothing for us: after a late
 * poll what has come is read. */
static void test_an_answer_that_lies_ready_is_read_after_a_late_poll(
    void **state)
{
    static const struct fake_answer nothing[] = {
        { NULL, 200, "", FAKE_RAW, NULL },
    };

    (void)state;
    prepare();
    FAKE_PLAY(&w.server, nothing);
    ask(10);
    w.server.ends = false;
    fake_now_ms += CONFIG_KINF_HEADERS_MS * 2;
    strcpy(w.server.out, "HTTP/1.1 204 No Content\r\n\r\n");
    w.server.out_at = 0;
    w.server.out_len = strlen(w.server.out);
    fake_run(&w, 0);
    assert_int_equal(204, get.status);
    expect_end(KINF_ERR_HTTP_STATUS);
}

static void test_why_a_transport_failed_is_told_in_words(void **state)
{
    static const struct {
        const char *reason, *words;
    } cases[] = { { "no route", "no route" }, { NULL, "" } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare();
        w.server.open_error = KINF_ERR_REFUSED;
        w.server.reason = cases[i].reason;
        ask(10);
        assert_string_equal(cases[i].words, get.words);
        expect_end(KINF_ERR_REFUSED);
    }
}

/* ---- a kept connection -------------------------------------------------- */

static void test_a_connection_is_kept_unless_its_end_is_told(void **state)
{
    static const struct {
        enum fake_end end;
        unsigned opens;
    } cases[] = { { FAKE_WHOLE, 1 }, { FAKE_CLOSE, 2 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            { NULL, 200, "{}", cases[i].end, NULL },
            { NULL, 200, "{}", FAKE_WHOLE, NULL },
        };

        prepare();
        FAKE_PLAY(&w.server, script);
        ask(10);
        ask(10);
        assert_int_equal(cases[i].opens, w.server.opens);
        expect_end(KINF_OK);
    }
}

/* Bytes behind an answer belong to nothing: the connection is not used on. */
static void test_a_connection_with_bytes_left_over_is_not_kept(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: 2\r\n\r\n{}more", FAKE_RAW, NULL },
        { NULL, 200, "{}", FAKE_WHOLE, NULL },
    };

    (void)state;
    prepare();
    FAKE_PLAY(&w.server, script);
    ask(10);
    EXPECT_ERR(KINF_OK, get.err);
    ask(10);
    assert_int_equal(2, w.server.opens);
    expect_end(KINF_OK);
}

/* The server closed it while nobody looked. */
static void test_a_kept_connection_that_is_dead_is_opened_anew_once(
    void **state)
{
    static const int errors[] = { KINF_ERR_CLOSED, KINF_ERR_TLS };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        for (int sent = 0; sent < 2; sent++) {
            prepare();
            ask(10);
            if (sent)
                w.server.recv_error = errors[i];
            else
                w.server.send_error = errors[i];
            if (sent)
                w.server.count = 1; /* no answer: recv fails */
            fake_get(&get, &w.session, "/b");
            kinf_poll(&w.k); /* fails, and opens anew */
            assert_int_equal(2, w.server.opens);
            assert_int_equal(1, get.ends); /* and fails: that counts */
            EXPECT_ERR(errors[i], get.err);
            fake_end_world(&w);
        }
    }
}

static void test_a_request_is_sent_again_whole_on_a_new_connection(
    void **state)
{
    (void)state;
    prepare();
    ask(10);
    fake_cut(&w.server); /* the next send or recv finds it closed */
    ask(10);
    assert_int_equal(2, w.server.opens);
    assert_string_equal("/a", fake_target(&w.server, 0));
    expect_end(KINF_OK);
}

static void test_a_kept_connection_that_is_slow_is_not_opened_anew(
    void **state)
{
    (void)state;
    prepare();
    ask(10);
    w.server.count = 1;
    fake_get(&get, &w.session, "/b");
    fake_run(&w, CONFIG_KINF_HEADERS_MS + 10);
    assert_int_equal(1, w.server.opens);
    expect_end(KINF_ERR_TIMEOUT);
}

/* ---- what an answer means ----------------------------------------------- */

static void test_each_status_has_its_error(void **state)
{
    static const struct {
        int status;
        bool ahead;
        int err;
    } cases[] = {
        { 400, false, KINF_ERR_INVALID },   { 422, false, KINF_ERR_INVALID },
        { 401, false, KINF_ERR_AUTH },      { 403, false, KINF_ERR_FORBIDDEN },
        { 404, false, KINF_ERR_NO_RESOURCE }, { 405, false, KINF_ERR_METHOD },
        { 410, false, KINF_ERR_GONE },      { 429, false, KINF_ERR_BUSY },
        { 500, false, KINF_ERR_SERVER },    { 504, false, KINF_ERR_SERVER },
        { 504, true, KINF_ERR_VERSION_AHEAD },
        { 301, false, KINF_ERR_REDIRECT },  { 399, false, KINF_ERR_REDIRECT },
        { 204, false, KINF_ERR_HTTP_STATUS },
        { 418, false, KINF_ERR_HTTP_STATUS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT_ERR(cases[i].err,
                   kinf_status_error(cases[i].status, cases[i].ahead));
}

/* Seen by an informer that is told to come later. */
static void test_retry_after_counts_in_seconds_and_as_a_date(void **state)
{
    static const struct {
        const char *headers;
        int64_t wall;
        uint32_t ms; /* until the next request; 800: the backoff alone */
    } cases[] = {
        { "Retry-After: 7\r\n", 0, 7000 },
        { "Retry-After: 0\r\n", 0, 800 },
        { "Retry-After: 100000\r\n", 0, CONFIG_KINF_RETRY_AFTER_CAP_MS },
        { "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
          "Retry-After: Tue, 14 Nov 2023 22:13:30 GMT\r\n",
          KINF_WALL_UNKNOWN, 10000 },
        { "Retry-After: Tue, 14 Nov 2023 22:13:30 GMT\r\n", 1700000000,
          10000 },
        { "Retry-After: Tue, 14 Nov 2023 22:13:10 GMT\r\n", 1700000000, 800 },
        { "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n", 1700000000,
          CONFIG_KINF_RETRY_AFTER_CAP_MS },
        { "Retry-After: Tue, 14 Nov 2023 22:13:30 GMT\r\n", KINF_WALL_UNKNOWN,
          800 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_answer script[] = {
            { NULL, 429, STATUS(429), FAKE_WHOLE, cases[i].headers },
        };

        prepare();
        w.idle = false;
        FAKE_PLAY(&w.server, script);
        fake_wall_s = cases[i].wall;
        fake_begin(&w);
        fake_run(&w, cases[i].ms - 1);
        assert_int_equal(1, w.server.requests);
        fake_run(&w, 1);
        assert_int_equal(2, w.server.requests);
        fake_end_world(&w);
    }
}

/* ---- sleeping ----------------------------------------------------------- */

static void test_the_transport_says_how_long_one_may_sleep(void **state)
{
    static const struct {
        unsigned wants;
        uint32_t wait_ms, sleep;
    } cases[] = {
        { KINF_WANTS_READ, 0, CONFIG_KINF_HEADERS_MS },
        { KINF_WANTS_READ, 250, 250 },
        { KINF_WANTS_READ, 10000000, CONFIG_KINF_HEADERS_MS },
        { KINF_WANTS_CALL, 250, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare();
        w.server.count = 0; /* silent */
        fake_begin(&w);
        fake_get(&get, &w.session, "/a");
        kinf_poll(&w.k); /* was woken */
        w.server.wants = cases[i].wants;
        w.server.wait_ms = cases[i].wait_ms;
        assert_int_equal(cases[i].sleep, kinf_poll(&w.k));
        w.server.wants = w.server.wait_ms = 0;
        fake_end_world(&w);
    }
}

static void test_no_read_follows_an_event_if_a_wait_sees_what_comes(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, " ", FAKE_OPEN, NULL },
    };
    static char full[512 - 7 + 1]; /* 7: the chunk's own bytes */

    (void)state;
    memset(full, ' ', sizeof(full) - 1);
    for (unsigned level = 0; level < 2; level++) {
        struct kinf_wait wait;

        prepare();
        FAKE_PLAY(&w.server, script);
        w.server.level = level != 0;
        fake_begin(&w);
        fake_get(&get, &w.session, "/a");
        get.get.body = NULL;
        fake_run(&w, 1);
        for (unsigned events = 0; events < 3; events++) {
            w.server.receives = 0;
            fake_push(&w.server, " ");
            while (kinf_poll(&w.k) == 0)
                ;
            assert_int_equal(level ? 1 : 2, w.server.receives);
            assert_int_equal(1, kinf_waits(&w.k, &wait, 1));
            assert_int_equal(KINF_WANTS_READ, wait.wants);
        }
        /* The buffer was full: there may be more. */
        w.server.receives = 0;
        fake_push(&w.server, full);
        while (kinf_poll(&w.k) == 0)
            ;
        assert_int_equal(2, w.server.receives);
        /* In the middle of a chunk the rest is expected. */
        w.server.receives = 0;
        w.server.piece = 5;
        fake_push(&w.server, "    ");
        while (kinf_poll(&w.k) == 0)
            ;
        assert_int_equal(level ? 2 : 3, w.server.receives);
        fake_end_world(&w);
    }
}

static void test_a_poll_takes_no_more_bytes_than_configured(void **state)
{
    static char body[2 * 16384];
    static const struct fake_answer script[] = {
        { NULL, 200, body, FAKE_OPEN, NULL },
    };
    uint64_t before;

    (void)state;
    memset(body, 'x', sizeof(body) - 1);
    prepare();
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_get(&get, &w.session, "/a");
    get.get.body = NULL;
    for (int polls = 0; polls < 1000 && w.session.bytes < 2 * 16384; polls++) {
        before = w.session.bytes;
        kinf_poll(&w.k);
        assert_true(w.session.bytes - before <=
                    CONFIG_KINF_POLL_BYTES + sizeof(w.buffer) - 1);
    }
    assert_true(w.session.bytes >= 2 * 16384);
    fake_end_world(&w);
}

/* ---- who has it --------------------------------------------------------- */

static void test_a_session_is_leased_in_the_order_of_asking(void **state)
{
    struct kinf_lease a = { 0 }, b = { 0 }, c = { 0 };

    (void)state;
    prepare();
    fake_begin(&w);
    EXPECT_ERR(KINF_OK, kinf_session_lease(&w.session, &a));
    EXPECT_ERR(KINF_OK, kinf_session_lease(&w.session, &a)); /* has it */
    EXPECT_ERR(KINF_ERR_AGAIN, kinf_session_lease(&w.session, &b));
    EXPECT_ERR(KINF_ERR_AGAIN, kinf_session_lease(&w.session, &c));
    EXPECT_ERR(KINF_ERR_AGAIN, kinf_session_lease(&w.session, &b));
    kinf_session_release(&w.session, &a);
    EXPECT_ERR(KINF_ERR_AGAIN, kinf_session_lease(&w.session, &c));
    EXPECT_ERR(KINF_OK, kinf_session_lease(&w.session, &b));
    kinf_session_release(&w.session, &c); /* out of the line */
    kinf_session_release(&w.session, &b);
    EXPECT_ERR(KINF_OK, kinf_session_lease(&w.session, &c));
    kinf_session_release(&w.session, &c);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_the_head_of_a_request_names_host_agent_and_token),
        cmocka_unit_test(test_a_request_is_the_same_in_pieces_of_any_size),
        cmocka_unit_test(test_a_token_that_could_forge_a_header_is_not_sent),
        cmocka_unit_test(test_a_token_goes_only_over_a_verified_connection),
        cmocka_unit_test(
            test_the_credentials_hear_of_a_401_and_the_ticket_is_dropped),
        cmocka_unit_test(test_a_transport_need_not_know_tickets),
        cmocka_unit_test(test_each_phase_has_its_own_deadline),
        cmocka_unit_test(test_a_phase_that_moves_on_begins_its_own_deadline),
        cmocka_unit_test(test_a_peer_that_does_not_read_times_out),
        cmocka_unit_test(test_a_peer_that_does_not_answer_times_out),
        cmocka_unit_test(test_a_refusal_that_stands_still_times_out),
        cmocka_unit_test(
            test_an_answer_that_lies_ready_is_read_after_a_late_poll),
        cmocka_unit_test(test_why_a_transport_failed_is_told_in_words),
        cmocka_unit_test(test_a_connection_is_kept_unless_its_end_is_told),
        cmocka_unit_test(test_a_connection_with_bytes_left_over_is_not_kept),
        cmocka_unit_test(
            test_a_kept_connection_that_is_dead_is_opened_anew_once),
        cmocka_unit_test(
            test_a_request_is_sent_again_whole_on_a_new_connection),
        cmocka_unit_test(
            test_a_kept_connection_that_is_slow_is_not_opened_anew),
        cmocka_unit_test(test_each_status_has_its_error),
        cmocka_unit_test(test_retry_after_counts_in_seconds_and_as_a_date),
        cmocka_unit_test(test_the_transport_says_how_long_one_may_sleep),
        cmocka_unit_test(
            test_no_read_follows_an_event_if_a_wait_sees_what_comes),
        cmocka_unit_test(test_a_poll_takes_no_more_bytes_than_configured),
        cmocka_unit_test(test_a_session_is_leased_in_the_order_of_asking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
