/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.h - resolves a name without stopping the loop. */
#ifndef KINF_POSIX_LOOKUP_H
#define KINF_POSIX_LOOKUP_H

#include "posix/kinf_posix.h"

/* Reads an IP address. Returns whether it is one. */
bool kinf_posix_literal(const char *host, struct kinf_posix_address *out);

/* Begins to look up a name. *fd becomes readable when the lookup has ended; it
 * is the caller's to close, before or after. Returns NULL when no thread, pipe
 * or page can be had. */
struct kinf_posix_lookup *kinf_posix_lookup_start(const char *host, int *fd);

/* Gives the number of addresses found, at most max; 0 and words in reason when
 * there are none; KINF_ERR_AGAIN while the lookup runs. */
int kinf_posix_lookup_result(const struct kinf_posix_lookup *lookup,
                             struct kinf_posix_address *out, size_t max,
                             const char **reason);

/* Lets go of a lookup, finished or not. */
void kinf_posix_lookup_drop(struct kinf_posix_lookup *lookup);

#endif
