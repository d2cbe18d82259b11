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
 *   LIST ---- LIST_META
 *     `------ ITEMS ---- OBJECT --- META ---- ANNOTATIONS
 *   WATCH -----------------'  `---- DETAILS ---- CAUSES ---- CAUSE
 *
 * A mistake inside an object costs that object alone: it is noted, and bytes
 * are taken on as if they were legal where they stand. Outside of objects, and
 * where brackets do not match, the framing is lost. Whoever has something to
 * tell sets told, and the loop over the bytes ends after that step. */
#define KINF_FILE 52
#include "json_stream.h"

#include <string.h>

#include "base/assert.h"
#include "base/span.h"

_Static_assert(KINF_JSON_TEXT_BYTES <= UINT16_MAX, "offsets are 16 bits");

/* Named after what they expect; up to DEEP between tokens. DEEP: brackets of
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

/* What we know: roles of containers, and fields. A field that holds a
 * container bears the name of its role, and so does what an array holds. In
 * this order because ranges of it are asked for. */
enum known {
    R_START = 0,
    F_NONE = 0,
    R_WATCH,
    R_ITEMS,
    R_OBJECT, /* before it: what holds objects */
    R_LIST,
    R_LIST_META,
    R_META,
    R_ANNOTATIONS,
    R_DETAILS,
    R_CAUSES,
    R_CAUSE,
    ROLES,
    /* Strings that are copied, to be looked at. */
    F_TYPE = ROLES,
    F_LIST_VERSION,
    F_CONTINUE,
    F_NAME,
    F_NAMESPACE,
    F_UID,
    F_VERSION,
    F_KIND,
    F_LIST_KIND,
    F_MESSAGE,
    F_CAUSE,
    F_INITIAL_END,
    /* Numbers. */
    F_CODE,
    F_RETRY,
    /* Nothing of these is looked at. */
    F_API_VERSION,
    F_DROPPED
};

#define BIT(n) (UINT32_C(1) << (n))

/* What may come once. */
#define ONCE                                                                   \
    (BIT(R_ITEMS) | BIT(R_OBJECT) | BIT(R_LIST_META) | BIT(R_META) |           \
     BIT(F_TYPE) | BIT(F_LIST_VERSION) | BIT(F_CONTINUE) | BIT(F_NAME) |       \
     BIT(F_NAMESPACE) | BIT(F_UID) | BIT(F_VERSION) | BIT(F_KIND))
/* Seen, too: an event's "object" is none. */
#define NO_OBJECT BIT(31)
/* Of that, what belongs to a list and not to one object. */
#define OF_LIST                                                                \
    (BIT(R_ITEMS) | BIT(R_LIST_META) | BIT(F_LIST_VERSION) | BIT(F_CONTINUE))
/* What stays whatever the paths say, and what never does: items of a list do
 * not have kind and apiVersion, and one state is to have one text. */
#define ALWAYS (BIT(F_NAME) | BIT(F_NAMESPACE) | BIT(F_UID) | BIT(F_VERSION))
#define NEVER (BIT(F_DROPPED) | BIT(F_KIND) | BIT(F_API_VERSION))

static const struct {
    const char *text;
    uint8_t len;
    uint8_t field;
} names[] = {
#define NAME(text, field) { (text), sizeof(text) - 1, (field) },
    NAME("kind", F_LIST_KIND) /* 0, of LIST */
    NAME("metadata", R_LIST_META)
    NAME("items", R_ITEMS)
    NAME("resourceVersion", F_LIST_VERSION) /* 3, of LIST_META */
    NAME("continue", F_CONTINUE)
    NAME("type", F_TYPE) /* 5, of WATCH */
    NAME("object", R_OBJECT)
    NAME("kind", F_KIND) /* 7, of OBJECT */
    NAME("apiVersion", F_API_VERSION)
    NAME("metadata", R_META)
    NAME("message", F_MESSAGE) /* 10, of a Status alone */
    NAME("code", F_CODE)
    NAME("details", R_DETAILS)
    NAME("name", F_NAME) /* 13, of META */
    NAME("namespace", F_NAMESPACE)
    NAME("uid", F_UID)
    NAME("resourceVersion", F_VERSION)
    NAME("managedFields", F_DROPPED)
    NAME("annotations", R_ANNOTATIONS)
    /* 19, of ANNOTATIONS */
    NAME("kubectl.kubernetes.io/last-applied-configuration", F_DROPPED)
    NAME("k8s.io/initial-events-end", F_INITIAL_END)
    NAME("retryAfterSeconds", F_RETRY) /* 21, of DETAILS */
    NAME("causes", R_CAUSES)
    NAME("reason", F_CAUSE) /* 23, of CAUSE */
#undef NAME
};
enum { STATUS_NAMES = 3 };

