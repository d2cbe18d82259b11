/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - what happens to a world and when: drawn from a seed, or read from
 * a file, one line an event, so that a failing seed can be made short. */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "base.h"

/* Kinds of happenings, to be left out one by one. */
enum {
    KIND_CHANGE = 1,  /* the cluster changes */
    KIND_NET = 2,     /* the network hurts */
    KIND_SERVER = 4,  /* the server errs, restarts, forgets */
    KIND_PROXY = 8,   /* somebody between alters the stream */
    KIND_RESTORE = 16, /* backups are restored */
    KIND_APP = 32,    /* handlers and informers come, go, hang */
    KIND_BIG = 64,    /* objects too large, caches too full */
    KIND_BROKEN = 128, /* objects that cannot be read */
    KIND_TIME = 256,  /* late polls, clocks */
    KIND_ALL = 511,
    KIND_BREAKS = 512 /* each hurt leads to a list that is broken off */
};

/* name, kind, is it a fault?, what its three numbers are */
#define OPS(X)                                                                 \
    X(CREATE, "create", KIND_CHANGE, 0, "resource pick size")                  \
    X(MODIFY, "modify", KIND_CHANGE, 0, "resource pick size")                  \
    X(DELETE, "delete", KIND_CHANGE, 0, "resource pick -")                     \
    X(RECREATE, "recreate", KIND_CHANGE, 0, "resource pick size")              \
    X(RELABEL, "relabel", KIND_CHANGE, 0, "resource pick -")                   \
    X(FLOOD, "flood", KIND_CHANGE, 0, "resource count gap_ms")                 \
    X(FILL, "fill", KIND_CHANGE, 0, "resource count size")                     \
    X(WIPE, "wipe", KIND_CHANGE, 0, "resource namespace -")                    \
    X(NOISE, "noise", KIND_CHANGE, 0, "count - -")                             \
    X(GROW, "grow", KIND_BIG, 0, "resource pick times")                        \
    X(CROWD, "crowd", KIND_BIG, 0, "resource count size")                      \
    X(CHURN, "churn", KIND_BIG, 0, "resource count gap_ms")                    \
    X(BREAK, "break", KIND_BROKEN, 0, "resource pick how")                     \
    X(STRAY, "stray", KIND_BROKEN, 1, "kind - -")                              \
    X(ODD, "odd", KIND_BROKEN, 1, "kind - for_ms")                             \
    X(REFUSE, "refuse", KIND_NET, 1, "- - for_ms")                             \
    X(NAME, "no-name", KIND_NET, 1, "- - for_ms")                              \
    X(SILENT, "silent", KIND_NET, 1, "- - for_ms")                             \
    X(HANG, "hang", KIND_NET, 1, "phase - for_ms")                             \
    X(TLS, "tls", KIND_NET, 1, "error - for_ms")                               \
    X(SLOW, "slow", KIND_NET, 1, "ms - for_ms")                                \
    X(DRIP, "drip", KIND_NET, 1, "bytes - for_ms")                           \
    X(SHRED, "shred", KIND_NET, 1, "- - for_ms")                               \
    X(STALL, "stall", KIND_NET, 1, "- - for_ms")                               \
    X(CUT, "cut", KIND_NET, 1, "after link clean")                             \
    X(RESET, "reset", KIND_NET, 1, "clean - -")                                \
    X(HALF_OPEN, "half-open", KIND_NET, 1, "keepalive - -")                    \
    X(IDLE_CUT, "idle-cut", KIND_PROXY, 1, "ms - -")                           \
    X(HOLD, "hold", KIND_PROXY, 1, "bytes ms for_ms")                          \
    X(RECHUNK, "rechunk", KIND_PROXY, 1, "on - -")                             \
    X(CLOSING, "closing", KIND_PROXY, 1, "on - -")                             \
    X(WINDOW, "window", KIND_PROXY, 1, "bytes - -")                            \
    X(RESTART, "restart", KIND_SERVER, 1, "down_ms slow_ms graceful")          \
    X(COMPACT, "compact", KIND_SERVER, 1, "- - -")                             \
    X(FAILOVER, "failover", KIND_SERVER, 1, "lag_ms - -")                      \
    X(ERROR, "error", KIND_SERVER, 1, "code scope for_ms")                     \
    X(END_WATCH, "end-watch", KIND_SERVER, 1, "clean - -")                     \
    X(NO_BOOKMARKS, "no-bookmarks", KIND_SERVER, 1, "- - for_ms")              \
    X(STREAMS, "streams", KIND_SERVER, 1, "mode - -")                          \
    X(CACHE_WINDOW, "cache-window", KIND_SERVER, 1, "changes - -")             \
    X(TOKEN, "token", KIND_SERVER, 1, "app_after_ms - -")                      \
    X(BACKUP, "backup", KIND_RESTORE, 0, "- - -")                              \
    X(RESTORE, "restore", KIND_RESTORE, 1, "how down_ms -")                    \
    X(ADD_APP, "add-app", KIND_APP, 0, "informer mode resync_ms")              \
    X(REMOVE_APP, "remove-app", KIND_APP, 0, "informer pick -")                \
    X(STUCK, "stuck", KIND_APP, 1, "informer pick for_ms")                     \
    X(SLOW_APP, "slow-app", KIND_APP, 1, "informer pick for_ms")               \
    X(LISTING, "listing", KIND_APP, 0, "informer - -")                         \
    X(STOP, "stop", KIND_APP, 0, "informer again_ms -")                        \
    X(RELOAD, "reload", KIND_APP, 0, "- - -")                                  \
    X(INDEX, "index", KIND_APP, 0, "informer - -")                             \
    X(SUSPEND, "suspend", KIND_TIME, 1, "- - for_ms")                          \
    X(LATE, "late", KIND_TIME, 1, "ms - for_ms")                               \
    X(SKEW, "skew", KIND_TIME, 1, "seconds - -")                               \
    X(UNVERIFIED, "unverified", KIND_NET, 1, "- - for_ms")                     \
    X(SHORT_WATCH, "short-watch", KIND_SERVER, 1, "ms clean for_ms")           \
    X(MUTE, "mute", KIND_SERVER, 1, "after - for_ms")

enum op {
#define X(name, text, kind, fault, numbers) OP_##name,
    OPS(X)
#undef X
    OP_COUNT
};

struct action {
    uint64_t at;
    enum op op;
    uint32_t n[3];
};

struct script {
    ARRAY(struct action) actions;
};

bool op_is_fault(enum op op);
unsigned op_kind(enum op op);

/* Draws what happens in an epoch: from .. until, of hours hours. */
void script_draw(struct script *s, struct rng *r, uint64_t from,
                 uint64_t until, uint32_t hours, unsigned mask);
void script_sort(struct script *s);
/* Reads a file of lines as action_text writes them; ends on a bad one. */
void script_read(struct script *s, const char *path);
void action_text(struct text *out, const struct action *a);

#endif
