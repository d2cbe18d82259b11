/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - makes a world and lets its time pass; see world.h. */
#include "world.h"

#include "request.h"

struct world world;

void kinf_assert_failed(unsigned file, unsigned line)
{
    sim_fail("assertion of the library: file %u line %u", file, line);
}

/* ---- the platform ------------------------------------------------------- */

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)(world.clock_base + sim.now);
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    if (!world.wall_known)
        return KINF_WALL_UNKNOWN;
    return (int64_t)(server_wall_base() + sim.now / SECOND) + world.skew_s;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    unsigned char *at = out;

    (void)ctx;
    while (size-- > 0)
        *at++ = (unsigned char)rng_below(&sim.rng, 256);
}

static struct kinf_span read_token(void *ctx, bool refused)
{
    (void)ctx;
    if (!world.links[0].verified) /* it would not be sent */
        return (struct kinf_span){ NULL, 0 };
    if (refused && sim.now >= world.token_readable_at)
        world.token_number = server.token;
    world.token.len = 0;
    token_text(&world.token, world.token_number);
    return (struct kinf_span){ world.token.ptr, world.token.len };
}

/* ---- making a world ----------------------------------------------------- */

static struct rng *choice(void)
{
    return &world.choice;
}

static bool one_in(uint32_t n)
{
    return rng_below(choice(), n) == 0;
}

static struct kinf_span span(const char *text)
{
    return (struct kinf_span){ text, strlen(text) };
}

static void draw_view(struct view *v)
{
    v->res = (uint8_t)rng_below(choice(), RESOURCES);
    if (kinds[v->res].namespaced && one_in(4))
        snprintf(v->namespace_, sizeof(v->namespace_), "ns%u",
                 rng_below(choice(), 3));
    if (one_in(3))
        v->selector = (uint8_t)rng_below(choice(), SELECTORS);
    if (one_in(6))
        v->field_selector = (uint8_t)rng_below(choice(), FIELD_SELECTORS);
    v->metadata_only = one_in(8);
}

static void draw_keep(struct box *b)
{
    struct kinf_informer_config *c = &b->config;

    b->keep = one_in(4) ? (uint8_t)rng_below(choice(), KEEPS) : KEEP_ALL;
    c->keep = b->keep_paths;
    switch (b->keep) {
    case KEEP_DATA:
        b->keep_paths[0] = span("data");
        b->keep_paths[1] = span("binaryData");
        b->keep_paths[2] = span("spec");
        c->keep_count = 3;
        break;
    case KEEP_LABELS:
        b->keep_paths[0] = span("metadata.labels");
        c->keep_count = 1;
        break;
    case KEEP_DEEP:
        b->keep_paths[0] = span("metadata.annotations.note");
        b->keep_paths[1] = span("data.k0");
        b->keep_paths[2] = span("spec.k0");
        c->keep_count = 3;
        break;
    default:
        c->keep = NULL;
        break;
    }
    if (c->keep_count > CONFIG_KINF_KEEP_PATHS) { /* the smallest build */
        b->keep = KEEP_LABELS;
        b->keep_paths[0] = span("metadata.labels");
        c->keep_count = 1;
    }
}

/* From the smallest legal sizes to those where everything fits easily. */
static struct kinf_sizes draw_sizes(void)
{
    struct rng *r = choice();
    struct kinf_sizes z = { .objects = 1 + rng_below(r, 3), .fifo = 1,
                            .object_bytes = CONFIG_KINF_IDENTITY_BYTES,
                            .every = 1, .ring = 1, .latest = one_in(2) };

    if (world.size >= 1) {
        z.objects = 1 + rng_size(r, 2 * world.names * 4);
        z.fifo = rng_size(r, 8);
        z.object_bytes += rng_size(r, 4096);
        z.every = rng_range(r, 0, 3);
        z.ring = rng_size(r, 16);
        z.latest = rng_range(r, z.every == 0, 3);
    }
    if (world.size >= 2 || one_in(3))
        z.objects = world.names * 8 + 4;
    if (world.size == 3)
        z.fifo = 1 + rng_size(r, 64);
    z.arena_bytes = 2 * z.object_bytes + 64;
    if (!one_in(4))
        z.arena_bytes += rng_size(r, z.objects * z.object_bytes);
    if (world.size >= 2 && !one_in(3))
        z.arena_bytes += z.objects * (900 + world.most);
    z.postings = one_in(3) ? rng_size(r, z.objects * 2) : 0;
    return z;
}

