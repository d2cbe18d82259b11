/* SPDX-License-Identifier: Apache-2.0 */
/* make.c - makes a world as its seed says, and starts and stops its informers;
 * see world.h. */
#include "request.h"
#include "world.h"

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
    if (world.collides && size == sizeof(world.kinf.hash_key)) {
        memset(out, 0, size); /* the key under which some names collide */
        return;
    }
    while (size-- > 0)
        *at++ = (unsigned char)rng_below(&sim.rng, 256);
}

static struct kinf_span read_token(void *ctx, bool refused)
{
    (void)ctx;
    if (!world.links[0].trusted) /* it would never be sent */
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

static uint32_t arena_least(const struct kinf_sizes *z)
{
    const struct kinf_informer_config c = {
        .sizes = { .object_bytes = z->object_bytes }
    };
    size_t need;

    (void)kinf_informer_check(&c, &need);
    return (uint32_t)need;
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
    z.arena_bytes = arena_least(&z) + (one_in(2) ? 64 : 0);
    if (!one_in(4))
        z.arena_bytes += rng_size(r, z.objects * z.object_bytes);
    if (world.size >= 2 && !one_in(3))
        z.arena_bytes += z.objects * (900 + world.most);
    z.postings = !one_in(3)  ? 0
                 : one_in(2) ? z.objects * 3
                             : rng_size(r, z.objects * 2);
    if (!CONFIG_KINF_INDEXES)
        z.postings = 0;
    if (!CONFIG_KINF_LATEST_MODE) {
        z.every += z.every == 0;
        z.latest = 0;
    }
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
    if (err == KINF_ERR_JSON && b->inf.reflector.listing) {
        b->torn |= !b->inf.reflector.can_resume;
        b->listed_rev = 0; /* a list that broke sweeps nothing */
    }
    if (err == KINF_ERR_NO_IDENTITY)
        check_nameless(b);
    if (err == KINF_ERR_TIMEOUT)
        check_timeout();
    TELL("informer %u: error %s, HTTP %d, %.*s %.*s", b->number,
         kinf_strerror(err), http_status, (int)message.len, message.ptr,
         object != NULL ? (int)object->name.len : 0,
         object != NULL ? object->name.ptr : "");
}

static struct kinf_session *new_session(uint32_t box)
{
    uint32_t i = world.link_count++;
    uint32_t size = one_in(3) ? 256 : 256 + rng_size(choice(), 16384);

    link_init(&world.links[i], world.links[0].trusted);
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
    c->streaming = one_in(2) && CONFIG_KINF_STREAMING ? KINF_STREAM_AUTO
                                                      : KINF_STREAM_NEVER;
    c->limit = one_in(3) ? 0 : rng_size(choice(), 20);
    if (world.turns && c->limit > 0)
        c->limit += 20; /* a page a turn: see KINF_TURN_SECONDS */
    c->verify_ms = world.verifies ? rng_range(choice(), 4, 8) * MINUTE : 0;
    c->poll_ms = one_in(2) && CONFIG_KINF_POLLING ? 2 * MINUTE : 0;
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
    c->single = CONFIG_KINF_SECOND_SESSION && !world.turns && one_in(2)
                    ? new_session(n)
                    : NULL;
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

static void init_library(uint32_t spread_ms)
{
    world.platform = (struct kinf_platform){ now_ms, wall_s, random_bytes,
                                             NULL };
    world.config = (struct kinf_config){
        .platform = &world.platform, .host = span("api.sim.kin"), .port = 6443,
        .path_prefix = span(request_prefix),
        .credentials = { read_token, NULL }, .spread_ms = spread_ms
    };
    kinf_init(&world.kinf, &world.config);
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
    world.turns = world.box_count > 1 && one_in(6) && CONFIG_KINF_TURNS;
    world.verifies = one_in(2) && CONFIG_KINF_VERIFY;
    world.collides = one_in(4);
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
    init_library(one_in(3) ? rng_size(choice(), MINUTE) : 0);
    world.links[0].trusted = !one_in(8);
    for (uint32_t i = 0; i < world.box_count; i++) {
        world.boxes[i].number = i;
        make_box(&world.boxes[i]);
        tell_box(&world.boxes[i]);
    }
}

/* ---- informers ---------------------------------------------------------- */

void box_add_apps(struct box *b)
{
    const struct kinf_sizes *z = &b->config.sizes;
    uint32_t resync = one_in(3) ? rng_range(choice(), 1, 900) * SECOND : 0;

    if (z->every > 0)
        (void)app_add(b, KINF_EVERY, one_in(2) ? resync : 0, one_in(4));
    if (z->every > 1 && one_in(2))
        (void)app_add(b, KINF_EVERY, one_in(2) ? resync : 0, false);
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
    b->wait_until[0] = b->wait_until[1] = 0;
    b->stopping = b->has_index = b->listing = b->torn = false;
    b->retold.count = 0;
    box_add_apps(b);
    if (one_in(2))
        index_add(b);
    if (one_in(2))
        kinf_informer_start(&b->inf);
    else
        kinf_start(&world.kinf);
    world.woken = true;
    TELL("informer %u: starts", b->number);
}

void box_stop(struct box *b)
{
    if (!CONFIG_KINF_STOP || !b->running || b->stopping)
        return;
    TELL("informer %u: is stopped", b->number);
    b->stopping = true;
    b->listing = false;
    kinf_informer_stop(&b->inf);
    world.woken = true;
}

void box_count_relists(const struct box *b)
{
    struct kinf_status status;

    kinf_informer_status(&b->inf, &status);
    world.result.relists += status.relists;
}

/* A stop takes effect in the poll after it: the memory is ours. */
void box_ended(struct box *b)
{
    struct kinf_status status;

    kinf_informer_status(&b->inf, &status);
    MUST(status.phase == KINF_INFORMER_STOPPED,
         "informer %u: not stopped by a poll", b->number);
    MUST(status.entries.used == 0 && status.objects.used == 0 &&
             status.fifo.used == 0 && status.ring.used == 0,
         "informer %u: pools are not empty after a stop", b->number);
    box_count_relists(b);
    apps_end(b);
    b->running = b->stopping = false;
    memset(b->config.memory, 0x5A, b->config.memory_size);
    memset(&b->inf, 0x5A, sizeof(b->inf));
    if (apps.calm)
        box_start(b);
}

void world_make_quiet(void)
{
    static const struct options options = { .seed = 1 };
    struct box *b = &world.boxes[0];

    world.options = &options;
    world.wall_known = true;
    world.names = 3;
    world.most = 600;
    request_prefix = "";
    etcd_init(1000);
    net_init(20);
    server_init();
    server.token_bytes = 1024;
    fill_cluster();
    init_library(0);
    world.links[0].trusted = true;
    world.box_count = 1;
    b->config = (struct kinf_informer_config){
        .resource = KINF_RESOURCE_CONFIGMAPS, .sizes = KINF_SIZES_DEFAULT,
        .session = new_session(0), .on_error = note_error, .ctx = b
    };
    b->config.memory_size = kinf_informer_bytes(&b->config.sizes);
    b->config.memory = malloc(b->config.memory_size);
    MUST(b->config.memory != NULL, "out of memory");
}
