/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror_faults.c - a mirror whose n-th system call fails, or is its last,
 * for every n.
 *
 * Wherever that is, a reader sees each object all old or all new, and a run
 * without faults then brings DIR to what the cluster has, with nothing left
 * over. */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mirror_world.h"

static struct world w;

#define A_OLD "{\"data\":{\"x\":\"old\",\"y\":\"older\"}}"
#define A_NEW "{\"data\":{\"x\":\"new\",\"y\":\"newer\"}}"
#define SAW_OLD "shop/a/x=old\nshop/a/y=older\n"
#define SAW_NEW "shop/a/x=new\nshop/a/y=newer\n"

/* A mirror that has run before; then the cluster changed while it was down. */
static void prepare(void)
{
    world_begin(&w);
    world_set(&w, "shop", "a", A_OLD);
    world_set(&w, "shop", "b", "{\"data\":{\"x\":\"same\"}}");
    world_set(&w, "shop", "c", "{\"data\":{\"x\":\"goes\"}}");
    world_set(&w, "shop", "d", "{\"data\":{\"x\":\"gone\"}}");
    world_set(&w, "yard", "e", "{\"data\":{\"x\":\"goes\"}}");
    world_repair(&w);
    world_set(&w, "shop", "a", A_NEW);
    world_set(&w, "new", "f", "{\"data\":{\"x\":\"new\"}}");
    world_unset(&w, "shop", "d");
}

/* A run of the mirror: list, events, an update, time for what is tried again.
 * Returns whether DIR could be opened. */
static bool run(void)
{
    bool opened = world_open(&w) == MIRROR_FINE;

    if (opened) {
        world_put_all(&w);
        mirror_relisting(&w.mirror, false);
        world_run(&w, 1);
        world_unset(&w, "yard", "e");
        world_gone(&w, "yard", "e", false);
        mirror_relisting(&w.mirror, true);
        world_unset(&w, "shop", "c");
        world_gone(&w, "shop", "c", true);
        mirror_relisting(&w.mirror, false);
        world_wait(&w, 600000);
    } else {
        world_unset(&w, "yard", "e");
        world_unset(&w, "shop", "c");
    }
    world_close(&w);
    return opened;
}

#define END_TREE                                                               \
    "new/f/x=new\n" SAW_NEW "shop/b/x=same\n"

static void expect_whole(void)
{
    const char *tree = world_tree(&w);

    assert_true(strstr(tree, SAW_OLD) || strstr(tree, SAW_NEW));
    assert_non_null(strstr(tree, "shop/b/x=same\n"));
    assert_null(strstr(tree, "broken"));
}

static void expect_end(void)
{
    assert_string_equal(END_TREE, world_tree(&w));
    assert_int_equal(world_versions(&w), 3);
}

static void repair(void)
{
    memset(&faults, 0, sizeof faults);
    world_repair(&w);
    expect_end();
}

static void set_fault(enum fault fault, unsigned at, int error)
{
    faults = (struct faults){ .fault = fault, .at = at, .error = error };
}

static void test_a_run_without_faults(void **state)
{
    (void)state;
    prepare();
    set_fault(FAULT_NONE, 0, 0);
    assert_true(run());
    print_message("%u system calls\n", faults.calls);
    expect_end();
    world_end(&w);
}

static void test_one_call_fails_and_it_heals_by_itself(void **state)
{
    static const int errors[] = { ENOSPC, EIO, EACCES };
    bool struck = true;

    (void)state;
    for (unsigned n = 0; struck; n++) {
        prepare();
        set_fault(FAULT_ONCE, n, errors[n % 3]);
        if (run()) {
            faults.fault = FAULT_NONE;
            assert_string_equal(END_TREE, world_tree(&w));
        }
        struck = faults.calls > n;
        expect_whole();
        repair();
        world_end(&w);
    }
}

static void test_nothing_can_be_changed_any_more(void **state)
{
    static const int errors[] = { ENOSPC, EROFS, EACCES, EIO };
    bool struck = true;

    (void)state;
    for (unsigned n = 0; struck; n++) {
        prepare();
        set_fault(FAULT_FROM, n, errors[n % 4]);
        if (run())
            assert_true(n > 400 || w.reports[MIRROR_DISK] > 0);
        struck = faults.calls > n && n < 400;
        expect_whole();
        repair();
        world_end(&w);
    }
}

/* Runs in a process that ends before its n-th call, or half-way through it.
 * Returns whether it came that far. */
static bool run_until(enum fault fault, unsigned n)
{
    int code;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        set_fault(fault, n, 0);
        (void)run();
        _exit(1); /* was not struck */
    }
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code) == 0;
}

