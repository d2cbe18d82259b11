/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h - what watch and mirror have in common: one buffer, connections,
 * informers, and the loop with its signals.
 *
 * The buffer is mapped once and carved in this order; pages nobody touches cost
 * nothing, so it may be much larger than what is used.
 *
 *   [TLS arena][lanes: structs, io, ticket][pools of informer 0][of 1]...
 *
 * Each namespace is an informer with a session of its own; one more session
 * serves the single requests of all. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "credentials.h"
#include "kinformer.h"
#include "mbedtls/kinf_mbedtls.h"
#include "options.h"
#include "out.h"
#include "posix/kinf_posix.h"
#include "resource.h"

#define INFORMERS_MAX NAMESPACES_MAX

/* What a command does with the informers. NULL functions: nothing. */
struct gateway_user {
    const struct kinf_event_handler *handler; /* its ctx is ctx */
    enum kinf_mode mode;
    void *ctx;
    /* After each kinf_poll. Returns how long it can wait, in ms. */
    uint32_t (*tick)(void *ctx, uint32_t now_ms);
    /* A descriptor to wait for, or -1; *events as poll wants them. */
    int (*wait_for)(void *ctx, short *events);
    /* What poll said of it. */
    void (*ready)(void *ctx, short events);
    /* On SIGUSR1. */
    void (*confirm)(void *ctx);
    /* Members of the status file, each with out_member. */
    void (*status)(void *ctx, struct out *o);
    /* Once all is in sync and delivered: an exit code for --once, or -1 as long
     * as there is something left to do. */
    int (*finished)(void *ctx);
};

/* One informer, with its connection. */
struct gateway_lane {
    struct kinf_informer informer;
    struct kinf_informer_config config;
    struct kinf_listener listener;
    struct kinf_session session;
    struct kinf_mbedtls tls;
    struct kinf_posix_tcp tcp;
    struct gateway *gateway;
    uint32_t refusals; /* answers 401 in a row */
};

struct gateway {
    const struct options *options;
    const struct gateway_user *user;
    struct credentials credentials;
    struct resource resource;
    struct kinf k;
    struct gateway_lane *lanes[INFORMERS_MAX];
    unsigned lane_count;
    struct gateway_lane *single; /* session only */
    bool synced; /* all were, once */
    /* private */
    struct credentials_source source;
    struct kinf_config config;
    struct kinf_mbedtls_system system;
    struct kinf_posix posix;
    char *memory;
    size_t size, used;
    int signals;
    int leave;         /* exit code, or -1: go on */
    int last_error;
    uint32_t began_ms, minute_ms;
    uint32_t watchdog_ms, fed_ms;
    struct kinf_get get;
    struct discovery discovery;
    const char *name;  /* of the resource, as the user wrote it */
    bool found;        /* resource is known, informers can be made */
    bool started;      /* they are */
    bool waiting;      /* the question is asked again at ask_at_ms */
    uint32_t ask_at_ms, ask_wait_ms;
};

/* Maps memory, reads credentials, makes sessions. Returns 0 or an exit code,
 * the cause told. source's folders as in credentials.h. */
int gateway_open(struct gateway *g, const struct options *options,
                 const struct gateway_user *user);

/* Runs until a signal or --once ends it; returns the exit code. name: what to
 * watch, as the user wrote it. */
int gateway_run(struct gateway *g, const char *name);

/* Ends the loop with this code, from a handler or tick. */
void gateway_leave(struct gateway *g, int code);

/* The handler can go on, on all informers. */
void gateway_resume(struct gateway *g);

/* The platform's clock. */
uint32_t gateway_now(const struct gateway *g);

/* Sizes of one informer of so many as the options ask for them; for the size
 * command, too. */
void gateway_sizes(const struct options *options, enum kinf_mode mode,
                   struct kinf_sizes *sizes);
/* Bytes taken before the first informer. */
size_t gateway_fixed_bytes(unsigned informers);

#endif
