/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what must hold always, and once the world is calm; world.h. */
#include "store/store_check.h"
#include "world.h"

/* ---- always ------------------------------------------------------------- */

/* The object the cache holds under a key, + 1; or 0. */
static uint32_t uid_now(struct box *b, uint32_t key)
{
    struct kinf_object o;
    char text[400];
    int n = snprintf_key(text, sizeof(text),
                         etcd.resources[b->view.res].keys.at[key]);

    if (kinf_get(&b->inf, (struct kinf_span){ text, (size_t)n }, &o) < 0)
        return 0;
    return object_of_uid(o.uid.ptr, o.uid.len) + 1;
}

static uint64_t decimal(struct kinf_span text)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++)
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    return value;
}

/* A whole list sweeps: what was not in it, and has not come since, is gone. */
static void check_swept(struct box *b)
{
    const struct resource *r = &etcd.resources[b->view.res];
    struct kinf_status s;

    kinf_informer_status(&b->inf, &s);
    if (b->inf.reflector.listing || s.fifo.used > 0 || !s.synced ||
        (!s.complete && b->nameless) ||
        decimal(s.version_received) < b->listed_rev)
        return;
    for (uint32_t i = 0; i < r->keys.count; i++) {
        const struct key *k = r->keys.at[i];

        if (k->versions.count == 0 ||
            array_last(&k->versions)->rev > b->listed_rev ||
            view_holds(&b->view, etcd_now(b->view.res, i)))
            continue;
        MUST(uid_now(b, i) == 0,
             "informer %u: still holds %s/%s, which a list at %llu did not",
             b->number, k->namespace_, k->name,
             (unsigned long long)b->listed_rev);
    }
    b->listed_rev = 0;
}

void check_after_poll(struct box *b)
{
    struct kinf_status s;

    apps_reap(b);
    if (b->listed_restores != etcd.restores)
        b->listed_rev = 0;
    if (b->listed_rev > 0)
        check_swept(b);
    /* One that polls never resumes: there a list that came whole is known by
     * what is swept after it. */
    b->torn &= !b->inf.reflector.can_resume &&
               (b->inf.relisting || !b->inf.synced);
    if (world.polls % 64 != 0)
        return;
    kinf_informer_status(&b->inf, &s);
    MUST(s.entries.used <= s.entries.high && s.entries.high <= s.entries.size,
         "informer %u: entries %u, high %u, of %u", b->number, s.entries.used,
         s.entries.high, s.entries.size);
    MUST(s.arena.used <= s.arena.high && s.arena.high <= s.arena.size,
         "informer %u: arena %u, high %u, of %u", b->number, s.arena.used,
         s.arena.high, s.arena.size);
    MUST(!b->torn || !s.complete,
         "informer %u: cannot list, and takes its cache for whole", b->number);
    MUST(!s.synced || b->whole_lists > 0,
         "informer %u: synced before a whole list was sent", b->number);
    kinf_store_check(&b->inf.store, &b->inf.fifo, &b->inf.processor);
}

#define REQUESTS_AN_HOUR 500
#define LISTS_AN_HOUR 125

/* It must not be busy when there is nothing to do: a poll moves something, or a
 * resync is due, or few polls are left. */
static void check_polls(void)
{
    uint64_t moves = apps.callbacks, polls = world.polls - world.hour_polls;
    uint64_t resyncs = apps_resyncs();

    for (uint32_t l = 0; l < world.link_count; l++)
        moves += world.links[l].moves + world.links[l].opens * 8;
    TELL("%llu polls, %llu moves this hour", (unsigned long long)polls,
         (unsigned long long)(moves - world.hour_moves));
    MUST(CONFIG_KINF_POLL_EVENTS == 1 ||
             polls <= 1000 + 3 * (moves - world.hour_moves) + resyncs,
         "%llu polls in an hour for %llu moves", (unsigned long long)polls,
         (unsigned long long)(moves - world.hour_moves));
    world.hour_polls = world.polls;
    world.hour_moves = moves;
}

