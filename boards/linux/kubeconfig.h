/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig.h - reads kubeconfig files as kubectl merges them, and refuses
 * what it cannot honour.
 *
 * Nothing is ignored: a field that would change how the server is reached or
 * who we are, and that kinformer does not do, ends in an error that names it.
 * Entries the chosen context does not use are not looked at. */
#ifndef KUBECONFIG_H
#define KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "kinformer.h"

#define KUBECONFIG_FILES 16
#define KUBECONFIG_BYTES ((size_t)4 << 20)  /* of all files together */
#define KUBECONFIG_MEMORY ((size_t)2 << 20) /* for what is taken from them */

/* What the context says; spans into memory, followed by a NUL, empty when not
 * given. Paths are absolute or relative to the working folder; data are
 * decoded. */
struct kubeconfig {
    struct kinf_span context, namespace_;
    struct kinf_span cluster, user; /* their names */
    struct kinf_span server, tls_server_name;
    struct kinf_span ca, ca_file;
    struct kinf_span cert, cert_file, key, key_file;
    struct kinf_span token, token_file;
    /* why it failed, and what to do about it (or NULL) */
    char error[400];
    const char *todo;
    /* private */
    char *memory;
    size_t size, used;
};

/* Reads the files of list, separated by colons (as $KUBECONFIG); the first that
 * says something wins. Files that do not exist are skipped, but one must.
 * context: NULL for the current one. memory is the caller's; it then holds
 * secrets, to be wiped. Returns false with error and todo. */
bool kubeconfig_read(struct kubeconfig *kc, const char *list,
                     const char *context, void *memory, size_t size);

#endif
