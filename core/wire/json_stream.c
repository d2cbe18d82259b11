/* SPDX-License-Identifier: Apache-2.0 */
/* json_stream.c - finds objects in a list or a watch and passes them on.
 *
 * One state machine over the bytes does all in one pass: it frames objects,
 * checks the grammar, picks what it knows by name, and copies what is kept.
 * Depth is a count and a bit for each of the first levels, so nothing recurses.
 *
 * What is kept is copied in runs as long as the input lets it: a run goes on
 * until something is left out (white space, a dropped member, an escape of an
 * identity) or the input ends. A member to be dropped is known at the end of
 * its key: the sink is then cut back to the mark set before its comma.
 *
 * Known containers form a tree. role is the innermost one that is open, at
 * role_depth; names mean something only when depth is role_depth.
 *
 *   LIST ---- LIST_META                            message, reason, code
 *     `------ ITEMS --- OBJECT ---- META ---- ANNOTATIONS
 *   WATCH ---------------'  `------ DETAILS --- CAUSES --- CAUSE
 *
 * A mistake inside an object costs that object alone: it is noted, and bytes
 * are taken on as if they were legal where they stand. Outside of objects, and
 * where brackets do not match, the framing is lost. */
#define KINF_FILE 52
#include "json_stream.h"

#include <string.h>

#include "base/assert.h"
#include "base/span.h"

_Static_assert(KINF_JSON_TEXT_BYTES <= UINT16_MAX, "offsets are 16 bits");

/* Named after what they expect; up to NEXT between tokens. DEEP: brackets of
 * levels beyond LEVELS are counted only. */
enum json_state {
    FIRST_KEY,
    KEY,
    COLON,
    FIRST_VALUE,
    VALUE,
    NEXT,
    DEEP,
    STRING,
    ESCAPE,
    HEX,
    CHARACTER,
    WORD,
    NUMBER,
    LAST_BRACE,
    NOTHING
};
enum { LEVELS = 64 };

/* Up to CONTINUE of the answer, up to METADATA once, up to RETRY with a value
 * that is copied to be looked at (but OBJECT, ITEMS and the METADATAs). */
enum field {
    F_NONE,
    F_TYPE,
    F_OBJECT,
    F_ITEMS,
    F_LIST_METADATA,
    F_LIST_KIND,
    F_LIST_VERSION,
    F_CONTINUE,
    F_NAME,
    F_NAMESPACE,
    F_UID,
    F_VERSION,
    F_KIND,
    F_METADATA,
    F_MESSAGE,
    F_REASON,
    F_CAUSE,
    F_INITIAL_END,
    F_CODE,
    F_RETRY,
    F_API_VERSION,
    F_DROPPED,
    F_ANNOTATIONS,
    F_DETAILS,
    F_CAUSES
};

enum role {
    R_START,
    R_LIST,
    R_LIST_META,
    R_ITEMS,
    R_WATCH,
    R_OBJECT,
    R_META,
    R_ANNOTATIONS,
    R_DETAILS,
    R_CAUSES,
    R_CAUSE
};

#define NAME(text, field) { (text), sizeof(text) - 1, (field) }
static const struct {
    const char *text;
    uint8_t len;
    uint8_t field;
} names[] = {
    NAME("kind", F_LIST_KIND), /* 0, of R_LIST */
    NAME("metadata", F_LIST_METADATA),
    NAME("items", F_ITEMS),
    NAME("resourceVersion", F_LIST_VERSION), /* 3, of R_LIST_META */
    NAME("continue", F_CONTINUE),
    NAME("type", F_TYPE), /* 5, of R_WATCH */
    NAME("object", F_OBJECT),
    NAME("kind", F_KIND), /* 7, of R_OBJECT */
    NAME("apiVersion", F_API_VERSION),
    NAME("metadata", F_METADATA),
    NAME("message", F_MESSAGE), /* 10, of a Status alone */
    NAME("reason", F_REASON),
    NAME("code", F_CODE),
    NAME("details", F_DETAILS),
    NAME("name", F_NAME), /* 14, of R_META */
    NAME("namespace", F_NAMESPACE),
    NAME("uid", F_UID),
    NAME("resourceVersion", F_VERSION),
    NAME("managedFields", F_DROPPED),
    NAME("annotations", F_ANNOTATIONS),
    /* 20, of R_ANNOTATIONS */
    NAME("kubectl.kubernetes.io/last-applied-configuration", F_DROPPED),
    NAME("k8s.io/initial-events-end", F_INITIAL_END),
    NAME("retryAfterSeconds", F_RETRY), /* 22, of R_DETAILS */
    NAME("causes", F_CAUSES),
    NAME("reason", F_CAUSE) /* 24, of R_CAUSE */
};
enum { STATUS_NAMES = 4 };

static const struct {
    uint8_t first_name, names, parent;
} roles[] = {
    [R_START] = { 0, 0, R_START },
    [R_LIST] = { 0, 3, R_START },
    [R_LIST_META] = { 3, 2, R_LIST },
    [R_ITEMS] = { 0, 0, R_LIST },
    [R_WATCH] = { 5, 2, R_START },
    [R_OBJECT] = { 7, 7, R_START }, /* its parent depends on the mode */
    [R_META] = { 14, 6, R_OBJECT },
    [R_ANNOTATIONS] = { 20, 2, R_META },
    [R_DETAILS] = { 22, 2, R_OBJECT },
    [R_CAUSES] = { 0, 0, R_DETAILS },
    [R_CAUSE] = { 24, 1, R_CAUSES }
};

