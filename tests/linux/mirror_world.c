/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_world.c - see mirror_world.h. */
#include "mirror_world.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- the cluster -------------------------------------------------------- */

static struct kinf_span span(const char *text)
{
    return (struct kinf_span){ text, strlen(text) };
}

static bool is(struct kinf_span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static void show(const struct world_object *from, struct kinf_object *out)
{
    *out = (struct kinf_object){
        .name = span(from->name),
        .namespace_ = span(from->namespace_),
        .json = span(from->json ? from->json : ""),
        .reason = from->json ? KINF_WHOLE : KINF_REASON_TOO_BIG,
    };
}

static struct world_object *find(struct world *w, struct kinf_span namespace_,
                                 struct kinf_span name)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (is(namespace_, w->objects[i].namespace_) &&
            is(name, w->objects[i].name))
            return &w->objects[i];
    }
    return NULL;
}

static int cache_find(void *ctx, struct kinf_span namespace_,
                      struct kinf_span name, struct kinf_object *out)
{
    struct world *w = ctx;
    struct world_object *o = find(w, namespace_, name);

    if (!o)
        return w->complete ? 0 : KINF_ERR_INCOMPLETE;
    show(o, out);
    return 1;
}

static int cache_next(void *ctx, bool first, struct kinf_object *out)
{
    struct world *w = ctx;

    if (first)
        w->walk = 0;
    if (w->walk == w->count)
        return 0;
    show(&w->objects[w->walk++], out);
    return 1;
}

static void on_report(void *ctx, const struct mirror_report *r)
{
    struct world *w = ctx;

    w->reports[r->problem]++;
    w->last = *r;
    snprintf(w->last_name, sizeof w->last_name, "%.*s/%.*s/%.*s",
             (int)r->namespace_.len, r->namespace_.ptr, (int)r->name.len,
             r->name.ptr, (int)r->key.len, r->key.ptr);
}

void world_set(struct world *w, const char *namespace_, const char *name,
               const char *json)
{
    struct world_object *o = find(w, span(namespace_), span(name));

    if (!o) {
        assert(w->count < WORLD_OBJECTS);
        o = &w->objects[w->count++];
    }
    *o = (struct world_object){ namespace_, name, json };
}

void world_unset(struct world *w, const char *namespace_, const char *name)
{
    struct world_object *o = find(w, span(namespace_), span(name));

    assert(o);
    *o = w->objects[--w->count];
}

/* ---- the mirror --------------------------------------------------------- */

void world_begin(struct world *w)
{
    const char *tmp = w->in_memory && access("/dev/shm", W_OK) == 0
                          ? "/dev/shm" : getenv("TMPDIR");

    memset(w, 0, offsetof(struct world, in_memory));
    memset(&faults, 0, sizeof faults);
    snprintf(w->dir, sizeof w->dir, "%s/mirror.XXXXXX", tmp ? tmp : "/tmp");
    assert(mkdtemp(w->dir));
    strcat(w->dir, "/dir");
    w->complete = true;
    w->now_ms = 0xFFFFF000u; /* wraps soon */
    w->config = (struct mirror_config){
        .dir = w->dir,
        .server = "https://10.0.0.1:6443",
        .resource = "configmaps",
        .selector = "",
        .cache = { cache_find, cache_next },
        .report = on_report,
        .ctx = w,
        .sys = &faulty_sys,
    };
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void world_end(struct world *w)
{
    world_close(w);
    *strrchr(w->dir, '/') = '\0';
    assert(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

enum mirror_problem world_open(struct world *w)
{
    return mirror_open(&w->mirror, &w->config);
}

void world_close(struct world *w)
{
    if (w->mirror.sys)
        mirror_close(&w->mirror);
    w->mirror.sys = NULL;
}

void world_put(struct world *w, const char *namespace_, const char *name)
{
    struct world_object *o = find(w, span(namespace_), span(name));
    struct kinf_object object;
    int wait;

    assert(o);
    for (int i = 0; i < 100000; i++) {
        show(o, &object);
        wait = mirror_put(&w->mirror, &object, w->now_ms);
        if (wait == KINF_OK)
            return;
        w->now_ms += (uint32_t)wait;
        (void)mirror_step(&w->mirror, w->now_ms);
    }
    abort(); /* a put comes to an end */
}

void world_put_all(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++)
        world_put(w, w->objects[i].namespace_, w->objects[i].name);
}

void world_gone(struct world *w, const char *namespace_, const char *name,
                bool relisting)
{
    int wait = mirror_remove(&w->mirror, span(namespace_), span(name),
                             relisting, w->now_ms);

    assert(wait == KINF_OK);
}

void world_add(struct world *w, const char *namespace_, const char *name,
               const char *json)
{
    world_set(w, namespace_, name, json);
    world_put(w, namespace_, name);
}

void world_listed(struct world *w)
{
    mirror_relisting(&w->mirror, false);
    world_run(w, MIRROR_SETTLE_MS);
}

void world_run(struct world *w, uint32_t most_ms)
{
    for (int i = 0; i < 100000; i++) {
        uint32_t wait = mirror_step(&w->mirror, w->now_ms);

        if (wait > most_ms)
            return;
        w->now_ms += wait;
    }
    abort(); /* a mirror comes to rest */
}

void world_wait(struct world *w, uint32_t ms)
{
    const uint32_t end_ms = w->now_ms + ms;

    for (;;) {
        uint32_t wait = mirror_step(&w->mirror, w->now_ms);

        if (wait > end_ms - w->now_ms)
            break;
        w->now_ms += wait;
    }
    w->now_ms = end_ms;
}

void world_repair(struct world *w)
{
    struct mirror_status s;

    assert(world_open(w) == MIRROR_FINE);
    world_put_all(w);
    world_listed(w);
    world_run(w, UINT32_MAX - 1);
    mirror_status(&w->mirror, &s);
    assert(s.settled);
    world_close(w);
}

/* ---- the folder --------------------------------------------------------- */

const char *world_path(const struct world *w, const char *path)
{
    static char paths[4][900];
    static unsigned turn;
    char *out = paths[turn++ % 4];

    snprintf(out, sizeof paths[0], "%s/%s", w->dir, path);
    return out;
}

static const char *read_at(int dir, const char *name)
{
    static char text[70000];
    int fd = openat(dir, name, O_RDONLY);
    ssize_t len;

    if (fd < 0)
        return NULL;
    len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len < 0)
        return NULL;
    text[len] = '\0';
    return text;
}

const char *world_read(const struct world *w, const char *path)
{
    return read_at(AT_FDCWD, world_path(w, path));
}

static char tree[65536];

static void add_tree(const char *path, const char *shown)
{
    struct dirent **list;
    int count = scandir(path, &list, NULL, alphasort);

    if (count == 2 && *shown)
        snprintf(tree + strlen(tree), sizeof tree - strlen(tree), "%s/\n",
                 shown);
    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;
        char below[1200], as[1200];
        struct stat st;

        snprintf(below, sizeof below, "%s/%s", path, name);
        snprintf(as, sizeof as, "%s%s%s", shown, *shown ? "/" : "", name);
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            strcmp(name, ".kinformer") == 0)
            ;
        else if (stat(below, &st) < 0)
            snprintf(tree + strlen(tree), sizeof tree - strlen(tree),
                     "%s broken\n", as);
        else if (S_ISDIR(st.st_mode))
            add_tree(below, as);
        else
            snprintf(tree + strlen(tree), sizeof tree - strlen(tree),
                     "%s=%s\n", as, read_at(AT_FDCWD, below));
        free(list[i]);
    }
    if (count >= 0)
        free(list);
}

