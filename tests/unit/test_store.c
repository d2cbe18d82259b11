/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - what is taken of an object that comes, and what a key is. */
#include "base/assert.h"
#include "fake_wire.h"
#include "informer/controller.h"
#include "informer/processor.h"
#include "store/arena.h"
#include "store/delta_fifo.h"
#include "store/store.h"
#include "store/store_check.h"
#include "watch/reflector.h"

static struct fake_world w;
static kinf_idx entry, record; /* of the last object */

static void begin(uint32_t objects, uint32_t arena_bytes)
{
    fake_prepare(&w);
    w.idle = true;
    w.informer.sizes = (struct kinf_sizes){
        .objects = objects, .object_bytes = 512, .arena_bytes = arena_bytes,
        .fifo = 4, .every = 1, .ring = 4
    };
    fake_begin(&w);
}

static void check(void)
{
    kinf_store_check(&w.inf.store, &w.inf.fifo, &w.inf.processor);
}

/* Receives an object and queues it if it was taken. */
static int receive(const struct fake_object *o, bool by_bytes)
{
    int answer = fake_receive(&w.inf.store, o,
                              kinf_reflector_in_flight(&w.inf), by_bytes,
                              &entry, &record);

    if (answer == STORE_TAKEN)
        *kinf_fifo_push(&w.inf.fifo, &w.inf.store, entry) =
            (struct kinf_delta){ .type = KINF_DELTA_UPDATED, .entry = entry,
                                 .record = record };
    check();
    return answer;
}

/* Applies all that is queued and lets the handler see it. */
static void settle(void)
{
    while (kinf_reflector_in_flight(&w.inf)) {
        kinf_controller_apply(&w.inf, 10, 10);
        kinf_processor_deliver(&w.inf, 10);
        while (kinf_arena_compact(&w.inf.store, 10000))
            ;
    }
    check();
}

static enum kinf_reason reason(void)
{
    struct kinf_object o;

    kinf_store_view(&w.inf.store, record, &o);
    return o.reason;
}

/* ---- is it news? -------------------------------------------------------- */

static void test_an_object_is_news_unless_uid_and_version_are_held(
    void **state)
{
    static const struct {
        const char *uid, *version;
        int answer;
    } cases[] = {
        { "u1", "5", STORE_SAME },  { "u1", "6", STORE_TAKEN },
        { "u1", "4", STORE_TAKEN }, /* versions are no numbers here */
        { "u2", "5", STORE_TAKEN }, { "u1", "", STORE_TAKEN },
        { "u1", "55", STORE_TAKEN },
    };
    struct fake_object o = { .name = "a", .uid = "u1", .version = "5",
                             .size = 100 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(4, 8192);
        o.uid = "u1";
        o.version = "5";
        assert_int_equal(STORE_TAKEN, receive(&o, false));
        settle();
        o.uid = cases[i].uid;
        o.version = cases[i].version;
        assert_int_equal(cases[i].answer, receive(&o, false));
        fake_end_world(&w);
    }
}

/* After a restore versions are used twice: only equal bytes prove anything. */
static void test_by_bytes_an_object_is_news_unless_its_bytes_are_held(
    void **state)
{
    static const struct {
        char filler;
        uint32_t size;
        int broken, answer;
    } cases[] = {
        { 'x', 100, KINF_OK, STORE_SAME },
        { 'y', 100, KINF_OK, STORE_TAKEN },
        { 'x', 101, KINF_OK, STORE_TAKEN },
        { 'x', 100, KINF_ERR_UNREADABLE, STORE_TAKEN },
    };
    struct fake_object o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(4, 8192);
        o = (struct fake_object){ .name = "a", .uid = "u", .version = "5",
                                  .size = 100, .filler = 'x' };
        assert_int_equal(STORE_TAKEN, receive(&o, false));
        settle();
        o.filler = cases[i].filler;
        o.size = cases[i].size;
        o.broken = cases[i].broken;
        assert_int_equal(cases[i].answer, receive(&o, true));
        fake_end_world(&w);
    }
}

