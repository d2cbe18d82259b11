/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - messages on stderr: what happened, why, and what to do.
 *
 * Lines that come again and again are limited: three of a kind a minute, then
 * their number. A kind is the format with our own words in it; text of others
 * (%.*s, see out.h) does not count, so a server cannot flood a log by varying
 * its words. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_NOTE, LOG_WARN, LOG_FAIL };

/* json: one object a line instead of plain text. quiet: no notes. */
void log_setup(bool json, bool quiet);

/* todo: what the reader can do about it, or NULL. */
void log_say(enum log_level level, const char *todo, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells how often limited lines came, when their minute is over, or now. */
void log_settle(bool now);

#endif
