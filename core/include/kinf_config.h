/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_config.h - every size and switch of kinformer with its default.
 *
 * Kconfig holds the same symbols with unit, range and cost; a test holds the
 * two equal. A build with Kconfig tools defines KINF_CONFIG_FILE as the header
 * they wrote; a build without defines what is to differ (-DCONFIG_...). */
#ifndef KINF_CONFIG_H
#define KINF_CONFIG_H

#ifdef KINF_CONFIG_FILE
#include KINF_CONFIG_FILE
#endif

/* ---- layout: library and application must agree (see KINF_ABI) ---------- */

#ifndef CONFIG_KINF_INDEX_BITS
#define CONFIG_KINF_INDEX_BITS 16 /* 16: up to 65,000 objects; 32: more */
#endif
#ifndef CONFIG_KINF_IDENTITY_BYTES
#define CONFIG_KINF_IDENTITY_BYTES 512 /* name, namespace, uid, version */
#endif
#ifndef CONFIG_KINF_CONTINUE_BYTES
#define CONFIG_KINF_CONTINUE_BYTES 600 /* token of the next page of a list */
#endif
#ifndef CONFIG_KINF_MESSAGE_BYTES
#define CONFIG_KINF_MESSAGE_BYTES 96 /* the server's words on an error */
#endif
#ifndef CONFIG_KINF_HTTP_LINE_BYTES
#define CONFIG_KINF_HTTP_LINE_BYTES 128 /* kept of a header line */
#endif
#ifndef CONFIG_KINF_KEEP_PATHS
#define CONFIG_KINF_KEEP_PATHS 8 /* paths in a keep list */
#endif

/* ---- pools of one informer, used by KINF_SIZES_DEFAULT ------------------ */

#ifndef CONFIG_KINF_OBJECTS
#define CONFIG_KINF_OBJECTS 16
#endif
#ifndef CONFIG_KINF_OBJECT_BYTES
#define CONFIG_KINF_OBJECT_BYTES 2048
#endif
#ifndef CONFIG_KINF_ARENA_BYTES
#define CONFIG_KINF_ARENA_BYTES 16384
#endif
#ifndef CONFIG_KINF_FIFO
#define CONFIG_KINF_FIFO 4
#endif
#ifndef CONFIG_KINF_EVERY
#define CONFIG_KINF_EVERY 1
#endif
#ifndef CONFIG_KINF_RING
#define CONFIG_KINF_RING 4
#endif
#ifndef CONFIG_KINF_LATEST
#define CONFIG_KINF_LATEST 0
#endif
#ifndef CONFIG_KINF_POSTINGS
#define CONFIG_KINF_POSTINGS 0
#endif
#ifndef CONFIG_KINF_IO_BYTES
#define CONFIG_KINF_IO_BYTES 512 /* request and response bytes of a session */
#endif

/* ---- work in one kinf_poll ---------------------------------------------- */

#ifndef CONFIG_KINF_POLL_BYTES
#define CONFIG_KINF_POLL_BYTES 16384 /* received bytes taken in */
#endif
#ifndef CONFIG_KINF_POLL_EVENTS
#define CONFIG_KINF_POLL_EVENTS 16 /* objects received, applied, delivered */
#endif
#ifndef CONFIG_KINF_POLL_ENTRIES
#define CONFIG_KINF_POLL_ENTRIES 256 /* entries looked at by cursors */
#endif
#ifndef CONFIG_KINF_COMPACT_BYTES
#define CONFIG_KINF_COMPACT_BYTES 16384 /* payload bytes moved */
#endif
#ifndef CONFIG_KINF_COMPACT_SHARE
#define CONFIG_KINF_COMPACT_SHARE 8 /* start at holes of 1/n of the live */
#endif

/* ---- wire --------------------------------------------------------------- */

#ifndef CONFIG_KINF_HTTP_HEADERS_BYTES
#define CONFIG_KINF_HTTP_HEADERS_BYTES 16384 /* whole header section */
#endif
#ifndef CONFIG_KINF_WIDE
#define CONFIG_KINF_WIDE 1 /* what nobody looks at is passed in one loop */
#endif
#ifndef CONFIG_KINF_OLD_SERVERS
#define CONFIG_KINF_OLD_SERVERS 1 /* what servers before 1.18.6 say */
#endif
#ifndef CONFIG_KINF_HTTP_DATE
#define CONFIG_KINF_HTTP_DATE 1 /* Retry-After may be a date */
#endif
#ifndef CONFIG_KINF_LIST_LIMIT
#define CONFIG_KINF_LIST_LIMIT 500 /* objects a page; 0: no paging */
#endif

/* ---- deadlines and waits, milliseconds ---------------------------------- */

