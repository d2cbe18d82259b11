/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - do a thousand clients that lose one server together come back
 * spread out? See fleet.h. */
#include "fleet.h"

#include <stdio.h>

#include "etcd.h"
#include "net.h"
#include "server.h"

enum { CLIENTS = 1000, TICK = 100, TICKS = 3000, A_SECOND = SECOND / TICK };

struct client {
    struct kinf kinf;
    struct kinf_platform platform;
    struct kinf_config config;
    struct kinf_informer inf;
    struct kinf_informer_config informer;
    struct kinf_session session;
    struct kinf_listener listener;
    struct link link;
    char buffer[256];
    struct rng dice;
    uint32_t clock;    /* at the beginning of the world */
    uint64_t poll_at;
    unsigned wants;    /* of the transport, after the last poll */
    uint64_t bytes_up; /* when the server was lost */
    bool back;
};

static struct client *clients;

/* ---- the clients -------------------------------------------------------- */

static uint32_t now_ms(void *ctx)
{
    const struct client *c = ctx;

    return (uint32_t)(c->clock + sim.now);
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return server_wall_s();
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    struct client *c = ctx;
    unsigned char *at = out;

    while (size-- > 0)
        *at++ = (unsigned char)rng_below(&c->dice, 256);
}

static int shown(void *ctx, const struct kinf_object *object, bool flag)
{
    (void)ctx;
    (void)object;
    (void)flag;
    return KINF_OK;
}

static int changed(void *ctx, const struct kinf_object *was,
                   const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    (void)object;
    return KINF_OK;
}

static void make_client(struct client *c, uint32_t spread_ms)
{
    static const struct kinf_event_handler handler = { shown, changed, shown,
                                                       changed, NULL };

    c->dice.state = rng_next(&sim.rng);
    c->clock = (uint32_t)rng_next(&c->dice);
    c->platform = (struct kinf_platform){ now_ms, wall_s, random_bytes, c };
    c->config = (struct kinf_config){
        .platform = &c->platform, .host = { "api.sim.kin", 11 }, .port = 6443,
        .spread_ms = spread_ms
    };
    c->informer = (struct kinf_informer_config){
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .sizes = { .objects = 8, .object_bytes = 1024, .arena_bytes = 4096,
                   .fifo = 2, .every = 1, .ring = 2 },
        .session = &c->session
    };
    c->informer.memory_size = kinf_informer_bytes(&c->informer.sizes);
    c->informer.memory = malloc(c->informer.memory_size);
    MUST(c->informer.memory != NULL, "out of memory");
    link_init(&c->link, false);
    kinf_init(&c->kinf, &c->config);
    kinf_session_init(&c->session, &c->kinf, &link_ops, &c->link, c->buffer,
                      sizeof(c->buffer));
    kinf_informer_init(&c->inf, &c->kinf, &c->informer);
    MUST(kinf_listener_add(&c->inf, &c->listener, &handler, c, KINF_EVERY,
                           0) == KINF_OK, "no handler");
    kinf_start(&c->kinf);
    c->poll_at = rng_below(&sim.rng, MINUTE); /* is switched on then */
}

/* ---- time --------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void poll_client(struct client *c)
{
    struct kinf_wait wait;
    uint32_t sleep = kinf_poll(&c->kinf);

    (void)kinf_waits(&c->kinf, &wait, 1);
    c->wants = wait.wants;
    c->poll_at = sleep == UINT32_MAX ? NEVER : sim.now + sleep;
}

/* Polls whoever is due. Returns when the next one is. */
static uint64_t poll_all(void)
{
    uint64_t next = NEVER;

    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];

        if (c->poll_at <= sim.now ||
            link_ready_at(&c->link, c->wants) <= sim.now)
            poll_client(c);
        next = least(next, least(c->poll_at,
                                 link_ready_at(&c->link, c->wants)));
    }
    return next;
}

static void go_on(uint64_t until)
{
    while (sim.now < until) {
        uint64_t next;

        timers_run();
        next = least(least(poll_all(), timers_next()), until);
        if (next > sim.now)
            sim.now = next;
    }
}

/* ---- losses ------------------------------------------------------------- */

static void dies(void)
{
    server_restart(MINUTE, 0, false);
}

/* Back, but not yet ready to serve: every client is asked to wait as long. */
static void dies_and_is_slow(void)
{
    server_restart(MINUTE, MINUTE, false);
}

static void refuse_all(int code, uint32_t retry_after_s)
{
    server.error_code = code;
    server.error_scope = SCOPE_ALL;
    server.retry_after_s = retry_after_s;
    server.error_until = sim.now + MINUTE;
    server_end_watches(false);
}

static void is_busy(void)
{
    refuse_all(429, 5);
}

static void fails(void)
{
    refuse_all(503, 0);
}

/* The other replica is there at once. */
static void fails_over(void)
{
    server_failover(0);
}

static void restarts_gracefully(void)
{
    server_restart(2 * SECOND, 0, true);
}

/* As a proxy does that is configured anew. */
static void ends_watches(void)
{
    server_end_watches(true);
}

/* Those who tried again and again are spread by their backoff; those who could
 * be served at once by the configuration, but for the few whose watch was about
 * to end. */
