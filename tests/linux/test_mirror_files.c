/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror_files.c - objects as files: what is written, what is left alone,
 * what is removed, and what is held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "mirror_digest.h"
#include "mirror_world.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_begin(&w);
    return world_open(&w) == MIRROR_FINE ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static struct mirror_status status(void)
{
    struct mirror_status s;

    mirror_status(&w.mirror, &s);
    return s;
}

#define EXPECT_TREE(text) assert_string_equal(text, world_tree(&w))

static void put_file(const char *path, const char *text)
{
    int fd = open(world_path(&w, path), O_WRONLY | O_CREAT | O_EXCL, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* ---- what is written ---------------------------------------------------- */

static void test_each_key_is_a_file(void **state)
{
    (void)state;
    world_add(&w, "shop", "prices",
              "{\"data\":{\"a\":\"1\",\"app.conf\":\"x=\\\"\\u00e9\\\"\\n\"},"
              "\"binaryData\":{\"b\":\"AGJpbg==\"}}");
    EXPECT_TREE("shop/prices/a=1\n"
                "shop/prices/app.conf=x=\"\xc3\xa9\"\n\n"
                "shop/prices/b=\n"); /* begins with a NUL */
    world_listed(&w);
    assert_true(status().settled);
    assert_int_equal(status().objects, 1);
}

static void test_values_are_written_by_length(void **state)
{
    struct stat st;

    (void)state;
    world_add(&w, "shop", "odd",
              "{\"data\":{\"nul\":\"a\\u0000b\",\"empty\":\"\"},"
              "\"binaryData\":{\"bin\":\"AAEC/w==\"}}");
    assert_int_equal(stat(world_path(&w, "shop/odd/nul"), &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(stat(world_path(&w, "shop/odd/empty"), &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(stat(world_path(&w, "shop/odd/bin"), &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_memory_equal(world_read(&w, "shop/odd/bin"), "\x00\x01\x02\xff", 4);
}

static void test_an_object_without_data_is_an_empty_folder(void **state)
{
    (void)state;
    world_add(&w, "shop", "none", "{}");
    world_add(&w, "shop", "null", "{\"data\":null}");
    EXPECT_TREE("shop/none/\nshop/null/\n");
}

/* An object's JSON with n keys k0000.., each with this value. */
static char *many_keys(unsigned n, const char *value)
{
    size_t room = (size_t)n * (strlen(value) + 16) + 32;
    char *json = malloc(room);
    size_t used;

    assert_non_null(json);
    used = (size_t)snprintf(json, room, "{\"data\":{");
    for (unsigned i = 0; i < n; i++)
        used += (size_t)snprintf(json + used, room - used,
                                 "%s\"k%04u\":\"%s\"", i ? "," : "", i, value);
    snprintf(json + used, room - used, "}}");
    return json;
}

static void test_many_keys_take_many_calls_and_one_switch(void **state)
{
    enum { KEYS = 3 * MIRROR_FILES_A_CALL + 1 };
    char *json = many_keys(KEYS, "v");
    struct kinf_object object = { .name = KINF_SPAN("many"),
                                  .namespace_ = KINF_SPAN("shop"),
                                  .json = { json, strlen(json) } };

    (void)state;
    for (int call = 0; call < 3; call++) {
        assert_true(mirror_put(&w.mirror, &object, 0) > 0);
        assert_false(status().idle);
        EXPECT_TREE("");
    }
    assert_int_equal(mirror_put(&w.mirror, &object, 0), KINF_OK);
    assert_string_equal(world_read(&w, "shop/many/k0000"), "v");
    assert_string_equal(world_read(&w, "shop/many/k0192"), "v");
    assert_int_equal(world_versions(&w), 1);
    free(json);
}

static void test_what_comes_in_the_way_while_half_written_stays(void **state)
{
    char *json = many_keys(MIRROR_FILES_A_CALL + 1, "v");
    struct kinf_object object = { .name = KINF_SPAN("many"),
                                  .namespace_ = KINF_SPAN("shop"),
                                  .json = { json, strlen(json) } };

    (void)state;
    world_add(&w, "shop", "other", "{}");
    assert_true(mirror_put(&w.mirror, &object, 0) > 0);
    put_file("shop/many", "theirs");
    assert_int_equal(mirror_put(&w.mirror, &object, 0), KINF_OK);
    assert_int_equal(w.reports[MIRROR_IN_THE_WAY], 1);
    EXPECT_TREE("shop/many=theirs\nshop/other/\n");
    free(json);
}

static void test_a_newer_state_replaces_one_half_written(void **state)
{
    char *json = many_keys(100, "v");
    struct kinf_object object = { .name = KINF_SPAN("many"),
                                  .namespace_ = KINF_SPAN("shop"),
                                  .json = { json, strlen(json) } };
    struct kinf_object other = { .name = KINF_SPAN("other"),
                                 .namespace_ = KINF_SPAN("shop"),
                                 .json = KINF_SPAN("{}") };

    (void)state;
    assert_true(mirror_put(&w.mirror, &object, 0) > 0);
    assert_true(mirror_put(&w.mirror, &other, 0) > 0); /* one at a time */
    object.json = KINF_SPAN("{\"data\":{\"a\":\"2\"}}");
    assert_int_equal(mirror_put(&w.mirror, &object, 0), KINF_OK);
    assert_int_equal(mirror_put(&w.mirror, &other, 0), KINF_OK);
    world_run(&w, UINT32_MAX - 1);
    EXPECT_TREE("shop/many/a=2\nshop/other/\n");
    assert_int_equal(world_versions(&w), 2);
    free(json);
}

static void test_deleted_while_half_written_leaves_nothing(void **state)
{
    char *json = many_keys(200, "v");
    struct kinf_object object = { .name = KINF_SPAN("many"),
                                  .namespace_ = KINF_SPAN("shop"),
                                  .json = { json, strlen(json) } };

    (void)state;
    assert_true(mirror_put(&w.mirror, &object, 0) > 0);
    assert_true(mirror_put(&w.mirror, &object, 0) > 0);
    world_gone(&w, "shop", "many", false);
    world_run(&w, UINT32_MAX - 1);
    EXPECT_TREE("");
    assert_int_equal(world_versions(&w), 0);
    free(json);
}

static void test_a_mebibyte_in_one_value(void **state)
{
    size_t n = 1 << 20;
    char *json = malloc(n + 32);
    struct stat st;

    (void)state;
    assert_non_null(json);
    strcpy(json, "{\"data\":{\"big\":\"");
    memset(json + strlen(json), 'x', n);
    strcpy(json + 16 + n - 1, "\"}}");
    world_add(&w, "shop", "big", json);
    assert_int_equal(stat(world_path(&w, "shop/big/big"), &st), 0);
    assert_int_equal(st.st_size, n - 1);
    w.count = 0;
    free(json);
}

static void test_names_of_253_characters(void **state)
{
    char name[254], key[254], json[400], path[900];

    (void)state;
    memset(name, 'n', 253);
    memset(key, 'K', 253);
    name[253] = key[253] = '\0';
    snprintf(json, sizeof json, "{\"data\":{\"%s\":\"1\"}}", key);
    world_add(&w, "shop", name, json);
    snprintf(path, sizeof path, "shop/%s/%s", name, key);
    assert_string_equal(world_read(&w, path), "1");
    world_add(&w, "shop", name, "{\"data\":{\"b\":\"2\"}}");
    world_gone(&w, "shop", name, false);
    world_run(&w, UINT32_MAX - 1);
    EXPECT_TREE("");
    assert_int_equal(world_versions(&w), 0);
}

static void test_secrets_are_for_the_owner_alone(void **state)
{
    static const char *const paths[] = { "shop", "shop/login", ".kinformer" };
    struct stat st;

    (void)state;
    world_end(&w);
    world_begin(&w);
    w.config.secrets = true;
    w.config.resource = "secrets";
    assert_int_equal(world_open(&w), MIRROR_FINE);
    world_add(&w, "shop", "login",
              "{\"data\":{\"user\":\"cm9vdA==\",\"no\":null}}");
    EXPECT_TREE("shop/login/no=\nshop/login/user=root\n");
    assert_int_equal(stat(world_path(&w, "shop/login/user"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(stat(world_path(&w, paths[i]), &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
    }
    for (size_t i = 0; i < sizeof w.mirror.piece; i++)
        assert_int_equal(((char *)w.mirror.piece)[i], 0);
}

/* ---- what is left alone ------------------------------------------------- */

/* Every event of a path since it was watched, in words. */
static int watch(const char *path)
{
    int fd = inotify_init1(IN_NONBLOCK);

    assert_true(fd >= 0);
    assert_true(inotify_add_watch(fd, world_path(&w, path), IN_ALL_EVENTS) >=
                0);
    return fd;
}

static uint32_t seen(int fd)
{
    _Alignas(8) char buf[4096];
    ssize_t len = read(fd, buf, sizeof buf);
    uint32_t mask = 0;

    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *e = (const void *)(buf + at);

        mask |= e->mask;
        at += (ssize_t)sizeof *e + e->len;
    }
    return mask;
}

static void test_what_did_not_change_is_not_touched(void **state)
{
    static const char *const paths[] = { "shop", "shop/prices",
                                         "shop/prices/a" };
    int fds[3];

    (void)state;
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"1\"}}");
    world_listed(&w);
    for (int i = 0; i < 3; i++)
        fds[i] = watch(paths[i]);
    /* labels changed, then a restart with a list */
    world_add(&w, "shop", "prices",
              "{\"metadata\":{\"labels\":{\"x\":\"y\"}},"
              "\"data\":{\"a\":\"\\u0031\"}}");
    world_close(&w);
    assert_int_equal(world_open(&w), MIRROR_FINE);
    world_put_all(&w);
    world_listed(&w);
    assert_int_equal(status().written, 0);
    assert_int_equal(status().unchanged, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen(fds[i]), 0);
        close(fds[i]);
    }
}

static void test_a_change_is_one_move_in_the_namespace(void **state)
{
    int fd;

    (void)state;
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"1\"}}");
    fd = watch("shop");
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"2\"}}");
    assert_int_equal(seen(fd) & ~(uint32_t)(IN_ISDIR | IN_OPEN |
                                            IN_CLOSE_NOWRITE),
                     IN_MOVED_TO);
    close(fd);
}

static void test_the_old_version_stays_for_its_readers(void **state)
{
    int fd, file;

    (void)state;
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"1\"}}");
    fd = open(world_path(&w, "shop/prices"), O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"2\"}}");
    world_run(&w, MIRROR_GRACE_MS - 1);
    file = openat(fd, "a", O_RDONLY);
    assert_true(file >= 0);
    close(file);
    world_run(&w, MIRROR_GRACE_MS + 1);
    assert_int_equal(openat(fd, "a", O_RDONLY), -1);
    close(fd);
    assert_int_equal(world_versions(&w), 1);
}

static void test_more_old_versions_than_the_line_is_long(void **state)
{
    char json[40];

    (void)state;
    for (int i = 0; i < MIRROR_OLD + 20; i++) {
        snprintf(json, sizeof json, "{\"data\":{\"a\":\"%d\"}}", i);
        world_add(&w, "shop", "prices", json);
    }
    assert_int_equal(world_versions(&w), MIRROR_OLD + 1);
    world_run(&w, UINT32_MAX - 1);
    assert_int_equal(world_versions(&w), 1);
    EXPECT_TREE("shop/prices/a=275\n");
}

static void test_changed_files_are_written_again(void **state)
{
    int fd;

    (void)state;
    world_add(&w, "shop", "prices",
              "{\"data\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}");
    usleep(20000); /* a tick of the clock that stamps files */
    fd = open(world_path(&w, "shop/prices/b"), O_WRONLY);
    assert_int_equal(write(fd, "9", 1), 1);
    close(fd);
    world_put(&w, "shop", "prices");
    EXPECT_TREE("shop/prices/a=1\nshop/prices/b=2\nshop/prices/c=3\n");
    assert_int_equal(unlink(world_path(&w, "shop/prices/c")), 0);
    world_put(&w, "shop", "prices");
    EXPECT_TREE("shop/prices/a=1\nshop/prices/b=2\nshop/prices/c=3\n");
    assert_int_equal(status().written, 3);
}

static void test_truncated_leaves_the_old_files(void **state)
{
    (void)state;
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "shop", "prices", NULL);
    world_add(&w, "shop", "large", NULL);
    world_listed(&w);
    EXPECT_TREE("shop/prices/a=1\n");
    assert_int_equal(w.reports[MIRROR_TRUNCATED], 2);
    assert_int_equal(status().failed, 0);
}

/* ---- bad objects -------------------------------------------------------- */

static void test_bad_objects_cost_themselves_only(void **state)
{
    static const struct {
        const char *namespace_, *name, *json;
        enum mirror_problem problem;
        const char *said;
    } cases[] = {
        { "shop", "bad", "{\"data\":{\"ok\":\"1\",\"..\":\"2\"}}",
          MIRROR_BAD_KEY, "shop/bad/.." },
        { "shop", "bad", "{\"data\":{\".\":\"2\"}}", MIRROR_BAD_KEY,
          "shop/bad/." },
        { "shop", "bad", "{\"data\":{\"\":\"2\"}}", MIRROR_BAD_KEY,
          "shop/bad/" },
        { "shop", "bad", "{\"data\":{\"../../x\":\"2\"}}", MIRROR_BAD_KEY,
          "shop/bad/../../x" },
        { "shop", "bad", "{\"data\":{\"\\u002e\\u002e\":\"2\"}}",
          MIRROR_BAD_KEY, "shop/bad/\\u002e\\u002e" },
        { "shop", "bad", "{\"data\":{\"x\\u0000y\":\"2\"}}", MIRROR_BAD_KEY,
          "shop/bad/x\\u0000y" },
        { "shop", "bad", "{\"data\":{\"a\":{}}}", MIRROR_BAD_VALUE,
          "shop/bad/a" },
        { "shop", "bad", "{\"data\":[]}", MIRROR_BAD_VALUE, "shop/bad/" },
        { "shop", "bad", "{\"binaryData\":{\"a\":\"AAA\"}}", MIRROR_BAD_VALUE,
          "shop/bad/a" },
        { "shop", "bad",
          "{\"data\":{\"a\":\"1\"},\"binaryData\":{\"a\":\"AAA=\"}}",
          MIRROR_COLLISION, "shop/bad/a" },
        { "..", "bad", "{}", MIRROR_BAD_NAME, "../bad/" },
        { ".kinformer", "bad", "{}", MIRROR_BAD_NAME, ".kinformer/bad/" },
        { "shop", "..", "{}", MIRROR_BAD_NAME, "shop/../" },
        { "shop", "", "{}", MIRROR_BAD_NAME, "shop//" },
        { "a/b", "bad", "{}", MIRROR_BAD_NAME, "a/b/bad/" },
    };

    (void)state;
    world_add(&w, "shop", "bad", "{\"data\":{\"a\":\"old\"}}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned before = w.reports[cases[i].problem];
        struct kinf_object object = {
            .namespace_ = { cases[i].namespace_, strlen(cases[i].namespace_) },
            .name = { cases[i].name, strlen(cases[i].name) },
            .json = { cases[i].json, strlen(cases[i].json) },
        };

        assert_int_equal(mirror_put(&w.mirror, &object, w.now_ms), KINF_OK);
        assert_int_equal(w.reports[cases[i].problem], before + 1);
        assert_string_equal(cases[i].said, w.last_name);
        EXPECT_TREE("shop/bad/a=old\n");
        assert_int_equal(world_versions(&w), 1);
        assert_int_equal(status().failed, i + 1);
    }
}

static void test_keys_that_differ_by_case_where_that_is_one_file(void **state)
{
    (void)state;
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"1\"}}");
    faults.fold_case = true;
    world_add(&w, "shop", "prices", "{\"data\":{\"a\":\"2\",\"A\":\"3\"}}");
    assert_int_equal(w.reports[MIRROR_COLLISION], 1);
    assert_string_equal(w.last_name, "shop/prices/A");
    EXPECT_TREE("shop/prices/a=1\n");
    faults.fold_case = false; /* tried again by itself */
    world_listed(&w);
    world_run(&w, MIRROR_RETRY_MS);
    EXPECT_TREE("shop/prices/A=3\nshop/prices/a=2\n");
    assert_true(status().settled);
}

static void test_a_failure_is_tried_again_ever_more_seldom(void **state)
{
    (void)state;
    world_add(&w, "shop", "bad", "{\"data\":{\"..\":\"1\"}}");
    world_listed(&w);
    assert_true(status().idle);
    assert_false(status().settled);
    assert_int_equal(status().failed, 1);
    world_wait(&w, 3600000);
    assert_in_range(w.reports[MIRROR_BAD_KEY], 15, 30);
    assert_int_equal(status().failed, 1);
    world_add(&w, "shop", "bad", "{\"data\":{\"a\":\"1\"}}");
    world_wait(&w, MIRROR_RETRY_CAP_MS);
    assert_true(status().settled);
}

/* ---- things of others --------------------------------------------------- */

static void test_what_is_in_the_way_stays(void **state)
{
    (void)state;
    world_add(&w, "shop", "ours", "{\"data\":{\"a\":\"1\"}}");
    put_file("file", "theirs");
    put_file("shop/file", "theirs");
    assert_int_equal(mkdir(world_path(&w, "shop/folder"), 0755), 0);
    put_file("shop/folder/x", "theirs");
    assert_int_equal(symlink("folder", world_path(&w, "shop/link")), 0);
    assert_int_equal(symlink("shop", world_path(&w, "ns")), 0);
    world_add(&w, "file", "a", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "ns", "a", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "shop", "file", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "shop", "folder", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "shop", "link", "{\"data\":{\"a\":\"1\"}}");
    assert_int_equal(w.reports[MIRROR_IN_THE_WAY], 5);
    world_gone(&w, "file", "a", false);
    world_gone(&w, "ns", "ours", false);
    world_gone(&w, "shop", "file", false);
    world_gone(&w, "shop", "folder", false);
    world_gone(&w, "shop", "link", false);
    EXPECT_TREE("file=theirs\n"
                "ns/file=theirs\n"
                "ns/folder/x=theirs\n"
                "ns/link/x=theirs\n"
                "ns/ours/a=1\n"
                "shop/file=theirs\n"
                "shop/folder/x=theirs\n"
                "shop/link/x=theirs\n"
                "shop/ours/a=1\n");
}

static void test_a_copy_of_our_link_is_not_ours(void **state)
{
    char text[100];
    ssize_t len;

    (void)state;
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    len = readlink(world_path(&w, "shop/a"), text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_int_equal(symlink(text, world_path(&w, "shop/b")), 0);
    world_add(&w, "shop", "b", "{\"data\":{\"a\":\"2\"}}");
    assert_int_equal(w.reports[MIRROR_IN_THE_WAY], 1);
    world_gone(&w, "shop", "b", false);
    assert_string_equal(world_read(&w, "shop/b/a"), "1");
}

static void test_links_planted_while_it_runs_are_not_followed(void **state)
{
    char outside[260], id[300], text[100];
    ssize_t len;

    (void)state;
    snprintf(outside, sizeof outside, "%s/../outside", w.dir);
    assert_int_equal(mkdir(outside, 0755), 0);
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "yard", "a", "{\"data\":{\"a\":\"1\"}}");
    put_file("../outside/precious", "x");
    put_file("../outside/a", "x");

    /* the namespace becomes a link */
    assert_int_equal(rename(world_path(&w, "shop"), world_path(&w, "was")), 0);
    assert_int_equal(symlink("../outside", world_path(&w, "shop")), 0);
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"2\"}}");
    world_add(&w, "shop", "new", "{\"data\":{\"a\":\"2\"}}");
    world_gone(&w, "shop", "a", false);
    world_gone(&w, "shop", "precious", false);
    assert_int_equal(w.reports[MIRROR_IN_THE_WAY], 4);

    /* the files of a version become a link, and the version retires */
    len = readlink(world_path(&w, "yard/a"), text, sizeof text - 1);
    text[len] = '\0';
    snprintf(id, sizeof id, "yard/%s", text);
    assert_int_equal(rename(world_path(&w, id), world_path(&w, "kept")), 0);
    assert_int_equal(symlink("../../../outside", world_path(&w, id)), 0);
    world_gone(&w, "yard", "a", false);
    world_wait(&w, 60000);
    assert_string_equal(world_read(&w, "../outside/precious"), "x");
    assert_string_equal(world_read(&w, "../outside/a"), "x");
    assert_int_equal(w.reports[MIRROR_LEFT] > 0, 1);
}

static void test_a_planted_pipe_or_folder_does_not_stop_it(void **state)
{
    (void)state;
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\",\"b\":\"1\"}}");
    unlink(world_path(&w, "shop/a/a"));
    assert_int_equal(mkfifo(world_path(&w, "shop/a/a"), 0644), 0);
    unlink(world_path(&w, "shop/a/b"));
    assert_int_equal(mkdir(world_path(&w, "shop/a/b"), 0755), 0);
    world_put(&w, "shop", "a");
    EXPECT_TREE("shop/a/a=1\nshop/a/b=1\n");
    world_wait(&w, 60000);
    assert_true(w.reports[MIRROR_LEFT] > 0);
    EXPECT_TREE("shop/a/a=1\nshop/a/b=1\n");
}

static void test_a_hidden_folder_put_elsewhere_is_noticed(void **state)
{
    (void)state;
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    assert_int_equal(rename(world_path(&w, ".kinformer"),
                            world_path(&w, "moved")), 0);
    assert_int_equal(mkdir(world_path(&w, ".kinformer"), 0755), 0);
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"2\"}}");
    world_gone(&w, "shop", "a", false);
    assert_int_equal(w.reports[MIRROR_MOVED], 2);
    assert_int_equal(rmdir(world_path(&w, ".kinformer")), 0);
    assert_int_equal(rename(world_path(&w, "moved"),
                            world_path(&w, ".kinformer")), 0);
    world_run(&w, MIRROR_RETRY_MS);
    EXPECT_TREE("shop/a/a=2\n");
}

static void test_a_lost_version_is_written_again(void **state)
{
    char text[100], command[400];
    ssize_t len;

    (void)state;
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    len = readlink(world_path(&w, "shop/a"), text, sizeof text - 1);
    text[len] = '\0';
    snprintf(command, sizeof command, "rm -r '%s/shop/%s/..'", w.dir, text);
    *strrchr(text, '/') = '\0';
    snprintf(command, sizeof command, "rm -r '%s/shop/%s'", w.dir, text);
    assert_int_equal(system(command), 0);
    world_put(&w, "shop", "a");
    EXPECT_TREE("shop/a/a=1\n");
}

/* ---- what goes ---------------------------------------------------------- */

static void test_a_deleted_object_goes_with_its_namespace(void **state)
{
    (void)state;
    world_add(&w, "shop", "a", "{\"data\":{\"a\":\"1\"}}");
    world_add(&w, "shop", "b", "{}");
    world_gone(&w, "shop", "a", false);
    world_gone(&w, "shop", "never", false);
    world_gone(&w, "nowhere", "never", false);
    EXPECT_TREE("shop/b/\n");
    world_gone(&w, "shop", "b", false);
    EXPECT_TREE("");
    assert_int_equal(status().objects, 0);
    world_run(&w, UINT32_MAX - 1);
    assert_int_equal(world_versions(&w), 0);
}

static void test_a_namespace_folder_of_others_stays(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(world_path(&w, "shop"), 0755), 0);
    world_add(&w, "shop", "a", "{}");
    world_gone(&w, "shop", "a", false);
    assert_int_equal(stat(world_path(&w, "shop"), &st), 0);
}

