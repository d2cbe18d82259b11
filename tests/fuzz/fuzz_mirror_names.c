/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mirror_names.c - names and keys of objects become names of files: each
 * lies in the folder it is made in, and nothing else is taken.
 *
 * Input: Secret or ConfigMap, a name up to NUL, a name up to NUL, an object */
#include "fuzz.h"
#include "mirror_digest.h"
#include "mirror_keys.h"
#include "mirror_tree.h"

static void check_name(const char *name)
{
    size_t len = strlen(name);

    MUST(len > 0 && len < MIRROR_NAME_BYTES);
    MUST(strchr(name, '/') == NULL);
    MUST(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

static void check_place(struct kinf_span ns, struct kinf_span name)
{
    struct mirror_place place;

    if (!mirror_place_of(ns, name, &place))
        return;
    check_name(place.namespace_);
    check_name(place.name);
    MUST(place.namespace_[0] != '.' && place.name[0] != '.');
    MUST(strlen(place.namespace_) == ns.len && strlen(place.name) == name.len);
    MUST(mirror_same_place(&place, &place));
}

/* Returns how the walk over all keys ended. */
static enum mirror_problem walk(struct mirror *m,
                                const struct kinf_object *object)
{
    struct mirror_walk w = { 0 };
    enum mirror_problem problem;
    uint64_t read = 0;
    bool more;
    int n;

    while ((problem = mirror_next_key(m, object, &w, &more)) == MIRROR_FINE &&
           more) {
        check_name(w.key);
        while ((n = mirror_read_piece(m, &w)) > 0)
            read += (uint64_t)n;
        MUST(n <= 0 && read <= object->json.len);
        if (n < 0)
            return MIRROR_BAD_VALUE;
    }
    return problem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mirror mirror;
    struct dice d = { data, data + size };
    struct mirror_config config = { .secrets = dice_byte(&d) & 1 };
    struct kinf_span ns = dice_until(&d, 0), name = dice_until(&d, 0);
    struct kinf_span text = dice_rest(&d);
    char *json = heap_copy(text);
    struct kinf_object object = { .json = { json, text.len } };
    struct mirror_aim aim = { .bytes = 0 }, again = aim;
    enum mirror_problem problem;

    mirror.config = &config;
    check_place(ns, name);
    check_place(name, ns);
    problem = walk(&mirror, &object);
    MUST(mirror_digest_object(&mirror, &object, &aim) == problem);
    MUST(mirror_digest_object(&mirror, &object, &again) == problem);
    if (problem == MIRROR_FINE)
        MUST(strlen(aim.digest) == MIRROR_DIGEST_BYTES - 1 &&
             strcmp(aim.digest, again.digest) == 0 && aim.bytes == again.bytes);
    free(json);
    return 0;
}