#ifndef CONFIG_KINF_RESOLVE_MS
#define CONFIG_KINF_RESOLVE_MS 15000
#endif
#ifndef CONFIG_KINF_CONNECT_MS
#define CONFIG_KINF_CONNECT_MS 15000
#endif
#ifndef CONFIG_KINF_HANDSHAKE_MS
#define CONFIG_KINF_HANDSHAKE_MS 30000
#endif
#ifndef CONFIG_KINF_SEND_MS
#define CONFIG_KINF_SEND_MS 15000
#endif
#ifndef CONFIG_KINF_HEADERS_MS
#define CONFIG_KINF_HEADERS_MS 70000 /* a server may queue a list for 60 s */
#endif
#ifndef CONFIG_KINF_BODY_MS
#define CONFIG_KINF_BODY_MS 30000 /* between two whole items of a list */
#endif
#ifndef CONFIG_KINF_OBJECT_MS
#define CONFIG_KINF_OBJECT_MS 60000 /* an object's first byte to its last */
#endif
#ifndef CONFIG_KINF_IDLE_MS
#define CONFIG_KINF_IDLE_MS 150000 /* a watch with no whole event or bookmark */
#endif
#ifndef CONFIG_KINF_STREAM_MS
#define CONFIG_KINF_STREAM_MS 30000 /* a streaming list with no progress */
#endif
#ifndef CONFIG_KINF_DOUBT_MS
#define CONFIG_KINF_DOUBT_MS 75000 /* a watch silent since it began */
#endif
#ifndef CONFIG_KINF_PROBE_MS
#define CONFIG_KINF_PROBE_MS 180000 /* least time between two probes */
#endif
#ifndef CONFIG_KINF_WATCH_SECONDS
#define CONFIG_KINF_WATCH_SECONDS 300 /* a watch lasts so long to twice it */
#endif
#ifndef CONFIG_KINF_BACKOFF_MS
#define CONFIG_KINF_BACKOFF_MS 800
#endif
#ifndef CONFIG_KINF_BACKOFF_CAP_MS
#define CONFIG_KINF_BACKOFF_CAP_MS 30000
#endif
#ifndef CONFIG_KINF_RETRY_AFTER_CAP_MS
#define CONFIG_KINF_RETRY_AFTER_CAP_MS 120000
#endif
#ifndef CONFIG_KINF_DENIED_MS
#define CONFIG_KINF_DENIED_MS 60000 /* between tries after 403, 404, 405 */
#endif
#ifndef CONFIG_KINF_REPAIR_MS
#define CONFIG_KINF_REPAIR_MS 60000 /* least time between two repair lists */
#endif
#ifndef CONFIG_KINF_FETCH_MAX
#define CONFIG_KINF_FETCH_MAX 8 /* truncated objects fetched one by one */
#endif
#ifndef CONFIG_KINF_STREAM_RETRY_MS
#define CONFIG_KINF_STREAM_RETRY_MS 3600000 /* try a streaming list again */
#endif
#ifndef CONFIG_KINF_TURN_SECONDS
#define CONFIG_KINF_TURN_SECONDS 10 /* a watch on a session shared by turns */
#endif
#ifndef CONFIG_KINF_TURN_STUCK_MS
#define CONFIG_KINF_TURN_STUCK_MS 2000 /* unread for so long loses its turn */
#endif

/* ---- features: 0 leaves one and its code out ---------------------------- */

#ifndef CONFIG_KINF_METADATA
#define CONFIG_KINF_METADATA 1 /* objects may be asked for without payload */
#endif
#ifndef CONFIG_KINF_STREAMING
#define CONFIG_KINF_STREAMING 1 /* ask for a list as a stream of events */
#endif
#ifndef CONFIG_KINF_LATEST_MODE
#define CONFIG_KINF_LATEST_MODE 1 /* handlers in mode "latest" */
#endif
#ifndef CONFIG_KINF_INDEXES
#define CONFIG_KINF_INDEXES 1 /* by namespace, by functions */
#endif
#ifndef CONFIG_KINF_LATE
#define CONFIG_KINF_LATE 1 /* handlers added after the start */
#endif
#ifndef CONFIG_KINF_RESYNC
#define CONFIG_KINF_RESYNC 1 /* handlers with a resync period */
#endif
#ifndef CONFIG_KINF_STOP
#define CONFIG_KINF_STOP 1 /* stop informers, remove handlers */
#endif
#ifndef CONFIG_KINF_TURNS
#define CONFIG_KINF_TURNS 1 /* informers share a session by turns */
#endif
#ifndef CONFIG_KINF_RELOAD
#define CONFIG_KINF_RELOAD 1 /* new trust anchors at run time */
#endif
#ifndef CONFIG_KINF_VERIFY
#define CONFIG_KINF_VERIFY 1 /* a list that verifies, by time */
#endif
#ifndef CONFIG_KINF_SOURCE
#define CONFIG_KINF_SOURCE 1 /* a source of the user's own */
#endif
#ifndef CONFIG_KINF_POLLING
#define CONFIG_KINF_POLLING 1 /* list again what cannot be watched */
#endif
#ifndef CONFIG_KINF_FILTERS
#define CONFIG_KINF_FILTERS 1 /* handlers that filter */
#endif
#ifndef CONFIG_KINF_SECOND_SESSION
#define CONFIG_KINF_SECOND_SESSION 1 /* single requests by their own */
#endif
#ifndef CONFIG_KINF_ERROR_TEXTS
#define CONFIG_KINF_ERROR_TEXTS 1 /* kinf_strerror has words */
#endif

/* ---- other -------------------------------------------------------------- */

#ifndef CONFIG_KINF_ASSERT
#define CONFIG_KINF_ASSERT 1 /* 0 leaves the assertions out */
#endif
#ifndef CONFIG_KINF_CURSORS
#define CONFIG_KINF_CURSORS 2 /* index listings of an informer at one time */
#endif
#ifndef CONFIG_KINF_INDEX_VALUE_BYTES
#define CONFIG_KINF_INDEX_VALUE_BYTES 64 /* longest value of an index */
#endif

#endif
