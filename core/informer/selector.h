/* SPDX-License-Identifier: Apache-2.0 */
/* selector.h - label selectors, "a=b,c!=d,e in (f,g),!h". */
#ifndef KINF_INFORMER_SELECTOR_H
#define KINF_INFORMER_SELECTOR_H

#include "kinformer.h"

/* Returns KINF_OK or KINF_ERR_SYNTAX. */
int kinf_selector_check(struct kinf_span selector);

#endif
