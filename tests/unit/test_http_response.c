/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_response.c - answers as servers and proxies send them, and broken
 * ones, cut at every byte. */
#include "tell_wire.h"

/* Writes down " head=...", then the body, then how it ended. */
static void run(void *ctx, struct feeder *f, struct told *told)
{
    struct kinf_http_response r;
    struct kinf_span piece, body;
    int event = KINF_ERR_AGAIN;

    (void)ctx;
    kinf_http_response_init(&r);
    while (event != HTTP_END && feeder_next(f, &piece)) {
        size_t used = SIZE_MAX;

        body = (struct kinf_span){ NULL, 0 };
        event = kinf_http_response_feed(&r, piece.ptr, piece.len, &used, &body);
        assert_true(used <= piece.len);
        assert_true(event != KINF_ERR_AGAIN || used == piece.len);
        feeder_used(f, used);
        if (event == HTTP_HEAD) {
            tell_head(told, &r);
        } else if (event == HTTP_BODY) {
            assert_true(body.len > 0 && body.ptr >= piece.ptr &&
                        body.ptr + body.len <= piece.ptr + piece.len);
            told_bytes(told, body.ptr, body.len);
        } else if (event < 0 && event != KINF_ERR_AGAIN) {
            tell(told, error_name(event));
            assert_int_equal(kinf_http_response_feed(&r, "x", 1, &used, &body),
                             event);
            assert_int_equal(kinf_http_response_closed(&r), event);
            return;
        }
    }
    if (event != HTTP_END) {
        event = kinf_http_response_closed(&r);
        tell(told, event == KINF_OK ? "(closed)" : error_name(event));
        return;
    }
    tell(told, "(end)");
    if (f->at - f->piece_len < f->input.len)
        tell_number(told, "rest",
                    (long long)(f->input.len - (f->at - f->piece_len)));
}

static void expect(const char *input, const char *expected)
{
    feed_every_way(run, NULL, (struct kinf_span){ input, strlen(input) },
                   expected);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void test_response_reads_a_proxy_s_page(void **state)
{
    (void)state;
    feed_stream(run, NULL, "proxy-html.http");
}

static void test_response_ends_by_length(void **state)
{
    (void)state;
    expect(OK_HEAD "Content-Length: 3\r\n\r\nabcHTTP/1.1",
           " head=200 keep\nabc(end) rest=8");
    expect(OK_HEAD "Content-Length: 0\r\n\r\nx",
           " head=200 keep\n(end) rest=1");
    expect(OK_HEAD "CONTENT-length:\t0003 \r\n\r\nabc",
           " head=200 keep\nabc(end)");
    expect(OK_HEAD "Content-Length: 4\r\n\r\nabc", " head=200 keep\nabcCUT");
}

static void test_response_ends_by_chunks(void **state)
{
    (void)state;
    expect(CHUNKED "5\r\nhello\r\n006;a=\"b\"\r\n world\r\n0\r\n\r\nrest",
           " head=200 keep chunked\nhello world(end) rest=4");
    expect(CHUNKED "a \t;x\r\n0123456789\r\n0\r\nTrailer: x\r\nb\r\n\r\n",
           " head=200 keep chunked\n0123456789(end)");
    expect(CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n",
           " head=200 keep chunked\nhello(end)");
    expect(CHUNKED "A\r\n0123456789\r\n00\r\n\r\n",
           " head=200 keep chunked\n0123456789(end)");
    expect(CHUNKED "5\r\nhello\r\n0\r\n", " head=200 keep chunked\nhelloCUT");
    expect(CHUNKED "5\r\nhel", " head=200 keep chunked\nhelCUT");
}

static void test_response_ends_by_closing(void **state)
{
    (void)state;
    expect(OK_HEAD "\r\nall there is", " head=200 close\nall there is(closed)");
    expect(OK_HEAD "\r\n", " head=200 close\n(closed)");
}

static void test_response_of_some_statuses_has_no_body(void **state)
{
    (void)state;
    expect("HTTP/1.1 204 No Content\r\n\r\nx", " head=204 keep\n(end) rest=1");
    expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nx",
           " head=304 keep\n(end) rest=1");
}

static void test_response_passes_over_interim_answers(void **state)
{
    (void)state;
    expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
           "Content-Length: 7\r\nConnection: close\r\n\r\n" OK_HEAD
           "Content-Length: 1\r\n\r\nx",
           " head=200 keep\nx(end)");
}

