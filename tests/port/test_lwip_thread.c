/* SPDX-License-Identifier: Apache-2.0 */
/* test_lwip_thread.c - port/lwip with lwIP in a thread of its own, on
 * port/freertos and lwIP's layer for FreeRTOS, through the conformance suite.
 *
 * Threads: the check (the task of the loop), lwIP's tcpip, and the line with
 * the peer behind it. Time is the machine's. Each call into lwIP is checked to
 * hold its core lock. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lwip/netif.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"

#include "freertos/kinf_freertos.h"
#include "lwip/kinf_lwip.h"
#include "port/conformance.h"
#include "port/lwip/line.h"
#include "port/simpeer.h"

#define FRAMES 256

void kinf_freertos_entropy(void *out, size_t size)
{
    if (getrandom(out, size, 0) != (ssize_t)size)
        abort();
}

/* ---- the line ----------------------------------------------------------- */

struct frames {
    struct {
        uint8_t bytes[1500];
        size_t size;
    } frame[FRAMES];
    unsigned first, count;
};

static pthread_mutex_t world = PTHREAD_MUTEX_INITIALIZER;
static struct frames to_lwip, to_line;
static struct netif line;

static void put(struct frames *f, const void *bytes, size_t size)
{
    unsigned at = (f->first + f->count) % FRAMES;

    if (f->count == FRAMES)
        return; /* lost */
    memcpy(f->frame[at].bytes, bytes, size);
    f->frame[at].size = size;
    f->count++;
}

static void take(struct frames *f)
{
    f->first = (f->first + 1) % FRAMES;
    f->count--;
}

static void from_peer(const uint8_t *packet, size_t size)
{
    put(&to_lwip, packet, size); /* by the line's thread, or a command */
}

static err_t to_peer(struct netif *netif, struct pbuf *p,
                     const ip4_addr_t *address)
{
    uint8_t packet[1600];
    size_t size = pbuf_copy_partial(p, packet, sizeof(packet), 0);

    (void)netif;
    (void)address;
    pthread_mutex_lock(&world);
    put(&to_line, packet, size);
    pthread_mutex_unlock(&world);
    return ERR_OK;
}

/* Hands lwIP the oldest frame, as a driver's task does. Without room in the
 * pool it stays. */
static bool hand_over(void)
{
    uint8_t packet[1500];
    size_t size = 0;
    struct pbuf *p;

    pthread_mutex_lock(&world);
    if (to_lwip.count > 0) {
        size = to_lwip.frame[to_lwip.first].size;
        memcpy(packet, to_lwip.frame[to_lwip.first].bytes, size);
    }
    pthread_mutex_unlock(&world);
    if (size == 0)
        return false;
    p = pbuf_alloc(PBUF_LINK, (u16_t)size, PBUF_POOL);
    if (p == NULL)
        return false;
    pbuf_take(p, packet, (u16_t)size);
    if (line.input(p, &line) != ERR_OK) {
        pbuf_free(p);
        return false;
    }
    pthread_mutex_lock(&world);
    take(&to_lwip);
    pthread_mutex_unlock(&world);
    return true;
}

static void *run_line(void *arg)
{
    (void)arg;
    for (;;) {
        bool busy = false;

        pthread_mutex_lock(&world);
        (void)simpeer_step((uint32_t)real_ms());
        while (to_line.count > 0) {
            simpeer_in(to_line.frame[to_line.first].bytes,
                       to_line.frame[to_line.first].size, (uint32_t)real_ms());
            take(&to_line);
            busy = true;
        }
        pthread_mutex_unlock(&world);
        while (hand_over())
            busy = true;
        if (!busy)
            usleep(200);
    }
    return NULL;
}

static err_t line_init(struct netif *netif)
{
    netif->name[0] = 's';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->output = to_peer;
    netif->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* ---- the peer ----------------------------------------------------------- */

static void tell_peer(const char *text)
{
    pthread_mutex_lock(&world);
    simpeer_command(text, (uint32_t)real_ms());
    pthread_mutex_unlock(&world);
}

static void wait_for_peer(char *answer, size_t size)
{
    bool done = false;

    while (!done) {
        pthread_mutex_lock(&world);
        done = simpeer_done(answer, size);
        pthread_mutex_unlock(&world);
        if (!done)
            usleep(200);
    }
}

static const struct peer_inside inside = { tell_peer, wait_for_peer };

/* ---- the task ----------------------------------------------------------- */

static struct kinf_lwip_tcp tcp;

static void notify(void *task)
{
    xTaskNotifyGive(task);
}

static void wait_for(void *ctx, const struct kinf_transport_status *status,
                     int timeout_ms)
{
    (void)ctx;
    (void)status;
    (void)ulTaskNotifyTake(pdTRUE, (TickType_t)timeout_ms);
}

static _Atomic bool started;

static void on_started(void *arg)
{
    (void)arg;
    lwip_line_up(&line, line_init, tcpip_input);
    started = true;
}

static void *make(void)
{
    pthread_t thread;

    standin_run();
    simpeer_start(from_peer);
    kinf_lwip_platform(&kinf_freertos_platform);
    tcpip_init(on_started, NULL);
    while (!started)
        usleep(200);
    if (pthread_create(&thread, NULL, run_line, NULL) != 0)
        abort();
    kinf_lwip_tcp_init(&tcp);
    kinf_lwip_notify(&tcp, notify, standin_adopt());
    return &tcp;
}

static void set_clock(uint32_t to)
{
    const struct kinf_platform *p = &kinf_freertos_platform;

    LOCK_TCPIP_CORE();
    kinf_freertos_slept(to - p->now_ms(p->ctx));
    sys_restart_timeouts();
    UNLOCK_TCPIP_CORE();
}

static long resources(void)
{
    long held;

    LOCK_TCPIP_CORE();
    held = lwip_held();
    UNLOCK_TCPIP_CORE();
    return held;
}

/* ---- all of it: core in port/freertos' task over lwIP's thread ---------- */

#define OBJECT(name, version)                                                  \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\","                \
    "\"uid\":\"u-" name "\",\"resourceVersion\":\"" version "\"}}"
#define ITEM                                                                   \
    "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":["                    \
    OBJECT("a", "4") "]}"

