/* SPDX-License-Identifier: Apache-2.0 */
/* system.c - names and a clock for the tests, in place of the C library's. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "port/posix_port.h"

/* ---- clock -------------------------------------------------------------- */

static int64_t boot_shift_ms;

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int err = (int)syscall(SYS_clock_gettime, clock, out);

    if (err == 0 && clock == CLOCK_BOOTTIME) {
        int64_t ms = (int64_t)out->tv_sec * 1000 + out->tv_nsec / 1000000 +
                     boot_shift_ms;

        out->tv_sec = (time_t)(ms / 1000);
        out->tv_nsec = (long)(ms % 1000) * 1000000;
    }
    return err;
}

void set_boot_clock(uint32_t now_ms)
{
    struct timespec now;
    int64_t ms;

    syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    boot_shift_ms = (INT64_C(7) << 32) + now_ms - ms;
}

/* ---- names -------------------------------------------------------------- */

int lookups;

static const struct {
    const char *name;
    const char *addresses[4];
} names[] = {
    { "localhost", { "127.0.0.1" } },
    { "several.test", { "127.0.0.3", "::1", "127.0.0.1" } },
    { "pair.test", { "127.0.0.3", "127.0.0.1" } },
    { "slow.test", { "127.0.0.1" } },
    { "v6.test", { "::1" } },
    { "kubernetes.default", { "127.0.0.1" } },
    { "a.wild.test", { "127.0.0.1" } },
    { "a.b.wild.test", { "127.0.0.1" } },
    { "other.name", { "127.0.0.1" } },
};

static struct addrinfo *add(struct addrinfo *before, const char *address)
{
    struct one {
        struct addrinfo info;
        union {
            struct sockaddr any;
            struct sockaddr_in v4;
            struct sockaddr_in6 v6;
        } addr;
    } *one = calloc(1, sizeof(*one));

    one->info.ai_addr = &one->addr.any;
    if (strchr(address, ':') != NULL) {
        one->addr.v6.sin6_family = AF_INET6;
        inet_pton(AF_INET6, address, &one->addr.v6.sin6_addr);
    } else {
        one->addr.v4.sin_family = AF_INET;
        inet_pton(AF_INET, address, &one->addr.v4.sin_addr);
    }
    if (before != NULL)
        before->ai_next = &one->info;
    return &one->info;
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict out)
{
    (void)service;
    (void)hints;
    lookups++;
    if (strcmp(node, "slow.test") == 0)
        sleep(1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct addrinfo *last = NULL;

        if (strcmp(node, names[i].name) != 0)
            continue;
        for (size_t n = 0; names[i].addresses[n] != NULL; n++) {
            last = add(last, names[i].addresses[n]);
            if (n == 0)
                *out = last;
        }
        return 0;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

/* ---- the port ----------------------------------------------------------- */

void posix_wait(void *ctx, const struct kinf_transport_status *status,
                int timeout_ms)
{
    struct pollfd p = { .fd = kinf_posix_tcp_fd(ctx) };

    if ((status->wants & KINF_WANTS_READ) != 0)
        p.events |= POLLIN;
    if ((status->wants & KINF_WANTS_WRITE) != 0)
        p.events |= POLLOUT;
    poll(&p, 1, timeout_ms);
}

long open_descriptors(void)
{
    long count = 0;
    DIR *dir = opendir("/proc/self/fd");

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void *make(void)
{
    static struct kinf_posix_tcp tcp;

    kinf_posix_tcp_init(&tcp);
    return &tcp;
}

const struct port posix_port = {
    .name = "posix",
    .ops = &kinf_posix_tcp_ops,
    .platform = &kinf_posix_platform,
    .make = make,
    .wait = posix_wait,
    .level = true,
    .resources = open_descriptors,
    .nobody = "nobody.test",
    .slow = "slow.test",
    .several = "several.test",
    .set_clock = set_boot_clock,
};
