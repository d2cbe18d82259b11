/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json_stream.c - lists, watches, single objects and refusals: what is
 * told does not depend on how the bytes come; what is kept is JSON, was said,
 * and agrees with the identity that was told.
 *
 * Input: mode and keep list, size of the sink, six sizes of pieces, the body */
#include "fuzz.h"
#include "wire/json_stream.h"

static const struct kinf_span keep_data[] = { { "data", 4 },
                                              { "metadata.labels", 15 } };
static const struct kinf_span keep_odd[] = { { "spec.containers", 15 },
                                             { "data.app\\.conf", 14 },
                                             { "spec", 4 },
                                             { "metadata.annotations.a\\.b/c",
                                               27 },
                                             { "status.x.y.z", 12 } };

struct how {
    enum json_mode mode;
    const struct kinf_span *keep;
    uint32_t keep_count;
    struct kinf_span kind;
    size_t room;
    bool check; /* what is kept; once is enough */
};

static struct how how_of(struct dice *d)
{
    static const uint16_t rooms[] = { 4096, 512, 64, 600, 1, 8192, 256, 1024 };
    uint8_t bits = dice_byte(d);
    struct how how = { .mode = bits & 3,
                       .room = rooms[dice_byte(d) % 8],
                       .check = true };

    if ((bits & 12) == 4) {
        how.keep = keep_data;
        how.keep_count = 2;
    } else if ((bits & 12) == 8) {
        how.keep = keep_odd;
        how.keep_count = 5;
    }
    if (bits & 16)
        how.kind = KINF_SPAN("ConfigMap");
    return how;
}

/* ---- what is kept ------------------------------------------------------- */

/* Beyond 64 levels brackets are counted, not matched. */
static bool is_deep(struct kinf_span text)
{
    size_t open = 0;

    for (size_t i = 0; i < text.len; i++)
        open += text.ptr[i] == '{' || text.ptr[i] == '[';
    return open > 64;
}

/* The identity is told as it stands in the sink. */
static void check_identity(const struct kinf_object *object, const char *path,
                           struct kinf_span told, const struct kinf_sink *sink,
                           kinf_off at)
{
    struct kinf_value value;

    if (told.len == 0)
        return;
    MUST(kinf_find(object, path, &value) == KINF_OK &&
         value.type == KINF_JSON_STRING);
    MUST(value.raw.len == told.len && value.raw.ptr == sink->ptr + at &&
         memcmp(value.raw.ptr, told.ptr, told.len) == 0);
}

static void check_kept(const struct kinf_item *item,
                       const struct kinf_sink *sink, struct kinf_span said)
{
    struct kinf_object object = { .json = { sink->ptr, sink->used } };
    struct kinf_value value;

    MUST(is_deep(said) || json_is_valid(object.json));
    MUST(object.json.len > 0 && object.json.ptr[0] == '{');
    MUST(json_came_from(object.json, said));
    MUST(item->name.len > 0 && item->version.len > 0);
    check_identity(&object, "metadata.name", item->name, sink, item->name_at);
    check_identity(&object, "metadata.namespace", item->namespace_, sink,
                   item->namespace_at);
    check_identity(&object, "metadata.uid", item->uid, sink, item->uid_at);
    check_identity(&object, "metadata.resourceVersion", item->version, sink,
                   item->version_at);
    MUST(kinf_find(&object, "metadata.managedFields", &value) ==
         KINF_ERR_NOT_FOUND);
}

/* ---- what is told ------------------------------------------------------- */

