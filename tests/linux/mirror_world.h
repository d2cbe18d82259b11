/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_world.h - a cluster in a table, a folder, and a mirror between them;
 * and system calls that fail, or end the process, at the n-th. */
#ifndef MIRROR_WORLD_H
#define MIRROR_WORLD_H

#include "mirror_files.h"

#define WORLD_OBJECTS 64

struct world_object {
    const char *namespace_, *name, *json; /* json NULL: truncated */
};

struct world {
    char dir[200]; /* under the test's temporary folder */
    struct mirror_config config;
    struct mirror mirror;
    struct world_object objects[WORLD_OBJECTS];
    unsigned count, walk;
    bool complete; /* the cache knows what is not there */
    uint32_t now_ms;
    unsigned reports[MIRROR_PROBLEMS]; /* how many of each */
    struct mirror_report last;
    char last_name[600]; /* namespace/name/key of it */
    bool in_memory; /* kept by world_begin: a folder that needs no disk */
};

/* A world with an empty folder that does not exist yet. */
void world_begin(struct world *w);
/* Closes the mirror and removes the folder. */
void world_end(struct world *w);

enum mirror_problem world_open(struct world *w);
void world_close(struct world *w);

/* Changes the cluster alone, not yet told to the mirror. */
void world_set(struct world *w, const char *namespace_, const char *name,
               const char *json);
void world_unset(struct world *w, const char *namespace_, const char *name);
/* Tells the mirror what is there now, or that it is gone. */
void world_put(struct world *w, const char *namespace_, const char *name);
void world_put_all(struct world *w);
void world_gone(struct world *w, const char *namespace_, const char *name,
                bool relisting);
/* world_set and world_put in one. */
void world_add(struct world *w, const char *namespace_, const char *name,
               const char *json);

/* The list has ended; all is compared. */
void world_listed(struct world *w);
/* Steps until nothing is due for longer than most_ms; the clock jumps. */
void world_run(struct world *w, uint32_t most_ms);
/* So long, whatever is due in it. */
void world_wait(struct world *w, uint32_t ms);
/* Open, put all, compare, run, until nothing is left to do. */
void world_repair(struct world *w);

/* The whole of a file's content, or NULL: path is below DIR. Static buffer. */
const char *world_read(const struct world *w, const char *path);
/* What lies below DIR but in the hidden folder, as "shop/prices/a=1\n..." in
 * order; links of ours are followed. Static buffer. */
const char *world_tree(const struct world *w);
/* Versions in the hidden folder. */
unsigned world_versions(const struct world *w);
/* A path below DIR. Static buffers, four in turn. */
const char *world_path(const struct world *w, const char *path);

/* ---- faults ------------------------------------------------------------- */

enum fault {
    FAULT_NONE,  /* counts only */
    FAULT_ONCE,  /* the n-th call fails with error */
    FAULT_FROM,  /* so do all that change something, from the n-th on */
    FAULT_END,   /* the process ends before the n-th call */
    FAULT_HALF,  /* ... or after half of it, if it writes */
    FAULT_SHORT  /* every write moves one byte */
};

struct faults {
    enum fault fault;
    unsigned at, calls;
    int error;
    bool fold_case; /* as on a file system that does not tell a from A */
};
extern struct faults faults;
extern const struct mirror_sys faulty_sys;

#endif
