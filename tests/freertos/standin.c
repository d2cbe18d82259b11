/* SPDX-License-Identifier: Apache-2.0 */
/* standin.c - the few calls of FreeRTOS, made of the host's threads.
 *
 * All tasks run at once, which is harder on the port than one processor would
 * be. Priorities mean nothing. What only a task may call, or only an interrupt,
 * is checked. */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "semphr.h"
#include "task.h"

struct standin_task {
    pthread_t thread;
    TaskFunction_t code;
    void *arg;
    uint32_t notified;
    TickType_t asked; /* of its sleep */
    int asleep, gone;
};
_Static_assert(sizeof(struct standin_task) <= sizeof(StaticTask_t),
               "its place");

TickType_t standin_rate = 1000;

static pthread_mutex_t kernel = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_mutex_t critical;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static TickType_t base;    /* the ticks when they stand, or at started_ns */
static int64_t started_ns; /* 0: they stand */
static _Thread_local struct standin_task *current;
static _Thread_local int interrupted;

static void make_locks(void)
{
    pthread_mutexattr_t again;
    pthread_condattr_t steady;

    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&critical, &again);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &steady);
}

static void lock(void)
{
    pthread_once(&once, make_locks);
    pthread_mutex_lock(&kernel);
}

static void unlock(void)
{
    pthread_mutex_unlock(&kernel);
}

static int64_t host_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- ticks -------------------------------------------------------------- */

static TickType_t ticks_now(void)
{
    int64_t ns = started_ns == 0 ? 0 : host_ns() - started_ns;

    return base + (TickType_t)(ns / 1000 * (int64_t)standin_rate / 1000000);
}

void standin_ticks(TickType_t now)
{
    lock();
    base = now;
    started_ns = 0;
    pthread_cond_broadcast(&changed);
    unlock();
}

void standin_run(void)
{
    lock();
    base = ticks_now();
    started_ns = host_ns();
    pthread_cond_broadcast(&changed);
    unlock();
}

TickType_t xTaskGetTickCount(void)
{
    TickType_t now;

    lock();
    now = ticks_now();
    unlock();
    return now;
}

/* Waits for a change or for the time. Returns 0 when the time is over. */
static int wait_for_change(TickType_t from, TickType_t ticks)
{
    TickType_t passed = ticks_now() - from;
    struct timespec until;
    int64_t ns;

    if (ticks == portMAX_DELAY) {
        pthread_cond_wait(&changed, &kernel);
        return 1;
    }
    if (passed >= ticks)
        return 0;
    if (started_ns == 0) {
        pthread_cond_wait(&changed, &kernel);
        return 1;
    }
    ns = host_ns() +
         (int64_t)(ticks - passed) * 1000000000 / (int64_t)standin_rate;
    until.tv_sec = ns / 1000000000;
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&changed, &kernel, &until);
    return 1;
}

/* ---- tasks -------------------------------------------------------------- */

void standin_interrupt(int on)
{
    interrupted = on;
}

static void only_a_task(void)
{
    configASSERT(!interrupted);
}

static void *run(void *arg)
{
    current = arg;
    current->code(current->arg);
    abort(); /* a task must not return */
}

static TaskHandle_t begin(struct standin_task *t, TaskFunction_t code,
                          void *arg)
{
    memset(t, 0, sizeof(*t));
    t->code = code;
    t->arg = arg;
    configASSERT(pthread_create(&t->thread, NULL, run, t) == 0);
    configASSERT(pthread_detach(t->thread) == 0);
    return t;
}

TaskHandle_t xTaskCreateStatic(TaskFunction_t code, const char *name,
                               uint32_t stack_words, void *arg,
                               UBaseType_t priority, StackType_t *stack,
                               StaticTask_t *tcb)
{
    (void)name;
    (void)priority;
    only_a_task();
    configASSERT(stack != NULL && stack_words > 0);
    return begin((struct standin_task *)(void *)tcb, code, arg);
}

BaseType_t xTaskCreate(TaskFunction_t code, const char *name,
                       configSTACK_DEPTH_TYPE stack_words, void *arg,
                       UBaseType_t priority, TaskHandle_t *out)
{
    static struct standin_task tasks[8];
    static size_t used;

    (void)name;
    (void)stack_words;
    (void)priority;
    only_a_task();
    configASSERT(used < sizeof(tasks) / sizeof(tasks[0]));
    *out = begin(&tasks[used++], code, arg);
    return pdTRUE;
}

struct standin_task *standin_adopt(void)
{
    static struct standin_task self;

    current = &self;
    return current;
}

void vTaskDelete(TaskHandle_t task)
{
    configASSERT(task == NULL && current != NULL); /* others: nobody asks */
    lock();
    current->gone = 1;
    pthread_cond_broadcast(&changed);
    unlock();
    pthread_exit(NULL);
}

TaskHandle_t xTaskGetCurrentTaskHandle(void)
{
    return current;
}

