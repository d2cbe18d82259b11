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
 * Known containers form a tree. The way from its root to the innermost one that
 * is open lies in roles; it has as many steps as there were brackets, so names
 * mean something only when depth is role_depth.
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
enum { LEVELS = 32 };

enum { RETRY_CAP_S = CONFIG_KINF_RETRY_AFTER_CAP_MS / 1000 };

/* What we know: roles of containers, and fields. A field that holds a
 * container bears the name of its role, and so does what an array holds. In
 * this order because ranges of it are asked for. */
enum known {
    R_START = 0,
    F_NONE = 0,
    R_WATCH,
    R_ITEMS,  /* up to it: what holds objects */
    R_CAUSES, /* this and the one before: arrays */
    R_OBJECT,
    R_LIST,
    R_LIST_META,
    R_META,
    R_ANNOTATIONS,
    R_DETAILS,
    R_CAUSE,
    ROLES,
    /* Strings that are copied, to be looked at. */
    F_TYPE = ROLES,
    F_MESSAGE,      /* from here to F_CONTINUE: into the page's area */
    F_LIST_VERSION, /* from here to F_VERSION: strings or null */
    F_CONTINUE,
    F_NAME, /* from here to F_VERSION: the identity */
    F_NAMESPACE,
    F_UID,
    F_VERSION,
    F_KIND,
    F_LIST_KIND,
    F_CAUSE,
    F_INITIAL_END,
    /* Numbers. */
    F_CODE,
    F_RETRY,
    /* Nothing of these is looked at. */
    F_API_VERSION,
    F_DROPPED,
    KNOWN,
    F_KEY = KNOWN /* in taken alone: a key that may be known */
};
_Static_assert(KNOWN < 32, "seen has a bit for each");
_Static_assert(ROLES <= 16, "roles are stacked in four bits");
_Static_assert(KINF_EVENT_UNKNOWN == KINF_EVENT_ERROR + 1,
               "what kinf_find_word does not find");

#define BIT(n) (UINT32_C(1) << (n))

/* What may come once. */
#define ONCE                                                                   \
    (BIT(R_ITEMS) | BIT(R_OBJECT) | BIT(R_LIST_META) | BIT(R_META) |           \
     BIT(F_TYPE) | BIT(F_LIST_VERSION) | BIT(F_CONTINUE) | BIT(F_NAME) |       \
     BIT(F_NAMESPACE) | BIT(F_UID) | BIT(F_VERSION) | BIT(F_KIND))
/* Seen, too: an event's "object" is none. No field is a list. */
#define NO_OBJECT BIT(R_LIST)
/* Of that, what belongs to a list and not to one object. */
#define OF_LIST                                                                \
    (BIT(R_ITEMS) | BIT(R_LIST_META) | BIT(F_LIST_VERSION) | BIT(F_CONTINUE))
/* What is not kept: items of a list do not have kind and apiVersion, and one
 * state is to have one text. */
#define NEVER (BIT(F_DROPPED) | BIT(F_KIND) | BIT(F_API_VERSION))

#define LAST_APPLIED "\60kubectl.kubernetes.io/last-applied-configuration"
#if CONFIG_KINF_STREAMING
#define STREAM_END "\31k8s.io/initial-events-end"
#else
#define STREAM_END
#endif

/* The members of a container that are known, and what each is: words as
 * kinf_find_word takes them. */
static const struct {
    const char *names;
    uint8_t fields[7];
    uint8_t element; /* of an array */
} roles[ROLES] = {
    [R_START] = { "", { 0 }, 0 },
    [R_WATCH] = { "\4type\6object", { F_TYPE, R_OBJECT }, 0 },
    [R_LIST] = { "\4kind\10metadata\5items",
                 { F_LIST_KIND, R_LIST_META, R_ITEMS },
                 0 },
    [R_LIST_META] = { "\17resourceVersion\10continue",
                      { F_LIST_VERSION, F_CONTINUE },
                      0 },
    [R_ITEMS] = { "", { 0 }, R_OBJECT },
    /* From "message" on: of a Status. */
    [R_OBJECT] = { "\4kind\12apiVersion\10metadata\7message\4code\7details",
                   { F_KIND, F_API_VERSION, R_META, F_MESSAGE, F_CODE,
                     R_DETAILS },
                   0 },
    [R_META] = { "\4name\11namespace\3uid\17resourceVersion\13annotations"
                 "\15managedFields",
                 { F_NAME, F_NAMESPACE, F_UID, F_VERSION, R_ANNOTATIONS,
                   F_DROPPED },
                 0 },
    [R_ANNOTATIONS] = { LAST_APPLIED STREAM_END,
                        { F_DROPPED, F_INITIAL_END },
                        0 },
    [R_DETAILS] = { "\21retryAfterSeconds\6causes", { F_RETRY, R_CAUSES }, 0 },
    [R_CAUSES] = { "", { 0 }, R_CAUSE },
    [R_CAUSE] = { "\6reason", { F_CAUSE }, 0 }
};

