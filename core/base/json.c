/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - reads what a value holds out of JSON text, where it lies.
 *
 * jsmn is the lexer: it is asked for one string or primitive at a time, so no
 * array of tokens exists and a document may be of any size and depth. Brackets
 * are counted here, for jsmn_parse keeps a token for each. A text is passed
 * once: a path steps into a container without having looked for its end.
 *
 * Kept JSON has been checked by the wire; a value of the user's own may be
 * anything, so every step is checked again, against its bounds first. */
#define KINF_FILE 50
#define JSMN_STATIC
#define JSMN_STRICT
#include <jsmn.h>
#include <string.h>

#include "assert.h"
#include "span.h"

struct text {
    const char *at, *end;
};

/* ---- lexer -------------------------------------------------------------- */

/* The next character that is no white space, 0 at the end. */
static char peek(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' ||
                              *t->at == '\r' || *t->at == '\t'))
        t->at++;
    return t->at < t->end ? *t->at : '\0';
}

/* Takes a string or a primitive, by one of jsmn's two lexers. */
static int take_token(struct text *t, struct kinf_span *raw)
{
    size_t left = (size_t)(t->end - t->at);
    jsmn_parser parser = { .toksuper = -1 };
    jsmntok_t token;
    int err = *t->at == '"'
                  ? jsmn_parse_string(&parser, t->at, left, &token, 1)
                  : jsmn_parse_primitive(&parser, t->at, left, &token, 1);

    if (err < 0)
        return KINF_ERR_JSON;
    *raw = span_of(t->at + token.start, (size_t)(token.end - token.start));
    t->at += parser.pos + 1;
    return KINF_OK;
}