static void end_at_each(enum fault fault, unsigned most)
{
    bool struck = true;

    for (unsigned n = 0; struck || n < most; n++) {
        prepare();
        struck = run_until(fault, n);
        expect_whole();
        world_unset(&w, "yard", "e");
        world_unset(&w, "shop", "c");
        repair();
        world_end(&w);
    }
}

static void test_a_kill_before_each_call(void **state)
{
    (void)state;
    end_at_each(FAULT_END, 0);
}

static void test_a_kill_before_each_call_of_the_first_run(void **state)
{
    bool struck = true;

    (void)state;
    for (unsigned n = 0; struck; n++) {
        world_begin(&w);
        world_set(&w, "yard", "e", "{\"data\":{\"x\":\"goes\"}}");
        world_set(&w, "shop", "c", "{\"data\":{\"x\":\"goes\"}}");
        world_set(&w, "shop", "a", A_NEW);
        world_set(&w, "shop", "b", "{\"data\":{\"x\":\"same\"}}");
        world_set(&w, "new", "f", "{\"data\":{\"x\":\"new\"}}");
        struck = run_until(FAULT_END, n);
        assert_null(strstr(world_tree(&w), "broken"));
        world_unset(&w, "yard", "e");
        world_unset(&w, "shop", "c");
        repair();
        world_end(&w);
    }
}

static void test_a_kill_in_the_middle_of_a_write(void **state)
{
    (void)state;
    end_at_each(FAULT_HALF, 120);
}

static void test_a_kill_and_another_one_in_the_repair(void **state)
{
    (void)state;
    for (unsigned n = 3; n < 260; n += 13) {
        for (unsigned m = n % 5; m < 200; m += 17) {
            prepare();
            (void)run_until(FAULT_END, n);
            (void)run_until(FAULT_END, m);
            expect_whole();
            world_unset(&w, "yard", "e");
            world_unset(&w, "shop", "c");
            repair();
            world_end(&w);
        }
    }
}

static void test_writes_that_move_one_byte(void **state)
{
    (void)state;
    prepare();
    set_fault(FAULT_SHORT, 0, 0);
    assert_true(run());
    expect_end();
    world_end(&w);
}

/* The disk is full but for what old versions hold: they go without grace. */
static int full_write(int fd, const void *buf, size_t size)
{
    return world_versions(&w) > 2 ? -ENOSPC
                                  : mirror_sys_real.write(fd, buf, size);
}

static void test_a_full_disk_is_made_room_on(void **state)
{
    struct mirror_sys sys = faulty_sys;

    (void)state;
    world_begin(&w);
    assert_int_equal(world_open(&w), MIRROR_FINE);
    world_add(&w, "shop", "a", A_OLD);
    world_add(&w, "shop", "a", A_NEW);
    sys.write = full_write;
    w.mirror.sys = &sys;
    world_add(&w, "shop", "a", A_OLD); /* was retired but now; goes at once */
    assert_string_equal(world_tree(&w), SAW_OLD);
    assert_int_equal(w.reports[MIRROR_DISK], 0);
    world_end(&w);
}

/* ---- what is on disk when ----------------------------------------------- */

/* Folders and files that were changed and not synced, by inode. */
static ino_t dirty[256];
static unsigned dirty_count, commits;

