/* SPDX-License-Identifier: Apache-2.0 */
/* pools.h - how every pool stands: core's, of TLS, of lwIP, and the stack. */
#ifndef KINF_TEST_POOLS_H
#define KINF_TEST_POOLS_H

#include "kinformer.h"

/* A line for each: used now, high-water, size. */
void pools_tell(const struct kinf_informer *informers, unsigned count);
/* Connections that nobody holds any more and that lwIP still keeps. */
unsigned pools_closing(void);

#endif