static void note_error(void *ctx, int err, int http_status,
                       struct kinf_span message,
                       const struct kinf_object *object)
{
    struct box *b = ctx;

    MUST(apps.polling, "an error is told outside kinf_poll");
    MUST(err < 0 && err > -KINF_ERR_COUNT, "error %d is told", err);
    b->errors++;
    b->nameless |= err == KINF_ERR_NO_IDENTITY;
    TELL("informer %u: error %s, HTTP %d, %.*s %.*s", b->number,
         kinf_strerror(err), http_status, (int)message.len, message.ptr,
         object != NULL ? (int)object->name.len : 0,
         object != NULL ? object->name.ptr : "");
}

static struct kinf_session *new_session(uint32_t box)
{
    uint32_t i = world.link_count++;
    uint32_t size = one_in(3) ? 256 : 256 + rng_size(choice(), 16384);

    link_init(&world.links[i], world.links[0].verified);
    world.buffers[i] = malloc(size);
    MUST(world.buffers[i] != NULL, "out of memory");
    kinf_session_init(&world.sessions[i], &world.kinf, &link_ops,
                      &world.links[i], world.buffers[i], size);
    world.boxes[box].sessions |= 1u << i;
    return &world.sessions[i];
}

static void make_box(struct box *b)
{
    struct kinf_informer_config *c = &b->config;
    uint32_t n = b->number;
    size_t need;

    draw_view(&b->view);
    draw_keep(b);
    c->resource = (struct kinf_resource){
        span(kinds[b->view.res].group), span(kinds[b->view.res].version),
        span(kinds[b->view.res].plural), span(kinds[b->view.res].kind)
    };
    c->namespace_ = span(b->view.namespace_);
    c->label_selector = span(selectors[b->view.selector]);
    c->field_selector = span(field_selectors[b->view.field_selector]);
    c->metadata_only = b->view.metadata_only;
    if (c->metadata_only)
        c->resource.kind = span("PartialObjectMetadata");
    c->streaming = one_in(2) ? KINF_STREAM_AUTO : KINF_STREAM_NEVER;
    c->limit = one_in(3) ? 0 : rng_size(choice(), 20);
    c->verify_ms = world.verifies ? rng_range(choice(), 4, 8) * MINUTE : 0;
    c->poll_ms = one_in(2) ? 2 * MINUTE : 0;
    c->sizes = draw_sizes();
    c->memory_size = kinf_informer_bytes(&c->sizes);
    c->memory = malloc(c->memory_size);
    MUST(c->memory != NULL, "out of memory");
    MUST(kinf_informer_check(c, &need) == KINF_OK,
         "sizes that need %zu bytes", need);
    c->on_error = note_error;
    c->ctx = b;
    if (world.turns && n > 0) {
        c->session = &world.sessions[0];
        b->sessions = 1;
        return;
    }
    c->session = new_session(n);
    c->single = !world.turns && one_in(2) ? new_session(n) : NULL;
}

static void tell_box(const struct box *b)
{
    const struct kinf_sizes *z = &b->config.sizes;

    TELL("informer %u: %s ns '%s' selectors '%s' '%s'%s keep %u, %s, limit %u, "
         "verify %u ms, objects %u of %u, arena %u, fifo %u, every %u x %u, "
         "latest %u, postings %u, sessions %x", b->number,
         kinds[b->view.res].plural, b->view.namespace_,
         selectors[b->view.selector], field_selectors[b->view.field_selector],
         b->view.metadata_only ? " metadata" : "", b->keep,
         b->config.streaming == KINF_STREAM_AUTO ? "streams" : "lists",
         b->config.limit, b->config.verify_ms, z->objects, z->object_bytes,
         z->arena_bytes, z->fifo, z->every, z->ring, z->latest, z->postings,
         b->sessions);
}

static void make_nature(void)
{
    server.old_paging = one_in(2);
    server.own_bookmarks = one_in(3);
    server.spread = one_in(4);
    server.spread_json = one_in(5);
    if (one_in(2))
        server.stream_mode = (enum stream_mode)rng_below(choice(),
                                                         STREAM_MODES);
    if ((world.options->faults & KIND_PROXY) == 0)
        return;
    server.rechunk = one_in(4);
    server.close_delimited = one_in(6);
    net.window = one_in(3) ? 200 + rng_size(choice(), 4000) : 65536;
    net.idle_cut_ms = one_in(4) ? MINUTE : 0;
}

