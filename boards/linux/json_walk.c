/* SPDX-License-Identifier: Apache-2.0 */
/* json_walk.c - goes through JSON as it arrives. See json_walk.h. */
#include "json_walk.h"

#include <string.h>

enum state {
    WALK_VALUE,       /* a value must come */
    WALK_VALUE_OR_END, /* or the end of an empty array */
    WALK_KEY_OR_END,
    WALK_KEY,
    WALK_COLON,
    WALK_MORE, /* after a value inside something */
    WALK_STRING,
    WALK_ESCAPE,
    WALK_WORD, /* number, true, false, null */
    WALK_DONE
};

void json_walk_init(struct json_walk *w)
{
    w->depth = 0;
    w->path[0] = '\0';
    w->state = WALK_VALUE;
}

bool json_walk_done(const struct json_walk *w)
{
    return w->state == WALK_DONE;
}

static size_t path_len(const struct json_walk *w)
{
    return strlen(w->path);
}

/* The path back to that of the innermost level, without a member's name. */
static void trim(struct json_walk *w)
{
    w->path[w->depth ? w->lengths[w->depth - 1] : 0] = '\0';
}

static void append(struct json_walk *w, const char *text, size_t len)
{
    size_t at = path_len(w);

    if (at + len >= sizeof w->path)
        len = 0; /* no path of ours is so long */
    memcpy(w->path + at, text, len);
    w->path[at + len] = '\0';
}

static bool enter(struct json_walk *w, bool array)
{
    if (w->depth == WALK_DEPTH)
        return false;
    if (array)
        append(w, "[]", 2);
    w->arrays[w->depth] = array;
    w->lengths[w->depth++] = (uint8_t)path_len(w);
    w->state = array ? WALK_VALUE_OR_END : WALK_KEY_OR_END;
    return true;
}

static void after_value(struct json_walk *w)
{
    w->state = w->depth ? WALK_MORE : WALK_DONE;
}

static bool leave(struct json_walk *w, bool array)
{
    if (w->depth == 0 || w->arrays[w->depth - 1] != array)
        return false;
    trim(w);
    if (!array)
        w->end(w->ctx, w->path);
    w->depth--;
    after_value(w);
    return true;
}

static void begin_text(struct json_walk *w, bool key, enum state state)
{
    w->len = 0;
    w->odd = false;
    w->key = key;
    w->state = (uint8_t)state;
}

static void add(struct json_walk *w, char c)
{
    if (w->len == sizeof w->text)
        w->odd = true;
    else
        w->text[w->len++] = c;
}

static void end_text(struct json_walk *w)
{
    size_t len = w->odd ? 0 : w->len;

    if (!w->key) {
        w->value(w->ctx, w->path, (struct kinf_span){ w->text, len });
        after_value(w);
        return;
    }
    trim(w);
    if (path_len(w))
        append(w, ".", 1);
    append(w, w->text, len);
    w->state = WALK_COLON;
}

static bool begin_value(struct json_walk *w, char c)
{
    if (c == '{' || c == '[')
        return enter(w, c == '[');
    if (c == '"') {
        begin_text(w, false, WALK_STRING);
        return true;
    }
    begin_text(w, false, WALK_WORD);
    add(w, c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Between two texts. */
static bool structure(struct json_walk *w, char c)
{
    bool array = w->depth > 0 && w->arrays[w->depth - 1];

    if (is_blank(c))
        return true;
    switch ((enum state)w->state) {
    case WALK_VALUE_OR_END:
        if (c == ']')
            return leave(w, true);
        return begin_value(w, c);
    case WALK_VALUE:
        return begin_value(w, c);
    case WALK_KEY_OR_END:
        if (c == '}')
            return leave(w, false);
        begin_text(w, true, WALK_STRING);
        return c == '"';
    case WALK_KEY:
        begin_text(w, true, WALK_STRING);
        return c == '"';
    case WALK_COLON:
        w->state = WALK_VALUE;
        return c == ':';
    case WALK_MORE:
        if (c == ']' || c == '}')
            return leave(w, c == ']');
        if (array)
            trim(w);
        w->state = array ? WALK_VALUE : WALK_KEY;
        return c == ',';
    case WALK_STRING:
    case WALK_ESCAPE:
    case WALK_WORD:
    case WALK_DONE:
        break;
    }
    return false;
}

static bool step(struct json_walk *w, char c)
{
    switch ((enum state)w->state) {
    case WALK_STRING:
        if (c == '"')
            end_text(w);
        else if (c == '\\')
            w->state = WALK_ESCAPE;
        else
            add(w, c);
        return true;
    case WALK_ESCAPE:
        w->odd = true;
        w->state = WALK_STRING;
        return true;
    case WALK_WORD:
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
            c == 'E' || c == '+' || c == '-') {
            add(w, c);
            return true;
        }
        end_text(w);
        return structure(w, c);
    case WALK_VALUE:
    case WALK_VALUE_OR_END:
    case WALK_KEY_OR_END:
    case WALK_KEY:
    case WALK_COLON:
    case WALK_MORE:
    case WALK_DONE:
        break;
    }
    return structure(w, c);
}

bool json_walk_feed(struct json_walk *w, struct kinf_span piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        if (!step(w, piece.ptr[i]))
            return false;
    }
    return true;
}
