/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_request.c - parts in order, percent-encoding, secrets that pass no
 * buffer, through buffers and sends of every size. */
#include "feed.h"

#include "wire/http_request.h"

struct part {
    const char *text;
    enum kinf_part_type type;
};

/* Sends through a buffer of size bytes, secrets step bytes at a time, and
 * checks that no byte of a secret passes the buffer. */
static void send_all(struct kinf_http_request *q, size_t size, size_t step,
                     struct told *wire)
{
    char *buf = malloc(size);

    assert_non_null(buf);
    while (!kinf_http_request_done(q)) {
        size_t n = kinf_http_request_fill(q, buf, size);
        struct kinf_span secret = kinf_http_request_secret(q);

        assert_true(n <= size);
        assert_null(memchr(buf, '#', n));
        told_bytes(wire, buf, n);
        if (n > 0)
            continue;
        assert_true(secret.len > 0);
        if (secret.len > step)
            secret.len = step;
        told_bytes(wire, secret.ptr, secret.len);
        kinf_http_request_sent(q, secret.len);
    }
    assert_int_equal(kinf_http_request_fill(q, buf, size), 0);
    assert_int_equal(kinf_http_request_secret(q).len, 0);
    free(buf);
}

static void expect_sent(const struct part *parts, size_t count,
                        const char *expected)
{
    struct kinf_http_request q;

    for (size_t size = 3; size < 40; size++) {
        struct told wire = { NULL, 0, 0 };

        kinf_http_request_init(&q);
        for (size_t i = 0; i < count; i++)
            kinf_http_request_add(
                &q, (struct kinf_span){ parts[i].text, strlen(parts[i].text) },
                parts[i].type);
        tell(&wire, "");
        send_all(&q, size, 1 + size % 5, &wire);
        assert_string_equal(wire.text, expected);
        free(wire.text);
    }
}

static void test_request_sends_its_parts_in_order(void **state)
{
    const struct part parts[] = { { "GET /api", KINF_PART_PLAIN },
                                  { "", KINF_PART_PLAIN },
                                  { "a b", KINF_PART_ENCODED },
                                  { " HTTP/1.1\r\nAuthorization: Bearer ",
                                    KINF_PART_PLAIN },
                                  { "##secret##", KINF_PART_SECRET },
                                  { "", KINF_PART_SECRET },
                                  { "\r\n\r\n", KINF_PART_PLAIN } };

    (void)state;
    expect_sent(parts, COUNT(parts),
                "GET /apia%20b HTTP/1.1\r\nAuthorization: Bearer ##secret##"
                "\r\n\r\n");
}

static void test_request_may_begin_and_end_with_a_secret(void **state)
{
    const struct part parts[] = { { "#1", KINF_PART_SECRET },
                                  { "#2", KINF_PART_SECRET },
                                  { "-", KINF_PART_PLAIN },
                                  { "#3", KINF_PART_SECRET } };

    (void)state;
    expect_sent(parts, COUNT(parts), "#1#2-#3");
}

static void test_request_encodes_all_but_unreserved_bytes(void **state)
{
    const struct part parts[] = {
        { "azAZ09-._~", KINF_PART_ENCODED },
        { "!'()*;:@&=+$,/?[] \"<>\\^`{|}\n\x7F\xC3\xBF", KINF_PART_ENCODED }
    };

    (void)state;
    expect_sent(parts, COUNT(parts),
                "azAZ09-._~%21%27%28%29%2A%3B%3A%40%26%3D%2B%24%2C%2F%3F%5B%5D"
                "%20%22%3C%3E%5C%5E%60%7B%7C%7D%0A%7F%C3%BF");
}

static void test_request_without_parts_is_done(void **state)
{
    const struct part none[] = { { "", KINF_PART_PLAIN } };

    (void)state;
    expect_sent(none, 1, "");
}

#if CONFIG_KINF_ASSERT
static void test_request_refuses_more_parts_than_it_holds(void **state)
{
    struct kinf_http_request q;

    (void)state;
    kinf_http_request_init(&q);
    for (unsigned i = 0; i < KINF_PARTS_MAX; i++)
        kinf_http_request_add(&q, KINF_SPAN("x"), KINF_PART_PLAIN);
    expect_assert_failure(
        kinf_http_request_add(&q, KINF_SPAN("x"), KINF_PART_PLAIN));
}

static void test_request_refuses_a_sent_secret_that_was_none(void **state)
{
    struct kinf_http_request q;

    (void)state;
    kinf_http_request_init(&q);
    kinf_http_request_add(&q, KINF_SPAN("plain"), KINF_PART_PLAIN);
    expect_assert_failure(kinf_http_request_sent(&q, 1));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_sends_its_parts_in_order),
        cmocka_unit_test(test_request_may_begin_and_end_with_a_secret),
        cmocka_unit_test(test_request_encodes_all_but_unreserved_bytes),
        cmocka_unit_test(test_request_without_parts_is_done),
#if CONFIG_KINF_ASSERT
        cmocka_unit_test(test_request_refuses_more_parts_than_it_holds),
        cmocka_unit_test(test_request_refuses_a_sent_secret_that_was_none),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