void check_hour(void)
{
    check_polls();
    for (uint32_t i = 0; i < world.box_count; i++) {
        struct box *b = &world.boxes[i];
        uint64_t opens = 0;

        for (uint32_t l = 0; l < world.link_count; l++)
            if ((b->sessions >> l & 1u) != 0)
                opens += world.links[l].opens;
        MUST(b->requests <= REQUESTS_AN_HOUR,
             "informer %u: %u requests in an hour", b->number, b->requests);
        MUST(b->lists <= LISTS_AN_HOUR, "informer %u: %u lists in an hour",
             b->number, b->lists);
        MUST(world.turns || opens - b->opens <= REQUESTS_AN_HOUR + b->pages,
             "informer %u: %llu connections in an hour", b->number,
             (unsigned long long)(opens - b->opens));
        TELL("informer %u: %u requests, %u lists, %u watches, %llu "
             "connections this hour", b->number, b->requests, b->lists,
             b->watches, (unsigned long long)(opens - b->opens));
        b->requests = b->lists = b->watches = b->pages = 0;
        b->opens = opens;
    }
}

/* ---- patience: not too little, not too much ----------------------------- */

#define LONGEST_DEADLINE (CONFIG_KINF_IDLE_MS + 30 * SECOND)

/* Notes when bytes came slowly, */
static void note_trickle(void)
{
    bool trickles = sim.now < net.drip_until || sim.now < net.slow_until ||
                    sim.now < net.hold_until || sim.now < net.shred_until ||
                    sim.now < server.mute_until;

    for (uint32_t i = 0; i < world.link_count; i++)
        trickles |= world.links[i].last_at > sim.now + 2 * SECOND;
    if (trickles)
        world.trickled_at = sim.now;
    else if (world.trickled_at < server.blank_at)
        world.trickled_at = server.blank_at;
}

/* and when the time that passes is not the server's alone. */
static void note_hindrance(void)
{
    bool hindered = sim.now < world.late_until ||
                    sim.now < world.suspended_until;

    for (uint32_t i = 0; i < world.box_count; i++) {
        const struct box *b = &world.boxes[i];

        hindered |= b->running && (b->inf.reflector.main.paused ||
                                   b->inf.reflector.aside.paused);
    }
    if (hindered)
        world.hindered_at = sim.now;
}

/* Half open, nothing on its way: nobody will ever hear of it. */
static bool is_dead(const struct link *l)
{
    return l->phase == KINF_PHASE_OPEN && l->dead && l->dead_at == NEVER &&
           l->reset_at == NEVER && l->end_at == NEVER && l->flying == 0;
}

/* By turns one whose handler is stuck gives the connection up to those in line
 * within seconds: it is not found so in two looks. */
static void check_turn(uint32_t link)
{
    static struct {
        const struct kinf_lease *owner;
        uint32_t paused_ms;
    } seen[LINKS];
    const struct kinf_lease *owner = world.sessions[link].owner;
    const struct kinf_exchange *x = NULL;

    for (uint32_t i = 0; i < world.box_count && world.turns; i++) {
        const struct kinf_informer *inf = &world.boxes[i].inf;

        if (world.boxes[i].running && owner == &inf->main.lease)
            x = &inf->reflector.main;
        if (world.boxes[i].running && owner == &inf->single.lease)
            x = &inf->reflector.aside;
    }
    if (x == NULL || !x->paused || world.sessions[link].line == NULL ||
        sim.now < world.suspended_until || sim.now < world.late_until) {
        seen[link].owner = NULL;
        return;
    }
    MUST(seen[link].owner != owner || seen[link].paused_ms != x->paused_ms,
         "connection %u is kept from others by one that is stuck", link);
    seen[link].owner = owner;
    seen[link].paused_ms = x->paused_ms;
}

