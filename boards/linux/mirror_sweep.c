/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_sweep.c - removes what is no longer in the cluster, and only that.
 *
 * What may go is found in the hidden folder, by the records, never in DIR. A
 * scan takes a few versions a call:
 *
 *   AUDIT   retires versions that no link leads to
 *   COUNT   the same, and counts objects that the cache says are gone
 *   CLEAR   removes as many as were counted, if the brake allowed them
 *
 * Of an object that the cache knows nothing certain of, only a noted delete is
 * believed. A scan ends when a list begins: what the cache says then is a
 * mixture. */
#include <errno.h>
#include <string.h>

#include "mirror_tree.h"

/* ---- one object --------------------------------------------------------- */

enum mirror_problem mirror_unlink_object(struct mirror *m,
                                         const struct mirror_place *place,
                                         const char *id)
{
    int fd = mirror_open_folder(m, m->dir, place->namespace_);
    int err = fd < 0 ? fd : m->sys->unlink(fd, place->name, 0);
    enum mirror_problem problem = MIRROR_FINE;

    if (err >= 0) {
        m->status.objects -= m->status.objects > 0;
        m->status.removed++;
        err = m->sys->sync(fd);
        if (err < 0)
            m->doubt = m->audit = true;
        else
            mirror_retire(m, id, false);
    }
    if (err < 0 && err != -ENOENT)
        problem = mirror_failed(m, err);
    mirror_shut(m, &fd);
    mirror_tidy_namespace(m, place->namespace_);
    return problem;
}

/* Looks at what lies at a place. Returns as mirror_find does. */
static int look(struct mirror *m, const struct mirror_place *place,
                char id[MIRROR_ID_BYTES], struct mirror_record *record)
{
    int fd = mirror_look_into(m, m->dir, place->namespace_);
    int found = fd < 0 ? fd : mirror_find(m, fd, place, id, record);

    mirror_shut(m, &fd);
    return found == -ENOENT ? (int)MIRROR_FREE : found;
}

static enum mirror_problem note(struct mirror *m, const char *id,
                                const struct mirror_record *record)
{
    int err = record->gone ? 0 : mirror_note_gone(m, id, true);

    mirror_compare_later(m);
    if (err < 0)
        return mirror_failed(m, err);
    m->status.noted++;
    return MIRROR_FINE;
}

static enum mirror_problem remove_or_note(struct mirror *m,
                                          const struct mirror_place *place,
                                          bool relisting)
{
    struct mirror_record record = { 0 };
    char id[MIRROR_ID_BYTES];
    enum mirror_problem problem = mirror_in_place(m);
    int found;

    if (problem != MIRROR_FINE)
        return problem;
    found = look(m, place, id, &record);
    if (found == MIRROR_FREE || found == MIRROR_FOREIGN)
        return MIRROR_FINE;
    if (found < 0)
        return mirror_failed(m, found);
    if (relisting)
        return note(m, id, &record);
    problem = mirror_unlink_object(m, place, id);
    if (problem != MIRROR_FINE)
        (void)note(m, id, &record); /* the event will not come again */
    return problem;
}

int mirror_remove(struct mirror *m, struct kinf_span namespace_,
                  struct kinf_span name, bool relisting, uint32_t now_ms)
{
    struct mirror_place place;
    enum mirror_problem problem;

    m->now_ms = now_ms;
    m->key = (struct kinf_span){ "", 0 };
    if (!mirror_place_of(namespace_, name, &place))
        return KINF_OK; /* was never written */
    if (m->job.active && mirror_same_place(&m->job.place, &place))
        mirror_drop_job(m);
    problem = remove_or_note(m, &place, relisting);
    if (problem != MIRROR_FINE) {
        mirror_tell(m, problem, &place);
        mirror_count_failure(m);
    }
    return KINF_OK;
}

/* ---- the brake ---------------------------------------------------------- */

static bool too_many(const struct mirror *m, uint32_t lost, uint32_t objects)
{
    const struct mirror_config *c = m->config;

    if (!c->max_delete_given)
        return lost > 10 && lost > objects / 2;
    if (c->max_delete_percent)
        return (uint64_t)lost * 100 > (uint64_t)c->max_delete * objects;
    return lost > c->max_delete;
}

static void tell_held(struct mirror *m, enum mirror_problem problem,
                      uint32_t count, uint32_t total)
{
    struct mirror_report report = { .problem = problem,
                                    .count = count,
                                    .total = total };

    m->config->report(m->config->ctx, &report);
}

/* COUNT is over: removes, or holds. */
static void decide(struct mirror *m)
{
    const struct mirror_scan *s = &m->scan;

    m->status.objects = s->objects;
    m->status.noted = 0;
    if (too_many(m, s->lost, s->objects) && !m->unbraked &&
        s->lost > m->confirmed) {
        if (m->status.held != s->lost)
            tell_held(m, MIRROR_HELD, s->lost, s->objects);
        m->status.held = s->lost;
        mirror_end_scan(m);
        m->status.compared = true;
        return;
    }
    if (m->status.held > 0)
        tell_held(m, MIRROR_RELEASED, s->lost, s->objects);
    m->status.held = 0;
    if (s->lost > 0) {
        mirror_begin_scan(m, MIRROR_STAGE_CLEAR);
        return;
    }
    mirror_end_scan(m);
    m->status.compared = true;
    m->unbraked = false;
    m->confirmed = 0;
}

void mirror_compare_now(struct mirror *m)
{
    m->compare = true;
    m->settling = false;
}

