/* SPDX-License-Identifier: Apache-2.0 */
/* list_watch.h - a reflector's requests as URLs, and what the answers say.
 *
 * The default source behind struct kinf_list_watch_ops: it leases a session,
 * writes the request, and reads the answer through the JSON stream. */
#ifndef KINF_WATCH_LIST_WATCH_H
#define KINF_WATCH_LIST_WATCH_H

#include "kinformer.h"

extern const struct kinf_list_watch_ops kinf_list_watch_session_ops;

void kinf_list_watch_init(struct kinf_list_watch *lw,
                          const struct kinf_informer_config *config,
                          const struct kinf_config *server,
                          struct kinf_session *session);

#endif
