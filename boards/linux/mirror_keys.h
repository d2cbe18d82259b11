/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_keys.h - the keys and values of an object, as files want them.
 * Private to mirror_*.c. */
#ifndef MIRROR_KEYS_H
#define MIRROR_KEYS_H

#include "mirror_files.h"

/* A walk over the keys. Zero at first. */
struct mirror_walk {
    struct kinf_data_cursor cursor;
    struct kinf_reader reader;
    char key[MIRROR_NAME_BYTES]; /* unescaped, a file's name */
    bool binary, empty;
};

/* Goes to the next key. *more is false when there is none. */
enum mirror_problem mirror_next_key(struct mirror *m,
                                    const struct kinf_object *object,
                                    struct mirror_walk *w, bool *more);
/* Reads a piece of its value into m->piece[0]. Returns the length, 0 at its
 * end, or less than 0. */
int mirror_read_piece(struct mirror *m, struct mirror_walk *w);

/* What an object asks of the disk. */
struct mirror_aim {
    struct mirror_place place;
    char digest[MIRROR_DIGEST_BYTES];
    uint64_t bytes; /* of all values */
};

/* Reads it all once; finds what could not be written, too. */
enum mirror_problem mirror_digest_object(struct mirror *m,
                                         const struct kinf_object *object,
                                         struct mirror_aim *aim);

#endif
