/* SPDX-License-Identifier: Apache-2.0 */
/* test_lister.c - reading the cache: by key, all, by namespace, selector and
 * index, while it is whole and while it is not. */
#include "fake.h"

static struct fake_world w;
static uint32_t postings = 32;

#define LABELLED(space, name, label)                                           \
    META(name, "u", "1", ",\"namespace\":\"" space "\",\"labels\":{\"app\":\"" \
         label "\"}")

/* Objects of two namespaces and two labels; limit: how many keys are held. */
static void begin(uint32_t objects)
{
    static const struct fake_answer script[] = {
        { NULL, 200,
          LIST("5", LABELLED("x", "a", "web") "," LABELLED("y", "b", "web") ","
               LABELLED("x", "c", "db") "," LABELLED("y", "d", "db")),
          FAKE_WHOLE, NULL },
        { "watch=1", 200, BOOKMARK("5"), FAKE_OPEN, NULL },
    };

    fake_prepare(&w);
    w.informer.sizes.objects = objects;
    w.informer.sizes.postings = postings;
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
}

/* Letters of the names listed, then "!" if the cache is not whole. */
static const char *listed(const char *space, const char *selector)
{
    static char names[32];
    const struct kinf_list_options o = {
        .namespace_ = fake_span(space), .label_selector = fake_span(selector)
    };
    struct kinf_list_cursor c;
    struct kinf_object got;
    size_t len = 0;
    int found;

    EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &c, &o));
    while ((found = kinf_list_next(&w.inf, &c, &got)) == 1 ||
           found == KINF_ERR_AGAIN)
        if (found == 1)
            names[len++] = got.name.ptr[0];
    if (found == KINF_INCOMPLETE)
        names[len++] = '!';
    else
        assert_int_equal(0, found);
    names[len] = '\0';
    return names;
}

static void test_lists_are_by_namespace_and_selector(void **state)
{
    static const struct {
        const char *space, *selector, *names;
    } cases[] = {
        { "", "", "abcd" },        { "x", "", "ac" },
        { "y", "", "bd" },         { "z", "", "" },
        { "", "app=web", "ab" },   { "x", "app=web", "a" },
        { "x", "app!=web", "c" },  { "", "app in (web,db)", "abcd" },
        { "", "!app", "" },        { "", " ", "abcd" },
    };

    (void)state;
    for (postings = 0; postings <= 32; postings += 32) {
        begin(16);
        for (size_t i = 0; i < COUNT_OF(cases); i++)
            assert_string_equal(cases[i].names,
                                listed(cases[i].space, cases[i].selector));
        fake_end_world(&w);
    }
    postings = 32;
}

static void test_a_list_that_is_asked_for_wrongly_does_not_begin(void **state)
{
    const struct kinf_list_options unknown = { .index = "unknown" };
    const struct kinf_list_options wrong = { .label_selector =
                                                 KINF_SPAN("a b") };
    struct kinf_list_cursor c;

    (void)state;
    begin(16);
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_list(&w.inf, &c, &unknown));
    EXPECT_ERR(KINF_ERR_SYNTAX, kinf_list(&w.inf, &c, &wrong));
    fake_end_world(&w);
}

static void test_lists_say_that_the_cache_is_not_whole(void **state)
{
    struct kinf_object o;

    (void)state;
    begin(2);
    assert_string_equal("ab!", listed("", ""));
    assert_int_equal(KINF_INCOMPLETE, kinf_get(&w.inf, fake_span("x/a"), &o));
    EXPECT_ERR(KINF_ERR_INCOMPLETE, kinf_get(&w.inf, fake_span("x/c"), &o));
    fake_end_world(&w);
    begin(16);
    EXPECT_ERR(KINF_OK, kinf_get(&w.inf, fake_span("x/a"), &o));
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_get(&w.inf, fake_span("x/z"), &o));
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_get(&w.inf, fake_span("a"), &o));
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_get(&w.inf, fake_span("x/a/b"), &o));
    EXPECT_ERR(KINF_ERR_NOT_FOUND, kinf_get(&w.inf, fake_span(""), &o));
    fake_end_world(&w);
}

/* Before the first list is whole nothing is known to be missing. */
static void test_before_the_first_list_nothing_is_known(void **state)
{
    struct kinf_object o;

    (void)state;
    fake_prepare(&w);
    fake_begin(&w);
    fake_run(&w, 100);
    EXPECT_ERR(KINF_ERR_INCOMPLETE, kinf_get(&w.inf, fake_span("x/a"), &o));
    assert_string_equal("!", listed("", ""));
    fake_end_world(&w);
}

/* The labels of an identity cannot be asked. */
static void test_an_identity_is_left_out_of_a_selection_and_that_is_said(
    void **state)
{
    static const struct fake_answer script[] = {
        { NULL, 200,
          LIST("5", LABELLED("x", "a", "web") ","
               META("b", "u-longer-than-any-uid-that-a-server-would-ever-"
                    "give-to-an-object", "1", "")), FAKE_WHOLE, NULL },
        { "watch=1", 200, BOOKMARK("5"), FAKE_OPEN, NULL },
    };

    (void)state;
    fake_prepare(&w);
    FAKE_PLAY(&w.server, script);
    fake_begin(&w);
    fake_run(&w, 100);
    assert_string_equal("ab", listed("", ""));
    assert_string_equal("a!", listed("", "app=web"));
    fake_end_world(&w);
}

