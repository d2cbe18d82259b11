/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - one request and its answer; see exchange.h. */
#define KINF_FILE 23
#include "exchange.h"

#include "base/assert.h"

void kinf_exchange_init(struct kinf_exchange *x,
                        const struct kinf_list_watch_ops *ops, void *ctx)
{
    *x = (struct kinf_exchange){ .ops = ops, .ctx = ctx };
}

int kinf_exchange_ask(struct kinf_exchange *x, uint32_t now_ms)
{
    int err;

    x->item = (struct kinf_item){ .event = KINF_EVENT_UNKNOWN };
    x->running = true;
    err = x->ops->request(x->ctx, &x->request);
    KINF_ASSERT(err <= 0);
    x->opened = x->in_object = x->begun = x->paused = x->had_event = false;
    x->opened_ms = x->event_ms = now_ms;
    return err;
}

static void go_on(struct kinf_exchange *x, uint32_t now_ms)
{
    uint32_t stood = now_ms - x->paused_ms;

    if (!x->paused)
        return;
    x->paused = false;
    x->opened_ms += stood;
    x->event_ms += stood;
    x->object_ms += stood;
}

int kinf_exchange_next(struct kinf_exchange *x, uint32_t now_ms)
{
    int event;

    go_on(x, now_ms);
    if (x->begun) {
        x->begun = false;
        x->in_object = true;
        x->object_ms = now_ms;
    }
    event = x->ops->next(x->ctx, now_ms, &x->sink, &x->item);
    switch (event) {
    case KINF_SOURCE_OPEN:
        x->opened = true;
        x->opened_ms = x->event_ms = now_ms;
        break;
    case KINF_SOURCE_BEGIN:
        x->begun = true;
        break;
    case KINF_SOURCE_ITEM:
        x->in_object = false;
        x->had_event = true;
        x->event_ms = now_ms;
        break;
    default:
        break;
    }
    return event;
}

void kinf_exchange_close(struct kinf_exchange *x)
{
    if (x->running)
        x->ops->close(x->ctx);
    x->running = x->begun = x->in_object = x->paused = false;
}
