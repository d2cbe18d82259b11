/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_memory.h - the memory libyaml works in.
 *
 * libyaml wants malloc and leaves what it frees as it was, tokens and keys
 * among it. It is compiled with malloc, realloc, free and strdup renamed to
 * these four, which hand out one region line by line; the region is wiped and
 * unmapped when the file has been read. So no heap is used at all. */
#ifndef YAML_MEMORY_H
#define YAML_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Begins with a region of so many bytes; only what is used of it is ever
 * touched. Returns its start, or NULL. */
char *yaml_memory_open(size_t size);
/* The first bytes are the caller's, the rest is for blocks. */
void yaml_memory_lend(size_t after);
/* Forgets all blocks; between two files. */
void yaml_memory_reset(void);
void yaml_memory_close(void);

void *kinf_yaml_malloc(size_t size);
void *kinf_yaml_realloc(void *ptr, size_t size);
void kinf_yaml_free(void *ptr);
char *kinf_yaml_strdup(const char *text);

#endif