/* By mode: what a document is, what holds an object, and at which depth. */
static const struct {
    uint8_t top, holder, object_depth;
} modes[] = {
    [JSON_LIST] = { R_LIST, R_ITEMS, 3 },
    [JSON_WATCH] = { R_WATCH, R_WATCH, 2 },
    [JSON_SINGLE] = { R_OBJECT, R_START, 1 },
    [JSON_STATUS] = { R_OBJECT, R_START, 1 }
};

/* One call of feed. run: where the bytes begin that go to the sink as they
 * are; NULL while bytes are left out. */
struct feed {
    struct kinf_json_stream *s;
    struct kinf_sink *sink;
    struct kinf_item *item;
    const char *at, *end, *run;
};

#define BIT(n) (UINT32_C(1) << (n))

/* ---- sink --------------------------------------------------------------- */

/* Once a byte had no room no later one is written, unless the sink is cut back
 * to before it. */
static void put(struct kinf_sink *sink, const char *p, size_t n)
{
    size_t room = sink->used == sink->wanted ? sink->size - sink->used : 0;

    sink->wanted += (uint32_t)n;
    if (n > room)
        n = room;
    if (n > 0)
        memcpy(sink->ptr + sink->used, p, n);
    sink->used += n;
}

static bool is_identity(unsigned field)
{
    return field >= F_NAME && field <= F_VERSION;
}

/* Is an escape read that goes to the sink unescaped? */
static bool is_rewriting(const struct kinf_json_stream *s)
{
    return (s->state == ESCAPE || s->state == HEX) && is_identity(s->taken);
}

/* Copies what is to be copied up to here. */
static void stop(struct feed *f)
{
    if (f->run != NULL)
        put(f->sink, f->run, (size_t)(f->at - f->run));
    f->run = NULL;
}

/* From here on bytes are copied again, if they are to be. */
static void resume(struct feed *f)
{
    const struct kinf_json_stream *s = f->s;

    if (s->in_object && s->drop_depth == 0 && !is_rewriting(s))
        f->run = f->at;
}

static uint32_t place(const struct feed *f)
{
    return f->sink->wanted +
           (f->run == NULL ? 0 : (uint32_t)(f->at - f->run));
}

/* Notes that a member may begin here. */
static void set_mark(struct feed *f)
{
    struct kinf_json_stream *s = f->s;

    if (!s->in_object || s->drop_depth > 0)
        return;
    s->mark = place(f);
    s->comma_before = s->comma;
}

/* Leaves out the member that has begun at the mark. */
static void drop(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    struct kinf_sink *sink = f->sink;

    if (f->run != NULL && s->mark > sink->wanted)
        put(sink, f->run, s->mark - sink->wanted);
    f->run = NULL;
    s->drop_depth = s->depth;
    sink->wanted = s->mark;
    if (sink->used > s->mark)
        sink->used = s->mark;
}

/* ---- mistakes ----------------------------------------------------------- */

/* Returns KINF_OK if only an object is broken. A text with a mistake in it is
 * not known. */
static int fault(struct feed *f)
{
    f->s->taken = F_NONE;
    if (!f->s->in_object)
        return KINF_ERR_JSON;
    f->s->broken = true;
    return KINF_OK;
}

/* ---- keys --------------------------------------------------------------- */

/* Paths decide about the members of this container. */
static bool is_picking(const struct kinf_json_stream *s)
{
    return s->keep_count > 0 && s->in_object && s->drop_depth == 0 &&
           s->whole_depth == 0;
}

static uint32_t level_of(const struct kinf_json_stream *s)
{
    return s->depth - modes[s->mode].object_depth;
}

/* Where a step of a path begins. */
static uint16_t find_step(struct kinf_span path, uint32_t step)
{
    size_t at = 0;

    while (step > 0 && at < path.len) {
        if (path.ptr[at] == '\\')
            at++;
        else if (path.ptr[at] == '.')
            step--;
        at++;
    }
    return (uint16_t)at;
}

static void begin_key(struct kinf_json_stream *s)
{
    uint32_t level = level_of(s), count = roles[s->role].names;

    if (s->role == R_OBJECT && s->event < KINF_EVENT_ERROR)
        count -= STATUS_NAMES;
    s->in_key = true;
    s->key_len = 0;
    s->path_alive = 0;
    s->name_alive = (uint16_t)(BIT(s->depth == s->role_depth ? count : 0) - 1);
    for (unsigned i = 0; is_picking(s) && i < s->keep_count; i++) {
        if (s->path_level[i] < level)
            continue;
        s->path_level[i] = (uint8_t)level;
        s->path_at[i] = find_step(s->keep[i], level);
        s->path_alive |= BIT(i);
    }
}

/* Does the path go on with this text? Moves along it. */
static bool follow(struct kinf_span path, uint16_t *at, const char *p, size_t n)
{
    size_t i = *at;

    for (; n > 0; n--, p++, i++) {
        if (i >= path.len || path.ptr[i] == '.')
            return false;
        i += path.ptr[i] == '\\' && i + 1 < path.len;
        if (path.ptr[i] != *p)
            return false;
    }
    *at = (uint16_t)i;
    return true;
}