static ino_t inode_of(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

static void clean(ino_t inode)
{
    for (unsigned i = 0; i < dirty_count; i++) {
        if (dirty[i] == inode)
            dirty[i--] = dirty[--dirty_count];
    }
}

static void soil(ino_t inode)
{
    clean(inode);
    assert_true(dirty_count < 256);
    dirty[dirty_count++] = inode;
}

static bool is_namespace(int dir)
{
    static const char *const names[] = { "shop", "yard", "new" };
    struct stat st;

    for (unsigned i = 0; i < 3; i++) {
        if (stat(world_path(&w, names[i]), &st) == 0 &&
            st.st_ino == inode_of(dir))
            return true;
    }
    return false;
}

static int s_open(int dir, const char *name, int flags, mode_t mode)
{
    int fd = mirror_sys_real.open(dir, name, flags, mode);

    if (fd >= 0 && (flags & O_EXCL))
        soil(inode_of(dir));
    return fd;
}

static int s_write(int fd, const void *buf, size_t size)
{
    soil(inode_of(fd));
    return mirror_sys_real.write(fd, buf, size);
}

static int s_mkdir(int dir, const char *name, mode_t mode)
{
    int err = mirror_sys_real.mkdir(dir, name, mode);

    if (err == 0 && dir >= 0)
        soil(inode_of(dir));
    return err;
}

/* A reader can see the new version from here on: all of it is on disk. */
static void commit(int dir)
{
    assert_int_equal(dirty_count, 0);
    soil(inode_of(dir));
    commits++;
}

static int s_symlink(const char *target, int dir, const char *name)
{
    if (is_namespace(dir))
        commit(dir);
    else if (strcmp(name, "link") != 0) /* nobody needs that one */
        soil(inode_of(dir));
    return mirror_sys_real.symlink(target, dir, name);
}

static int s_rename(int from_dir, const char *from, int dir, const char *name)
{
    if (is_namespace(dir))
        commit(dir);
    return mirror_sys_real.rename(from_dir, from, dir, name);
}

static mode_t mode_of(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode;
}

/* An old version goes only when no link to it can come back. */
static int s_unlink(int dir, const char *name, int flags)
{
    struct stat st = { 0 };
    int err;

    if (is_namespace(dir))
        soil(inode_of(dir));
    else if (flags == 0 && S_ISREG(mode_of(dir, name)))
        assert_int_equal(dirty_count, 0);
    (void)fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
    err = mirror_sys_real.unlink(dir, name, flags);
    if (err == 0)
        clean(st.st_ino);
    return err;
}

static int s_sync(int fd)
{
    clean(inode_of(fd));
    return 0;
}

static void test_all_is_synced_before_it_counts(void **state)
{
    struct mirror_sys sys = mirror_sys_real;

    (void)state;
    prepare();
    sys.open = s_open;
    sys.write = s_write;
    sys.mkdir = s_mkdir;
    sys.symlink = s_symlink;
    sys.rename = s_rename;
    sys.unlink = s_unlink;
    sys.sync = s_sync;
    w.config.sys = &sys;
    dirty_count = commits = 0;
    assert_true(run());
    assert_int_equal(commits, 2);
    assert_int_equal(dirty_count, 0);
    expect_end();
    world_end(&w);
}

/* ---- readers ------------------------------------------------------------ */

/* Writes version after version, both values the same, until its last call. */
static void write_versions(unsigned number, unsigned last_call)
{
    char json[100];

    set_fault(FAULT_END, last_call, 0);
    w.config.sys = &faulty_sys;
    if (world_open(&w) != MIRROR_FINE)
        _exit(2);
    for (unsigned i = 0;; i++) {
        snprintf(json, sizeof json,
                 "{\"data\":{\"x\":\"%u.%u\",\"y\":\"%u.%u\"}}", number, i,
                 number, i);
        world_add(&w, "shop", "a", json);
        (void)mirror_step(&w.mirror, w.now_ms++);
        usleep(1000);
    }
}

static void read_both(char *x, char *y)
{
    int dir = open(world_path(&w, "shop/a"), O_RDONLY | O_DIRECTORY);
    char *into[2] = { x, y };

    assert_true(dir >= 0);
    for (int i = 0; i < 2; i++) {
        int fd = openat(dir, i ? "y" : "x", O_RDONLY);
        ssize_t len;

        assert_true(fd >= 0);
        len = read(fd, into[i], 30);
        assert_true(len > 0);
        into[i][len] = '\0';
        close(fd);
    }
    close(dir);
}

static void test_readers_never_see_two_versions_at_once(void **state)
{
    unsigned reads = 0, changes = 0;
    char x[32], y[32], was[32] = "";

    (void)state;
    world_begin(&w);
    world_set(&w, "shop", "a", "{\"data\":{\"x\":\"0\",\"y\":\"0\"}}");
    world_repair(&w);
    srand(7);
    for (unsigned life = 1; life <= 60; life++) {
        unsigned last_call = 40 + (unsigned)rand() % 200;
        pid_t pid = fork();
        int code;

        assert_true(pid >= 0);
        if (pid == 0)
            write_versions(life, last_call);
        while (waitpid(pid, &code, WNOHANG) == 0) {
            read_both(x, y);
            assert_string_equal(x, y);
            reads++;
            changes += strcmp(x, was) != 0;
            strcpy(was, x);
        }
        assert_int_equal(code, 0);
    }
    print_message("%u reads, %u versions seen\n", reads, changes);
    assert_true(changes > 60);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_without_faults),
        cmocka_unit_test(test_one_call_fails_and_it_heals_by_itself),
        cmocka_unit_test(test_nothing_can_be_changed_any_more),
        cmocka_unit_test(test_a_kill_before_each_call),
        cmocka_unit_test(test_a_kill_before_each_call_of_the_first_run),
        cmocka_unit_test(test_a_kill_in_the_middle_of_a_write),
        cmocka_unit_test(test_a_kill_and_another_one_in_the_repair),
        cmocka_unit_test(test_writes_that_move_one_byte),
        cmocka_unit_test(test_a_full_disk_is_made_room_on),
        cmocka_unit_test(test_all_is_synced_before_it_counts),
        cmocka_unit_test(test_readers_never_see_two_versions_at_once),
    };

    w.in_memory = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
