/* SPDX-License-Identifier: Apache-2.0 */
/* happen.c - carries out the lines of a script; see script.h. */
#include "world.h"

static const char *name_of(char out[NAME_MAX_BYTES], uint32_t pick)
{
    uint32_t n = pick % world.names;

    if (n % 17 == 16) /* as long as the server lets it be */
        snprintf(out, NAME_MAX_BYTES, "%0230u.example.of-a-long.name", n);
    else if (n % 17 == 12) /* none of ours */
        snprintf(out, NAME_MAX_BYTES, "%0256u", n);
    else
        snprintf(out, NAME_MAX_BYTES, "x-%u", n);
    return out;
}

/* Pairs whose hashes are equal in a world that collides, in namespace ns0 and
 * without one. */
static uint32_t colliding_key(uint32_t res, uint32_t pair, uint32_t which)
{
    static const uint32_t pairs[2][4][2] = {
        { { 262957, 453785 }, { 442330, 541685 }, { 301727, 363134 },
          { 200223, 272918 } },
        { { 134888, 359034 }, { 254271, 403765 }, { 489821, 592957 },
          { 68161, 212177 } }
    };
    char name[16];

    snprintf(name, sizeof(name), "h-%u",
             pairs[kinds[res].namespaced][pair][which]);
    return etcd_key(res, "ns0", name);
}

static uint32_t key_by_pick(uint32_t res, uint32_t pick)
{
    char name[NAME_MAX_BYTES], space[8];
    uint32_t n = pick % world.names;

    if (world.collides && n % 3 < 2)
        return colliding_key(res, n / 3 % 4, n % 3);
    snprintf(space, sizeof(space), "ns%u", pick / world.names % 4);
    return etcd_key(res, space, name_of(name, pick));
}

/* A key that holds an object, if there is one. */
static uint32_t live_key(uint32_t res, uint32_t pick)
{
    const struct resource *r = &etcd.resources[res];

    for (uint32_t i = 0; i < r->keys.count; i++) {
        uint32_t key = (pick + i) % (uint32_t)r->keys.count;

        if (etcd_now(res, key) != NO_STATE)
            return key;
    }
    return key_by_pick(res, pick);
}

struct look draw_look(struct rng *r, uint32_t size)
{
    uint32_t tier = rng_below(r, 6);

    return (struct look){
        .size = size, .salt = rng_below(r, 1u << 24),
        .tier = (uint8_t)(tier < 3 ? 'a' : tier < 5 ? 'b' : 'c'),
        .hold = rng_percent(r, 20),
        .payload = (uint8_t)(rng_percent(r, 60) ? PAYLOAD_PLAIN
                                                : rng_below(r, PAYLOADS))
    };
}

/* ---- changes ------------------------------------------------------------ */

/* A restored cluster reaches versions that were given before. Whoever holds
 * such a version must have noticed by then, or only a verification can: in a
 * world without one, the cluster waits until all have noticed. */
bool may_change(void)
{
    if (world.verifies || etcd.restores == 0)
        return true;
    for (uint32_t i = 0; i < world.box_count; i++) {
        struct kinf_status s;
        uint64_t version = 0;

        if (!world.boxes[i].running)
            continue;
        kinf_informer_status(&world.boxes[i].inf, &s);
        for (size_t j = 0; j < s.version_received.len; j++)
            version = version * 10 +
                      (uint64_t)(s.version_received.ptr[j] - '0');
        if (!s.synced || s.relisting || s.handler_stuck || version > etcd.rev)
            return false;
    }
    return true;
}

static void put(uint32_t res, uint32_t key, uint32_t size)
{
    struct look look = draw_look(&sim.rng, size);

    etcd_put(res, key, &look);
    server_changed();
}

static void delete(uint32_t res, uint32_t key)
{
    etcd_delete(res, key);
    server_changed();
}

static void relabel(uint32_t res, uint32_t key)
{
    uint32_t state = etcd_now(res, key);
    struct look look;

    if (state == NO_STATE)
        return;
    look = etcd.states.at[state].look;
    look.tier = (uint8_t)('a' + (look.tier - 'a' + 1) % 3);
    look.hold = !look.hold;
    etcd_put(res, key, &look);
    server_changed();
}