/* A piece of a key has come. */
static void match(struct kinf_json_stream *s, const char *p, size_t n)
{
    unsigned first = roles[s->role].first_name;

    for (unsigned i = 0; s->name_alive >> i != 0; i++)
        if (s->key_len + n > names[first + i].len ||
            memcmp(names[first + i].text + s->key_len, p, n) != 0)
            s->name_alive &= (uint16_t)~BIT(i);
    for (unsigned i = 0; i < s->keep_count; i++)
        if ((s->path_alive & BIT(i)) != 0 &&
            !follow(s->keep[i], &s->path_at[i], p, n))
            s->path_alive &= ~BIT(i);
    s->key_len += (uint32_t)n;
}

static unsigned matched_field(const struct kinf_json_stream *s)
{
    unsigned first = roles[s->role].first_name;

    for (unsigned i = 0; s->name_alive >> i != 0; i++)
        if ((s->name_alive & BIT(i)) != 0 &&
            names[first + i].len == s->key_len)
            return names[first + i].field;
    return F_NONE;
}

/* Keeps the member, or only what paths name inside it, or nothing. */
static void pick(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    bool whole = is_identity(s->field) || s->field == F_KIND ||
                 s->field == F_API_VERSION;

    s->partial = s->field == F_METADATA;
    for (unsigned i = 0; i < s->keep_count; i++) {
        struct kinf_span path = s->keep[i];

        if ((s->path_alive & BIT(i)) == 0)
            continue;
        if (s->path_at[i] >= path.len) {
            whole = true;
        } else if (path.ptr[s->path_at[i]] == '.') {
            s->path_level[i]++;
            s->partial = true;
        }
    }
    if (whole) {
        s->whole_depth = s->depth;
        s->partial = false;
    } else if (!s->partial) {
        drop(f);
    }
}

static int end_key(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    int err = KINF_OK;

    s->in_key = false;
    s->state = COLON;
    s->field = (uint8_t)matched_field(s);
    if (s->field != F_NONE && s->field <= F_METADATA) {
        if ((s->seen & BIT(s->field)) != 0) {
            s->field = F_NONE;
            err = fault(f);
        }
        s->seen |= BIT(s->field);
    }
    if (!s->in_object || s->drop_depth > 0)
        return err;
    if (s->field == F_DROPPED)
        drop(f);
    else if (is_picking(s))
        pick(f);
    return err;
}

/* ---- values that are looked at ------------------------------------------ */

static void begin_taking(struct feed *f, unsigned field)
{
    struct kinf_json_stream *s = f->s;
    bool page = field == F_LIST_VERSION || field == F_CONTINUE ||
                field == F_MESSAGE;

    s->taken = (uint8_t)field;
    s->cut = false;
    s->text_len = 0;
    s->text_at = s->identity_len;
    if (page)
        s->text_at = (uint16_t)(CONFIG_KINF_IDENTITY_BYTES + s->page_len);
    if (is_identity(field))
        s->sink_at[field - F_NAME] = (kinf_off)place(f);
}

/* How much of a text is held. Of a long uid or version so little that there
 * is room for the longest legal name and namespace. */
static size_t text_limit(const struct kinf_json_stream *s)
{
    size_t limit = CONFIG_KINF_IDENTITY_BYTES - (size_t)s->identity_len;

    switch (s->taken) {
    case F_UID:
        return limit < CONFIG_KINF_IDENTITY_BYTES / 4
                   ? limit
                   : CONFIG_KINF_IDENTITY_BYTES / 4;
    case F_VERSION:
        return limit < CONFIG_KINF_IDENTITY_BYTES / 8
                   ? limit
                   : CONFIG_KINF_IDENTITY_BYTES / 8;
    case F_LIST_VERSION:
        return KINF_JSON_PAGE_BYTES - CONFIG_KINF_CONTINUE_BYTES;
    case F_CONTINUE:
        return CONFIG_KINF_CONTINUE_BYTES;
    case F_MESSAGE:
        return CONFIG_KINF_MESSAGE_BYTES;
    default:
        return limit;
    }
}

/* A piece of a key or of a text that is looked at. */
static void take(struct kinf_json_stream *s, const char *p, size_t n)
{
    size_t room;

    if (s->in_key) {
        match(s, p, n);
        return;
    }
    room = text_limit(s) - s->text_len;
    if (n > room) {
        n = room;
        s->cut = true;
    }
    memcpy(s->text + s->text_at + s->text_len, p, n);
    s->text_len = (uint16_t)(s->text_len + n);
}

static bool is_taking(const struct kinf_json_stream *s)
{
    return s->taken != F_NONE ||
           (s->in_key && (s->name_alive | s->path_alive) != 0);
}

static struct kinf_span taken_text(const struct kinf_json_stream *s)
{
    return span_of(s->text + s->text_at, s->text_len);
}

static bool contains(struct kinf_span text, struct kinf_span part)
{
    while (text.len >= part.len && memcmp(text.ptr, part.ptr, part.len) != 0) {
        text.ptr++;
        text.len--;
    }
    return text.len >= part.len;
}

static uint32_t number_in(struct kinf_span text)
{
    uint32_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || number > 400000)
            break;
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return number;
}