static struct kinf k;
static struct kinf_session session;
static struct kinf_informer informer;
static struct kinf_listener listener;
static struct kinf_freertos rtos;
static uint64_t memory[(KINF_INFORMER_BYTES_DEFAULT + 7) / 8];
static char io[CONFIG_KINF_IO_BYTES];
static StackType_t stack[1024];
static _Atomic unsigned adds, rounds, ended;

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)object;
    (void)initial;
    adds++;
    return KINF_OK;
}

static int on_other(void *ctx, const struct kinf_object *was,
                    const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    (void)object;
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    (void)was;
    (void)unknown;
    return KINF_OK;
}

static uint32_t on_round(void *ctx)
{
    (void)ctx;
    rounds++;
    return UINT32_MAX;
}

static void on_ended(void *ctx)
{
    (void)ctx;
    ended++;
}

/* Waits for the n-th request and answers it. */
static void answer(unsigned n, const char *text)
{
    bool said = false;

    while (!said) {
        pthread_mutex_lock(&world);
        said = simpeer_heard >= n;
        if (said)
            simpeer_say(text, (uint32_t)real_ms());
        pthread_mutex_unlock(&world);
        usleep(200);
    }
}

static void chunk(const char *body)
{
    char text[600];

    snprintf(text, sizeof(text), "%zx\r\n%s\r\n", strlen(body), body);
    answer(0, text);
}

static void start_informer(struct rig *rig)
{
    static const struct kinf_event_handler handler = {
        .on_add = on_add, .on_update = on_other, .on_delete = on_delete,
        .on_truncated = on_other
    };
    static struct kinf_config config = { .platform = &kinf_freertos_platform };
    static const struct kinf_informer_config configmaps = {
        .resource = KINF_RESOURCE_CONFIGMAPS, .sizes = KINF_SIZES_DEFAULT,
        .streaming = KINF_STREAM_NEVER, .memory = memory,
        .memory_size = sizeof(memory), .session = &session
    };
    static const struct kinf_freertos_config task = {
        .k = &k, .stack = stack, .stack_words = 1024, .round = on_round,
        .ended = on_ended
    };

    config.host = rig->host;
    config.port = rig->number;
    kinf_init(&k, &config);
    kinf_session_init(&session, &k, rig->ops, rig->ctx, io, sizeof(io));
    kinf_informer_init(&informer, &k, &configmaps);
    kinf_listener_add(&informer, &listener, &handler, NULL, KINF_EVERY, 0);
    kinf_start(&k);
    kinf_lwip_notify(&tcp, kinf_freertos_notify, &rtos);
    kinf_freertos_start(&rtos, &task);
}

static void an_informer_sleeps_in_its_task_until_lwip_tells(struct rig *rig)
{
    char list[600];
    unsigned before;

    simpeer_talk();
    start_informer(rig);
    snprintf(list, sizeof(list),
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n%s", strlen(ITEM), ITEM);
    answer(1, list);
    answer(2, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
              "Transfer-Encoding: chunked\r\n\r\n");
    while (adds < 1)
        usleep(200);
    rig_pass(rig, 100);
    before = rounds;
    rig_pass(rig, 300); /* nothing comes: nothing is done */
    REQUIRE(rounds - before <= 2, "%u rounds while nothing came",
            rounds - before);
    for (unsigned i = 0; i < 5; i++) {
        chunk("{\"type\":\"ADDED\",\"object\":" OBJECT("b", "6") "}\n");
        chunk("{\"type\":\"DELETED\",\"object\":" OBJECT("b", "7") "}\n");
        while (adds < 2 + i)
            usleep(200);
    }
    kinf_freertos_stop(&rtos);
    while (ended == 0)
        usleep(200);
    REQUIRE(kinf_stopped(&k), "ended, and not stopped");
}

static const struct check checks[] = {
    { "an_informer_sleeps_in_its_task_until_lwip_tells",
      an_informer_sleeps_in_its_task_until_lwip_tells, 0 },
};

int main(void)
{
    struct port port = lwip_port;

    port.name = "lwip in a thread";
    port.ops = &kinf_lwip_thread_ops;
    port.make = make;
    port.wait = wait_for;
    port.resources = resources;
    port.set_clock = set_clock;
    port.platform = &kinf_freertos_platform;
    port.peer = &inside;
    checks_run(&port, conformance, conformance_count);
    checks_run(&port, checks, 1);
    return checks_end();
}