const char *world_tree(const struct world *w)
{
    tree[0] = '\0';
    add_tree(w->dir, "");
    return tree;
}

unsigned world_versions(const struct world *w)
{
    DIR *d = opendir(world_path(w, ".kinformer"));
    struct dirent *e;
    unsigned count = 0;

    while (d && (e = readdir(d)))
        count += strspn(e->d_name, "0123456789abcdef") == 8;
    if (d)
        closedir(d);
    return count;
}

/* ---- faults ------------------------------------------------------------- */

struct faults faults;

/* Returns 0, or the -errno of a call that is to fail. */
static int strike(bool changes)
{
    unsigned n = faults.calls++;

    if (faults.fault == FAULT_ONCE && n == faults.at)
        return -faults.error;
    if (faults.fault == FAULT_FROM && n >= faults.at && changes)
        return -faults.error;
    if (faults.fault == FAULT_END && n == faults.at)
        _exit(0);
    return 0;
}

static bool taken_in_other_case(int dir, const char *name)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    bool taken = false;

    while (d && (e = readdir(d)))
        taken |= strcasecmp(e->d_name, name) == 0;
    if (d)
        closedir(d);
    return taken;
}

#define REAL mirror_sys_real

static int f_open(int dir, const char *name, int flags, mode_t mode)
{
    int err = strike(flags & O_CREAT);

    if (err < 0)
        return err;
    if (faults.fold_case && (flags & O_EXCL) && taken_in_other_case(dir, name))
        return -EEXIST;
    return REAL.open(dir, name, flags, mode);
}

static int f_close(int fd)
{
    int err = strike(false), closed = REAL.close(fd);

    return err < 0 ? err : closed;
}

#define FAULTY(name, changes, parameters, ...)                                 \
    static int f_##name parameters                                             \
    {                                                                          \
        int err = strike(changes);                                             \
        return err < 0 ? err : REAL.name(__VA_ARGS__);                         \
    }
FAULTY(mkdir, true, (int dir, const char *name, mode_t mode), dir, name, mode)
FAULTY(symlink, true, (const char *target, int dir, const char *name), target,
       dir, name)
FAULTY(readlink, false, (int dir, const char *name, char *buf, size_t size),
       dir, name, buf, size)
FAULTY(rename, true,
       (int from_dir, const char *from, int dir, const char *name), from_dir,
       from, dir, name)
FAULTY(unlink, true, (int dir, const char *name, int flags), dir, name, flags)
FAULTY(stat, false, (int dir, const char *name, struct stat *out), dir, name,
       out)
FAULTY(fstat, false, (int fd, struct stat *out), fd, out)
FAULTY(read, false, (int fd, void *buf, size_t size), fd, buf, size)
FAULTY(list, false, (int fd, void *buf, size_t size), fd, buf, size)
FAULTY(lock, false, (int fd), fd)

static int f_sync(int fd)
{
    int err = strike(true);

    (void)fd; /* a sync of the disk proves nothing here, and takes long */
    return err;
}

static int f_write(int fd, const void *buf, size_t size)
{
    bool half = faults.fault == FAULT_HALF && faults.calls == faults.at;
    int err = strike(true);

    if (err < 0)
        return err;
    if (half) {
        REAL.write(fd, buf, size / 2);
        _exit(0);
    }
    return REAL.write(fd, buf, faults.fault == FAULT_SHORT ? 1 : size);
}

const struct mirror_sys faulty_sys = {
    .open = f_open,
    .close = f_close,
    .mkdir = f_mkdir,
    .symlink = f_symlink,
    .readlink = f_readlink,
    .rename = f_rename,
    .unlink = f_unlink,
    .stat = f_stat,
    .fstat = f_fstat,
    .read = f_read,
    .write = f_write,
    .sync = f_sync,
    .list = f_list,
    .lock = f_lock,
};
