/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - the flash page as it is built: empty. In a file of its own, or the
 * compiler would take the zeroes for what a board reads there. */
#include "credentials.h"

__attribute__((section(".credentials")))
const struct board_credentials board_credentials = { 0 };
