/* SPDX-License-Identifier: Apache-2.0 */
/* assert.c - a broken promise ends in FreeRTOS' own assertion. In a file of its
 * own, so that an application may define the function instead. */
#include "freertos/kinf_freertos.h"

void kinf_assert_failed(unsigned file, unsigned line)
{
    (void)file;
    (void)line;
    configASSERT(0);
    taskENTER_CRITICAL();
    for (;;)
        continue;
}
