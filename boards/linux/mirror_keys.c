/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_keys.c - the keys and values of an object. See mirror_keys.h. */
#include "mirror_keys.h"

#include <string.h>

#include "mirror_digest.h"
#include "mirror_tree.h"

enum mirror_problem mirror_next_key(struct mirror *m,
                                    const struct kinf_object *object,
                                    struct mirror_walk *w, bool *more)
{
    char text[MIRROR_NAME_BYTES];
    struct kinf_span raw = { "", 0 };
    struct kinf_value value, key;
    int found = m->config->secrets
                    ? kinf_secret_each(object, &w->cursor, &raw, &value,
                                       &w->binary)
                    : kinf_configmap_each(object, &w->cursor, &raw, &value,
                                          &w->binary);
    int len;

    *more = found > 0;
    if (found <= 0)
        return found == 0 ? MIRROR_FINE : MIRROR_BAD_VALUE;
    key = (struct kinf_value){ KINF_JSON_STRING, raw };
    m->key = raw;
    len = kinf_string(key, text, sizeof text);
    if (len < 0)
        return MIRROR_BAD_KEY;
    if (!mirror_file_name((struct kinf_span){ text, (size_t)len }, w->key))
        return MIRROR_BAD_KEY;
    w->empty = value.type == KINF_JSON_NULL;
    kinf_reader_init(&w->reader, value);
    return MIRROR_FINE;
}

int mirror_read_piece(struct mirror *m, struct mirror_walk *w)
{
    if (w->empty)
        return 0;
    return w->binary ? kinf_read_base64(&w->reader, m->piece[0], MIRROR_PIECE)
                     : kinf_read_string(&w->reader, m->piece[0], MIRROR_PIECE);
}

static enum mirror_problem digest_value(struct mirror *m, struct mirror_walk *w,
                                        struct mirror_digest *d,
                                        struct mirror_aim *aim)
{
    uint64_t bytes = 0;
    int len;

    mirror_digest_add_len(d, strlen(w->key));
    mirror_digest_add(d, w->key, strlen(w->key));
    while ((len = mirror_read_piece(m, w)) > 0) {
        mirror_digest_add(d, m->piece[0], (size_t)len);
        bytes += (uint64_t)len;
    }
    mirror_digest_add_len(d, bytes);
    aim->bytes += bytes;
    return len < 0 ? MIRROR_BAD_VALUE : MIRROR_FINE;
}

enum mirror_problem mirror_digest_object(struct mirror *m,
                                         const struct kinf_object *object,
                                         struct mirror_aim *aim)
{
    struct mirror_walk w = { 0 };
    struct mirror_digest d;
    enum mirror_problem problem;
    bool more;

    mirror_digest_begin(&d);
    for (;;) {
        problem = mirror_next_key(m, object, &w, &more);
        if (problem == MIRROR_FINE && more)
            problem = digest_value(m, &w, &d, aim);
        if (problem != MIRROR_FINE)
            return problem;
        if (!more)
            break;
    }
    m->key = (struct kinf_span){ "", 0 };
    mirror_digest_end(&d, aim->digest);
    return MIRROR_FINE;
}
