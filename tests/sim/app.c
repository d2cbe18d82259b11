/* SPDX-License-Identifier: Apache-2.0 */
/* app.c - handlers, and the check of what they are told; see app.h. */
#include "app.h"

#include "world.h"

struct apps apps;

/* ---- which state is this? ----------------------------------------------- */

static bool is_text(struct kinf_span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static void kept_text(const struct box *box, uint32_t state, bool head,
                      struct text *out)
{
    const struct form form = { .head = head,
                               .metadata_only = box->view.metadata_only,
                               .kept = true, .keep = box->keep };

    out->len = 0;
    render(out, state, &form);
}

uint32_t kept_size(const struct box *box, uint32_t state, bool head)
{
    static struct text t;

    kept_text(box, state, head, &t);
    return (uint32_t)t.len;
}

/* A wrong kind is not seen where no kind is said, nor a broken payload where
 * there is none. */
static bool hidden(const struct box *box, const struct look *look, bool head)
{
    if (box->view.metadata_only)
        return look->broken <= BROKEN_GRAMMAR ||
               look->broken == BROKEN_FRAME;
    return look->broken == BROKEN_KIND && !head &&
           !kinds[box->view.res].unstructured;
}

static bool looks_so(const struct box *box, const struct kinf_object *o,
                     uint32_t state)
{
    static struct text t;
    const struct look *look = &etcd.states.at[state].look;
    uint32_t limit = box->config.sizes.object_bytes;

    for (int head = 0; head < 2; head++) {
        if (o->reason == KINF_REASON_UNREADABLE)
            return look->broken != BROKEN_NOT;
        if (o->reason == KINF_REASON_KEY_ONLY)
            return true;
        kept_text(box, state, head != 0, &t);
        if (look->broken != BROKEN_NOT && !hidden(box, look, head != 0))
            continue;
        if (o->reason == KINF_WHOLE && o->json.len == t.len &&
            o->size == t.len && memcmp(o->json.ptr, t.ptr, t.len) == 0)
            return t.len <= limit;
        if (o->reason == KINF_REASON_TOO_BIG && o->size == t.len)
            return t.len > limit;
        if (o->reason == KINF_REASON_NO_ROOM && o->size == t.len)
            return t.len <= limit;
    }
    return false;
}

static uint64_t number_of(struct kinf_span s)
{
    uint64_t value = 0;

    for (size_t i = 0; i < s.len; i++)
        value = value * 10 + (uint64_t)(s.ptr[i] - '0');
    return value;
}

uint32_t state_of(const struct box *box, const struct kinf_object *o,
                  uint32_t seq)
{
    uint32_t object = object_of_uid(o->uid.ptr, o->uid.len);
    uint32_t outside = NO_STATE;
    const struct object *of;

    if (object == UINT32_MAX)
        return NO_STATE;
    of = &etcd.objects.at[object];
    for (size_t i = 0; i < of->states.count; i++) {
        uint32_t at = of->states.at[i];
        const struct state *s = &etcd.states.at[at];
        bool no_version = s->look.broken == BROKEN_VERSION;

        if (s->seq < seq || of->res != box->view.res ||
            (no_version ? o->resource_version.len > 0
                        : s->rev != number_of(o->resource_version)))
            continue;
        if (!is_text(o->name, key_of(at)->name) ||
            !is_text(o->namespace_, key_of(at)->namespace_))
            return NO_STATE;
        if (!looks_so(box, o, at))
            continue;
        if (view_holds(&box->view, at))
            return at;
        /* Without a version several may look so: one that is selected counts
         * before those that are not. */
        if (outside == NO_STATE)
            outside = at;
    }
    return outside;
}

static uint64_t hash_span(uint64_t h, struct kinf_span s)
{
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001B3u;
    return (h ^ s.len) * 0x100000001B3u;
}

static uint64_t hash_object(const struct kinf_object *o)
{
    uint64_t h = 0xCBF29CE484222325u + (uint64_t)o->reason;

    h = hash_span(h, o->uid);
    h = hash_span(h, o->resource_version);
    return hash_span(h, o->json);
}

/* ---- what a handler is told --------------------------------------------- */

#define WHO "handler %u of informer %u"
#define WHO_ARGS a->number, a->box->number
#define KEY "%.*s/%.*s"
#define KEY_ARGS(o) (int)(o)->namespace_.len, (o)->namespace_.ptr,             \
                    (int)(o)->name.len, (o)->name.ptr

/* It depends on the state alone, whole or not. */
bool app_filter(const struct kinf_object *object)
{
    return number_of(object->resource_version) % 3 != 0;
}

static bool filter(void *ctx, const struct kinf_object *object)
{
    (void)ctx;
    return app_filter(object);
}

static struct shown *shown_of(struct app *a, const struct kinf_object *o)
{
    uint32_t key = etcd_find_key(a->box->view.res, o->namespace_.ptr,
                                 o->namespace_.len, o->name.ptr, o->name.len);

    MUST(key != UINT32_MAX, WHO " is told of " KEY ", which never was",
         WHO_ARGS, KEY_ARGS(o));
    while (a->shown.count <= key)
        (void)array_push(&a->shown);
    return &a->shown.at[key];
}

/* Has the object left what the handler looks at, after the state with seq? */
static bool has_left(const struct app *a, uint32_t object, uint32_t seq)
{
    const struct object *o = &etcd.objects.at[object];

    if (o->gone_seq > seq)
        return true;
    for (size_t i = o->states.count; i-- > 0;) {
        const struct state *s = &etcd.states.at[o->states.at[i]];

        if (s->seq <= seq)
            return false;
        if (!view_has(&a->box->view, o->states.at[i]) ||
            (a->filters && (s->rev % 3 == 0 ||
                            s->look.broken == BROKEN_VERSION)))
            return true;
    }
    return false;
}

/* Can it be told, after the state with seq, that an object is gone? */
static bool is_gone_again(const struct app *a, uint32_t seq)
{
    for (size_t i = 0; i < a->box->retold.count; i++)
        if (a->box->retold.at[i].seq >= seq)
            return true;
    return false;
}

/* A restore makes a state of its own of what comes back. */
static bool is_copy(uint32_t x, uint32_t y)
{
    const struct state *a = &etcd.states.at[x], *b = &etcd.states.at[y];

    return a->object == b->object && a->rev == b->rev;
}

/* The old state it can be shown, after that with seq, or none. */
static uint32_t retold(const struct app *a, uint32_t seq,
                       const struct kinf_object *now)
{
    const struct box *b = a->box;
    uint32_t old = state_of(b, now, 0);

    for (size_t i = 0; i < b->retold.count && old != NO_STATE; i++) {
        const struct retold *r = &b->retold.at[i];
        uint32_t at = r->since ? old
                               : etcd_at(b->view.res, key_of(old), r->rev);

        if (r->seq >= seq && at != NO_STATE &&
            (r->since ? etcd.states.at[at].rev > r->rev
                      : is_copy(at, old) && looks_so(b, now, at)))
            return at;
    }
    return NO_STATE;
}

static void check_was(struct app *a, const struct shown *s,
                      const struct kinf_object *was)
{
    if (a->mode == KINF_LATEST) {
        MUST(was == NULL, WHO ": an old state in latest mode", WHO_ARGS);
        return;
    }
    MUST(was != NULL, WHO ": no old state", WHO_ARGS);
    MUST(hash_object(was) == s->bytes,
         WHO ": the old state of " KEY " is not what was shown last",
         WHO_ARGS, KEY_ARGS(was));
}

static void check_delete(struct app *a, const struct shown *s,
                         const struct kinf_object *was)
{
    MUST(was != NULL && s->object != 0,
         WHO ": a delete of " KEY ", which was not shown", WHO_ARGS,
         KEY_ARGS(was));
    if (a->mode == KINF_LATEST)
        MUST(was->reason == KINF_REASON_KEY_ONLY && was->json.len == 0,
             WHO ": a delete with an object in latest mode", WHO_ARGS);
    else
        check_was(a, s, was);
    MUST(is_gone_again(a, s->seq) || has_left(a, s->object - 1, s->seq),
         WHO ": a delete of " KEY " that the server did not make", WHO_ARGS,
         KEY_ARGS(was));
}

/* The state it is shown: newer than the last, or told again. What came without
 * a version is when the watch is resumed from the version before it. */
static uint32_t next_state(const struct app *a, const struct shown *s,
                           const struct kinf_object *now, bool known)
{
    const struct box *b = a->box;
    uint32_t state = state_of(b, now, known ? s->seq : s->seq + 1), old;

    if (view_holds(&b->view, state))
        return state;
    if (now->resource_version.len == 0)
        return state_of(b, now, 0);
    old = retold(a, s->seq, now);
    return old != NO_STATE ? old : state;
}

/* Returns the state shown. */
static uint32_t check_state(struct app *a, const struct shown *s,
                            const struct kinf_object *was,
                            const struct kinf_object *now, bool known)
{
    uint32_t state = next_state(a, s, now, known);

    MUST(known == (s->object != 0), WHO ": %s of " KEY, WHO_ARGS,
         known ? "an update" : "a second add", KEY_ARGS(now));
    MUST(state != NO_STATE,
         WHO " is shown a state of " KEY " version %.*s reason %d size %u "
         "that never was or is older than one shown: %.*s", WHO_ARGS,
         KEY_ARGS(now), (int)now->resource_version.len,
         now->resource_version.ptr, (int)now->reason, now->size,
         (int)now->json.len, now->json.ptr);
    MUST(view_holds(&a->box->view, state), WHO ": " KEY " is not selected",
         WHO_ARGS, KEY_ARGS(now));
    MUST(!a->filters || app_filter(now), WHO ": " KEY " is filtered",
         WHO_ARGS, KEY_ARGS(now));
    if (!known)
        return state;
    if (hash_object(now) == s->bytes)
        a->resynced_at = sim.now;
    MUST(etcd.states.at[state].object == s->object - 1,
         WHO ": an update of " KEY " to another uid", WHO_ARGS, KEY_ARGS(now));
    check_was(a, s, was);
    /* In a list whose versions prove nothing an identity is never equal. */
    MUST(hash_object(now) != s->bytes || a->resync_ms > 0 ||
             a->mode == KINF_LATEST || now->reason != KINF_WHOLE,
         WHO ": an update of " KEY " to itself without a resync", WHO_ARGS,
         KEY_ARGS(now));
    return state;
}

/* Does the handler take it? If not, the same call must come again. */
static int pace(struct app *a, enum told told, uint64_t bytes)
{
    uint32_t wait;

    if (a->refused != TOLD_NOTHING) {
        MUST(a->mode == KINF_LATEST ||
                 (a->refused == told && a->refused_bytes == bytes),
             WHO ": another call than the one it refused", WHO_ARGS);
        MUST(sim.now >= a->refused_until,
             WHO " is called before it wants to be", WHO_ARGS);
        MUST(!a->stuck_told, WHO " is called although it is stuck", WHO_ARGS);
    }
    a->refused = TOLD_NOTHING;
    if (sim.now < a->stuck_until) {
        a->stuck_told = true;
    } else if (sim.now >= a->slow_until || rng_percent(&sim.rng, 40)) {
        return KINF_OK;
    }
    a->refused = told;
    a->refused_bytes = bytes;
    if (a->stuck_told) {
        TELL("app: " WHO " says not now", WHO_ARGS);
        return KINF_ERR_AGAIN;
    }
    wait = 1 + rng_size(&sim.rng, 20 * SECOND);
    a->refused_until = sim.now + wait;
    return (int)wait;
}

static void show(struct app *a, struct shown *s, uint32_t state,
                 const struct kinf_object *now)
{
    if (s->object == 0 && a->shows++ == 0)
        a->filled_at = sim.now;
    s->object = etcd.states.at[state].object + 1;
    s->seq = etcd.states.at[state].seq;
    s->bytes = hash_object(now);
}

static int told(struct app *a, enum told what, const struct kinf_object *was,
                const struct kinf_object *now)
{
    struct shown *s = shown_of(a, now != NULL ? now : was);
    uint32_t state = NO_STATE;
    bool known = what == TOLD_UPDATE;
    int answer;

    apps.callbacks++;
    apps.callbacks_in_poll++;
    a->calls++;
    MUST(apps.polling, WHO " is called outside kinf_poll", WHO_ARGS);
    MUST(a->used && !a->removed && a->box->running,
         WHO " is called after it was removed", WHO_ARGS);
    if (what == TOLD_TRUNCATED) {
        known = a->mode == KINF_LATEST ? s->object != 0 : was != NULL;
        MUST(now->reason != KINF_WHOLE, WHO ": truncated but whole", WHO_ARGS);
    }
    if (what == TOLD_DELETE)
        check_delete(a, s, was);
    else
        state = check_state(a, s, was, now, known);
    answer = pace(a, what, hash_object(now != NULL ? now : was));
    if (answer != KINF_OK)
        return answer;
    TELL("app: " WHO " %s " KEY " %.*s", WHO_ARGS,
         what == TOLD_ADD ? "add" : what == TOLD_UPDATE ? "update"
         : what == TOLD_DELETE ? "delete" : "truncated",
         KEY_ARGS(now != NULL ? now : was),
         now != NULL ? (int)now->resource_version.len : 0,
         now != NULL ? now->resource_version.ptr : "");
    if (what == TOLD_DELETE) {
        s->object = 0;
        a->shows--;
    } else {
        show(a, s, state, now);
    }
    if (!apps.calm && rng_below(&sim.rng, 1000) < apps.mischief)
        world_mischief(a, now != NULL ? now : was);
    return KINF_OK;
}

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    struct app *a = ctx;

    MUST(!initial || !a->was_synced,
         WHO ": an initial add after it had synced", WHO_ARGS);
    MUST(object->reason == KINF_WHOLE, WHO ": an identity as add", WHO_ARGS);
    return told(a, TOLD_ADD, NULL, object);
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    struct app *a = ctx;

    MUST(object->reason == KINF_WHOLE, WHO ": an identity as update",
         WHO_ARGS);
    return told(a, TOLD_UPDATE, was, object);
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)unknown;
    return told(ctx, TOLD_DELETE, was, NULL);
}

