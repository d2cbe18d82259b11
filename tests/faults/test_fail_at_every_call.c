/* SPDX-License-Identifier: Apache-2.0 */
/* test_fail_at_every_call.c - each scenario once to count the calls of the
 * port, then with each of them failing in each way it may, once and for ever.
 *
 * No assertion breaks, the store is sound after each poll, requests stay few,
 * and afterwards the cache is the server's, every handler has been shown all,
 * and stopped, nothing is held. */
#include "world.h"

#define STEPS(...)                                                             \
    (const char *const[])                                                      \
    {                                                                          \
        __VA_ARGS__, NULL                                                      \
    }

static const struct fault faults[] = { { CALL_OPEN, KINF_ERR_AGAIN },
                                       { CALL_OPEN, KINF_ERR_NAME },
                                       { CALL_OPEN, KINF_ERR_REFUSED },
                                       { CALL_OPEN, KINF_ERR_CLOSED },
                                       { CALL_OPEN, KINF_ERR_TIMEOUT },
                                       { CALL_OPEN, KINF_ERR_TLS },
                                       { CALL_OPEN, KINF_ERR_NOT_TRUSTED },
                                       { CALL_OPEN, KINF_ERR_WRONG_HOST },
                                       { CALL_OPEN, KINF_ERR_EXPIRED },
                                       { CALL_OPEN, KINF_ERR_NO_CLOCK },
                                       { CALL_OPEN, KINF_ERR_NOT_YET_VALID },
                                       { CALL_OPEN, KINF_ERR_NO_MEMORY },
                                       { CALL_OPEN, KINF_ERR_CREDENTIALS },
                                       { CALL_OPEN, KINF_ERR_RECORD },
                                       { CALL_SEND, TRICK_SHORT },
                                       { CALL_SEND, KINF_ERR_AGAIN },
                                       { CALL_SEND, KINF_ERR_CLOSED },
                                       { CALL_SEND, KINF_ERR_TIMEOUT },
                                       { CALL_SEND, KINF_ERR_TLS },
                                       { CALL_SEND, KINF_ERR_NO_MEMORY },
                                       { CALL_RECV, TRICK_SHORT },
                                       { CALL_RECV, KINF_ERR_AGAIN },
                                       { CALL_RECV, KINF_ERR_CLOSED },
                                       { CALL_RECV, KINF_ERR_TIMEOUT },
                                       { CALL_RECV, KINF_ERR_TLS },
                                       { CALL_RECV, KINF_ERR_NO_MEMORY },
                                       { CALL_RECV, KINF_ERR_RECORD },
                                       { CALL_STATUS, TRICK_NOTHING },
                                       { CALL_STATUS, TRICK_ODD },
                                       { CALL_TOKEN, TRICK_NOTHING },
                                       { CALL_TOKEN, TRICK_ODD },
                                       { CALL_NOW, TRICK_JUMP },
                                       { CALL_RANDOM, TRICK_NOTHING },
                                       { CALL_RANDOM, TRICK_ODD },
                                       { CALL_WALL, TRICK_NOTHING },
                                       { CALL_WALL, TRICK_JUMP } };

static void fail_each(const struct scenario *scenario)
{
    static uint8_t kinds[8192];
    uint32_t count = play(scenario, NULL, 0, false, kinds, sizeof(kinds));
    unsigned runs = 0;

    assert_true(count > 20 && count <= sizeof(kinds));
    for (uint32_t n = 1; n <= count; n++) {
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            if (faults[i].call != kinds[n - 1])
                continue;
            play(scenario, &faults[i], n, false, NULL, 0);
            /* Time that leaps at every look is not a clock. */
            if (faults[i].call != CALL_NOW)
                play(scenario, &faults[i], n, true, NULL, 0);
            runs++;
        }
    }
    print_message("# %s: %u calls, %u failures\n", scenario->name,
                  (unsigned)count, runs);
}

static void test_failing_list_and_watch(void **state)
{
    const struct scenario s = { .name = "list and watch",
                                .steps = STEPS("+a +b +c", "+a +d -b", "end",
                                               "-a +e cut", "+b") };

    (void)state;
    fail_each(&s);
}

static void test_failing_in_the_middle_of_objects(void **state)
{
    const struct scenario s = { .name = "small pieces",
                                .piece = 70,
                                .steps = STEPS("+a +b +c", "-a +b +d", "+a") };

    (void)state;
    fail_each(&s);
}

static void test_failing_in_the_middle_of_a_streaming_list(void **state)
{
    const struct scenario s = { .name = "small pieces of a stream",
                                .piece = 70,
                                .stream = true,
                                .steps = STEPS("+a +b +c", "-a +b 410") };

    (void)state;
    fail_each(&s);
}