void mirror_compare_later(struct mirror *m)
{
    if (m->compare && !m->settling)
        return;
    m->compare = m->settling = true;
    m->compare_at_ms = m->now_ms + MIRROR_SETTLE_MS;
}

/* ---- the scan ----------------------------------------------------------- */

void mirror_begin_scan(struct mirror *m, enum mirror_stage stage)
{
    struct mirror_scan *s = &m->scan;
    const uint32_t lost = s->lost;

    mirror_end_scan(m);
    s->fd = mirror_open_folder(m, m->hidden, ".");
    if (s->fd < 0) {
        mirror_tell(m, mirror_failed(m, s->fd), NULL);
        mirror_count_failure(m);
        s->fd = -1;
        return;
    }
    s->at = s->len = s->objects = s->lost = 0;
    s->allowed = lost;
    m->stage = stage;
}

void mirror_end_scan(struct mirror *m)
{
    mirror_shut(m, &m->scan.fd);
    m->stage = MIRROR_STAGE_IDLE;
}

/* Is an object that is on disk no longer in the cluster? */
static bool lost(struct mirror *m, const char *id,
                 const struct mirror_record *record)
{
    const struct mirror_config *c = m->config;
    struct kinf_object object;
    int found = c->cache.find(c->ctx, mirror_span(record->place.namespace_),
                              mirror_span(record->place.name), &object);

    if (found == 1 && record->gone)
        (void)mirror_note_gone(m, id, false);
    return found == 0 || (found != 1 && record->gone);
}

static void look_at_object(struct mirror *m, const char *id,
                           const struct mirror_record *record)
{
    struct mirror_scan *s = &m->scan;
    enum mirror_problem problem;

    s->objects++;
    if (m->stage == MIRROR_STAGE_AUDIT || !lost(m, id, record))
        return;
    s->lost++;
    if (m->stage != MIRROR_STAGE_CLEAR || s->allowed == 0)
        return;
    s->allowed--;
    s->lost--;
    problem = mirror_unlink_object(m, &record->place, id);
    if (problem != MIRROR_FINE) {
        mirror_tell(m, problem, &record->place);
        mirror_count_failure(m);
    }
}

/* Judges a version by its record: it is an object's, or old. Returns -errno if
 * that cannot be known. */
static int judge(struct mirror *m, const char *id,
                 const struct mirror_record *record)
{
    struct mirror_record there;
    char leads_to[MIRROR_ID_BYTES];
    int found = look(m, &record->place, leads_to, &there);

    if (found == MIRROR_OURS && strcmp(id, leads_to) == 0)
        look_at_object(m, id, record);
    else if (found >= 0)
        mirror_retire(m, id, true);
    return found;
}

/* Something could not be looked at: neither removed nor forgotten. */
static void not_judged(struct mirror *m, int err)
{
    enum mirror_problem problem = mirror_failed(m, err);

    if (problem == MIRROR_DISK)
        mirror_tell(m, problem, NULL);
    mirror_try_again(m);
}

static void look_at(struct mirror *m, const char *id)
{
    struct mirror_record record;
    int version, err;

    if (m->job.active && strcmp(id, m->job.id) == 0)
        return;
    version = mirror_look_into(m, m->hidden, id);
    if (version == -ENOENT || mirror_no_folder(version))
        return; /* gone meanwhile, or not ours */
    err = version < 0 ? version : mirror_read_record(m, version, &record);
    mirror_shut(m, &version);
    if (err == -ENOENT)
        mirror_retire(m, id, false);
    else if (err >= 0)
        err = judge(m, id, &record);
    if (err < 0 && err != -ENOENT)
        not_judged(m, err);
}

static void finish(struct mirror *m)
{
    struct mirror_scan *s = &m->scan;
    const bool more = s->lost > 0;

    switch (m->stage) {
    case MIRROR_STAGE_COUNT:
        decide(m);
        return;
    case MIRROR_STAGE_CLEAR:
        mirror_end_scan(m);
        if (more) /* are gone than were counted */
            mirror_compare_now(m);
        m->status.compared = !more;
        m->unbraked = m->unbraked && more;
        m->confirmed = 0;
        return;
    case MIRROR_STAGE_AUDIT:
        m->status.objects = s->objects;
        mirror_end_scan(m);
        return;
    case MIRROR_STAGE_IDLE:
    case MIRROR_STAGE_PUT:
        return;
    }
}

/* Reads on in the hidden folder. Returns false at its end. */
static bool read_on(struct mirror *m)
{
    struct mirror_scan *s = &m->scan;
    int len = m->sys->list(s->fd, s->entries, sizeof s->entries);

    s->at = 0;
    s->len = len > 0 ? (uint32_t)len : 0;
    if (len > 0)
        return true;
    if (len == 0) {
        finish(m);
        return false;
    }
    mirror_tell(m, mirror_failed(m, len), NULL);
    mirror_count_failure(m);
    mirror_end_scan(m);
    return false;
}

void mirror_scan_step(struct mirror *m)
{
    struct mirror_scan *s = &m->scan;
    const char *name;

    if (m->relisting && m->stage != MIRROR_STAGE_AUDIT) {
        mirror_end_scan(m);
        mirror_compare_now(m);
        return;
    }
    for (unsigned n = 0; n < MIRROR_LOOKS_A_CALL; n++) {
        name = mirror_next_entry(s->entries, s->len, &s->at);
        if (!name) {
            (void)read_on(m);
            return;
        }
        if (mirror_is_id(name))
            look_at(m, name);
    }
}