static const struct loss {
    const char *name;
    void (*happens)(void);
    uint32_t away_ms; /* so long nobody is served */
    /* How many may come back in a second; with a spread of 30 s. */
    uint32_t most, most_spread;
} losses[] = {
    { "a minute without a server", dies, MINUTE, 80, 80 },
    { "a minute without, and one of 429", dies_and_is_slow, 2 * MINUTE, 80,
      80 },
    { "a minute of 429, each told to wait for 5 s", is_busy, MINUTE, 80, 80 },
    { "a minute of 503", fails, MINUTE, 80, 80 },
    { "connections reset", fails_over, 0, CLIENTS, 80 },
    { "a graceful shutdown", restarts_gracefully, 12 * SECOND, 500, 200 },
    { "watches ended cleanly", ends_watches, 0, CLIENTS, 120 },
};

/* ---- counting ----------------------------------------------------------- */

/* By tenths of a second since the loss. */
static struct {
    uint32_t came[TICKS]; /* clients that were served for the first time */
    uint32_t asked[TICKS];
} count;

/* Most in a second that begins with any of these ticks. */
static uint32_t most(const uint32_t *ticks, uint32_t from, uint32_t width)
{
    uint32_t best = 0;

    for (uint32_t i = from; i + width <= TICKS; i++) {
        uint32_t sum = 0;

        for (uint32_t j = 0; j < width; j++)
            sum += ticks[i + j];
        if (sum > best)
            best = sum;
    }
    return best;
}

/* When has this share of them come? In ticks. */
static uint32_t until(uint32_t percent)
{
    uint32_t sum = 0, i = 0;

    while (i < TICKS && sum * 100 < percent * CLIENTS)
        sum += count.came[i++];
    return i;
}

static void note_lost(void)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i].bytes_up = clients[i].link.bytes_up;
        clients[i].back = false;
    }
}

/* Who has been served since? */
static void count_tick(uint32_t tick, uint64_t asked, bool served)
{
    count.asked[tick] = (uint32_t)(server.requests - asked);
    count.came[tick] = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];

        if (!served)
            c->bytes_up = c->link.bytes_up;
        if (c->back || c->link.bytes_up == c->bytes_up)
            continue;
        c->back = true;
        count.came[tick]++;
    }
}

static void count_return(const struct loss *loss)
{
    uint64_t begun = sim.now;

    note_lost();
    loss->happens();
    for (uint32_t tick = 0; tick < TICKS; tick++) {
        uint64_t asked = server.requests;

        go_on(begun + (tick + 1) * TICK);
        count_tick(tick, asked, sim.now > begun + loss->away_ms);
    }
}

/* Everybody watches again, and knows what has changed meanwhile. */
static void check_all_are_well(uint64_t rev)
{
    struct kinf_object o;
    struct kinf_status s;
    char version[24];

    snprintf(version, sizeof(version), "%llu", (unsigned long long)rev);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        kinf_informer_status(&clients[i].inf, &s);
        MUST(s.synced && s.phase == KINF_INFORMER_WATCHING,
             "client %u is in phase %d", i, (int)s.phase);
        MUST(kinf_get(&clients[i].inf, (struct kinf_span){ "ns0/x", 5 },
                      &o) == KINF_OK &&
                 o.resource_version.len == strlen(version) &&
                 memcmp(o.resource_version.ptr, version,
                        o.resource_version.len) == 0,
             "client %u does not have version %s", i, version);
    }
}

static uint64_t change(void)
{
    const struct look look = { .size = 50, .tier = 'a',
                               .salt = rng_below(&sim.rng, 1u << 24) };

    etcd_put(CONFIGMAPS, etcd_key(CONFIGMAPS, "ns0", "x"), &look);
    server_changed();
    return etcd.rev;
}

static void check_spread(const struct loss *loss, uint32_t spread_ms,
                         struct fleet *f)
{
    bool spread = spread_ms >= 30 * SECOND;
    uint32_t peak = most(count.came, 0, A_SECOND);
    uint32_t requests = most(count.asked, loss->away_ms / TICK, A_SECOND);
    uint32_t width = until(95) - until(5);

    printf("%s: at most %u of %u clients in a second, %u requests; 90 %% of "
           "them in %u.%u s\n", loss->name, peak, CLIENTS, requests,
           width / A_SECOND, width % A_SECOND);
    MUST(peak <= (spread ? loss->most_spread : loss->most),
         "%s: %u clients come back in one second", loss->name, peak);
    MUST(most(count.came, 0, 1) <= CLIENTS / 4,
         "%s: a crowd comes back in a tenth of a second", loss->name);
    MUST((loss->away_ms < MINUTE && !spread) || width >= 15 * A_SECOND,
         "%s: nine in ten come back within %u.%u s", loss->name,
         width / A_SECOND, width % A_SECOND);
    if (loss->away_ms == MINUTE && f->peak_down < peak)
        f->peak_down = peak;
    if (f->peak < peak)
        f->peak = peak;
    if (f->requests < requests)
        f->requests = requests;
}

void fleet_run(uint64_t seed, uint32_t spread_ms, struct fleet *result)
{
    sim.rng.state = seed * 0xD1B54A32D192ED03u + 5;
    clients = calloc(CLIENTS, sizeof(*clients));
    MUST(clients != NULL, "out of memory");
    etcd_init(1000);
    net_init(20);
    server_init();
    (void)change();
    for (uint32_t i = 0; i < CLIENTS; i++)
        make_client(&clients[i], spread_ms);
    *result = (struct fleet){ .clients = CLIENTS };
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        uint64_t rev;

        go_on(sim.now + 15 * MINUTE);
        rev = change();
        count_return(&losses[i]);
        check_all_are_well(rev);
        check_spread(&losses[i], spread_ms, result);
    }
}