static int on_truncated(void *ctx, const struct kinf_object *was,
                        const struct kinf_object *identity)
{
    return told(ctx, TOLD_TRUNCATED, was, identity);
}

static const struct kinf_event_handler plain = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_truncated
};
static const struct kinf_event_handler filtering = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_truncated, .filter = filter
};

/* ---- their life --------------------------------------------------------- */

/* It is polled for each resync, and where the cache is empty nothing comes of
 * it. */
static uint64_t resyncs_of(const struct app *a)
{
    uint64_t from = a->added_at > apps.hour_at ? a->added_at : apps.hour_at;

    return a->used && a->resync_ms > 0 ? (sim.now - from) / a->resync_ms + 1
                                       : 0;
}

uint64_t apps_resyncs(void)
{
    uint64_t sum = apps.resyncs;

    for (uint32_t i = 0; i < world.box_count; i++)
        for (uint32_t j = 0; j < BOX_APPS; j++)
            sum += resyncs_of(&world.boxes[i].apps[j]);
    apps.resyncs = 0;
    apps.hour_at = sim.now;
    return sum;
}

static void forget(struct app *a)
{
    apps.resyncs += resyncs_of(a);
    a->used = a->removed = a->stuck_told = a->was_synced = false;
    a->stuck_until = a->slow_until = a->refused_until = 0;
    a->refused = TOLD_NOTHING;
    a->shown.count = a->shows = 0;
    memset(&a->listener, 0xA5, sizeof(a->listener));
}