/* A request that cannot be sent is given up. */
static void check_stall(uint32_t link)
{
    const struct link *l = &world.links[link];
    uint64_t since = l->stalled_at < world.hindered_at ? world.hindered_at
                                                       : l->stalled_at;

    MUST(l->stalled_at == 0 || world.sessions[link].owner == NULL ||
             sim.now < since + LONGEST_DEADLINE,
         "connection %u takes no byte for %llu s, and is still waited for",
         link, (unsigned long long)((sim.now - since) / SECOND));
}

/* A streaming list that shows nothing costs one deadline. */
static void check_stream(uint32_t link)
{
    const struct link *l = &world.links[link];
    uint64_t since = l->heard_at > l->asked_at ? l->heard_at : l->asked_at;

    if (since < world.hindered_at)
        since = world.hindered_at;
    for (uint32_t i = 0; i < world.box_count; i++) {
        const struct kinf_informer *inf = &world.boxes[i].inf;

        MUST(!world.boxes[i].running ||
                 world.sessions[link].owner != &inf->main.lease ||
                 !inf->reflector.listing || !inf->reflector.main.opened ||
                 inf->reflector.main.request.type != KINF_REQUEST_STREAM ||
                 sim.now < since + CONFIG_KINF_STREAM_MS +
                               CONFIG_KINF_OBJECT_MS + 30 * SECOND,
             "informer %u: a streaming list shows nothing for %llu s", i,
             (unsigned long long)((sim.now - since) / SECOND));
    }
}

void check_dead(void)
{
    note_trickle();
    note_hindrance();
    for (uint32_t i = 0; i < world.link_count; i++) {
        check_turn(i);
        check_stall(i);
        check_stream(i);
    }
    MUST(!world.reloading ||
             sim.now < world.reload_at + LONGEST_DEADLINE ||
             sim.now < world.trickled_at + LONGEST_DEADLINE ||
             sim.now < world.hindered_at + LONGEST_DEADLINE,
         "a reload does not come to its end");
    for (uint32_t i = 0; i < world.link_count; i++) {
        const struct link *l = &world.links[i];
        uint64_t since = l->heard_at > l->asked_at ? l->heard_at : l->asked_at;

        if (since < world.hindered_at)
            since = world.hindered_at;
        if (since < l->stalled_at)
            since = l->stalled_at; /* asked for, and cannot be sent */
        MUST(!is_dead(l) || world.sessions[i].owner == NULL ||
                 sim.now < since + LONGEST_DEADLINE,
             "connection %u has been dead for %llu s, and is still waited for",
             i, (unsigned long long)((sim.now - since) / SECOND));
    }
}

/* A deadline stands still while we ourselves do not read. Where bytes trickle,
 * silence is another thing than no byte. */
void check_timeout(void)
{
    note_trickle();
    net.timed_out = sim.now >= world.trickled_at + 5 * MINUTE &&
                    sim.now >= world.late_until + 5 * MINUTE &&
                    sim.now >= world.suspended_until + 5 * MINUTE &&
                    CONFIG_KINF_POLL_EVENTS > 1;
}

/* What changed or went is not known: from the event on, and not only after the
 * next list, the cache says so. A key that is too long is none of ours. */
void check_nameless(struct box *b)
{
    const struct kinf_reflector *r = &b->inf.reflector;
    struct kinf_status s;

    kinf_informer_status(&b->inf, &s);
    MUST(r->listing || r->main.item.key_too_long || !s.complete,
         "informer %u: passes over an event without a name", b->number);
    b->nameless |= !r->main.item.key_too_long;
}

/* ---- listings that go on over many polls -------------------------------- */

/* By what: everything, a namespace, or an index that was added. */
enum { LIST_ALL, LIST_NS1, LIST_X };