static void end_identity(struct kinf_json_stream *s)
{
    unsigned i = (unsigned)s->taken - F_NAME;

    if (s->cut) {
        s->broken = true;
        if (s->taken <= F_NAMESPACE)
            s->key_too_long = true;
        return;
    }
    s->identity[i].at = s->text_at;
    s->identity[i].len = s->text_len;
    s->identity_len = (uint16_t)(s->identity_len + s->text_len);
}

static uint8_t event_of(struct kinf_span text)
{
    static const struct kinf_span types[] = { { "ADDED", 5 },
                                              { "MODIFIED", 8 },
                                              { "DELETED", 7 },
                                              { "BOOKMARK", 8 },
                                              { "ERROR", 5 } };
    uint8_t i = 0;

    while (i < 5 && !span_equal(text, types[i]))
        i++;
    return (uint8_t)(KINF_EVENT_ADDED + i);
}

static void end_message(struct kinf_json_stream *s)
{
    const char *text = s->text + s->text_at;

    /* Not cut inside a character. */
    while (s->cut && s->text_len > 0 && (text[s->text_len - 1] & 0xC0) == 0x80)
        s->text_len--;
    if (s->cut && s->text_len > 0 && (text[s->text_len - 1] & 0x80) != 0)
        s->text_len--;
    s->page.at = s->text_at;
    s->page.len = s->text_len;
    if (contains(taken_text(s), KINF_SPAN("Too large resource version")))
        s->version_ahead = true;
}

/* A text that is looked at is whole. */
static int end_taking(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    struct kinf_span text = taken_text(s);

    switch ((enum field)s->taken) {
    case F_NAME:
    case F_NAMESPACE:
    case F_UID:
    case F_VERSION:
        end_identity(s);
        break;
    case F_LIST_VERSION:
        if (s->cut)
            break;
        s->version.at = s->text_at;
        s->version.len = s->text_len;
        s->page_len = (uint16_t)(s->page_len + s->text_len);
        break;
    case F_CONTINUE:
        s->page.at = s->text_at;
        s->page.len = s->text_len;
        s->page_len = (uint16_t)(s->page_len + s->text_len);
        if (s->cut)
            return KINF_ERR_CONTINUE;
        break;
    case F_TYPE:
        s->event = event_of(text);
        break;
    case F_KIND:
        if ((s->kind.len > 0 && !span_equal(text, s->kind)) ||
            span_equal(text, KINF_SPAN("Table")) ||
            span_equal(text, KINF_SPAN("Status")))
            s->broken = true;
        break;
    case F_LIST_KIND: /* anything else has no items, and would look empty */
        if (text.len < 4 || memcmp(text.ptr + text.len - 4, "List", 4) != 0)
            return fault(f);
        break;
    case F_MESSAGE:
        end_message(s);
        break;
    case F_REASON:
        if (span_equal(text, KINF_SPAN("Expired")) ||
            span_equal(text, KINF_SPAN("Gone")))
            s->http_status = 410;
        break;
    case F_CAUSE:
        if (span_equal(text, KINF_SPAN("ResourceVersionTooLarge")))
            s->version_ahead = true;
        break;
    case F_INITIAL_END:
        s->initial_end = span_equal(text, KINF_SPAN("true"));
        break;
    case F_CODE:
        if (s->http_status == 0)
            s->http_status = (int)number_in(text);
        break;
    case F_RETRY:
        s->retry_after_s = number_in(text);
        break;
    case F_NONE:
    case F_OBJECT:
    case F_ITEMS:
    case F_LIST_METADATA:
    case F_METADATA:
    case F_API_VERSION:
    case F_DROPPED:
    case F_ANNOTATIONS:
    case F_DETAILS:
    case F_CAUSES:
    default:
        break;
    }
    s->taken = F_NONE;
    return KINF_OK;
}

/* ---- events ------------------------------------------------------------- */

static void begin_item(struct kinf_json_stream *s)
{
    memset(s->identity, 0, sizeof(s->identity));
    memset(s->path_level, 0, sizeof(s->path_level));
    s->identity_len = 0;
    s->http_status = 0;
    s->retry_after_s = 0;
    s->broken = s->key_too_long = s->initial_end = s->version_ahead = false;
    s->seen &= BIT(F_ITEMS) | BIT(F_LIST_METADATA) | BIT(F_LIST_KIND) |
               BIT(F_LIST_VERSION) | BIT(F_CONTINUE);
    if (s->mode == JSON_WATCH) {
        s->event = KINF_EVENT_UNKNOWN;
        s->page.len = 0;
    }
}

static struct kinf_span identity_text(const struct kinf_json_stream *s,
                                      unsigned field)
{
    unsigned i = field - F_NAME;

    return span_of(s->text + s->identity[i].at, s->identity[i].len);
}

/* A key is known if its name was read, and its namespace if there is one. */
static int broken_as(const struct kinf_json_stream *s)
{
    bool has_key = s->identity[0].len > 0 &&
                   (s->identity[1].len > 0 ||
                    (s->seen & BIT(F_NAMESPACE)) == 0);

    if (s->event == KINF_EVENT_ERROR)
        return KINF_OK;
    if (!has_key && s->event != KINF_EVENT_BOOKMARK)
        return KINF_ERR_NO_IDENTITY;
    return s->broken || s->identity[3].len == 0 ? KINF_ERR_UNREADABLE : KINF_OK;
}