static void test_response_tells_what_others_read(void **state)
{
    (void)state;
    expect(OK_HEAD
           "Content-Type: Application/JSON\r\nContent-Length: 0\r\n\r\n",
           " head=200 keep json\n(end)");
    expect(OK_HEAD "Content-Type: application/json ; stream=watch\r\n"
                   "Content-Length: 0\r\n\r\n",
           " head=200 keep json\n(end)");
    expect(OK_HEAD "Content-Type: application/json-patch+json\r\n"
                   "Content-Length: 0\r\n\r\n",
           " head=200 keep\n(end)");
    expect(OK_HEAD "Connection: foo ,, CLOSE ,bar\r\nContent-Length: 0\r\n\r\n",
           " head=200 close\n(end)");
    expect(OK_HEAD "Connection: closed\r\nContent-Length: 0\r\n\r\n",
           " head=200 keep\n(end)");
    expect("HTTP/1.1 429\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
           " head=429 keep retry=7\n(end)");
    expect("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
           " head=302 keep\n(end)");
    expect(OK_HEAD "Content-Encoding: Identity\r\nContent-Length: 0\r\n\r\n",
           " head=200 keep\n(end)");
    expect(OK_HEAD "Content-Encoding: \r\nContent-Length: 0\r\n\r\n",
           " head=200 keep\n(end)");
}

static void test_response_reads_dates(void **state)
{
    static const struct {
        const char *text;
        long long seconds;
    } cases[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Thu, 01 Jan 1970 00:00:01 GMT", 1 },
        { "Tue, 29 Feb 2000 23:59:59 GMT", 951868799 },
        { "Wed, 01 Mar 2000 00:00:00 GMT", 951868800 },
        { "Sun, 28 Feb 2100 00:00:00 GMT", 4107456000 },
        { "Mon, 01 Mar 2100 00:00:00 GMT", 4107542400 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 0 },
        { "Sun, 06 Nix 1994 08:49:37 GMT", 0 },
        { "Sun, 0x Nov 1994 08:49:37 GMT", 0 },
        { "Sun, 06 Nov 1969 08:49:37 GMT", 0 },
        { "soon", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char input[256], expected[128];

        snprintf(input, sizeof(input),
                 OK_HEAD "Date: %s\r\nRetry-After: %s\r\n\r\n", cases[i].text,
                 cases[i].text);
        snprintf(expected, sizeof(expected),
                 " head=200 close retry-date=%lld date=%lld\n(closed)",
                 cases[i].seconds, cases[i].seconds);
        expect(input,
               cases[i].seconds != 0 ? expected : " head=200 close\n(closed)");
    }
}

static void test_response_refuses_other_versions(void **state)
{
    (void)state;
    expect("HTTP/1.0 200 OK\r\n\r\n", "HTTP_VERSION");
    expect("HTTP/2 200 OK\r\n\r\n", "HTTP_VERSION");
    expect("HTTP/1.10 200 OK\r\n\r\n", "HTTP_VERSION");
    expect("http/1.1 200 OK\r\n\r\n", "HTTP_VERSION");
    expect("SSH-2.0-OpenSSH\r\n", "HTTP_VERSION");
    expect("\r\nHTTP/1.1 200 OK\r\n", "HTTP_VERSION");
}

static void test_response_refuses_malformed_lines(void **state)
{
    static const char *const cases[] = {
        "HTTP/1.1 20\r\n",        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",    "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 200 OK\n",      "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 200 O\vK\r\n",  OK_HEAD "no colon\r\n",
        OK_HEAD ": x\r\n",        OK_HEAD "Name : x\r\n",
        OK_HEAD "Name\t: x\r\n",  OK_HEAD "A: b\r\n folded\r\n",
        OK_HEAD " A: b\r\n",      OK_HEAD "A: b\nC: d\r\n",
        OK_HEAD "A: b\rC: d\r\n", OK_HEAD "A: \x01\r\n",
        OK_HEAD "A: \x7F\r\n"
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i], "HTTP_LINE");
}

static void test_response_refuses_a_nul(void **state)
{
    static const char input[] = OK_HEAD "A: \0b\r\n\r\n";

    (void)state;
    feed_every_way(run, NULL, (struct kinf_span){ input, sizeof(input) - 1 },
                   "HTTP_LINE");
}

