/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the page as it is built, in a file of its own: the compiler must
 * not look into it. */
#include "options.h"

__attribute__((section(".options"))) const struct options options = { 0 };
