/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_memory.c - the memory libyaml works in. See yaml_memory.h.
 *
 *   [size | bytes ..][size | bytes ..][size | bytes ..]   free
 *                                      last            used
 *
 * Only the last block can grow in place or be given back: the region is sized
 * for a whole file, so more is not needed. */
#include "yaml_memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ROUND 16u /* alignment, and the place of a block's size */

static struct {
    char *ptr;
    size_t size, base, used, last, high;
} region;

char *yaml_memory_open(size_t size)
{
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (ptr == MAP_FAILED)
        return NULL;
    region.ptr = ptr;
    region.size = size;
    region.high = 0;
    yaml_memory_lend(0);
    return ptr;
}

static size_t rounded(size_t size)
{
    return (size + ROUND - 1) & ~(size_t)(ROUND - 1);
}

void yaml_memory_lend(size_t after)
{
    region.base = rounded(after);
    region.high = region.base;
    yaml_memory_reset();
}

void yaml_memory_reset(void)
{
    region.used = region.last = region.base;
}

void yaml_memory_close(void)
{
    if (!region.ptr)
        return;
    explicit_bzero(region.ptr, region.high);
    munmap(region.ptr, region.size);
    region.ptr = NULL;
    region.size = 0;
}

static bool extend(size_t to)
{
    if (to > region.size)
        return false;
    region.used = to;
    if (to > region.high)
        region.high = to;
    return true;
}

void *kinf_yaml_malloc(size_t size)
{
    size_t at = region.used;

    if (size > region.size || !extend(at + ROUND + rounded(size)))
        return NULL;
    region.last = at;
    memcpy(region.ptr + at, &size, sizeof size);
    return region.ptr + at + ROUND;
}

static size_t size_of(const void *ptr)
{
    size_t size;

    memcpy(&size, (const char *)ptr - ROUND, sizeof size);
    return size;
}

static bool is_last(const void *ptr)
{
    return (const char *)ptr == region.ptr + region.last + ROUND &&
           region.used > region.last;
}

void *kinf_yaml_realloc(void *ptr, size_t size)
{
    void *fresh;

    if (!ptr)
        return kinf_yaml_malloc(size);
    if (size > region.size)
        return NULL;
    if (is_last(ptr)) {
        if (!extend(region.last + ROUND + rounded(size)))
            return NULL;
        memcpy((char *)ptr - ROUND, &size, sizeof size);
        return ptr;
    }
    fresh = kinf_yaml_malloc(size);
    if (fresh)
        memcpy(fresh, ptr, size_of(ptr) < size ? size_of(ptr) : size);
    return fresh;
}

void kinf_yaml_free(void *ptr)
{
    if (ptr && is_last(ptr))
        region.used = region.last;
}

char *kinf_yaml_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = kinf_yaml_malloc(size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}