/* n objects o0.. in namespace shop. */
static void add_objects(unsigned n)
{
    static char names[WORLD_OBJECTS][16];

    for (unsigned i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "o%02u", i);
        world_add(&w, "shop", names[i], "{}");
    }
    world_listed(&w);
    assert_int_equal(status().objects, n);
}

static void restart_with(unsigned count)
{
    world_close(&w);
    w.count = count;
    assert_int_equal(world_open(&w), MIRROR_FINE);
    world_put_all(&w);
    world_listed(&w);
}

static void test_deleted_while_down_goes_after_the_first_list(void **state)
{
    (void)state;
    add_objects(3);
    world_close(&w);
    w.count = 2;
    assert_int_equal(world_open(&w), MIRROR_FINE);
    world_run(&w, UINT32_MAX - 1);
    EXPECT_TREE("shop/o00/\nshop/o01/\nshop/o02/\n"); /* nothing known yet */
    assert_int_equal(status().objects, 3);
    world_put_all(&w);
    world_listed(&w);
    EXPECT_TREE("shop/o00/\nshop/o01/\n");
    assert_int_equal(status().removed, 1);
    assert_true(status().settled);
}

static void test_the_brake_by_its_default_and_by_option(void **state)
{
    static const struct {
        bool given, percent;
        uint32_t max;
        unsigned before, after;
        bool held;
    } cases[] = {
        { false, false, 0, 10, 0, false }, /* not more than ten */
        { false, false, 0, 11, 0, true },
        { false, false, 0, 24, 12, false }, /* not more than half */
        { false, false, 0, 24, 11, true },
        { true, false, 5, 20, 15, false },
        { true, false, 5, 20, 14, true },
        { true, false, 0, 1, 0, true },
        { true, true, 25, 20, 15, false },
        { true, true, 25, 20, 14, true },
        { true, true, 100, 60, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_end(&w);
        world_begin(&w);
        w.config.max_delete_given = cases[i].given;
        w.config.max_delete_percent = cases[i].percent;
        w.config.max_delete = cases[i].max;
        assert_int_equal(world_open(&w), MIRROR_FINE);
        add_objects(cases[i].before);
        restart_with(cases[i].after);
        assert_int_equal(status().held,
                         cases[i].held ? cases[i].before - cases[i].after : 0);
        assert_int_equal(w.reports[MIRROR_HELD], cases[i].held);
        assert_int_equal(status().objects,
                         cases[i].held ? cases[i].before : cases[i].after);
        assert_int_equal(status().settled, !cases[i].held);
    }
}

static void test_held_until_confirmed_and_not_more_than_was_told(void **state)
{
    (void)state;
    add_objects(40);
    restart_with(15);
    assert_int_equal(status().held, 25);
    mirror_relisting(&w.mirror, true);
    w.count = 10; /* more are gone than was told */
    mirror_confirm(&w.mirror);
    world_listed(&w);
    assert_int_equal(status().held, 30);
    assert_int_equal(status().objects, 40);
    assert_int_equal(w.reports[MIRROR_HELD], 2);
    mirror_confirm(&w.mirror);
    world_run(&w, MIRROR_SETTLE_MS);
    assert_int_equal(status().held, 0);
    assert_int_equal(status().objects, 10);
    assert_int_equal(w.reports[MIRROR_RELEASED], 1);
    assert_true(status().settled);
}

static void test_held_is_over_when_the_objects_come_back(void **state)
{
    (void)state;
    add_objects(20);
    restart_with(2);
    assert_int_equal(status().held, 18);
    w.count = 18;
    world_put_all(&w);
    world_run(&w, MIRROR_SETTLE_MS);
    assert_int_equal(status().held, 0);
    assert_int_equal(status().objects, 18);
}

static void test_events_are_not_braked(void **state)
{
    char name[16];

    (void)state;
    add_objects(40);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "o%02u", i);
        world_unset(&w, "shop", name);
        world_gone(&w, "shop", name, false);
    }
    EXPECT_TREE("");
}

