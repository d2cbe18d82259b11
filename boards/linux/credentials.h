/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - who we are and whom we trust, from a kubeconfig or from the
 * pod's service account, and read again when it changes.
 *
 * The token is at one place in memory, the one core sends it from; a new one is
 * read into the other half of the same pages, and the old one wiped. */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "kinformer.h"
#include "mbedtls/kinf_mbedtls.h"

#define TOKEN_BYTES 8192    /* longest token */
#define TOKEN_FRESH_MS 50000 /* a token file is read again after so long */
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/* Where to look. Kept; NULL: as kubectl would. */
struct credentials_source {
    const char *kubeconfig;      /* --kubeconfig */
    const char *context;         /* --context */
    bool in_cluster;             /* --in-cluster */
    const char *service_account; /* the folder; NULL: SERVICE_ACCOUNT */
};

/* A file by which a change is noticed. */
struct watched_file {
    char path[PATH_MAX]; /* empty: none */
    struct timespec changed;
    ino_t inode;
    off_t size;
};

struct credentials {
    /* for the application */
    struct kinf_span host, prefix, server_name;
    uint16_t port;
    struct kinf_span namespace_; /* of the context; "default" if it says none */
    struct kinf_span where;      /* the server as given, for messages */
    struct kinf_mbedtls_credentials tls;
    /* private */
    const struct credentials_source *source;
    const struct kinf_platform *platform;
    char text[1024]; /* what the spans above point to */
    struct watched_file ca, cert, key;
    uint64_t material; /* hash of anchors, certificate and key in use */
    char token_file[PATH_MAX];
    char *token_pages; /* two halves */
    unsigned half;     /* the one with the token */
    size_t token_len, pending_len;
    bool pending;      /* the other half holds the next token */
    uint32_t token_read_ms;
};

/* Finds and reads everything; kinf_mbedtls_start comes before. Says what is
 * wrong and returns false. */
bool credentials_open(struct credentials *c,
                      const struct credentials_source *source,
                      const struct kinf_platform *platform);

/* For struct kinf_credentials; ctx is a struct credentials. */
struct kinf_span credentials_token(void *ctx, bool refused);

/* Once a minute: has a certificate's file changed? */
bool credentials_changed(struct credentials *c);

/* After that, or on SIGHUP: reads everything again. Returns true when anchors
 * or identity are others than those in use: then kinf_reload is called with
 * credentials_apply. Says what is wrong; then all stays as it was. */
bool credentials_reread(struct credentials *c);
void credentials_apply(void *ctx);

/* Wipes all. */
void credentials_close(struct credentials *c);

/* Splits https://host:port/prefix. Returns NULL, or what is wrong with it. */
const char *credentials_split_url(struct kinf_span url, struct kinf_span *host,
                                  uint16_t *port, struct kinf_span *prefix);

#endif
