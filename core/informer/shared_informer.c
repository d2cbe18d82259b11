/* SPDX-License-Identifier: Apache-2.0 */
/* shared_informer.c - an informer's life: storage, start, status, stop. */
#define KINF_FILE 12
#include "base/assert.h"
#include "base/feature.h"
#include "base/pool.h"
#include "base/span.h"
#include "processor.h"
#include "shared_informer.h"
#include "store/arena.h"
#include "store/delta_fifo.h"
#include "store/indexer.h"
#include "watch/list_watch.h"
#include "watch/reflector.h"

/* ---- storage ------------------------------------------------------------ */

_Static_assert(CONFIG_KINF_ARENA_BYTES >= 2 * CONFIG_KINF_OBJECT_BYTES + 32,
               "CONFIG_KINF_ARENA_BYTES is less than 2 x "
               "CONFIG_KINF_OBJECT_BYTES + 32");

size_t kinf_informer_bytes(const struct kinf_sizes *z)
{
    return KINF_INFORMER_BYTES_(z->objects, z->arena_bytes, z->fifo, z->every,
                                z->ring, z->latest, z->postings);
}

static uint32_t arena_least(const struct kinf_sizes *z)
{
    return 2 * arena_cost(z->object_bytes);
}

int kinf_informer_check(const struct kinf_informer_config *config,
                        size_t *need)
{
    const struct kinf_sizes *z = &config->sizes;

    *need = arena_least(z);
    if (z->arena_bytes < *need)
        return KINF_ERR_TOO_BIG;
    *need = kinf_informer_bytes(z);
    return config->memory_size < *need ? KINF_ERR_TOO_BIG : KINF_OK;
}

/* Cuts the next array off the memory. */
static void *carve(char **at, size_t bytes)
{
    void *array = *at;

    *at += KINF_ROUND_(bytes);
    return array;
}

static void carve_pool(struct kinf_pool *pool, char **at, uint32_t size)
{
    kinf_pool_init(pool, carve(at, ((size_t)size + 31) / 32 * 4), size);
}

static void clear(kinf_idx *array, uint32_t count)
{
    memset(array, 0xFF, count * sizeof(*array)); /* KINF_NONE everywhere */
}

static void carve_indexes(struct kinf_store *s, uint32_t postings, char **at)
{
    s->postings = carve(at, postings * sizeof(*s->postings));
    s->heads = carve(at, postings * sizeof(*s->heads));
    s->tails = carve(at, postings * sizeof(*s->tails));
    carve_pool(&s->posting_pool, at, postings);
    clear(s->heads, postings);
    clear(s->tails, postings);
    s->index_whole = true;
    for (int i = 0; i < CONFIG_KINF_CURSORS; i++)
        s->cursors[i].posting = (kinf_idx)KINF_NONE;
}

static void carve_store(struct kinf_store *s, const struct kinf_sizes *z,
                        char **at)
{
    uint32_t records = (uint32_t)KINF_RECORDS_(z->objects, z->fifo, z->every,
                                               z->ring);

    s->entries = carve(at, z->objects * sizeof(*s->entries));
    s->records = carve(at, records * sizeof(*s->records));
    s->buckets = carve(at, z->objects * sizeof(*s->buckets));
    carve_pool(&s->entry_pool, at, z->objects);
    carve_pool(&s->record_pool, at, records);
    clear(s->buckets, z->objects);
    s->arena_bytes = z->arena_bytes & ~3u;
    s->object_bytes = z->object_bytes;
    s->lowest = UINT32_MAX;
    s->keep_gone = z->latest > 0;
    if (CONFIG_KINF_INDEXES)
        carve_indexes(s, z->postings, at);
}