struct app *app_add(struct box *box, enum kinf_mode mode, uint32_t resync_ms,
                    bool filters)
{
    static uint32_t numbers;
    struct app *a = box->apps;
    int err;

    if (!CONFIG_KINF_RESYNC)
        resync_ms = 0;
    if ((!CONFIG_KINF_LATEST_MODE && mode == KINF_LATEST) ||
        (!CONFIG_KINF_LATE && box->inf.started))
        return NULL;
    while (a < box->apps + BOX_APPS && a->used)
        a++;
    if (a == box->apps + BOX_APPS)
        return NULL;
    forget(a);
    a->box = box;
    a->mode = mode;
    a->resync_ms = resync_ms;
    filters = filters && CONFIG_KINF_FILTERS;
    a->filters = filters;
    a->added_at = sim.now;
    err = kinf_listener_add(&box->inf, &a->listener,
                            filters ? &filtering : &plain, a, mode, resync_ms);
    if (err != KINF_OK) {
        MUST(err == KINF_ERR_FULL || (err == KINF_ERR_STOPPED &&
                                      box->stopping),
             "a handler is refused: %s", kinf_strerror(err));
        return NULL;
    }
    if (rng_percent(&sim.rng, 25)) /* near the end of the numbers */
        a->listener.pushed = a->listener.popped =
            UINT32_MAX - rng_below(&sim.rng, 20);
    a->used = true;
    a->number = ++numbers;
    TELL("app: " WHO " is added, %s%s, resync %u ms", WHO_ARGS,
         mode == KINF_EVERY ? "every" : "latest", filters ? ", filters" : "",
         resync_ms);
    return a;
}

