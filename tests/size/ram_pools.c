/* SPDX-License-Identifier: Apache-2.0 */
/* ram_pools.c - every pool of core with its count, its unit and its reason.
 *
 * Compiled for the target and read with nm, never linked: each pool is told by
 * the sizes of two arrays, one larger than the number so that 0 is legal.
 * tests/size/report.py reads the reasons from this text, and checks that the
 * pools add up to KINF_INFORMER_BYTES_DEFAULT. */
#include "kinformer.h"

#define POOL(name, count, unit, reason)                                        \
    extern char name##__count[(count) + 1], name##__unit[(unit) + 1];          \
    char name##__count[(count) + 1];                                           \
    char name##__unit[(unit) + 1];

#define RECORDS                                                                \
    KINF_RECORDS_(CONFIG_KINF_OBJECTS, CONFIG_KINF_FIFO, CONFIG_KINF_EVERY,    \
                  CONFIG_KINF_RING)

/* Structs the application declares. */
POOL(struct_kinf, 1, sizeof(struct kinf), "the loop")
POOL(struct_session, 1, sizeof(struct kinf_session), "one connection")
POOL(session_io, 1, CONFIG_KINF_IO_BYTES, "its request and response bytes")
POOL(struct_informer, 1, sizeof(struct kinf_informer), "one informer")
POOL(struct_listener, 1, sizeof(struct kinf_listener), "one handler")

/* Carved from the informer's memory, in this order, each rounded up to 8. */
POOL(entries, CONFIG_KINF_OBJECTS, sizeof(struct kinf_entry), "one a key")
POOL(records, RECORDS, sizeof(struct kinf_record),
     "one a key + one a queued delta + one an undelivered notification + 1")
POOL(buckets, CONFIG_KINF_OBJECTS, sizeof(kinf_idx), "hash table, one a key")
POOL(postings, CONFIG_KINF_POSTINGS, sizeof(struct kinf_posting),
     "one a value of an index")
POOL(posting_heads, CONFIG_KINF_POSTINGS, sizeof(kinf_idx), "one a posting")
POOL(posting_tails, CONFIG_KINF_POSTINGS, sizeof(kinf_idx), "one a posting")
POOL(entry_map, 1, KINF_MAP_(CONFIG_KINF_OBJECTS), "a bit an entry")
POOL(record_map, 1, KINF_MAP_(RECORDS), "a bit a record")
POOL(posting_map, 1, KINF_MAP_(CONFIG_KINF_POSTINGS), "a bit a posting")
POOL(fifo, CONFIG_KINF_FIFO, sizeof(struct kinf_delta), "one a queued delta")
POOL(rings, CONFIG_KINF_EVERY * CONFIG_KINF_RING, sizeof(struct kinf_slot),
     "one an undelivered notification of each every handler")
POOL(links, CONFIG_KINF_LATEST * CONFIG_KINF_OBJECTS, sizeof(struct kinf_link),
     "one a key and latest handler")
POOL(arena, CONFIG_KINF_ARENA_BYTES, 1, "payloads, and one being received")

POOL(informer_memory, 1, KINF_INFORMER_BYTES_DEFAULT, "all of those above")