/* Passes a container by counting brackets; they need not be of one kind. */
static int skip_container(struct text *t)
{
    struct kinf_span ignored;
    size_t depth = 0;

    while (t->at < t->end) {
        switch (*t->at) {
        case '"':
            if (take_token(t, &ignored) < 0)
                return KINF_ERR_JSON;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        t->at++;
        if (depth == 0)
            return KINF_OK;
    }
    return KINF_ERR_JSON;
}

static int take_primitive(struct text *t, struct kinf_value *v)
{
    if (take_token(t, &v->raw) < 0 || v->raw.len == 0)
        return KINF_ERR_JSON;
    if (span_equal(v->raw, KINF_SPAN("null")))
        v->type = KINF_JSON_NULL;
    else if (span_equal(v->raw, KINF_SPAN("true")) ||
             span_equal(v->raw, KINF_SPAN("false")))
        v->type = KINF_JSON_BOOL;
    else if (v->raw.ptr[0] == '-' ||
             (v->raw.ptr[0] >= '0' && v->raw.ptr[0] <= '9'))
        v->type = KINF_JSON_NUMBER;
    else
        return KINF_ERR_JSON;
    return KINF_OK;
}

static int take_value(struct text *t, struct kinf_value *v)
{
    char c = peek(t);
    const char *start = t->at;

    switch (c) {
    case '\0':
        return KINF_ERR_JSON;
    case '"':
        v->type = KINF_JSON_STRING;
        return take_token(t, &v->raw);
    case '{':
    case '[':
        v->type = c == '{' ? KINF_JSON_OBJECT : KINF_JSON_ARRAY;
        if (skip_container(t) < 0)
            return KINF_ERR_JSON;
        v->raw = span_of(start, (size_t)(t->at - start));
        return KINF_OK;
    default:
        return take_primitive(t, v);
    }
}

/* Goes to the next value of a container whose bracket has been taken. Returns
 * 1, 0 at the closing bracket (which stays), or KINF_ERR_JSON. */
static int next_item(struct text *t, bool first, char close,
                     struct kinf_span *name)
{
    char c = peek(t);

    *name = span_of(t->at, 0);
    if (c == close)
        return 0;
    if (!first && c != ',')
        return KINF_ERR_JSON;
    t->at += !first;
    if (close == ']')
        return 1;
    if (peek(t) != '"' || take_token(t, name) < 0 || peek(t) != ':')
        return KINF_ERR_JSON;
    t->at++;
    return 1;
}

int kinf_each(struct kinf_value of, struct kinf_json_cursor *cursor,
              struct kinf_span *name, struct kinf_value *value)
{
    struct text t = { of.raw.ptr + cursor->at, of.raw.ptr + of.raw.len };
    bool first = cursor->at == 0;
    int more;

    if (of.type != KINF_JSON_OBJECT && of.type != KINF_JSON_ARRAY)
        return KINF_ERR_TYPE;
    KINF_ASSERT(cursor->at <= of.raw.len);
    if (t.at == t.end)
        return KINF_ERR_JSON;
    t.at += first;
    more = next_item(&t, first, of.type == KINF_JSON_OBJECT ? '}' : ']', name);
    if (more <= 0)
        return more;
    if (take_value(&t, value) < 0)
        return KINF_ERR_JSON;
    cursor->at = (size_t)(t.at - of.raw.ptr);
    return 1;
}

/* ---- strings ------------------------------------------------------------ */

#define NOT_A_STRING SIZE_MAX /* a place no text has */
enum { PIECE = 32 };          /* bytes compared at once */

void kinf_reader_init(struct kinf_reader *r, struct kinf_value value)
{
    *r = (struct kinf_reader){ .raw = value.raw };
    if (value.type != KINF_JSON_STRING)
        r->at = NOT_A_STRING;
}

/* The four digits of the \u escape at a place, or -1. */
static int32_t hex4(struct kinf_span raw, size_t at)
{
    int32_t code = 0;

    if (raw.len - at < 6 || raw.ptr[at] != '\\' || raw.ptr[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = raw.ptr[i];

        if (c >= '0' && c <= '9')
            code = code * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            code = code * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return code;
}

/* Leaves a character's UTF-8 in bits, its first byte lowest. */
static void encode(struct kinf_reader *r, uint32_t code)
{
    static const uint8_t lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    unsigned n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    r->held = (uint8_t)n;
    r->bits = 0;
    for (unsigned i = 1; i < n; i++, code >>= 6)
        r->bits = (r->bits | 0x80 | (code & 0x3F)) << 8;
    r->bits |= lead[n] | code;
}

/* Takes the escape at r->at. Half a surrogate pair gives U+FFFD, as in Go. */
static int unescape(struct kinf_reader *r)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    int32_t code = hex4(r->raw, r->at), low;
    const char *name;

    if (code < 0) {
        if (r->raw.len - r->at < 2)
            return KINF_ERR_TYPE;
        name = memchr(names, r->raw.ptr[r->at + 1], sizeof(names) - 1);
        if (name == NULL)
            return KINF_ERR_TYPE;
        encode(r, (uint8_t)means[name - names]);
        r->at += 2;
        return KINF_OK;
    }
    r->at += 6;
    if (code >= 0xD800 && code < 0xE000) {
        low = code < 0xDC00 ? hex4(r->raw, r->at) : -1;
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            r->at += 6;
        } else {
            code = 0xFFFD;
        }
    }
    encode(r, (uint32_t)code);
    return KINF_OK;
}

/* Copies what comes before the next escape. What does not fit is cut between
 * two characters, unless that would leave an empty piece. */
static size_t copy_run(struct kinf_reader *r, char *out, size_t room,
                       bool empty)
{
    const char *from = r->raw.ptr + r->at;
    size_t left = r->raw.len - r->at, n = left < room ? left : room, cut;
    const char *escape = n == 0 ? NULL : memchr(from, '\\', n);

    if (escape != NULL) {
        n = (size_t)(escape - from);
    } else if (n < left) {
        for (cut = n; cut > 0 && ((uint8_t)from[cut] & 0xC0) == 0x80;)
            cut--;
        if (cut > 0 || !empty)
            n = cut;
    }
    if (n > 0)
        memcpy(out, from, n);
    r->at += n;
    return n;
}

int kinf_read_string(struct kinf_reader *r, void *buf, size_t size)
{
    char *out = buf;
    size_t used = 0, n;

    KINF_ASSERT(size > 0);
    if (r->at == NOT_A_STRING)
        return KINF_ERR_TYPE;
    while (r->held > 0 || r->at < r->raw.len) {
        if (r->held == 0 && r->raw.ptr[r->at] == '\\' && unescape(r) < 0)
            return used > 0 ? (int)used : KINF_ERR_TYPE;
        if (r->held == 0) {
            n = copy_run(r, out + used, size - used, used == 0);
            used += n;
            if (n == 0)
                break;
            continue;
        }
        if (r->held > size - used && used > 0)
            break;
        for (; r->held > 0 && used < size; r->held--, r->bits >>= 8)
            out[used++] = (char)(r->bits & 0xFF);
    }
    return (int)used;
}

/* Do a string and a text say the same? With escaped, a backslash in the text
 * stands before a character that means itself. */
static bool same(struct kinf_span raw, struct kinf_span text, bool escaped)
{
    struct kinf_reader r = { .raw = raw };
    char piece[PIECE];
    size_t at = 0;
    int n;

    /* Most names that differ do so at once. */
    if (raw.len > 0 && text.len > 0 && raw.ptr[0] != text.ptr[0] &&
        raw.ptr[0] != '\\' && text.ptr[0] != '\\')
        return false;
    while ((n = kinf_read_string(&r, piece, sizeof(piece))) > 0) {
        for (int i = 0; i < n; i++) {
            if (escaped && at < text.len && text.ptr[at] == '\\')
                at++;
            if (at == text.len || text.ptr[at++] != piece[i])
                return false;
        }
    }
    return n == 0 && at == text.len;
}

bool kinf_equal(struct kinf_value value, struct kinf_span text)
{
    return value.type == KINF_JSON_STRING ? same(value.raw, text, false)
                                          : span_equal(value.raw, text);
}

/* ---- base64 ------------------------------------------------------------- */

/* What base64 expects next, beside the bits it holds (0, 6, 4, 2). */
enum { ONE_MORE_PAD = 100, ALL_READ };

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Takes one character. Returns 1 if *byte is whole, 0 or KINF_ERR_TYPE. Line
 * breaks are passed and unused bits ignored, as in Go. */
static int take_sextet(struct kinf_reader *r, char c, uint8_t *byte)
{
    int six = sextet(c);

    if (c == '\n' || c == '\r')
        return 0;
    if (c == '=' && (r->held == 4 || r->held == 2 || r->held == ONE_MORE_PAD)) {
        r->held = r->held == 4 ? ONE_MORE_PAD : ALL_READ;
        return 0;
    }
    if (six < 0 || r->held >= ONE_MORE_PAD)
        return KINF_ERR_TYPE;
    r->bits = r->bits << 6 | (uint32_t)six;
    if (r->held == 0) {
        r->held = 6;
        return 0;
    }
    r->held = (uint8_t)(r->held - 2);
    *byte = (uint8_t)(r->bits >> r->held);
    return 1;
}

/* The character at the reader's place, which moves behind it; NUL, which no
 * base64 has, for what is not one byte. */
static char next_char(struct kinf_reader *r)
{
    struct kinf_reader one = { .raw = r->raw, .at = r->at };

    if (r->raw.ptr[r->at] != '\\')
        return r->raw.ptr[r->at++];
    if (unescape(&one) < 0 || one.held != 1)
        return '\0';
    r->at = one.at;
    return (char)one.bits;
}

int kinf_read_base64(struct kinf_reader *r, void *buf, size_t size)
{
    uint8_t *out = buf;
    size_t used = 0;

    KINF_ASSERT(size > 0);
    if (r->at == NOT_A_STRING)
        return KINF_ERR_TYPE;
    while (r->at < r->raw.len && used < size) {
        struct kinf_reader before = *r;
        char c = next_char(r);
        int whole = take_sextet(r, c, &out[used]);

        if (whole < 0) {
            *r = before;
            return used > 0 ? (int)used : KINF_ERR_TYPE;
        }
        used += (size_t)whole;
    }
    if (used == 0 && r->held != 0 && r->held != ALL_READ)
        return KINF_ERR_TYPE;
    return (int)used;
}

/* ---- whole values ------------------------------------------------------- */

/* Reads all, by one of the two above. */
static int read_all(struct kinf_value value, void *buf, size_t size,
                    int (*read)(struct kinf_reader *, void *, size_t))
{
    struct kinf_reader r;
    char rest[4];
    int used = 0, more;

    kinf_reader_init(&r, value);
    if (size > 0)
        used = read(&r, buf, size);
    if (used < 0)
        return used;
    more = read(&r, rest, sizeof(rest));
    return more > 0 ? KINF_ERR_TOO_BIG : more < 0 ? more : used;
}

int kinf_string(struct kinf_value value, char *buf, size_t size)
{
    return read_all(value, buf, size, kinf_read_string);
}

int kinf_base64(struct kinf_value value, void *buf, size_t size)
{
    return read_all(value, buf, size, kinf_read_base64);
}

/* A number with a fraction or an exponent is KINF_ERR_TYPE. */
int kinf_int64(struct kinf_value value, int64_t *out)
{
    const char *at = value.raw.ptr, *end = at + value.raw.len;
    bool negative = value.raw.len > 0 && *at == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, n = 0;

    at += negative;
    if (value.type != KINF_JSON_NUMBER || at == end)
        return KINF_ERR_TYPE;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return KINF_ERR_TYPE;
        if (n > (uint64_t)INT64_MAX / 10)
            return KINF_ERR_TOO_BIG;
        n = n * 10 + (uint64_t)(*at - '0');
        if (n > limit)
            return KINF_ERR_TOO_BIG;
    }
    *out = negative && n > 0 ? -(int64_t)(n - 1) - 1 : (int64_t)n;
    return KINF_OK;
}

