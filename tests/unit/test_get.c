/* SPDX-License-Identifier: Apache-2.0 */
/* test_get.c - one GET beside the informers: its body in pieces, its end. */
#include "fake_get.h"

static struct fake_world w;
static struct fake_get get, other;

static void begin(const struct fake_answer *script, size_t count)
{
    fake_prepare(&w);
    w.idle = true;
    memset(&get, 0, sizeof(get));
    memset(&other, 0, sizeof(other));
    w.server.answers = script;
    w.server.count = count;
    fake_begin(&w);
}

static void test_a_get_ends_once_with_its_body_or_why_not(void **state)
{
    static const struct {
        struct fake_answer answer;
        int err, status;
        const char *body;
    } cases[] = {
        { { NULL, 200, "{\"a\":1}", FAKE_WHOLE, NULL }, KINF_OK, 200,
          "{\"a\":1}" },
        { { NULL, 200, "", FAKE_CLOSE, NULL }, KINF_OK, 200, "" },
        { { NULL, 403, STATUS(403), FAKE_WHOLE, NULL }, KINF_ERR_FORBIDDEN,
          403, "" },
        { { NULL, 500, "oh", FAKE_WHOLE, "Content-Type: text/plain\r\n" },
          KINF_ERR_SERVER, 500, "" },
        { { NULL, 200, "<p>", FAKE_WHOLE, "Content-Type: text/html\r\n" },
          KINF_ERR_HTTP_TYPE, 200, "" },
        { { NULL, 200, "{", FAKE_CUT, NULL }, KINF_ERR_CUT, 200, "{" },
        { { NULL, 0, NULL, FAKE_CUT, NULL }, KINF_ERR_CLOSED, 0, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(&cases[i].answer, 1);
        fake_get(&get, &w.session, "/version");
        assert_int_equal(0, get.ends); /* kinf_poll alone calls */
        fake_run(&w, 10);
        assert_int_equal(1, get.ends);
        EXPECT_ERR(cases[i].err, get.err);
        assert_int_equal(cases[i].status, get.status);
        assert_string_equal(cases[i].body, get.body);
        assert_string_equal("/version", fake_target(&w.server, 0));
        fake_end_world(&w);
    }
}

static void test_gets_are_asked_in_turn_on_one_connection(void **state)
{
    static const struct fake_answer script[] = {
        { "/a", 200, "1", FAKE_WHOLE, NULL },
        { "/b", 404, STATUS(404), FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_get(&get, &w.session, "/a");
    fake_get(&other, &w.session, "/b");
    fake_run(&w, 10);
    EXPECT_ERR(KINF_OK, get.err);
    EXPECT_ERR(KINF_ERR_NO_RESOURCE, other.err);
    assert_int_equal(2, w.server.requests);
    fake_end_world(&w);
}

static void test_a_get_may_be_asked_from_inside_the_end_of_itself(
    void **state)
{
    static const struct fake_answer script[] = {
        { "/a", 200, "1", FAKE_WHOLE, NULL },
        { "/then", 200, "2", FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    get.then = &other;
    fake_get(&get, &w.session, "/a");
    fake_run(&w, 10);
    assert_int_equal(1, get.ends);
    assert_int_equal(1, other.ends);
    assert_string_equal("2", other.body);
    fake_end_world(&w);
}

static void test_enough_seen_ends_a_get_well_and_its_connection(void **state)
{
    static const struct fake_answer script[] = {
        { "/a", 200, "0123456789", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    w.server.piece = 140; /* head and a part of the body */
    get.enough = 1;
    fake_get(&get, &w.session, "/a");
    fake_run(&w, 10);
    assert_int_equal(1, get.ends);
    EXPECT_ERR(KINF_OK, get.err);
    assert_int_equal(1, get.pieces);
    assert_int_equal(1, w.server.closes);
    fake_end_world(&w);
}

static void test_a_get_asks_for_json_unless_told(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "", FAKE_WHOLE, NULL },
        { NULL, 200, "", FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_get(&get, &w.session, "/a");
    fake_run(&w, 10);
    assert_non_null(strstr(w.server.request,
                           "\r\nAccept: application/json\r\n"));
    get.get.accept = KINF_SPAN("text/plain");
    fake_get(&get, &w.session, "/a");
    fake_run(&w, 10);
    assert_non_null(strstr(w.server.request, "\r\nAccept: text/plain\r\n"));
    fake_end_world(&w);
}

/* Without a body() the pieces are dropped. */
static void test_a_body_nobody_wants_is_read_over(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "0123456789", FAKE_WHOLE, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_get(&get, &w.session, "/a");
    get.get.body = NULL;
    fake_run(&w, 10);
    EXPECT_ERR(KINF_OK, get.err);
    assert_int_equal(0, w.server.closes);
    fake_end_world(&w);
}

static void test_a_body_that_stands_still_times_out(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "01234", FAKE_OPEN, NULL },
    };

    (void)state;
    begin(script, COUNT_OF(script));
    fake_get(&get, &w.session, "/a");
    fake_run(&w, CONFIG_KINF_BODY_MS - 1000);
    assert_int_equal(0, get.ends);
    fake_push(&w.server, "5"); /* any byte is progress here */
    fake_run(&w, CONFIG_KINF_BODY_MS - 1);
    assert_int_equal(0, get.ends);
    kinf_poll(&w.k);
    fake_run(&w, CONFIG_KINF_BODY_MS);
    assert_int_equal(1, get.ends);
    EXPECT_ERR(KINF_ERR_TIMEOUT, get.err);
    fake_end_world(&w);
}

/* Bytes that trickle are progress, but not for ever. */
static void test_a_body_that_does_not_end_times_out(void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200, "01234", FAKE_OPEN, NULL },
    };
    uint32_t ms = 0;

    (void)state;
    begin(script, COUNT_OF(script));
    fake_get(&get, &w.session, "/a");
    get.get.body = NULL;
    fake_run(&w, 0);
    for (; ms + 1000 < CONFIG_KINF_OBJECT_MS; ms += 1000) {
        fake_run(&w, 1000);
        fake_push(&w.server, "5");
    }
    assert_int_equal(0, get.ends);
    fake_run(&w, CONFIG_KINF_OBJECT_MS - ms);
    assert_int_equal(1, get.ends);
    EXPECT_ERR(KINF_ERR_TIMEOUT, get.err);
    fake_end_world(&w);
}

/* The loop is asked to come back when a get can wait no longer, and at once for
 * the next in line. */
static void test_a_get_alone_ends_the_sleep(void **state)
{
    static const struct fake_answer script[] = {
        { "/a", 200, "0", FAKE_WHOLE, NULL },
        { "/b", 200, "1", FAKE_OPEN, NULL },
    };
    uint32_t sleep = 0;

    (void)state;
    begin(script, COUNT_OF(script));
    fake_get(&get, &w.session, "/a");
    fake_get(&other, &w.session, "/b");
    while (get.ends == 0)
        sleep = kinf_poll(&w.k);
    assert_int_equal(0, sleep);
    for (int i = 0; i < 100; i++) /* in the smallest steps, too */
        sleep = kinf_poll(&w.k);
    assert_int_equal(1, other.pieces);
    assert_int_equal(CONFIG_KINF_BODY_MS, sleep);
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_get_ends_once_with_its_body_or_why_not),
        cmocka_unit_test(test_gets_are_asked_in_turn_on_one_connection),
        cmocka_unit_test(
            test_a_get_may_be_asked_from_inside_the_end_of_itself),
        cmocka_unit_test(
            test_enough_seen_ends_a_get_well_and_its_connection),
        cmocka_unit_test(test_a_get_asks_for_json_unless_told),
        cmocka_unit_test(test_a_body_nobody_wants_is_read_over),
        cmocka_unit_test(test_a_body_that_stands_still_times_out),
        cmocka_unit_test(test_a_body_that_does_not_end_times_out),
        cmocka_unit_test(test_a_get_alone_ends_the_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