static void one_of_flood(void *ctx, uint64_t arg)
{
    uint32_t res = (uint32_t)arg;
    uint32_t key = live_key(res, rng_below(&sim.rng, 1000));

    (void)ctx;
    if (may_change())
        put(res, key, rng_size(&sim.rng, world.most));
}

static void flood(uint32_t res, uint32_t count, uint32_t gap_ms)
{
    for (uint32_t i = 0; i < count; i++)
        timer_at(sim.now + i * gap_ms, one_of_flood, NULL, res);
}

static void one_of_churn(void *ctx, uint64_t arg)
{
    uint32_t res = (uint32_t)arg;
    char name[32];

    (void)ctx;
    if (!may_change())
        return;
    snprintf(name, sizeof(name), "churn-%u", (unsigned)(arg >> 32));
    put(res, etcd_key(res, "ns0", name), rng_size(&sim.rng, world.most));
    if (arg >> 32 >= 4) { /* a few live at a time */
        snprintf(name, sizeof(name), "churn-%u", (unsigned)(arg >> 32) - 4);
        delete(res, etcd_key(res, "ns0", name));
    }
}

static void end_of_churn(void *ctx, uint64_t arg)
{
    uint32_t res = (uint32_t)arg;
    char name[32];

    (void)ctx;
    for (unsigned i = 0; i <= arg >> 32; i++) {
        snprintf(name, sizeof(name), "churn-%u", i);
        if (may_change())
            delete(res, etcd_key(res, "ns0", name));
    }
}

static void churn(uint32_t res, uint32_t count, uint32_t gap_ms)
{
    for (uint32_t i = 0; i < count; i++)
        timer_at(sim.now + i * gap_ms, one_of_churn, NULL,
                 (uint64_t)i << 32 | res);
    timer_at(sim.now + count * gap_ms, end_of_churn, NULL,
             (uint64_t)count << 32 | res);
}

/* More objects than a small cache can hold, for a while: in calm there is time
 * to get over it. */
static void end_of_crowd(void *ctx, uint64_t arg)
{
    uint32_t res = (uint32_t)arg;
    char name[32];

    (void)ctx;
    for (unsigned i = 0; i < arg >> 32; i++) {
        snprintf(name, sizeof(name), "crowd-%u", i);
        if (may_change())
            delete(res, etcd_key(res, "ns1", name));
    }
}

static void crowd(uint32_t res, uint32_t count, uint32_t size)
{
    char name[32];
    uint64_t end;

    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "crowd-%u", i);
        put(res, etcd_key(res, "ns1", name), size);
    }
    end = sim.now + rng_size(&sim.rng, 20 * MINUTE);
    if (end > world.next_calm_at)
        end = world.next_calm_at;
    timer_at(end, end_of_crowd, NULL, (uint64_t)count << 32 | res);
}

static void one_of_stir(void *ctx, uint64_t arg)
{
    uint32_t res = (uint32_t)arg;
    uint32_t key = live_key(res, rng_below(&sim.rng, 1u << 20));

    (void)ctx;
    if (apps.calm || !may_change())
        return;
    delete(res, key);
    put(res, key, rng_size(&sim.rng, world.most));
}

void stir(uint32_t res)
{
    uint32_t count = 1 + rng_below(&sim.rng, 6);

    while (count-- > 0)
        timer_at(sim.now + rng_below(&sim.rng, MINUTE), one_of_stir, NULL,
                 res);
}

static void wipe(uint32_t res, uint32_t pick)
{
    const struct resource *r = &etcd.resources[res];
    char space[8];

    snprintf(space, sizeof(space), "ns%u", pick % 8);
    for (uint32_t i = 0; i < r->keys.count; i++)
        if (pick % 8 >= 4 || strcmp(r->keys.at[i]->namespace_, space) == 0)
            delete(res, i);
}

