/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_internal.h - what sizeof(struct mirror) needs. Included by
 * mirror_files.h; nobody outside mirror_*.c touches it. */
#ifndef MIRROR_INTERNAL_H
#define MIRROR_INTERNAL_H

#define MIRROR_NAME_BYTES 256  /* a file's name and its NUL */
#define MIRROR_ID_BYTES 9      /* eight hex digits and a NUL */
#define MIRROR_DIGEST_BYTES 33 /* 32 hex digits and a NUL */
#define MIRROR_PIECE 4096

/* A version that is no longer an object's. */
struct mirror_old {
    char id[MIRROR_ID_BYTES];
    bool unsure; /* is the link that left it on disk? sync first */
    uint32_t due_ms;
};

/* Where an object belongs, as file names. */
struct mirror_place {
    char namespace_[MIRROR_NAME_BYTES];
    char name[MIRROR_NAME_BYTES];
};

/* A version that is being written, perhaps over several calls. */
struct mirror_job {
    bool active;
    bool ours;      /* of the retry pass, not of a handler */
    bool committed; /* the link leads to it */
    struct mirror_place place;
    char digest[MIRROR_DIGEST_BYTES];
    char id[MIRROR_ID_BYTES];
    int version, files; /* its folders */
    uint32_t done;      /* keys written */
    uint32_t touched_ms;
    int open[MIRROR_FILES_A_CALL]; /* written, not yet synced */
    unsigned open_count;
};

enum mirror_stage {
    MIRROR_STAGE_IDLE,
    MIRROR_STAGE_PUT,   /* all objects once more, after a failure */
    MIRROR_STAGE_AUDIT, /* finds old versions that a kill left behind */
    MIRROR_STAGE_COUNT, /* counts what the cluster has not */
    MIRROR_STAGE_CLEAR  /* removes it, if the brake allows */
};

/* A walk over the hidden folder, a few versions a call. */
struct mirror_scan {
    int fd;
    uint32_t at, len; /* in entries */
    uint32_t objects, lost; /* seen; of these not in the cluster */
    uint32_t allowed;       /* removals left, in CLEAR */
    _Alignas(8) char entries[2048];
};

struct mirror {
    const struct mirror_config *config;
    const struct mirror_sys *sys;
    int dir, hidden, namespaces, lock; /* descriptors, or -1 */
    dev_t hidden_dev;
    ino_t hidden_ino;
    uint32_t next_id;
    int error;            /* why the last call failed, as an errno */
    struct kinf_span key; /* in which key, or empty */
    enum mirror_stage stage;
    bool relisting;
    bool compare;     /* DIR is to be compared with the cache, */
    bool settling;    /* ... at compare_at_ms */
    bool audit;       /* old versions may lie about that old[] has not */
    bool unbraked;    /* the first comparison after --reset */
    bool doubt;       /* a folder could not be synced: sync again */
    bool untidy;      /* an empty namespace could not be removed */
    bool hurry;       /* the disk is full: no grace */
    bool retry;       /* something failed: try again at retry_at_ms */
    bool pass_first, pass_again;
    struct mirror_place pass; /* the object to be put again */
    uint32_t compare_at_ms, retry_at_ms, retry_wait_ms;
    uint32_t now_ms;
    uint32_t confirmed, failed_before;
    uint32_t old_head, old_count;
    struct mirror_status status;
    struct mirror_job job;
    struct mirror_scan scan;
    struct mirror_old old[MIRROR_OLD];
    _Alignas(8) char piece[2][MIRROR_PIECE]; /* of a value, a list, a marker */
};

#endif
