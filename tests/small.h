/* SPDX-License-Identifier: Apache-2.0 */
/* small.h - the smallest legal sizes, to give bugs a chance. The suite is
 * built a second time with this header in place of Kconfig's. One state machine
 * alone reads JSON. */
#define CONFIG_KINF_OBJECTS 1
#define CONFIG_KINF_FIFO 1
#define CONFIG_KINF_RING 1
#define CONFIG_KINF_CURSORS 1
#define CONFIG_KINF_KEEP_PATHS 1
#define CONFIG_KINF_FETCH_MAX 1
#define CONFIG_KINF_POLL_BYTES 1
#define CONFIG_KINF_POLL_EVENTS 1
#define CONFIG_KINF_POLL_ENTRIES 1
#define CONFIG_KINF_COMPACT_BYTES 1
#define CONFIG_KINF_COMPACT_SHARE 1
#define CONFIG_KINF_WIDE 0