/* An identity is never equal by bytes, and by version only to one that still
 * does not fit. */
static void test_an_identity_is_news_when_the_object_fits_now(void **state)
{
    static const struct {
        uint32_t size;
        bool by_bytes;
        int answer;
    } cases[] = {
        { 600, false, STORE_SAME },
        { 600, true, STORE_TAKEN },
        { 100, false, STORE_TAKEN },
    };
    struct fake_object o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(4, 8192);
        o = (struct fake_object){ .name = "a", .uid = "u", .version = "5",
                                  .size = 600 };
        assert_int_equal(STORE_TAKEN, receive(&o, false));
        assert_int_equal(KINF_REASON_TOO_BIG, reason());
        settle();
        o.size = cases[i].size;
        assert_int_equal(cases[i].answer, receive(&o, cases[i].by_bytes));
        fake_end_world(&w);
    }
}

/* ---- what is taken of it ------------------------------------------------ */

static void test_an_object_is_held_whole_or_as_its_identity_and_why(
    void **state)
{
    static const struct {
        uint32_t size;
        int broken;
        enum kinf_reason reason;
    } cases[] = {
        { 8, KINF_OK, KINF_WHOLE }, /* less than an identity counts for */
        { 512, KINF_OK, KINF_WHOLE },
        { 513, KINF_OK, KINF_REASON_TOO_BIG },
        { 100, KINF_ERR_UNREADABLE, KINF_REASON_UNREADABLE },
        { 600, KINF_ERR_UNREADABLE, KINF_REASON_UNREADABLE },
    };
    struct fake_object o = { .namespace_ = "space", .name = "a", .uid = "u",
                             .version = "5" };
    struct kinf_object got;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(4, 8192);
        o.size = cases[i].size;
        o.broken = cases[i].broken;
        assert_int_equal(STORE_TAKEN, receive(&o, false));
        assert_int_equal(cases[i].reason, reason());
        settle();
        EXPECT_ERR(KINF_ERR_INCOMPLETE, kinf_get(&w.inf, fake_span("a"),
                                                 &got));
        assert_int_equal(KINF_INCOMPLETE,
                         kinf_get(&w.inf, fake_span("space/a"), &got));
        assert_memory_equal("u", got.uid.ptr, 1);
        assert_memory_equal("5", got.resource_version.ptr, 1);
        assert_int_equal(cases[i].size > 8 ? cases[i].size : 8, got.size);
        fake_end_world(&w);
    }
}

/* uid, version and namespace may all be missing. */
static void test_an_identity_may_be_a_name_alone(void **state)
{
    struct fake_object o = { .name = "a", .uid = "", .version = "",
                             .size = 600 };
    struct kinf_object got;

    (void)state;
    begin(4, 8192);
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    settle();
    assert_int_equal(KINF_INCOMPLETE, kinf_get(&w.inf, fake_span("a"), &got));
    assert_int_equal(0, got.uid.len + got.resource_version.len);
    assert_int_equal(STORE_TAKEN, receive(&o, false)); /* proves nothing */
    settle();
    fake_end_world(&w);
}

/* In an arena for two of the largest there is room for one, and another. */
static void test_a_full_arena_takes_identities_and_then_no_key(void **state)
{
    struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                             .size = 400 };
    char name[2] = "a";
    int answer;

    (void)state;
    begin(16, 2 * (512 + 12));
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    assert_int_equal(KINF_WHOLE, reason());
    settle();
    o.name = name;
    name[0] = 'b';
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    assert_int_equal(KINF_REASON_NO_ROOM, reason());
    settle();
    do {
        name[0]++;
        answer = receive(&o, false);
        settle();
    } while (answer == STORE_TAKEN);
    assert_int_equal(STORE_NO_ENTRY, answer);
    assert_true(name[0] < 'a' + 16);
    fake_end_world(&w);
}

static void test_a_key_finds_no_entry_when_all_are_taken(void **state)
{
    struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                             .size = 20 };

    (void)state;
    begin(1, 8192);
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    settle();
    o.name = "b";
    assert_int_equal(STORE_NO_ENTRY, receive(&o, false));
    fake_end_world(&w);
}

