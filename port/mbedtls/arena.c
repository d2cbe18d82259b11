/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - the memory Mbed TLS works in: first fit over blocks in a line.
 *
 *   [head|payload][head|  free  ][head|payload] ...
 *
 * Each block knows its size and that of the one before it, so that a free
 * block grows together with both neighbours at once; no two free blocks touch.
 * First fit at the lowest address keeps what lives long at the bottom and the
 * top untouched. What is free is all zero: free() wipes, calloc() need not.
 *
 * Not mbedtls_memory_buffer_alloc: its heads are four times as large (a
 * handshake holds about 90 blocks), and it does not tell afterwards whether it
 * had to refuse, which Mbed TLS itself may report as "not trusted". */
#include <string.h>

#include "arena.h"

#define KINF_FILE 62 /* for kinf_assert_failed */

#define UNIT 8u

/* Sizes are in bytes, head included, multiples of UNIT; bit 0: in use. */
struct head {
    uint32_t size;
    uint32_t before; /* size of the block before, 0 at the begin */
};
_Static_assert(sizeof(struct head) == UNIT, "payloads are aligned to 8");

/* Mbed TLS has one allocator for the process, so there is one arena. */
static struct {
    uint8_t *begin;
    size_t size;
    size_t low;  /* no free block begins below */
    size_t used, high, top;
    uint32_t refused;
} arena;

static struct head *at(size_t offset)
{
    return (struct head *)(void *)(arena.begin + offset);
}

static uint32_t size_of(const struct head *head)
{
    return head->size & ~1u;
}

static bool in_use(const struct head *head)
{
    return (head->size & 1u) != 0;
}

/* Is there a block at offset, and is it free? */
static bool is_free(size_t offset)
{
    return offset < arena.size && !in_use(at(offset));
}

/* Tells the block at offset, if there is one, the size of the one before. */
static void tell(size_t offset, uint32_t before)
{
    if (offset < arena.size)
        at(offset)->before = before;
}

/* Writes only where something stands: pages of a fresh mapping that nobody has
 * written cost nothing, and shall not before they are needed. */
static void clear(uint8_t *bytes, size_t size)
{
    uint64_t *words = (uint64_t *)(void *)bytes;

    for (size_t i = 0; i < size / UNIT; i++)
        if (words[i] != 0)
            words[i] = 0;
}

bool kinf_mbedtls_arena_init(void *memory, size_t size)
{
    memset(&arena, 0, sizeof(arena));
    if (((uintptr_t)memory & (UNIT - 1)) != 0)
        kinf_assert_failed(KINF_FILE, __LINE__);
    if (size > UINT32_MAX)
        size = UINT32_MAX;
    size &= ~(size_t)(UNIT - 1);
    if (size < 4 * UNIT)
        return false;
    arena.begin = memory;
    arena.size = size;
    clear(memory, size);
    at(0)->size = (uint32_t)size;
    return true;
}

/* Cuts a free block so that its front has the size wanted, unless the rest
 * could hold nothing. */
static void cut(size_t offset, uint32_t size)
{
    struct head *head = at(offset);
    uint32_t rest = head->size - size;

    if (rest < 2 * UNIT)
        return;
    head->size = size;
    at(offset + size)->size = rest;
    at(offset + size)->before = size;
    tell(offset + size + rest, rest);
}

static void *take(size_t offset)
{
    struct head *head = at(offset);

    arena.used += head->size;
    if (arena.used > arena.high)
        arena.high = arena.used;
    if (offset + head->size > arena.top)
        arena.top = offset + head->size;
    head->size |= 1u;
    return head + 1;
}

void *kinf_mbedtls_calloc(size_t count, size_t size)
{
    size_t offset = arena.low;
    size_t lowest = arena.size; /* the first free block passed by */
    uint32_t need;

    if (size != 0 && count > (arena.size - UNIT) / size)
        goto refuse;
    need = (uint32_t)((count * size + 2 * UNIT - 1) & ~(size_t)(UNIT - 1));
    if (need < 2 * UNIT)
        need = 2 * UNIT;
    while (offset < arena.size) {
        const struct head *head = at(offset);

        if (!in_use(head) && head->size >= need) {
            cut(offset, need);
            arena.low = lowest < offset ? lowest : offset + head->size;
            return take(offset);
        }
        if (!in_use(head) && lowest > offset)
            lowest = offset;
        offset += size_of(head);
    }
refuse:
    arena.refused++;
    return NULL;
}

void kinf_mbedtls_free(void *ptr)
{
    struct head *head;
    size_t offset;
    uint32_t size, before;

    if (ptr == NULL)
        return;
    head = (struct head *)ptr - 1;
    offset = (size_t)((uint8_t *)head - arena.begin);
    size = size_of(head);
    before = head->before;
    if (!in_use(head) || offset + size > arena.size ||
        (offset + size < arena.size && at(offset + size)->before != size))
        kinf_assert_failed(KINF_FILE, __LINE__); /* freed twice, or damaged */
    arena.used -= size;
    memset(ptr, 0, size - UNIT);

    if (is_free(offset + size)) {
        uint32_t after = size_of(at(offset + size));

        memset(at(offset + size), 0, sizeof(struct head));
        size += after;
    }
    if (before != 0 && is_free(offset - before)) {
        memset(head, 0, sizeof(*head));
        offset -= before;
        size += before;
    }
    at(offset)->size = size;
    tell(offset + size, size);
    if (offset < arena.low)
        arena.low = offset;
}

uint32_t kinf_mbedtls_arena_refused(void)
{
    return arena.refused;
}

void kinf_mbedtls_arena(struct kinf_mbedtls_arena *out)
{
    out->size = arena.size;
    out->used = arena.used;
    out->high = arena.high;
    out->top = arena.top;
    out->refused = arena.refused;
}