static uint8_t draw_listing(const struct box *b)
{
    if (b->has_index && rng_percent(&sim.rng, 50))
        return LIST_X;
    return kinds[b->view.res].namespaced && rng_percent(&sim.rng, 60)
               ? LIST_NS1 : LIST_ALL;
}

static bool is_asked(const struct box *b, const struct key *k)
{
    return b->lists_by == LIST_NS1 ? strcmp(k->namespace_, "ns1") == 0
           : b->lists_by == LIST_X ? k->name[0] == 'x'
                                   : true;
}

void listing_begin(struct box *b)
{
    struct kinf_list_options how = { .index = NULL };
    const struct resource *r = &etcd.resources[b->view.res];
    int err;

    if (b->listing)
        return;
    b->lists_by = draw_listing(b);
    if (b->lists_by == LIST_NS1)
        how.namespace_ = (struct kinf_span){ "ns1", 3 };
    if (b->lists_by == LIST_X) {
        how.index = "ends";
        how.value = (struct kinf_span){ "x", 1 };
    }
    err = kinf_list(&b->inf, &b->cursor, &how);
    MUST(err == KINF_OK, "a listing does not begin: %s", kinf_strerror(err));
    b->listing = true;
    b->lists_slowly = rng_percent(&sim.rng, 70);
    if (b->lists_slowly && !apps.calm && rng_percent(&sim.rng, 30))
        stir(b->view.res);
    b->at_start.count = b->seen.count = 0;
    for (uint32_t i = 0; i < r->keys.count; i++) {
        *array_push(&b->at_start) = is_asked(b, r->keys.at[i]) ? uid_now(b, i)
                                                               : 0;
        (void)array_push(&b->seen);
    }
}

static void saw(struct box *b, const struct kinf_object *o)
{
    uint32_t key = etcd_find_key(b->view.res, o->namespace_.ptr,
                                 o->namespace_.len, o->name.ptr, o->name.len);

    MUST(key != UINT32_MAX && state_of(b, o, 0) != NO_STATE,
         "informer %u: a lister shows %.*s in a state that never was",
         b->number, (int)o->name.len, o->name.ptr);
    while (b->seen.count <= key)
        (void)array_push(&b->seen);
    b->seen.at[key]++;
}

/* Whatever was there at the start and is there now, was there throughout:
 * a uid does not come back, except under selectors and after a restore. */
static void listing_end(struct box *b)
{
    bool returns = b->view.selector != 0 || etcd.restores > 0;

    b->listing = false;
    for (uint32_t i = 0; i < b->at_start.count && !returns; i++)
        if (b->at_start.at[i] != 0 && b->at_start.at[i] == uid_now(b, i))
            MUST(b->seen.at[i] == 1,
                 "informer %u: a listing shows %s %u times", b->number,
                 etcd.resources[b->view.res].keys.at[i]->name,
                 b->seen.at[i]);
}

void listing_step(struct box *b)
{
    struct kinf_object o;
    int err;

    if (!b->listing || !b->running || b->stopping || sim.now < b->listing_at)
        return;
    b->listing_at = sim.now + rng_size(&sim.rng, b->lists_slowly ? MINUTE : 2);
    err = kinf_list_next(&b->inf, &b->cursor, &o);
    if (err == 1)
        saw(b, &o);
    else if (err == KINF_ERR_FULL) /* others have taken its place */
        b->listing = false;
    else if (err != KINF_ERR_AGAIN)
        listing_end(b);
}

/* Values: the first byte of the name, and the last of the version. */
static int by_ends(const struct kinf_object *object, unsigned n, char *value,
                   size_t size)
{
    struct kinf_span version = object->resource_version;

    if (n > 1 || size < 2)
        return KINF_ERR_NOT_FOUND;
    if (n == 0)
        value[0] = object->name.ptr[0];
    else
        value[0] = version.len > 0 ? version.ptr[version.len - 1] : '-';
    return 1;
}