void world_make(const struct options *options)
{
    uint32_t size;

    world.options = options;
    world.choice.state = options->seed * 0x9E3779B97F4A7C15u + 1;
    sim.rng.state = options->seed * 0xD1B54A32D192ED03u + 2;
    size = rng_below(choice(), 100);
    world.size = size < 25 ? 0 : size < 60 ? 1 : size < 90 ? 2 : 3;
    if (options->size >= 0)
        world.size = options->size;
    world.names = world.size == 0 ? 3 : world.size == 3 ? 60
                                    : world.size == 2 ? 18 : 10;
    world.most = world.size == 0 ? 100 : 600;
    world.box_count = rng_range(choice(), 1, world.size == 3 ? 2 : 3);
    world.turns = world.box_count > 1 && one_in(6);
    world.verifies = one_in(2);
    world.wall_known = !one_in(4);
    world.clock_base = one_in(2) ? 0x100000000u - rng_size(choice(), 8 * HOUR)
                                 : rng_next(choice()) & 0xFFFFFFFFu;
    if (options->faults & KIND_APP)
        apps.mischief = one_in(2) ? rng_size(choice(), 30) : 0;
    request_prefix = one_in(5) ? "/k8s/c-1" : "";
    etcd_init(one_in(3) ? rng_range(choice(), 90, 99) : 1000);
    net_init(rng_size(choice(), 200));
    server_init();
    make_nature();
    fill_cluster();
    world.platform = (struct kinf_platform){ now_ms, wall_s, random_bytes,
                                             NULL };
    world.config = (struct kinf_config){
        .platform = &world.platform, .host = span("api.sim.kin"), .port = 6443,
        .path_prefix = span(request_prefix),
        .credentials = { read_token, NULL },
        .spread_ms = one_in(3) ? rng_size(choice(), MINUTE) : 0
    };
    kinf_init(&world.kinf, &world.config);
    world.links[0].verified = !one_in(8);
    for (uint32_t i = 0; i < world.box_count; i++) {
        world.boxes[i].number = i;
        make_box(&world.boxes[i]);
        tell_box(&world.boxes[i]);
    }
}

/* ---- informers ---------------------------------------------------------- */

static void add_apps(struct box *b)
{
    const struct kinf_sizes *z = &b->config.sizes;
    uint32_t resync = one_in(3) ? rng_range(choice(), 1, 900) * SECOND : 0;

    if (z->every > 0)
        (void)app_add(b, KINF_EVERY, one_in(2) ? resync : 0, one_in(4));
    if (z->latest > 0)
        (void)app_add(b, KINF_LATEST, resync, one_in(4));
}

void box_start(struct box *b)
{
    memset(b->config.memory, 0xA5, b->config.memory_size);
    memset(&b->inf, 0xA5, sizeof(b->inf));
    kinf_informer_init(&b->inf, &world.kinf, &b->config);
    if (one_in(4)) /* near the end of the numbers of lists */
        b->inf.store.generation = (uint16_t)(UINT16_MAX -
                                             rng_below(choice(), 8));
    b->running = true;
    b->stopping = b->has_index = b->listing = false;
    add_apps(b);
    if (one_in(2))
        kinf_informer_start(&b->inf);
    else
        kinf_start(&world.kinf);
    world.woken = true;
    TELL("informer %u: starts", b->number);
}

void box_stop(struct box *b)
{
    if (!b->running || b->stopping)
        return;
    TELL("informer %u: is stopped", b->number);
    b->stopping = true;
    b->listing = false;
    kinf_informer_stop(&b->inf);
    world.woken = true;
}

static void count_relists(const struct box *b)
{
    struct kinf_status status;

    kinf_informer_status(&b->inf, &status);
    world.result.relists += status.relists;
}

