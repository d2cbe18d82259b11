/* SPDX-License-Identifier: Apache-2.0 */
/* object.c - what can be done with an object in hand: find, copy, its key. */
#define KINF_FILE 51
#include "base/assert.h"
#include "base/span.h"

int kinf_find(const struct kinf_object *object, const char *path,
              struct kinf_value *out)
{
    struct kinf_value root = { KINF_JSON_OBJECT, object->json };

    if (object->reason != KINF_WHOLE)
        return KINF_ERR_TOO_BIG;
    return kinf_value_find(root, path, out);
}

/* The identity usually lies inside the JSON; then it is not copied twice. */
static bool inside(struct kinf_span part, struct kinf_span whole)
{
    uintptr_t from = (uintptr_t)part.ptr - (uintptr_t)whole.ptr;

    return part.len <= whole.len && from <= whole.len - part.len;
}

int kinf_copy(const struct kinf_object *object, void *buf, size_t size,
              struct kinf_object *out)
{
    struct kinf_object copy = *object;
    struct kinf_span *parts[] = { &copy.json, &copy.name, &copy.namespace_,
                                  &copy.uid, &copy.resource_version };
    char *to = buf;
    size_t used = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct kinf_span *part = parts[i];

        if (part->len == 0) {
            part->ptr = to;
            continue;
        }
        if (i > 0 && inside(*part, object->json)) {
            part->ptr = to + (part->ptr - object->json.ptr);
            continue;
        }
        if (part->len > size - used)
            return KINF_ERR_TOO_BIG;
        memcpy(to + used, part->ptr, part->len);
        part->ptr = to + used;
        used += part->len;
    }
    *out = copy;
    return (int)used;
}

int kinf_object_key(const struct kinf_object *object, char *buf, size_t size)
{
    struct kinf_span ns = object->namespace_, name = object->name;
    size_t slash = ns.len > 0;

    if (ns.len + slash + name.len > size)
        return KINF_ERR_TOO_BIG;
    if (slash) {
        memcpy(buf, ns.ptr, ns.len);
        buf[ns.len] = '/';
    }
    if (name.len > 0)
        memcpy(buf + ns.len + slash, name.ptr, name.len);
    return (int)(ns.len + slash + name.len);
}

int kinf_split_key(struct kinf_span key, struct kinf_span *namespace_,
                   struct kinf_span *name)
{
    const char *slash = key.len > 0 ? memchr(key.ptr, '/', key.len) : NULL;
    size_t before = slash != NULL ? (size_t)(slash - key.ptr) : 0;
    size_t after = key.len - before - (slash != NULL);

    if (slash != NULL && after > 0 && memchr(slash + 1, '/', after) != NULL)
        return KINF_ERR_SYNTAX;
    *namespace_ = span_of(key.ptr, before);
    *name = span_of(slash != NULL ? slash + 1 : key.ptr, after);
    return KINF_OK;
}
