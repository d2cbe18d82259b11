/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_open.c - is DIR ours? The lock, and the marker that says whose copy
 * DIR is.
 *
 * The marker is compared byte by byte, so it is written in one way only:
 * namespaces sorted, each once. Until it has been accepted nothing in DIR is
 * touched but the hidden folder. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "mirror_tree.h"
#include "out.h"

/* ---- the marker --------------------------------------------------------- */

/* The least namespace that is greater than after, or NULL. */
static const char *next_namespace(const struct mirror_config *c,
                                  const char *after)
{
    const char *best = NULL;

    for (unsigned i = 0; i < c->namespace_count; i++) {
        const char *n = c->namespaces[i];

        if (strcmp(n, after) > 0 && (!best || strcmp(n, best) < 0))
            best = n;
    }
    return best;
}

/* Writes the marker's text into m->piece[0]. Returns its length, or 0 if it
 * does not fit. */
static size_t marker_text(struct mirror *m)
{
    const struct mirror_config *c = m->config;
    struct out o = out_over(m->piece[0], MIRROR_PIECE);
    const char *n = "";

    out_text(&o, "kinformer mirror 1\nserver ");
    out_text(&o, c->server);
    out_text(&o, "\nresource ");
    out_text(&o, c->resource);
    out_text(&o, c->namespace_count ? "\nnamespaces" : "\nnamespaces *");
    while ((n = next_namespace(c, n))) {
        out_text(&o, " ");
        out_text(&o, n);
    }
    out_text(&o, "\nselector ");
    out_text(&o, c->selector);
    out_text(&o, "\n");
    return o.cut ? 0 : o.used;
}

