/* SPDX-License-Identifier: Apache-2.0 */
/* test_script.c - the source that plays a script: by itself, and under an
 * informer, as a user would test handlers with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinformer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OBJECT(name, version)                                                  \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name                   \
    "\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, name, version)                                             \
    "{\"type\":\"" type "\",\"object\":" OBJECT(name, version) "}\n"
#define LIST(version, items)                                                   \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"

/* ---- by itself ---------------------------------------------------------- */

static char trace[1024];

static void note(const char *format, ...)
{
    size_t used = strlen(trace);
    va_list args;

    va_start(args, format);
    vsnprintf(trace + used, sizeof(trace) - used, format, args);
    va_end(args);
}

static int ask(struct kinf_script *s, enum kinf_request_type type)
{
    struct kinf_request request = { .type = type };

    return kinf_script_ops.request(s, &request);
}

/* Reads until there is nothing, an end, or an error, and notes all of it. */
static const char *read_on(struct kinf_script *s)
{
    static const char *const types[] = { "listed", "added", "modified",
                                         "deleted", "bookmark", "error",
                                         "unknown" };
    static struct kinf_item item; /* the same until the request's end */
    static struct kinf_sink sink;
    char kept[256];

    trace[0] = '\0';
    for (;;) {
        int event = kinf_script_ops.next(s, 0, &sink, &item);

        switch (event) {
        case KINF_SOURCE_OPEN:
            note("open ");
            break;
        case KINF_SOURCE_BEGIN:
            sink = (struct kinf_sink){ .ptr = kept, .size = sizeof(kept) };
            break;
        case KINF_SOURCE_ITEM:
            note("%s-%.*s ", types[item.event], (int)item.name.len,
                 item.name.ptr);
            break;
        case KINF_SOURCE_END:
            note("end");
            if (s->steps[s->at - 1].on != KINF_REQUEST_GET)
                note("@%.*s", (int)item.version.len, item.version.ptr);
            return trace;
        case KINF_ERR_AGAIN:
            note("again");
            return trace;
        default:
            note("(%d)", event);
            return trace;
        }
    }
}

/* One whole answer. */
static const char *answer(struct kinf_script *s, enum kinf_request_type type)
{
    int err = ask(s, type);

    if (err == KINF_OK)
        read_on(s);
    else
        snprintf(trace, sizeof(trace), "(%d)", err);
    if (err == KINF_OK)
        kinf_script_ops.close(s);
    return trace;
}

