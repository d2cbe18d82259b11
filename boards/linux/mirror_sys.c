/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_sys.c - the calls of mirror_sys.h as the kernel has them. */
#include "mirror_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static int answer(long n)
{
    return n < 0 ? -errno : n > INT_MAX ? INT_MAX : (int)n;
}

static int real_open(int dir, const char *name, int flags, mode_t mode)
{
    return answer(openat(dir, name, flags | O_CLOEXEC | O_NOCTTY, mode));
}

static int real_close(int fd)
{
    return answer(close(fd));
}

static int real_mkdir(int dir, const char *name, mode_t mode)
{
    return answer(mkdirat(dir, name, mode));
}

static int real_symlink(const char *target, int dir, const char *name)
{
    return answer(symlinkat(target, dir, name));
}

static int real_readlink(int dir, const char *name, char *buf, size_t size)
{
    return answer(readlinkat(dir, name, buf, size));
}

static int real_rename(int from_dir, const char *from, int dir,
                       const char *name)
{
    return answer(renameat(from_dir, from, dir, name));
}

static int real_unlink(int dir, const char *name, int flags)
{
    return answer(unlinkat(dir, name, flags));
}

static int real_stat(int dir, const char *name, struct stat *out)
{
    return answer(fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW));
}

static int real_fstat(int fd, struct stat *out)
{
    return answer(fstat(fd, out));
}

static int real_read(int fd, void *buf, size_t size)
{
    long n;

    do
        n = read(fd, buf, size);
    while (n < 0 && errno == EINTR);
    return answer(n);
}

static int real_write(int fd, const void *buf, size_t size)
{
    long n;

    do
        n = write(fd, buf, size);
    while (n < 0 && errno == EINTR);
    return answer(n);
}

/* EINVAL: a file system whose folders cannot be synced, and need not be. */
static int real_sync(int fd)
{
    int err;

    do
        err = answer(fsync(fd));
    while (err == -EINTR);
    return err == -EINVAL ? 0 : err;
}

static int real_list(int fd, void *buf, size_t size)
{
    return answer(syscall(SYS_getdents64, fd, buf, size));
}

static int real_lock(int fd)
{
    return answer(flock(fd, LOCK_EX | LOCK_NB));
}

const struct mirror_sys mirror_sys_real = {
    .open = real_open,
    .close = real_close,
    .mkdir = real_mkdir,
    .symlink = real_symlink,
    .readlink = real_readlink,
    .rename = real_rename,
    .unlink = real_unlink,
    .stat = real_stat,
    .fstat = real_fstat,
    .read = real_read,
    .write = real_write,
    .sync = real_sync,
    .list = real_list,
    .lock = real_lock,
};
