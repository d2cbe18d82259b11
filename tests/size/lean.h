/* SPDX-License-Identifier: Apache-2.0 */
/* lean.h - the smallest configuration: one informer, one session, handlers
 * that are there from the start and stay. */
#define CONFIG_KINF_STREAMING 0
#define CONFIG_KINF_LATEST_MODE 0
#define CONFIG_KINF_INDEXES 0
#define CONFIG_KINF_LATE 0
#define CONFIG_KINF_RESYNC 0
#define CONFIG_KINF_STOP 0
#define CONFIG_KINF_TURNS 0
#define CONFIG_KINF_RELOAD 0
#define CONFIG_KINF_VERIFY 0
#define CONFIG_KINF_SOURCE 0
#define CONFIG_KINF_WIDE 0
#define CONFIG_KINF_OLD_SERVERS 0
#define CONFIG_KINF_HTTP_DATE 0
#define CONFIG_KINF_KEEP_PATHS 0
#define CONFIG_KINF_METADATA 0
#define CONFIG_KINF_POLLING 0
#define CONFIG_KINF_FILTERS 0
#define CONFIG_KINF_SECOND_SESSION 0
