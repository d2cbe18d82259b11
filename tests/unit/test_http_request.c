/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_request.c - templates with their values, percent-encoding, secrets
 * that pass no buffer, through buffers and sends of every size. */
#include "feed.h"

#include "wire/http_request.h"

/* Sends through a buffer of size bytes, secrets step bytes at a time, and
 * checks that no byte of a secret passes the buffer. */
static void send_all(struct kinf_http_request *q, size_t size, size_t step,
                     struct told *wire)
{
    char *buf = malloc(size);
    size_t n;

    assert_non_null(buf);
    for (;;) {
        n = kinf_http_request_fill(q, buf, size);
        assert_true(n <= size);
        assert_null(memchr(buf, '#', n));
        told_bytes(wire, buf, n);
        if (n > 0)
            continue;
        if (q->rest.len == 0)
            break;
        n = q->rest.len < step ? q->rest.len : step;
        told_bytes(wire, q->rest.ptr, n);
        q->rest.ptr += n;
        q->rest.len -= n;
    }
    assert_int_equal(kinf_http_request_fill(q, buf, size), 0);
    assert_int_equal(0, q->rest.len);
    free(buf);
}

/* Value a is "A", b needs encoding, c is empty. */
static void expect_sent(const char *template_, const char *secret,
                        const char *expected)
{
    struct kinf_http_request q;

    kinf_http_request_init(&q);
    *http_value(&q, 'a') = KINF_SPAN("A");
    *http_value(&q, 'b') = KINF_SPAN("b /\xC3\xBF");
    *http_value(&q, 'z') = KINF_SPAN("zZ09-._~");
    q.secret = (struct kinf_span){ secret, strlen(secret) };
    for (size_t size = 3; size < 40; size++) {
        struct told wire = { NULL, 0, 0 };

        kinf_http_request_start(&q, template_);
        tell(&wire, "");
        send_all(&q, size, 1 + size % 5, &wire);
        assert_string_equal(wire.text, expected);
        free(wire.text);
    }
}

static void test_request_puts_values_between_words(void **state)
{
    (void)state;
    expect_sent("GET %-/x/%a HTTP%-", "", "GET /x/A HTTP");
    expect_sent("%a%a%-", "", "AA");
    expect_sent("words%-", "", "words");
    expect_sent("%-", "", "");
}

static void test_request_leaves_out_words_of_empty_values(void **state)
{
    (void)state;
    expect_sent("GET %-?c=%c&a=%a&c=%C%c.%-", "", "GET &a=A.");
    expect_sent("one%c", "", "");
    expect_sent("one%!two%-", "", "two");
}

static void test_request_encodes_all_but_unreserved_bytes(void **state)
{
    struct kinf_http_request q;
    struct told wire = { NULL, 0, 0 };

    (void)state;
    expect_sent("%b|%B|%Z%-", "", "b /\xC3\xBF|b%20%2F%C3%BF|zZ09-._~");
    kinf_http_request_init(&q);
    *http_value(&q, 'q') =
        KINF_SPAN("!'()*;:@&=+$,/?[] \"<>\\^`{|}\n\x7F\x80\xFF");
    kinf_http_request_start(&q, "%Q%-");
    send_all(&q, 8, 1, &wire);
    assert_string_equal(wire.text,
                        "%21%27%28%29%2A%3B%3A%40%26%3D%2B%24%2C%2F%3F%5B%5D"
                        "%20%22%3C%3E%5C%5E%60%7B%7C%7D%0A%7F%80%FF");
    free(wire.text);
}

static void test_request_keeps_the_secret_out_of_the_buffer(void **state)
{
    (void)state;
    expect_sent("Bearer %!\r\n%-", "##secret##", "Bearer ##secret##\r\n");
    expect_sent("%!%!-%!%-", "#1", "#1#1-#1");
}

static void test_request_can_be_sent_again(void **state)
{
    struct kinf_http_request q;
    struct told wire = { NULL, 0, 0 };
    char buf[4];

    (void)state;
    kinf_http_request_init(&q);
    *http_value(&q, 'a') = KINF_SPAN("value");
    kinf_http_request_start(&q, "words %a%-");
    assert_int_equal(kinf_http_request_fill(&q, buf, 4), 4);
    assert_int_equal(kinf_http_request_fill(&q, buf, 4), 4);
    kinf_http_request_start(&q, "words %a%-");
    send_all(&q, 4, 1, &wire);
    assert_string_equal(wire.text, "words value");
    free(wire.text);
}

#if CONFIG_KINF_ASSERT
static void test_request_needs_room_for_an_encoded_byte(void **state)
{
    struct kinf_http_request q;
    char buf[2];

    (void)state;
    kinf_http_request_init(&q);
    kinf_http_request_start(&q, "x%-");
    expect_assert_failure(kinf_http_request_fill(&q, buf, sizeof(buf)));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_puts_values_between_words),
        cmocka_unit_test(test_request_leaves_out_words_of_empty_values),
        cmocka_unit_test(test_request_encodes_all_but_unreserved_bytes),
        cmocka_unit_test(test_request_keeps_the_secret_out_of_the_buffer),
        cmocka_unit_test(test_request_can_be_sent_again),
#if CONFIG_KINF_ASSERT
        cmocka_unit_test(test_request_needs_room_for_an_encoded_byte),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
