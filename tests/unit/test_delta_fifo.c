/* SPDX-License-Identifier: Apache-2.0 */
/* test_delta_fifo.c - deltas in wire order, counted at their keys. */
#include "fake_wire.h"
#include "store/delta_fifo.h"
#include "store/store.h"
#include "store/store_check.h"

static struct fake_world w;

static void begin(uint32_t fifo)
{
    fake_prepare(&w);
    w.idle = true;
    w.informer.sizes.fifo = fifo;
    fake_begin(&w);
}

/* Receives an object and queues it; returns its entry. */
static kinf_idx queue(const char *name, const char *version)
{
    const struct fake_object o = { .name = name, .uid = "u",
                                   .version = version, .size = 100 };
    kinf_idx entry, record;

    assert_int_equal(STORE_TAKEN, fake_receive(&w.inf.store, &o, true, false,
                                               &entry, &record));
    kinf_fifo_push(&w.inf.fifo, &w.inf.store, entry);
    kinf_store_check(&w.inf.store, &w.inf.fifo, &w.inf.processor);
    return entry;
}

static const char *next_version(void)
{
    static char text[16];
    static unsigned number;

    snprintf(text, sizeof(text), "%u", ++number);
    return text;
}

static void expect_first(const char *name, const char *version)
{
    struct kinf_object o;

    kinf_store_view(&w.inf.store, kinf_fifo_first(&w.inf.fifo)->record, &o);
    assert_memory_equal(name, o.name.ptr, o.name.len);
    assert_memory_equal(version, o.resource_version.ptr,
                        o.resource_version.len);
}

static void pop(void)
{
    kinf_fifo_pop(&w.inf.fifo, &w.inf.store);
    kinf_store_check(&w.inf.store, &w.inf.fifo, &w.inf.processor);
}

static void test_deltas_come_out_in_the_order_of_the_wire(void **state)
{
    (void)state;
    begin(3);
    queue("a", "1");
    queue("b", "2");
    queue("a", "3"); /* not joined with the first */
    assert_int_equal(3, fifo_len(&w.inf.fifo));
    expect_first("a", "1");
    pop();
    expect_first("b", "2");
    pop();
    expect_first("a", "3");
    pop();
    assert_int_equal(0, fifo_len(&w.inf.fifo));
    fake_end_world(&w);
}

static void test_each_depth_holds_what_it_says_at_every_place(void **state)
{
    (void)state;
    for (uint32_t depth = 1; depth <= 5; depth++) {
        begin(depth);
        for (uint32_t turn = 0; turn < 3 * depth; turn++) {
            while (!fifo_full(&w.inf.fifo))
                queue("a", next_version());
            assert_int_equal(depth, fifo_len(&w.inf.fifo));
            pop();
        }
        assert_int_equal(depth, w.inf.fifo.high);
        while (fifo_len(&w.inf.fifo) > 0)
            pop();
        fake_end_world(&w);
    }
}

static void test_a_key_counts_its_queued_deltas(void **state)
{
    kinf_idx a;

    (void)state;
    begin(4);
    a = queue("a", "1");
    assert_int_equal(a, queue("a", "2"));
    queue("b", "3");
    assert_int_equal(2, w.inf.store.entries[a].queued);
    pop();
    assert_int_equal(1, w.inf.store.entries[a].queued);
    pop();
    pop();
    fake_end_world(&w);
}

/* Never applied and not queued any more: nobody knows it, and it costs
 * nothing. */
static void test_a_key_that_nobody_needs_is_given_back_with_its_last_delta(
    void **state)
{
    (void)state;
    begin(4);
    queue("a", "1");
    queue("a", "2");
    pop();
    assert_int_equal(1, w.inf.store.entry_pool.used);
    pop();
    assert_int_equal(0, w.inf.store.entry_pool.used);
    assert_int_equal(0, w.inf.store.record_pool.used);
    assert_int_equal(0, w.inf.store.settled);
    fake_end_world(&w);
}

static void test_bookmarks_and_markers_have_no_key(void **state)
{
    const struct kinf_version version = { 1, "7" };
    struct kinf_delta_fifo *f;

    (void)state;
    begin(2);
    f = &w.inf.fifo;
    kinf_fifo_push(f, &w.inf.store, (kinf_idx)KINF_NONE)->version = version;
    assert_int_equal('7', kinf_fifo_first(f)->version.text[0]);
    pop();
    assert_int_equal(0, fifo_len(f));
    fake_end_world(&w);
}

static void test_what_is_empty_has_no_first(void **state)
{
    (void)state;
    begin(1);
    expect_assert_failure(kinf_fifo_first(&w.inf.fifo));
    fake_end_world(&w);
}

static void test_what_is_full_takes_nothing(void **state)
{
    (void)state;
    begin(1);
    queue("a", "1");
    expect_assert_failure(kinf_fifo_push(&w.inf.fifo, &w.inf.store,
                                         (kinf_idx)KINF_NONE));
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deltas_come_out_in_the_order_of_the_wire),
        cmocka_unit_test(test_each_depth_holds_what_it_says_at_every_place),
        cmocka_unit_test(test_a_key_counts_its_queued_deltas),
        cmocka_unit_test(
            test_a_key_that_nobody_needs_is_given_back_with_its_last_delta),
        cmocka_unit_test(test_bookmarks_and_markers_have_no_key),
        cmocka_unit_test(test_what_is_empty_has_no_first),
        cmocka_unit_test(test_what_is_full_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
