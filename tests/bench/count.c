/* SPDX-License-Identifier: Apache-2.0 */
/* count.c - kinformer's library with a counting handler; figures as
 * informer-go's. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"

static struct client client;
static char io[16384];
static uint64_t added, updated, deleted, bytes;

void kinf_assert_failed(unsigned file, unsigned line)
{
    fprintf(stderr, "count: assertion in file %u, line %u\n", file, line);
    abort();
}

static int on_add(void *ctx, const struct kinf_object *o, bool initial)
{
    (void)ctx;
    (void)initial;
    added++;
    bytes += o->json.len;
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *o)
{
    (void)ctx;
    (void)was;
    updated++;
    bytes += o->json.len;
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    (void)was;
    (void)unknown;
    deleted++;
    return KINF_OK;
}

static const struct kinf_event_handler handler = {
    .on_add = on_add, .on_update = on_update, .on_delete = on_delete,
    .on_truncated = on_update
};

static struct kinf_span token(void *ctx, bool refused)
{
    (void)refused;
    return (struct kinf_span){ ctx, strlen(ctx) };
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

static void start(struct kinf *k, struct kinf_informer *informer)
{
    static struct kinf_config config;
    static struct kinf_session session;
    static struct kinf_informer_config configmaps;
    static struct kinf_listener listener;

    config = (struct kinf_config){
        .platform = &kinf_posix_platform,
        .host = { client.host, strlen(client.host) }, .port = client.port,
        .credentials = { token, client.token }
    };
    kinf_init(k, &config);
    kinf_session_init(&session, k, &kinf_mbedtls_ops, &client.tls, io,
                      sizeof(io));
    configmaps = (struct kinf_informer_config){
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .namespace_ = { client.space, strlen(client.space) },
        .sizes = { .objects = 20000, .object_bytes = 1 << 20,
                   .arena_bytes = 64u << 20, .fifo = 16, .every = 1,
                   .ring = 16 },
        .session = &session
    };
    configmaps.memory_size = kinf_informer_bytes(&configmaps.sizes);
    configmaps.memory = map(configmaps.memory_size);
    kinf_informer_init(informer, k, &configmaps);
    kinf_listener_add(informer, &listener, &handler, NULL, KINF_EVERY, 0);
    kinf_start(k);
}

int main(int argc, char **argv)
{
    static struct kinf k;
    static struct kinf_informer informer;
    static struct kinf_posix posix;
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    bool synced = false;

    client_init(&client, argc, argv);
    if (kinf_posix_init(&posix) != KINF_OK)
        return 2;
    kinf_posix_add(&posix, &client.tcp, &client.tls);
    start(&k, &informer);
    for (;;) {
        uint32_t sleep = kinf_poll(&k);
        char line[64];

        if (!synced && kinf_informer_synced(&informer)) {
            synced = true;
            printf("synced %llu\n", (unsigned long long)added);
            fflush(stdout);
        }
        if (kinf_posix_wait(&posix, &k, sleep, &input, 1) <= 0)
            continue;
        if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
            return 0;
        client_report(added + updated + deleted, added - deleted, bytes);
    }
}
