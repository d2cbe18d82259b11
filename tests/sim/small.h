/* SPDX-License-Identifier: Apache-2.0 */
/* small.h - the simulation's second build: the smallest steps a poll. */
#define CONFIG_KINF_CURSORS 1
#define CONFIG_KINF_KEEP_PATHS 1
#define CONFIG_KINF_FETCH_MAX 1
#define CONFIG_KINF_POLL_BYTES 1
#define CONFIG_KINF_POLL_EVENTS 1
#define CONFIG_KINF_POLL_ENTRIES 1
#define CONFIG_KINF_COMPACT_BYTES 1
#define CONFIG_KINF_COMPACT_SHARE 1
