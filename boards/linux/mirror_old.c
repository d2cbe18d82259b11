/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_old.c - versions that no link leads to any more.
 *
 * They wait in line for MIRROR_GRACE_MS, for readers who are still in them, and
 * go a few files at a time. The line is of fixed length; when it is full the
 * first in it goes early. Versions that found no place in it are found again by
 * an audit of the hidden folder. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "mirror_tree.h"

static struct mirror_old *first(struct mirror *m)
{
    return &m->old[m->old_head % MIRROR_OLD];
}

static void leave_line(struct mirror *m)
{
    m->old_head++;
    m->old_count--;
}

/* Removes what was listed in m->piece[1]. Returns -errno, or how many. */
static int remove_listed(struct mirror *m, int folder, int len, int most)
{
    uint32_t at = 0;
    const char *name;
    int count = 0, err;

    while (count < most &&
           (name = mirror_next_entry(m->piece[1], (uint32_t)len, &at))) {
        err = m->sys->unlink(folder, name, 0);
        if (err < 0 && err != -ENOENT)
            return err;
        count++;
    }
    return count;
}

/* Removes the files of a folder. Returns 1 when none is left, 0 when there may
 * be more, or -errno. */
static int remove_files(struct mirror *m, int folder)
{
    int left = MIRROR_FILES_A_CALL, len, count;

    while (left > 0) {
        len = m->sys->list(folder, m->piece[1], MIRROR_PIECE);
        if (len <= 0)
            return len < 0 ? len : 1;
        count = remove_listed(m, folder, len, left);
        if (count < 0)
            return count;
        left -= count;
    }
    return 0;
}

static int empty_version(struct mirror *m, int version)
{
    static const char *const others[] = { "link", "object", "gone" };
    int files = mirror_open_folder(m, version, "files");
    int err = files == -ENOENT ? 1 : files < 0 ? files : remove_files(m, files);

    mirror_shut(m, &files);
    if (err <= 0)
        return err;
    err = m->sys->unlink(version, "files", AT_REMOVEDIR);
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (err >= 0 || err == -ENOENT)
            err = m->sys->unlink(version, others[i], 0);
    }
    return err < 0 && err != -ENOENT ? err : 1;
}

int mirror_remove_version(struct mirror *m, const char *id)
{
    int version = mirror_open_folder(m, m->hidden, id);
    int err;

    if (version < 0)
        return version == -ENOENT ? 1 : version;
    err = empty_version(m, version);
    mirror_shut(m, &version);
    if (err <= 0)
        return err;
    err = m->sys->unlink(m->hidden, id, AT_REMOVEDIR);
    return err < 0 && err != -ENOENT ? err : 1;
}

/* The folder of the link that has left a version is synced, so that the link
 * cannot come back after a power cut and lead to nothing. */
static int make_sure(struct mirror *m, const char *id)
{
    int version = mirror_look_into(m, m->hidden, id);
    struct mirror_record record;
    int err, fd;

    if (version < 0)
        return version == -ENOENT ? 0 : version;
    err = mirror_read_record(m, version, &record);
    mirror_shut(m, &version);
    if (err < 0)
        return err == -ENOENT ? 0 : err;
    fd = mirror_open_folder(m, m->dir, record.place.namespace_);
    if (fd < 0)
        return fd == -ENOENT ? m->sys->sync(m->dir) : fd;
    err = m->sys->sync(fd);
    mirror_shut(m, &fd);
    return err;
}

/* Takes the first in line one step further out of the world. */
static void remove_first(struct mirror *m)
{
    struct mirror_old *old = first(m);
    int done = old->unsure ? make_sure(m, old->id) : 0;

    old->unsure = false;
    if (done >= 0)
        done = mirror_remove_version(m, old->id);
    if (done < 0) {
        m->error = -done;
        m->key = mirror_span(old->id);
        mirror_tell(m, MIRROR_LEFT, NULL);
        m->key = (struct kinf_span){ "", 0 };
    }
    if (done != 0)
        leave_line(m);
}

void mirror_retire(struct mirror *m, const char *id, bool unsure)
{
    struct mirror_old *old;

    for (uint32_t i = 0; i < m->old_count; i++) {
        if (strcmp(m->old[(m->old_head + i) % MIRROR_OLD].id, id) == 0)
            return;
    }
    if (m->old_count == MIRROR_OLD)
        remove_first(m);
    if (m->old_count == MIRROR_OLD) {
        m->audit = true;
        return;
    }
    old = &m->old[(m->old_head + m->old_count++) % MIRROR_OLD];
    memcpy(old->id, id, sizeof old->id);
    old->unsure = unsure;
    old->due_ms = m->now_ms + MIRROR_GRACE_MS;
}

uint32_t mirror_old_wait(const struct mirror *m)
{
    const struct mirror_old *old = &m->old[m->old_head % MIRROR_OLD];

    if (m->old_count == 0)
        return UINT32_MAX;
    if (m->hurry || mirror_due(old->due_ms, m->now_ms))
        return 0;
    return old->due_ms - m->now_ms;
}

bool mirror_remove_old(struct mirror *m)
{
    if (mirror_old_wait(m) > 0)
        return false;
    remove_first(m);
    if (m->old_count == 0)
        m->hurry = false;
    return true;
}