/* A cursor over every entry, too, goes on while the cache changes. */
static void test_what_lived_throughout_is_listed_once(void **state)
{
    const struct kinf_list_options all = { .index = NULL };
    struct kinf_list_cursor c;
    struct kinf_object got;
    char names[16];
    size_t len = 0;
    int found;

    (void)state;
    begin(16);
    EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &c, &all));
    assert_int_equal(1, kinf_list_next(&w.inf, &c, &got));
    names[len++] = got.name.ptr[0];
    fake_push(&w.server, EVENT("DELETED", LABELLED("y", "b", "web")));
    fake_run(&w, 10);
    fake_push(&w.server, EVENT("MODIFIED", IN("x", "c", "7")));
    fake_run(&w, 10);
    while ((found = kinf_list_next(&w.inf, &c, &got)) != 0)
        if (found == 1)
            names[len++] = got.name.ptr[0];
    names[len] = '\0';
    assert_string_equal("acd", names);
    fake_end_world(&w);
}

static void test_a_listing_looks_at_a_bounded_number_of_entries(void **state)
{
    const struct kinf_list_options none = { .label_selector =
                                                KINF_SPAN("app=none") };
    struct kinf_list_cursor c;
    struct kinf_object got;
    int calls = 1, found;

    (void)state;
    begin(16);
    EXPECT_ERR(KINF_OK, kinf_list(&w.inf, &c, &none));
    while ((found = kinf_list_next(&w.inf, &c, &got)) == KINF_ERR_AGAIN)
        calls++;
    assert_int_equal(0, found);
    assert_int_equal(1 + 4 / CONFIG_KINF_POLL_ENTRIES, calls);
    fake_end_world(&w);
}

/* ---- the values of an index --------------------------------------------- */

/* Nothing, then the version, then the same letter so often that one object
 * cannot have it all listed. */
static int many_values(const struct kinf_object *o, unsigned n, char *value,
                       size_t size)
{
    (void)size;
    if (n == 0)
        return 0;
    if (n >= 400)
        return KINF_ERR_NOT_FOUND;
    value[0] = n == 1 ? o->resource_version.ptr[0] : 'z';
    return 1;
}

static const char *values(const char *index)
{
    static char text[64];
    char value[CONFIG_KINF_INDEX_VALUE_BYTES];
    uint32_t at = 0;
    size_t len = 0;

    while (kinf_index_values(&w.inf, index, &at, value, sizeof(value)) > 0)
        text[len++] = value[0];
    text[len] = '\0';
    return text;
}

/* Places given back, and objects not yet applied, have no values. */
static void test_values_of_an_index_are_those_of_what_is_held(void **state)
{
    struct kinf_informer_config *c = &w.informer;

    (void)state;
    fake_prepare(&w);
    w.idle = true;
    c->sizes.postings = 64;
    c->sizes.fifo = 2;
    c->sizes.ring = 1;
    {
        static const struct fake_answer script[] = {
            { NULL, 200, LIST("5", OBJECT("a", "1") "," OBJECT("b", "2") ","
                              OBJECT("c", "2") "," OBJECT("d", "3")),
              FAKE_WHOLE, NULL },
            { "watch=1", 200, BOOKMARK("5"), FAKE_OPEN, NULL },
        };

        FAKE_PLAY(&w.server, script);
    }
    fake_begin(&w);
    kinf_informer_index(&w.inf, "many", many_values);
    kinf_start(&w.k);
    fake_run(&w, 100);
    assert_string_equal("1z23", values("many"));
    fake_push(&w.server, EVENT("DELETED", OBJECT("a", "6")));
    fake_run(&w, 10);
    assert_string_equal("2z3", values("many"));
    /* The handler's ring is full: what comes takes a's place and waits. */
    w.handler.answer = KINF_ERR_AGAIN;
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("d", "3")));
    fake_push(&w.server, EVENT("MODIFIED", OBJECT("d", "7")));
    fake_push(&w.server, EVENT("ADDED", OBJECT("e", "8")));
    fake_run(&w, 10);
    assert_string_equal("2z7", values("many"));
    w.handler.answer = KINF_OK;
    kinf_listener_resume(&w.handler.listener);
    fake_run(&w, 10);
    assert_string_equal("8z27", values("many"));
    fake_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_by_namespace_and_selector),
        cmocka_unit_test(test_a_list_that_is_asked_for_wrongly_does_not_begin),
        cmocka_unit_test(test_lists_say_that_the_cache_is_not_whole),
        cmocka_unit_test(test_before_the_first_list_nothing_is_known),
        cmocka_unit_test(
            test_an_identity_is_left_out_of_a_selection_and_that_is_said),
        cmocka_unit_test(test_what_lived_throughout_is_listed_once),
        cmocka_unit_test(test_a_listing_looks_at_a_bounded_number_of_entries),
        cmocka_unit_test(test_values_of_an_index_are_those_of_what_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
