/* SPDX-License-Identifier: Apache-2.0 */
/* drain.c - the floor: port/posix and port/mbedtls as we ship them, the same
 * request as kinformer's, and the body thrown away unseen.
 *
 * "synced" is told after half a second without a byte. Figures as
 * informer-go's. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

static struct client client;
static char buf[16384];
static uint64_t bytes, reads;

/* Sleeps for what the transport waits for. Returns false when the time is
 * over. */
static bool wait(int timeout_ms, bool *asked)
{
    struct kinf_transport_status status = { .wants = 0 };
    struct pollfd fds[2];
    int ready;

    kinf_mbedtls_ops.status(&client.tls, &status);
    if ((status.wants & KINF_WANTS_CALL) != 0)
        return true;
    fds[0] = (struct pollfd){ .fd = kinf_posix_tcp_fd(&client.tcp) };
    fds[0].events = (short)((status.wants & KINF_WANTS_WRITE ? POLLOUT : 0) |
                            (status.wants & KINF_WANTS_READ ? POLLIN : 0));
    fds[1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    ready = poll(fds, 2, timeout_ms);
    *asked = ready > 0 && fds[1].revents != 0;
    return ready > 0;
}

static int open_connection(void)
{
    struct kinf_span host = { client.host, strlen(client.host) };
    bool asked = false;
    int err;

    while ((err = kinf_mbedtls_ops.open(&client.tls, host, client.port)) ==
           KINF_ERR_AGAIN)
        (void)wait(100, &asked);
    return err;
}

static int send_all(const char *text, size_t len)
{
    bool asked = false;

    while (len > 0) {
        int sent = kinf_mbedtls_ops.send(&client.tls, text, len);

        if (sent > 0) {
            text += sent;
            len -= (size_t)sent;
        } else if (sent != KINF_ERR_AGAIN) {
            return sent;
        } else {
            (void)wait(100, &asked);
        }
    }
    return KINF_OK;
}

static int ask(void)
{
    static char request[10240];
    int len = snprintf(
        request, sizeof(request),
        "GET /api/v1%s%s/configmaps?watch=1&allowWatchBookmarks=true"
        "&timeoutSeconds=600&sendInitialEvents=true"
        "&resourceVersionMatch=NotOlderThan HTTP/1.1\r\nHost: %s:%u\r\n"
        "User-Agent: drain\r\nAccept: application/json\r\n"
        "Authorization: Bearer %s\r\n\r\n",
        client.space[0] != 0 ? "/namespaces/" : "", client.space, client.host,
        client.port, client.token);

    return send_all(request, (size_t)len);
}

/* Reads what there is. Returns KINF_ERR_AGAIN or why it ended. */
static int drain(void)
{
    int got;

    while ((got = kinf_mbedtls_ops.recv(&client.tls, buf, sizeof(buf))) > 0) {
        bytes += (uint64_t)got;
        reads++;
    }
    return got;
}

int main(int argc, char **argv)
{
    bool synced = false;
    int err;

    client_init(&client, argc, argv);
    err = open_connection();
    if (err == KINF_OK)
        err = ask();
    while (err == KINF_OK || err == KINF_ERR_AGAIN) {
        bool asked = false;
        char line[64];

        if (!wait(500, &asked) && !synced && bytes > 0) {
            synced = true;
            printf("synced 0\n");
            fflush(stdout);
        }
        if (asked) {
            if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
                return 0;
            client_report(reads, 0, bytes);
        }
        err = drain();
    }
    fprintf(stderr, "drain: %s\n", kinf_strerror(err));
    return 1;
}
