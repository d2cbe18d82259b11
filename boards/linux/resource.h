/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h - from a resource's name as kubectl takes it ("cm", "deploy",
 * "certificates.cert-manager.io", "cronjobs.v1.batch") to what the server calls
 * it.
 *
 * The most usual ones are known; for all others the server is asked. Its
 * answers are read as they pass, so that lists of hundreds of resources take no
 * memory. This file asks and reads; the caller owns the connection. */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stdbool.h>

#include "json_walk.h"
#include "kinformer.h"

struct resource {
    struct kinf_resource api;
    bool namespaced;
    char text[4 * 64 + 4 * 254]; /* what api points to, if it was asked for */
};

/* Is it one of those everybody has? */
bool resource_known(struct resource *out, const char *name);

enum discovery_result {
    DISCOVERY_ASK,        /* send discovery_path(), feed the body, end */
    DISCOVERY_FOUND,
    DISCOVERY_UNKNOWN,    /* the server has no such resource */
    DISCOVERY_UNWATCHED,  /* it cannot be listed and watched */
    DISCOVERY_FAILED      /* this request did: ask again later */
};

/* One resource of an answer, as far as it has been read. */
struct candidate {
    char plural[64], kind[64];
    bool namespaced, list, watch, matches;
};

struct discovery {
    struct resource *out;
    char name[64]; /* lower case, up to the first dot */
    char group[254], version[64]; /* asked for; empty: any */
    bool group_given, second_reading; /* see discovery_end */
    char rest[320];                   /* behind the first dot */
    uint8_t step;
    unsigned nth; /* version or group looked at */
    /* of the answer being read */
    struct json_walk walk;
    char at_group[254], at_version[64], nth_group[254], nth_version[64];
    unsigned seen;
    struct candidate candidate;
    bool found, unwatched, broken;
    char path[512];
};

/* Begins. False: the name can be none. */
bool discovery_begin(struct discovery *d, struct resource *out,
                     const char *name);
/* What to ask for next; good until discovery_end. */
struct kinf_span discovery_path(struct discovery *d);
struct kinf_span discovery_accept(const struct discovery *d);
/* As kinf_get's body. */
int discovery_body(struct discovery *d, struct kinf_span piece);
/* err and http_status as kinf_get's end tells them. */
enum discovery_result discovery_end(struct discovery *d, int err,
                                    int http_status);

#endif