void app_remove(struct app *a)
{
    if (!CONFIG_KINF_STOP || !a->used || a->removed)
        return;
    TELL("app: " WHO " is removed", WHO_ARGS);
    a->removed = true;
    kinf_listener_remove(&a->listener);
}

void app_resume(struct app *a)
{
    a->stuck_until = a->slow_until = 0;
    if (!a->used || !a->stuck_told)
        return;
    TELL("app: " WHO " goes on", WHO_ARGS);
    a->stuck_told = false;
    if (!a->removed)
        kinf_listener_resume(&a->listener);
}

void apps_reap(struct box *box)
{
    for (struct app *a = box->apps; a < box->apps + BOX_APPS; a++) {
        if (!a->used)
            continue;
        if (a->removed && kinf_listener_gone(&a->listener))
            forget(a);
        else if (!a->removed && kinf_listener_synced(&a->listener)) {
            MUST(kinf_informer_synced(&box->inf),
                 WHO " has synced before its informer", WHO_ARGS);
            if (!a->was_synced)
                a->resynced_at = sim.now;
            a->was_synced = true;
        }
    }
}

void apps_end(struct box *box)
{
    for (struct app *a = box->apps; a < box->apps + BOX_APPS; a++) {
        if (!a->used)
            continue;
        MUST(kinf_listener_gone(&a->listener),
             WHO ": not given back by a stop", WHO_ARGS);
        forget(a);
    }
}