/* parent of OBJECT, and what START holds, depend on the mode. */
static const struct {
    uint8_t first_name, names, parent, element;
} roles[ROLES] = {
    [R_WATCH] = { 5, 2, R_START, F_NONE },
    [R_ITEMS] = { 0, 0, R_LIST, R_OBJECT },
    [R_OBJECT] = { 7, 6, R_START, F_NONE },
    [R_LIST] = { 0, 3, R_START, F_NONE },
    [R_LIST_META] = { 3, 2, R_LIST, F_NONE },
    [R_META] = { 13, 6, R_OBJECT, F_NONE },
    [R_ANNOTATIONS] = { 19, 2, R_META, F_NONE },
    [R_DETAILS] = { 21, 2, R_OBJECT, F_NONE },
    [R_CAUSES] = { 0, 0, R_DETAILS, R_CAUSE },
    [R_CAUSE] = { 23, 1, R_CAUSES, F_NONE }
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

/* Is an escape read that goes to the sink unescaped? */
static bool is_rewriting(const struct kinf_json_stream *s)
{
    return (s->state == ESCAPE || s->state == HEX) && s->taken >= F_NAME &&
           s->taken <= F_VERSION;
}

/* Copies what is to be copied up to here. */
static void stop(struct kinf_json_stream *s)
{
    if (s->run != NULL)
        put(s->sink, s->run, (size_t)(s->at - s->run));
    s->run = NULL;
}

/* From here on bytes are copied again, if they are to be. */
static void resume(struct kinf_json_stream *s)
{
    if (s->run == NULL && s->in_object && s->drop_depth == 0 &&
        !is_rewriting(s))
        s->run = s->at;
}

static uint32_t place(const struct kinf_json_stream *s)
{
    return s->sink->wanted +
           (s->run == NULL ? 0 : (uint32_t)(s->at - s->run));
}

/* Notes that a member may begin here. */
static void set_mark(struct kinf_json_stream *s)
{
    if (!s->in_object || s->drop_depth > 0)
        return;
    s->mark = place(s);
    s->comma_before = s->comma;
}

/* Leaves out the member that has begun at the mark. */
static void drop(struct kinf_json_stream *s)
{
    struct kinf_sink *sink = s->sink;

    stop(s);
    s->drop_depth = s->depth;
    sink->wanted = s->mark;
    if (sink->used > s->mark)
        sink->used = s->mark;
}

/* ---- mistakes ----------------------------------------------------------- */

/* A text with a mistake in it is not known. */
static void fault(struct kinf_json_stream *s)
{
    s->taken = F_NONE;
    s->broken = true;
    if (!s->in_object)
        s->told = KINF_ERR_JSON;
}

/* ---- keys --------------------------------------------------------------- */

/* Paths decide about the members of this container. */
static bool is_picking(const struct kinf_json_stream *s)
{
    return s->in_object && s->keep_count > 0 && s->drop_depth == 0 &&
           s->whole_depth == 0;
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
    uint32_t level = s->depth - modes[s->mode].object_depth, count = 0;

    if (s->depth == s->role_depth)
        count = roles[s->role].names;
    if (s->role == R_OBJECT && count > 0 && s->event < KINF_EVENT_ERROR)
        count -= STATUS_NAMES;
    s->in_key = true;
    s->key_len = 0;
    s->name_alive = (uint16_t)(BIT(count) - 1);
    s->path_alive = 0;
    if (!is_picking(s))
        return;
    for (unsigned i = 0; i < s->keep_count; i++) {
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
    for (unsigned i = 0; s->path_alive >> i != 0; i++)
        if ((s->path_alive >> i & 1) != 0 &&
            !follow(s->keep[i], &s->path_at[i], p, n))
            s->path_alive &= ~BIT(i);
    s->key_len += (uint32_t)n;
}

static unsigned matched_field(const struct kinf_json_stream *s)
{
    unsigned first = roles[s->role].first_name;

    for (unsigned i = 0; s->name_alive >> i != 0; i++)
        if ((s->name_alive >> i & 1) != 0 &&
            names[first + i].len == s->key_len)
            return names[first + i].field;
    return F_NONE;
}

/* Keeps the member, or only what paths name inside it, or nothing. */
static void pick(struct kinf_json_stream *s)
{
    bool whole = (ALWAYS >> s->field & 1) != 0;

    s->partial = s->field == R_META;
    for (unsigned i = 0; s->path_alive >> i != 0; i++) {
        struct kinf_span path = s->keep[i];

        if ((s->path_alive >> i & 1) == 0)
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
        drop(s);
    }
}

static void end_key(struct kinf_json_stream *s)
{
    uint32_t bit;

    s->in_key = false;
    s->state = COLON;
    s->field = (uint8_t)matched_field(s);
    bit = BIT(s->field);
    if ((s->seen & bit & ONCE) != 0) {
        s->field = F_NONE;
        fault(s);
    }
    s->seen |= bit;
    if (!s->in_object || s->drop_depth > 0)
        return;
    if ((NEVER & bit) != 0)
        drop(s);
    else if (is_picking(s))
        pick(s);
}

/* ---- texts that are looked at ------------------------------------------- */

static void begin_taking(struct kinf_json_stream *s)
{
    unsigned field = s->field;

    s->taken = (uint8_t)field;
    s->cut = false;
    s->text_taken.len = 0;
    s->text_taken.at = s->identity_len;
    s->room = (uint16_t)(CONFIG_KINF_IDENTITY_BYTES - s->identity_len);
    if (field == F_LIST_VERSION || field == F_CONTINUE || field == F_MESSAGE) {
        s->text_taken.at =
            (uint16_t)(CONFIG_KINF_IDENTITY_BYTES + s->page_len);
        s->room = (uint16_t)(KINF_JSON_PAGE_BYTES - s->page_len);
    }
    if (field >= F_NAME && field <= F_VERSION)
        s->sink_at[field - F_NAME] = (kinf_off)place(s);
}

/* A piece of a string has come; it may be one nobody looks at. */
static void take(struct kinf_json_stream *s, const char *p, size_t n)
{
    if (s->in_key) {
        match(s, p, n);
        return;
    }
    if (s->taken == F_NONE)
        return;
    if (n > s->room) {
        n = s->room;
        s->cut = true;
    }
    memcpy(s->text + s->text_taken.at + s->text_taken.len, p, n);
    s->text_taken.len = (uint16_t)(s->text_taken.len + n);
    s->room = (uint16_t)(s->room - n);
}

/* Is it this word? */
static bool says(const struct kinf_json_stream *s, const char *word)
{
    size_t n = strlen(word);

    return s->text_taken.len == n &&
           memcmp(s->text + s->text_taken.at, word, n) == 0;
}

static bool ends_with(const struct kinf_json_stream *s, const char *end)
{
    size_t n = strlen(end), len = s->text_taken.len;

    return len >= n &&
           memcmp(s->text + s->text_taken.at + len - n, end, n) == 0;
}

static bool contains(const struct kinf_json_stream *s, const char *part)
{
    const char *p = s->text + s->text_taken.at;
    size_t n = strlen(part);

    for (size_t left = s->text_taken.len; left >= n; left--, p++)
        if (memcmp(p, part, n) == 0)
            return true;
    return false;
}

static uint32_t taken_number(const struct kinf_json_stream *s)
{
    const char *p = s->text + s->text_taken.at;
    uint32_t number = 0;

    for (unsigned n = s->text_taken.len; n > 0; n--, p++) {
        if (*p < '0' || *p > '9' || number > 400000)
            break;
        number = number * 10 + (uint32_t)(*p - '0');
    }
    return number;
}

static void end_identity(struct kinf_json_stream *s)
{
    unsigned i = (unsigned)s->taken - F_NAME;

    if (s->cut) {
        s->broken = true;
        s->key_too_long |= s->taken <= F_NAMESPACE;
        return;
    }
    s->identity[i] = s->text_taken;
    s->identity_len = (uint16_t)(s->identity_len + s->text_taken.len);
}

static void end_page(struct kinf_json_stream *s, struct kinf_json_text *text)
{
    if (s->cut || s->text_taken.len > CONFIG_KINF_CONTINUE_BYTES)
        s->told = KINF_ERR_CONTINUE;
    *text = s->text_taken;
    s->page_len = (uint16_t)(s->page_len + s->text_taken.len);
}

static uint8_t taken_event(const struct kinf_json_stream *s)
{
    static const char types[][9] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK",
                                     "ERROR" };
    unsigned i = 0;

    while (i < 5 && !says(s, types[i]))
        i++;
    return (uint8_t)(KINF_EVENT_ADDED + i);
}

static bool is_wrong_kind(const struct kinf_json_stream *s)
{
    struct kinf_span kind = span_of(s->text + s->text_taken.at,
                                    s->text_taken.len);

    return (s->kind.len > 0 && !span_equal(kind, s->kind)) ||
           says(s, "Table") || says(s, "Status");
}

/* A text that is looked at is whole. */
static void end_taking(struct kinf_json_stream *s)
{
    switch (s->taken) {
    case F_TYPE:
        s->event = taken_event(s);
        break;
    case F_LIST_VERSION:
        end_page(s, &s->version);
        break;
    case F_CONTINUE:
        end_page(s, &s->page);
        break;
    case F_NAME:
    case F_NAMESPACE:
    case F_UID:
    case F_VERSION:
        end_identity(s);
        break;
    case F_KIND:
        s->broken |= is_wrong_kind(s);
        break;
    case F_LIST_KIND: /* what is no list has no items and looks empty */
        if (!ends_with(s, "List"))
            fault(s);
        break;
    case F_MESSAGE: /* servers before 1.19 told no cause */
        s->page = s->text_taken;
        s->version_ahead |= contains(s, "Too large resource version");
        break;
    case F_CAUSE:
        s->version_ahead |= says(s, "ResourceVersionTooLarge");
        break;
    case F_INITIAL_END:
        s->initial_end = says(s, "true");
        break;
    case F_CODE:
        s->http_status = taken_number(s);
        break;
    case F_RETRY:
        s->retry_after_s = taken_number(s);
        break;
    default: /* nothing is looked at */
        break;
    }
    s->taken = F_NONE;
}

/* ---- events ------------------------------------------------------------- */

/* Empties *item and tells it. */
static void tell(struct kinf_json_stream *s, int event)
{
    memset(s->item, 0, sizeof(*s->item));
    s->item->event = (enum kinf_event)s->event;
    s->told = (int8_t)event;
}

static void tell_text(const struct kinf_json_stream *s, struct kinf_span *out,
                      struct kinf_json_text text)
{
    out->ptr = s->text + text.at;
    out->len = text.len;
}

static void tell_status(const struct kinf_json_stream *s)
{
    struct kinf_item *item = s->item;
    struct kinf_json_text message = s->page;

    if (message.len > CONFIG_KINF_MESSAGE_BYTES) {
        message.len = CONFIG_KINF_MESSAGE_BYTES;
        /* Not inside a character. */
        while ((s->text[message.at + message.len] & 0xC0) == 0x80)
            message.len--;
    }
    tell_text(s, &item->message, message);
    item->http_status = (int)s->http_status;
    item->retry_after_ms = s->retry_after_s * 1000;
    item->version_ahead = s->version_ahead;
}

/* A key is known if its name was read, and its namespace if there is one. */
static int broken_as(const struct kinf_json_stream *s)
{
    bool has_key = s->identity[0].len > 0 &&
                   (s->identity[1].len > 0 ||
                    (s->seen >> F_NAMESPACE & 1) == 0);

    if (s->event == KINF_EVENT_ERROR)
        return KINF_OK;
    if (!has_key && s->event != KINF_EVENT_BOOKMARK)
        return KINF_ERR_NO_IDENTITY;
    return s->broken || s->identity[3].len == 0 ? KINF_ERR_UNREADABLE : KINF_OK;
}

static void begin_item(struct kinf_json_stream *s)
{
    memset(s->identity, 0, sizeof(s->identity));
    memset(s->path_level, 0, sizeof(s->path_level));
    s->identity_len = 0;
    s->http_status = s->retry_after_s = 0;
    s->broken = s->key_too_long = s->initial_end = s->version_ahead = false;
    s->seen &= OF_LIST;
    if (s->mode == JSON_WATCH) {
        s->event = KINF_EVENT_UNKNOWN;
        s->page.len = 0;
    }
}

static void tell_item(struct kinf_json_stream *s)
{
    struct kinf_item *item = s->item;
    const uint32_t whole = BIT(F_TYPE) | BIT(R_OBJECT);

    if (s->mode == JSON_WATCH && (s->seen & (whole | NO_OBJECT)) != whole)
        s->event = KINF_EVENT_UNKNOWN;
    tell(s, JSON_ITEM);
    item->broken = broken_as(s);
    item->key_too_long = s->key_too_long &&
                         item->broken == KINF_ERR_NO_IDENTITY;
    item->initial_end = s->initial_end;
    tell_text(s, &item->name, s->identity[0]);
    tell_text(s, &item->namespace_, s->identity[1]);
    tell_text(s, &item->uid, s->identity[2]);
    tell_text(s, &item->version, s->identity[3]);
    item->name_at = s->sink_at[0];
    item->namespace_at = s->sink_at[1];
    item->uid_at = s->sink_at[2];
    item->version_at = s->sink_at[3];
    if (s->event >= KINF_EVENT_ERROR)
        tell_status(s);
    begin_item(s);
}

static void tell_end(struct kinf_json_stream *s)
{
    s->state = NOTHING;
    tell(s, JSON_END);
    if (s->mode == JSON_STATUS) {
        tell_status(s);
    } else if (s->mode == JSON_LIST) {
        tell_text(s, &s->item->version, s->version);
        tell_text(s, &s->item->continue_, s->page);
        /* An answer without items taken for an empty list would delete
         * everything; servers say "items" always, if only null. */
        if ((s->seen >> R_ITEMS & 1) == 0)
            s->told = KINF_ERR_JSON;
    }
}

/* The document, or one event of a watch, is whole. */
static void end_document(struct kinf_json_stream *s)
{
    if (s->mode == JSON_WATCH) {
        s->state = VALUE;
        tell_item(s);
    } else if (s->mode == JSON_SINGLE) {
        s->state = LAST_BRACE; /* so that JSON_END has a byte to use */
        s->at--;
        tell_item(s);
    } else {
        tell_end(s);
    }
}

/* ---- values ------------------------------------------------------------- */

/* What a value is that comes without a key. */
static void expect_element(struct kinf_json_stream *s)
{
    s->field = F_NONE;
    if (s->depth == s->role_depth)
        s->field = s->role == R_START ? modes[s->mode].top
                                      : roles[s->role].element;
}

/* A value is whole: a scalar, or a container with its bracket. */
static void end_value(struct kinf_json_stream *s)
{
    s->state = s->depth > LEVELS ? DEEP : NEXT;
    s->comma = true;
    if (s->whole_depth == s->depth)
        s->whole_depth = 0;
    if (s->drop_depth == s->depth && s->depth > 0) {
        s->drop_depth = 0;
        s->comma = s->comma_before;
        resume(s);
    }
    expect_element(s);
    if (s->depth != s->role_depth || s->role >= R_OBJECT)
        return;
    stop(s);
    if (s->role == R_ITEMS)
        tell_item(s);
    if (s->role == R_START)
        end_document(s);
    s->in_object = false;
}

/* A value begins with c, which is not used yet. Returns false when its time
 * has not come. */
static bool begin_value(struct kinf_json_stream *s, char c)
{
    if (s->depth == 0 && c != '{')
        fault(s);
    if (s->field == R_ITEMS && c != '[' && c != 'n')
        fault(s);
    if (s->field >= F_LIST_VERSION && s->field <= F_VERSION && c != '"' &&
        c != 'n')
        fault(s);
    if (s->told != KINF_OK)
        return false;
    if (s->field == R_OBJECT && s->mode != JSON_STATUS) {
        s->begun = !s->begun;
        if (s->begun) {
            tell(s, JSON_BEGIN);
            return false;
        }
        s->in_object = true;
        s->drop_depth = s->whole_depth = 0; /* of a broken one before it */
        s->sink->used = s->sink->wanted = 0;
        resume(s);
        if (c != '{') {
            s->broken = true;
            s->seen |= NO_OBJECT;
        }
    }
    if (s->partial && c != '{')
        drop(s);
    s->partial = false;
    return true;
}

/* The bit of the innermost container, and in *word the word it is in. */
static uint32_t level_bit(struct kinf_json_stream *s, uint32_t **word)
{
    uint32_t level = s->depth - 1;

    *word = &s->arrays[level / 32 % 2];
    return BIT(level % 32);
}

static bool is_array(struct kinf_json_stream *s)
{
    uint32_t *word, bit = level_bit(s, &word);

    return (*word & bit) != 0;
}

static void open_container(struct kinf_json_stream *s, char c)
{
    unsigned role = s->field;
    bool array = c == '[', known = role > R_START && role < ROLES;
    uint32_t *word, bit;

    s->depth++;
    if (known && array == (role == R_ITEMS || role == R_CAUSES)) {
        s->role = (uint8_t)role;
        s->role_depth = (uint8_t)s->depth;
    }
    expect_element(s);
    s->state = DEEP;
    if (s->depth <= LEVELS) {
        bit = level_bit(s, &word);
        *word = array ? *word | bit : *word & ~bit;
        s->state = array ? FIRST_VALUE : FIRST_KEY;
    }
    s->comma = false;
    s->at++;
    set_mark(s);
}

static void close_container(struct kinf_json_stream *s, char c)
{
    if (s->depth == 0 || (s->depth <= LEVELS && is_array(s) != (c == ']'))) {
        s->told = KINF_ERR_JSON;
        return;
    }
    s->at++;
    if (s->depth == s->role_depth) {
        s->role_depth--;
        s->role = s->role == R_OBJECT ? modes[s->mode].holder
                                      : roles[s->role].parent;
    }
    s->depth--;
    end_value(s);
}

/* ---- literals ----------------------------------------------------------- */

static const char words[] = "true\0false\0null";

/* RFC 8259 6. Columns: 0, 1 to 9, point, e, sign. */
enum { N_START, N_MINUS, N_ZERO, N_INT, N_POINT, N_FRAC, N_E, N_SIGN, N_EXP,
       N_BAD };
static const uint8_t number_next[][5] = {
    [N_START] = { N_ZERO, N_INT, N_BAD, N_BAD, N_MINUS },
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
#define N_WHOLE (BIT(N_ZERO) | BIT(N_INT) | BIT(N_FRAC) | BIT(N_EXP))

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void begin_literal(struct kinf_json_stream *s, char c)
{
    if (c == '-' || is_digit(c)) {
        s->state = NUMBER;
        s->literal = N_START;
        if (s->field == F_CODE || s->field == F_RETRY)
            begin_taking(s);
    } else {
        s->state = WORD;
        s->literal = c == 't' ? 0 : c == 'f' ? 5 : 11;
    }
}

static void in_word(struct kinf_json_stream *s)
{
    if (*s->at != words[s->literal]) {
        fault(s);
    } else {
        s->at++;
        if (words[++s->literal] != '\0')
            return;
    }
    end_value(s);
}

static void in_number(struct kinf_json_stream *s)
{
    static const char signs[] = "0.eE+-";
    const char *sign = memchr(signs, *s->at, sizeof(signs) - 1);
    unsigned column = 1;

    if (sign != NULL) {
        column = sign == signs ? 0 : 2 + (unsigned)(sign - signs) / 2;
    } else if (!is_digit(*s->at)) {
        if ((N_WHOLE >> s->literal & 1) == 0)
            fault(s);
        end_taking(s);
        end_value(s);
        return;
    }
    s->literal = number_next[s->literal][column];
    take(s, s->at, 1);
    s->at++;
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

static void begin_string(struct kinf_json_stream *s)
{
    s->at++;
    s->state = STRING;
    if (s->field >= F_TYPE && s->field <= F_INITIAL_END)
        begin_taking(s);
}

/* Half of a surrogate pair? */
static bool is_half(uint32_t code)
{
    return code >> 11 == 0xD800 >> 11;
}

/* A character of more than one byte: RFC 3629 3. What is too long, too large
 * or half a pair is seen when it is whole. */
static void begin_character(struct kinf_json_stream *s, unsigned c)
{
    if (c < 0xC2) {
        fault(s);
        return;
    }
    s->left = (uint8_t)(1 + (c >= 0xE0) + (c >= 0xF0));
    s->least = BIT(5 * s->left + 1); /* of one: from C2 on it is 0x80 */
    s->code = c & (s->left == 1 ? 0x1F : 0x0F);
    s->state = CHARACTER;
}

static void in_character(struct kinf_json_stream *s)
{
    unsigned char c = (unsigned char)*s->at;

    if ((c & 0xC0) != 0x80) {
        s->state = STRING;
        fault(s);
        return;
    }
    take(s, s->at, 1);
    s->at++;
    s->code = s->code << 6 | (c & 0x3F);
    if (--s->left > 0)
        return;
    s->state = STRING;
    if (s->code < s->least || s->code > 0x10FFFF || is_half(s->code))
        fault(s);
}

static void in_string(struct kinf_json_stream *s)
{
    size_t n = plain_length(s->at, s->end);
    unsigned char c;

    take(s, s->at, n);
    s->at += n;
    if (s->at == s->end)
        return;
    c = (unsigned char)*s->at;
    if (c == '"') {
        s->at++;
        if (s->in_key) {
            end_key(s);
        } else {
            end_taking(s);
            end_value(s);
        }
    } else if (c == '\\') {
        s->state = ESCAPE;
        s->left = 4;
        s->code = 0;
        if (is_rewriting(s))
            stop(s);
        s->at++;
    } else {
        take(s, s->at, 1);
        s->at++;
        begin_character(s, c); /* or a control, which is none */
    }
}

/* ---- escapes ------------------------------------------------------------ */

static size_t write_utf8(uint32_t c, char *out)
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

static size_t write_escape(uint32_t c, char out[6])
{
    out[0] = '\\';
    out[1] = 'u';
    for (unsigned i = 5; i > 1; i--, c >>= 4)
        out[i] = "0123456789abcdef"[c & 15];
    return 6;
}

/* An escape is whole: code is what it stands for. It is written as an escape
 * again if JSON asks for one, which the words of a Status need not be; halves
 * of a pair always are. */
static void end_escape(struct kinf_json_stream *s)
{
    bool rewriting = is_rewriting(s) && s->drop_depth == 0;
    bool stays = s->code < 0x20 || s->code == '"' || s->code == '\\';
    char text[6];
    size_t n = is_half(s->code) || (stays && s->taken != F_MESSAGE)
                   ? write_escape(s->code, text)
                   : write_utf8(s->code, text);

    s->state = STRING;
    take(s, text, n);
    if (!rewriting)
        return;
    put(s->sink, text, n);
    resume(s);
}

static void in_escape(struct kinf_json_stream *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = memchr(from, *s->at, sizeof(from) - 1);

    if (*s->at == 'u') {
        s->at++;
        s->state = HEX;
    } else if (found != NULL) {
        s->at++;
        s->code = (unsigned char)to[found - from];
        end_escape(s);
    } else {
        s->state = STRING;
        fault(s);
    }
}

static void in_hex(struct kinf_json_stream *s)
{
    unsigned c = (unsigned char)*s->at, digit = c - '0';

    if (digit > 9) {
        digit = (c | 0x20) - 'a';
        if (digit > 5) {
            s->state = STRING;
            fault(s);
            return;
        }
        digit += 10;
    }
    s->at++;
    s->code = s->code << 4 | digit;
    if (--s->left == 0)
        end_escape(s);
}

/* ---- between tokens ----------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct kinf_json_stream *s)
{
    stop(s);
    while (s->at < s->end && is_space(*s->at))
        s->at++;
    resume(s);
}

static void take_comma(struct kinf_json_stream *s)
{
    set_mark(s);
    if (!s->comma)
        stop(s); /* all before it was dropped */
    s->at++;
    if (!s->comma)
        resume(s);
    if (s->state != DEEP)
        s->state = is_array(s) ? VALUE : KEY;
}

/* The states in which a token may begin with c. */
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
    case '{':
    case '[':
    case 't':
    case 'f':
    case 'n':
    case '-':
        return value;
    default:
        return is_digit(c) ? value : 0;
    }
}