static void check_sizes(const struct kinf_informer_config *config)
{
    const struct kinf_sizes *z = &config->sizes;
    size_t records = KINF_RECORDS_(z->objects, z->fifo, z->every, z->ring);

    KINF_ASSERT(z->objects > 0 && z->fifo > 0);
    KINF_ASSERT(z->object_bytes >= CONFIG_KINF_IDENTITY_BYTES);
    KINF_ASSERT(records < KINF_NONE && z->postings < KINF_NONE);
    KINF_ASSERT((kinf_off)z->object_bytes == z->object_bytes);
    KINF_ASSERT(z->arena_bytes >= arena_least(z));
    KINF_ASSERT(z->every <= 32 && z->latest <= 32);
    KINF_ASSERT(z->every == 0 || z->ring > 0);
    KINF_ASSERT(config->memory_size >= kinf_informer_bytes(z));
    KINF_ASSERT((uintptr_t)config->memory % 8 == 0);
    KINF_ASSERT(CONFIG_KINF_LATEST_MODE || z->latest == 0);
    KINF_ASSERT(CONFIG_KINF_INDEXES || z->postings == 0);
    KINF_ASSERT(CONFIG_KINF_SOURCE || config->source == NULL);
    KINF_ASSERT(config->verify_ms <= (CONFIG_KINF_VERIFY ? INT32_MAX : 0));
    KINF_ASSERT(config->poll_ms <= (CONFIG_KINF_POLLING ? INT32_MAX : 0));
    KINF_ASSERT(CONFIG_KINF_SECOND_SESSION || config->single == NULL);
    KINF_ASSERT(config->keep_count <= CONFIG_KINF_KEEP_PATHS);
    KINF_ASSERT(CONFIG_KINF_METADATA || !config->metadata_only);
}

/* Gives every pool its place, empty. store, fifo and processor are zero. */
static void lay_out(struct kinf_informer *inf)
{
    const struct kinf_sizes *z = &inf->config->sizes;
    struct kinf_processor *p = &inf->processor;
    char *at = inf->config->memory;

    inf->store.hash_key = inf->k->hash_key;
    carve_store(&inf->store, z, &at);
    inf->fifo.slots = carve(&at, z->fifo * sizeof(struct kinf_delta));
    inf->fifo.size = z->fifo;
    p->slots = carve(&at, (size_t)z->every * z->ring *
                              sizeof(struct kinf_slot));
    if (CONFIG_KINF_LATEST_MODE)
        p->links = carve(&at, (size_t)z->latest * z->objects *
                                  sizeof(struct kinf_link));
    p->ring = z->ring;
    p->objects = z->objects;
    p->places[KINF_EVERY] = (uint8_t)z->every;
    p->places[KINF_LATEST] = (uint8_t)z->latest;
    if (CONFIG_KINF_LATEST_MODE && z->latest > 0)
        memset(inf->processor.links, 0,
               (size_t)z->latest * z->objects * sizeof(struct kinf_link));
    inf->store.arena = at;
    if (CONFIG_KINF_INDEXES && z->postings > 0)
        (void)kinf_index_add(&inf->store, "namespace", kinf_namespace_index);
}

void kinf_informer_init(struct kinf_informer *inf, struct kinf *k,
                        const struct kinf_informer_config *config)
{
    struct kinf_informer **end = &k->informers;

    check_sizes(config);
    for (; *end != NULL; end = &(*end)->next)
        KINF_ASSERT(*end != inf); /* stop it first */
    *inf = (struct kinf_informer){ .k = k, .config = config };
    lay_out(inf);
    kinf_reflector_init(inf);
    *end = inf;
}

/* ---- life --------------------------------------------------------------- */

void kinf_informer_start(struct kinf_informer *inf)
{
    KINF_ASSERT(!inf->stopped);
    if (inf->started || is_stopping(inf))
        return;
    inf->started = true;
    kinf_wake(inf->k);
}

void kinf_informer_stop(struct kinf_informer *inf)
{
    KINF_ASSERT(CONFIG_KINF_STOP);
    inf->stopping = true;
    kinf_wake(inf->k);
}

