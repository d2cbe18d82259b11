/* SPDX-License-Identifier: Apache-2.0 */
/* posix_port.h - port/posix for the conformance suite, and what the tests put
 * in place of the system's names and clock. */
#ifndef PORT_POSIX_PORT_H
#define PORT_POSIX_PORT_H

#include "port/conformance.h"
#include "posix/kinf_posix.h"

extern const struct port posix_port;

void posix_wait(void *tcp, const struct kinf_transport_status *status,
                int timeout_ms);
long open_descriptors(void);

/* Names that the tests' getaddrinfo knows: "several.test" has two addresses
 * where nobody listens before 127.0.0.1; "pair.test" is 127.0.0.3 and
 * 127.0.0.1; "slow.test" takes a second; "v6.test" is ::1. All others that end
 * in .test do not exist. */
extern int lookups; /* how often it was asked */

/* Shifts CLOCK_BOOTTIME so that the clock shows now_ms. */
void set_boot_clock(uint32_t now_ms);

#endif