static void check_key(struct app *a, uint32_t key, const struct kinf_object *o)
{
    const struct shown *s = key < a->shown.count ? &a->shown.at[key] : NULL;
    const struct key *k = etcd.resources[a->box->view.res].keys.at[key];
    bool shows = s != NULL && s->object != 0;
    bool wants = o != NULL && (!a->filters || app_filter(o));

    MUST(shows == wants, WHO " %s %s/%s", WHO_ARGS,
         shows ? "was not told the end of" : "was not told of",
         k->namespace_, k->name);
    if (wants)
        MUST(s->bytes == hash_object(o),
             WHO " was not shown the last state of %s/%s", WHO_ARGS,
             k->namespace_, k->name);
}

/* Nothing is in the way of a resync in calm. */
static void check_resync(const struct app *a)
{
    uint64_t since = a->resynced_at;

    if (since < a->filled_at)
        since = a->filled_at;
    if (since < world.calm_at)
        since = world.calm_at;
    MUST(a->resync_ms == 0 || a->shows == 0 ||
             sim.now <= since + a->resync_ms + 30 * SECOND,
         WHO ": no resync for %llu s, which are due every %u s", WHO_ARGS,
         (unsigned long long)((sim.now - since) / SECOND),
         a->resync_ms / SECOND);
}

void apps_check(struct box *box)
{
    const struct resource *r = &etcd.resources[box->view.res];

    for (struct app *a = box->apps; a < box->apps + BOX_APPS; a++) {
        if (!a->used || a->removed)
            continue;
        MUST(kinf_listener_synced(&a->listener), WHO " has not synced",
             WHO_ARGS);
        check_resync(a);
        for (uint32_t i = 0; i < r->keys.count; i++) {
            struct kinf_object o;
            char text[400];
            struct kinf_span key = { text, 0 };
            int n = snprintf_key(text, sizeof(text), r->keys.at[i]);
            int err;

            key.len = (size_t)n;
            err = kinf_get(&box->inf, key, &o);
            check_key(a, i, err >= 0 ? &o : NULL);
        }
    }
}
