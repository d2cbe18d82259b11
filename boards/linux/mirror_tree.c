/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_tree.c - the folders of a mirror. See mirror_tree.h. */
#include "mirror_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "out.h"

/* ---- names -------------------------------------------------------------- */

struct kinf_span mirror_span(const char *text)
{
    return (struct kinf_span){ text, strlen(text) };
}

bool mirror_file_name(struct kinf_span text, char out[MIRROR_NAME_BYTES])
{
    if (text.len == 0 || text.len >= MIRROR_NAME_BYTES)
        return false;
    if (memchr(text.ptr, '\0', text.len) || memchr(text.ptr, '/', text.len))
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return strcmp(out, ".") != 0 && strcmp(out, "..") != 0;
}

bool mirror_place_of(struct kinf_span namespace_, struct kinf_span name,
                     struct mirror_place *out)
{
    return mirror_file_name(namespace_, out->namespace_) &&
           mirror_file_name(name, out->name) && out->namespace_[0] != '.' &&
           out->name[0] != '.';
}

bool mirror_same_place(const struct mirror_place *a,
                       const struct mirror_place *b)
{
    return strcmp(a->namespace_, b->namespace_) == 0 &&
           strcmp(a->name, b->name) == 0;
}

bool mirror_is_id(const char *name)
{
    return strlen(name) == MIRROR_ID_BYTES - 1 &&
           strspn(name, "0123456789abcdef") == MIRROR_ID_BYTES - 1;
}

/* ---- folders ------------------------------------------------------------ */