static void test_steps_answer_their_requests_in_order(void **state)
{
    static const struct kinf_script_step steps[] = {
        { KINF_REQUEST_LIST, KINF_OK,
          LIST("5", OBJECT("a", "1") "," OBJECT("b", "2")) },
        { KINF_REQUEST_GET, KINF_OK, OBJECT("c", "3") },
        { KINF_REQUEST_PROBE, KINF_OK, LIST("6", "") " \n" },
        { KINF_REQUEST_STREAM, KINF_OK, EVENT("ADDED", "d", "7") },
    };
    struct kinf_script s = { .steps = steps, .count = COUNT(steps) };
    (void)state;

    assert_string_equal("open listed-a listed-b end@5",
                        answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("open listed-c end", answer(&s, KINF_REQUEST_GET));
    assert_string_equal("open end@6", answer(&s, KINF_REQUEST_PROBE));
    assert_string_equal("open added-d again", answer(&s, KINF_REQUEST_STREAM));
    assert_int_equal(4, s.at);
}

static void test_a_watch_goes_on_over_steps_and_then_is_silent(void **state)
{
    static const struct kinf_script_step steps[] = {
        { KINF_REQUEST_WATCH, KINF_OK, EVENT("ADDED", "a", "1") "{\"type\":" },
        { KINF_REQUEST_WATCH, KINF_OK,
          "\"DELETED\",\"object\":" OBJECT("b", "2") "}" },
        { KINF_REQUEST_WATCH, KINF_ERR_CLOSED, EVENT("MODIFIED", "c", "3") },
        { KINF_REQUEST_WATCH, KINF_ERR_GONE, NULL },
    };
    struct kinf_script s = { .steps = steps, .count = 1 };
    (void)state;

    assert_int_equal(KINF_OK, ask(&s, KINF_REQUEST_WATCH));
    assert_int_equal(KINF_ERR_AGAIN, ask(&s, KINF_REQUEST_GET)); /* busy */
    assert_string_equal("open added-a again", read_on(&s));
    assert_string_equal("again", read_on(&s));
    s.count = 2; /* lengthened while it plays */
    assert_string_equal("deleted-b again", read_on(&s));
    s.count = 4;
    assert_string_equal("modified-c (-11)", read_on(&s));
    kinf_script_ops.close(&s);
    assert_string_equal("(-38)", answer(&s, KINF_REQUEST_WATCH));
    assert_string_equal("open again", answer(&s, KINF_REQUEST_WATCH));
}

static void test_what_the_script_does_not_hold_waits_or_is_refused(void **state)
{
    static const struct kinf_script_step steps[] = {
        { KINF_REQUEST_LIST, KINF_OK, LIST("1", "") },
        { KINF_REQUEST_LIST, KINF_OK, LIST("2", "") },
    };
    struct kinf_script s = { .steps = steps, .count = COUNT(steps) };
    (void)state;

    assert_string_equal("(-44)", answer(&s, KINF_REQUEST_STREAM));
    assert_string_equal("(-36)", answer(&s, KINF_REQUEST_GET));
    assert_string_equal("(-36)", answer(&s, KINF_REQUEST_PROBE));
    assert_int_equal(0, s.at);
    assert_string_equal("open end@1", answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("(-1)", answer(&s, KINF_REQUEST_WATCH));
    assert_string_equal("open end@2", answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("(-1)", answer(&s, KINF_REQUEST_LIST));
}

static void test_broken_bodies_fail_as_the_wire_would(void **state)
{
    static const struct kinf_script_step steps[] = {
        { KINF_REQUEST_LIST, KINF_OK, "{\"items\":[" OBJECT("a", "1") },
        { KINF_REQUEST_LIST, KINF_OK, "{\"items\":[" OBJECT("a", "1") "}" },
        { KINF_REQUEST_LIST, KINF_ERR_SERVER, LIST("1", OBJECT("a", "1")) },
        { KINF_REQUEST_LIST, KINF_OK, NULL },
        { KINF_REQUEST_LIST, KINF_OK, "" },
    };
    struct kinf_script s = { .steps = steps, .count = COUNT(steps) };
    (void)state;

    assert_string_equal("open listed-a (-33)", answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("open listed-a (-45)", answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("open listed-a (-41)", answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("open (-33)", answer(&s, KINF_REQUEST_LIST));
    assert_string_equal("open (-33)", answer(&s, KINF_REQUEST_LIST));
}

static void test_a_body_may_be_long(void **state)
{
    enum { ITEMS = 100 };
    static char body[ITEMS * 100];
    struct kinf_script_step step = { KINF_REQUEST_WATCH, KINF_OK, body };
    struct kinf_script s = { .steps = &step, .count = 1 };
    size_t used = 0;
    (void)state;

    for (unsigned i = 0; i < ITEMS; i++)
        used += (size_t)snprintf(body + used, sizeof(body) - used,
                                 EVENT("ADDED", "%03u", "1"), i, i);
    answer(&s, KINF_REQUEST_WATCH);
    assert_non_null(strstr(trace, "open added-000 added-001 "));
    assert_int_equal(strlen("open again") + ITEMS * strlen("added-000 "),
                     strlen(trace));
}

/* ---- under an informer -------------------------------------------------- */

static uint32_t clock_ms;

static uint32_t fake_now(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t fake_wall(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static void fake_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, 3, size);
}

static const struct kinf_platform platform = { .now_ms = fake_now,
                                               .wall_s = fake_wall,
                                               .random = fake_random };

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    note("%s%.*s ", initial ? "++" : "+", (int)object->name.len,
         object->name.ptr);
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)ctx;
    note("%.*s:%.*s>%.*s ", (int)object->name.len, object->name.ptr,
         (int)was->resource_version.len, was->resource_version.ptr,
         (int)object->resource_version.len, object->resource_version.ptr);
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    note("%s%.*s ", unknown ? "-?" : "-", (int)was->name.len, was->name.ptr);
    return KINF_OK;
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    (void)ctx;
    (void)was;
    (void)identity;
    note("truncated ");
    return KINF_OK;
}

static const struct kinf_event_handler handler = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_truncated
};

/* Lets up to ten seconds pass, as fast as the loop allows. */
static const char *run(struct kinf *k)
{
    uint32_t end = clock_ms + 10000;

    trace[0] = '\0';
    while (clock_ms != end) {
        uint32_t sleep = kinf_poll(k);

        clock_ms += sleep < end - clock_ms ? sleep : end - clock_ms;
    }
    return trace;
}

static void test_handlers_see_what_the_script_says(void **state)
{
    static const struct kinf_script_step steps[] = {
        { KINF_REQUEST_LIST, KINF_OK,
          LIST("5", OBJECT("a", "1") "," OBJECT("b", "2")) },
        { KINF_REQUEST_WATCH, KINF_OK, EVENT("ADDED", "c", "6") },
        { KINF_REQUEST_WATCH, KINF_OK,
          EVENT("MODIFIED", "a", "7") EVENT("DELETED", "b", "8") },
        { KINF_REQUEST_WATCH, KINF_ERR_GONE, NULL },
        { KINF_REQUEST_LIST, KINF_OK,
          LIST("20", OBJECT("a", "7") "," OBJECT("d", "19")) },
        { KINF_REQUEST_WATCH, KINF_OK, EVENT("MODIFIED", "d", "21") },
    };
    static uint64_t memory[(KINF_INFORMER_BYTES(8, 8192, 4, 1, 4, 0, 0) + 7) /
                           8];
    struct kinf_script script = { .steps = steps, .count = 1 };
    struct kinf_config config = { .platform = &platform,
                                  .host = KINF_SPAN("script") };
    struct kinf_informer_config ic = {
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .sizes = { .objects = 8, .object_bytes = 512, .arena_bytes = 8192,
                   .fifo = 4, .every = 1, .ring = 4 },
        .memory = memory, .memory_size = sizeof(memory),
        .source = &kinf_script_ops, .source_ctx = &script
    };
    struct kinf_listener listener;
    struct kinf_informer inf;
    struct kinf k;
    (void)state;

    kinf_init(&k, &config);
    kinf_informer_init(&inf, &k, &ic);
    assert_int_equal(KINF_OK, kinf_listener_add(&inf, &listener, &handler, NULL,
                                                KINF_EVERY, 0));
    kinf_start(&k);
    assert_string_equal("++a ++b ", run(&k));
    assert_true(kinf_informer_synced(&inf));
    assert_true(kinf_listener_synced(&listener));
    script.count = 2;
    kinf_wake(&k);
    assert_string_equal("+c ", run(&k));
    script.count = 3;
    assert_string_equal("a:1>7 -b ", run(&k));
    script.count = 6;
    assert_string_equal("+d -?c d:19>21 ", run(&k));
    assert_int_equal(6, script.at);
    kinf_stop(&k);
    run(&k);
    assert_true(kinf_stopped(&k));
    assert_false(script.busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_answer_their_requests_in_order),
        cmocka_unit_test(test_a_watch_goes_on_over_steps_and_then_is_silent),
        cmocka_unit_test(
            test_what_the_script_does_not_hold_waits_or_is_refused),
        cmocka_unit_test(test_broken_bodies_fail_as_the_wire_would),
        cmocka_unit_test(test_a_body_may_be_long),
        cmocka_unit_test(test_handlers_see_what_the_script_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