static void tell_status(const struct kinf_json_stream *s,
                        struct kinf_item *item)
{
    item->http_status = s->http_status;
    item->retry_after_ms = s->retry_after_s * 1000;
    item->message = span_of(s->text + s->page.at, s->page.len);
    item->version_ahead = s->version_ahead;
}

static int tell_item(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    const uint32_t whole = BIT(F_TYPE) | BIT(F_OBJECT);

    if (s->mode == JSON_WATCH && (s->seen & whole) != whole)
        s->event = KINF_EVENT_UNKNOWN;
    *f->item = (struct kinf_item){
        .event = (enum kinf_event)s->event,
        .broken = broken_as(s),
        .name = identity_text(s, F_NAME),
        .namespace_ = identity_text(s, F_NAMESPACE),
        .uid = identity_text(s, F_UID),
        .version = identity_text(s, F_VERSION),
        .name_at = s->sink_at[0],
        .namespace_at = s->sink_at[1],
        .uid_at = s->sink_at[2],
        .version_at = s->sink_at[3],
        .initial_end = s->initial_end
    };
    f->item->key_too_long = s->key_too_long &&
                            f->item->broken == KINF_ERR_NO_IDENTITY;
    if (s->event >= KINF_EVENT_ERROR)
        tell_status(s, f->item);
    begin_item(s);
    return JSON_ITEM;
}

static int tell_end(struct feed *f)
{
    struct kinf_json_stream *s = f->s;

    s->state = NOTHING;
    *f->item = (struct kinf_item){ .event = (enum kinf_event)s->event };
    if (s->mode == JSON_STATUS) {
        tell_status(s, f->item);
    } else if (s->mode == JSON_LIST) {
        /* "{}" is no list: taken for one it would delete everything. */
        if ((s->seen & BIT(F_ITEMS)) == 0 && s->version.len == 0)
            return KINF_ERR_JSON;
        f->item->version = span_of(s->text + s->version.at, s->version.len);
        f->item->continue_ = span_of(s->text + s->page.at, s->page.len);
    }
    return JSON_END;
}

/* The document, or one event of a watch, is whole. */
static int end_document(struct feed *f)
{
    switch ((enum json_mode)f->s->mode) {
    case JSON_WATCH:
        f->s->state = VALUE;
        return tell_item(f);
    case JSON_SINGLE:
        f->s->state = LAST_BRACE; /* so that JSON_END has a byte to use */
        f->at--;
        return tell_item(f);
    case JSON_LIST:
    case JSON_STATUS:
    default:
        return tell_end(f);
    }
}

/* ---- values ------------------------------------------------------------- */

/* A value is whole: a scalar, or a container with its bracket. */
static int end_value(struct feed *f)
{
    struct kinf_json_stream *s = f->s;

    s->state = s->depth > LEVELS ? DEEP : NEXT;
    s->comma = true;
    if (s->whole_depth == s->depth)
        s->whole_depth = 0;
    if (s->drop_depth > 0 && s->drop_depth == s->depth) {
        s->drop_depth = 0;
        s->comma = s->comma_before;
        resume(f);
    }
    if (s->depth != s->role_depth || s->role > R_WATCH)
        return KINF_OK;
    if (s->in_object) {
        stop(f);
        s->in_object = false;
        if (s->role == R_ITEMS)
            return tell_item(f);
    }
    return s->role == R_START ? end_document(f) : KINF_OK;
}

/* Is the value that begins an object to be told of? */
static bool is_item(const struct kinf_json_stream *s)
{
    return s->mode != JSON_STATUS && s->depth == s->role_depth &&
           s->role == modes[s->mode].holder &&
           (s->role != R_WATCH || s->field == F_OBJECT);
}

/* A value begins with c, which is not used yet. Returns JSON_BEGIN when the
 * caller has to be asked for a sink first. */
static int begin_value(struct feed *f, char c)
{
    struct kinf_json_stream *s = f->s;
    unsigned field = s->depth == s->role_depth ? s->field : F_NONE;

    if (s->depth == 0 && c != '{')
        return KINF_ERR_JSON;
    if (is_item(s) && !s->in_object) {
        s->begun = !s->begun;
        if (s->begun) {
            *f->item = (struct kinf_item){ .event = (enum kinf_event)s->event };
            return JSON_BEGIN;
        }
        s->in_object = true;
        f->sink->used = f->sink->wanted = 0;
        resume(f);
        if (c != '{') {
            s->broken = true;
            s->seen &= ~BIT(F_OBJECT);
        }
    }
    if (s->partial && c != '{')
        drop(f);
    s->partial = false;
    if (field == F_ITEMS && c != '[' && c != 'n')
        return KINF_ERR_JSON;
    if (field >= F_LIST_VERSION && field <= F_VERSION && c != '"' && c != 'n')
        return fault(f);
    return KINF_OK;
}