/* A stop takes effect in the poll after it: the memory is ours. */
static void ended(struct box *b)
{
    struct kinf_status status;

    kinf_informer_status(&b->inf, &status);
    MUST(status.phase == KINF_INFORMER_STOPPED,
         "informer %u: not stopped by a poll", b->number);
    MUST(status.entries.used == 0 && status.objects.used == 0 &&
             status.fifo.used == 0 && status.ring.used == 0,
         "informer %u: pools are not empty after a stop", b->number);
    count_relists(b);
    apps_end(b);
    b->running = b->stopping = false;
    memset(b->config.memory, 0x5A, b->config.memory_size);
    memset(&b->inf, 0x5A, sizeof(b->inf));
    if (apps.calm)
        box_start(b);
}

struct app *box_app(struct box *b, uint32_t pick)
{
    for (uint32_t i = 0; i < BOX_APPS; i++) {
        struct app *a = &b->apps[(pick + i) % BOX_APPS];

        if (a->used && !a->removed)
            return a;
    }
    return NULL;
}

void world_mischief(struct app *a, const struct kinf_object *object)
{
    struct box *b = a->box;
    struct app *other = box_app(b, rng_below(&sim.rng, BOX_APPS));
    struct kinf_object got;
    char key[400];
    int len;

    if (b->stopping)
        return;
    switch (rng_below(&sim.rng, 8)) {
    case 0:
        app_remove(a);
        break;
    case 1:
        if (other != NULL)
            app_remove(other);
        break;
    case 2:
        (void)app_add(b, rng_percent(&sim.rng, 50) ? KINF_EVERY : KINF_LATEST,
                      0, false);
        break;
    case 3:
    case 4:
        len = kinf_object_key(object, key, sizeof(key));
        MUST(len > 0, "a key of %d bytes", len);
        if (kinf_get(&b->inf, (struct kinf_span){ key, (size_t)len }, &got) >=
            0)
            MUST(state_of(b, &got, 0) != NO_STATE,
                 "the lister shows %s in a state that never was", key);
        break;
    case 5:
        kinf_wake(&world.kinf);
        kinf_listener_resume(&a->listener);
        break;
    case 6:
        if (rng_percent(&sim.rng, 5))
            box_stop(b);
        break;
    default:
        break;
    }
}

/* ---- what the server tells us of requests ------------------------------- */

static bool same_view(const struct box *b, const struct asked *a)
{
    return b->view.res == a->view.res &&
           (a->probe || b->view.metadata_only == a->view.metadata_only) &&
           (a->get || (strcmp(b->view.namespace_, a->view.namespace_) == 0 &&
                       b->view.selector == a->view.selector &&
                       b->view.field_selector == a->view.field_selector));
}

static struct box *box_of(const struct asked *a)
{
    struct box *found = NULL;

    for (uint32_t i = 0; i < world.box_count; i++) {
        struct box *b = &world.boxes[i];

        if ((b->sessions >> a->link & 1u) != 0 && same_view(b, a) &&
            (found == NULL || b->requests < found->requests))
            found = b;
    }
    MUST(found != NULL, "a request that no informer should make");
    return found;
}

void world_asked(const struct asked *a)
{
    struct box *b;

    world.result.requests++;
    if (world.box_count == 0) /* talk.c */
        return;
    b = box_of(a);
    if (a->watch && !a->stream) {
        b->watches++;
        if (world.turns)
            return;
    }
    if (a->list && !a->first_page) {
        b->pages++;
        return;
    }
    b->requests++;
    if (!a->probe && (a->stream || a->first_page))
        b->lists++;
}

void world_listed(const struct asked *a)
{
    for (uint32_t i = 0; i < world.box_count; i++) {
        struct box *b = &world.boxes[i];

        b->whole_lists += (b->sessions >> a->link & 1u) != 0 &&
                          same_view(b, a);
    }
}

/* ---- the loop ----------------------------------------------------------- */

static uint64_t moved(void)
{
    uint64_t sum = apps.callbacks;

    for (uint32_t i = 0; i < world.link_count; i++)
        sum += world.links[i].bytes_down + world.links[i].bytes_up +
               world.links[i].opens;
    return sum;
}

static uint64_t received(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < world.link_count; i++)
        sum += world.links[i].bytes_down;
    return sum;
}

