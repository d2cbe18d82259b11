/* SPDX-License-Identifier: Apache-2.0 */
/* assert_hook.c - a broken promise inside core fails the cmocka test, or is
 * what expect_assert_failure() waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kinformer.h"

__attribute__((weak)) void kinf_assert_failed(unsigned file, unsigned line)
{
    static char name[32];

    snprintf(name, sizeof(name), "core file %u", file);
    mock_assert(0, "KINF_ASSERT", name, (int)line);
    abort();
}
