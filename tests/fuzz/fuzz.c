/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

void kinf_assert_failed(unsigned file, unsigned line)
{
    fprintf(stderr, "core: assertion in file %u, line %u\n", file, line);
    abort();
}

/* ---- bytes to decide by ------------------------------------------------- */

uint8_t dice_byte(struct dice *d)
{
    return d->at < d->end ? *d->at++ : 0;
}

uint16_t dice_word(struct dice *d)
{
    uint8_t high = dice_byte(d);

    return (uint16_t)(high << 8 | dice_byte(d));
}

struct kinf_span dice_text(struct dice *d, size_t size)
{
    size_t left = (size_t)(d->end - d->at), n = size < left ? size : left;
    struct kinf_span text = { (const char *)d->at, n };

    d->at += n;
    return text;
}

struct kinf_span dice_until(struct dice *d, uint8_t stop)
{
    struct kinf_span rest = dice_rest(d);
    const char *found = rest.len > 0 ? memchr(rest.ptr, stop, rest.len) : NULL;

    if (found == NULL)
        return rest;
    d->at = (const uint8_t *)found + 1;
    return (struct kinf_span){ rest.ptr, (size_t)(found - rest.ptr) };
}

struct kinf_span dice_rest(struct dice *d)
{
    return dice_text(d, SIZE_MAX);
}

/* ---- pieces ------------------------------------------------------------- */

char *heap_copy(struct kinf_span text)
{
    char *copy = malloc(text.len); /* of 0 bytes too: none may be read */

    if (copy == NULL)
        abort();
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

struct pieces pieces_of(struct kinf_span input, struct kinf_span cuts)
{
    return (struct pieces){ .input = input, .cuts = cuts };
}

bool pieces_next(struct pieces *p, struct kinf_span *piece)
{
    size_t left = p->input.len - p->at, n = left;

    if (p->left.len == 0) {
        if (left == 0)
            return false;
        if (p->cuts.len > 0)
            n = 1 + (uint8_t)p->cuts.ptr[p->turn++ % p->cuts.len];
        if (n > left)
            n = left;
        free(p->copy);
        p->copy = heap_copy((struct kinf_span){ p->input.ptr + p->at, n });
        p->left = (struct kinf_span){ p->copy, n };
        p->at += n;
    }
    *piece = p->left;
    return true;
}

void pieces_used(struct pieces *p, size_t used)
{
    MUST(used <= p->left.len);
    p->left.ptr += used;
    p->left.len -= used;
}

size_t pieces_done(const struct pieces *p)
{
    return p->at - p->left.len;
}

void pieces_free(struct pieces *p)
{
    free(p->copy);
    p->copy = NULL;
}

/* ---- transcripts -------------------------------------------------------- */

void told_bytes(struct told *t, const char *bytes, size_t len)
{
    if (t->len + len > t->size) {
        t->size = 2 * (t->len + len) + 256;
        t->text = realloc(t->text, t->size);
        if (t->text == NULL)
            abort();
    }
    if (len > 0)
        memcpy(t->text + t->len, bytes, len);
    t->len += len;
}

void told_text(struct told *t, const char *name, struct kinf_span text)
{
    told_number(t, name, (long long)text.len);
    told_bytes(t, text.ptr, text.len);
}

void told_number(struct told *t, const char *name, long long number)
{
    char text[64];
    int len = snprintf(text, sizeof(text), " %s=%lld ", name, number);

    told_bytes(t, text, (size_t)len);
}

bool told_same(const struct told *a, const struct told *b)
{
    if (a->len == b->len &&
        (a->len == 0 || memcmp(a->text, b->text, a->len) == 0))
        return true;
    fprintf(stderr, "--- whole:\n%.*s\n--- in pieces:\n%.*s\n", (int)a->len,
            a->text, (int)b->len, b->text);
    return false;
}

void told_free(struct told *t)
{
    free(t->text);
    *t = (struct told){ NULL, 0, 0 };
}

/* ---- JSON --------------------------------------------------------------- */

struct scan {
    const unsigned char *at, *end;
};

static void pass_space(struct scan *s)
{
    while (s->at < s->end && memchr(" \t\r\n", *s->at, 4) != NULL)
        s->at++;
}

static bool pass_utf8(struct scan *s)
{
    unsigned c = *s->at++, n = 0, low = 0x80, high = 0xBF;

    if (c < 0x80)
        return c >= 0x20;
    if (c >= 0xC2 && c <= 0xDF)
        n = 1;
    else if (c >= 0xE0 && c <= 0xEF)
        n = 2;
    else if (c >= 0xF0 && c <= 0xF4)
        n = 3;
    else
        return false;
    if (c == 0xE0)
        low = 0xA0;
    if (c == 0xED)
        high = 0x9F; /* no surrogates */
    if (c == 0xF0)
        low = 0x90;
    if (c == 0xF4)
        high = 0x8F;
    for (; n > 0; n--, low = 0x80, high = 0xBF) {
        if (s->at == s->end || *s->at < low || *s->at > high)
            return false;
        s->at++;
    }
    return true;
}

static bool pass_escape(struct scan *s)
{
    if (s->at == s->end)
        return false;
    if (memchr("\"\\/bfnrt", *s->at, 8) != NULL) {
        s->at++;
        return true;
    }
    if (*s->at++ != 'u')
        return false;
    for (int i = 0; i < 4; i++, s->at++)
        if (s->at == s->end ||
            memchr("0123456789abcdefABCDEF", *s->at, 22) == NULL)
            return false;
    return true;
}

static bool pass_string(struct scan *s)
{
    if (s->at == s->end || *s->at != '"')
        return false;
    s->at++;
    while (s->at < s->end) {
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at == '\\') {
            s->at++;
            if (!pass_escape(s))
                return false;
        } else if (!pass_utf8(s)) {
            return false;
        }
    }
    return false;
}

