/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_sys.h - the system calls that touch a mirror's DIR, as a table.
 *
 * All are relative to the descriptor of a folder and follow no link. The table
 * is there so that a test can let the n-th call fail, or be the last. */
#ifndef MIRROR_SYS_H
#define MIRROR_SYS_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Each returns what the call of its name does, or -errno. */
struct mirror_sys {
    int (*open)(int dir, const char *name, int flags, mode_t mode);
    int (*close)(int fd);
    int (*mkdir)(int dir, const char *name, mode_t mode);
    int (*symlink)(const char *target, int dir, const char *name);
    int (*readlink)(int dir, const char *name, char *buf, size_t size);
    int (*rename)(int from_dir, const char *from, int dir, const char *name);
    int (*unlink)(int dir, const char *name, int flags);
    int (*stat)(int dir, const char *name, struct stat *out);
    int (*fstat)(int fd, struct stat *out);
    int (*read)(int fd, void *buf, size_t size);
    int (*write)(int fd, const void *buf, size_t size);
    int (*sync)(int fd);
    int (*list)(int fd, void *buf, size_t size); /* getdents64 */
    int (*lock)(int fd);                         /* or -EWOULDBLOCK */
};

extern const struct mirror_sys mirror_sys_real;

#endif
