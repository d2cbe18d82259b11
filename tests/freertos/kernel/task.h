/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - see FreeRTOS.h. */
#ifndef STANDIN_TASK_H
#define STANDIN_TASK_H

#include "FreeRTOS.h"

typedef struct standin_task *TaskHandle_t;
typedef void (*TaskFunction_t)(void *arg);
typedef struct {
    uint64_t place[48]; /* of a struct standin_task */
} StaticTask_t;

TaskHandle_t xTaskCreateStatic(TaskFunction_t code, const char *name,
                               uint32_t stack_words, void *arg,
                               UBaseType_t priority, StackType_t *stack,
                               StaticTask_t *tcb);
BaseType_t xTaskCreate(TaskFunction_t code, const char *name,
                       configSTACK_DEPTH_TYPE stack_words, void *arg,
                       UBaseType_t priority, TaskHandle_t *out);
void vTaskDelete(TaskHandle_t task);
void vTaskDelay(TickType_t ticks);
TaskHandle_t xTaskGetCurrentTaskHandle(void);
TickType_t xTaskGetTickCount(void);

uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks);
BaseType_t xTaskNotifyGive(TaskHandle_t task);
void vTaskNotifyGiveFromISR(TaskHandle_t task, BaseType_t *woken);

void standin_enter_critical(void);
void standin_exit_critical(void);
#define taskENTER_CRITICAL() standin_enter_critical()
#define taskEXIT_CRITICAL() standin_exit_critical()

#endif