void index_add(struct box *b)
{
    if (b->has_index || b->config.sizes.postings == 0)
        return;
    b->has_index = true;
    MUST(kinf_informer_index(&b->inf, "ends", by_ends) == KINF_OK,
         "an index is refused");
}

/* What a listing with options gives must be what looking at each key gives. */
static void check_listing(struct box *b, const struct kinf_list_options *how,
                          bool (*has)(const struct kinf_object *o,
                                      const struct kinf_list_options *how))
{
    struct kinf_list_cursor cursor;
    struct kinf_object o;
    uint32_t count = 0, wanted = 0;
    int err = kinf_list(&b->inf, &cursor, how);

    MUST(err == KINF_OK, "a listing does not begin: %s", kinf_strerror(err));
    do {
        err = kinf_list_next(&b->inf, &cursor, &o);
        if (err == 1) {
            count++;
            MUST(has(&o, how), "a listing shows %.*s", (int)o.name.len,
                 o.name.ptr);
        }
    } while (err == 1 || err == KINF_ERR_AGAIN);
    for (uint32_t i = 0; i < etcd.resources[b->view.res].keys.count; i++) {
        char text[400];
        int n = snprintf_key(text, sizeof(text),
                             etcd.resources[b->view.res].keys.at[i]);

        if (kinf_get(&b->inf, (struct kinf_span){ text, (size_t)n }, &o) >= 0)
            wanted += has(&o, how);
    }
    MUST(count == wanted, "informer %u: a listing shows %u objects of %u",
         b->number, count, wanted);
}

static bool has_all(const struct kinf_object *o,
                    const struct kinf_list_options *how)
{
    (void)o;
    (void)how;
    return true;
}

static bool has_namespace(const struct kinf_object *o,
                          const struct kinf_list_options *how)
{
    return o->namespace_.len == how->namespace_.len &&
           memcmp(o->namespace_.ptr, how->namespace_.ptr,
                  o->namespace_.len) == 0;
}

static bool has_end(const struct kinf_object *o,
                    const struct kinf_list_options *how)
{
    char value[2];

    for (unsigned n = 0; by_ends(o, n, value, sizeof(value)) == 1; n++)
        if (value[0] == how->value.ptr[0])
            return true;
    return false;
}

static void check_listings(struct box *b)
{
    struct kinf_list_options how = { .index = NULL };

    check_listing(b, &how, has_all);
    if (kinds[b->view.res].namespaced) {
        how.namespace_ = (struct kinf_span){ "ns1", 3 };
        check_listing(b, &how, has_namespace);
    }
    if (!b->has_index)
        return;
    how = (struct kinf_list_options){ .index = "ends" };
    for (const char *value = "xh0123456789"; *value != '\0'; value++) {
        how.value = (struct kinf_span){ value, 1 };
        check_listing(b, &how, has_end);
    }
}

/* ---- the cache equals the server ---------------------------------------- */

/* What an object takes of the arena at most, as core/store counts. */
static uint32_t cost(uint32_t bytes)
{
    return ((uint32_t)sizeof(struct kinf_block) + bytes + 3) & ~3u;
}

static uint32_t identity_cost(const struct key *k)
{
    return cost((uint32_t)(strlen(k->name) + strlen(k->namespace_)) + 36 +
                KINF_VERSION_MAX);
}

static uint32_t state_cost(const struct box *b, uint32_t state, bool most)
{
    uint32_t identity = identity_cost(key_of(state));
    uint32_t whole = cost(kept_size(b, state, most));

    return whole > identity ? whole : identity;
}

/* What the server holds, and what that means for this cache. */
struct sum {
    uint32_t count;      /* objects */
    uint32_t identities; /* their cost, */
    uint32_t most;       /* and that of all of them whole */
    bool whole;          /* none is broken or too large */
};

static struct sum sum_up(const struct box *b)
{
    const struct resource *r = &etcd.resources[b->view.res];
    struct sum sum = { .whole = true };

