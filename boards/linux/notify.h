/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - tells systemd how we are: sd_notify without libsystemd. Does
 * nothing when systemd did not start us. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

/* Opens the socket of $NOTIFY_SOCKET. Returns how often the watchdog is to be
 * fed, in milliseconds, or 0. */
uint32_t notify_open(void);

/* text: "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=..." */
void notify_say(const char *text);

#endif