/* Does an object live, or might come back, that nobody can list past? */
static bool frame_is_broken(void)
{
    for (size_t i = 0; i < etcd.backup.states.count; i++)
        if (etcd.states.at[etcd.backup.states.at[i]].look.broken ==
            BROKEN_FRAME)
            return true;
    for (uint32_t res = 0; res < RESOURCES; res++) {
        for (uint32_t k = 0; k < etcd.resources[res].keys.count; k++) {
            uint32_t state = etcd_now(res, k);

            if (state != NO_STATE &&
                etcd.states.at[state].look.broken == BROKEN_FRAME)
                return true;
        }
    }
    return false;
}

static void break_object(uint32_t res, uint32_t pick, uint32_t how)
{
    struct look look = draw_look(&sim.rng, 50);
    uint32_t key = how == BROKEN_NAME ? live_key(res, pick)
                                      : key_by_pick(res, pick);

    if (how == BROKEN_FRAME && !world.verifies && etcd.restores > 0)
        how = BROKEN_CONTROL; /* nobody could list: see may_change */
    look.broken = (uint8_t)how;
    look.payload = PAYLOAD_PLAIN;
    etcd_put(res, key, &look);
    server_changed();
}

static void heal_again(void *ctx, uint64_t arg)
{
    (void)ctx;
    (void)arg;
    if (apps.calm)
        heal_nameless();
}

void heal_nameless(void)
{
    if (!may_change()) {
        timer_at(sim.now + 10 * SECOND, heal_again, NULL, 0);
        return;
    }
    world.healed_at = sim.now;
    for (uint32_t res = 0; res < RESOURCES; res++) {
        for (uint32_t k = 0; k < etcd.resources[res].keys.count; k++) {
            uint32_t state = etcd_now(res, k);

            if (state != NO_STATE &&
                etcd.states.at[state].look.broken >= BROKEN_NAME)
                put(res, k, 20);
        }
    }
}

void fill_cluster(void)
{
    for (uint32_t res = 0; res < RESOURCES; res++) {
        uint32_t count = rng_below(&world.choice, world.names * 3);

        for (uint32_t i = 0; i < count; i++)
            put(res, key_by_pick(res, rng_below(&world.choice, 1u << 20)),
                rng_size(&world.choice, world.most));
    }
}

static void change(const struct action *a)
{
    uint32_t res = a->n[0] % RESOURCES, pick = a->n[1];
    uint32_t size = 1 + a->n[2] % world.most, key;

    if (!may_change())
        return;
    switch ((int)a->op) {
    case OP_CREATE:
        put(res, key_by_pick(res, pick), size);
        break;
    case OP_MODIFY:
        put(res, live_key(res, pick), size);
        break;
    case OP_DELETE:
        delete(res, live_key(res, pick));
        break;
    case OP_RECREATE:
        key = live_key(res, pick);
        delete(res, key);
        put(res, key, size);
        break;
    case OP_RELABEL:
        relabel(res, live_key(res, pick));
        break;
    case OP_FLOOD:
        flood(res, pick, a->n[2]);
        break;
    case OP_FILL:
        for (uint32_t i = 0; i < pick; i++)
            put(res, key_by_pick(res, rng_below(&sim.rng, 1u << 20)), size);
        break;
    case OP_WIPE:
        wipe(res, pick);
        break;
    case OP_NOISE:
        etcd_noise(a->n[0]);
        server_changed();
        break;
    case OP_GROW:
        put(res, live_key(res, pick), 200 * a->n[2]);
        break;
    case OP_CROWD:
        crowd(res, pick, size);
        break;
    case OP_CHURN:
        churn(res, pick, a->n[2]);
        break;
    case OP_BREAK:
        break_object(res, pick, a->n[2]);
        break;
    default:
        sim_fail("no change: %d", (int)a->op);
    }
}

/* ---- restores ----------------------------------------------------------- */

enum { RESTORE_BEHIND, RESTORE_OVERTAKING, RESTORE_SAME };

