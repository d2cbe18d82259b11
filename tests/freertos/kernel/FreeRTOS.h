/* SPDX-License-Identifier: Apache-2.0 */
/* FreeRTOS.h - not FreeRTOS: our own declarations of the few documented calls
 * that port/freertos and lwIP's layer make, for the stand-in in standin.c. */
#ifndef STANDIN_FREERTOS_H
#define STANDIN_FREERTOS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef uint32_t TickType_t;
typedef long BaseType_t;
typedef unsigned long UBaseType_t;
typedef unsigned long StackType_t;

#define pdFALSE ((BaseType_t)0)
#define pdTRUE ((BaseType_t)1)
#define errQUEUE_EMPTY ((BaseType_t)0)
#define errQUEUE_FULL ((BaseType_t)0)
#define portMAX_DELAY ((TickType_t)0xFFFFFFFFu)

/* A variable, so that one program tests every rate. */
extern TickType_t standin_rate;
#define configTICK_RATE_HZ standin_rate
#define portTICK_PERIOD_MS (1000u / standin_rate)
#define portTICK_RATE_MS portTICK_PERIOD_MS
#define configASSERT(x)                                                        \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)
#define configSTACK_DEPTH_TYPE uint32_t
#define configSUPPORT_STATIC_ALLOCATION 1
#define configSUPPORT_DYNAMIC_ALLOCATION 1
#define configUSE_MUTEXES 1
#define configUSE_16_BIT_TICKS 0
#define INCLUDE_vTaskDelay 1
#define INCLUDE_vTaskDelete 1
#define INCLUDE_vTaskSuspend 1
#define INCLUDE_xTaskGetCurrentTaskHandle 1

/* ---- what the tests do with it ------------------------------------------ */

/* Ticks stand where the test puts them... */
void standin_ticks(TickType_t now);
/* ...or go on with the host's clock, from there. */
void standin_run(void);
/* Makes the calling thread a task. */
struct standin_task;
struct standin_task *standin_adopt(void);
/* Waits until a task sleeps, and how long it asked for; portMAX_DELAY: for
 * ever. */
TickType_t standin_asleep(struct standin_task *task);
/* Waits until a task has deleted itself. */
void standin_gone(struct standin_task *task);
/* The calling thread is an interrupt from here on, or a task again. */
void standin_interrupt(int on);

#endif