/* The role of a container that begins with c where one is known, or R_START. */
static enum role role_within(const struct kinf_json_stream *s, char c)
{
    if (s->depth != s->role_depth)
        return R_START;
    if (c == '[')
        return s->field == F_ITEMS    ? R_ITEMS
               : s->field == F_CAUSES ? R_CAUSES
                                      : R_START;
    switch (s->field) {
    case F_LIST_METADATA:
        return R_LIST_META;
    case F_OBJECT:
        return R_OBJECT;
    case F_METADATA:
        return R_META;
    case F_ANNOTATIONS:
        return R_ANNOTATIONS;
    case F_DETAILS:
        return R_DETAILS;
    default:
        break;
    }
    if (s->role == R_START)
        return (enum role)modes[s->mode].top;
    return s->role == R_ITEMS    ? R_OBJECT
           : s->role == R_CAUSES ? R_CAUSE
                                 : R_START;
}

static bool is_array(const struct kinf_json_stream *s)
{
    uint32_t level = s->depth - 1;

    return (s->arrays[level / 32] >> level % 32 & 1) != 0;
}

static void note_bracket(struct kinf_json_stream *s, char c)
{
    uint32_t level = s->depth - 1;

    if (level >= LEVELS)
        return;
    s->arrays[level / 32] &= ~BIT(level % 32);
    if (c == '[')
        s->arrays[level / 32] |= BIT(level % 32);
}

static int open_container(struct feed *f, char c)
{
    struct kinf_json_stream *s = f->s;
    int event = begin_value(f, c);
    enum role role;

    if (event != KINF_OK)
        return event;
    role = role_within(s, c);
    s->depth++;
    note_bracket(s, c);
    if (role != R_START) {
        s->role = (uint8_t)role;
        s->role_depth = (uint8_t)s->depth;
    }
    s->field = F_NONE;
    s->state = s->depth > LEVELS ? DEEP : c == '[' ? FIRST_VALUE : FIRST_KEY;
    s->comma = false;
    f->at++;
    set_mark(f);
    return KINF_OK;
}

static int close_container(struct feed *f, char c)
{
    struct kinf_json_stream *s = f->s;

    if (s->depth == 0 || (s->depth <= LEVELS && is_array(s) != (c == ']')))
        return KINF_ERR_JSON;
    f->at++;
    if (s->depth == s->role_depth) {
        s->role_depth--;
        s->role = s->role == R_OBJECT ? modes[s->mode].holder
                                      : roles[s->role].parent;
    }
    s->depth--;
    s->field = F_NONE; /* what follows in an array has no key */
    return end_value(f);
}

/* ---- literals ----------------------------------------------------------- */

static const char words[] = "true\0false\0null";

/* RFC 8259 6. Columns: 0, 1 to 9, point, e, sign. */
enum { N_MINUS, N_ZERO, N_INT, N_POINT, N_FRAC, N_E, N_SIGN, N_EXP, N_BAD };
static const uint8_t number_next[][5] = {
    [N_MINUS] = { N_ZERO, N_INT, N_BAD, N_BAD, N_BAD },
    [N_ZERO] = { N_BAD, N_BAD, N_POINT, N_E, N_BAD },
    [N_INT] = { N_INT, N_INT, N_POINT, N_E, N_BAD },
    [N_POINT] = { N_FRAC, N_FRAC, N_BAD, N_BAD, N_BAD },
    [N_FRAC] = { N_FRAC, N_FRAC, N_BAD, N_E, N_BAD },
    [N_E] = { N_EXP, N_EXP, N_BAD, N_BAD, N_SIGN },
    [N_SIGN] = { N_EXP, N_EXP, N_BAD, N_BAD, N_BAD },
    [N_EXP] = { N_EXP, N_EXP, N_BAD, N_BAD, N_BAD },
    [N_BAD] = { N_BAD, N_BAD, N_BAD, N_BAD, N_BAD }
};

static int number_column(char c)
{
    if (c >= '0' && c <= '9')
        return c > '0';
    if (c == '.')
        return 2;
    if (c == 'e' || c == 'E')
        return 3;
    return c == '+' || c == '-' ? 4 : -1;
}

static int begin_literal(struct feed *f, char c)
{
    struct kinf_json_stream *s = f->s;
    bool number = c == '-' || (c >= '0' && c <= '9');
    int event;

    if (s->state == DEEP) {
        s->comma = true;
        f->at++;
        return KINF_OK;
    }
    if (!number && c != 't' && c != 'f' && c != 'n') {
        f->at++;
        return fault(f);
    }
    event = begin_value(f, c);
    if (event != KINF_OK)
        return event;
    if (number) {
        s->state = NUMBER;
        s->literal = c == '-' ? N_MINUS : c == '0' ? N_ZERO : N_INT;
        if (s->depth == s->role_depth &&
            (s->field == F_CODE || s->field == F_RETRY)) {
            begin_taking(f, s->field);
            take(s, f->at, 1);
        }
    } else {
        s->state = WORD;
        s->literal = c == 't' ? 1 : c == 'f' ? 6 : 12;
    }
    f->at++;
    return KINF_OK;
}

static int in_word(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    int err = KINF_OK;

    if (*f->at == words[s->literal]) {
        f->at++;
        if (words[++s->literal] != '\0')
            return KINF_OK;
    } else {
        err = fault(f);
    }
    return err != KINF_OK ? err : end_value(f);
}