static void restore(uint32_t how, uint32_t down_ms)
{
    uint64_t highest = etcd.rev;

    if (!etcd.backup.taken || etcd.backup.rev == etcd.rev ||
        (!world.verifies && frame_is_broken()))
        return;
    if (!world.verifies)
        how = RESTORE_BEHIND;
    server_restore(down_ms);
    net_lose_all(); /* or a version could still come that is void now */
    if (how == RESTORE_OVERTAKING)
        highest += 5;
    if (how == RESTORE_BEHIND || highest > etcd.rev + 300)
        return;
    while (etcd.rev < highest) {
        uint32_t res = rng_below(&sim.rng, RESOURCES);

        put(res, key_by_pick(res, rng_below(&sim.rng, 1u << 20)),
            rng_size(&sim.rng, world.most));
    }
    for (int i = 0; i < 2; i++)
        server.replicas[i].cache_from = etcd.rev;
}

/* ---- faults ------------------------------------------------------------- */

static void hurt_network(const struct action *a)
{
    uint64_t until = sim.now + a->n[2];

    switch ((int)a->op) {
    case OP_REFUSE:
        net.refuse_until = until;
        break;
    case OP_NAME:
        net.name_until = until;
        break;
    case OP_SILENT:
        net.silent_until = until;
        break;
    case OP_HANG:
        net.hang_phase = (enum kinf_phase)(1 + (a->n[0] - 1) % 3);
        net.hang_until = until;
        break;
    case OP_TLS:
        net.tls_error = -(int)(13 + a->n[0] % 9);
        net.tls_until = until;
        break;
    case OP_UNVERIFIED:
        net.unverified_until = until;
        break;
    case OP_SLOW:
        net.slow_ms = a->n[0];
        net.slow_until = until;
        break;
    case OP_DRIP:
        net.drip_bytes = a->n[0] > 0 ? a->n[0] : 1;
        net.drip_until = until;
        break;
    case OP_SHRED:
        net.shred_until = until;
        break;
    case OP_STALL:
        net.stall_until = until;
        break;
    case OP_CUT:
        net.cut_set = true;
        net.cut_in = a->n[0];
        net.cut_link = a->n[1];
        net.cut_clean = a->n[2] != 0;
        break;
    case OP_RESET:
        net_reset_all(a->n[0] != 0);
        break;
    case OP_HALF_OPEN:
        net_half_open(a->n[0] != 0);
        break;
    default:
        sim_fail("no fault of the network: %d", (int)a->op);
    }
}

static void hurt_between(const struct action *a)
{
    switch ((int)a->op) {
    case OP_IDLE_CUT:
        net.idle_cut_ms = a->n[0];
        break;
    case OP_HOLD:
        net.hold_bytes = a->n[0];
        net.hold_ms = a->n[1];
        net.hold_until = sim.now + a->n[2];
        break;
    case OP_RECHUNK:
        server.rechunk = a->n[0] != 0;
        break;
    case OP_CLOSING:
        server.close_delimited = a->n[0] != 0;
        break;
    case OP_WINDOW:
        net.window = a->n[0];
        break;
    default:
        sim_fail("no fault of a proxy: %d", (int)a->op);
    }
}

static void hurt_server(const struct action *a)
{
    uint64_t until = sim.now + a->n[2];

    switch ((int)a->op) {
    case OP_RESTART:
        server_restart(a->n[0], a->n[1], a->n[2] != 0);
        break;
    case OP_COMPACT:
        etcd_compact();
        break;
    case OP_FAILOVER:
        server_failover(a->n[0]);
        break;
    case OP_ERROR:
        server.error_code = (int)a->n[0];
        server.error_scope = a->n[1] & SCOPE_ALL;
        server.error_date = (a->n[1] & 8) != 0;
        server.error_until = until;
        break;
    case OP_END_WATCH:
        server_end_watches(a->n[0] != 0);
        break;
    case OP_SHORT_WATCH:
        server.short_ms = a->n[0];
        server.short_clean = a->n[1] != 0;
        server.short_until = until;
        break;
    case OP_MUTE:
        server.mute_after = a->n[0];
        server.mute_until = until;
        break;
    case OP_NO_BOOKMARKS:
        server.no_bookmarks_until = until;
        break;
    case OP_STREAMS:
        server.stream_mode = (enum stream_mode)(a->n[0] % STREAM_MODES);
        break;
    case OP_CACHE_WINDOW:
        server.window = a->n[0];
        break;
    case OP_TOKEN:
        server.token++;
        world.token_readable_at = sim.now + a->n[0];
        break;
    default:
        sim_fail("no fault of the server: %d", (int)a->op);
    }
}