static bool pass_digits(struct scan *s)
{
    const unsigned char *start = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > start;
}

static bool pass_number(struct scan *s)
{
    if (s->at < s->end && *s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!pass_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!pass_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at | 0x20) == 'e') {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        return pass_digits(s);
    }
    return true;
}

static bool pass_scalar(struct scan *s)
{
    static const char *const words[] = { "null", "true", "false" };

    for (int i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(s->end - s->at) >= len &&
            memcmp(s->at, words[i], len) == 0) {
            s->at += len;
            return true;
        }
    }
    return s->at < s->end && (*s->at == '"' ? pass_string(s) : pass_number(s));
}

static bool pass_name(struct scan *s)
{
    pass_space(s);
    if (!pass_string(s))
        return false;
    pass_space(s);
    return s->at < s->end && *s->at++ == ':';
}

/* A stack of open brackets, one byte each, in place of recursion. */
static bool pass_value(struct scan *s, char *open)
{
    size_t depth = 0;

    for (;;) {
        pass_space(s);
        if (s->at == s->end)
            return false;
        if (*s->at == '{' || *s->at == '[') {
            open[depth] = *s->at++ == '{' ? '}' : ']';
            pass_space(s);
            if (s->at < s->end && *s->at == open[depth]) {
                s->at++;
            } else if (open[depth++] == '}' && !pass_name(s)) {
                return false;
            } else {
                continue;
            }
        } else if (!pass_scalar(s)) {
            return false;
        }
        for (;; depth--) { /* a value is over */
            pass_space(s);
            if (depth == 0)
                return true;
            if (s->at == s->end)
                return false;
            if (*s->at == (unsigned char)open[depth - 1]) {
                s->at++;
                continue;
            }
            if (*s->at++ != ',' || (open[depth - 1] == '}' && !pass_name(s)))
                return false;
            break;
        }
    }
}

bool json_is_valid(struct kinf_span text)
{
    struct scan s = { (const unsigned char *)text.ptr,
                      (const unsigned char *)text.ptr + text.len };
    char *open = malloc(text.len + 1);
    bool valid;

    if (open == NULL)
        abort();
    valid = pass_value(&s, open) && s.at == s.end;
    free(open);
    return valid;
}

/* The next string (without its quotes) or word. False at the end. Brackets,
 * commas and colons are passed over, and so is what cannot be read. */
static bool next_token(struct scan *s, struct kinf_value *token)
{
    const unsigned char *start;

    while (s->at < s->end && memchr("{}[],: \t\r\n", *s->at, 11) != NULL)
        s->at++;
    if (s->at == s->end)
        return false;
    start = s->at;
    token->type = KINF_JSON_NUMBER;
    if (*s->at == '"') {
        token->type = KINF_JSON_STRING;
        start = ++s->at;
        while (s->at < s->end && *s->at != '"')
            s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
        token->raw =
            (struct kinf_span){ (const char *)start, (size_t)(s->at - start) };
        s->at += s->at < s->end;
        return true;
    }
    while (s->at < s->end && memchr("{}[],: \t\r\n\"", *s->at, 12) == NULL)
        s->at++;
    token->raw =
        (struct kinf_span){ (const char *)start, (size_t)(s->at - start) };
    return true;
}

static size_t unescaped(struct kinf_value v, char *out, size_t size)
{
    int n = kinf_string(v, out, size);

    return n < 0 ? SIZE_MAX : (size_t)n;
}

static bool says_same(struct kinf_value a, struct kinf_value b, char *x,
                      char *y, size_t size)
{
    size_t n;

    if (a.type != b.type)
        return false;
    if (a.raw.len == b.raw.len && memcmp(a.raw.ptr, b.raw.ptr, a.raw.len) == 0)
        return true;
    if (a.type != KINF_JSON_STRING || b.raw.len == 0 ||
        memchr(b.raw.ptr, '\\', b.raw.len) == NULL)
        return false;
    n = unescaped(a, x, size);
    return n != SIZE_MAX && n == unescaped(b, y, size) && memcmp(x, y, n) == 0;
}

bool json_came_from(struct kinf_span kept, struct kinf_span said)
{
    struct scan k = { (const unsigned char *)kept.ptr,
                      (const unsigned char *)kept.ptr + kept.len };
    struct scan s = { (const unsigned char *)said.ptr, NULL };
    size_t size = kept.len + said.len + 1;
    char *x = malloc(size), *y = malloc(size);
    struct kinf_value want, have;
    bool found = said.len > 0;

    if (x == NULL || y == NULL)
        abort();
    if (found)
        s.end = s.at + said.len;
    while (found && next_token(&k, &want)) {
        found = false;
        while (!found && next_token(&s, &have))
            found = says_same(want, have, x, y, size);
    }
    free(x);
    free(y);
    return found;
}
