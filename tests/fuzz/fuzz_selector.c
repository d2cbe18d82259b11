/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_selector.c - label selectors against objects: whether one can be read
 * does not depend on the object, and a list of two means both.
 *
 * Input: a selector, a line break, another one, a line break, an object. */
#include "fuzz.h"
#include "informer/selector.h"

/* The selector that asks for nothing. */
static bool blank(struct kinf_span text)
{
    size_t at = 0;

    while (at < text.len && memchr(" \t\r\n", text.ptr[at], 4) != NULL)
        at++;
    return at == text.len;
}

static int match(struct kinf_span selector, const struct kinf_object *object)
{
    char *copy = heap_copy(selector);
    struct kinf_span s = { copy, selector.len };
    int matches = kinf_selector_match(s, object);

    MUST(matches == 0 || matches == 1 || matches == KINF_ERR_SYNTAX);
    MUST((kinf_selector_check(s) == KINF_OK) == (matches >= 0));
    free(copy);
    return matches;
}

/* Both joined by a comma. */
static void match_both(struct kinf_span a, struct kinf_span b,
                       const struct kinf_object *object)
{
    struct told both = { NULL, 0, 0 };
    int first = match(a, object), second = match(b, object);

    told_bytes(&both, a.ptr, a.len);
    told_bytes(&both, ",", 1);
    told_bytes(&both, b.ptr, b.len);
    if (first >= 0 && second >= 0 && !blank(a) && !blank(b))
        MUST(match((struct kinf_span){ both.text, both.len }, object) ==
             (first && second));
    told_free(&both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { data, data + size };
    struct kinf_span a = dice_until(&d, '\n'), b = dice_until(&d, '\n');
    struct kinf_span text = dice_rest(&d);
    char *json = heap_copy(text);
    struct kinf_object object = { .json = { json, text.len } };
    struct kinf_object empty = { .json = { "{}", 2 } };

    match_both(a, b, &object);
    MUST((match(a, &empty) < 0) == (match(a, &object) < 0));
    object.reason = KINF_REASON_TOO_BIG;
    MUST(kinf_selector_match(a, &object) < 0 || blank(a));
    free(json);
    return 0;
}
