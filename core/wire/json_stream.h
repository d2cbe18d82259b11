/* SPDX-License-Identifier: Apache-2.0 */
/* json_stream.h - one object at a time out of a list or a watch. */
#ifndef KINF_WIRE_JSON_STREAM_H
#define KINF_WIRE_JSON_STREAM_H

#include "kinformer.h"

enum json_mode {
    JSON_LIST,
    JSON_WATCH,
    JSON_SINGLE, /* one object, the answer to a GET */
    JSON_STATUS  /* the body of a refusal */
};
enum json_stream_event {
    JSON_BEGIN = KINF_SOURCE_BEGIN, /* a source passes them on */
    JSON_ITEM = KINF_SOURCE_ITEM,
    JSON_END = KINF_SOURCE_END
};

/* Objects are written to *sink and what is learned of them to *item, which the
 * caller empties; both are the stream's until it is fed for the last time. Set
 * s->kind afterwards to the kind that one object must have. */
void kinf_json_stream_init(struct kinf_json_stream *s, enum json_mode mode,
                           struct kinf_sink *sink, struct kinf_item *item);

/* Takes bytes of a body, one event at a time, and tells in *used how many are
 * done with: call again with the rest.
 *
 * JSON_BEGIN: an object begins. item->event says of what kind the event is
 *   (UNKNOWN while its "type" has not come). Before the next call the caller
 *   sets the sink, its ptr NULL and its size 0 for an object nobody will keep,
 *   and leaves it alone until JSON_ITEM.
 * JSON_ITEM: the object (LIST, SINGLE) or the event (WATCH) is complete. The
 *   item tells what was learned of it; the sink holds all of it if sink->used
 *   is sink->wanted. If item->broken is set the sink holds nothing of use.
 * JSON_END: the document is complete (never in WATCH). Of a LIST item->version
 *   and item->continue_ are set, of a STATUS http_status (its code), message,
 *   retry_after_ms and version_ahead, each if it was told. It always uses a
 *   byte.
 * KINF_ERR_AGAIN: all is used, more is needed.
 * KINF_ERR_JSON: framing is lost; KINF_ERR_CONTINUE: the continue token is too
 *   long. Both are sticky.
 *
 * The spans in item are good until the next call. */
int kinf_json_stream_feed(struct kinf_json_stream *s, const char *data,
                          size_t size, size_t *used);

/* Keeps only what paths name ("metadata.labels", "data", "data.app\\.conf"),
 * which stay the caller's; count 0: everything. The identity is always kept,
 * kind, apiVersion, metadata.managedFields and the last-applied annotation
 * never. To be called before the first byte. */
static inline void json_stream_keep(struct kinf_json_stream *s,
                                    const struct kinf_span *paths,
                                    uint32_t count)
{
#if CONFIG_KINF_KEEP_PATHS > 0
    s->keep = paths;
    s->keep_count = (uint8_t)count;
#else
    (void)s, (void)paths, (void)count;
#endif
}

/* May the stream end here? True between two events of a watch. */
bool kinf_json_stream_between(const struct kinf_json_stream *s);

#endif
