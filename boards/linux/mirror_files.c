/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_files.c - what a mirror does from its loop. See mirror_files.h. */
#include "mirror_files.h"

#include <string.h>

#include "mirror_tree.h"

const char *mirror_strproblem(enum mirror_problem problem)
{
    switch (problem) {
    case MIRROR_FINE:
        return "all is well";
    case MIRROR_NOT_EMPTY:
        return "the folder is not empty and not marked as a mirror's";
    case MIRROR_OTHER:
        return "the folder is the mirror of another source";
    case MIRROR_BUSY:
        return "another kinformer mirrors into this folder";
    case MIRROR_TOO_LONG:
        return "selector and namespaces are too long for the marker";
    case MIRROR_DISK:
        return "the disk refuses";
    case MIRROR_IN_THE_WAY:
        return "something that is not ours is in its place";
    case MIRROR_BAD_NAME:
        return "its name cannot be a file's";
    case MIRROR_BAD_KEY:
        return "a key cannot be a file's name";
    case MIRROR_COLLISION:
        return "two keys are the same file name here";
    case MIRROR_BAD_VALUE:
        return "a value is not text or not base64";
    case MIRROR_TRUNCATED:
        return "too large for the cache, its files stay as they were";
    case MIRROR_MOVED:
        return "the hidden folder is no longer the one we opened";
    case MIRROR_HELD:
        return "more would be removed than --max-delete allows";
    case MIRROR_RELEASED:
        return "the held removals go on";
    case MIRROR_LEFT:
        return "an old version cannot be removed";
    case MIRROR_PROBLEMS:
        break;
    }
    return "unknown";
}

/* ---- retries ------------------------------------------------------------ */

void mirror_try_again(struct mirror *m)
{
    if (m->retry || m->stage == MIRROR_STAGE_PUT)
        return;
    m->retry = true;
    m->retry_at_ms = m->now_ms + m->retry_wait_ms;
}

void mirror_count_failure(struct mirror *m)
{
    m->status.failed++;
    mirror_try_again(m);
}

/* What went wrong is not written down anywhere: all objects are put again, and
 * those that are on disk cost a look. */
static void begin_pass(struct mirror *m)
{
    m->retry = false;
    m->failed_before = m->status.failed;
    m->status.failed = 0;
    m->stage = MIRROR_STAGE_PUT;
    m->pass_first = true;
    m->pass_again = false;
    m->retry_wait_ms = m->retry_wait_ms < MIRROR_RETRY_CAP_MS / 2
                           ? m->retry_wait_ms * 2
                           : MIRROR_RETRY_CAP_MS;
}

static void end_pass(struct mirror *m)
{
    m->stage = MIRROR_STAGE_IDLE;
    if (m->untidy)
        mirror_tidy_namespaces(m);
    m->retry = m->status.failed > 0 || m->untidy;
    m->retry_at_ms = m->now_ms + m->retry_wait_ms;
    if (m->status.failed == 0)
        m->doubt = false;
    mirror_compare_now(m); /* removals may have failed, too */
}

/* The object of a pass that is to be put again, if it is still there. */
static bool find_again(struct mirror *m, struct kinf_object *object)
{
    const struct mirror_config *c = m->config;

    return c->cache.find(c->ctx, mirror_span(m->pass.namespace_),
                         mirror_span(m->pass.name), object) == 1;
}

/* Gives the next object of the pass. Returns 1, 0 or KINF_ERR_AGAIN. */
static int next_object(struct mirror *m, struct kinf_object *object)
{
    const struct mirror_config *c = m->config;
    bool first = m->pass_first;

    if (m->pass_again) {
        m->pass_again = false;
        if (find_again(m, object))
            return 1;
        if (m->job.active && m->job.ours)
            mirror_drop_job(m);
    }
    m->pass_first = false;
    return c->cache.next(c->ctx, first, object);
}

/* Puts a few objects. Returns how long to wait. */
static uint32_t pass_step(struct mirror *m)
{
    const uint32_t written = m->status.written;
    struct kinf_object object;
    int more, wait;

    for (unsigned n = 0; n < MIRROR_LOOKS_A_CALL; n++) {
        more = next_object(m, &object);
        if (more < 0)
            return 1;
        if (more == 0) {
            end_pass(m);
            return 0;
        }
        wait = mirror_put_object(m, &object, true);
        if (wait > 0) {
            m->pass_again =
                mirror_place_of(object.namespace_, object.name, &m->pass);
            return (uint32_t)wait;
        }
        if (m->status.written != written)
            break; /* one write a call */
    }
    return 0;
}

/* ---- the loop ----------------------------------------------------------- */

int mirror_put(struct mirror *m, const struct kinf_object *object,
               uint32_t now_ms)
{
    m->now_ms = now_ms;
    if (m->status.held > 0 && !m->compare)
        mirror_compare_later(m); /* what is held may have come back */
    return mirror_put_object(m, object, false);
}

void mirror_relisting(struct mirror *m, bool relisting)
{
    if (m->relisting && !relisting)
        mirror_compare_now(m);
    if (relisting)
        m->status.compared = false;
    m->relisting = relisting;
}

void mirror_confirm(struct mirror *m)
{
    m->confirmed = m->status.held;
    mirror_compare_now(m);
}

static uint32_t sooner(uint32_t wait, uint32_t at_ms, uint32_t now_ms)
{
    uint32_t until = mirror_due(at_ms, now_ms) ? 0 : at_ms - now_ms;

    return until < wait ? until : wait;
}

static bool compare_is_due(const struct mirror *m)
{
    return m->compare && !m->relisting &&
           (!m->settling || mirror_due(m->compare_at_ms, m->now_ms));
}

/* Begins what is due. Returns for how long nothing is. */
static uint32_t begin(struct mirror *m)
{
    uint32_t wait = mirror_old_wait(m);

    if (m->retry && mirror_due(m->retry_at_ms, m->now_ms)) {
        begin_pass(m);
        return 0;
    }
    if (compare_is_due(m)) {
        m->compare = m->audit = false;
        mirror_begin_scan(m, MIRROR_STAGE_COUNT);
        return 0;
    }
    if (m->audit && m->old_count == 0) {
        m->audit = false;
        mirror_begin_scan(m, MIRROR_STAGE_AUDIT);
        return 0;
    }
    if (m->retry)
        wait = sooner(wait, m->retry_at_ms, m->now_ms);
    else if (m->status.failed == 0)
        m->retry_wait_ms = MIRROR_RETRY_MS;
    if (m->compare && !m->relisting)
        wait = sooner(wait, m->compare_at_ms, m->now_ms);
    return wait;
}

uint32_t mirror_step(struct mirror *m, uint32_t now_ms)
{
    m->now_ms = now_ms;
    m->key = (struct kinf_span){ "", 0 };
    if (mirror_remove_old(m))
        return 0;
    switch (m->stage) {
    case MIRROR_STAGE_IDLE:
        return begin(m);
    case MIRROR_STAGE_PUT:
        return pass_step(m);
    case MIRROR_STAGE_AUDIT:
    case MIRROR_STAGE_COUNT:
    case MIRROR_STAGE_CLEAR:
        mirror_scan_step(m);
        return 0;
    }
    return 0;
}

void mirror_status(const struct mirror *m, struct mirror_status *out)
{
    *out = m->status;
    if (m->stage == MIRROR_STAGE_PUT && out->failed < m->failed_before)
        out->failed = m->failed_before;
    out->idle = m->stage == MIRROR_STAGE_IDLE && !m->job.active &&
                (!m->compare || m->relisting);
    out->settled = out->compared && out->idle && !out->failed && !out->held;
}