/* Its deletion has given its room away, though its entry is still there. */
static void test_a_key_that_comes_back_needs_room_like_a_new_one(void **state)
{
    struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                             .size = 600 };
    struct kinf_item item = fake_item(&o);

    (void)state;
    begin(4, 2 * (512 + 12));
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    settle();
    assert_int_equal(entry, kinf_store_receive_delete(&w.inf.store, &item));
    kinf_fifo_push(&w.inf.fifo, &w.inf.store, entry)->type =
        KINF_DELTA_DELETED;
    o = (struct fake_object){ .name = "b", .uid = "v", .version = "3",
                              .size = 500 };
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    assert_int_equal(KINF_WHOLE, reason());
    o = (struct fake_object){ .name = "a", .uid = "u", .version = "4",
                              .size = 600 };
    assert_int_equal(STORE_NO_ENTRY, receive(&o, false));
    settle();
    assert_int_equal(1, w.inf.store.entry_pool.used);
    fake_end_world(&w);
}

/* ---- room --------------------------------------------------------------- */

/* While something is in flight, one waits for the place it may give back; when
 * nothing is, one reads without. */
static void test_room_that_may_come_back_is_waited_for(void **state)
{
    struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                             .size = 100 };

    (void)state;
    begin(1, 8192);
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    o.name = "b";
    EXPECT_ERR(KINF_ERR_AGAIN, receive(&o, false));
    settle();
    assert_int_equal(STORE_NO_ENTRY, receive(&o, false));
    fake_end_world(&w);
}

static void test_an_object_is_received_after_the_other(void **state)
{
    (void)state;
    begin(1, 8192);
    EXPECT_ERR(KINF_OK, kinf_store_reserve(&w.inf.store, false));
    expect_assert_failure(kinf_store_reserve(&w.inf.store, false));
    store_release(&w.inf.store);
    fake_end_world(&w);
}

static void test_a_fetch_fits_if_the_object_would_be_taken_now(void **state)
{
    static const struct {
        uint32_t size;
        bool fits;
    } cases[] = { { 400, true }, { 440, true }, { 480, false } };
    struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                             .size = 600 };

    (void)state;
    begin(4, 2 * (512 + 12));
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    o.name = "b";
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    settle();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(cases[i].fits,
                         kinf_store_fits(&w.inf.store, entry, cases[i].size));
    expect_assert_failure(kinf_store_fits(&w.inf.store, entry, 513));
    fake_end_world(&w);
}

/* ---- keys --------------------------------------------------------------- */

/* With a hash key of zeroes these collide in all 32 bits. */
static void test_keys_of_one_hash_are_told_apart(void **state)
{
    static const struct {
        const char *space, *name, *key;
    } keys[] = {
        { "ns", "n161554", "ns/n161554" }, { "ns", "n291045", "ns/n291045" },
        { "n92124", "x", "n92124/x" },     { "n210911", "x", "n210911/x" },
    };
    struct kinf_object got;

    (void)state;
    begin(8, 8192);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct fake_object o = { .namespace_ = keys[i].space,
                                 .name = keys[i].name, .uid = keys[i].key,
                                 .version = "1", .size = 100 };

        assert_int_equal(STORE_TAKEN, receive(&o, false));
        settle();
    }
    assert_int_equal(w.inf.store.entries[0].hash, w.inf.store.entries[1].hash);
    assert_int_equal(w.inf.store.entries[2].hash, w.inf.store.entries[3].hash);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_int_equal(KINF_INCOMPLETE,
                         kinf_get(&w.inf, fake_span(keys[i].key), &got));
        assert_memory_equal(keys[i].key, got.uid.ptr, got.uid.len);
    }
    fake_end_world(&w);
}