static void test_deletes_while_relisting_are_done_together(void **state)
{
    (void)state;
    add_objects(30);
    mirror_relisting(&w.mirror, true);
    for (unsigned i = 30; i-- > 18;) {
        struct world_object gone = w.objects[i];

        w.count--;
        world_gone(&w, gone.namespace_, gone.name, true);
    }
    world_run(&w, UINT32_MAX - 1);
    assert_int_equal(status().objects, 30); /* noted, none done */
    assert_int_equal(status().noted, 12);
    world_listed(&w);
    assert_int_equal(status().objects, 18);
    assert_int_equal(status().removed, 12);
}

static void test_noted_deletes_obey_the_brake(void **state)
{
    (void)state;
    add_objects(30);
    mirror_relisting(&w.mirror, true);
    for (unsigned i = 30; i-- > 10;) {
        w.count--;
        world_gone(&w, "shop", w.objects[i].name, true);
    }
    world_listed(&w);
    assert_int_equal(status().objects, 30);
    assert_int_equal(status().held, 20);
}

static void test_a_list_that_begins_ends_a_removal(void **state)
{
    uint32_t removed;

    (void)state;
    add_objects(60);
    mirror_relisting(&w.mirror, true);
    w.complete = false;
    for (unsigned i = 60; i-- > 36;) {
        w.count--;
        world_gone(&w, "shop", w.objects[i].name, true);
    }
    mirror_relisting(&w.mirror, false);
    while (status().removed == 0)
        w.now_ms += mirror_step(&w.mirror, w.now_ms);
    removed = status().removed;
    assert_in_range(removed, 1, 22);
    mirror_relisting(&w.mirror, true);
    world_add(&w, "shop", "o59", "{}"); /* is back, as the list says */
    world_run(&w, MIRROR_GRACE_MS - 1);
    assert_int_equal(status().removed, removed);
    world_listed(&w);
    assert_int_equal(status().objects, 37);
}

