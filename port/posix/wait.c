/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c - the sleep between two kinf_polls. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "posix/kinf_posix.h"

#define KINF_FILE 61 /* for kinf_assert_failed */

/* Sessions beyond KINF_POSIX_WAITS are not polled, only looked at so often. */
#define TOO_MANY_MS 100

int kinf_posix_init(struct kinf_posix *posix)
{
    memset(posix, 0, sizeof(*posix));
    posix->wake[0] = posix->wake[1] = -1;
    if (pipe2(posix->wake, O_CLOEXEC | O_NONBLOCK) != 0)
        return KINF_ERR_FULL;
    return KINF_OK;
}

void kinf_posix_free(struct kinf_posix *posix)
{
    for (size_t i = 0; i < 2; i++) {
        if (posix->wake[i] >= 0)
            close(posix->wake[i]);
        posix->wake[i] = -1;
    }
}

void kinf_posix_add(struct kinf_posix *posix, struct kinf_posix_tcp *tcp,
                    const void *transport)
{
    tcp->transport = transport;
    tcp->next = posix->first;
    posix->first = tcp;
}

void kinf_posix_wake(struct kinf_posix *posix, struct kinf *k)
{
    int before = errno; /* of what a signal handler interrupted */

    kinf_wake(k);
    /* A full pipe wakes, too. */
    if (write(posix->wake[1], "", 1) < 0)
        errno = before;
}

static const struct kinf_posix_tcp *find(const struct kinf_posix *posix,
                                         const void *transport)
{
    const struct kinf_posix_tcp *tcp = posix->first;

    while (tcp != NULL && tcp->transport != transport)
        tcp = tcp->next;
    if (tcp == NULL)
        kinf_assert_failed(KINF_FILE, __LINE__); /* kinf_posix_add forgotten */
    return tcp;
}

/* Adds what the sessions wait for. Returns how many descriptors that is;
 * shortens the sleep when one waits for nothing. */
static nfds_t add_transports(const struct kinf_posix *posix,
                             const struct kinf *k, struct pollfd *fds,
                             uint32_t *timeout_ms)
{
    struct kinf_wait waits[KINF_POSIX_WAITS];
    size_t count = kinf_waits(k, waits, KINF_POSIX_WAITS);
    nfds_t n = 0;

    if (count > KINF_POSIX_WAITS) {
        count = KINF_POSIX_WAITS;
        if (*timeout_ms > TOO_MANY_MS)
            *timeout_ms = TOO_MANY_MS;
    }
    for (size_t i = 0; i < count; i++) {
        const struct kinf_posix_tcp *tcp;

        if (waits[i].wants == 0)
            continue;
        if ((waits[i].wants & KINF_WANTS_CALL) != 0)
            *timeout_ms = 0;
        tcp = find(posix, waits[i].transport);
        if (tcp->fd < 0)
            continue;
        fds[n].fd = tcp->fd;
        fds[n].events = 0;
        if ((waits[i].wants & KINF_WANTS_READ) != 0)
            fds[n].events |= POLLIN;
        if ((waits[i].wants & KINF_WANTS_WRITE) != 0)
            fds[n].events |= POLLOUT;
        if (fds[n].events != 0)
            n++;
    }
    return n;
}

static int to_poll(uint32_t timeout_ms)
{
    if (timeout_ms == UINT32_MAX)
        return -1;
    return timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX;
}

static void drain(int fd)
{
    char bytes[64];

    while (read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
        ;
}

/* [wake pipe][transports][the application's own] in one array. */
int kinf_posix_wait(struct kinf_posix *posix, const struct kinf *k,
                    uint32_t timeout_ms, struct pollfd *extra,
                    size_t extra_count)
{
    struct pollfd fds[1 + 2 * KINF_POSIX_WAITS];
    nfds_t n = 1;
    int ready = 0;

    if (extra_count > KINF_POSIX_WAITS)
        kinf_assert_failed(KINF_FILE, __LINE__);
    fds[0].fd = posix->wake[0];
    fds[0].events = POLLIN;
    n += add_transports(posix, k, fds + 1, &timeout_ms);
    for (size_t i = 0; i < extra_count; i++)
        fds[n + i] = extra[i];
    for (size_t i = 0; i < n + extra_count; i++)
        fds[i].revents = 0;

    if (poll(fds, n + (nfds_t)extra_count, to_poll(timeout_ms)) > 0 &&
        fds[0].revents != 0)
        drain(fds[0].fd);
    for (size_t i = 0; i < extra_count; i++) {
        extra[i].revents = fds[n + i].revents;
        ready += extra[i].revents != 0;
    }
    return ready;
}
