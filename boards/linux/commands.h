/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - what the program does. Each returns an enum exit_code. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "options.h"

int cmd_watch(const struct options *options);
int cmd_mirror(const struct options *options);
int cmd_size(const struct options *options);

#endif
