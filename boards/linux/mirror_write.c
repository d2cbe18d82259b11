/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_write.c - brings one object to disk, if it is not there already.
 *
 *   aim      names and digest; nothing was touched yet if they are bad
 *   compare  the record of what is there against the digest
 *   begin    a new version's folder
 *   write    its files, MIRROR_FILES_A_CALL a call, and its record
 *   seal     files and folders fsynced
 *   commit   one rename (or, if nothing is there, one symlink), fsynced
 *
 * Until commit nobody can see the new version, and what goes wrong costs only
 * the new one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "mirror_keys.h"
#include "mirror_tree.h"

#define BUSY_MS 2  /* another object is being written */
#define SLICE_MS 1 /* this one is, and goes on */
#define ROOM_MS 20 /* old versions are being removed */
#define STALE_MS 60000

/* ---- compare ------------------------------------------------------------ */

static bool after(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Was nothing in the folder changed since the record was made, after it? Looks
 * without opening a file. */
static bool intact_files(struct mirror *m, const struct kinf_object *object,
                         int files, struct timespec made, uint64_t bytes)
{
    const mode_t wrong = 07777 & ~mirror_file_mode(m);
    struct mirror_walk w = { 0 };
    struct stat st;
    bool more = true;

    if (m->sys->fstat(files, &st) < 0 || after(st.st_ctim, made))
        return false;
    while (mirror_next_key(m, object, &w, &more) == MIRROR_FINE && more) {
        if (m->sys->stat(files, w.key, &st) < 0 || !S_ISREG(st.st_mode) ||
            (st.st_mode & wrong) || after(st.st_ctim, made) ||
            (uint64_t)st.st_size > bytes)
            return false;
        bytes -= (uint64_t)st.st_size;
    }
    m->key = (struct kinf_span){ "", 0 };
    return !more && bytes == 0;
}

static bool intact(struct mirror *m, const struct kinf_object *object,
                   const char *id, struct timespec made, uint64_t bytes)
{
    int version = mirror_look_into(m, m->hidden, id);
    int files = version < 0 ? -1 : mirror_look_into(m, version, "files");
    bool well = files >= 0 && intact_files(m, object, files, made, bytes);

    mirror_shut(m, &files);
    mirror_shut(m, &version);
    return well;
}

/* The object is on disk as it should be. */
static enum mirror_problem confirm(struct mirror *m,
                                   const struct mirror_aim *aim,
                                   const char *id, bool gone)
{
    int fd, err;

    if (gone && (err = mirror_note_gone(m, id, false)) < 0)
        return mirror_failed(m, err);
    if (!m->doubt)
        return MIRROR_FINE;
    fd = mirror_open_folder(m, m->dir, aim->place.namespace_);
    err = fd < 0 ? fd : m->sys->sync(fd);
    mirror_shut(m, &fd);
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

/* Is the object on disk already? */
static enum mirror_problem compare(struct mirror *m,
                                   const struct kinf_object *object,
                                   const struct mirror_aim *aim, bool *same)
{
    struct mirror_record record = { 0 };
    char id[MIRROR_ID_BYTES];
    int fd = mirror_look_into(m, m->dir, aim->place.namespace_);
    int found = fd < 0 ? fd : mirror_find(m, fd, &aim->place, id, &record);

    mirror_shut(m, &fd);
    *same = false;
    if (found == MIRROR_FOREIGN)
        return MIRROR_IN_THE_WAY;
    if (found == -ENOENT || found == MIRROR_FREE)
        return MIRROR_FINE;
    if (found < 0)
        return mirror_failed(m, found);
    *same = strcmp(record.digest, aim->digest) == 0 &&
            intact(m, object, id, record.made, aim->bytes);
    return *same ? confirm(m, aim, id, record.gone) : MIRROR_FINE;
}

/* ---- write -------------------------------------------------------------- */

static void hex_id(uint32_t number, char id[MIRROR_ID_BYTES])
{
    for (int i = MIRROR_ID_BYTES - 2; i >= 0; i--, number >>= 4)
        id[i] = "0123456789abcdef"[number & 15];
    id[MIRROR_ID_BYTES - 1] = '\0';
}

/* Makes a folder of a name that no version has. */
static int make_version(struct mirror *m, char id[MIRROR_ID_BYTES])
{
    int err = -EEXIST;

    for (unsigned tries = 0; err == -EEXIST && tries < 64; tries++) {
        hex_id(m->next_id++, id);
        err = m->sys->mkdir(m->hidden, id, mirror_folder_mode(m));
    }
    return err;
}

static enum mirror_problem begin(struct mirror *m, const struct mirror_aim *aim,
                                 bool ours)
{
    struct mirror_job *job = &m->job;
    int err;

    job->place = aim->place;
    memcpy(job->digest, aim->digest, sizeof job->digest);
    job->ours = ours;
    job->committed = false;
    job->done = 0;
    job->open_count = 0;
    job->version = job->files = -1;
    err = make_version(m, job->id);
    if (err < 0)
        return mirror_failed(m, err);
    job->active = true;
    job->version = err = mirror_open_folder(m, m->hidden, job->id);
    if (err >= 0)
        err = m->sys->mkdir(job->version, "files", mirror_folder_mode(m));
    if (err >= 0)
        job->files = err = mirror_open_folder(m, job->version, "files");
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

static int write_all(const struct mirror *m, int fd, const char *data,
                     size_t size)
{
    while (size > 0) {
        int n = m->sys->write(fd, data, size);

        if (n < 0)
            return n;
        if (n == 0)
            return -EIO;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static enum mirror_problem write_file(struct mirror *m, struct mirror_walk *w)
{
    struct mirror_job *job = &m->job;
    int fd = m->sys->open(job->files, w->key,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                          mirror_file_mode(m));
    int len, err;

    if (fd == -EEXIST)
        return MIRROR_COLLISION;
    if (fd < 0)
        return mirror_failed(m, fd);
    job->open[job->open_count++] = fd;
    while ((len = mirror_read_piece(m, w)) > 0) {
        err = write_all(m, fd, m->piece[0], (size_t)len);
        if (err < 0)
            return mirror_failed(m, err);
    }
    return len < 0 ? MIRROR_BAD_VALUE : MIRROR_FINE;
}

/* First all is written, the record last, then all is synced: so a journal has
 * to be written once, not once a file. */
static int sync_files(struct mirror *m)
{
    struct mirror_job *job = &m->job;
    int err = 0;

    while (job->open_count > 0) {
        int *fd = &job->open[--job->open_count];

        if (err >= 0)
            err = m->sys->sync(*fd);
        mirror_shut(m, fd);
    }
    return err;
}

/* Writes the next files. *whole tells whether all are there. */
static enum mirror_problem write_some(struct mirror *m,
                                      const struct kinf_object *object,
                                      bool *whole)
{
    struct mirror_job *job = &m->job;
    struct mirror_walk w = { 0 };
    enum mirror_problem problem = MIRROR_FINE;
    bool more = true;
    int err;

    *whole = false;
    for (uint32_t at = 0; at < job->done && more; at++)
        (void)mirror_next_key(m, object, &w, &more);
    while (more && job->open_count < MIRROR_FILES_A_CALL) {
        problem = mirror_next_key(m, object, &w, &more);
        if (problem == MIRROR_FINE && more)
            problem = write_file(m, &w);
        if (problem != MIRROR_FINE)
            return problem;
        job->done += more;
    }
    m->key = (struct kinf_span){ "", 0 };
    *whole = !more;
    err = more ? 0 : mirror_write_record(m, job->version, &job->place,
                                         job->digest);
    if (err >= 0)
        err = sync_files(m);
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

/* ---- commit ------------------------------------------------------------- */

static int seal(struct mirror *m)
{
    struct mirror_job *job = &m->job;
    int err = m->sys->sync(job->files);

    if (err >= 0)
        err = m->sys->sync(job->version);
    return err < 0 ? err : m->sys->sync(m->hidden);
}

/* Lets the link lead to the new version. Something that is put there between
 * the look and the rename is replaced; what is there before is not. */
static enum mirror_problem switch_link(struct mirror *m, int namespace_,
                                       char was[MIRROR_ID_BYTES])
{
    struct mirror_job *job = &m->job;
    struct mirror_record record;
    char text[MIRROR_LINK_BYTES];
    int found = mirror_find(m, namespace_, &job->place, was, &record);
    int err;

    mirror_link_text(job->id, text);
    if (found == MIRROR_FOREIGN)
        return MIRROR_IN_THE_WAY;
    if (found < 0)
        return mirror_failed(m, found);
    if (found == MIRROR_FREE) {
        was[0] = '\0';
        err = m->sys->symlink(text, namespace_, job->place.name);
    } else {
        err = m->sys->symlink(text, job->version, "link");
        if (err >= 0)
            err = m->sys->rename(job->version, "link", namespace_,
                                 job->place.name);
    }
    if (err == -EEXIST)
        return MIRROR_IN_THE_WAY;
    job->committed = err >= 0;
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

/* The old version goes only once the new link is on disk. */
static enum mirror_problem settle(struct mirror *m, int namespace_,
                                  const char *was)
{
    int err = m->sys->sync(namespace_);

    if (was[0] == '\0')
        m->status.objects++;
    if (err < 0) {
        m->doubt = m->audit = true;
        return mirror_failed(m, err);
    }
    if (was[0] != '\0')
        mirror_retire(m, was, false);
    m->status.written++;
    return MIRROR_FINE;
}

static enum mirror_problem commit(struct mirror *m)
{
    struct mirror_job *job = &m->job;
    char was[MIRROR_ID_BYTES] = "";
    enum mirror_problem problem;
    int err = seal(m), fd;

    if (err < 0)
        return mirror_failed(m, err);
    fd = mirror_make_namespace(m, job->place.namespace_);
    if (fd < 0)
        return mirror_failed(m, fd);
    problem = switch_link(m, fd, was);
    if (problem == MIRROR_FINE)
        problem = settle(m, fd, was);
    mirror_shut(m, &fd);
    if (!job->committed)
        mirror_tidy_namespace(m, job->place.namespace_);
    return problem;
}

void mirror_drop_job(struct mirror *m)
{
    struct mirror_job *job = &m->job;
    int gone;

    if (!job->active)
        return;
    job->active = false;
    while (job->open_count > 0)
        mirror_shut(m, &job->open[--job->open_count]);
    mirror_shut(m, &job->files);
    mirror_shut(m, &job->version);
    if (job->committed)
        return;
    gone = mirror_remove_version(m, job->id);
    if (gone == 0)
        mirror_retire(m, job->id, false);
    m->audit |= gone < 0;
}

/* ---- all of it ---------------------------------------------------------- */

static enum mirror_problem put(struct mirror *m,
                               const struct kinf_object *object,
                               const struct mirror_aim *aim, bool ours)
{
    struct mirror_job *job = &m->job;
    enum mirror_problem problem = MIRROR_FINE;
    bool same = false, whole = false;

    if (job->active && strcmp(job->digest, aim->digest) != 0)
        mirror_drop_job(m);
    if (!job->active) {
        problem = compare(m, object, aim, &same);
        m->status.unchanged += same;
        if (same || problem != MIRROR_FINE)
            return problem;
        problem = begin(m, aim, ours);
    }
    job->touched_ms = m->now_ms;
    if (problem == MIRROR_FINE)
        problem = write_some(m, object, &whole);
    if (problem == MIRROR_FINE && whole)
        problem = commit(m);
    if (problem != MIRROR_FINE || whole)
        mirror_drop_job(m);
    return problem;
}

/* A truncated object: its files stay as they were, but it is in the cluster. */
static enum mirror_problem keep(struct mirror *m, const struct mirror_aim *aim,
                                bool ours)
{
    struct mirror_record record = { 0 };
    char id[MIRROR_ID_BYTES];
    int fd = mirror_look_into(m, m->dir, aim->place.namespace_);
    int found = fd < 0 ? fd : mirror_find(m, fd, &aim->place, id, &record);

    mirror_shut(m, &fd);
    if (!ours)
        mirror_tell(m, MIRROR_TRUNCATED, &aim->place);
    if (found == MIRROR_OURS && record.gone)
        return confirm(m, aim, id, true);
    return MIRROR_FINE;
}

/* May this call work on its object now, or is another one half written? */
static bool busy(struct mirror *m, const struct mirror_place *place)
{
    struct mirror_job *job = &m->job;

    if (!job->active || mirror_same_place(&job->place, place))
        return false;
    if (!mirror_due(job->touched_ms + STALE_MS, m->now_ms))
        return true;
    mirror_drop_job(m);
    return false;
}

static bool disk_full(const struct mirror *m)
{
    return m->error == ENOSPC || m->error == EDQUOT;
}

static enum mirror_problem put_whole(struct mirror *m,
                                     const struct kinf_object *object,
                                     struct mirror_aim *aim, bool ours)
{
    enum mirror_problem problem = mirror_in_place(m);

    if (problem != MIRROR_FINE)
        return problem;
    if (object->reason != KINF_WHOLE)
        return keep(m, aim, ours);
    problem = mirror_digest_object(m, object, aim);
    return problem != MIRROR_FINE ? problem : put(m, object, aim, ours);
}

/* Tells what went wrong, unless the disk is full and will be less so. */
static int not_put(struct mirror *m, enum mirror_problem problem,
                   const struct kinf_object *object)
{
    if (problem != MIRROR_BAD_NAME)
        mirror_drop_job(m);
    if (problem == MIRROR_DISK && disk_full(m) && m->old_count > 0) {
        m->hurry = true;
        return ROOM_MS;
    }
    mirror_tell_of(m, problem, object->namespace_, object->name);
    mirror_count_failure(m);
    return KINF_OK;
}

int mirror_put_object(struct mirror *m, const struct kinf_object *object,
                      bool ours)
{
    struct mirror_aim aim = { .bytes = 0 };
    enum mirror_problem problem = MIRROR_BAD_NAME;

    m->key = (struct kinf_span){ "", 0 };
    if (mirror_place_of(object->namespace_, object->name, &aim.place)) {
        if (busy(m, &aim.place))
            return BUSY_MS;
        problem = put_whole(m, object, &aim, ours);
    }
    if (m->config->secrets)
        explicit_bzero(m->piece, sizeof m->piece);
    if (problem != MIRROR_FINE)
        return not_put(m, problem, object);
    return m->job.active ? SLICE_MS : KINF_OK;
}
