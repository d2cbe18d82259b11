/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - resolves a name without stopping the loop.
 *
 * getaddrinfo is the one resolver that honours what an administrator has set
 * up (hosts file, search domains, nsswitch), and it blocks. So it runs in a
 * detached thread, with all signals blocked. The thread shares nothing with us
 * but one page, which whoever leaves last gives back: a lookup that is given
 * up (a deadline, a stop) just loses its reader. Its end is told by closing a
 * pipe, which needs no write and raises no signal.
 *
 * Not a child process: an application may have threads, a SIGCHLD handler or
 * gigabytes of memory, and would notice a fork. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix/lookup.h"

/* glibc's resolver and the modules it loads want about 64 KB; what is not
 * touched costs nothing. */
#define STACK_BYTES (256 * 1024)

struct kinf_posix_lookup {
    atomic_int users; /* the thread and the transport */
    atomic_bool done;
    int notify_fd; /* closed by the thread at its end */
    const char *reason;
    size_t count;
    struct kinf_posix_address found[KINF_POSIX_ADDRESSES];
    char host[KINF_POSIX_HOST_BYTES];
};

void kinf_posix_lookup_drop(struct kinf_posix_lookup *lookup)
{
    if (lookup != NULL && atomic_fetch_sub(&lookup->users, 1) == 1)
        munmap(lookup, sizeof(*lookup));
}

static bool take_address(const struct sockaddr *from,
                         struct kinf_posix_address *out)
{
    memset(out, 0, sizeof(*out));
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, from, sizeof(v4));
        memcpy(out->bytes, &v4.sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, from, sizeof(v6));
        memcpy(out->bytes, &v6.sin6_addr, 16);
        out->scope = v6.sin6_scope_id;
        out->ipv6 = true;
        return true;
    }
    return false;
}

static void *run(void *arg)
{
    struct kinf_posix_lookup *lookup = arg;
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int notify_fd = lookup->notify_fd;
    int err = getaddrinfo(lookup->host, NULL, &hints, &list);

    if (err == 0) {
        for (struct addrinfo *a = list;
             a != NULL && lookup->count < KINF_POSIX_ADDRESSES; a = a->ai_next)
            if (take_address(a->ai_addr, &lookup->found[lookup->count]))
                lookup->count++;
        freeaddrinfo(list);
    }
    lookup->reason = err == EAI_SYSTEM ? "the resolver could not be asked"
                     : err != 0        ? gai_strerror(err)
                                       : "it has no IP address";
    atomic_store(&lookup->done, true);
    close(notify_fd);
    kinf_posix_lookup_drop(lookup);
    return NULL;
}

static int start_thread(struct kinf_posix_lookup *lookup)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    int err = pthread_attr_init(&attr);

    if (err != 0)
        return err;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(&thread, &attr, run, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

struct kinf_posix_lookup *kinf_posix_lookup_start(const char *host, int *fd)
{
    struct kinf_posix_lookup *lookup;
    int ends[2];

    if (strlen(host) >= sizeof(lookup->host) ||
        pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return NULL;
    lookup = mmap(NULL, sizeof(*lookup), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (lookup == MAP_FAILED)
        goto no_page;
    atomic_init(&lookup->users, 2);
    atomic_init(&lookup->done, false);
    lookup->notify_fd = ends[1];
    memcpy(lookup->host, host, strlen(host) + 1);
    if (start_thread(lookup) != 0)
        goto no_thread;
    *fd = ends[0];
    return lookup;

no_thread:
    munmap(lookup, sizeof(*lookup));
no_page:
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

int kinf_posix_lookup_result(const struct kinf_posix_lookup *lookup,
                             struct kinf_posix_address *out, size_t max,
                             const char **reason)
{
    size_t count;

    if (!atomic_load(&lookup->done))
        return KINF_ERR_AGAIN;
    count = lookup->count < max ? lookup->count : max;
    memcpy(out, lookup->found, count * sizeof(*out));
    *reason = lookup->reason;
    return (int)count;
}

/* "fe80::1%eth0" names its interface after the address. */
bool kinf_posix_literal(const char *host, struct kinf_posix_address *out)
{
    char address[INET6_ADDRSTRLEN];
    const char *zone = strchr(host, '%');
    size_t len = zone != NULL ? (size_t)(zone - host) : strlen(host);

    memset(out, 0, sizeof(*out));
    if (len >= sizeof(address))
        return false;
    memcpy(address, host, len);
    address[len] = '\0';
    if (zone == NULL && inet_pton(AF_INET, address, out->bytes) == 1)
        return true;
    if (inet_pton(AF_INET6, address, out->bytes) != 1)
        return false;
    out->ipv6 = true;
    if (zone != NULL)
        out->scope = if_nametoindex(zone + 1);
    return zone == NULL || out->scope != 0;
}
