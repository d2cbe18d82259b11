/* SPDX-License-Identifier: Apache-2.0 */
/* test_arena.c - payloads in one line: holes, compaction, bounded steps. */
#include "base/assert.h"
#include "base/pool.h"
#include "fake.h"
#include "store/arena.h"
#include "store/store_check.h"

enum { BYTES = 4096, RECORDS = 64, OBJECT_BYTES = 512 };

static union {
    char bytes[BYTES];
    uint64_t align;
} memory;
static struct kinf_record records[RECORDS];
static struct kinf_store s;

static void empty(void)
{
    memset(&memory, 0xA5, sizeof(memory));
    s = (struct kinf_store){ .records = records, .arena = memory.bytes,
                             .arena_bytes = BYTES,
                             .object_bytes = OBJECT_BYTES,
                             .lowest = UINT32_MAX };
}

/* Takes a payload whose every byte is the record's number. */
static void take(kinf_idx record, uint32_t size)
{
    memset(arena_head(&s), record, size);
    kinf_arena_take(&s, record, size);
}

static void expect_payload(kinf_idx record, uint32_t size)
{
    const char *at = s.arena + records[record].place;

    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(record, at[i]);
}

/* Compacts to the end; returns in how many calls. */
static unsigned compact(uint32_t budget)
{
    unsigned calls = 1;

    while (kinf_arena_compact(&s, budget))
        calls++;
    return calls;
}

static void test_a_new_payload_lies_behind_the_last_one(void **state)
{
    (void)state;
    empty();
    take(1, 100);
    take(2, 1);
    take(3, 0);
    assert_true(records[1].place < records[2].place);
    assert_true(records[2].place < records[3].place);
    assert_int_equal(arena_cost(100) + arena_cost(1) + arena_cost(0), s.head);
    expect_payload(1, 100);
    expect_payload(2, 1);
}

static void test_the_last_payload_leaves_no_hole(void **state)
{
    (void)state;
    empty();
    take(1, 100);
    take(2, 100);
    kinf_arena_free(&s, 2);
    assert_int_equal(arena_cost(100), s.head);
    assert_int_equal(0, s.holes);
    kinf_arena_free(&s, 1);
    assert_int_equal(0, s.head);
    assert_int_equal(arena_cost(100) * 2, s.high);
}

/* Somebody writes at the head: it may not move under him. */
static void test_the_head_stays_while_it_is_written_to(void **state)
{
    (void)state;
    empty();
    take(1, 100);
    take(2, 100);
    s.reserved = true;
    kinf_arena_free(&s, 2);
    assert_int_equal(arena_cost(100) * 2, s.head);
    assert_int_equal(arena_cost(100), s.holes);
}

static void test_compaction_closes_every_hole_and_keeps_every_byte(
    void **state)
{
    static const uint32_t budgets[] = { 1, 100, 700, 100000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(budgets); i++) {
        empty();
        for (kinf_idx r = 0; r < 12; r++)
            take(r, 200u + r);
        for (kinf_idx r = 0; r < 12; r++)
            if (r % 3 == 1)
                kinf_arena_free(&s, r);
        s.want_room = true;
        s.object_bytes = 2300; /* more than is left at the head */
        compact(budgets[i]);
        assert_int_equal(0, s.holes);
        for (kinf_idx r = 0; r < 12; r++)
            if (r % 3 != 1)
                expect_payload(r, 200u + r);
    }
}

/* Each call moves about its budget: a payload more at most, and looking at a
 * block counts. */
static void test_compaction_moves_about_its_budget_in_a_call(void **state)
{
    (void)state;
    empty();
    for (kinf_idx r = 0; r < 20; r++)
        take(r, 100);
    kinf_arena_free(&s, 0);
    s.want_room = true;
    s.object_bytes = 2000;
    assert_in_range(compact(200), 1 + 19 * (64 + arena_cost(100)) / 400,
                    1 + 19 * (64 + arena_cost(100)) / 200);
    assert_int_equal(0, s.holes);
}

