/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - draws, writes and reads scripts; see script.h. */
#include "script.h"

#include <stdio.h>

#include "etcd.h"
#include "kinformer.h"
#include "server.h"

static const struct {
    const char *text, *numbers;
    unsigned kind;
    bool fault;
} ops[OP_COUNT] = {
#define X(name, text, kind, fault, numbers)                                    \
    [OP_##name] = { text, numbers, kind, fault },
    OPS(X)
#undef X
};

bool op_is_fault(enum op op)
{
    return ops[op].fault;
}

unsigned op_kind(enum op op)
{
    return ops[op].kind;
}

/* ---- drawing ------------------------------------------------------------ */

/* How long a fault lasts: a second to half an hour, short ones more often. */
static uint32_t lasts(struct rng *r)
{
    return SECOND * (1 + rng_size(r, 1800));
}

static uint32_t flag(struct rng *r)
{
    return rng_below(r, 2);
}

static uint32_t pick(struct rng *r)
{
    return rng_below(r, 1u << 30);
}

static void draw_change(struct rng *r, struct action *a)
{
    a->n[0] = rng_below(r, RESOURCES);
    a->n[1] = pick(r);
    a->n[2] = rng_size(r, 600);
    if (a->op == OP_FLOOD) {
        a->n[1] = 10 + rng_size(r, 600);
        a->n[2] = rng_below(r, 30);
    } else if (a->op == OP_FILL) {
        a->n[1] = rng_size(r, 40);
    } else if (a->op == OP_NOISE) {
        a->n[0] = rng_size(r, 50);
        a->n[1] = a->n[2] = 0;
    } else if (a->op == OP_GROW) {
        a->n[2] = 1 + rng_below(r, 30);
    } else if (a->op == OP_CROWD || a->op == OP_CHURN) {
        a->n[1] = 5 + rng_size(r, 100);
        a->n[2] = rng_size(r, 900);
    } else if (a->op == OP_BREAK) {
        a->n[2] = 1 + rng_below(r, BROKENS - 1);
    }
}

static uint32_t draw_tls_error(struct rng *r)
{
    return rng_range(r, -KINF_ERR_TLS, -KINF_ERR_CREDENTIALS);
}

static uint32_t draw_code(struct rng *r)
{
    static const uint16_t codes[] = { 400, 401, 403, 404, 405, 410, 422, 429,
                                      429, 429, 500, 500, 503, 503, 504 };

    return codes[rng_below(r, COUNT_OF(codes))];
}

static void draw_fault(struct rng *r, struct action *a)
{
    a->n[2] = lasts(r);
    switch ((int)a->op) {
    case OP_STRAY:
        a->n[0] = rng_below(r, STRAYS);
        break;
    case OP_ODD:
        a->n[0] = 1 + rng_below(r, ODDS - 1);
        break;
    case OP_HANG:
        a->n[0] = rng_range(r, KINF_PHASE_RESOLVE, KINF_PHASE_HANDSHAKE);
        break;
    case OP_TLS:
        a->n[0] = draw_tls_error(r);
        break;
    case OP_SLOW:
        a->n[0] = rng_size(r, 20 * SECOND);
        break;
    case OP_DRIP:
        a->n[0] = rng_size(r, 1000);
        break;
    case OP_CUT:
        a->n[0] = rng_size(r, 20000);
        a->n[1] = rng_below(r, 8);
        a->n[2] = flag(r);
        break;
    case OP_IDLE_CUT:
        a->n[0] = flag(r) * MINUTE;
        break;
    case OP_HOLD:
        a->n[0] = rng_size(r, 16384);
        a->n[1] = rng_size(r, 2 * MINUTE);
        break;
    case OP_WINDOW:
        a->n[0] = 500 + rng_size(r, 65536);
        break;
    case OP_RESTART:
        a->n[0] = rng_size(r, 2 * MINUTE);
        a->n[1] = flag(r) * rng_size(r, MINUTE);
        a->n[2] = flag(r);
        break;
    case OP_FAILOVER:
        a->n[0] = flag(r) * rng_size(r, 2 * MINUTE);
        break;
    case OP_ERROR:
        a->n[0] = draw_code(r);
        a->n[1] = rng_range(r, 1, 7) | flag(r) << 3;
        break;
    case OP_STREAMS:
        a->n[0] = rng_below(r, STREAM_MODES);
        break;
    case OP_CACHE_WINDOW:
        a->n[0] = 1 + rng_size(r, 1000);
        break;
    case OP_TOKEN:
        a->n[0] = rng_size(r, 10 * SECOND);
        break;
    case OP_RESTORE:
        a->n[0] = rng_below(r, 3);
        a->n[1] = rng_size(r, MINUTE);
        break;
    case OP_STUCK:
    case OP_SLOW_APP:
        a->n[0] = rng_below(r, 4);
        a->n[1] = pick(r);
        a->n[2] = SECOND * rng_size(r, 3600);
        break;
    case OP_SUSPEND:
        a->n[2] = SECOND * rng_size(r, 3600);
        break;
    case OP_LATE:
        a->n[0] = rng_size(r, 10 * SECOND);
        break;
    case OP_SKEW:
        a->n[0] = rng_below(r, 200000);
        break;
    case OP_MUTE: /* before an answer, in its first object, or later */
        a->n[0] = flag(r) * (flag(r) ? rng_range(r, 150, 800)
                                     : rng_size(r, 4000));
        a->n[2] += rng_below(r, 10 * MINUTE);
        break;
    case OP_SHORT_WATCH:
        a->n[0] = rng_size(r, 20 * SECOND);
        a->n[1] = flag(r);
        break;
    default: /* on or off, and how long */
        a->n[0] = flag(r);
        break;
    }
}

static void draw_app(struct rng *r, struct action *a)
{
    a->n[0] = rng_below(r, 4);
    a->n[1] = pick(r);
    a->n[2] = 0;
    if (a->op == OP_ADD_APP) {
        a->n[1] = rng_below(r, 8);
        a->n[2] = flag(r) * SECOND * rng_range(r, 1, 900);
    } else if (a->op == OP_STOP) {
        a->n[1] = rng_size(r, 10 * MINUTE);
    }
}

static void draw(struct script *s, struct rng *r, uint64_t at, enum op op)
{
    struct action a = { .at = at, .op = op };

    if (ops[op].fault)
        draw_fault(r, &a);
    else if (ops[op].kind == KIND_APP)
        draw_app(r, &a);
    else
        draw_change(r, &a);
    *array_push(&s->actions) = a;
}

static enum op any_of(struct rng *r, unsigned mask, bool fault)
{
    enum op op;

    do
        op = (enum op)rng_below(r, OP_COUNT);
    while ((ops[op].kind & mask) == 0 || ops[op].fault != fault ||
           (op == OP_WIPE && rng_percent(r, 70)) ||
           (op == OP_FLOOD && rng_percent(r, 60)) ||
           (op == OP_SUSPEND && rng_percent(r, 70)));
    return op;
}

static uint64_t within(struct rng *r, uint64_t from, uint64_t until)
{
    return from + rng_below(r, (uint32_t)(until - from));
}

/* Ordinary changes in a burst or alone, so that each hour has enough. */
static enum op draw_ordinary(struct rng *r)
{
    static const enum op usual[] = { OP_CREATE, OP_MODIFY, OP_MODIFY,
                                     OP_MODIFY, OP_DELETE, OP_RECREATE,
                                     OP_RELABEL, OP_NOISE };

    return usual[rng_below(r, COUNT_OF(usual))];
}

/* What changes while somebody is away is what he must find out. */
static void draw_meanwhile(struct script *s, struct rng *r, uint64_t at,
                           uint64_t until)
{
    uint32_t changes = rng_percent(r, 50) ? rng_size(r, 8) : 0;
    uint32_t for_ms = rng_size(r, MINUTE);

    if (for_ms > until - at)
        for_ms = (uint32_t)(until - at);
    for (; changes > 0 && for_ms > 0; changes--)
        draw(s, r, at + rng_below(r, for_ms), draw_ordinary(r));
}

/* A list is broken off while somebody is stuck in the middle of it, and objects
 * go before it can be asked for again. */
static void draw_break(struct script *s, struct rng *r, uint64_t at)
{
    draw(s, r, at, OP_STUCK);
    array_last(&s->actions)->n[2] = MINUTE / 2;
    draw(s, r, at + rng_below(r, 10 * SECOND), OP_RELOAD);
    for (int i = 0; i < 4; i++)
        draw(s, r, at + 10 * SECOND + rng_below(r, 15 * SECOND), OP_DELETE);
}

/* What hurts a list needs one: every watch ends, and the version that it would
 * go on from is no longer known, for half a minute. An object may have lost its
 * name by then; the list is cut, perhaps, and objects go before the next. */
static void draw_relist(struct script *s, struct rng *r, uint64_t at,
                        unsigned mask)
{
    struct action a = { .at = at, .op = OP_CACHE_WINDOW, .n = { 1 } };

    *array_push(&s->actions) = a;
    for (int i = 0; i < 8; i++)
        draw(s, r, at, draw_ordinary(r));
    if ((mask & KIND_BROKEN) != 0 && rng_percent(r, 15)) {
        draw(s, r, at, OP_BREAK);
        array_last(&s->actions)->n[2] = BROKEN_NAME;
    }
    a = (struct action){ .at = at + 1, .op = OP_RESET, .n = { flag(r) } };
    *array_push(&s->actions) = a;
    if (rng_percent(r, 40)) {
        draw(s, r, at + 2, OP_CUT);
        array_last(&s->actions)->n[0] = rng_range(r, 300, 3000);
        for (int i = 0; i < 3; i++)
            draw(s, r, at + SECOND + rng_below(r, 20 * SECOND),
                 flag(r) ? OP_DELETE : OP_CREATE);
    }
    if ((mask & KIND_BREAKS) != 0)
        draw_break(s, r, at + 2);
    a = (struct action){ .at = at + MINUTE / 2, .op = OP_CACHE_WINDOW,
                         .n = { 1000 } };
    *array_push(&s->actions) = a;
}

void script_draw(struct script *s, struct rng *r, uint64_t from,
                 uint64_t until, uint32_t hours, unsigned mask)
{
    const unsigned faults = KIND_NET | KIND_SERVER | KIND_PROXY | KIND_RESTORE |
                            KIND_BROKEN | KIND_TIME | KIND_APP;
    uint32_t changes = hours * rng_range(r, 30, 80);
    uint32_t others = hours * rng_below(r, 8);
    uint32_t hurts = hours * rng_range(r, 1, 8);

    for (uint32_t i = 0; i < changes; i++)
        draw(s, r, within(r, from, until), draw_ordinary(r));
    for (uint32_t i = 0; i < others; i++)
        draw(s, r, within(r, from, until), any_of(r, mask, false));
    for (uint32_t i = 0; i < hurts && (mask & faults) != 0; i++) {
        uint64_t at = within(r, from, until);

        draw(s, r, at, any_of(r, mask & faults, true));
        draw_meanwhile(s, r, at, until);
        if ((mask & KIND_SERVER) != 0 && (mask & KIND_NET) != 0 &&
            at + MINUTE < until &&
            ((mask & KIND_BREAKS) != 0 || rng_percent(r, 20)))
            draw_relist(s, r, at + rng_size(r, 10 * SECOND), mask);
    }
    if ((mask & KIND_RESTORE) != 0 && rng_percent(r, 30)) {
        uint64_t at = within(r, from, until - (until - from) / 3);

        draw(s, r, at, OP_BACKUP);
        draw(s, r, within(r, at, until), OP_RESTORE);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct action *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    return memcmp(x->n, y->n, sizeof(x->n));
}

void script_sort(struct script *s)
{
    qsort(s->actions.at, s->actions.count, sizeof(s->actions.at[0]), by_time);
}

/* ---- text --------------------------------------------------------------- */

void action_text(struct text *out, const struct action *a)
{
    char words[64], *word, *rest = words;

    snprintf(words, sizeof(words), "%s", ops[a->op].numbers);
    text_fmt(out, "%llu.%03u %s", (unsigned long long)(a->at / SECOND),
             (unsigned)(a->at % SECOND), ops[a->op].text);
    for (int i = 0; i < 3; i++) {
        word = strtok_r(rest, " ", &rest);
        if (word != NULL && strcmp(word, "-") != 0)
            text_fmt(out, " %s=%u", word, a->n[i]);
        else
            text_fmt(out, " %u", a->n[i]);
    }
}

static uint32_t number_in(const char *word)
{
    const char *equals = strchr(word, '=');

    return (uint32_t)strtoul(equals != NULL ? equals + 1 : word, NULL, 10);
}

static bool action_read(struct action *a, const char *line)
{
    unsigned long long s;
    unsigned ms;
    char name[32], n[3][48];

    if (sscanf(line, "%llu.%u %31s %47s %47s %47s", &s, &ms, name, n[0], n[1],
               n[2]) != 6)
        return false;
    a->at = s * SECOND + ms;
    for (int i = 0; i < 3; i++)
        a->n[i] = number_in(n[i]);
    for (a->op = 0; a->op < OP_COUNT; a->op++)
        if (strcmp(ops[a->op].text, name) == 0)
            return true;
    return false;
}

void script_read(struct script *s, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[256];

    MUST(f != NULL, "cannot read %s", path);
    while (fgets(line, sizeof(line), f) != NULL) {
        struct action a;

        if (line[0] == '#' || line[0] == '\n')
            continue;
        MUST(action_read(&a, line), "%s: not a line of a script: %s", path,
             line);
        *array_push(&s->actions) = a;
    }
    fclose(f);
    script_sort(s);
}