static int in_number(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    int column = number_column(*f->at), err = KINF_OK;

    if (column >= 0) {
        s->literal = number_next[s->literal][column];
        if (s->taken != F_NONE)
            take(s, f->at, 1);
        f->at++;
        return KINF_OK;
    }
    if ((BIT(s->literal) &
         (BIT(N_ZERO) | BIT(N_INT) | BIT(N_FRAC) | BIT(N_EXP))) == 0)
        err = fault(f);
    if (err == KINF_OK && s->taken != F_NONE)
        err = end_taking(f);
    return err != KINF_OK ? err : end_value(f);
}

/* ---- strings ------------------------------------------------------------ */

/* As wide as a register: several bytes are looked at at once. */
typedef size_t word;
#define EACH(byte) ((word)-1 / 255 * (byte))

static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* How many bytes from at are neither quote, backslash, control nor non-ASCII.
 * In a word of ASCII bytes, taking away 1 or 0x20 from each sets a high bit
 * exactly if one of them was smaller; x ^ quote is 0 where x was a quote. */
static size_t plain_length(const char *at, const char *end)
{
    const char *start = at;

    for (; (size_t)(end - at) >= sizeof(word); at += sizeof(word)) {
        word w;

        memcpy(&w, at, sizeof(w));
        if (((w | (w - EACH(0x20)) | ((w ^ EACH('"')) - EACH(1)) |
              ((w ^ EACH('\\')) - EACH(1))) &
             EACH(0x80)) != 0)
            break;
    }
    while (at < end && is_plain(*at))
        at++;
    return (size_t)(at - start);
}

static int begin_string(struct feed *f)
{
    /* Fields with a string to look at. */
    const uint32_t looked_at = BIT(F_TYPE) | BIT(F_LIST_KIND) |
                               BIT(F_LIST_VERSION) | BIT(F_CONTINUE) |
                               BIT(F_NAME) | BIT(F_NAMESPACE) | BIT(F_UID) |
                               BIT(F_VERSION) | BIT(F_KIND) | BIT(F_MESSAGE) |
                               BIT(F_REASON) | BIT(F_CAUSE) |
                               BIT(F_INITIAL_END);
    struct kinf_json_stream *s = f->s;
    bool key = s->state == FIRST_KEY || s->state == KEY ||
               (s->state == NEXT && !is_array(s));
    int event = key ? KINF_OK : begin_value(f, '"');

    if (event != KINF_OK)
        return event;
    f->at++;
    if (key)
        begin_key(s);
    else if (s->depth == s->role_depth && (looked_at >> s->field & 1) != 0)
        begin_taking(f, s->field);
    s->state = STRING;
    return KINF_OK;
}

static int end_string(struct feed *f)
{
    int err = KINF_OK;

    f->at++;
    if (f->s->in_key)
        return end_key(f);
    if (f->s->taken != F_NONE)
        err = end_taking(f);
    return err != KINF_OK ? err : end_value(f);
}

/* A character of more than one byte: RFC 3629 4, in its table's order. */
static int begin_character(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    unsigned char c = (unsigned char)*f->at;

    if (is_taking(s))
        take(s, f->at, 1);
    f->at++;
    if (c < 0xC2 || c > 0xF4)
        return fault(f);
    s->low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    s->high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    s->left = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    s->state = CHARACTER;
    return KINF_OK;
}

static int in_character(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    unsigned char c = (unsigned char)*f->at;

    if (c < s->low || c > s->high) {
        s->state = STRING;
        return fault(f);
    }
    if (is_taking(s))
        take(s, f->at, 1);
    f->at++;
    s->low = 0x80;
    s->high = 0xBF;
    if (--s->left == 0)
        s->state = STRING;
    return KINF_OK;
}

static int in_string(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    size_t n = plain_length(f->at, f->end);

    if (is_taking(s))
        take(s, f->at, n);
    f->at += n;
    if (f->at == f->end)
        return KINF_OK;
    switch (*f->at) {
    case '"':
        return end_string(f);
    case '\\':
        s->state = ESCAPE;
        s->left = 4;
        s->code_unit = 0;
        if (is_rewriting(s))
            stop(f);
        f->at++;
        return KINF_OK;
    default:
        if ((unsigned char)*f->at >= 0x80)
            return begin_character(f);
        f->at++;
        return fault(f);
    }
}

/* ---- escapes ------------------------------------------------------------ */

static size_t write_utf8(unsigned c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
}

/* Writes what an escape stands for; as an escape if it has to be one, which
 * halves of a pair always are. */
static size_t write_unescaped(unsigned c, char out[6])
{
    static const char digits[] = "0123456789abcdef";

    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    if (c >= 0x20 && (c < 0xD800 || c > 0xDFFF))
        return write_utf8(c, out);
    out[0] = '\\';
    out[1] = 'u';
    for (unsigned i = 0; i < 4; i++)
        out[2 + i] = digits[c >> (12 - 4 * i) & 15];
    return 6;
}

/* An escape is whole: code_unit is what it stands for. */
static void end_escape(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    bool rewriting = is_rewriting(s) && s->drop_depth == 0;
    bool as_words = s->taken == F_MESSAGE && s->code_unit > 0 &&
                    s->code_unit < 0x80;
    char text[6];
    size_t n = as_words ? write_utf8(s->code_unit, text)
                        : write_unescaped(s->code_unit, text);

    s->state = STRING;
    if (is_taking(s))
        take(s, text, n);
    if (!rewriting)
        return;
    put(f->sink, text, n);
    resume(f);
}