static void check_work(uint64_t bytes)
{
    uint64_t most = 0;
    uint32_t calls = world.box_count * (3 * CONFIG_KINF_POLL_EVENTS + 1);

    for (uint32_t i = 0; i < world.link_count; i++)
        most += CONFIG_KINF_POLL_BYTES + world.sessions[i].size;
    MUST(bytes <= most, "one poll took in %llu bytes",
         (unsigned long long)bytes);
    MUST(apps.callbacks_in_poll <= calls, "one poll made %u callbacks",
         apps.callbacks_in_poll);
}

static void tell_poll(uint32_t wait)
{
    struct kinf_wait waits[LINKS];
    size_t n = kinf_waits(&world.kinf, waits, LINKS);
    struct text t = { NULL, 0, 0, 0 };

    for (size_t i = 0; i < n; i++)
        text_fmt(&t, " %u", waits[i].wants);
    for (uint32_t i = 0; i < world.box_count; i++) {
        const struct kinf_informer *inf = &world.boxes[i].inf;

        if (!world.boxes[i].running)
            continue;
        text_fmt(&t, "; %u: state %u, aside %u, settled %u, no room %u%s", i,
                 inf->reflector.state, inf->reflector.aside.state,
                 inf->store.settled, inf->store.no_room,
                 inf->store.freed ? ", freed" : "");
    }
    tell("poll: may sleep %u ms, wants%s", wait, t.ptr);
    text_free(&t);
}

static void poll_once(void)
{
    uint64_t before = moved(), bytes = received();
    uint32_t wait;

    apps.polling = true;
    apps.callbacks_in_poll = 0;
    world.woken = false;
    wait = kinf_poll(&world.kinf);
    apps.polling = false;
    world.polls++;
    if (sim.polls)
        tell_poll(wait);
    check_work(received() - bytes);
    for (uint32_t i = 0; i < world.box_count; i++) {
        struct box *b = &world.boxes[i];

        if (b->running && b->stopping)
            ended(b);
        if (b->running)
            check_after_poll(b);
    }
    world.polls_idle = moved() != before ? 0 : world.polls_idle + 1;
    MUST(world.polls_idle < 200000, "it polls and polls and does nothing");
    world.poll_at = wait == UINT32_MAX ? NEVER : sim.now + wait;
    world.defer_until = NEVER;
    if (++world.polls_now % 16 == 0)
        sim.now++;
}

/* When has it to be polled? */
static uint64_t due_at(void)
{
    struct kinf_wait waits[LINKS];
    size_t n = kinf_waits(&world.kinf, waits, LINKS);
    uint64_t at = world.poll_at;

    if (world.woken)
        return sim.now;
    for (size_t i = 0; i < n; i++) {
        uint64_t ready = link_ready_at(waits[i].transport, waits[i].wants);

        if (ready < at)
            at = ready;
    }
    return at;
}

/* Late in a late world, and never in one that is suspended. */
static uint64_t poll_time(void)
{
    uint64_t at = due_at();

    if (sim.now < world.late_until && at <= sim.now) {
        if (world.defer_until == NEVER)
            world.defer_until = sim.now + rng_below(&sim.rng,
                                                    world.late_ms + 1);
        at = world.defer_until;
    }
    return at > world.suspended_until ? at : world.suspended_until;
}

void world_go_on(uint64_t until)
{
    while (sim.now < until) {
        uint64_t at, next;

        timers_run();
        at = poll_time();
        if (at <= sim.now) {
            poll_once();
            continue;
        }
        next = timers_next() < at ? timers_next() : at;
        if (next > until)
            next = until;
        for (uint32_t i = 0; i < world.box_count; i++)
            listing_step(&world.boxes[i]);
        if (next > sim.now) {
            sim.now = next;
            world.polls_now = 0;
        }
    }
}

/* ---- epochs ------------------------------------------------------------- */

static void calm_apps(struct box *b)
{
    if (!b->running)
        box_start(b);
    for (uint32_t i = 0; i < BOX_APPS; i++)
        app_resume(&b->apps[i]);
    if (box_app(b, 0) == NULL)
        add_apps(b);
}

/* Nobody hurts any more; what is in flight may end as it likes. */
static void calm_down(void)
{
    TELL("---- calm");
    net_calm();
    server_calm();
    world.late_until = world.suspended_until = 0;
    world.token_readable_at = 0;
    apps.calm = true;
    heal_nameless();
    for (uint32_t i = 0; i < world.box_count; i++)
        calm_apps(&world.boxes[i]);
    world.woken = true;
}

