/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror_claim.c - whose DIR is it? A mirror cannot take, lock or wipe
 * what is not its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mirror_world.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_begin(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static void put_file(const char *path, const char *text)
{
    int fd = open(world_path(&w, path), O_WRONLY | O_CREAT | O_EXCL, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static enum mirror_problem try(enum mirror_claim claim)
{
    enum mirror_problem problem;

    w.config.claim = claim;
    problem = world_open(&w);
    world_close(&w);
    w.config.claim = MIRROR_CLAIM_OWN;
    return problem;
}

static void test_the_marker_names_the_source(void **state)
{
    static const char *const namespaces[] = { "b", "a", "b" };

    (void)state;
    w.config.namespaces = namespaces;
    w.config.namespace_count = 3;
    w.config.selector = "app in (x, y)";
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE);
    assert_string_equal(world_read(&w, ".kinformer/marker"),
                        "kinformer mirror 1\n"
                        "server https://10.0.0.1:6443\n"
                        "resource configmaps\n"
                        "namespaces a b\n"
                        "selector app in (x, y)\n");
    w.config.namespaces = namespaces + 1; /* the same, in other words */
    w.config.namespace_count = 2;
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE);
}

static void test_a_folder_that_is_missing_is_made_but_not_its_parent(void **s)
{
    (void)s;
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE);
    strcat(w.dir, "/no/no");
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_DISK);
    assert_int_equal(w.last.error, ENOENT);
    w.dir[strlen(w.dir) - 6] = '\0';
}

static void test_an_empty_folder_is_taken(void **state)
{
    (void)state;
    assert_int_equal(mkdir(w.dir, 0755), 0);
    assert_int_equal(mkdir(world_path(&w, "lost+found"), 0755), 0);
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE);
}

static void test_a_folder_with_things_of_others_is_refused(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(w.dir, 0755), 0);
    put_file("letter", "dear");
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_NOT_EMPTY);
    assert_int_equal(try(MIRROR_CLAIM_RESET), MIRROR_NOT_EMPTY);
    assert_int_equal(w.reports[MIRROR_NOT_EMPTY], 2);
    assert_int_equal(stat(world_path(&w, ".kinformer"), &st), -1);
    assert_int_equal(try(MIRROR_CLAIM_ADOPT), MIRROR_FINE);
    assert_string_equal(world_tree(&w), "letter=dear\n");
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE); /* once is enough */
}

static void test_a_mirror_without_its_marker_is_refused(void **state)
{
    (void)state;
    world_set(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    world_repair(&w);
    assert_int_equal(unlink(world_path(&w, ".kinformer/marker")), 0);
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_NOT_EMPTY);
    assert_string_equal(world_tree(&w), "shop/a/a=1\n");
}

static void test_each_line_of_the_marker_counts(void **state)
{
    static const char *const two[] = { "a", "b" };
    static const struct {
        const char *server, *resource, *selector;
        unsigned namespaces;
    } cases[] = {
        { "https://10.0.0.2:6443", "configmaps", "x", 1 },
        { "https://10.0.0.1:6443", "secrets", "x", 1 },
        { "https://10.0.0.1:6443", "configmaps", "y", 1 },
        { "https://10.0.0.1:6443", "configmaps", "", 1 },
        { "https://10.0.0.1:6443", "configmaps", "x", 2 },
        { "https://10.0.0.1:6443", "configmaps", "x", 0 },
    };

    (void)state;
    w.config.namespaces = two;
    w.config.namespace_count = 1;
    w.config.selector = "x";
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        w.config.server = cases[i].server;
        w.config.resource = cases[i].resource;
        w.config.selector = cases[i].selector;
        w.config.namespace_count = cases[i].namespaces;
        assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_OTHER);
        assert_int_equal(try(MIRROR_CLAIM_ADOPT), MIRROR_OTHER);
    }
    assert_string_equal(w.last_name, "//namespaces a");
}

static void test_reset_takes_another_sources_folder(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        static char names[20][16];

        snprintf(names[i], sizeof names[i], "o%d", i);
        world_set(&w, "shop", names[i], "{}");
    }
    world_repair(&w);
    put_file("shop/letter", "dear");
    w.config.server = "https://10.0.0.2:6443";
    w.config.claim = MIRROR_CLAIM_RESET;
    w.count = 1;
    world_repair(&w); /* 19 of 20 go: that was asked for */
    assert_string_equal(world_tree(&w), "shop/letter=dear\nshop/o0/\n");
    assert_int_equal(w.reports[MIRROR_HELD], 0);
}

static void test_a_second_instance_is_refused(void **state)
{
    static struct world second;

    (void)state;
    assert_int_equal(world_open(&w), MIRROR_FINE);
    second = w;
    second.config.ctx = &second;
    second.config.dir = second.dir;
    assert_int_equal(world_open(&second), MIRROR_BUSY);
    world_close(&second);
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    assert_string_equal(world_tree(&w), "shop/a/a=1\n");
    world_close(&w);
    assert_int_equal(world_open(&second), MIRROR_FINE);
    world_close(&second);
}

static void test_links_in_place_of_our_folders_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(w.dir, 0755), 0);
    assert_int_equal(mkdir(world_path(&w, "../outside"), 0755), 0);
    assert_int_equal(symlink("../outside", world_path(&w, ".kinformer")), 0);
    assert_int_equal(try(MIRROR_CLAIM_ADOPT), MIRROR_IN_THE_WAY);
    assert_int_equal(unlink(world_path(&w, ".kinformer")), 0);
    assert_int_equal(mkdir(world_path(&w, ".kinformer"), 0755), 0);
    assert_int_equal(symlink("../../outside/lock",
                             world_path(&w, ".kinformer/lock")), 0);
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_IN_THE_WAY);
    assert_int_equal(unlink(world_path(&w, ".kinformer/lock")), 0);
    assert_int_equal(symlink("../../outside",
                             world_path(&w, ".kinformer/namespaces")), 0);
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_IN_THE_WAY);
    assert_int_equal(rmdir(world_path(&w, "../outside")), 0); /* empty */
}

static void test_a_marker_that_is_a_link_is_not_read(void **state)
{
    (void)state;
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_FINE);
    assert_int_equal(rename(world_path(&w, ".kinformer/marker"),
                            world_path(&w, ".kinformer/m")), 0);
    assert_int_equal(symlink("m", world_path(&w, ".kinformer/marker")), 0);
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_IN_THE_WAY);
}

static void test_a_marker_longer_than_we_write_is_anothers(void **state)
{
    char text[5000];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(mkdir(w.dir, 0755), 0);
    assert_int_equal(mkdir(world_path(&w, ".kinformer"), 0755), 0);
    put_file(".kinformer/marker", text);
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_OTHER);
    w.config.selector = text;
    assert_int_equal(try(MIRROR_CLAIM_OWN), MIRROR_TOO_LONG);
    assert_int_equal(try(MIRROR_CLAIM_RESET), MIRROR_TOO_LONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_marker_names_the_source),
        TEST(test_a_folder_that_is_missing_is_made_but_not_its_parent),
        TEST(test_an_empty_folder_is_taken),
        TEST(test_a_folder_with_things_of_others_is_refused),
        TEST(test_a_mirror_without_its_marker_is_refused),
        TEST(test_each_line_of_the_marker_counts),
        TEST(test_reset_takes_another_sources_folder),
        TEST(test_a_second_instance_is_refused),
        TEST(test_links_in_place_of_our_folders_are_refused),
        TEST(test_a_marker_that_is_a_link_is_not_read),
        TEST(test_a_marker_longer_than_we_write_is_anothers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