static int in_escape(struct feed *f)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    struct kinf_json_stream *s = f->s;
    char c = *f->at;
    const char *found = c == '\0' ? NULL : strchr(from, c);

    if (c == 'u') {
        f->at++;
        s->state = HEX;
        return KINF_OK;
    }
    if (found == NULL) {
        s->state = STRING;
        return fault(f);
    }
    f->at++;
    s->code_unit = (uint16_t)to[found - from];
    end_escape(f);
    return KINF_OK;
}

static int in_hex(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    unsigned c = (unsigned char)*f->at, digit = c - '0';

    if (digit > 9) {
        digit = (c | 0x20) - 'a';
        if (digit > 5) {
            s->state = STRING;
            return fault(f);
        }
        digit += 10;
    }
    f->at++;
    s->code_unit = (uint16_t)((unsigned)s->code_unit << 4 | digit);
    if (--s->left == 0)
        end_escape(f);
    return KINF_OK;
}

/* ---- between tokens ----------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct feed *f)
{
    stop(f);
    while (f->at < f->end && is_space(*f->at))
        f->at++;
    resume(f);
}

static void take_comma(struct feed *f)
{
    struct kinf_json_stream *s = f->s;

    set_mark(f);
    if (!s->comma)
        stop(f); /* all before it was dropped */
    f->at++;
    if (!s->comma)
        resume(f);
    if (s->state != DEEP && s->depth > 0)
        s->state = is_array(s) ? VALUE : KEY;
}

/* The states in which a token may come. */
static unsigned places_of(char c)
{
    const unsigned value = BIT(FIRST_VALUE) | BIT(VALUE) | BIT(DEEP);

    switch (c) {
    case '"':
        return value | BIT(FIRST_KEY) | BIT(KEY);
    case '}':
        return BIT(FIRST_KEY) | BIT(NEXT) | BIT(DEEP);
    case ']':
        return BIT(FIRST_VALUE) | BIT(NEXT) | BIT(DEEP);
    case ',':
        return BIT(NEXT) | BIT(DEEP);
    case ':':
        return BIT(COLON) | BIT(DEEP);
    default:
        return value;
    }
}

static int between_tokens(struct feed *f)
{
    struct kinf_json_stream *s = f->s;
    char c = *f->at;
    int err = KINF_OK;

    if (is_space(c)) {
        skip_space(f);
        return KINF_OK;
    }
    if ((places_of(c) >> s->state & 1) == 0)
        err = fault(f);
    if (err != KINF_OK)
        return err;
    switch (c) {
    case '"':
        return begin_string(f);
    case '{':
    case '[':
        return open_container(f, c);
    case '}':
    case ']':
        return close_container(f, c);
    case ',':
        take_comma(f);
        return KINF_OK;
    case ':':
        f->at++;
        if (s->state == COLON)
            s->state = VALUE;
        return KINF_OK;
    default:
        return begin_literal(f, c);
    }
}

/* ---- feeding ------------------------------------------------------------ */

void kinf_json_stream_init(struct kinf_json_stream *s, enum json_mode mode,
                           const struct kinf_span *keep, uint32_t keep_count,
                           struct kinf_span kind)
{
    KINF_ASSERT(keep_count <= CONFIG_KINF_KEEP_PATHS);
    memset(s, 0, offsetof(struct kinf_json_stream, text));
    s->mode = (uint8_t)mode;
    s->keep = keep;
    s->keep_count = (uint8_t)keep_count;
    s->kind = kind;
    s->state = VALUE;
    s->event = mode == JSON_LIST || mode == JSON_SINGLE ? KINF_EVENT_LISTED
                                                        : KINF_EVENT_UNKNOWN;
}

/* Takes one token, or a part of one. */
static int step(struct feed *f)
{
    switch ((enum json_state)f->s->state) {
    case STRING:
        return in_string(f);
    case ESCAPE:
        return in_escape(f);
    case HEX:
        return in_hex(f);
    case CHARACTER:
        return in_character(f);
    case WORD:
        return in_word(f);
    case NUMBER:
        return in_number(f);
    case LAST_BRACE:
        f->at++;
        return tell_end(f);
    case NOTHING:
        return is_space(*f->at++) ? KINF_OK : KINF_ERR_JSON;
    case FIRST_KEY:
    case KEY:
    case COLON:
    case FIRST_VALUE:
    case VALUE:
    case NEXT:
    case DEEP:
    default:
        return between_tokens(f);
    }
}

int kinf_json_stream_feed(struct kinf_json_stream *s, const char *data,
                          size_t size, size_t *used, struct kinf_sink *sink,
                          struct kinf_item *item)
{
    struct feed f = { .s = s, .sink = sink, .item = item,
                      .at = data, .end = data + size };
    int event = s->error;

    resume(&f);
    while (event == KINF_OK && f.at < f.end)
        event = step(&f);
    stop(&f);
    if (event < 0)
        s->error = (int8_t)event;
    *used = (size_t)(f.at - data);
    return event == KINF_OK ? KINF_ERR_AGAIN : event;
}

bool kinf_json_stream_between(const struct kinf_json_stream *s)
{
    return s->mode == JSON_WATCH && s->depth == 0 && s->error == KINF_OK;
}