static void test_incomplete_only_a_delete_removes(void **state)
{
    (void)state;
    add_objects(5);
    world_close(&w);
    w.complete = false;
    w.count = 2;
    assert_int_equal(world_open(&w), MIRROR_FINE);
    world_put_all(&w);
    world_gone(&w, "shop", "o02", false); /* an event */
    world_gone(&w, "shop", "o03", true);  /* from a sweep */
    world_listed(&w);
    EXPECT_TREE("shop/o00/\nshop/o01/\nshop/o04/\n");
    w.complete = true;
    mirror_relisting(&w.mirror, true);
    world_listed(&w);
    EXPECT_TREE("shop/o00/\nshop/o01/\n");
}

static void test_noted_and_back_again_stays(void **state)
{
    (void)state;
    add_objects(2);
    w.complete = false;
    mirror_relisting(&w.mirror, true);
    world_gone(&w, "shop", "o00", true);
    world_gone(&w, "shop", "o01", true);
    world_put(&w, "shop", "o00"); /* by its add, o01 by the cache alone */
    world_listed(&w);
    EXPECT_TREE("shop/o00/\nshop/o01/\n");
    w.count = 0;
    mirror_relisting(&w.mirror, true);
    world_listed(&w); /* the notes are forgotten */
    EXPECT_TREE("shop/o00/\nshop/o01/\n");
}