static void test_few_holes_are_left_alone_until_room_is_wanted(void **state)
{
    (void)state;
    empty();
    for (kinf_idx r = 0; r < 7; r++)
        take(r, 500);
    kinf_arena_free(&s, 2);
    s.object_bytes = 1100;
    assert_int_equal(1, compact(100000));
    assert_int_equal(arena_cost(500), s.holes);
    assert_false(arena_room(&s));
    assert_false(arena_wanted(&s));
    s.want_room = true;
    assert_true(arena_wanted(&s));
    compact(100000);
    assert_int_equal(0, s.holes);
    assert_true(arena_room(&s) || s.holes == 0);
}

static void test_a_payload_may_become_a_hole_while_compaction_runs(
    void **state)
{
    (void)state;
    for (kinf_idx gone = 2; gone < 12; gone++) {
        empty();
        for (kinf_idx r = 0; r < 12; r++)
            take(r, 200);
        kinf_arena_free(&s, 0);
        kinf_arena_free(&s, 1);
        s.want_room = true;
        s.object_bytes = 2200;
        for (int i = 0; i < 4; i++)
            assert_true(kinf_arena_compact(&s, 1));
        kinf_arena_free(&s, gone);
        compact(1);
        s.object_bytes = 3000;
        compact(1);
        assert_int_equal(0, s.holes);
        for (kinf_idx r = 2; r < 12; r++)
            if (r != gone)
                expect_payload(r, 200);
    }
}

/* What is being received follows the gap: it is closed when that is done. */
static void test_compaction_ends_only_when_nothing_is_received(void **state)
{
    (void)state;
    empty();
    for (kinf_idx r = 0; r < 7; r++)
        take(r, 500);
    kinf_arena_free(&s, 0);
    s.want_room = true;
    s.object_bytes = 1100;
    s.reserved = true;
    assert_false(kinf_arena_compact(&s, 100000));
    assert_int_equal(arena_cost(500), s.holes);
    s.reserved = false;
    assert_false(kinf_arena_compact(&s, 100000));
    assert_int_equal(0, s.holes);
}

static void test_a_payload_can_be_cut_to_its_first_bytes(void **state)
{
    static const struct {
        uint32_t from, to, freed;
    } cases[] = {
        { 400, 20, 380 },
        { 400, 0, 400 },
        { 400, 400, 0 },
        { 400, 397, 0 }, /* the rest is no block of its own */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        empty();
        take(1, cases[i].from);
        take(2, 100);
        kinf_arena_shrink(&s, 1, cases[i].to);
        assert_int_equal(cases[i].freed, s.holes);
        expect_payload(1, cases[i].to);
        expect_payload(2, 100);
    }
}

static void test_what_does_not_fit_is_not_taken(void **state)
{
    (void)state;
    empty();
    take(1, 2000);
    expect_assert_failure(kinf_arena_take(&s, 2, BYTES - 2000));
}

static void test_a_payload_does_not_grow_by_a_cut(void **state)
{
    (void)state;
    empty();
    take(1, 40);
    expect_assert_failure(kinf_arena_shrink(&s, 1, 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_payload_lies_behind_the_last_one),
        cmocka_unit_test(test_the_last_payload_leaves_no_hole),
        cmocka_unit_test(test_the_head_stays_while_it_is_written_to),
        cmocka_unit_test(
            test_compaction_closes_every_hole_and_keeps_every_byte),
        cmocka_unit_test(test_compaction_moves_about_its_budget_in_a_call),
        cmocka_unit_test(
            test_few_holes_are_left_alone_until_room_is_wanted),
        cmocka_unit_test(
            test_a_payload_may_become_a_hole_while_compaction_runs),
        cmocka_unit_test(test_compaction_ends_only_when_nothing_is_received),
        cmocka_unit_test(test_a_payload_can_be_cut_to_its_first_bytes),
        cmocka_unit_test(test_what_does_not_fit_is_not_taken),
        cmocka_unit_test(test_a_payload_does_not_grow_by_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