static void tell_item(struct told *told, const struct kinf_item *item,
                      const struct kinf_sink *sink)
{
    bool kept = item->broken == KINF_OK && item->event <= KINF_EVENT_DELETED;

    told_number(told, "item", item->event);
    told_number(told, "broken", item->broken);
    told_number(told, "long", item->key_too_long);
    told_text(told, "name", item->name);
    told_text(told, "namespace", item->namespace_);
    told_text(told, "uid", item->uid);
    told_text(told, "version", item->version);
    told_number(told, "initial", item->initial_end);
    told_number(told, "status", item->http_status);
    told_number(told, "retry", item->retry_after_ms);
    told_number(told, "ahead", item->version_ahead);
    told_text(told, "message", item->message);
    if (!kept)
        return;
    told_number(told, "wanted", sink->wanted);
    told_text(told, "kept", (struct kinf_span){ sink->ptr, sink->used });
}

static void tell_end(struct told *told, const struct kinf_item *item)
{
    told_text(told, "end", item->version);
    told_text(told, "continue", item->continue_);
    told_number(told, "status", item->http_status);
    told_number(told, "retry", item->retry_after_ms);
    told_number(told, "ahead", item->version_ahead);
    told_text(told, "message", item->message);
}

static void tell_error(struct told *told, struct kinf_json_stream *s, int err)
{
    size_t used = 0;

    MUST(err == KINF_ERR_JSON || err == KINF_ERR_CONTINUE);
    told_number(told, "error", err);
    MUST(kinf_json_stream_feed(s, "{", 1, &used) == err);
    MUST(!kinf_json_stream_between(s));
}

static struct told tell(const struct how *how, struct kinf_span text,
                        struct kinf_span cuts)
{
    struct kinf_json_stream *s = malloc(sizeof(*s));
    char *room = malloc(how->room);
    struct kinf_sink none = { NULL, 0, 0, 0 }, sink = none;
    struct kinf_item item = { .event = KINF_EVENT_LISTED };
    struct pieces p = pieces_of(text, cuts);
    struct told told = { NULL, 0, 0 };
    bool begun = false, over = false;
    struct kinf_span piece;

    MUST(s != NULL && room != NULL);
    kinf_json_stream_init(s, how->mode, &sink, &item);
    json_stream_keep(s, how->keep, how->keep_count);
    s->kind = how->kind;
    while (!over && pieces_next(&p, &piece)) {
        size_t used = SIZE_MAX;
        int event = kinf_json_stream_feed(s, piece.ptr, piece.len, &used);

        MUST(used <= piece.len);
        MUST(event != KINF_ERR_AGAIN || used == piece.len);
        pieces_used(&p, used);
        switch (event) {
        case KINF_ERR_AGAIN:
            break;
        case JSON_BEGIN:
            MUST(!begun);
            begun = true;
            sink = (struct kinf_sink){ room, how->room, 0, 0 };
            break;
        case JSON_ITEM:
            MUST(sink.used <= sink.size && sink.used <= sink.wanted);
            MUST(sink.used == sink.wanted || sink.used == sink.size);
            tell_item(&told, &item, &sink);
            if (how->check && begun && item.broken == KINF_OK &&
                item.event <= KINF_EVENT_DELETED && sink.used == sink.wanted)
                check_kept(&item, &sink, text);
            begun = false;
            sink = none;
            break;
        case JSON_END:
            MUST(used > 0 && !begun && how->mode != JSON_WATCH);
            tell_end(&told, &item);
            told_number(&told, "at", (long long)pieces_done(&p));
            over = true;
            break;
        default:
            tell_error(&told, s, event);
            over = true;
            break;
        }
    }
    if (!over)
        told_number(&told, "between", kinf_json_stream_between(s));
    pieces_free(&p);
    free(room);
    free(s);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { data, data + size };
    struct how how = how_of(&d);
    struct kinf_span cuts = dice_text(&d, 6), text = dice_rest(&d);
    struct told whole = tell(&how, text, (struct kinf_span){ NULL, 0 });
    struct told split, bytes;

    how.check = false;
    split = tell(&how, text, cuts);
    bytes = tell(&how, text, (struct kinf_span){ "\0", 1 });
    MUST(told_same(&whole, &split));
    MUST(told_same(&whole, &bytes));
    told_free(&whole);
    told_free(&split);
    told_free(&bytes);
    return 0;
}
