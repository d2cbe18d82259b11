/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_tree.h - the folders of a mirror: names, links, records. Private to
 * mirror_*.c.
 *
 * Functions that return int give 0 or more when well and else -errno. */
#ifndef MIRROR_TREE_H
#define MIRROR_TREE_H

#include "mirror_files.h"

#define MIRROR_HIDDEN ".kinformer"
#define MIRROR_RECORD_BYTES (MIRROR_DIGEST_BYTES + 2 * MIRROR_NAME_BYTES)

/* ---- names -------------------------------------------------------------- */

/* Copies a name that can be a file's; else returns false. */
bool mirror_file_name(struct kinf_span text, char out[MIRROR_NAME_BYTES]);
/* The same for an object's namespace and name, which begin with no dot. */
bool mirror_place_of(struct kinf_span namespace_, struct kinf_span name,
                     struct mirror_place *out);
bool mirror_same_place(const struct mirror_place *a,
                       const struct mirror_place *b);
struct kinf_span mirror_span(const char *text);
/* Is it the name of a version's folder? */
bool mirror_is_id(const char *name);

/* ---- folders ------------------------------------------------------------ */

/* Opens a folder to look into (no inotify event), or to list and sync it. */
int mirror_look_into(const struct mirror *m, int dir, const char *name);
int mirror_open_folder(const struct mirror *m, int dir, const char *name);
void mirror_shut(const struct mirror *m, int *fd);
/* Is the error that of a link or file where a folder belongs? */
bool mirror_no_folder(int err);

mode_t mirror_folder_mode(const struct mirror *m);
mode_t mirror_file_mode(const struct mirror *m);

/* Opens DIR/NAMESPACE for writing; makes it, recorded as ours. */
int mirror_make_namespace(struct mirror *m, const char *name);
/* Removes it, or all of them, if we made it and it is empty. */
void mirror_tidy_namespace(struct mirror *m, const char *name);
void mirror_tidy_namespaces(struct mirror *m);

/* The next name of a listed folder, or NULL. *at begins at 0. */
const char *mirror_next_entry(const char *entries, uint32_t len, uint32_t *at);

/* ---- links and records -------------------------------------------------- */

struct mirror_record {
    char digest[MIRROR_DIGEST_BYTES];
    struct mirror_place place;
    bool gone;
    struct timespec made;
};

/* Reads the record of a version. Returns -ENOENT when there is none. */
int mirror_read_record(const struct mirror *m, int version,
                       struct mirror_record *out);
int mirror_write_record(const struct mirror *m, int version,
                        const struct mirror_place *place, const char *digest);
/* Notes or forgets a delete. */
int mirror_note_gone(const struct mirror *m, const char *id, bool gone);

enum mirror_found {
    MIRROR_FREE,   /* nothing is there */
    MIRROR_OURS,   /* our link; a record without digest: its version is lost */
    MIRROR_FOREIGN /* anything else */
};

/* What lies at NAME in an open NAMESPACE? Returns an enum mirror_found; id and
 * record are set for MIRROR_OURS. */
int mirror_find(const struct mirror *m, int namespace_,
                const struct mirror_place *place, char id[MIRROR_ID_BYTES],
                struct mirror_record *record);

/* The text of a link to a version. */
#define MIRROR_LINK_BYTES 40
void mirror_link_text(const char *id, char out[MIRROR_LINK_BYTES]);

/* ---- problems ----------------------------------------------------------- */

/* Keeps the errno and returns MIRROR_DISK or, for a file in a folder's place,
 * MIRROR_IN_THE_WAY. */
enum mirror_problem mirror_failed(struct mirror *m, int err);
/* Is DIR/.kinformer still the folder we opened? */
enum mirror_problem mirror_in_place(struct mirror *m);
/* Reports a problem and counts it. place may be NULL. */
void mirror_tell_of(struct mirror *m, enum mirror_problem problem,
                    struct kinf_span namespace_, struct kinf_span name);
void mirror_tell(struct mirror *m, enum mirror_problem problem,
                 const struct mirror_place *place);

/* ---- versions (mirror_old.c) -------------------------------------------- */

/* A version is no longer used: removes it when readers have left it. */
void mirror_retire(struct mirror *m, const char *id, bool unsure);
/* Removes at most MIRROR_FILES_A_CALL files of a version. Returns 1 when it is
 * gone, 0 when there is more to do. */
int mirror_remove_version(struct mirror *m, const char *id);
/* Removes what is due of one retired version. Returns true if it did. */
bool mirror_remove_old(struct mirror *m);
/* For how long nothing of that is due. */
uint32_t mirror_old_wait(const struct mirror *m);

/* ---- objects (mirror_write.c, mirror_sweep.c) --------------------------- */

/* mirror_put, from a handler or (ours) from the retry pass. */
int mirror_put_object(struct mirror *m, const struct kinf_object *object,
                      bool ours);
/* Gives up what is half written. */
void mirror_drop_job(struct mirror *m);
/* Removes the link of an object, and retires its version. */
enum mirror_problem mirror_unlink_object(struct mirror *m,
                                         const struct mirror_place *place,
                                         const char *id);
/* Something failed and is to be tried again; an object did. */
void mirror_try_again(struct mirror *m);
void mirror_count_failure(struct mirror *m);
/* Compares DIR with the cache: when no list is under way, or when nothing more
 * came for MIRROR_SETTLE_MS, too. */
void mirror_compare_now(struct mirror *m);
void mirror_compare_later(struct mirror *m);
void mirror_begin_scan(struct mirror *m, enum mirror_stage stage);
void mirror_scan_step(struct mirror *m);
void mirror_end_scan(struct mirror *m);

static inline bool mirror_due(uint32_t at_ms, uint32_t now_ms)
{
    return (int32_t)(now_ms - at_ms) >= 0;
}

#endif
