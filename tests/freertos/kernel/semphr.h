/* SPDX-License-Identifier: Apache-2.0 */
/* semphr.h - see FreeRTOS.h. A semaphore is a queue of items without bytes. */
#ifndef STANDIN_SEMPHR_H
#define STANDIN_SEMPHR_H

#include "queue.h"

typedef QueueHandle_t SemaphoreHandle_t;

SemaphoreHandle_t xSemaphoreCreateBinary(void);
SemaphoreHandle_t xSemaphoreCreateRecursiveMutex(void);
BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t mutex, TickType_t ticks);
BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t mutex);
#define xSemaphoreTake(sem, ticks) xQueueReceive((sem), NULL, (ticks))
#define xSemaphoreGive(sem) xQueueSendToBack((sem), NULL, 0)
#define vSemaphoreDelete(sem) vQueueDelete(sem)

#endif
