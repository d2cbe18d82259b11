/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - tells systemd how we are. See notify.h and sd_notify(3). */
#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int channel = -1;

static uint32_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    unsigned long long us = usec ? strtoull(usec, NULL, 10) : 0;

    if (pid && strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    us /= 2 * 1000; /* twice in the time allowed */
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

uint32_t notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len = path ? strlen(path) : 0;

    if (len < 2 || len >= sizeof to.sun_path ||
        (path[0] != '/' && path[0] != '@'))
        return 0;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* of Linux's abstract names */
    channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel >= 0 &&
        connect(channel, (const struct sockaddr *)&to,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) {
        close(channel);
        channel = -1;
    }
    return channel >= 0 ? watchdog_ms() : 0;
}

void notify_say(const char *text)
{
    if (channel >= 0)
        (void)send(channel, text, strlen(text), MSG_NOSIGNAL);
}