/* Of the innermost container we know. */
static unsigned role_of(const struct kinf_json_stream *s)
{
    return s->roles & 15;
}

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
    if (s->run == NULL && s->in_object && s->drop_depth == 0 && !s->holding)
        s->run = s->at;
}

static uint32_t place(const struct kinf_json_stream *s)
{
    return s->sink->wanted + (s->run == NULL ? 0 : (uint32_t)(s->at - s->run));
}

/* Notes that a member may begin here. */
KINF_APART static void set_mark(struct kinf_json_stream *s)
{
    if (s->drop_depth > 0)
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
    s->item->broken = KINF_ERR_UNREADABLE;
    if (!s->in_object)
        s->told = KINF_ERR_JSON;
}

/* ---- keep lists --------------------------------------------------------- */

#if CONFIG_KINF_KEEP_PATHS > 0

#define ALWAYS (BIT(F_NAME) | BIT(F_NAMESPACE) | BIT(F_UID) | BIT(F_VERSION))

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

static void begin_paths(struct kinf_json_stream *s)
{
    uint32_t level = s->depth - s->object_depth;

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
static void follow_paths(struct kinf_json_stream *s, const char *p, size_t n)
{
    for (unsigned i = 0; s->path_alive >> i != 0; i++)
        if ((s->path_alive >> i & 1) != 0 &&
            !follow(s->keep[i], &s->path_at[i], p, n))
            s->path_alive &= ~BIT(i);
}

/* Keeps the member, or only what paths name inside it, or nothing. */
static void pick(struct kinf_json_stream *s)
{
    bool whole = (ALWAYS >> s->field & 1) != 0;

    if (!is_picking(s))
        return;
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

/* The value of a member that may be kept in part begins. */
static void begin_picked(struct kinf_json_stream *s, bool object)
{
    if (s->partial && !object)
        drop(s);
    s->partial = false;
}

static void begin_picking(struct kinf_json_stream *s)
{
    s->object_depth = s->depth + 1;
    s->whole_depth = 0; /* of a broken one before it */
    memset(s->path_level, 0, sizeof(s->path_level));
}

static void end_picked(struct kinf_json_stream *s)
{
    if (s->whole_depth == s->depth)
        s->whole_depth = 0;
}

#else
#define begin_paths(s) ((void)0)
#define follow_paths(s, p, n) ((void)0)
#define pick(s) ((void)0)
#define begin_picked(s, object) ((void)0)
#define begin_picking(s) ((void)0)
#define end_picked(s) ((void)0)
#endif

/* ---- texts that are looked at ------------------------------------------- */

static void begin_taking(struct kinf_json_stream *s, unsigned field)
{
    s->taken = (uint8_t)field;
    s->cut = false;
    s->to = s->word;
    s->room = KINF_JSON_WORD_BYTES;
    if (field >= F_MESSAGE && field <= F_CONTINUE) {
        s->to = s->page + s->page_used;
        s->room = (uint16_t)(KINF_JSON_PAGE_BYTES - s->page_used);
    } else if (field >= F_NAME && field <= F_VERSION) {
        s->to = s->identity + s->identity_used;
        s->room = (uint16_t)(CONFIG_KINF_IDENTITY_BYTES - s->identity_used);
        s->item->identity_at[field - F_NAME] = (kinf_off)place(s);
    }
    s->text = span_of(s->to, 0);
}

/* A piece of a string has come; it may be one nobody looks at. */
static void take(struct kinf_json_stream *s, const char *p, size_t n)
{
    if (s->in_key)
        follow_paths(s, p, n);
    if (s->taken == F_NONE)
        return;
    if (n > s->room) {
        n = s->room;
        s->cut = true;
    }
    memcpy(s->to, p, n);
    s->to += n;
    s->text.len += n;
    s->room = (uint16_t)(s->room - n);
}

static void end_identity(struct kinf_json_stream *s)
{
    if (s->cut) {
        s->item->key_too_long |= s->taken <= F_NAMESPACE;
        fault(s);
        return;
    }
    s->item->identity[s->taken - F_NAME] = s->text;
    s->identity_used = (uint16_t)(s->identity_used + s->text.len);
}

static void end_page(struct kinf_json_stream *s)
{
    if (s->cut || s->text.len > CONFIG_KINF_CONTINUE_BYTES)
        s->told = KINF_ERR_CONTINUE;
    s->pages[s->taken - F_LIST_VERSION] = s->text;
    s->page_used = (uint16_t)(s->page_used + s->text.len);
}

#if CONFIG_KINF_OLD_SERVERS
/* Servers before 1.18.6 tell that a version is ahead by these words alone. */
static bool says_ahead(struct kinf_span text)
{
    static const char words[] = "Too large resource version";

    for (; text.len >= sizeof(words) - 1; text.ptr++, text.len--)
        if (memcmp(text.ptr, words, sizeof(words) - 1) == 0)
            return true;
    return false;
}
#else
#define says_ahead(text) false
#endif

static void end_message(struct kinf_item *item, struct kinf_span text)
{
    item->version_ahead |= says_ahead(text);
    if (text.len > CONFIG_KINF_MESSAGE_BYTES) {
        text.len = CONFIG_KINF_MESSAGE_BYTES;
        while ((text.ptr[text.len] & 0xC0) == 0x80)
            text.len--; /* not inside a character */
    }
    item->message = text;
}

/* A text that is looked at is whole. */
static void end_taking(struct kinf_json_stream *s)
{
    struct kinf_item *item = s->item;
    const char *word = s->text.ptr;
    uint32_t number = 0;

    if (s->taken == F_NONE)
        return;
    *s->to = '\0';
    switch (s->taken) {
    case F_TYPE:
        item->event = (enum kinf_event)kinf_find_word(
            s->text, "\5ADDED\10MODIFIED\7DELETED\10BOOKMARK\5ERROR");
        break;
    case F_LIST_VERSION:
    case F_CONTINUE:
        end_page(s);
        break;
    case F_NAME:
    case F_NAMESPACE:
    case F_UID:
    case F_VERSION:
        end_identity(s);
        break;
    case F_KIND:
        if ((s->kind.len > 0 && !kinf_texts_equal(&s->text, &s->kind, 1)) ||
            kinf_find_word(s->text, "\5Table\6Status") < 3)
            item->broken = KINF_ERR_UNREADABLE;
        break;
    case F_LIST_KIND: /* what is no list has no items and looks empty */
        if (s->text.len < 4 || strcmp(s->to - 4, "List") != 0)
            fault(s);
        break;
    case F_MESSAGE:
        end_message(item, s->text);
        break;
    case F_CAUSE:
        item->version_ahead |= strcmp(word, "ResourceVersionTooLarge") == 0;
        break;
#if CONFIG_KINF_STREAMING
    case F_INITIAL_END:
        item->initial_end = strcmp(word, "true") == 0;
        break;
#endif
    default: /* F_CODE, F_RETRY */
        (void)kinf_read_number(word, 10, &number);
        if (s->taken == F_CODE) {
            item->http_status = (int)number;
            break;
        }
        number = (number < RETRY_CAP_S ? number : RETRY_CAP_S) * 1000;
        if (number > item->retry_after_ms) /* a header may have said more */
            item->retry_after_ms = number;
        break;
    }
    s->taken = F_NONE;
}

/* ---- events ------------------------------------------------------------- */

static void begin_item(struct kinf_json_stream *s)
{
    memset(s->item, 0, sizeof(*s->item));
    if (s->mode == JSON_WATCH)
        s->item->event = KINF_EVENT_UNKNOWN;
    s->identity_used = 0;
    s->seen &= OF_LIST;
}

/* A key is known if its name was read, and its namespace if there is one. */
static int broken_as(const struct kinf_json_stream *s)
{
    const struct kinf_item *item = s->item;
    bool has_key = item->name.len > 0 && (item->namespace_.len > 0 ||
                                          (s->seen >> F_NAMESPACE & 1) == 0);

    if (item->event == KINF_EVENT_ERROR)
        return KINF_OK;
    if (!has_key && item->event != KINF_EVENT_BOOKMARK)
        return KINF_ERR_NO_IDENTITY;
    return item->version.len == 0 ? KINF_ERR_UNREADABLE : item->broken;
}

static void tell_item(struct kinf_json_stream *s)
{
    struct kinf_item *item = s->item;
    const uint32_t whole = BIT(F_TYPE) | BIT(R_OBJECT);

    if (s->mode == JSON_WATCH && (s->seen & (whole | NO_OBJECT)) != whole)
        item->event = KINF_EVENT_UNKNOWN;
    item->broken = broken_as(s);
    item->key_too_long &= item->broken == KINF_ERR_NO_IDENTITY;
    s->told = JSON_ITEM;
}

KINF_APART static void tell_end(struct kinf_json_stream *s)
{
    s->state = NOTHING;
    s->told = JSON_END;
    if (s->mode != JSON_LIST)
        return;
    memcpy((char *)s->item + offsetof(struct kinf_item, version), s->pages,
           sizeof(s->pages)); /* and the token */
    /* An answer without items taken for an empty list would delete everything;
     * servers say "items" always, if only null. */
    if ((s->seen >> R_ITEMS & 1) == 0)
        s->told = KINF_ERR_JSON;
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

/* ---- keys --------------------------------------------------------------- */

static void begin_key(struct kinf_json_stream *s)
{
    s->in_key = true;
    s->field = F_NONE;
    if (s->depth == s->role_depth)
        begin_taking(s, F_KEY);
    begin_paths(s);
}

static unsigned field_of_key(struct kinf_json_stream *s)
{
    unsigned role = role_of(s), i, field;

    if (s->taken != F_KEY || s->cut)
        return F_NONE;
    i = kinf_find_word(s->text, roles[role].names);
    field = roles[role].fields[i - 1];
    if (role == R_OBJECT && i > 3 && s->in_object &&
        s->item->event < KINF_EVENT_ERROR)
        return F_NONE;
    return field;
}

static void end_key(struct kinf_json_stream *s)
{
    uint32_t bit;

    s->field = (uint8_t)field_of_key(s);
    s->taken = F_NONE;
    s->in_key = false;
    s->state = COLON;
    if (s->at < s->end && *s->at == ':') { /* nearly always */
        s->at++;
        s->state = VALUE;
    }
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
    else
        pick(s);
}

/* ---- values ------------------------------------------------------------- */

/* What a value is that comes without a key. */
static void expect_element(struct kinf_json_stream *s)
{
    static const uint8_t documents[] = { R_LIST, R_WATCH, R_OBJECT, R_OBJECT };

    s->field = F_NONE;
    if (s->depth == s->role_depth)
        s->field =
            s->depth == 0 ? documents[s->mode] : roles[role_of(s)].element;
}

/* A value is whole: a scalar, or a container with its bracket. */
static void end_value(struct kinf_json_stream *s)
{
    s->state = s->depth > LEVELS ? DEEP : NEXT;
    s->comma = true;
    end_picked(s);
    if (s->drop_depth == s->depth && s->depth > 0) {
        s->drop_depth = 0;
        s->comma = s->comma_before;
        resume(s);
    }
    s->field = F_NONE;
    if (s->depth != s->role_depth)
        return;
    expect_element(s);
    if (role_of(s) > R_ITEMS)
        return;
    stop(s);
    s->in_object = false;
    if (role_of(s) == R_ITEMS)
        tell_item(s);
    if (s->depth == 0)
        end_document(s);
}

/* Tokens by their first character, the most frequent first, and the states in
 * which they may come. */
static const char tokens[] = "\",}]:{[tfn-0123456789";
enum {
    QUOTE,
    COMMA,
    BRACE_END,
    BRACKET_END,
    COLON_SIGN, /* end_key takes most of them */
    BRACE,
    BRACKET,
    TRUE,
    FALSE,
    NULL_,
    MINUS,
    TOKENS = sizeof(tokens) - 1
};
#define A_VALUE (BIT(FIRST_VALUE) | BIT(VALUE) | BIT(DEEP))
static const uint8_t places[] = {
    [BRACE_END] = BIT(FIRST_KEY) | BIT(NEXT) | BIT(DEEP),
    [BRACKET_END] = BIT(FIRST_VALUE) | BIT(NEXT) | BIT(DEEP),
    [COMMA] = BIT(NEXT) | BIT(DEEP),
    [COLON_SIGN] = BIT(COLON) | BIT(DEEP),
    [QUOTE] = A_VALUE | BIT(FIRST_KEY) | BIT(KEY),
    [BRACE] = A_VALUE /* and what comes after it */
};

/* An object is announced, and begins in the next call. */
static void begin_object(struct kinf_json_stream *s)
{
    s->in_object = true;
    s->drop_depth = 0; /* of a broken one before it */
    begin_picking(s);
    s->item->http_status = 0; /* was the answer's */
    s->told = JSON_BEGIN;
}

/* A value of a field that we know begins with a token, which is not used yet.
 * Returns false when its time has not come. */
KINF_APART static bool begin_known(struct kinf_json_stream *s, unsigned token)
{
    unsigned field = s->field;

    if ((s->depth == 0 && token != BRACE) ||
        (field == R_ITEMS && token != BRACKET && token != NULL_) ||
        (field >= F_LIST_VERSION && field <= F_VERSION && token != QUOTE &&
         token != NULL_))
        fault(s);
    if (s->told == KINF_OK && field == R_OBJECT && s->mode != JSON_STATUS) {
        if (!s->in_object)
            begin_object(s);
        else if (token != BRACE) {
            fault(s);
            s->seen |= NO_OBJECT;
        }
    }
    return s->told == KINF_OK;
}

static bool is_array(const struct kinf_json_stream *s)
{
    return (s->arrays & 1) != 0;
}

static void open_container(struct kinf_json_stream *s, bool array)
{
    unsigned role = s->field;

    s->at++;
    s->depth++;
    if (role > R_START && role < ROLES &&
        array == (role == R_ITEMS || role == R_CAUSES)) {
        s->roles = s->roles << 4 | role;
        s->role_depth++;
    }
    expect_element(s);
    s->state = DEEP;
    if (s->depth <= LEVELS) {
        s->arrays = s->arrays << 1 | array;
        s->state = array ? FIRST_VALUE : FIRST_KEY;
    }
    s->comma = false;
    set_mark(s);
}

static void close_container(struct kinf_json_stream *s, bool array)
{
    if (s->depth == 0 || (s->depth <= LEVELS && is_array(s) != array)) {
        s->told = KINF_ERR_JSON;
        return;
    }
    s->at++;
    if (s->depth <= LEVELS)
        s->arrays >>= 1;
    if (s->depth == s->role_depth) {
        s->role_depth--;
        s->roles >>= 4;
    }
    s->depth--;
    end_value(s);
}

/* ---- literals ----------------------------------------------------------- */

static const char words[3][6] = { "true", "false", "null" };

/* RFC 8259 6. By state the next one for 0, 1 to 9, a point, an e, a sign: four
 * bits each, the first lowest. */
enum {
    N_BAD,
    N_START,
    N_MINUS,
    N_ZERO,
    N_INT,
    N_POINT,
    N_FRAC,
    N_E,
    N_SIGN,
    N_EXP
};
#define NEXT_STATES(zero, digit, point, e, sign)                               \
    ((zero) | (digit) << 4 | (point) << 8 | (e) << 12 | (sign) << 16)
static const uint32_t number_next[] = {
    [N_START] = NEXT_STATES(N_ZERO, N_INT, 0, 0, N_MINUS),
    [N_MINUS] = NEXT_STATES(N_ZERO, N_INT, 0, 0, 0),
    [N_ZERO] = NEXT_STATES(0, 0, N_POINT, N_E, 0),
    [N_INT] = NEXT_STATES(N_INT, N_INT, N_POINT, N_E, 0),
    [N_POINT] = NEXT_STATES(N_FRAC, N_FRAC, 0, 0, 0),
    [N_FRAC] = NEXT_STATES(N_FRAC, N_FRAC, 0, N_E, 0),
    [N_E] = NEXT_STATES(N_EXP, N_EXP, 0, 0, N_SIGN),
    [N_SIGN] = NEXT_STATES(N_EXP, N_EXP, 0, 0, 0),
    [N_EXP] = NEXT_STATES(N_EXP, N_EXP, 0, 0, 0)
};
#define N_WHOLE (BIT(N_ZERO) | BIT(N_INT) | BIT(N_FRAC) | BIT(N_EXP))

static void begin_literal(struct kinf_json_stream *s, unsigned token)
{
    if (token < MINUS) {
        s->state = WORD;
        s->literal = (uint8_t)((token - TRUE) * sizeof(words[0]));
        return;
    }
    s->state = NUMBER;
    s->literal = N_START;
    if (s->field == F_CODE || s->field == F_RETRY)
        begin_taking(s, s->field);
}

static void in_word(struct kinf_json_stream *s)
{
    const char *word = (const char *)words + s->literal;

    if (*s->at != *word) {
        fault(s);
    } else {
        s->at++;
        s->literal++;
        if (word[1] != '\0')
            return;
    }
    end_value(s);
}

static void in_number(struct kinf_json_stream *s)
{
    static const char marks[] = ".eE+-";
    const char *mark = memchr(marks, *s->at, sizeof(marks) - 1);
    unsigned digit = (unsigned)*s->at - '0', column = digit > 0;

    if (mark != NULL) {
        column = 2 + ((unsigned)(mark - marks) + 1) / 2;
    } else if (digit > 9) {
        if ((N_WHOLE >> s->literal & 1) == 0)
            fault(s);
        end_taking(s);
        end_value(s);
        return;
    }
    s->literal = number_next[s->literal] >> column * 4 & 15;
    take(s, s->at++, 1);
}

/* ---- strings ------------------------------------------------------------ */

/* As wide as a register: several bytes are looked at at once. */
typedef unsigned long word;
#define EACH(byte) ((word)-1 / 255 * (byte))

/* The builtin is one instruction even where memcpy may not be assumed. */
#if defined(__GNUC__)
#define READ_WORD(to, from) (void)__builtin_memcpy(to, from, sizeof(word))
#else
#define READ_WORD(to, from) (void)memcpy(to, from, sizeof(word))
#endif
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_BELOW(w) ((unsigned)__builtin_ctzl(w) / 8)
#else
#define BYTES_BELOW(w) 0
#endif

#if defined(__SSE2__) && !defined(__CHAR_UNSIGNED__)
#define WITH_SIXTEEN 1
typedef char sixteen __attribute__((vector_size(16)));

/* A bit for each of 16 bytes that does not mean itself. What is not ASCII is
 * negative. */
static unsigned special_bytes(const char *at)
{
    sixteen b;

    __builtin_memcpy(&b, at, sizeof(b));
    b = (sixteen)((b < ' ') | (b == '"') | (b == '\\'));
    return (unsigned)__builtin_ia32_pmovmskb128(b);
}
#else
#define WITH_SIXTEEN 0
#endif

/* Passes bytes of a string that mean themselves: all up to a quote, a
 * backslash, a control or what is not ASCII, but for a few near the end.
 *
 * In a word of ASCII bytes, taking away n from each sets a high bit exactly if
 * one of them was smaller; c ^ 2 makes of the quote the next byte after the
 * controls, c ^ backslash 0 of the backslash. Below the first such byte no
 * other bit is set, so that the lowest one tells where it is. */
static const char *skip_plain(const char *at, const char *end)
{
#if WITH_SIXTEEN
    for (; (size_t)(end - at) >= sizeof(sixteen); at += sizeof(sixteen)) {
        unsigned special = special_bytes(at);

        if (special != 0)
            return at + __builtin_ctz(special);
    }
#endif
    for (; (size_t)(end - at) >= sizeof(word); at += sizeof(word)) {
        word w;

        READ_WORD(&w, at);
        w = (w | ((w ^ EACH('"' ^ 0x20)) - EACH(0x21)) |
             ((w ^ EACH('\\')) - EACH(1))) &
            EACH(0x80);
        if (w != 0)
            return at + BYTES_BELOW(w);
    }
    return at;
}

static void begin_string(struct kinf_json_stream *s)
{
    s->at++;
    s->state = STRING;
    if (s->field >= F_TYPE && s->field <= F_INITIAL_END)
        begin_taking(s, s->field);
}

static void in_string(struct kinf_json_stream *s)
{
    const char *from = s->at;
    unsigned c;

    s->at = skip_plain(from, s->end);
    if (s->taken != F_NONE || (CONFIG_KINF_KEEP_PATHS > 0 && s->in_key))
        take(s, from, (size_t)(s->at - from));
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
        if (s->taken >= F_NAME && s->taken <= F_VERSION) {
            stop(s);
            s->holding = true;
        }
        s->at++;
    } else {
        take(s, s->at++, 1);
        s->code = c;
        s->left = (uint8_t)(1 + (c >= 0xE0) + (c >= 0xF0));
        if (c >= 0xC2)
            s->state = CHARACTER;
        else if (c < 0x20 || c >= 0x80) /* a control, or no first byte */
            fault(s);
    }
}

/* Half of a surrogate pair? */
static bool is_half(uint32_t code)
{
    return code >> 11 == 0xD800 >> 11;
}

/* A byte of a character after the first, RFC 3629 3. code is the first byte and
 * six bits of each other one: what is too long, too large or half a pair is
 * seen when it is whole. */
static void in_character(struct kinf_json_stream *s)
{
    unsigned c = (unsigned char)*s->at;
    uint32_t code;

    s->code = code = s->code << 6 | (c & 0x3F);
    if ((c & 0xC0) != 0x80) {
        s->state = STRING;
        fault(s);
        return;
    }
    take(s, s->at++, 1);
    if (--s->left > 0)
        return;
    s->state = STRING;
    if (code - 0xE0000 < 0x800 || is_half(code - 0xE0000) ||
        (code >= 0x100000 && code - 0x3C10000 >= 0x100000))
        fault(s);
}

/* ---- escapes ------------------------------------------------------------ */

static size_t write_utf8(uint32_t c, char *out)
{
    char *at = out;

    if (c < 0x80) {
        *at++ = (char)c;
        return 1;
    }
    if (c < 0x800) {
        *at++ = (char)(0xC0 | c >> 6);
    } else {
        *at++ = (char)(0xE0 | c >> 12);
        *at++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *at++ = (char)(0x80 | (c & 0x3F));
    return (size_t)(at - out);
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
    bool stays = s->code < 0x20 || s->code == '"' || s->code == '\\';
    char text[6];
    size_t n = is_half(s->code) || (stays && s->taken != F_MESSAGE)
                   ? write_escape(s->code, text)
                   : write_utf8(s->code, text);

    s->state = STRING;
    take(s, text, n);
    if (!s->holding)
        return;
    s->holding = false;
    if (s->drop_depth == 0)
        put(s->sink, text, n);
    resume(s);
}

static void no_escape(struct kinf_json_stream *s)
{
    s->state = STRING;
    s->holding = false;
    resume(s);
    fault(s);
}

static void in_escape(struct kinf_json_stream *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *s->at;
    const char *found = memchr(from, c, sizeof(from) - 1);

    if (c == 'u') {
        s->at++;
        s->state = HEX;
    } else if (found != NULL) {
        s->at++;
        s->code = (unsigned char)to[found - from];
        end_escape(s);
    } else {
        no_escape(s);
    }
}

static void in_hex(struct kinf_json_stream *s)
{
    unsigned digit = kinf_hex_digit(*s->at);

    if (digit > 15) {
        no_escape(s);
        return;
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

static void begin_value(struct kinf_json_stream *s, unsigned token)
{
    begin_picked(s, token == BRACE);
    if (token == QUOTE)
        begin_string(s);
    else if (token <= BRACKET)
        open_container(s, token == BRACKET);
    else
        begin_literal(s, token);
}

static void take_token(struct kinf_json_stream *s, unsigned token)
{
    if (token == BRACE_END || token == BRACKET_END) {
        close_container(s, token == BRACKET_END);
    } else if (token == COMMA) {
        take_comma(s);
    } else if (token == COLON_SIGN) {
        s->at++;
        if (s->state == COLON)
            s->state = VALUE;
    } else if (token == QUOTE &&
               (s->state <= KEY || (s->state == NEXT && !is_array(s)))) {
        begin_key(s);
        begin_string(s);
    } else if (s->field == F_NONE || begin_known(s, token)) {
        begin_value(s, token);
    }
}

static void between_tokens(struct kinf_json_stream *s)
{
    char c = *s->at;
    unsigned token = 0;

    while (token < TOKENS && tokens[token] != c)
        token++;
    if (token == TOKENS && is_space(c)) {
        skip_space(s);
        return;
    }
    if (token == TOKENS ||
        (places[token < BRACE ? token : BRACE] >> s->state & 1) == 0)
        fault(s);
    if (s->told != KINF_OK)
        return;
    if (token == TOKENS)
        s->at++;
    else
        take_token(s, token);
}

/* ---- where nothing is looked at ----------------------------------------- */

#if CONFIG_KINF_WIDE

/* Passes plain bytes and escapes that are whole. */
static const char *skip_string(const char *at, const char *end)
{
    for (;;) {
        at = skip_plain(at, end);
        if (end - at < 6 || *at != '\\')
            return at;
        if (at[1] == 'u') {
            for (unsigned i = 2; i < 6; i++)
                if (kinf_hex_digit(at[i]) > 15)
                    return at;
            at += 6;
        } else if (at[1] == 'n' || memchr("\"\\/bfrt", at[1], 7) != NULL) {
            at += 2; /* ends of lines are by far the most */
        } else {
            return at;
        }
    }
}

/* The least depth at which no name is known and no member dropped or kept. */
static uint32_t unknown_depth(const struct kinf_json_stream *s)
{
#if CONFIG_KINF_KEEP_PATHS > 0
    uint32_t decided = s->drop_depth > 0 ? s->drop_depth : s->whole_depth;

    if (s->keep_count > 0 && s->in_object) {
        if (decided == 0)
            return UINT32_MAX;
        if (decided > s->role_depth)
            return decided + 1;
    }
#endif
    return s->role_depth + 1u;
}

/* A third of an object's bytes is dropped, most of the rest kept as it is: both
 * are passed here, as far as they are without mistakes and white space. What is
 * not taken here (a number, say) is left to the states above, and so is the
 * bracket that leads back to where names are known. */
static void run_ahead(struct kinf_json_stream *s)
{
    uint32_t least = unknown_depth(s);
    const char *at = s->at;
    unsigned state = s->state;

    while (at < s->end && s->depth >= least) {
        bool key = state <= KEY, value = state == VALUE || state == FIRST_VALUE;
        bool array = (s->arrays & 1) != 0;
        char c = *at;

        if (c == '"' && (key || value)) {
            at = skip_string(at + 1, s->end);
            if (at == s->end || *at != '"') {
                s->in_key = key;
                state = STRING;
                break;
            }
            state = key ? COLON : NEXT;
        } else if (c == ':' && state == COLON) {
            state = VALUE;
        } else if (c == ',' && state == NEXT) {
            state = array ? VALUE : KEY;
        } else if ((c == '{' || c == '[') && value && s->depth < LEVELS) {
            s->depth++;
            s->arrays = s->arrays << 1 | (c == '[');
            state = c == '[' ? FIRST_VALUE : FIRST_KEY;
        } else if (((c == '}' && !array) || (c == ']' && array)) &&
                   (state == NEXT || state == FIRST_KEY ||
                    state == FIRST_VALUE) &&
                   s->depth > least) {
            s->depth--;
            s->arrays >>= 1;
            state = NEXT;
        } else {
            break;
        }
        at++;
    }
    if (at == s->at)
        return;
    s->at = at;
    s->state = (uint8_t)state;
    s->comma = true;
}

#else
#define run_ahead(s) ((void)0)
#endif

/* ---- feeding ------------------------------------------------------------ */

void kinf_json_stream_init(struct kinf_json_stream *s, enum json_mode mode,
                           struct kinf_sink *sink, struct kinf_item *item)
{
    memset(s, 0, offsetof(struct kinf_json_stream, identity));
    s->mode = (uint8_t)mode;
    s->sink = sink;
    s->item = item;
    s->state = VALUE;
    item->event = mode == JSON_WATCH ? KINF_EVENT_UNKNOWN : KINF_EVENT_LISTED;
    expect_element(s);
}

/* Takes one token, or a part of one. */
static void step(struct kinf_json_stream *s)
{
    switch ((enum json_state)s->state) {
    case FIRST_KEY:
    case KEY:
    case COLON:
    case FIRST_VALUE:
    case VALUE:
    case NEXT:
    case DEEP:
    case NOTHING:
    default:
        between_tokens(s);
        if (s->state != STRING)
            break;
        /* fall through */
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
    }
}

int kinf_json_stream_feed(struct kinf_json_stream *s, const char *data,
                          size_t size, size_t *used)
{
    if (s->told == JSON_ITEM)
        begin_item(s);
    if (s->told > 0)
        s->told = KINF_OK;
    s->at = data;
    s->end = data + size;
    resume(s);
    while (s->told == KINF_OK && s->at < s->end) {
        step(s);
        if (s->state <= NEXT && s->depth > s->role_depth)
            run_ahead(s);
    }
    stop(s);
    *used = (size_t)(s->at - data);
    return s->told == KINF_OK ? KINF_ERR_AGAIN : s->told;
}

bool kinf_json_stream_between(const struct kinf_json_stream *s)
{
    return s->mode == JSON_WATCH && s->depth == 0 && s->told >= KINF_OK;
}
