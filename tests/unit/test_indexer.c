/* SPDX-License-Identifier: Apache-2.0 */
/* test_indexer.c - which keys have which value: built in, added late, several
 * values an object, postings that run out, listings that go on over polls. */
#include "fake.h"

static struct fake_world w;

#define ITEM(space, name) IN(space, name, "1")
static const char *const six =
    LIST("5", ITEM("red", "a") "," ITEM("blue", "b") "," ITEM("red", "c") ","
         ITEM("blue", "d") "," ITEM("red", "e") "," ITEM("green", "f"));

/* The first letter of the name and, for vowels, "vowel". */
static int letters(const struct kinf_object *o, unsigned n, char *value,
                   size_t size)
{
    bool vowel = o->name.ptr[0] == 'a' || o->name.ptr[0] == 'e';

    assert_true(size >= 5);
    if (n == 0) {
        value[0] = o->name.ptr[0];
        return 1;
    }
    if (n > 1 || !vowel)
        return KINF_ERR_NOT_FOUND;
    memcpy(value, "vowel", 5);
    return 5;
}

/* Says of its first value that it is too long for an index, and repeats the
 * second. */
static int awkward(const struct kinf_object *o, unsigned n, char *value,
                   size_t size)
{
    (void)o;
    (void)size;
    if (n == 0)
        return KINF_ERR_TOO_BIG;
    if (n > 2)
        return KINF_ERR_NOT_FOUND;
    value[0] = 'x';
    return 1;
}

static void begin(uint32_t postings)
{
    static struct fake_answer script[] = {
        { "limit=", 200, NULL, FAKE_WHOLE, NULL },
        { "watch=1", 200, "", FAKE_OPEN, NULL }
    };

    script[0].body = six;
    fake_prepare(&w);
    w.informer.sizes.postings = postings;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
}

/* The names a listing gives, in its order. */
static const char *listed(const struct kinf_list_options *o)
{
    static char names[64];
    struct kinf_list_cursor c;
    struct kinf_object got;
    size_t len = 0;
    int found;

    EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &c, o));
    while ((found = kinf_list_next(&w.inf, &c, &got)) == 1 ||
           found == KINF_ERR_AGAIN)
        if (found == 1)
            names[len++] = got.name.ptr[0];
    assert_int_equal(0, found);
    names[len] = '\0';
    return names;
}

static const char *by(const char *index, const char *value)
{
    const struct kinf_list_options o = { .index = index,
                                         .value = fake_span(value) };

    return listed(&o);
}

static const char *in(const char *space)
{
    const struct kinf_list_options o = { .namespace_ = fake_span(space) };

    return listed(&o);
}

static void test_the_namespace_is_an_index_unless_there_are_no_postings(
    void **state)
{
    static const uint32_t postings[] = { 32, 6, 3, 1, 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(postings); i++) {
        begin(postings[i]);
        fake_run(&w, 100);
        assert_string_equal("ace", in("red"));
        assert_string_equal("bd", in("blue"));
        assert_string_equal("f", in("green"));
        assert_string_equal("", in("none"));
        fake_end_world(&w);
    }
}

static void test_an_index_may_be_added_before_or_after_the_objects(
    void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        begin(32);
        if (late)
            fake_run(&w, 100);
        EXPECT_ERR(KINF_OK, kinf_informer_index(&w.inf, "letters", letters));
        assert_string_equal(late ? "ae" : "", late ? by("letters", "vowel")
                                                   : "");
        fake_run(&w, 100);
        assert_string_equal("ae", by("letters", "vowel"));
        assert_string_equal("d", by("letters", "d"));
        assert_string_equal("ace", in("red"));
        fake_end_world(&w);
    }
}

static void test_an_index_follows_what_happens(void **state)
{
    (void)state;
    begin(32);
    kinf_informer_index(&w.inf, "letters", letters);
    fake_run(&w, 100);
    fake_push(&w.server, EVENT("DELETED", IN("red", "a", "6")));
    fake_push(&w.server, EVENT("ADDED", IN("blue", "e", "7")));
    fake_push(&w.server, EVENT("MODIFIED", IN("red", "c", "8")));
    fake_run(&w, 100);
    assert_string_equal("ee", by("letters", "vowel"));
    assert_string_equal("c", by("letters", "c")); /* keeps its place */
    assert_string_equal("bde", in("blue"));
    fake_end_world(&w);
}

/* One posting short of what is needed: listings look at every object, and
 * when some is given back the index is built again. */
static void test_postings_that_ran_out_are_made_up_for_later(void **state)
{
    (void)state;
    begin(5);
    fake_run(&w, 100);
    assert_string_equal("f", in("green"));
    fake_push(&w.server, EVENT("DELETED", IN("red", "a", "6")));
    fake_run(&w, 100);
    assert_int_equal(5, fake_status(&w).postings.used);
    assert_string_equal("f", in("green"));
    assert_string_equal("ce", in("red"));
    fake_end_world(&w);
}

static void test_values_that_cannot_be_indexed_are_left_out(void **state)
{
    (void)state;
    begin(32);
    EXPECT_ERR(KINF_OK, kinf_informer_index(&w.inf, "awkward", awkward));
    fake_run(&w, 100);
    assert_string_equal("abcdef", by("awkward", "x")); /* each once */
    assert_string_equal("", by("awkward", "y"));
    /* When objects change their postings are compared with the same values. */
    fake_push(&w.server, EVENT("MODIFIED", IN("red", "c", "8")));
    fake_run(&w, 100);
    assert_string_equal("abcdef", by("awkward", "x"));
    fake_end_world(&w);
}

