/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_freertos.h - clock, randomness and the task that runs the loop, on
 * FreeRTOS (kernel 10 or later, 32-bit ticks).
 *
 * In order: the platform table; the task. Of the kernel it calls
 * xTaskCreateStatic, xTaskGetCurrentTaskHandle, vTaskDelete, ulTaskNotifyTake,
 * xTaskNotifyGive, vTaskNotifyGiveFromISR, xTaskGetTickCount,
 * taskENTER_CRITICAL and taskEXIT_CRITICAL, and no other; the kernel is
 * configured with configSUPPORT_STATIC_ALLOCATION, INCLUDE_vTaskDelete and
 * INCLUDE_xTaskGetCurrentTaskHandle. No heap is used.
 *
 * With lwIP in a thread of its own kinf_lwip_thread_ops is the transport, and
 * kinf_freertos_notify what it calls when something came:
 *
 *     void start(void)                     before vTaskStartScheduler
 *     {
 *         kinf_lwip_platform(&kinf_freertos_platform);
 *         tcpip_init(add_netif, NULL);     lwIP's thread; tcpip_input feeds it
 *         kinf_lwip_tcp_init(&tcp);
 *         kinf_lwip_notify(&tcp, kinf_freertos_notify, &rtos);
 *         start_tls();                     over kinf_lwip_thread_ops and tcp
 *         start_informer();                kinf_init ... kinf_start
 *         kinf_freertos_start(&rtos, &config);
 *     }
 *
 * What was run: this port against a stand-in of those calls made of the host's
 * threads (tests/freertos), alone and with lwIP 2.2.1, its tcpip thread and its
 * own FreeRTOS layer (contrib/ports/freertos). It was never compiled with or
 * run on FreeRTOS itself. */
#ifndef KINF_FREERTOS_H
#define KINF_FREERTOS_H

#include "FreeRTOS.h"
#include "task.h"

#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- platform ----------------------------------------------------------- */

/* Milliseconds from the kernel's ticks at any rate; they wrap at 2^32 whatever
 * the ticks do. Wall time from kinf_freertos_wall, else unknown. Randomness
 * from kinf_freertos_entropy. The table may be used from any task. */
extern const struct kinf_platform kinf_freertos_platform;

/* Supplied by the application; without it nothing links. Fills out with bytes
 * that nobody can guess (a hardware generator, or a seed kept in flash and
 * stirred), or does not return. Called from the task below and from lwIP's
 * thread. */
void kinf_freertos_entropy(void *out, size_t size);

/* Where wall time comes from: seconds since 1970 or KINF_WALL_UNKNOWN. NULL, as
 * at the start: unknown. Before the task starts. */
void kinf_freertos_wall(int64_t (*wall_s)(void *ctx), void *ctx);

/* Adds time for which the ticks stood still, after a sleep from which the
 * kernel did not correct them (tickless idle does). From any task. */
void kinf_freertos_slept(uint32_t ms);

/* ---- the task ----------------------------------------------------------- */

struct kinf_freertos_config {
    struct kinf *k;
    StackType_t *stack; /* as the port's stack report says; 4 KB of bytes with
                           TLS 1.2 are enough on Cortex-M, and what the handlers
                           take */
    uint32_t stack_words;
    /* Below all that must not wait for a TLS handshake: while there is work,
     * the task does not sleep. */
    UBaseType_t priority;
    /* Called once a round, after kinf_poll, in the same task: a workqueue's
     * work. Returns how long it can wait, UINT32_MAX for ever. May be NULL. */
    uint32_t (*round)(void *ctx);
    /* Called at last, after kinf_freertos_stop: all memory but this struct and
     * the stack, which are in use until the idle task has cleaned up, is the
     * caller's again. May be NULL. */
    void (*ended)(void *ctx);
    void *ctx;
};

struct kinf_freertos {
    /* private */
    struct kinf_freertos_config config;
    StaticTask_t tcb;
    volatile TaskHandle_t task; /* NULL: has not begun */
    volatile bool stopping;
};

/* Starts the task; before or after the scheduler. config is copied. kinf_init
 * and the other *_init functions come before. From then on k belongs to the
 * task: all calls but kinf_wake come from its handlers and rounds. */
void kinf_freertos_start(struct kinf_freertos *f,
                         const struct kinf_freertos_config *config);

/* Ends the task's sleep, from any other task: new bytes, a handler that can go
 * on, a new token. A call before the sleep begins is not lost. */
void kinf_freertos_wake(struct kinf_freertos *f);

/* The same from an interrupt whose priority may call the kernel. Returns
 * pdTRUE when portYIELD_FROM_ISR is to be called with it. */
BaseType_t kinf_freertos_wake_from_isr(struct kinf_freertos *f);

/* kinf_freertos_wake in the shape a transport calls. */
void kinf_freertos_notify(void *f);

/* Stops all informers and ends the task, see config.ended. From any task, from
 * a handler, too. */
void kinf_freertos_stop(struct kinf_freertos *f);

#ifdef __cplusplus
}
#endif

#endif