static void test_failing_pages(void **state)
{
    const struct scenario s = { .name = "pages",
                                .limit = 2,
                                .steps = STEPS("+a +b +c +d +e", "-a +f") };

    (void)state;
    fail_each(&s);
}

static void test_failing_streaming_list(void **state)
{
    const struct scenario s = { .name = "streaming list",
                                .stream = true,
                                .steps = STEPS("+a +b +c", "+a -b", "-a 410",
                                               "+b") };

    (void)state;
    fail_each(&s);
}

static void test_failing_refused_streaming_list(void **state)
{
    const struct scenario s = { .name = "refused streaming list",
                                .stream = true,
                                .refuses = true,
                                .steps = STEPS("+a +b", "-a +c") };

    (void)state;
    fail_each(&s);
}

static void test_failing_list_after_410(void **state)
{
    const struct scenario s = { .name = "410",
                                .limit = 2,
                                .steps = STEPS("+a +b +c", "+a -b +d 410",
                                               "-c 410", "+c") };

    (void)state;
    fail_each(&s);
}

static void test_failing_fetch_of_a_truncated_object(void **state)
{
    const struct scenario s = { .name = "fetch",
                                .arena_bytes = 2600,
                                .single = true,
                                .steps = STEPS("*a *b *c *d", "-a", "-b -c") };

    (void)state;
    fail_each(&s);
}

static void test_failing_fetch_on_the_same_connection(void **state)
{
    const struct scenario s = { .name = "fetch, one connection",
                                .arena_bytes = 2600,
                                .steps = STEPS("*a *b *c *d", "-a end",
                                               "-b -c end") };

    (void)state;
    fail_each(&s);
}

static void test_failing_repair_of_a_full_cache(void **state)
{
    const struct scenario s = { .name = "repair",
                                .objects = 3,
                                .steps = STEPS("+a +b +c +d", "+e -a", "-b") };

    (void)state;
    fail_each(&s);
}

static void test_failing_verification(void **state)
{
    const struct scenario s = { .name = "verification",
                                .verify = true,
                                .limit = 1,
                                .steps = STEPS("+a +b", "wait -a +c", "+b") };

    (void)state;
    fail_each(&s);
}

static void test_failing_probe(void **state)
{
    const struct scenario s = { .name = "probe",
                                .single = true,
                                .steps = STEPS("+a +b", "wait +c", "-a") };

    (void)state;
    fail_each(&s);
}

static void test_failing_two_by_turns(void **state)
{
    const struct scenario s = { .name = "two by turns",
                                .two = true,
                                .steps = STEPS("+a +b", "+a -b", "+c") };

    (void)state;
    fail_each(&s);
}

static void test_failing_token_refused(void **state)
{
    const struct scenario s = { .name = "token refused",
                                .token = true,
                                .steps = STEPS("+a +b", "+a end", "-b") };

    (void)state;
    fail_each(&s);
}

static void test_failing_busy_server(void **state)
{
    const struct scenario s = { .name = "busy server",
                                .busy = true,
                                .steps = STEPS("+a +b", "-a") };

    (void)state;
    fail_each(&s);
}

static void test_failing_without_tls(void **state)
{
    const struct scenario s = { .name = "without TLS",
                                .plain = true,
                                .steps = STEPS("+a +b", "+a -b cut") };

    (void)state;
    fail_each(&s);
}

static void test_failing_late_handler_and_reload(void **state)
{
    const struct scenario s = { .name = "late handler, reload",
                                .steps = STEPS("+a +b", "late +a +c", "reload",
                                               "-a", "gone +b") };

    (void)state;
    fail_each(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_list_and_watch),
        cmocka_unit_test(test_failing_in_the_middle_of_objects),
        cmocka_unit_test(test_failing_in_the_middle_of_a_streaming_list),
        cmocka_unit_test(test_failing_pages),
        cmocka_unit_test(test_failing_streaming_list),
        cmocka_unit_test(test_failing_refused_streaming_list),
        cmocka_unit_test(test_failing_list_after_410),
        cmocka_unit_test(test_failing_fetch_of_a_truncated_object),
        cmocka_unit_test(test_failing_fetch_on_the_same_connection),
        cmocka_unit_test(test_failing_repair_of_a_full_cache),
        cmocka_unit_test(test_failing_verification),
        cmocka_unit_test(test_failing_probe),
        cmocka_unit_test(test_failing_two_by_turns),
        cmocka_unit_test(test_failing_token_refused),
        cmocka_unit_test(test_failing_busy_server),
        cmocka_unit_test(test_failing_without_tls),
        cmocka_unit_test(test_failing_late_handler_and_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
