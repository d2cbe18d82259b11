/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_files.h - ConfigMaps and Secrets as files, switched whole.
 *
 *   DIR/shop/prices -> ../.kinformer/0000002a/files      an object, a link
 *   DIR/.kinformer/marker                                whose copy DIR is
 *   DIR/.kinformer/lock                                  held while we run
 *   DIR/.kinformer/namespaces/shop                       we made DIR/shop
 *   DIR/.kinformer/0000002a/files/app.conf               a key, and so on
 *   DIR/.kinformer/0000002a/object -> DIGEST/shop/prices the record
 *
 * A version is written whole and fsynced in a folder of its own, the record
 * last; then one rename of the link makes it the object's. So a reader who
 * opens the folder DIR/shop/prices and reads in it sees all old or all new,
 * wherever we are killed. The old version stays for MIRROR_GRACE_MS for those
 * who are still in it.
 *
 * The record is the only right to replace or remove: a link whose version does
 * not name it is somebody else's. A record called "gone" in place of "object"
 * notes a delete that awaits the end of a list. It is a link, too, so that it
 * is there whole or not at all, and can be read without an inotify event.
 *
 * No path from outside is ever joined: each name is checked and opened relative
 * to the descriptor of its folder, and no link is followed. No heap. Calls wait
 * for the disk, each for a bounded number of files. One thread. */
#ifndef MIRROR_FILES_H
#define MIRROR_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "kinformer.h"
#include "mirror_sys.h"

#define MIRROR_GRACE_MS 10000  /* an old version stays so long for readers, */
#define MIRROR_OLD 256         /* or until so many newer ones are old */
#define MIRROR_FILES_A_CALL 64 /* files written or removed in one call */
#define MIRROR_LOOKS_A_CALL 16 /* objects looked at in one mirror_step */
#define MIRROR_SETTLE_MS 1000  /* noted deletes wait so long for others */
#define MIRROR_RETRY_MS 2000   /* first wait after a failure, doubled up to */
#define MIRROR_RETRY_CAP_MS 300000

enum mirror_problem {
    MIRROR_FINE,
    /* of mirror_open */
    MIRROR_NOT_EMPTY, /* DIR holds other things and has no marker */
    MIRROR_OTHER,     /* the marker names another source; key: its line */
    MIRROR_BUSY,      /* another kinformer mirrors into DIR */
    MIRROR_TOO_LONG,  /* selector and namespaces do not fit the marker */
    /* of one object; its old version stays, and it is tried again */
    MIRROR_DISK,       /* a system call failed: error */
    MIRROR_IN_THE_WAY, /* something not ours is where it belongs */
    MIRROR_BAD_NAME,   /* its name cannot be a file's */
    MIRROR_BAD_KEY,    /* a key cannot be a file's name: key */
    MIRROR_COLLISION,  /* two keys are one file's name here (case): key */
    MIRROR_BAD_VALUE,  /* a value is not text or not base64: key */
    MIRROR_TRUNCATED,  /* the cache holds its identity only */
    MIRROR_MOVED,      /* DIR/.kinformer is not the folder we opened */
    /* of what is not in the cluster */
    MIRROR_HELD,     /* count of total not removed: above max_delete */
    MIRROR_RELEASED, /* count are no longer held: confirmed, or fewer */
    MIRROR_LEFT,     /* an old version that we cannot remove: key, error */
    MIRROR_PROBLEMS
};

/* The problem in words, static. */
const char *mirror_strproblem(enum mirror_problem problem);

struct mirror_report {
    enum mirror_problem problem;
    int error; /* an errno, or 0 */
    struct kinf_span namespace_, name, key; /* empty: not about one */
    uint32_t count, total;                  /* HELD, RELEASED */
};

/* What the mirror asks of the cache. */
struct mirror_cache {
    /* Returns 1 (out is set), 0 when it is certain that the cluster has no such
     * object, or KINF_ERR_INCOMPLETE (not synced, relisting, keys missing). */
    int (*find)(void *ctx, struct kinf_span namespace_, struct kinf_span name,
                struct kinf_object *out);
    /* Walks all objects, anew with first set. Returns 1, 0 at the end, or
     * KINF_ERR_AGAIN (call again). */
    int (*next)(void *ctx, bool first, struct kinf_object *out);
};

enum mirror_claim {
    MIRROR_CLAIM_OWN,   /* an empty DIR, or one with this very marker */
    MIRROR_CLAIM_ADOPT, /* also one without a marker that is not empty */
    MIRROR_CLAIM_RESET  /* also one with another marker: what it recorded and
                           this source has not goes, without the brake */
};

/* Kept until mirror_close, with all it points to. */
struct mirror_config {
    const char *dir; /* made if it is missing; its parent must be there */
    enum mirror_claim claim;
    bool secrets; /* Secrets: files of mode 0600, folders 0700 */
    /* The marker's lines. */
    const char *server, *resource, *selector;
    const char *const *namespaces; /* any order */
    unsigned namespace_count;      /* 0: all */
    /* The brake; not given: half, and more than ten. */
    bool max_delete_given, max_delete_percent;
    uint32_t max_delete;
    struct mirror_cache cache;
    void (*report)(void *ctx, const struct mirror_report *report);
    void *ctx;                    /* of report and cache */
    const struct mirror_sys *sys; /* NULL: mirror_sys_real */
};

struct mirror_status {
    uint32_t objects; /* on disk, as recorded */
    uint32_t failed;  /* objects that are not on disk as they should be */
    uint32_t held;    /* removals that await mirror_confirm */
    uint32_t noted;   /* deletes noted since DIR was last compared */
    uint32_t written, unchanged, removed, errors; /* since the start */
    int last_error; /* the errno of the last MIRROR_DISK, or 0 */
    bool compared;  /* with the cache, since the last list */
    bool idle;      /* nothing begun, nothing due but retries */
    bool settled;   /* compared, idle, nothing failed or held */
};

#include "mirror_internal.h"

/* Opens DIR, locks it, checks its marker or writes one. Returns MIRROR_FINE, or
 * why not (told by report as well); then nothing is held, and nothing in DIR
 * was touched but the hidden folder. */
enum mirror_problem mirror_open(struct mirror *m,
                                const struct mirror_config *config);

/* From handlers. Each returns KINF_OK (done; or failed, reported, and tried
 * again from mirror_step) or a positive time in ms: not now, call again with
 * the newest state. put takes a truncated object, too, and leaves its files.
 * relisting: the informer is relisting, or the delete was found out by a list
 * (final_state_unknown); it is then noted, and done with all others of that
 * list. */
int mirror_put(struct mirror *m, const struct kinf_object *object,
               uint32_t now_ms);
int mirror_remove(struct mirror *m, struct kinf_span namespace_,
                  struct kinf_span name, bool relisting, uint32_t now_ms);

/* Is any informer relisting or not yet synced? True after mirror_open. When it
 * becomes false DIR is compared with the cache. Cheap: call it each round. */
void mirror_relisting(struct mirror *m, bool relisting);

/* Lets held removals go on, up to the number that was reported. */
void mirror_confirm(struct mirror *m);

/* Does one unit of work: removes old versions, compares, tries again. Returns
 * for how many ms nothing is due: 0 call again at once, UINT32_MAX never. */
uint32_t mirror_step(struct mirror *m, uint32_t now_ms);

void mirror_status(const struct mirror *m, struct mirror_status *out);

/* Closes what is open and unlocks. What is half written is given up; old
 * versions that readers may still be in go at the next start. */
void mirror_close(struct mirror *m);

#endif
