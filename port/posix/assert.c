/* SPDX-License-Identifier: Apache-2.0 */
/* assert.c - the end of a program that broke a promise. An object file of its
 * own in the archive: an application that defines the function replaces it. */
#include <stdio.h>
#include <stdlib.h>

#include "posix/kinf_posix.h"

void kinf_assert_failed(unsigned file, unsigned line)
{
    fprintf(stderr, "kinformer: assertion failed, file %u line %u\n", file,
            line);
    abort();
}