void kinf_informer_end(struct kinf_informer *inf)
{
    struct kinf_informer **link = &inf->k->informers;

    kinf_reflector_stop(inf);
    kinf_processor_stop(inf);
    inf->store = (struct kinf_store){ .reserved = false };
    inf->fifo = (struct kinf_delta_fifo){ .slots = NULL };
    inf->processor = (struct kinf_processor){ .slots = NULL };
    lay_out(inf);
    while (*link != inf)
        link = &(*link)->next;
    *link = inf->next;
    inf->stopped = true;
    inf->stopping = inf->started = false;
}

bool kinf_informer_is(const struct kinf_informer *inf,
                      const struct kinf_resource *resource,
                      struct kinf_span namespace_,
                      struct kinf_span label_selector)
{
    const struct kinf_informer_config *c = inf->config;

    return span_equal(c->resource.group, resource->group) &&
           span_equal(c->resource.plural, resource->plural) &&
           span_equal(c->resource.version, resource->version) &&
           span_equal(c->namespace_, namespace_) &&
           span_equal(c->label_selector, label_selector);
}

bool kinf_informer_synced(const struct kinf_informer *inf)
{
    return inf->synced;
}

int kinf_informer_index(struct kinf_informer *inf, const char *name,
                        kinf_index_func func)
{
    KINF_ASSERT(!inf->stopped);
    KINF_ASSERT(kinf_index_by_name(&inf->store, name) < 0);
    KINF_ASSERT(CONFIG_KINF_INDEXES && inf->config->sizes.postings > 0);
    kinf_wake(inf->k);
    return kinf_index_add(&inf->store, name, func);
}

/* ---- status ------------------------------------------------------------- */

static struct kinf_pool_status pool_status(const struct kinf_pool *p)
{
    return (struct kinf_pool_status){ p->used, p->high, p->size };
}

static void fill_pools(const struct kinf_informer *inf,
                       struct kinf_status *out)
{
    const struct kinf_store *s = &inf->store;
    const struct kinf_processor *p = &inf->processor;

    out->entries = pool_status(&s->entry_pool);
    out->objects = pool_status(&s->record_pool);
    out->postings = pool_status(&s->posting_pool);
    out->arena = (struct kinf_pool_status){ s->head, s->high, s->arena_bytes };
    out->fifo = (struct kinf_pool_status){ fifo_len(&inf->fifo),
                                           inf->fifo.high, inf->fifo.size };
    out->ring = (struct kinf_pool_status){ p->undelivered, p->high,
                                           p->ring * p->places[KINF_EVERY] };
}

static void fill_counters(const struct kinf_informer *inf,
                          struct kinf_status *out)
{
    const struct kinf_counters *c = &inf->counters;

    out->lists = c->lists;
    out->watches = c->watches;
    out->requests = c->requests;
    out->events = c->events;
    out->bookmarks = c->bookmarks;
    out->relists = c->relists;
    out->unchanged = c->unchanged;
    out->swept = c->swept;
    out->mended = c->mended;
    out->probes = c->probes;
    out->fetches = c->fetches;
    out->errors = c->errors;
}

static struct kinf_span version_span(const struct kinf_version *v)
{
    return span_of(v->text, v->len);
}

void kinf_informer_status(const struct kinf_informer *inf,
                          struct kinf_status *out)
{
    const struct kinf_listener *l = inf->processor.listeners;
    const struct kinf_informer_config *c = inf->config;

    *out = (struct kinf_status){
        .last_error = inf->last_error,
        .http_status = inf->http_status,
        .message = span_of(inf->message, inf->message_len),
        .synced = inf->synced,
        .relisting = inf->relisting,
        .version_received = version_span(&inf->reflector.version),
        .version_stored = version_span(&inf->stored),
        .version_delivered = version_span(&inf->delivered),
        .truncated = inf->store.truncated
    };
    kinf_reflector_status(inf, out);
    while (l != NULL && !l->stuck)
        l = l->next;
    out->handler_stuck = l != NULL;
    out->stuck = (struct kinf_listener *)(uintptr_t)l;
    if (c->session != NULL)
        out->bytes = c->session->bytes;
    if (c->single != NULL && c->single != c->session)
        out->bytes += c->single->bytes;
    fill_pools(inf, out);
    fill_counters(inf, out);
}
