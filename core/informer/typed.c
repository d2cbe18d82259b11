/* SPDX-License-Identifier: Apache-2.0 */
/* typed.c - fills C structs from objects by tables of paths. */
#define KINF_FILE 52
#include "base/assert.h"
#include "base/span.h"

/* A NUL inside would cut the C text short without a word. */
static int fill_text(struct kinf_value value, char *out, size_t size)
{
    int len = kinf_string(value, out, size - 1);

    if (len >= 0 && memchr(out, '\0', (size_t)len) != NULL)
        len = KINF_ERR_TYPE;
    if (len < 0)
        memset(out, 0, size);
    return len < 0 ? len : KINF_OK;
}

static int fill_int32(struct kinf_value value, void *out)
{
    int64_t wide = 0;
    int err = kinf_int64(value, &wide);
    int32_t narrow = (int32_t)wide;

    if (err == KINF_OK && narrow != wide)
        err = KINF_ERR_TOO_BIG;
    if (err == KINF_OK)
        memcpy(out, &narrow, sizeof(narrow));
    return err;
}

static int fill_int64(struct kinf_value value, void *out)
{
    int64_t wide;
    int err = kinf_int64(value, &wide);

    if (err == KINF_OK)
        memcpy(out, &wide, sizeof(wide));
    return err;
}

/* Fills one field; out may be at any place, so no typed pointer is used. */
static int fill(const struct kinf_field *field, struct kinf_value value,
                char *out)
{
    bool yes;

    if (value.type == KINF_JSON_NULL)
        return KINF_OK;
    switch (field->type) {
    case KINF_FIELD_TEXT:
        return fill_text(value, out, field->size);
    case KINF_FIELD_INT32:
        KINF_ASSERT(field->size == sizeof(int32_t));
        return fill_int32(value, out);
    case KINF_FIELD_INT64:
        KINF_ASSERT(field->size == sizeof(int64_t));
        return fill_int64(value, out);
    case KINF_FIELD_BOOL:
        KINF_ASSERT(field->size == sizeof(bool));
        if (value.type != KINF_JSON_BOOL)
            return KINF_ERR_TYPE;
        yes = value.raw.ptr[0] == 't';
        memcpy(out, &yes, sizeof(yes));
        return KINF_OK;
    case KINF_FIELD_SPAN:
        KINF_ASSERT(field->size == sizeof(value));
        memcpy(out, &value, sizeof(value));
        return KINF_OK;
    }
    KINF_UNREACHABLE("a field has a type");
    return KINF_ERR_TYPE;
}

int kinf_decode(const struct kinf_object *object,
                const struct kinf_field *table, size_t count, void *out,
                size_t out_size)
{
    struct kinf_value value;
    int first = KINF_OK, err;

    memset(out, 0, out_size);
    if (object->reason != KINF_WHOLE)
        return KINF_ERR_TOO_BIG;
    for (size_t i = 0; i < count; i++) {
        KINF_ASSERT(table[i].size > 0);
        KINF_ASSERT((size_t)table[i].offset + table[i].size <= out_size);
        err = kinf_find(object, table[i].path, &value);
        if (err == KINF_OK)
            err = fill(&table[i], value, (char *)out + table[i].offset);
        if (first == KINF_OK && err != KINF_ERR_NOT_FOUND)
            first = err;
    }
    return first;
}

/* ---- keys of ConfigMaps and Secrets ------------------------------------- */

enum { DATA, BINARY_DATA, ALL_GIVEN };

/* Looks up the next map. Returns 1, or 0 when it is absent. */
static int enter_map(const struct kinf_object *object,
                     struct kinf_data_cursor *c)
{
    int err = kinf_find(object, c->stage == DATA ? "data" : "binaryData",
                        &c->map);

    c->at.at = 0;
    if (err == KINF_ERR_NOT_FOUND)
        return 0;
    return err < 0 ? err : c->map.type != KINF_JSON_NULL;
}

static int each_key(const struct kinf_object *object,
                    struct kinf_data_cursor *c, uint8_t end,
                    struct kinf_span *key, struct kinf_value *value)
{
    int more;

    for (; c->stage < end; c->stage++, c->map.raw.ptr = NULL) {
        more = c->map.raw.ptr == NULL ? enter_map(object, c) : 1;
        if (more > 0)
            more = c->map.type == KINF_JSON_OBJECT
                       ? kinf_each(c->map, &c->at, key, value)
                       : KINF_ERR_TYPE;
        if (more != 0)
            return more;
    }
    return 0;
}

int kinf_configmap_each(const struct kinf_object *object,
                        struct kinf_data_cursor *cursor, struct kinf_span *key,
                        struct kinf_value *value, bool *binary)
{
    int more = each_key(object, cursor, ALL_GIVEN, key, value);

    *binary = cursor->stage == BINARY_DATA;
    return more;
}

int kinf_secret_each(const struct kinf_object *object,
                     struct kinf_data_cursor *cursor, struct kinf_span *key,
                     struct kinf_value *value, bool *binary)
{
    *binary = true;
    return each_key(object, cursor, BINARY_DATA, key, value);
}