/* Reads the marker into m->piece[1]. Returns its length or -errno. */
static int read_marker(struct mirror *m)
{
    int fd = m->sys->open(m->hidden, "marker",
                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int used = 0, n;

    if (fd < 0)
        return fd;
    do {
        n = m->sys->read(fd, m->piece[1] + used,
                         (size_t)(MIRROR_PIECE - used));
        used += n > 0 ? n : 0;
    } while (n > 0 && used < MIRROR_PIECE);
    mirror_shut(m, &fd);
    return n < 0 ? n : used;
}

/* The first line of the marker found that is not as ours. */
static struct kinf_span other_line(const struct mirror *m, size_t len)
{
    const char *ours = m->piece[0], *theirs = m->piece[1], *end;
    size_t at = 0, begin = 0;

    for (; at < len && ours[at] == theirs[at]; at++) {
        if (theirs[at] == '\n')
            begin = at + 1;
    }
    end = memchr(theirs + begin, '\n', len - begin);
    return (struct kinf_span){ theirs + begin,
                               end ? (size_t)(end - theirs) - begin
                                   : len - begin };
}

static int write_new_marker(struct mirror *m, size_t len)
{
    int fd, n = 0;
    size_t done = 0;

    (void)m->sys->unlink(m->hidden, "marker.new", 0);
    fd = m->sys->open(m->hidden, "marker.new",
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (fd < 0)
        return fd;
    for (; n >= 0 && done < len; done += n > 0 ? (size_t)n : 0)
        n = m->sys->write(fd, m->piece[0] + done, len - done);
    if (n >= 0)
        n = m->sys->sync(fd);
    mirror_shut(m, &fd);
    return n;
}

static int write_marker(struct mirror *m, size_t len)
{
    int err = write_new_marker(m, len);

    if (err >= 0)
        err = m->sys->rename(m->hidden, "marker.new", m->hidden, "marker");
    if (err >= 0)
        err = m->sys->sync(m->hidden);
    return err < 0 ? err : m->sys->sync(m->dir);
}

/* ---- whose is DIR? ------------------------------------------------------ */

/* Is there anything in DIR but our hidden folder? "lost+found" is a fresh file
 * system's. Returns 1, 0 or -errno. */
static int anything_there(struct mirror *m)
{
    int fd = mirror_open_folder(m, m->dir, ".");
    const char *name;
    uint32_t at;
    int len, found = 0;

    if (fd < 0)
        return fd;
    while (!found && (len = m->sys->list(fd, m->piece[1], MIRROR_PIECE)) != 0) {
        if (len < 0) {
            found = len;
            break;
        }
        at = 0;
        while ((name = mirror_next_entry(m->piece[1], (uint32_t)len, &at))) {
            if (strcmp(name, MIRROR_HIDDEN) != 0 &&
                strcmp(name, "lost+found") != 0)
                found = 1;
        }
    }
    mirror_shut(m, &fd);
    return found;
}

/* May an unmarked DIR be taken? */
static enum mirror_problem unmarked(struct mirror *m)
{
    int found;

    if (m->config->claim == MIRROR_CLAIM_ADOPT)
        return MIRROR_FINE;
    found = anything_there(m);
    if (found < 0)
        return mirror_failed(m, found);
    return found ? MIRROR_NOT_EMPTY : MIRROR_FINE;
}

static enum mirror_problem claim(struct mirror *m)
{
    size_t len = marker_text(m);
    int there = read_marker(m), err;
    enum mirror_problem problem = MIRROR_FINE;

    if (len == 0)
        return MIRROR_TOO_LONG;
    if (there == (int)len && memcmp(m->piece[0], m->piece[1], len) == 0)
        return MIRROR_FINE;
    if (there == -ENOENT)
        problem = unmarked(m);
    else if (there < 0)
        problem = mirror_failed(m, there);
    else if (m->config->claim != MIRROR_CLAIM_RESET)
        problem = MIRROR_OTHER;
    if (problem == MIRROR_OTHER)
        m->key = other_line(m, (size_t)there);
    if (problem != MIRROR_FINE)
        return problem;
    m->unbraked = there >= 0;
    err = write_marker(m, len);
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

/* ---- opening ------------------------------------------------------------ */

/* DIR is the user's word: links in it are followed, and its last part made. */
static int open_dir(struct mirror *m)
{
    const char *path = m->config->dir;
    int fd = m->sys->open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    int err;

    if (fd != -ENOENT)
        return fd;
    err = m->sys->mkdir(AT_FDCWD, path, mirror_folder_mode(m));
    if (err < 0 && err != -EEXIST)
        return err;
    return m->sys->open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
}

static int make_folder(struct mirror *m, int dir, const char *name)
{
    int err = m->sys->mkdir(dir, name, mirror_folder_mode(m));

    if (err < 0 && err != -EEXIST)
        return err;
    return mirror_open_folder(m, dir, name);
}

/* Opens the hidden folder; makes it, if DIR may be taken. */
static enum mirror_problem open_hidden(struct mirror *m)
{
    enum mirror_problem problem;
    struct stat st;
    int err;

    m->hidden = mirror_open_folder(m, m->dir, MIRROR_HIDDEN);
    if (m->hidden == -ENOENT) {
        problem = unmarked(m);
        if (problem != MIRROR_FINE)
            return problem;
        m->hidden = make_folder(m, m->dir, MIRROR_HIDDEN);
    }
    err = m->hidden < 0 ? m->hidden : m->sys->fstat(m->hidden, &st);
    if (err < 0)
        return mirror_failed(m, err);
    m->hidden_dev = st.st_dev;
    m->hidden_ino = st.st_ino;
    return MIRROR_FINE;
}

static enum mirror_problem lock(struct mirror *m)
{
    int err;

    m->lock = m->sys->open(m->hidden, "lock", O_RDWR | O_CREAT | O_NOFOLLOW,
                           0600);
    if (m->lock < 0)
        return mirror_failed(m, m->lock);
    err = m->sys->lock(m->lock);
    if (err == -EWOULDBLOCK)
        return MIRROR_BUSY;
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

/* What an earlier run made may not have reached the disk. */
static enum mirror_problem open_rest(struct mirror *m)
{
    int err;

    m->namespaces = err = make_folder(m, m->hidden, "namespaces");
    if (err >= 0)
        err = m->sys->sync(m->namespaces);
    if (err >= 0)
        err = m->sys->sync(m->hidden);
    if (err >= 0)
        err = m->sys->sync(m->dir);
    return err < 0 ? mirror_failed(m, err) : MIRROR_FINE;
}

static enum mirror_problem open_all(struct mirror *m)
{
    enum mirror_problem problem;

    m->dir = open_dir(m);
    if (m->dir < 0)
        return mirror_failed(m, m->dir);
    problem = open_hidden(m);
    if (problem == MIRROR_FINE)
        problem = lock(m);
    if (problem == MIRROR_FINE)
        problem = claim(m);
    if (problem == MIRROR_FINE)
        problem = open_rest(m);
    return problem;
}

enum mirror_problem mirror_open(struct mirror *m,
                                const struct mirror_config *config)
{
    enum mirror_problem problem;

    memset(m, 0, sizeof *m);
    m->config = config;
    m->sys = config->sys ? config->sys : &mirror_sys_real;
    m->dir = m->hidden = m->namespaces = m->lock = m->scan.fd = -1;
    m->key = (struct kinf_span){ "", 0 };
    m->relisting = m->audit = true;
    m->retry_wait_ms = MIRROR_RETRY_MS;
    if (getrandom(&m->next_id, sizeof m->next_id, GRND_NONBLOCK) < 0)
        m->next_id = 0; /* names that are taken are passed over */
    problem = open_all(m);
    if (problem == MIRROR_FINE) {
        mirror_tidy_namespaces(m); /* a kill may have left empty ones */
        return MIRROR_FINE;
    }
    mirror_tell(m, problem, NULL);
    mirror_close(m);
    return problem;
}

void mirror_close(struct mirror *m)
{
    mirror_drop_job(m);
    mirror_end_scan(m);
    mirror_shut(m, &m->namespaces);
    mirror_shut(m, &m->lock);
    mirror_shut(m, &m->hidden);
    mirror_shut(m, &m->dir);
}
