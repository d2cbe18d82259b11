/* SPDX-License-Identifier: Apache-2.0 */
/* json_walk.h - goes through JSON as it arrives and tells each text, number or
 * word with the path to it; nothing is held.
 *
 * For answers of discovery, which core's own reading does not know: their texts
 * are names, so one that is longer than a name or holds an escape is told as
 * empty, and what is broken ends the walk. */
#ifndef JSON_WALK_H
#define JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kinformer.h"

#define WALK_DEPTH 16
#define WALK_PATH 128
#define WALK_TEXT 256 /* of a value */

struct json_walk {
    /* path: "items[].metadata.name". end: an object at this path is over. */
    void (*value)(void *ctx, const char *path, struct kinf_span text);
    void (*end)(void *ctx, const char *path);
    void *ctx;
    /* private */
    char path[WALK_PATH];
    char text[WALK_TEXT];
    uint8_t lengths[WALK_DEPTH]; /* of path, outside each level */
    bool arrays[WALK_DEPTH];
    unsigned depth;
    uint8_t state;
    size_t len; /* of text */
    bool odd;   /* the text has an escape or does not fit */
    bool key;   /* it is a member's name */
};

void json_walk_init(struct json_walk *w);
/* Returns false when this is no JSON, or deeper than WALK_DEPTH. */
bool json_walk_feed(struct json_walk *w, struct kinf_span piece);
/* Was it whole? */
bool json_walk_done(const struct json_walk *w);

#endif