static void test_a_note_outlives_a_restart(void **state)
{
    (void)state;
    add_objects(2);
    mirror_relisting(&w.mirror, true);
    world_unset(&w, "shop", "o01");
    world_gone(&w, "shop", "o01", true);
    w.complete = false;
    restart_with(1);
    EXPECT_TREE("shop/o00/\n");
}

static void test_a_note_that_comes_late_is_done_too(void **state)
{
    (void)state;
    add_objects(3);
    w.complete = false;
    world_unset(&w, "shop", "o01");
    world_gone(&w, "shop", "o01", true); /* after the list's end */
    EXPECT_TREE("shop/o00/\nshop/o01/\nshop/o02/\n");
    world_run(&w, MIRROR_SETTLE_MS);
    EXPECT_TREE("shop/o00/\nshop/o02/\n");
}

/* The 128-bit vectors of SipHash's authors, for 0 and for 15 bytes. */
static void test_the_digest_is_siphash(void **state)
{
    static const unsigned char bytes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                           11, 12, 13, 14 };
    struct mirror_digest d;
    char text[33];

    (void)state;
    mirror_digest_begin(&d);
    mirror_digest_end(&d, text);
    assert_string_equal(text, "a3817f04ba25a8e66df67214c7550293");
    mirror_digest_begin(&d);
    mirror_digest_add(&d, bytes, 4);
    mirror_digest_add(&d, bytes + 4, 11);
    mirror_digest_end(&d, text);
    assert_string_equal(text, "5493e99933b0a8117e08ec0f97cfc3d9");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_key_is_a_file),
        TEST(test_values_are_written_by_length),
        TEST(test_an_object_without_data_is_an_empty_folder),
        TEST(test_many_keys_take_many_calls_and_one_switch),
        TEST(test_what_comes_in_the_way_while_half_written_stays),
        TEST(test_a_newer_state_replaces_one_half_written),
        TEST(test_deleted_while_half_written_leaves_nothing),
        TEST(test_a_mebibyte_in_one_value),
        TEST(test_names_of_253_characters),
        TEST(test_secrets_are_for_the_owner_alone),
        TEST(test_what_did_not_change_is_not_touched),
        TEST(test_a_change_is_one_move_in_the_namespace),
        TEST(test_the_old_version_stays_for_its_readers),
        TEST(test_more_old_versions_than_the_line_is_long),
        TEST(test_changed_files_are_written_again),
        TEST(test_truncated_leaves_the_old_files),
        TEST(test_bad_objects_cost_themselves_only),
        TEST(test_keys_that_differ_by_case_where_that_is_one_file),
        TEST(test_a_failure_is_tried_again_ever_more_seldom),
        TEST(test_what_is_in_the_way_stays),
        TEST(test_a_copy_of_our_link_is_not_ours),
        TEST(test_links_planted_while_it_runs_are_not_followed),
        TEST(test_a_planted_pipe_or_folder_does_not_stop_it),
        TEST(test_a_hidden_folder_put_elsewhere_is_noticed),
        TEST(test_a_lost_version_is_written_again),
        TEST(test_a_deleted_object_goes_with_its_namespace),
        TEST(test_a_namespace_folder_of_others_stays),
        TEST(test_deleted_while_down_goes_after_the_first_list),
        TEST(test_the_brake_by_its_default_and_by_option),
        TEST(test_held_until_confirmed_and_not_more_than_was_told),
        TEST(test_held_is_over_when_the_objects_come_back),
        TEST(test_events_are_not_braked),
        TEST(test_deletes_while_relisting_are_done_together),
        TEST(test_noted_deletes_obey_the_brake),
        TEST(test_a_list_that_begins_ends_a_removal),
        TEST(test_incomplete_only_a_delete_removes),
        TEST(test_noted_and_back_again_stays),
        TEST(test_a_note_outlives_a_restart),
        TEST(test_a_note_that_comes_late_is_done_too),
        cmocka_unit_test(test_the_digest_is_siphash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
