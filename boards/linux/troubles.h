/* SPDX-License-Identifier: Apache-2.0 */
/* troubles.h - what an error of the library means to the person in front of
 * the program. */
#ifndef TROUBLES_H
#define TROUBLES_H

#include <stdbool.h>

/* What to do about it, or NULL: kinformer does it itself. */
const char *trouble_todo(int err);

/* Is it the ordinary course of things, worth a note only? */
bool trouble_is_usual(int err);

/* With --once: the exit code if waiting cannot help, else -1. */
int trouble_is_final(int err);

/* With --once, when time is up. */
int trouble_exit_code(int err);

/* "CLOSED" for KINF_ERR_CLOSED; NULL if there is no such code. */
const char *trouble_name(int err);

#endif
