/* SPDX-License-Identifier: Apache-2.0 */
/* indexer.h - which keys have which value, by hashed postings.
 *
 * A posting says: this entry has a value of this hash in this index. Postings
 * of one bucket are chained in order of arrival, so that a listing which goes
 * on over many polls meets everything that lived throughout; a value that stays
 * keeps its posting. Texts are not stored: the index function is asked again
 * with the current object, which also settles collisions. When postings ran
 * out, or while an index is being built, listings look at every entry. */
#ifndef KINF_STORE_INDEXER_H
#define KINF_STORE_INDEXER_H

#include "kinformer.h"

/* The entry's current object changed (or went). */
void kinf_index_update(struct kinf_store *s, kinf_idx entry);

/* Goes on building after an index was added or postings ran out; looks at
 * about budget entries. Returns whether there is more to do at once. */
bool kinf_index_build(struct kinf_store *s, uint32_t budget);

int kinf_index_add(struct kinf_store *s, const char *name,
                   kinf_index_func func);
/* Number of the index, or KINF_ERR_NOT_FOUND. */
int kinf_index_by_name(const struct kinf_store *s, const char *name);

/* Has the entry's current object this value among its first values? */
bool kinf_index_has(const struct kinf_store *s, kinf_idx entry, uint8_t index,
                    struct kinf_span value, unsigned first);

/* The hash by which postings of a value are told from others. */
uint32_t kinf_index_hash(const struct kinf_store *s, uint8_t index,
                         struct kinf_span value);
/* First posting of that hash's bucket, and the first of the hash itself from
 * one on; or none. An entry has at most one posting of a hash in an index. */
kinf_idx kinf_index_bucket(const struct kinf_store *s, uint32_t hash);
kinf_idx kinf_index_seek(const struct kinf_store *s, kinf_idx posting,
                         uint8_t index, uint32_t hash);

int kinf_namespace_index(const struct kinf_object *object, unsigned n,
                         char *value, size_t size);

#endif
