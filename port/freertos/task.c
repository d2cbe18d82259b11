/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - the task that runs the loop; see kinf_freertos.h.
 *
 * It sleeps on its own notification, which counts: one given between the last
 * look of kinf_poll and the sleep ends that sleep at once. */
#include "freertos/kinf_freertos.h"

/* Not for ever, so that the clock is read once a wrap of the ticks. */
#define LONGEST_SLEEP_MS 3600000u
/* Of one sleep, at any rate: a quarter of the ticks' range. */
#define LONGEST_SLEEP_TICKS ((uint64_t)0x3FFFFFFFu)

/* Rounded up: a deadline has passed when the sleep for it ends, or is missed by
 * less than a tick and costs one more round. */
static TickType_t ticks_of(uint32_t ms)
{
    uint64_t ticks;

    if (ms > LONGEST_SLEEP_MS)
        ms = LONGEST_SLEEP_MS;
    ticks = ((uint64_t)ms * configTICK_RATE_HZ + 999) / 1000;
    if (ticks > LONGEST_SLEEP_TICKS)
        ticks = LONGEST_SLEEP_TICKS;
    return (TickType_t)ticks;
}

static void run(void *arg)
{
    struct kinf_freertos *f = arg;
    const struct kinf_freertos_config *c = &f->config;
    bool stopped = false;

    f->task = xTaskGetCurrentTaskHandle();
    for (;;) {
        uint32_t sleep;

        if (f->stopping && !stopped) {
            stopped = true;
            kinf_stop(c->k);
        }
        sleep = kinf_poll(c->k);
        if (stopped && kinf_stopped(c->k))
            break;
        if (c->round != NULL) {
            uint32_t other = c->round(c->ctx);

            sleep = sleep < other ? sleep : other;
        }
        (void)ulTaskNotifyTake(pdTRUE, ticks_of(sleep));
    }
    f->task = NULL; /* there is nobody to be woken any more */
    if (c->ended != NULL)
        c->ended(c->ctx);
    vTaskDelete(NULL);
}

/* The task itself notes its handle: this call may return after it has gone to
 * sleep, and who would wake it until then? */
void kinf_freertos_start(struct kinf_freertos *f,
                         const struct kinf_freertos_config *config)
{
    f->config = *config;
    f->stopping = false;
    f->task = NULL;
    (void)xTaskCreateStatic(run, "kinformer", config->stack_words, f,
                            config->priority, config->stack, &f->tcb);
}

/* Before the task's first line there is nothing to be woken. */
void kinf_freertos_wake(struct kinf_freertos *f)
{
    kinf_wake(f->config.k);
    if (f->task != NULL)
        xTaskNotifyGive(f->task);
}

BaseType_t kinf_freertos_wake_from_isr(struct kinf_freertos *f)
{
    BaseType_t woken = pdFALSE;

    kinf_wake(f->config.k);
    if (f->task != NULL)
        vTaskNotifyGiveFromISR(f->task, &woken);
    return woken;
}

void kinf_freertos_notify(void *f)
{
    kinf_freertos_wake(f);
}

void kinf_freertos_stop(struct kinf_freertos *f)
{
    f->stopping = true;
    kinf_freertos_wake(f);
}
