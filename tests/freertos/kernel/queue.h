/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - see FreeRTOS.h. */
#ifndef STANDIN_QUEUE_H
#define STANDIN_QUEUE_H

#include "FreeRTOS.h"

typedef struct standin_queue *QueueHandle_t;

QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_size);
void vQueueDelete(QueueHandle_t queue);
UBaseType_t uxQueueMessagesWaiting(QueueHandle_t queue);
BaseType_t xQueueSendToBack(QueueHandle_t queue, const void *item,
                            TickType_t ticks);
BaseType_t xQueueSendToBackFromISR(QueueHandle_t queue, const void *item,
                                   BaseType_t *woken);
BaseType_t xQueueReceive(QueueHandle_t queue, void *item, TickType_t ticks);

#endif