/* ---- paths -------------------------------------------------------------- */

/* One step of a path: a name as the path writes it, or an index. */
struct step {
    struct kinf_span name;
    uint32_t index; /* beyond any array: not found */
    bool by_index;
};

static const char *take_index(const char *p, struct step *s)
{
    const char *digits = p;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (s->index < UINT32_MAX / 10)
            s->index = s->index * 10 + (uint32_t)(*p - '0');
        else
            s->index = UINT32_MAX;
    }
    return p == digits || *p != ']' ? NULL : p + 1;
}

static const char *take_name(const char *p, struct step *s)
{
    const char *start = p;

    for (; *p != '\0' && *p != '.' && *p != '[' && *p != ']'; p++) {
        if (*p == '\\' && *++p == '\0')
            return NULL;
    }
    s->name = span_of(start, (size_t)(p - start));
    return p == start || *p == ']' ? NULL : p;
}

/* Takes a step off a path and returns the rest, or NULL: not a path. */
static const char *take_step(const char *p, struct step *s)
{
    *s = (struct step){ .by_index = *p == '[' };
    p = s->by_index ? take_index(p + 1, s) : take_name(p, s);
    if (p == NULL || *p == '\0' || *p == '[')
        return p;
    if (*p != '.' || p[1] == '\0' || p[1] == '[')
        return NULL;
    return p + 1;
}