static void take_value(struct kinf_json_stream *s, char c)
{
    if (!begin_value(s, c))
        return;
    if (c == '"')
        begin_string(s);
    else if (c == '{' || c == '[')
        open_container(s, c);
    else
        begin_literal(s, c);
}

static void take_token(struct kinf_json_stream *s, char c)
{
    switch (c) {
    case '}':
    case ']':
        close_container(s, c);
        break;
    case ',':
        take_comma(s);
        break;
    case ':':
        s->at++;
        if (s->state == COLON)
            s->state = VALUE;
        break;
    case '"':
        if (s->state <= KEY || (s->state == NEXT && !is_array(s))) {
            s->field = F_NONE;
            begin_key(s);
            begin_string(s);
            break;
        }
        /* fall through */
    default:
        take_value(s, c);
        break;
    }
}

static void between_tokens(struct kinf_json_stream *s)
{
    char c = *s->at;
    unsigned places = places_of(c);

    if (is_space(c)) {
        skip_space(s);
        return;
    }
    if ((places >> s->state & 1) == 0)
        fault(s);
    if (s->told != KINF_OK)
        return;
    if (places == 0)
        s->at++;
    else
        take_token(s, c);
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
    expect_element(s);
}

/* Takes one token, or a part of one. */
static void step(struct kinf_json_stream *s)
{
    switch ((enum json_state)s->state) {
    case STRING:
        in_string(s);
        break;
    case ESCAPE:
        in_escape(s);
        break;
    case HEX:
        in_hex(s);
        break;
    case CHARACTER:
        in_character(s);
        break;
    case WORD:
        in_word(s);
        break;
    case NUMBER:
        in_number(s);
        break;
    case LAST_BRACE:
        s->at++;
        tell_end(s);
        break;
    case NOTHING:
        if (!is_space(*s->at++))
            fault(s);
        break;
    case FIRST_KEY:
    case KEY:
    case COLON:
    case FIRST_VALUE:
    case VALUE:
    case NEXT:
    case DEEP:
    default:
        between_tokens(s);
        break;
    }
}

int kinf_json_stream_feed(struct kinf_json_stream *s, const char *data,
                          size_t size, size_t *used, struct kinf_sink *sink,
                          struct kinf_item *item)
{
    if (s->told > 0)
        s->told = KINF_OK;
    s->at = data;
    s->end = data + size;
    s->run = NULL;
    s->sink = sink;
    s->item = item;
    resume(s);
    while (s->told == KINF_OK && s->at < s->end)
        step(s);
    stop(s);
    *used = (size_t)(s->at - data);
    return s->told == KINF_OK ? KINF_ERR_AGAIN : s->told;
}

bool kinf_json_stream_between(const struct kinf_json_stream *s)
{
    return s->mode == JSON_WATCH && s->depth == 0 && s->told >= KINF_OK;
}