    for (uint32_t i = 0; i < r->keys.count; i++) {
        uint32_t state = etcd_now(b->view.res, i);

        if (!view_holds(&b->view, state))
            continue;
        sum.count++;
        sum.identities += identity_cost(r->keys.at[i]);
        sum.most += state_cost(b, state, true);
        if (kept_size(b, state, true) > b->config.sizes.object_bytes ||
            etcd.states.at[state].look.broken != BROKEN_NOT)
            sum.whole = false;
    }
    return sum;
}

/* What the cache holds now, as it counts itself. */
static uint32_t held(struct box *b)
{
    const struct resource *r = &etcd.resources[b->view.res];
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < r->keys.count; i++) {
        struct kinf_object o;
        char text[400];
        int n = snprintf_key(text, sizeof(text), r->keys.at[i]);
        uint32_t least = identity_cost(r->keys.at[i]);
        struct kinf_span key = { text, 0 };

        key.len = (size_t)n;
        if (kinf_get(&b->inf, key, &o) < 0)
            continue;
        bytes += o.reason == KINF_WHOLE && cost((uint32_t)o.json.len) > least
                     ? cost((uint32_t)o.json.len) : least;
    }
    return bytes;
}

static void check_object(struct box *b, uint32_t key, uint32_t state,
                         const struct kinf_object *o, uint32_t in_use)
{
    const struct key *k = etcd.resources[b->view.res].keys.at[key];
    const struct kinf_sizes *z = &b->config.sizes;

    MUST(view_holds(&b->view, state),
         "informer %u: holds %s/%s version %.*s, the server does not",
         b->number, k->namespace_, k->name, (int)o->resource_version.len,
         o->resource_version.ptr);
    MUST(state_of(b, o, etcd.states.at[state].seq) == state,
         "informer %u: holds %s/%s version %.*s reason %d, the server has "
         "version %llu", b->number, k->namespace_, k->name,
         (int)o->resource_version.len, o->resource_version.ptr,
         (int)o->reason, (unsigned long long)etcd.states.at[state].rev);
    MUST(o->reason != KINF_REASON_NO_ROOM ||
             in_use - identity_cost(k) + state_cost(b, state, true) +
                     cost(z->object_bytes) > (z->arena_bytes & ~3u),
         "informer %u: %s/%s of %u bytes would fit by now", b->number,
         k->namespace_, k->name, o->size);
}

static void check_missing(struct box *b, uint32_t key, const struct sum *sum,
                          const struct kinf_status *status, int err)
{
    const struct key *k = etcd.resources[b->view.res].keys.at[key];
    const struct kinf_sizes *z = &b->config.sizes;

    MUST(!status->complete && err == KINF_ERR_INCOMPLETE,
         "informer %u: lacks %s/%s and does not say so", b->number,
         k->namespace_, k->name);
    MUST(sum->count > z->objects ||
             sum->identities + cost(z->object_bytes) > z->arena_bytes ||
             sum->most + cost(z->object_bytes) > z->arena_bytes,
         "informer %u: lacks %s/%s although there is room", b->number,
         k->namespace_, k->name);
}

static void check_status(const struct box *b, const struct kinf_status *s)
{
    MUST(s->synced && !s->relisting, "informer %u: %s", b->number,
         s->synced ? "still relisting" : "has not synced");
    MUST(s->fifo.used == 0 && s->ring.used == 0,
         "informer %u: %u deltas, %u notifications are still held", b->number,
         s->fifo.used, s->ring.used);
    MUST(s->objects.used == s->entries.used,
         "informer %u: %u records for %u keys", b->number, s->objects.used,
         s->entries.used);
}