int mirror_look_into(const struct mirror *m, int dir, const char *name)
{
    return m->sys->open(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
}

int mirror_open_folder(const struct mirror *m, int dir, const char *name)
{
    return m->sys->open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

void mirror_shut(const struct mirror *m, int *fd)
{
    if (*fd >= 0)
        (void)m->sys->close(*fd);
    *fd = -1;
}

bool mirror_no_folder(int err)
{
    return err == -ENOTDIR || err == -ELOOP;
}

mode_t mirror_folder_mode(const struct mirror *m)
{
    return m->config->secrets ? 0700 : 0755;
}

mode_t mirror_file_mode(const struct mirror *m)
{
    return m->config->secrets ? 0600 : 0644;
}

/* Writes down that a namespace's folder is ours, before it is there. Returns 1
 * if that was not known. */
static int record_namespace(const struct mirror *m, const char *name)
{
    int fd = m->sys->open(m->namespaces, name,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

    if (fd == -EEXIST)
        return 0;
    if (fd < 0)
        return fd;
    mirror_shut(m, &fd);
    fd = m->sys->sync(m->namespaces);
    return fd < 0 ? fd : 1;
}

int mirror_make_namespace(struct mirror *m, const char *name)
{
    int fd = mirror_open_folder(m, m->dir, name);
    int err, recorded;

    if (fd != -ENOENT)
        return fd;
    recorded = record_namespace(m, name);
    if (recorded < 0)
        return recorded;
    err = m->sys->mkdir(m->dir, name, mirror_folder_mode(m));
    if (err < 0 && recorded == 1)
        (void)m->sys->unlink(m->namespaces, name, 0);
    if (err < 0 && err != -EEXIST)
        return err;
    fd = mirror_open_folder(m, m->dir, name);
    if (fd < 0)
        return fd;
    err = m->sys->sync(m->dir);
    if (err < 0)
        mirror_shut(m, &fd);
    return err < 0 ? err : fd;
}

/* Removes DIR/NAMESPACE if it is empty, then what says that it is ours. */
static int tidy_namespace(const struct mirror *m, const char *name)
{
    struct stat st;
    int err = m->sys->stat(m->namespaces, name, &st);

    if (err < 0)
        return err;
    err = m->sys->unlink(m->dir, name, AT_REMOVEDIR);
    if (err == 0)
        (void)m->sys->sync(m->dir);
    if (err == 0 || err == -ENOENT)
        return m->sys->unlink(m->namespaces, name, 0);
    return err == -EEXIST ? -ENOTEMPTY : err;
}

void mirror_tidy_namespace(struct mirror *m, const char *name)
{
    int err = tidy_namespace(m, name);

    if (err >= 0 || err == -ENOENT || err == -ENOTEMPTY)
        return;
    m->untidy = true;
    mirror_try_again(m);
}

void mirror_tidy_namespaces(struct mirror *m)
{
    int fd = mirror_open_folder(m, m->namespaces, ".");
    const char *name;
    uint32_t at;
    int len = fd;

    m->untidy = false;
    while (fd >= 0 &&
           (len = m->sys->list(fd, m->piece[1], MIRROR_PIECE)) > 0) {
        at = 0;
        while ((name = mirror_next_entry(m->piece[1], (uint32_t)len, &at)))
            mirror_tidy_namespace(m, name);
    }
    m->untidy |= len < 0;
    mirror_shut(m, &fd);
}

/* An entry as getdents64 writes it. */
struct entry {
    uint64_t inode, offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

const char *mirror_next_entry(const char *entries, uint32_t len, uint32_t *at)
{
    while (*at < len) {
        const struct entry *e = (const void *)(entries + *at);

        *at += e->size;
        if (strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0)
            return e->name;
    }
    return NULL;
}

/* ---- links and records -------------------------------------------------- */

void mirror_link_text(const char *id, char out[MIRROR_LINK_BYTES])
{
    struct out o = out_over(out, MIRROR_LINK_BYTES);

    out_text(&o, "../" MIRROR_HIDDEN "/");
    out_text(&o, id);
    out_text(&o, "/files");
    out_bytes(&o, "", 1);
}

/* Takes the id out of a link's text. */
static bool id_of_link(const char *text, size_t len, char id[MIRROR_ID_BYTES])
{
    char whole[MIRROR_LINK_BYTES];
    const size_t lead = sizeof("../" MIRROR_HIDDEN "/") - 1;

    if (len < lead + MIRROR_ID_BYTES - 1)
        return false;
    memcpy(id, text + lead, MIRROR_ID_BYTES - 1);
    id[MIRROR_ID_BYTES - 1] = '\0';
    if (!mirror_is_id(id))
        return false;
    mirror_link_text(id, whole);
    return strlen(whole) == len && memcmp(whole, text, len) == 0;
}

/* Splits DIGEST/NAMESPACE/NAME. */
static bool parse_record(const char *text, size_t len,
                         struct mirror_record *out)
{
    const size_t digest = MIRROR_DIGEST_BYTES - 1;
    const char *slash, *rest = text + digest + 1;

    if (len <= digest + 1 || text[digest] != '/')
        return false;
    memcpy(out->digest, text, digest);
    out->digest[digest] = '\0';
    len -= digest + 1;
    slash = memchr(rest, '/', len);
    if (!slash)
        return false;
    return mirror_place_of(
        (struct kinf_span){ rest, (size_t)(slash - rest) },
        (struct kinf_span){ slash + 1, len - (size_t)(slash - rest) - 1 },
        &out->place);
}

static int read_record_as(const struct mirror *m, int version,
                          const char *name, struct mirror_record *out)
{
    char text[MIRROR_RECORD_BYTES];
    struct stat st;
    int len = m->sys->readlink(version, name, text, sizeof text);
    int err;

    if (len == -EINVAL)
        return -ENOENT;
    if (len < 0)
        return len;
    if ((size_t)len == sizeof text || !parse_record(text, (size_t)len, out))
        return -ENOENT;
    err = m->sys->stat(version, name, &st);
    out->made = st.st_ctim;
    return err;
}

int mirror_read_record(const struct mirror *m, int version,
                       struct mirror_record *out)
{
    int err;

    memset(out, 0, sizeof *out);
    err = read_record_as(m, version, "object", out);
    if (err != -ENOENT)
        return err;
    out->gone = true;
    return read_record_as(m, version, "gone", out);
}

int mirror_write_record(const struct mirror *m, int version,
                        const struct mirror_place *place, const char *digest)
{
    char text[MIRROR_RECORD_BYTES];
    struct out o = out_over(text, sizeof text);

    out_text(&o, digest);
    out_text(&o, "/");
    out_text(&o, place->namespace_);
    out_text(&o, "/");
    out_text(&o, place->name);
    out_bytes(&o, "", 1);
    return m->sys->symlink(text, version, "object");
}

int mirror_note_gone(const struct mirror *m, const char *id, bool gone)
{
    int version = mirror_look_into(m, m->hidden, id);
    int err;

    if (version < 0)
        return version;
    err = m->sys->rename(version, gone ? "object" : "gone", version,
                         gone ? "gone" : "object");
    mirror_shut(m, &version);
    return err;
}

/* Does the version that a link leads to name the object at this place? */
static int ours_or_not(const struct mirror *m, const struct mirror_place *place,
                       const char *id, struct mirror_record *record)
{
    int version = mirror_look_into(m, m->hidden, id);
    int err;

    memset(record, 0, sizeof *record);
    if (version == -ENOENT)
        return MIRROR_OURS;
    if (version < 0)
        return mirror_no_folder(version) ? MIRROR_FOREIGN : version;
    err = mirror_read_record(m, version, record);
    mirror_shut(m, &version);
    if (err < 0)
        return err == -ENOENT ? MIRROR_FOREIGN : err;
    return mirror_same_place(place, &record->place) ? MIRROR_OURS
                                                    : MIRROR_FOREIGN;
}

int mirror_find(const struct mirror *m, int namespace_,
                const struct mirror_place *place, char id[MIRROR_ID_BYTES],
                struct mirror_record *record)
{
    char text[MIRROR_LINK_BYTES];
    int len = m->sys->readlink(namespace_, place->name, text, sizeof text);

    if (len == -ENOENT)
        return MIRROR_FREE;
    if (len == -EINVAL)
        return MIRROR_FOREIGN;
    if (len < 0)
        return len;
    if (!id_of_link(text, (size_t)len, id))
        return MIRROR_FOREIGN;
    return ours_or_not(m, place, id, record);
}

/* ---- problems ----------------------------------------------------------- */

enum mirror_problem mirror_failed(struct mirror *m, int err)
{
    if (mirror_no_folder(err))
        return MIRROR_IN_THE_WAY;
    m->error = -err;
    return MIRROR_DISK;
}

enum mirror_problem mirror_in_place(struct mirror *m)
{
    struct stat st;
    int err = m->sys->stat(m->dir, MIRROR_HIDDEN, &st);

    if (err < 0 && err != -ENOENT)
        return mirror_failed(m, err);
    if (err == 0 && st.st_dev == m->hidden_dev && st.st_ino == m->hidden_ino)
        return MIRROR_FINE;
    return MIRROR_MOVED;
}

void mirror_tell_of(struct mirror *m, enum mirror_problem problem,
                    struct kinf_span namespace_, struct kinf_span name)
{
    struct mirror_report report = { .problem = problem,
                                    .namespace_ = namespace_,
                                    .name = name,
                                    .key = m->key };

    if (problem == MIRROR_DISK || problem == MIRROR_LEFT)
        report.error = m->error;
    if (problem == MIRROR_DISK)
        m->status.last_error = m->error;
    if (problem != MIRROR_TRUNCATED)
        m->status.errors++;
    m->config->report(m->config->ctx, &report);
}

void mirror_tell(struct mirror *m, enum mirror_problem problem,
                 const struct mirror_place *place)
{
    mirror_tell_of(m, problem, mirror_span(place ? place->namespace_ : ""),
                   mirror_span(place ? place->name : ""));
}
