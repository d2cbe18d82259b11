/* SPDX-License-Identifier: Apache-2.0 */
/* selector.c - matches label selectors as apimachinery's labels.Parse does.
 *
 * Nothing is compiled: a selector is read anew for each object, and to its end
 * even when the answer is known, so that KINF_ERR_SYNTAX does not depend on the
 * object. An absent label satisfies "!=" and "notin". */
#define KINF_FILE 53
#include "selector.h"

#include "base/assert.h"
#include "base/span.h"

enum {
    NAME_MAX_ = 63,   /* of a label's name and value */
    PREFIX_MAX_ = 253 /* of what stands before a label name's slash */
};

struct scan {
    const char *at, *end;
};

/* The label asked about, and what is found of it as its values are read. */
struct label {
    struct kinf_value value;
    bool present, found;
};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Passes white space, then the given text if it comes next. */
static bool take(struct scan *s, const char *text)
{
    size_t len = strlen(text);

    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' ||
                              *s->at == '\n' || *s->at == '\r'))
        s->at++;
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
        return false;
    s->at += len;
    return true;
}

static bool at_end(struct scan *s)
{
    take(s, "");
    return s->at == s->end;
}

/* A word: all up to white space or a character of the grammar. */
static struct kinf_span take_word(struct scan *s)
{
    const char *start;

    take(s, "");
    for (start = s->at; s->at < s->end; s->at++) {
        if (memchr("=!(),<> \t\r\n", *s->at, 11) != NULL)
            break;
    }
    return span_of(start, (size_t)(s->at - start));
}

static bool legal(struct kinf_span text, size_t max)
{
    if (text.len == 0 || text.len > max || !is_alnum(text.ptr[0]) ||
        !is_alnum(text.ptr[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!is_alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

static bool legal_key(struct kinf_span key)
{
    struct kinf_span prefix, name;

    if (kinf_split_key(key, &prefix, &name) < 0 || !legal(name, NAME_MAX_))
        return false;
    return name.len == key.len || legal(prefix, PREFIX_MAX_);
}

/* Looks up a label. Label names hold dots, so this is no path. */
static struct label look_up(const struct kinf_value *labels,
                            struct kinf_span key)
{
    struct kinf_json_cursor cursor = { 0 };
    struct label l = { .present = false };
    struct kinf_value name = { .type = KINF_JSON_STRING };

    while (labels != NULL && !l.present &&
           kinf_each(*labels, &cursor, &name.raw, &l.value) > 0)
        l.present = kinf_equal(name, key);
    return l;
}

/* Takes one value, perhaps an empty one, and compares. */
static int take_value(struct scan *s, struct label *l)
{
    struct kinf_span word = take_word(s);

    if (word.len > 0 && !legal(word, NAME_MAX_))
        return KINF_ERR_SYNTAX;
    l->found = l->found || (l->present && kinf_equal(l->value, word));
    return KINF_OK;
}

static int take_set(struct scan *s, struct label *l)
{
    if (!take(s, "(") || take(s, ")"))
        return KINF_ERR_SYNTAX; /* an empty set matches nothing */
    do {
        if (take_value(s, l) < 0)
            return KINF_ERR_SYNTAX;
    } while (take(s, ","));
    return take(s, ")") ? KINF_OK : KINF_ERR_SYNTAX;
}

/* Takes one requirement. Returns 1, 0 or KINF_ERR_SYNTAX. */
static int take_requirement(struct scan *s, const struct kinf_value *labels)
{
    bool absent = take(s, "!"), negative = false;
    struct kinf_span key = take_word(s), word;
    struct label l;

    if (!legal_key(key))
        return KINF_ERR_SYNTAX;
    l = look_up(labels, key);
    if (at_end(s) || *s->at == ',')
        return l.present != absent;
    if (absent)
        return KINF_ERR_SYNTAX;
    if (take(s, "!=") || take(s, "==") || take(s, "=")) {
        negative = s->at[-2] == '!';
        if (take_value(s, &l) < 0)
            return KINF_ERR_SYNTAX;
        return l.found != negative;
    }
    word = take_word(s);
    negative = span_equal(word, KINF_SPAN("notin"));
    if (!negative && !span_equal(word, KINF_SPAN("in")))
        return KINF_ERR_SYNTAX;
    if (take_set(s, &l) < 0)
        return KINF_ERR_SYNTAX;
    return l.found != negative;
}

/* An empty one may be a null pointer: nothing is added to that. */
static bool is_empty(struct kinf_span selector)
{
    struct scan s;

    if (selector.len == 0)
        return true;
    s = (struct scan){ selector.ptr, selector.ptr + selector.len };
    return at_end(&s);
}

static int evaluate(struct kinf_span selector, const struct kinf_value *labels)
{
    struct scan s;
    int matches = 1, one;

    if (is_empty(selector))
        return 1;
    s = (struct scan){ selector.ptr, selector.ptr + selector.len };
    do {
        one = take_requirement(&s, labels);
        if (one < 0)
            return one;
        matches &= one;
    } while (take(&s, ","));
    return at_end(&s) ? matches : KINF_ERR_SYNTAX;
}

int kinf_selector_check(struct kinf_span selector)
{
    int answer = evaluate(selector, NULL);

    return answer < 0 ? answer : KINF_OK;
}

/* What an identity's labels are is not known: KINF_ERR_TOO_BIG, unless nothing
 * is asked of them. */
int kinf_selector_match(struct kinf_span selector,
                        const struct kinf_object *object)
{
    struct kinf_value labels;
    int err = kinf_find(object, "metadata.labels", &labels);
    bool some = err == KINF_OK && labels.type == KINF_JSON_OBJECT;
    int answer = evaluate(selector, some ? &labels : NULL);

    if (err == KINF_ERR_TOO_BIG && answer >= 0 && !is_empty(selector))
        return KINF_ERR_TOO_BIG;
    return answer;
}
