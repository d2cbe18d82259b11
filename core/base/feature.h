/* SPDX-License-Identifier: Apache-2.0 */
/* feature.h - what features that may be left out ask for, as conditions that
 * the compiler folds: without the feature nothing of it remains. */
#ifndef KINF_BASE_FEATURE_H
#define KINF_BASE_FEATURE_H

#include "kinformer.h"

/* Is the informer about to be stopped? */
static inline bool is_stopping(const struct kinf_informer *inf)
{
    return CONFIG_KINF_STOP && inf->stopping;
}

static inline bool is_removed(const struct kinf_listener *l)
{
    return CONFIG_KINF_STOP && l->removed;
}

/* Are connections being closed for new credentials? */
static inline bool is_reloading(const struct kinf *k)
{
    return CONFIG_KINF_RELOAD && k->reloading;
}

/* Does it read a source of the user's own? */
static inline bool has_source(const struct kinf_informer *inf)
{
    return CONFIG_KINF_SOURCE && inf->config->source != NULL;
}

static inline bool is_latest(const struct kinf_listener *l)
{
    return CONFIG_KINF_LATEST_MODE && l->mode == KINF_LATEST;
}

/* Was it found that this resource cannot be watched? */
static inline bool is_unwatched(const struct kinf_reflector *r)
{
    return CONFIG_KINF_POLLING && r->no_watch;
}

/* Do single requests use the watch's connection? */
static inline bool is_shared(const struct kinf_reflector *r)
{
    return !CONFIG_KINF_SECOND_SESSION || r->shared;
}

static inline bool is_verifying(const struct kinf_reflector *r)
{
    return CONFIG_KINF_VERIFY && r->verifying;
}

#endif
