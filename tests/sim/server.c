/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the model API server: its connections, and what it answers to a
 * request; see server.h. */
#include "server_conn.h"

struct server server;

/* ---- small things ------------------------------------------------------- */

#define WALL_BASE 1782864000 /* 2026-07-01 */

int64_t server_wall_s(void)
{
    return WALL_BASE + (int64_t)(sim.now / SECOND) + server.wall_skew_s;
}

uint64_t server_wall_base(void)
{
    return WALL_BASE;
}

void token_text(struct text *out, uint32_t number)
{
    text_fmt(out, "sim-token-%u-", number);
    while (out->len + 2 < server.token_bytes)
        text_add(out, "abcDEF._~+/");
    text_add(out, "==");
}

bool server_up(void)
{
    return sim.now >= server.up_at;
}

/* ---- connections -------------------------------------------------------- */

struct conn *conn_of(uint64_t arg)
{
    for (size_t i = 0; i < server.conns.count; i++)
        if (server.conns.at[i]->id == arg >> 32)
            return server.conns.at[i]->serial == (uint32_t)arg
                       ? server.conns.at[i] : NULL;
    return NULL;
}

void conn_later(struct conn *c, uint64_t at, timer_func func)
{
    timer_at(at, func, NULL, (uint64_t)c->id << 32 | c->serial);
}

struct asked conn_asked(const struct conn *c)
{
    const struct request *q = &c->q;

    return (struct asked){
        .link = c->link->number, .view = q->view,
        .list = !q->watch && q->name[0] == '\0',
        .first_page = !q->watch && q->name[0] == '\0' && !q->has_continue,
        .watch = q->watch, .stream = q->watch && q->initial_events,
        .get = q->name[0] != '\0', .has_version = q->has_version,
        .version = q->version,
        .probe = !q->watch && q->limit == 1 && !q->has_version &&
                 !q->has_continue && q->view.metadata_only
    };
}

void conn_over(struct conn *c)
{
    c->state = CONN_OVER;
    link_end(c->link);
}

void conn_cut(struct conn *c)
{
    c->state = CONN_OVER;
    link_cut(c->link);
}

static void idle_end(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_IDLE && link_backlog(c->link) == 0)
        conn_over(c);
}

void conn_answered(struct conn *c)
{
    c->state = CONN_IDLE;
    conn_later(c, sim.now + 90 * SECOND, idle_end);
}

struct conn *server_accept(struct link *link)
{
    static uint32_t ids;
    struct conn *c = calloc(1, sizeof(*c));

    MUST(c != NULL, "out of memory");
    c->link = link;
    c->id = ++ids;
    c->replica = server.spread ? rng_below(&sim.rng, 2) : server.active;
    *array_push(&server.conns) = c;
    conn_later(c, sim.now + 90 * SECOND, idle_end);
    return c;
}

bool server_idle(const struct conn *c)
{
    return c->state == CONN_IDLE;
}

/* ---- requests ----------------------------------------------------------- */

static void get_one(struct conn *c)
{
    const struct request *q = &c->q;
    uint32_t key = etcd_find_key(q->view.res, q->view.namespace_,
                                 strlen(q->view.namespace_), q->name,
                                 strlen(q->name));
    uint32_t state = key != UINT32_MAX ? etcd_now(q->view.res, key) : NO_STATE;
    struct text t = { NULL, 0, 0, 0 };

    if (state == NO_STATE) {
        refuse_missing(c);
        return;
    }
    TELL("server: get %s/%s", q->view.namespace_, q->name);
    write_object(&t, &q->view, state, true, 0);
    text_add(&t, "\n");
    answer_text(c, 200, "OK", "application/json", NULL, &t);
}

static void waited_enough(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c != NULL && c->state == CONN_WAITING)
        refuse_too_large(c);
}

/* Lists and streaming lists of a version the replica has not reached wait. */
static bool must_wait(const struct conn *c)
{
    const struct request *q = &c->q;
    bool not_older = q->has_version && !q->has_continue &&
                     (!q->exact || q->version > replica_of(c)->seen_rev) &&
                     (!q->watch || q->initial_events) &&
                     !(q->watch && server.stream_mode == STREAM_IGNORED);

    return not_older && q->version > replica_of(c)->seen_rev;
}

static bool means_exact(const struct request *q)
{
    bool unsaid = q->has_version && q->version > 0 && q->has_limit &&
                  !q->has_match;

    MUST(!unsaid || server.answers_all,
         "a list with limit and version but no match means Exact");
    return q->exact || unsaid;
}

void answer_request(struct conn *c)
{
    const struct request *q = &c->q;
    struct page_token start = { .made_at = sim.now };

    if (must_wait(c)) {
        if (c->state != CONN_WAITING)
            conn_later(c, sim.now + 3 * SECOND, waited_enough);
        c->state = CONN_WAITING;
    } else if (q->watch) {
        watch_begin(c);
    } else if (q->name[0] != '\0') {
        get_one(c);
    } else if (q->has_continue) {
        list_next_page(c);
    } else if (means_exact(q)) {
        list_exact(c);
    } else if (q->has_version) {
        list_at(c, replica_of(c)->seen_rev, &start);
    } else {
        list_at(c, etcd.rev, &start);
        watch_progress_told();
    }
}

static void request(struct conn *c)
{
    struct asked asked = conn_asked(c);

    server.requests++;
    TELL("server: connection %u asks for %s%s%s%s%s, version %llu, limit %u",
         c->link->number, kinds[c->q.view.res].plural,
         c->q.view.metadata_only ? " metadata" : "",
         asked.watch ? (asked.stream ? " stream" : " watch") : "",
         asked.get ? " get" : "", c->q.has_continue ? " continue" : "",
         (unsigned long long)c->q.version, c->q.limit);
    if (memcmp(&c->told_view, &c->q.view, sizeof(c->told_view)) == 0)
        asked.told = c->told;
    world_asked(&asked);
    c->told = 0;
    c->serial++;
    c->early = server.inflight > 0; /* it stands in for flow control */
    c->nosniff = c->streamed = false;
    if (sim.now < server.mute_until)
        link_mute(c->link, server.mute_after);
    if (!stopped_on_the_way(c))
        answer_request(c);
}

void server_input(struct conn *c, const char *bytes, size_t len)
{
    size_t whole_len;

    if (c->state == CONN_OVER)
        return;
    text_bytes(&c->in, bytes, len);
    whole_len = request_length(c->in.ptr, c->in.len);
    if (whole_len == 0)
        return;
    request_read(&c->q, c->in.ptr, whole_len);
    text_drop(&c->in, whole_len);
    MUST(c->in.len == 0, "bytes behind a request");
    request(c);
}

void server_hangup(struct conn *c)
{
    for (size_t i = 0; i < server.conns.count; i++) {
        if (server.conns.at[i] != c)
            continue;
        memmove(&server.conns.at[i], &server.conns.at[i + 1],
                (server.conns.count - i - 1) * sizeof(server.conns.at[0]));
        server.conns.count--;
        text_free(&c->in);
        free(c);
        return;
    }
    sim_fail("the model server lost a connection");
}
