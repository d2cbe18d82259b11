/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - what a client of the model server asks, read strictly: a request
 * that no client of ours should send ends the run. */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include "etcd.h"

struct request {
    struct view view;
    char name[NAME_MAX_BYTES]; /* of one object; "": a collection */
    bool watch, initial_events, bookmarks;
    bool has_version, has_limit, has_match, has_continue, exact;
    uint64_t version;
    uint32_t limit, timeout_seconds;
    char continue_[1024];
    bool unknown;         /* its path; the rest is not read then */
    bool plain_unknown;   /* and not under a built-in group */
    bool pretty;          /* asked by an agent of people */
    bool has_token;
    char token[16384];
};

/* Bytes of the first whole request in these, or 0. */
size_t request_length(const char *bytes, size_t len);
void request_read(struct request *q, const char *bytes, size_t len);
/* Is it what the real server answers with 422? Says why, and which option is
 * to blame; or NULL. */
const char *request_invalid(const struct request *q, const char **field);

/* Where all paths begin; "" or a proxy's prefix. */
extern const char *request_prefix;

/* Continue tokens, as the real ones: base64 of a little JSON. */
struct page_token {
    uint64_t rev;
    uint32_t restores; /* of which line of time */
    uint64_t made_at;
    char namespace_[64], name[NAME_MAX_BYTES]; /* begins after this key */
};
void page_token_write(struct text *out, const struct page_token *t);
bool page_token_read(struct page_token *t, const char *text);

#endif
