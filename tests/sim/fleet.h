/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - a thousand clients of one server, each a library of its own with
 * its own clock and dice, that lose it together, in each way there is: they
 * must not come back together. */
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "base.h"

/* What became of them. */
struct fleet {
    uint32_t clients;
    uint32_t peak_down; /* most that came back in a second, after a minute */
    uint32_t peak;      /* the same of all losses */
    uint32_t requests;  /* most requests in a second */
};

/* Ends the process when they come in a crowd. spread_ms: of kinf_config. */
void fleet_run(uint64_t seed, uint32_t spread_ms, struct fleet *result);

#endif
