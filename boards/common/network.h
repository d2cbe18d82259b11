/* SPDX-License-Identifier: Apache-2.0 */
/* network.h - lwIP on the board's Ethernet, with a fixed address. */
#ifndef KINF_BOARD_NETWORK_H
#define KINF_BOARD_NETWORK_H

#include "kinformer.h"

/* Clock and randomness are kept for ever. */
void network_start(const struct kinf_platform *platform);
/* Takes in a few frames and lets lwIP's timers run. */
void network_poll(void);
/* Sleeps until a frame comes or a timer is due, or so long. */
void network_sleep(uint32_t ms);

#endif