static void tell_status(const struct box *b, const struct kinf_status *s)
{
    TELL("informer %u: phase %d, error %d, version %.*s, %s%s%s%s, entries "
         "%u of %u, records %u of %u, arena %u of %u (settled %u), fifo %u, "
         "ring %u, truncated %u, retry %u, stale %u, handler %s", b->number,
         (int)s->phase, s->last_error, (int)s->version_received.len,
         s->version_received.ptr, s->synced ? "synced" : "not synced",
         s->relisting ? ", relisting" : "", s->degraded ? ", degraded" : "",
         s->complete ? "" : ", incomplete", s->entries.used, s->entries.size,
         s->objects.used, s->objects.size, s->arena.used, s->arena.size,
         b->inf.store.settled, s->fifo.used, s->ring.used, s->truncated,
         s->retry_ms, s->stale_ms, s->handler_stuck ? "stuck" : "well");
}

/* A verification, the list of one that polls because it may not watch, or one
 * that looks for names may be under way; by turns each page of it waits for the
 * others' watches. */
static bool is_listing(const struct box *b)
{
    struct kinf_status s;

    kinf_informer_status(&b->inf, &s);
    return (world.verifies || b->inf.reflector.no_watch || b->nameless) &&
           s.relisting;
}

/* Where single requests have no session of their own they wait for a watch's
 * end, which is 10.5 minutes away at most. */
static bool is_fetching(const struct box *b)
{
    return b->config.single == NULL && b->inf.reflector.aside.state != 0;
}

/* After a restore names come late, and lists that look for them are rare. */
static bool waits_for_names(const struct box *b)
{
    struct kinf_status s;

    kinf_informer_status(&b->inf, &s);
    return b->nameless && !s.complete &&
           sim.now < world.healed_at + 15 * MINUTE;
}

static bool is_busy(const struct box *b, uint64_t since)
{
    return (is_listing(b) && sim.now < since + 100 * MINUTE) ||
           ((is_fetching(b) || waits_for_names(b)) &&
            sim.now < since + 11 * MINUTE);
}

/* What came while it was busy is told by its next watch. */
static void wait_until_idle(struct box *b)
{
    uint64_t since = sim.now;
    uint64_t turns = BOXES * (CONFIG_KINF_TURN_SECONDS + 1) * SECOND;

    while (is_busy(b, since)) {
        while (is_busy(b, since))
            world_go_on(sim.now + SECOND);
        world_go_on(sim.now + (world.turns ? turns : 2 * SECOND));
    }
}

void check_calm(struct box *b)
{
    const struct resource *r = &etcd.resources[b->view.res];
    struct sum sum = sum_up(b);
    struct kinf_status status;
    uint32_t in_use;
    /* With a place to spare: a full cache cannot see that what it had no
     * place for has gone. */
    bool fits = sum.count < b->config.sizes.objects && sum.whole &&
                sum.most + cost(b->config.sizes.object_bytes) + cost(400) <=
                    (b->config.sizes.arena_bytes & ~3u);

    MUST(!world.reloading, "a reload has not come to its end");
    wait_until_idle(b);
    in_use = held(b);
    kinf_informer_status(&b->inf, &status);
    tell_status(b, &status);
    check_status(b, &status);
    for (uint32_t i = 0; i < r->keys.count; i++) {
        uint32_t state = etcd_now(b->view.res, i);
        struct kinf_object o;
        char text[400];
        struct kinf_span key = { text, 0 };
        int err;

        key.len = (size_t)snprintf_key(text, sizeof(text), r->keys.at[i]);
        err = kinf_get(&b->inf, key, &o);
        if (err >= 0)
            check_object(b, i, state, &o, in_use);
        else if (view_holds(&b->view, state))
            check_missing(b, i, &sum, &status, err);
    }
    MUST(!fits || (status.complete && !status.degraded &&
                   status.truncated == 0),
         "informer %u: all would fit, but %u are truncated%s", b->number,
         status.truncated, status.complete ? "" : ", incomplete");
    b->nameless &= !status.complete;
    check_listings(b);
    apps_check(b);
    kinf_store_check(&b->inf.store, &b->inf.fifo, &b->inf.processor);
}
