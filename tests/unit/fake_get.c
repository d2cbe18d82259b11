/* SPDX-License-Identifier: Apache-2.0 */
/* fake_get.c - a GET that writes down what comes of it; see fake_get.h. */
#include "fake_get.h"

static int on_body(void *ctx, struct kinf_span piece)
{
    struct fake_get *g = ctx;

    assert_int_equal(0, g->ends);
    assert_true(piece.len > 0);
    strncat(g->body, piece.ptr, piece.len);
    g->pieces++;
    return g->pieces == g->enough ? KINF_ERR_AGAIN : KINF_OK;
}

static void on_end(void *ctx, int err, int http_status,
                   struct kinf_span message)
{
    struct fake_get *g = ctx;

    g->ends++;
    g->err = err;
    g->status = http_status;
    snprintf(g->words, sizeof(g->words), "%.*s", (int)message.len,
             message.ptr);
    if (g->then != NULL)
        fake_get(g->then, g->session, "/then");
}

void fake_get(struct fake_get *g, struct kinf_session *session,
              const char *path)
{
    g->session = session;
    g->ends = g->err = g->status = 0;
    g->pieces = 0;
    g->body[0] = g->words[0] = '\0';
    g->get.path = fake_span(path);
    g->get.body = on_body;
    g->get.end = on_end;
    g->get.ctx = g;
    kinf_session_get(session, &g->get);
}