static void hurt_time(const struct action *a)
{
    switch ((int)a->op) {
    case OP_SUSPEND:
        world.suspended_until = sim.now + a->n[2];
        break;
    case OP_LATE:
        world.late_ms = a->n[0];
        world.late_until = sim.now + a->n[2];
        break;
    case OP_SKEW:
        world.skew_s = (int64_t)a->n[0] - 100000;
        break;
    default:
        sim_fail("no fault of time: %d", (int)a->op);
    }
}

/* ---- applications ------------------------------------------------------- */

static void start_again(void *ctx, uint64_t arg)
{
    struct box *b = ctx;

    (void)arg;
    if (!b->running)
        box_start(b);
}

static void closed(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < world.link_count; i++)
        MUST(world.links[i].phase == KINF_PHASE_CLOSED,
             "connection %u is open at a reload", i);
    world.reloading = false;
    TELL("app: all connections are closed for a reload");
}

/* It takes its time with what is there, while the cluster changes. */
static void come_late(struct app *a)
{
    a->slow_until = sim.now + 2 * MINUTE;
    flood(a->box->view.res, 60, 500);
}

static void application(const struct action *a)
{
    struct box *b = &world.boxes[a->n[0] % world.box_count];
    struct app *app = b->running ? box_app(b, a->n[1]) : NULL;

    if (a->op == OP_RELOAD && CONFIG_KINF_RELOAD) {
        world.reloading = true;
        world.reload_at = sim.now;
        world.woken = true;
        kinf_reload(&world.kinf, closed, NULL);
    }
    if (!b->running || b->stopping)
        return;
    world.woken = true;
    switch ((int)a->op) {
    case OP_ADD_APP:
        app = app_add(b, (a->n[1] & 1) != 0 ? KINF_EVERY : KINF_LATEST,
                      a->n[2], (a->n[1] & 2) != 0);
        if (app != NULL && (a->n[1] & 4) != 0)
            come_late(app);
        break;
    case OP_REMOVE_APP:
        if (app != NULL)
            app_remove(app);
        break;
    case OP_STUCK:
        if (app != NULL)
            app->stuck_until = sim.now + a->n[2];
        break;
    case OP_SLOW_APP:
        if (app != NULL)
            app->slow_until = sim.now + a->n[2];
        break;
    case OP_LISTING:
        listing_begin(b);
        break;
    case OP_STOP:
        box_stop(b);
        timer_at(sim.now + a->n[1] + 1, start_again, b, 0);
        break;
    case OP_INDEX:
        index_add(b);
        break;
    default:
        break;
    }
}

void happen(const struct action *a)
{
    struct text t = { NULL, 0, 0, 0 };

    if (sim.trace) {
        action_text(&t, a);
        tell(">>> %s", t.ptr);
        text_free(&t);
    }
    world.result.faults += op_is_fault(a->op);
    if (a->op == OP_STRAY)
        server_stray((enum stray)(a->n[0] % STRAYS));
    else if (a->op == OP_ODD) {
        server.odd = (enum odd)(a->n[0] % ODDS);
        server.odd_until = sim.now + a->n[2];
    } else if (a->op == OP_BACKUP)
        etcd_backup();
    else if (a->op == OP_RESTORE)
        restore(a->n[0], a->n[1]);
    else if ((op_kind(a->op) & (KIND_CHANGE | KIND_BIG | KIND_BROKEN)) != 0)
        change(a);
    else if (op_kind(a->op) == KIND_NET)
        hurt_network(a);
    else if (op_kind(a->op) == KIND_PROXY)
        hurt_between(a);
    else if (op_kind(a->op) == KIND_SERVER)
        hurt_server(a);
    else if (op_kind(a->op) == KIND_TIME)
        hurt_time(a);
    else
        application(a);
}