static void test_a_key_is_deleted_once(void **state)
{
    const struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                                   .size = 100 };
    struct kinf_item item = fake_item(&o);

    (void)state;
    begin(4, 8192);
    assert_int_equal(KINF_NONE,
                     kinf_store_receive_delete(&w.inf.store, &item));
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    assert_int_equal(entry, kinf_store_receive_delete(&w.inf.store, &item));
    assert_int_equal(KINF_NONE,
                     kinf_store_receive_delete(&w.inf.store, &item));
    /* Until that is applied it can come back, and is news. */
    assert_int_equal(STORE_TAKEN, receive(&o, false));
    settle();
    fake_end_world(&w);
}

static void test_the_same_uid_is_the_same_object(void **state)
{
    struct fake_object o = { .name = "a", .uid = "u1", .version = "1",
                             .size = 100 };
    kinf_idx first, second;

    (void)state;
    begin(4, 8192);
    receive(&o, false);
    first = record;
    o.version = "2";
    receive(&o, false);
    second = record;
    assert_true(kinf_store_same_uid(&w.inf.store, first, second));
    o.uid = "u2";
    o.version = "3";
    receive(&o, false);
    assert_false(kinf_store_same_uid(&w.inf.store, first, record));
    fake_end_world(&w);
}

/* ---- generations -------------------------------------------------------- */

/* Before the number wraps all stamps are cleared, some at each call. */
static void test_the_number_of_lists_wraps_without_mixing_them_up(
    void **state)
{
    struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                             .size = 40 };
    char name[2] = "a";
    int calls = 0;

    (void)state;
    begin(8, 8192);
    w.inf.store.generation = UINT16_MAX;
    o.name = name;
    for (; name[0] < 'a' + 8; name[0]++) {
        assert_int_equal(STORE_TAKEN, receive(&o, false));
        settle();
    }
    while (kinf_store_new_generation(&w.inf.store) == KINF_ERR_AGAIN)
        calls++;
    assert_int_equal(8 / CONFIG_KINF_POLL_ENTRIES, calls);
    assert_int_equal(1, w.inf.store.generation);
    for (int i = 0; i < 8; i++)
        assert_int_equal(0, w.inf.store.entries[i].generation);
    EXPECT_ERR(KINF_OK, kinf_store_new_generation(&w.inf.store));
    assert_int_equal(2, w.inf.store.generation);
    fake_end_world(&w);
}

/* ---- checking ----------------------------------------------------------- */

static void test_a_store_that_was_tampered_with_is_noticed(void **state)
{
    const struct fake_object o = { .name = "a", .uid = "u", .version = "1",
                                   .size = 100 };

    (void)state;
    begin(4, 8192);
    receive(&o, false);
    w.inf.store.settled++;
    expect_assert_failure(check());
    w.inf.store.settled--;
    w.inf.store.records[record].refs++;
    expect_assert_failure(check());
    w.inf.store.records[record].refs--;
    w.inf.store.holes += 4;
    expect_assert_failure(check());
    w.inf.store.holes -= 4;
    check();
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_an_object_is_news_unless_uid_and_version_are_held),
        cmocka_unit_test(
            test_by_bytes_an_object_is_news_unless_its_bytes_are_held),
        cmocka_unit_test(test_an_identity_is_news_when_the_object_fits_now),
        cmocka_unit_test(
            test_an_object_is_held_whole_or_as_its_identity_and_why),
        cmocka_unit_test(test_an_identity_may_be_a_name_alone),
        cmocka_unit_test(
            test_a_full_arena_takes_identities_and_then_no_key),
        cmocka_unit_test(test_a_key_finds_no_entry_when_all_are_taken),
        cmocka_unit_test(test_a_key_that_comes_back_needs_room_like_a_new_one),
        cmocka_unit_test(test_room_that_may_come_back_is_waited_for),
        cmocka_unit_test(test_an_object_is_received_after_the_other),
        cmocka_unit_test(test_a_fetch_fits_if_the_object_would_be_taken_now),
        cmocka_unit_test(test_keys_of_one_hash_are_told_apart),
        cmocka_unit_test(test_a_key_is_deleted_once),
        cmocka_unit_test(test_the_same_uid_is_the_same_object),
        cmocka_unit_test(
            test_the_number_of_lists_wraps_without_mixing_them_up),
        cmocka_unit_test(test_a_store_that_was_tampered_with_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
