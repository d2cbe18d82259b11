/* SPDX-License-Identifier: Apache-2.0 */
/* server_admit.c - what a request has to pass before it is answered: those in
 * between, rights, priority and fairness; see server_conn.h. */
#include "server_conn.h"

static bool token_is(const struct conn *c, uint32_t number)
{
    struct text t = { NULL, 0, 0, 0 };
    bool good;

    token_text(&t, number);
    good = strcmp(t.ptr, c->q.token) == 0;
    text_free(&t);
    return good;
}

/* Who asks must be known, and may not be nobody; else it is refused. */
static bool token_refused(struct conn *c)
{
    if (!c->link->verified) {
        MUST(!c->q.has_token, "a token over a connection without TLS");
        return false;
    }
    if (!c->q.has_token)
        refuse_rights(c, "system:anonymous");
    else if (server.answers_all && strcmp(c->q.token, "none") == 0)
        refuse_rights(c, "none");
    else if (!token_is(c, server.token))
        refuse_code(c, 401);
    else
        return false;
    return true;
}

/* As many as are taken at a time are waiting or being served. */
static bool too_many(const struct conn *c)
{
    uint32_t busy = 0;

    for (size_t i = 0; i < server.conns.count; i++)
        busy += server.conns.at[i]->state == CONN_WAITING;
    return server.inflight > 0 && busy >= server.inflight && !c->q.watch;
}

static unsigned scope_of(const struct request *q)
{
    return q->watch ? SCOPE_WATCH : q->name[0] != '\0' ? SCOPE_GET
                                                       : SCOPE_LIST;
}

/* What comes before the answer: those in between, rights, load. */
bool stopped_on_the_way(struct conn *c)
{
    const char *field, *why = request_invalid(&c->q, &field);
    bool stream = c->q.watch && c->q.initial_events;

    if (sim.now < server.odd_until && server.odd != ODD_NONE)
        refuse_oddly(c);
    else if (sim.now < server.error_until &&
             (server.error_scope & scope_of(&c->q)) != 0 &&
             server.error_code != 0)
        refuse_code(c, server.error_code);
    else if (server.leaving_at <= sim.now) {
        refuse(c, 429, "Too Many Requests", "TooManyRequests",
               "The apiserver is shutting down, please try again later.",
               "\"retryAfterSeconds\":5",
               "Retry-After: 5\r\nConnection: close\r\n");
        conn_over(c);
    } else if (sim.now < server.ready_at)
        refuse_busy(c);
    else if (token_refused(c))
        return true;
    else if (too_many(c))
        refuse_text(c, 429, "Too Many Requests",
                    "Too many requests, please try again later.",
                    "Retry-After: 1\r\n");
    else if (c->q.unknown)
        refuse_unknown(c);
    else if (stream && server.stream_mode == STREAM_422)
        refuse_options(c, "sendInitialEvents is forbidden for watch unless "
                          "the WatchList feature gate is enabled",
                       "sendInitialEvents");
    else if (stream && server.stream_mode == STREAM_400)
        refuse_code(c, 400);
    else if (why != NULL && !server.answers_all)
        sim_fail("a request the real server answers with 422: %s", why);
    else if (why != NULL)
        refuse_options(c, why, field);
    else
        return false;
    return true;
}