void vTaskDelay(TickType_t ticks)
{
    TickType_t from;

    lock();
    from = ticks_now();
    while (wait_for_change(from, ticks) != 0)
        continue;
    unlock();
}

/* ---- notifications ------------------------------------------------------ */

uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks)
{
    TickType_t from;
    uint32_t value;

    configASSERT(current != NULL && !interrupted);
    lock();
    from = ticks_now();
    while (current->notified == 0) {
        current->asked = ticks;
        current->asleep = ticks != 0;
        pthread_cond_broadcast(&changed);
        if (wait_for_change(from, ticks) == 0)
            break;
    }
    current->asleep = 0;
    value = current->notified;
    if (value != 0)
        current->notified = clear != pdFALSE ? 0 : value - 1;
    unlock();
    return value;
}

static void give(TaskHandle_t task)
{
    configASSERT(task != NULL);
    lock();
    task->notified++;
    pthread_cond_broadcast(&changed);
    unlock();
}

BaseType_t xTaskNotifyGive(TaskHandle_t task)
{
    only_a_task();
    give(task);
    return pdTRUE;
}

void vTaskNotifyGiveFromISR(TaskHandle_t task, BaseType_t *woken)
{
    configASSERT(interrupted);
    give(task);
    *woken = pdTRUE;
}

/* A task that has been told is not asleep, although it may not know yet. */
TickType_t standin_asleep(struct standin_task *task)
{
    TickType_t asked;

    lock();
    while (!task->asleep || task->notified != 0)
        pthread_cond_wait(&changed, &kernel);
    asked = task->asked;
    unlock();
    return asked;
}

void standin_gone(struct standin_task *task)
{
    lock();
    while (!task->gone)
        pthread_cond_wait(&changed, &kernel);
    unlock();
}

void standin_enter_critical(void)
{
    only_a_task();
    pthread_once(&once, make_locks);
    pthread_mutex_lock(&critical);
}

void standin_exit_critical(void)
{
    pthread_mutex_unlock(&critical);
}

/* ---- queues and semaphores, for lwIP's layer ---------------------------- */

struct standin_queue {
    UBaseType_t length, item, count, first;
    pthread_t owner_thread;
    UBaseType_t depth;
    unsigned char items[];
};

QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_size)
{
    QueueHandle_t q = calloc(1, sizeof(*q) + length * item_size);

    q->length = length;
    q->item = item_size;
    return q;
}

void vQueueDelete(QueueHandle_t q)
{
    free(q);
}

UBaseType_t uxQueueMessagesWaiting(QueueHandle_t q)
{
    UBaseType_t count;

    lock();
    count = q->count;
    unlock();
    return count;
}

static BaseType_t send(QueueHandle_t q, const void *item, TickType_t ticks)
{
    TickType_t from;

    lock();
    from = ticks_now();
    while (q->count == q->length)
        if (ticks == 0 || wait_for_change(from, ticks) == 0) {
            unlock();
            return errQUEUE_FULL;
        }
    if (q->item > 0)
        memcpy(q->items + (q->first + q->count) % q->length * q->item, item,
               q->item);
    q->count++;
    pthread_cond_broadcast(&changed);
    unlock();
    return pdTRUE;
}

BaseType_t xQueueSendToBack(QueueHandle_t q, const void *item, TickType_t ticks)
{
    only_a_task();
    return send(q, item, ticks);
}

BaseType_t xQueueSendToBackFromISR(QueueHandle_t q, const void *item,
                                   BaseType_t *woken)
{
    configASSERT(interrupted);
    *woken = pdTRUE;
    return send(q, item, 0);
}

BaseType_t xQueueReceive(QueueHandle_t q, void *item, TickType_t ticks)
{
    TickType_t from;

    only_a_task();
    lock();
    from = ticks_now();
    while (q->count == 0)
        if (ticks == 0 || wait_for_change(from, ticks) == 0) {
            unlock();
            return errQUEUE_EMPTY;
        }
    if (q->item > 0)
        memcpy(item, q->items + q->first * q->item, q->item);
    q->first = (q->first + 1) % q->length;
    q->count--;
    pthread_cond_broadcast(&changed);
    unlock();
    return pdTRUE;
}

SemaphoreHandle_t xSemaphoreCreateBinary(void)
{
    return xQueueCreate(1, 0);
}

SemaphoreHandle_t xSemaphoreCreateRecursiveMutex(void)
{
    QueueHandle_t q = xQueueCreate(1, 0);

    q->count = 1;
    return q;
}

BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t q, TickType_t ticks)
{
    int mine;

    lock();
    mine = q->depth > 0 && pthread_equal(q->owner_thread, pthread_self());
    unlock();
    if (!mine && xQueueReceive(q, NULL, ticks) != pdTRUE)
        return pdFALSE;
    lock();
    q->owner_thread = pthread_self();
    q->depth++;
    unlock();
    return pdTRUE;
}

BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t q)
{
    UBaseType_t depth;

    lock();
    depth = --q->depth;
    unlock();
    return depth > 0 ? pdTRUE : xQueueSendToBack(q, NULL, 0);
}