static void test_response_refuses_doubtful_lengths(void **state)
{
    static const struct {
        const char *headers, *told;
    } cases[] = {
        { "Content-Length: \r\n", "HTTP_NUMBER" },
        { "Content-Length: -1\r\n", "HTTP_NUMBER" },
        { "Content-Length: +1\r\n", "HTTP_NUMBER" },
        { "Content-Length: 0x10\r\n", "HTTP_NUMBER" },
        { "Content-Length: 5, 5\r\n", "HTTP_NUMBER" },
        { "Content-Length: 4294967296\r\n", "HTTP_NUMBER" },
        { "Content-Length: 99999999999999999999999\r\n", "HTTP_NUMBER" },
        { "Content-Length: 5\r\nContent-Length: 5\r\n", "HTTP_LENGTH" },
        { "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP_LENGTH" },
        { "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
          "HTTP_LENGTH" },
        { "Transfer-Encoding: gzip, chunked\r\n", "HTTP_ENCODING" },
        { "Transfer-Encoding: identity\r\n", "HTTP_ENCODING" },
        { "Transfer-Encoding: chunke\r\n", "HTTP_ENCODING" },
        { "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
          "HTTP_ENCODING" },
        { "Content-Encoding: gzip\r\n", "HTTP_ENCODING" }
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char input[256];

        snprintf(input, sizeof(input), OK_HEAD "%s", cases[i].headers);
        expect(input, cases[i].told);
    }
}

static void test_response_takes_the_largest_length(void **state)
{
    (void)state;
    expect(OK_HEAD "Content-Length: 4294967295\r\n\r\nabc",
           " head=200 keep\nabcCUT");
    expect(CHUNKED "ffffffff\r\nabc", " head=200 keep chunked\nabcCUT");
}

static void test_response_refuses_malformed_chunks(void **state)
{
    static const struct {
        const char *chunks, *told;
    } cases[] = { { "\r\n", "HTTP_CHUNK" },
                  { "x\r\n", "HTTP_CHUNK" },
                  { "-1\r\n", "HTTP_CHUNK" },
                  { "_\r\n", "HTTP_CHUNK" },
                  { "`\r\n", "HTTP_CHUNK" },
                  { "g\r\n", "HTTP_CHUNK" },
                  { "/\r\n", "HTTP_CHUNK" },
                  { ":\r\n", "HTTP_CHUNK" },
                  { "5x\r\n", "HTTP_CHUNK" },
                  { "5\nhello", "HTTP_CHUNK" },
                  { "5\r\rhello", "HTTP_CHUNK" },
                  { "5;x\nhello", "HTTP_CHUNK" },
                  { "100000000\r\n", "HTTP_CHUNK" },
                  { "5 5\r\n", "HTTP_CHUNK" },
                  { " 5\r\n", "HTTP_CHUNK" },
                  { ";x\r\n", "HTTP_CHUNK" },
                  { "5\r\nhello!\r\n", "helloHTTP_CHUNK_END" },
                  { "5\r\nhello\n", "helloHTTP_CHUNK_END" },
                  { "5\r\nhello\r\r", "helloHTTP_CHUNK_END" },
                  { "0\r\nbad\n", "HTTP_LINE" } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char input[256], expected[128];

        snprintf(input, sizeof(input), CHUNKED "%s", cases[i].chunks);
        snprintf(expected, sizeof(expected), " head=200 keep chunked\n%s",
                 cases[i].told);
        expect(input, expected);
    }
}

/* Text made of a start, count times a filler, and an end. */
static char *stuffed(const char *start, size_t count, char filler,
                     const char *end)
{
    size_t n = strlen(start);
    char *text = malloc(n + count + strlen(end) + 1);

    assert_non_null(text);
    memcpy(text, start, n);
    memset(text + n, filler, count);
    strcpy(text + n + count, end);
    return text;
}

static void expect_stuffed(const char *start, size_t count, char filler,
                           const char *end, const char *expected)
{
    char *text = stuffed(start, count, filler, end);

    expect(text, expected);
    free(text);
}

/* Of a line nobody reads any length will do; what is read must be held. */
static void test_response_holds_the_start_of_a_line(void **state)
{
    const size_t held = CONFIG_KINF_HTTP_LINE_BYTES;
    const char *end = "\r\nContent-Length: 0\r\n\r\n";

    (void)state;
    for (size_t n = held - 4; n < held + 4; n++) {
        expect_stuffed(OK_HEAD "X: ", n, 'x', end, " head=200 keep\n(end)");
        expect_stuffed(OK_HEAD "X", n, 'x', end,
                       n + 1 > held ? " head=200 keep\n(end)" : "HTTP_LINE");
    }
    expect_stuffed(OK_HEAD "Connection:", held - 16, ' ', "close\r\n\r\n",
                   " head=200 close\n(closed)");
    expect_stuffed(OK_HEAD "Content-Type:", held - 18, ' ',
                   "xjson\r\nContent-Length: 0\r\n\r\n",
                   " head=200 keep\n(end)");
    expect_stuffed(OK_HEAD "Content-Length:", held - 15, '0', end,
                   "HTTP_LENGTH");
    expect_stuffed(OK_HEAD "Content-Length:", held - 14, '0', end, "HTTP_LINE");
    expect_stuffed("HTTP/1.1 200 ", 2 * held, 'x', end,
                   " head=200 keep\n(end)");
}

