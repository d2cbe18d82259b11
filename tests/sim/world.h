/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - one seed's world: its applications, its server and network, its
 * script, and what must hold at all times and once it is calm.
 *
 * An epoch is one to three hours in which the script hurts, whose last quarter
 * of an hour is calm; at its end the cache must equal the server. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include "app.h"
#include "etcd.h"
#include "net.h"
#include "script.h"
#include "server.h"

/* What a run of a seed amounts to. */
struct result {
    uint64_t hours, faults, changes, relists, polls, callbacks, requests;
    uint64_t bytes, wakes;
};

struct options {
    uint64_t seed;
    uint32_t hours;
    unsigned faults;    /* mask of kinds, see script.h */
    const char *script; /* file, or NULL: drawn from the seed */
    bool print_script;
    int size;           /* 0 tiny .. 3 large; -1: drawn */
};

#define BOXES 4
#define LINKS 8

struct world {
    const struct options *options;
    struct rng choice; /* how this world is made */
    struct kinf kinf;
    struct kinf_config config;
    struct kinf_platform platform;
    struct link links[LINKS];
    struct kinf_session sessions[LINKS];
    char *buffers[LINKS];
    uint32_t link_count;
    struct box boxes[BOXES];
    uint32_t box_count;
    int size;
    bool turns;        /* all informers share one session */
    bool verifies;     /* a period finds what doubt cannot */
    bool collides;     /* names do, in a hash */
    bool wall_known;
    uint32_t names;    /* keys of a resource */
    uint32_t most;     /* bytes of an ordinary payload */
    uint64_t clock_base;
    int64_t skew_s;
    /* the loop */
    uint64_t poll_at, defer_until;
    bool woken;
    bool sleeps;             /* the last poll let it, for a while */
    uint64_t wakes, woke_at; /* because the while was over */
    uint64_t hasty_wakes;    /* less than a minute after another */
    uint64_t hindered_at; /* late, asleep or not reading: no time counts */
    uint64_t calm_at, next_calm_at; /* it was calm since, and will be */
    uint64_t trickled_at; /* bytes were held back on their way */
    bool reloading;
    uint64_t reload_at;
    uint64_t healed_at; /* what had no name got one */
    uint32_t late_ms;
    uint64_t late_until, suspended_until;
    uint32_t polls_now, polls_idle;
    uint64_t polls;
    /* the token file */
    uint32_t token_number;
    uint64_t token_readable_at;
    struct text token;
    /* the hour */
    uint64_t hour_faults, hour_changes, hour_polls, hour_moves;
    struct result result;
};
extern struct world world;

/* Runs a world; ends the process when it finds something wrong. */
void world_run(const struct options *options, struct result *result);
/* A day of one informer in which nothing happens; bytes: HTTP's, both ways;
 * wakes: polls that only the sleep of the one before asked for. */
void world_idle_day(struct result *result);
/* The world until a point in time, without a script. */
void world_go_on(uint64_t until);
/* make.c: from nothing, a world as its options and the seed say; and one with
 * a single informer of default sizes. */
void world_make(const struct options *options);
void world_make_quiet(void);
/* A new informer in a box, with its handlers; started. */
void box_start(struct box *box);
void box_stop(struct box *box);
/* A poll after the stop: its memory is ours again. */
void box_ended(struct box *box);
void box_add_apps(struct box *box);
void box_count_relists(const struct box *box);
/* Some handler of a box, or NULL. */
struct app *box_app(struct box *box, uint32_t pick);

/* happen.c */
void happen(const struct action *a);
/* May the cluster change? Not while an old version would become good again. */
bool may_change(void);
void fill_cluster(void);
/* Objects are deleted and created again, while somebody lists them. */
void stir(uint32_t res);
/* What has no name cannot be seen to go, what breaks a list stops it: both are
 * made good. */
void heal_nameless(void);
struct look draw_look(struct rng *r, uint32_t size);

/* check.c */
void check_after_poll(struct box *box);
void check_calm(struct box *box);
void check_hour(void);
/* Something came without a name: nobody may pass over it. */
void check_nameless(struct box *box);
/* A connection timed out, and is closed next: was it really silent? */
void check_timeout(void);
/* Once in ten seconds: nobody waits for the dead. */
void check_dead(void);
void listing_begin(struct box *box);
void listing_step(struct box *box);
void index_add(struct box *box);

/* Something odd done from inside a callback. */
void world_mischief(struct app *a, const struct kinf_object *object);

static inline int snprintf_key(char *out, size_t size, const struct key *k)
{
    return k->namespace_[0] != '\0'
               ? snprintf(out, size, "%s/%s", k->namespace_, k->name)
               : snprintf(out, size, "%s", k->name);
}

#endif
