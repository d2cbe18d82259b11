/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - the state of the program in a file, as JSON. */
#ifndef STATUS_H
#define STATUS_H

#include <stdint.h>

#include "gateway.h"

/* Writes the file anew, by a rename, when something has changed (at most once
 * a second) or a minute is over. Returns in how many ms to call again. */
uint32_t status_tick(struct gateway *g, uint32_t now_ms);

/* At the end of the program. */
void status_last(struct gateway *g);

#endif