static void play(const struct script *s, size_t *next, uint64_t until)
{
    for (; *next < s->actions.count && s->actions.at[*next].at < until;
         ++*next) {
        const struct action *a = &s->actions.at[*next];

        world_go_on(a->at);
        happen(a);
    }
    world_go_on(until);
}

/* An hour counts only with a fault and ten changes. */
static void count_hour(void)
{
    bool counts = world.result.faults > world.hour_faults &&
                  etcd.changes >= world.hour_changes + 10;

    world.result.hours += counts;
    world.hour_faults = world.result.faults;
    world.hour_changes = etcd.changes;
    check_hour();
}

static void play_hours(const struct script *s, size_t *next, uint64_t calm_at,
                       uint32_t hours)
{
    uint64_t hour_end = sim.now - sim.now % HOUR + HOUR;

    for (uint32_t i = 0; i < hours; i++, hour_end += HOUR) {
        bool last = i + 1 == hours;

        play(s, next, last ? calm_at : hour_end);
        if (last) {
            calm_down();
            if (hour_end < sim.now + 15 * MINUTE)
                hour_end = sim.now + 15 * MINUTE; /* the last one was long */
            world_go_on(hour_end);
        }
        for (uint32_t b = 0; last && b < world.box_count; b++)
            check_calm(&world.boxes[b]);
        MUST(!last || kinf_synced(&world.kinf, NULL), "not all have synced");
        apps.calm = false;
        count_hour();
    }
}

static void print_script(const struct script *s)
{
    struct text t = { NULL, 0, 0, 0 };

    for (size_t i = 0; i < s->actions.count; i++) {
        t.len = 0;
        action_text(&t, &s->actions.at[i]);
        printf("%s\n", t.ptr);
    }
    text_free(&t);
}

/* Hours of the epochs, and what happens in them. */
static void draw_all(struct script *s, uint32_t lengths[])
{
    struct rng r = { world.options->seed * 0xA0761D6478BD642Fu + 3 };
    uint64_t at = 0;

    for (uint32_t hours = world.options->hours, i = 0; hours > 0; i++) {
        uint32_t drawn = rng_below(&r, 10);
        uint32_t n = drawn < 7 ? 1 : drawn < 9 ? 2 : 3;

        if (n > hours)
            n = hours;
        script_draw(s, &r, at, at + n * HOUR - 15 * MINUTE, n,
                    world.options->faults | KIND_CHANGE);
        lengths[i] = n;
        hours -= n;
        at += n * HOUR;
    }
    script_sort(s);
}

static void end_world(void)
{
    uint32_t polls = 0;

    for (uint32_t i = 0; i < world.box_count; i++) {
        world.boxes[i].stopping = true;
        count_relists(&world.boxes[i]);
    }
    kinf_stop(&world.kinf);
    apps.polling = true;
    while (!kinf_stopped(&world.kinf)) {
        (void)kinf_poll(&world.kinf);
        MUST(++polls < 10, "it does not stop");
    }
    (void)kinf_poll(&world.kinf);
    apps.polling = false;
    for (uint32_t i = 0; i < world.box_count; i++)
        apps_end(&world.boxes[i]);
    for (uint32_t i = 0; i < world.link_count; i++)
        MUST(world.links[i].phase == KINF_PHASE_CLOSED,
             "a connection is open after the stop");
}

void world_run(const struct options *options, struct result *result)
{
    struct script s = { .actions = { NULL, 0, 0 } };
    uint32_t *lengths = calloc(options->hours + 1, sizeof(*lengths));
    size_t next = 0;

    MUST(lengths != NULL, "out of memory");
    world_make(options);
    draw_all(&s, lengths);
    if (options->script != NULL) {
        s.actions.count = 0;
        script_read(&s, options->script);
    }
    if (options->print_script) {
        print_script(&s);
        return;
    }
    for (uint32_t i = 0; i < world.box_count; i++)
        box_start(&world.boxes[i]);
    for (uint32_t i = 0; lengths[i] > 0; i++)
        play_hours(&s, &next, sim.now + lengths[i] * HOUR - 15 * MINUTE,
                   lengths[i]);
    end_world();
    world.result.changes = etcd.changes;
    world.result.polls = world.polls;
    world.result.callbacks = apps.callbacks;
    world.result.bytes = received();
    *result = world.result;
}
