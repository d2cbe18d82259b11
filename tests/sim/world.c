/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - lets the time of a world pass; see world.h. */
#include "world.h"

struct world world;

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

/* Is this a request beside list and watch? */
static bool is_single(const struct box *b, const struct asked *a)
{
    return world.sessions[a->link].owner == &b->inf.single.lease;
}

/* Whose request is it? Until it is answered the session is his. */
static struct box *box_of(const struct asked *a)
{
    const struct kinf_lease *owner = world.sessions[a->link].owner;
    struct box *b = world.boxes;

    while (b < world.boxes + world.box_count &&
           (!b->running ||
            (owner != &b->inf.main.lease && owner != &b->inf.single.lease)))
        b++;
    MUST(b < world.boxes + world.box_count && same_view(b, a),
         "a request that no informer should make");
    MUST(is_single(b, a) ? a->get || a->probe : !a->get,
         "informer %u: a request of the wrong kind", b->number);
    return b;
}

/* A request that the server has asked not to see yet, or one that does not go
 * on where the answer before it ended. By turns that may be another's. */
static void check_manners(struct box *b, const struct asked *a)
{
    uint64_t *until = &b->wait_until[is_single(b, a)];

    MUST(sim.now >= *until, "informer %u: comes back %llu ms too early",
         b->number, (unsigned long long)(*until - sim.now));
    *until = 0;
    MUST(world.turns || !a->watch || a->stream || a->version >= a->told,
         "informer %u: watches from %llu, and was told of %llu", b->number,
         (unsigned long long)a->version, (unsigned long long)a->told);
}

void world_asked(const struct asked *a)
{
    struct box *b;

    world.result.requests++;
    if (world.box_count == 0) /* talk.c */
        return;
    b = box_of(a);
    check_manners(b, a);
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
    if (!is_single(b, a) && (a->stream || a->first_page))
        b->lists++;
}

void world_told_to_wait(const struct asked *a, uint32_t seconds)
{
    uint64_t ms = (uint64_t)seconds * SECOND;
    struct box *b;

    if (world.box_count == 0)
        return;
    b = box_of(a);
    if (ms > CONFIG_KINF_RETRY_AFTER_CAP_MS)
        ms = CONFIG_KINF_RETRY_AFTER_CAP_MS;
    b->wait_until[is_single(b, a)] = sim.now + ms;
}

void world_retold(const struct asked *a, uint64_t rev, bool since)
{
    if (world.box_count > 0)
        *array_push(&box_of(a)->retold) =
            (struct retold){ rev, etcd.seq, since };
}

void world_watched(const struct asked *a, uint64_t rev)
{
    struct box *b = world.box_count > 0 ? box_of(a) : NULL;

    for (size_t i = 0; b != NULL && i < b->retold.count; i++) {
        if (b->retold.at[i].since || b->retold.at[i].rev != rev)
            continue;
        world_retold(a, rev, true);
        return;
    }
}

void world_listed(const struct asked *a, uint64_t rev)
{
    struct box *b = world.box_count > 0 ? box_of(a) : NULL;

    if (b == NULL || is_single(b, a))
        return;
    b->whole_lists++;
    b->listed_rev = rev;
    b->listed_restores = etcd.restores;
}

void world_lost(uint32_t link)
{
    const struct kinf_lease *owner = world.sessions[link].owner;

    for (uint32_t i = 0; i < world.box_count; i++) {
        struct box *b = &world.boxes[i];

        if (owner == &b->inf.main.lease)
            b->wait_until[0] = b->listed_rev = 0;
        if (owner == &b->inf.single.lease)
            b->wait_until[1] = 0;
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
                 inf->reflector.main.state, inf->reflector.aside.state,
                 inf->store.settled, inf->store.no_room,
                 inf->store.freed ? ", freed" : "");
    }
    tell("poll: may sleep %u ms, wants%s", wait, t.ptr);
    text_free(&t);
}

/* Is it polled because it asked to be, and for no other reason? Polls that
 * follow at once belong to the one that was woken. */
static bool wakes_itself(void)
{
    struct kinf_wait waits[LINKS];
    size_t n = kinf_waits(&world.kinf, waits, LINKS);

    if (world.woken || world.poll_at > sim.now || !world.sleeps)
        return false;
    for (size_t i = 0; i < n; i++)
        if (link_ready_at(waits[i].transport, waits[i].wants) <= sim.now)
            return false;
    return true;
}

static void count_wake(void)
{
    TELL("poll: of its own accord");
    world.wakes++;
    world.hasty_wakes += world.woke_at + MINUTE > sim.now;
    world.woke_at = sim.now;
}

static void poll_once(void)
{
    uint64_t before = moved(), bytes = received();
    uint32_t wait;

    if (wakes_itself())
        count_wake();

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
            box_ended(b);
        if (b->running)
            check_after_poll(b);
    }
    world.polls_idle = moved() != before ? 0 : world.polls_idle + 1;
    MUST(world.polls_idle < 200000, "it polls and polls and does nothing");
    world.sleeps = wait > 0;
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

static void every_ten_seconds(void *ctx, uint64_t arg)
{
    (void)ctx;
    (void)arg;
    check_dead();
    for (uint32_t i = 0; i < world.box_count; i++)
        if (world.boxes[i].running && !world.boxes[i].stopping &&
            rng_percent(&sim.rng, 4))
            listing_begin(&world.boxes[i]);
    timer_at(sim.now + 10 * SECOND, every_ten_seconds, NULL, 0);
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
        box_add_apps(b);
}

/* Nobody hurts any more; what is in flight may end as it likes. */
static void calm_down(void)
{
    TELL("---- calm");
    net_calm();
    server_calm();
    if (world.late_until > sim.now)
        world.late_until = sim.now;
    if (world.suspended_until > sim.now)
        world.suspended_until = sim.now;
    world.token_readable_at = 0;
    apps.calm = true;
    world.calm_at = sim.now;
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

    world.next_calm_at = calm_at;
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
        box_count_relists(&world.boxes[i]);
    }
    if (!CONFIG_KINF_STOP)
        return;
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
    every_ten_seconds(NULL, 0);
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

void world_idle_day(struct result *result)
{
    const struct link *l = &world.links[0];

    world_make_quiet();
    box_start(&world.boxes[0]);
    world_go_on(MINUTE);
    MUST(kinf_synced(&world.kinf, NULL), "it has not synced in a minute");
    result->requests = world.result.requests;
    result->bytes = l->bytes_down + l->bytes_up;
    world.wakes = world.hasty_wakes = 0;
    world_go_on(MINUTE + 24 * HOUR);
    result->requests = world.result.requests - result->requests;
    result->bytes = l->bytes_down + l->bytes_up - result->bytes;
    MUST(world.hasty_wakes == 0, "an idle watch wakes twice in a minute");
    result->wakes = world.wakes;
    MUST(world.boxes[0].errors == 0, "something went wrong in an idle day");
    end_world();
}
