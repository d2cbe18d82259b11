/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - the flash page, empty as it is built. */
#include "credentials.h"

__attribute__((section(".credentials")))
const struct board_credentials board_credentials = { 0 };