/* Goes from the start of a value to the start of one inside it. */
static int descend(struct text *t, const struct step *s)
{
    struct kinf_span name;
    struct kinf_value ignored;
    char open = peek(t);
    int more;

    if (open != (s->by_index ? '[' : '{'))
        return open == 'n' ? KINF_ERR_NOT_FOUND : KINF_ERR_TYPE;
    t->at++;
    for (uint32_t i = 0;; i++) {
        more = next_item(t, i == 0, s->by_index ? ']' : '}', &name);
        if (more <= 0)
            return more == 0 ? KINF_ERR_NOT_FOUND : more;
        if (s->by_index ? i == s->index : same(name, s->name, true))
            return KINF_OK;
        if (take_value(t, &ignored) < 0)
            return KINF_ERR_JSON;
    }
}

/* A path is read to its end even when nothing is found, so that a mistake in
 * it does not depend on the object. */
int kinf_value_find(struct kinf_value from, const char *path,
                    struct kinf_value *out)
{
    struct text t = { from.raw.ptr, from.raw.ptr + from.raw.len };
    bool deep = from.type == KINF_JSON_OBJECT || from.type == KINF_JSON_ARRAY;
    int err = deep ? KINF_OK
                   : from.type == KINF_JSON_NULL ? KINF_ERR_NOT_FOUND
                                                 : KINF_ERR_TYPE;
    struct step s;

    if (*path == '\0') {
        *out = from;
        return KINF_OK;
    }
    while (*path != '\0') {
        path = take_step(path, &s);
        if (path == NULL)
            return KINF_ERR_SYNTAX;
        if (err == KINF_OK)
            err = descend(&t, &s);
    }
    return err == KINF_OK ? take_value(&t, out) : err;
}
