/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_path.c - reading values where they lie: paths, walks, strings, base64,
 * numbers, tables; over any bytes, whole or in pieces.
 *
 * Input: the size of a piece, a path up to a line break, a text. */
#include "fuzz.h"

enum { READ_MOST = 4096 };

static char whole[READ_MOST], parts[READ_MOST];

/* Reads all by pieces of a size. Returns the length, or an error at its end. */
static int by_pieces(struct kinf_value v, size_t size,
                     int (*read)(struct kinf_reader *, void *, size_t))
{
    struct kinf_reader r;
    size_t used = 0;
    int n;

    kinf_reader_init(&r, v);
    for (;;) {
        char *piece = malloc(size);

        MUST(piece != NULL);
        n = read(&r, piece, size);
        MUST(n <= (int)size);
        if (n > 0 && used + (size_t)n <= READ_MOST)
            memcpy(parts + used, piece, (size_t)n);
        free(piece);
        if (n <= 0)
            return n < 0 ? n : (int)used;
        used += (size_t)n;
        MUST(used <= v.raw.len);
    }
}

static void read_text(struct kinf_value v, size_t size)
{
    int n = kinf_string(v, whole, READ_MOST);

    MUST(by_pieces(v, size, kinf_read_string) == n);
    if (n > 0)
        MUST(memcmp(whole, parts, (size_t)n) == 0);
    if (n >= 0 && v.type == KINF_JSON_STRING) {
        MUST(kinf_equal(v, (struct kinf_span){ whole, (size_t)n }));
        MUST(n == 0 ||
             !kinf_equal(v, (struct kinf_span){ whole, (size_t)n - 1 }));
        MUST(n == 0 ||
             kinf_string(v, parts, (size_t)n - 1) == KINF_ERR_TOO_BIG);
    }
    n = kinf_base64(v, whole, READ_MOST);
    MUST(by_pieces(v, size, kinf_read_base64) == n);
    if (n > 0)
        MUST(memcmp(whole, parts, (size_t)n) == 0);
}

static void read_number(struct kinf_value v)
{
    int64_t n = 0;
    char text[32], again[32];

    if (kinf_int64(v, &n) != KINF_OK)
        return;
    MUST(v.type == KINF_JSON_NUMBER && v.raw.len > 0);
    if (v.raw.len >= sizeof(text) || v.raw.ptr[0] == '0' ||
        (v.raw.len > 1 && v.raw.ptr[0] == '-' && v.raw.ptr[1] == '0'))
        return;
    memcpy(text, v.raw.ptr, v.raw.len);
    text[v.raw.len] = '\0';
    snprintf(again, sizeof(again), "%lld", (long long)n);
    MUST(strcmp(text, again) == 0);
}

static void read_decoded(const struct kinf_object *object)
{
    struct thing {
        char text[16];
        int32_t small;
        int64_t large;
        bool yes;
        struct kinf_value map;
    } thing;
    static const struct kinf_field table[] = {
        KINF_FIELD(struct thing, text, KINF_FIELD_TEXT, "a"),
        KINF_FIELD(struct thing, small, KINF_FIELD_INT32, "b.c"),
        KINF_FIELD(struct thing, large, KINF_FIELD_INT64, "b.d[1]"),
        KINF_FIELD(struct thing, yes, KINF_FIELD_BOOL, "e"),
        KINF_FIELD(struct thing, map, KINF_FIELD_SPAN, "data"),
    };

    (void)kinf_decode(object, table, 5, &thing, sizeof(thing));
    MUST(memchr(thing.text, '\0', sizeof(thing.text)) != NULL);
}

/* Walks a container and, one level each, the first values inside it. */
static void walk(struct kinf_value of, size_t size)
{
    for (int depth = 0; depth < 8; depth++) {
        struct kinf_json_cursor cursor = { 0 };
        struct kinf_value value, inner = { KINF_JSON_NULL, { NULL, 0 } };
        struct kinf_span name;
        size_t before = 0;
        int more;

        while ((more = kinf_each(of, &cursor, &name, &value)) > 0) {
            MUST(cursor.at > before && cursor.at <= of.raw.len);
            MUST(value.raw.ptr >= of.raw.ptr &&
                 value.raw.ptr + value.raw.len <= of.raw.ptr + of.raw.len);
            before = cursor.at;
            read_text(value, size);
            read_number(value);
            if (value.type >= KINF_JSON_ARRAY)
                inner = value;
        }
        MUST(more == 0 || more == KINF_ERR_TYPE || more == KINF_ERR_JSON);
        if (inner.type == KINF_JSON_NULL)
            return;
        of = inner;
    }
}

/* A path leads where its two halves lead (in broken JSON the first may not be
 * found, because its end is not). */
static void find(struct kinf_value root, char *path, size_t size)
{
    struct kinf_value at, there, half;
    int found = kinf_value_find(root, path, &at), err;
    char *dot = strrchr(path, '.');

    if (found == KINF_OK) {
        MUST(at.raw.ptr >= root.raw.ptr &&
             at.raw.ptr + at.raw.len <= root.raw.ptr + root.raw.len);
        read_text(at, size);
        read_number(at);
        walk(at, size);
    }
    if (found == KINF_ERR_SYNTAX || dot == NULL || dot == path ||
        dot[-1] == '\\' || !json_is_valid(root.raw))
        return;
    *dot = '\0';
    err = kinf_value_find(root, path, &half);
    if (err == KINF_OK)
        err = kinf_value_find(half, dot + 1, &there);
    if (found == KINF_OK)
        MUST(err == KINF_OK && there.raw.ptr == at.raw.ptr &&
             there.raw.len == at.raw.len && there.type == at.type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { data, data + size };
    size_t piece = 1 + dice_byte(&d) % 40;
    struct kinf_span path = dice_until(&d, '\n'), text = dice_rest(&d);
    char *json = heap_copy(text), words[256];
    struct kinf_value string = { KINF_JSON_STRING, { json, text.len } };
    struct kinf_object object = { .json = { json, text.len } };
    struct kinf_value root = { KINF_JSON_OBJECT, object.json };
    struct kinf_span ns, name;

    if (text.len < READ_MOST && path.len < sizeof(words)) {
        if (path.len > 0)
            memcpy(words, path.ptr, path.len);
        words[path.len] = '\0';
        find(root, words, piece);
        walk(root, piece);
        read_text(string, piece);
        read_decoded(&object);
        if (kinf_split_key(path, &ns, &name) == KINF_OK)
            MUST(ns.len + name.len <= path.len);
    }
    free(json);
    return 0;
}
