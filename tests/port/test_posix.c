/* SPDX-License-Identifier: Apache-2.0 */
/* test_posix.c - port/posix through the conformance suite. */
#include "port/posix_port.h"

int main(void)
{
    static const struct port *const ports[] = { &posix_port };

    return conformance_main(ports, 1);
}
