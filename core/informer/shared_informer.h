/* SPDX-License-Identifier: Apache-2.0 */
/* shared_informer.h - what the loop asks of an informer. */
#ifndef KINF_INFORMER_SHARED_INFORMER_H
#define KINF_INFORMER_SHARED_INFORMER_H

#include "kinformer.h"

/* Carries a stop out: closes, drops, and empties every pool. */
void kinf_informer_end(struct kinf_informer *inf);

/* Is it the informer of these objects? */
bool kinf_informer_is(const struct kinf_informer *inf,
                      const struct kinf_resource *resource,
                      struct kinf_span namespace_,
                      struct kinf_span label_selector);

#endif