/* The version, so that an update changes it. */
static int by_version(const struct kinf_object *o, unsigned n, char *value,
                      size_t size)
{
    if (n > 0)
        return KINF_ERR_NOT_FOUND;
    assert_true(o->resource_version.len <= size);
    memcpy(value, o->resource_version.ptr, o->resource_version.len);
    return (int)o->resource_version.len;
}

static void test_a_value_that_goes_takes_its_posting_along(void **state)
{
    (void)state;
    begin(32);
    kinf_informer_index(&w.inf, "version", by_version);
    fake_run(&w, 100);
    assert_string_equal("abcdef", by("version", "1"));
    fake_push(&w.server, EVENT("MODIFIED", IN("red", "c", "8")));
    fake_run(&w, 10);
    assert_string_equal("abdef", by("version", "1"));
    assert_string_equal("c", by("version", "8"));
    fake_end_world(&w);
}

/* While an index is being built its listings look at every object. */
static void test_an_index_that_is_being_built_lists_the_whole(void **state)
{
    (void)state;
    begin(32);
    fake_run(&w, 100);
    kinf_informer_index(&w.inf, "letters", letters);
    for (int i = 0; i < 8; i++) {
        kinf_poll(&w.k);
        assert_string_equal("ae", by("letters", "vowel"));
        assert_string_equal("ace", in("red"));
    }
    fake_end_world(&w);
}

/* With a hash key of zeroes these two values of two indexes collide. */
static int in_one(const struct kinf_object *o, unsigned n, char *value,
                  size_t size)
{
    (void)o;
    (void)size;
    memcpy(value, "v104877", 7);
    return n == 0 ? 7 : KINF_ERR_NOT_FOUND;
}

static int in_two(const struct kinf_object *o, unsigned n, char *value,
                  size_t size)
{
    (void)size;
    memcpy(value, "v12773", 6);
    return n == 0 && o->name.ptr[0] != 'a' ? 6 : KINF_ERR_NOT_FOUND;
}

static void test_values_of_one_hash_in_two_indexes_are_told_apart(void **state)
{
    (void)state;
    begin(32);
    kinf_informer_index(&w.inf, "one", in_one);
    kinf_informer_index(&w.inf, "two", in_two);
    fake_run(&w, 100);
    assert_int_equal(6 + 6 + 5, fake_status(&w).postings.used);
    assert_string_equal("abcdef", by("one", "v104877"));
    assert_string_equal("bcdef", by("two", "v12773"));
    fake_end_world(&w);
}

static void test_there_are_three_indexes_of_the_users(void **state)
{
    (void)state;
    begin(32);
    EXPECT_ERR(KINF_OK, kinf_informer_index(&w.inf, "one", letters));
    EXPECT_ERR(KINF_OK, kinf_informer_index(&w.inf, "two", letters));
    EXPECT_ERR(KINF_OK, kinf_informer_index(&w.inf, "three", letters));
    EXPECT_ERR(KINF_ERR_FULL, kinf_informer_index(&w.inf, "four", letters));
    fake_end_world(&w);
}

/* What lived throughout is given once, whatever goes or comes meanwhile. */
static void test_a_listing_goes_on_while_its_objects_go(void **state)
{
    const struct kinf_list_options o = { .namespace_ = KINF_SPAN("red") };
    struct kinf_list_cursor c;
    struct kinf_object got;

    (void)state;
    begin(32);
    fake_run(&w, 100);
    EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &c, &o));
    assert_int_equal(1, kinf_list_next(&w.inf, &c, &got));
    assert_int_equal('a', got.name.ptr[0]);
    fake_push(&w.server, EVENT("DELETED", IN("red", "a", "6")));
    fake_push(&w.server, EVENT("DELETED", IN("red", "c", "7"))); /* the next */
    fake_push(&w.server, EVENT("ADDED", IN("red", "g", "8")));
    fake_run(&w, 100);
    assert_int_equal(1, kinf_list_next(&w.inf, &c, &got));
    assert_int_equal('e', got.name.ptr[0]);
    assert_int_equal(1, kinf_list_next(&w.inf, &c, &got));
    assert_int_equal('g', got.name.ptr[0]);
    assert_int_equal(0, kinf_list_next(&w.inf, &c, &got));
    fake_end_world(&w);
}

static void test_the_oldest_listing_loses_its_place(void **state)
{
    const struct kinf_list_options o = { .namespace_ = KINF_SPAN("red") };
    struct kinf_list_cursor first, more;
    struct kinf_object got;

    (void)state;
    begin(32);
    fake_run(&w, 100);
    EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &first, &o));
    assert_int_equal(1, kinf_list_next(&w.inf, &first, &got));
    for (int i = 0; i < CONFIG_KINF_CURSORS; i++)
        EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &more, &o));
    EXPECT_ERR(KINF_ERR_FULL, kinf_list_next(&w.inf, &first, &got));
    assert_int_equal(1, kinf_list_next(&w.inf, &more, &got));
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_the_namespace_is_an_index_unless_there_are_no_postings),
        cmocka_unit_test(
            test_an_index_may_be_added_before_or_after_the_objects),
        cmocka_unit_test(test_an_index_follows_what_happens),
        cmocka_unit_test(test_postings_that_ran_out_are_made_up_for_later),
        cmocka_unit_test(test_values_that_cannot_be_indexed_are_left_out),
        cmocka_unit_test(test_a_value_that_goes_takes_its_posting_along),
        cmocka_unit_test(test_an_index_that_is_being_built_lists_the_whole),
        cmocka_unit_test(
            test_values_of_one_hash_in_two_indexes_are_told_apart),
        cmocka_unit_test(test_there_are_three_indexes_of_the_users),
        cmocka_unit_test(test_a_listing_goes_on_while_its_objects_go),
        cmocka_unit_test(test_the_oldest_listing_loses_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
