/* SPDX-License-Identifier: Apache-2.0 */
/* tell_wire.h - heads of answers, items and ends of streams as text: what the
 * files beside tests/streams are written in. */
#ifndef TELL_WIRE_H
#define TELL_WIRE_H

#include "feed.h"

#include "wire/http_response.h"
#include "wire/json_stream.h"

static inline void tell_head(struct told *told,
                             const struct kinf_http_response *r)
{
    tell_number(told, "head", r->status);
    tell(told, r->keep_alive ? " keep" : " close");
    tell(told, r->json ? " json" : "");
    tell(told, r->chunked ? " chunked" : "");
    if (r->retry_after_s != 0)
        tell_number(told, "retry", r->retry_after_s);
#if CONFIG_KINF_HTTP_DATE
    if (r->retry_after_date != 0)
        tell_number(told, "retry-date", r->retry_after_date);
    if (r->date != 0)
        tell_number(told, "date", r->date);
#endif
    tell(told, "\n");
}

static inline const char *event_name(enum kinf_event event)
{
    static const char *const names[] = { "LISTED",  "ADDED",    "MODIFIED",
                                         "DELETED", "BOOKMARK", "ERROR",
                                         "UNKNOWN" };

    return names[event];
}

static inline void tell_status(struct told *told, const struct kinf_item *item)
{
    if (item->http_status != 0)
        tell_number(told, "status", item->http_status);
    if (item->retry_after_ms != 0)
        tell_number(told, "retry", item->retry_after_ms);
    tell(told, item->version_ahead ? " ahead" : "");
    tell_span(told, "message", item->message);
}

static inline void expect_at(const struct kinf_sink *sink,
                             struct kinf_span text, kinf_off at)
{
    if (text.len == 0)
        return;
    assert_true(at > 0 && at + text.len < sink->used);
    assert_memory_equal(sink->ptr + at, text.ptr, text.len);
    assert_int_equal(sink->ptr[at - 1], '"');
    assert_int_equal(sink->ptr[at + text.len], '"');
}

static inline void tell_kept(bool quiet, struct told *told,
                             const struct kinf_item *item,
                             const struct kinf_sink *sink)
{
    assert_true(sink->used <= sink->size);
    if (sink->used != sink->wanted) {
        assert_int_equal(sink->used, sink->size);
        tell_number(told, "too-big", sink->wanted);
        tell(told, "\n");
        return;
    }
    if (sink->used <= UINT16_MAX) {
        expect_at(sink, item->name, item->name_at);
        expect_at(sink, item->namespace_, item->namespace_at);
        expect_at(sink, item->uid, item->uid_at);
        expect_at(sink, item->version, item->version_at);
    }
    if (quiet) {
        tell_number(told, "size", sink->wanted);
    } else {
        tell(told, "\n  ");
        told_bytes(told, sink->ptr, sink->used);
    }
    tell(told, "\n");
}

static inline void tell_item(bool quiet, struct told *told,
                             const struct kinf_item *item,
                             const struct kinf_sink *sink)
{
    tell(told, event_name(item->event));
    if (item->broken != KINF_OK) {
        tell(told, " ");
        tell(told, error_name(item->broken));
    }
    tell(told, item->key_too_long ? " too-long" : "");
    tell_span(told, "name", item->name);
    tell_span(told, "namespace", item->namespace_);
    tell_span(told, "uid", item->uid);
    tell_span(told, "version", item->version);
    tell(told, item->initial_end ? " initial-end" : "");
    tell_status(told, item);
    if (item->broken == KINF_OK && item->event <= KINF_EVENT_DELETED)
        tell_kept(quiet, told, item, sink);
    else
        tell(told, "\n");
}

static inline void tell_end(struct told *told, const struct kinf_item *item)
{
    tell(told, "end");
    tell_span(told, "version", item->version);
    tell_span(told, "continue", item->continue_);
    tell_status(told, item);
    tell(told, "\n");
}

#endif
