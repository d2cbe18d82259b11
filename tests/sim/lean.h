/* SPDX-License-Identifier: Apache-2.0 */
/* lean.h - the smallest configuration; but the world has servers and
 * informers that need these. */
#include "../size/lean.h"
#undef CONFIG_KINF_OLD_SERVERS
#undef CONFIG_KINF_HTTP_DATE
#undef CONFIG_KINF_KEEP_PATHS
#undef CONFIG_KINF_METADATA