static void test_response_limits_the_head(void **state)
{
    const size_t limit = CONFIG_KINF_HTTP_HEADERS_BYTES;
    const size_t rest = strlen(OK_HEAD "X: \r\n\r\n");

    (void)state;
    expect_stuffed(OK_HEAD "X: ", limit - rest, 'x', "\r\n\r\n",
                   " head=200 close\n(closed)");
    expect_stuffed(OK_HEAD "X: ", limit - rest + 1, 'x', "\r\n\r\n",
                   "HTTP_HEADERS");
    expect_stuffed(CHUNKED "0\r\nX: ", limit - 7, 'x', "\r\n\r\n",
                   " head=200 keep chunked\n(end)");
    expect_stuffed(CHUNKED "0\r\nX: ", limit - 6, 'x', "\r\n\r\n",
                   " head=200 keep chunked\nHTTP_HEADERS");
    expect_stuffed(CHUNKED "1;", CONFIG_KINF_HTTP_LINE_BYTES - 2, 'x',
                   "\r\na\r\n0\r\n\r\n", " head=200 keep chunked\na(end)");
    expect_stuffed(CHUNKED "1;", CONFIG_KINF_HTTP_LINE_BYTES - 1, 'x',
                   "\r\na\r\n0\r\n\r\n", " head=200 keep chunked\nHTTP_CHUNK");
}

/* A server that never stops greeting is bounded as well. */
static void test_response_limits_interim_answers(void **state)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t n = CONFIG_KINF_HTTP_HEADERS_BYTES / (sizeof(interim) - 1) + 1;
    char *text = malloc(n * (sizeof(interim) - 1) + 1);

    (void)state;
    assert_non_null(text);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * (sizeof(interim) - 1), interim, sizeof(interim));
    expect(text, "HTTP_HEADERS");
    free(text);
}

static void test_response_is_handed_on_where_it_lies(void **state)
{
    static const char input[] = CHUNKED "5\r\nhello\r\n0\r\n\r\n";
    struct kinf_http_response r;
    struct kinf_span body;
    size_t used, at = 0;

    (void)state;
    kinf_http_response_init(&r);
    assert_int_equal(
        kinf_http_response_feed(&r, input, sizeof(input) - 1, &used, &body),
        HTTP_HEAD);
    at += used;
    assert_int_equal(kinf_http_response_feed(
                         &r, input + at, sizeof(input) - 1 - at, &used, &body),
                     HTTP_BODY);
    assert_ptr_equal(body.ptr, strstr(input, "hello"));
    assert_int_equal(body.len, 5);
    assert_int_equal(used, 8);
}

static void test_response_asks_for_bytes_when_it_has_none(void **state)
{
    struct kinf_http_response r;
    struct kinf_span body;
    size_t used = 1;

    (void)state;
    kinf_http_response_init(&r);
    assert_int_equal(kinf_http_response_feed(&r, "", 0, &used, &body),
                     KINF_ERR_AGAIN);
    assert_int_equal(used, 0);
    assert_int_equal(kinf_http_response_closed(&r), KINF_ERR_CUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_reads_a_proxy_s_page),
        cmocka_unit_test(test_response_ends_by_length),
        cmocka_unit_test(test_response_ends_by_chunks),
        cmocka_unit_test(test_response_ends_by_closing),
        cmocka_unit_test(test_response_of_some_statuses_has_no_body),
        cmocka_unit_test(test_response_passes_over_interim_answers),
        cmocka_unit_test(test_response_tells_what_others_read),
        cmocka_unit_test(test_response_reads_dates),
        cmocka_unit_test(test_response_refuses_other_versions),
        cmocka_unit_test(test_response_refuses_malformed_lines),
        cmocka_unit_test(test_response_refuses_a_nul),
        cmocka_unit_test(test_response_refuses_doubtful_lengths),
        cmocka_unit_test(test_response_takes_the_largest_length),
        cmocka_unit_test(test_response_refuses_malformed_chunks),
        cmocka_unit_test(test_response_holds_the_start_of_a_line),
        cmocka_unit_test(test_response_limits_the_head),
        cmocka_unit_test(test_response_limits_interim_answers),
        cmocka_unit_test(test_response_is_handed_on_where_it_lies),
        cmocka_unit_test(test_response_asks_for_bytes_when_it_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
