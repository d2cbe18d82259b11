/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c - a TCP connection by non-blocking sockets.
 *
 * An open goes through the addresses of a name in the resolver's order, but
 * begins one place later after each failure, so that an address that accepts
 * and then fails (a proxy without a server behind it, a handshake that never
 * ends) does not hide the ones after it. One of several addresses gets
 * KINF_POSIX_ADDRESS_MS, so that one that drops packets leaves time for the
 * next before the caller's deadline. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix/lookup.h"

#define KINF_FILE 60 /* for kinf_assert_failed */

enum state {
    STATE_CLOSED,
    STATE_RESOLVE,
    STATE_ADDRESS, /* the next address is to be tried */
    STATE_CONNECT,
    STATE_OPEN,
    STATE_FAILED /* only close is legal */
};

/* A connection that ends sooner, even without an error, is a failure of its
 * address: a TLS handshake that stalls is closed from above. */
#define PROVED_MS 10000

#define DRAIN_BYTES 65536 /* at most, of what nobody reads any more */
#define KEEPALIVE_IDLE_S (KINF_POSIX_DEAD_PEER_MS / 3000)
#define KEEPALIVE_EACH_S (KINF_POSIX_DEAD_PEER_MS / 4500)
#define KEEPALIVE_COUNT 3

static uint32_t now_ms(void)
{
    return kinf_posix_platform.now_ms(NULL);
}

static int again(struct kinf_posix_tcp *tcp, unsigned wants)
{
    tcp->wants = wants;
    return KINF_ERR_AGAIN;
}

static int fail(struct kinf_posix_tcp *tcp, int err)
{
    tcp->state = STATE_FAILED;
    tcp->failed = true;
    tcp->wants = 0;
    return err;
}

static void close_fd(struct kinf_posix_tcp *tcp)
{
    if (tcp->fd >= 0)
        close(tcp->fd);
    tcp->fd = -1;
}

void kinf_posix_tcp_init(struct kinf_posix_tcp *tcp)
{
    memset(tcp, 0, sizeof(*tcp));
    tcp->fd = -1;
}

int kinf_posix_tcp_fd(const struct kinf_posix_tcp *tcp)
{
    return tcp->fd;
}

/* ---- resolve ------------------------------------------------------------ */

static int begin(struct kinf_posix_tcp *tcp, struct kinf_span host,
                 uint16_t port)
{
    char name[KINF_POSIX_HOST_BYTES];

    tcp->reason[0] = '\0';
    tcp->port = port;
    tcp->failed = true; /* until it has proved itself */
    tcp->tried = 0;
    tcp->count = 0;
    if (host.len == 0 || host.len >= sizeof(name) ||
        memchr(host.ptr, '\0', host.len) != NULL) {
        snprintf(tcp->reason, sizeof(tcp->reason),
                 "the host name is empty or longer than %d bytes",
                 KINF_POSIX_HOST_BYTES - 1);
        return fail(tcp, KINF_ERR_NAME);
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    if (kinf_posix_literal(name, &tcp->addresses[0])) {
        tcp->count = 1;
        tcp->first = 0;
        tcp->state = STATE_ADDRESS;
        return KINF_OK;
    }
    tcp->lookup = kinf_posix_lookup_start(name, &tcp->fd);
    if (tcp->lookup == NULL) {
        snprintf(tcp->reason, sizeof(tcp->reason),
                 "no thread or descriptor is left for a lookup");
        return fail(tcp, KINF_ERR_NAME);
    }
    snprintf(tcp->reason, sizeof(tcp->reason), "resolving %.64s",
             name);
    tcp->state = STATE_RESOLVE;
    return KINF_OK;
}

static int resolve(struct kinf_posix_tcp *tcp, struct kinf_span host)
{
    const char *reason = "";
    int count = kinf_posix_lookup_result(tcp->lookup, tcp->addresses,
                                         KINF_POSIX_ADDRESSES, &reason);

    if (count == KINF_ERR_AGAIN)
        return again(tcp, KINF_WANTS_READ);
    close_fd(tcp);
    kinf_posix_lookup_drop(tcp->lookup);
    tcp->lookup = NULL;
    if (count == 0) {
        int shown = host.len < 64 ? (int)host.len : 64;

        snprintf(tcp->reason, sizeof(tcp->reason), "%.*s: %s", shown, host.ptr,
                 reason);
        return fail(tcp, KINF_ERR_NAME);
    }
    tcp->count = (uint8_t)count;
    tcp->first = (uint8_t)(tcp->rotation % tcp->count);
    tcp->state = STATE_ADDRESS;
    return KINF_OK;
}

/* ---- connect ------------------------------------------------------------ */

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static const struct kinf_posix_address *
current_address(const struct kinf_posix_tcp *tcp)
{
    return &tcp->addresses[(tcp->first + tcp->tried) % tcp->count];
}

static socklen_t to_socket(const struct kinf_posix_address *from, uint16_t port,
                           union socket_address *out)
{
    memset(out, 0, sizeof(*out));
    if (from->ipv6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        out->v6.sin6_scope_id = from->scope;
        memcpy(&out->v6.sin6_addr, from->bytes, 16);
        return sizeof(out->v6);
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(port);
    memcpy(&out->v4.sin_addr, from->bytes, 4);
    return sizeof(out->v4);
}

static void set(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Small requests leave at once; a peer that vanished is found although nobody
 * sends (keepalive) and although something is on its way (user timeout). */
static void set_options(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_S);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
#endif
#ifdef TCP_USER_TIMEOUT
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, KINF_POSIX_DEAD_PEER_MS);
#endif
}

static void write_address(const struct kinf_posix_tcp *tcp,
                          char text[INET6_ADDRSTRLEN])
{
    const struct kinf_posix_address *address = current_address(tcp);

    text[0] = '\0';
    (void)inet_ntop(address->ipv6 ? AF_INET6 : AF_INET, address->bytes, text,
                    INET6_ADDRSTRLEN);
}

/* Notes why this address does not do and turns to the next. */
static void next_address(struct kinf_posix_tcp *tcp, const char *why)
{
    char text[INET6_ADDRSTRLEN];

    write_address(tcp, text);
    close_fd(tcp);
    tcp->tried++;
    if (tcp->count > 1)
        snprintf(tcp->reason, sizeof(tcp->reason),
                 "%s port %u: %s (%u of %u addresses tried)", text, tcp->port,
                 why, tcp->tried, tcp->count);
    else
        snprintf(tcp->reason, sizeof(tcp->reason), "%s port %u: %s", text,
                 tcp->port, why);
    tcp->state = STATE_ADDRESS;
}

/* What a caller tells when its deadline ends this phase. */
static void connecting_to(struct kinf_posix_tcp *tcp)
{
    char text[INET6_ADDRSTRLEN];

    write_address(tcp, text);
    snprintf(tcp->reason, sizeof(tcp->reason), "connecting to %s port %u", text,
             tcp->port);
    tcp->state = STATE_CONNECT;
}

static void opened(struct kinf_posix_tcp *tcp)
{
    tcp->state = STATE_OPEN;
    tcp->reason[0] = '\0'; /* of addresses that failed before */
    tcp->failed = false;
    tcp->rotation = (uint8_t)(tcp->first + tcp->tried); /* this one first */
    tcp->since_ms = now_ms();
}

/* Takes the next address. Leaves the state at CONNECT, at OPEN (some systems
 * connect at once on loopback), or at ADDRESS when it failed at once. */
static int try_address(struct kinf_posix_tcp *tcp)
{
    union socket_address to;
    socklen_t size;

    if (tcp->tried == tcp->count)
        return fail(tcp, KINF_ERR_REFUSED);
    size = to_socket(current_address(tcp), tcp->port, &to);
    tcp->fd = socket(to.any.sa_family,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (tcp->fd < 0) {
        next_address(tcp, strerror(errno));
        return KINF_OK;
    }
    set_options(tcp->fd);
    tcp->since_ms = now_ms();
    if (connect(tcp->fd, &to.any, size) == 0)
        opened(tcp);
    else if (errno == EINPROGRESS)
        connecting_to(tcp);
    else
        next_address(tcp, strerror(errno));
    return KINF_OK;
}

static bool is_last(const struct kinf_posix_tcp *tcp)
{
    return tcp->tried + 1 >= tcp->count;
}

static int connecting(struct kinf_posix_tcp *tcp)
{
    struct pollfd p = { .fd = tcp->fd, .events = POLLOUT };
    int err = 0;
    socklen_t size = sizeof(err);

    if (poll(&p, 1, 0) <= 0) {
        if (!is_last(tcp) &&
            now_ms() - tcp->since_ms >= KINF_POSIX_ADDRESS_MS) {
            next_address(tcp, "no answer");
            return KINF_OK;
        }
        return again(tcp, KINF_WANTS_WRITE);
    }
    if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0)
        err = errno;
    if (err != 0)
        next_address(tcp, strerror(err));
    else
        opened(tcp);
    return KINF_OK;
}

/* ---- the transport ------------------------------------------------------ */

/* Goes on until something must be waited for: at most one connect for each
 * address. */
static int tcp_open(void *ctx, struct kinf_span host, uint16_t port)
{
    struct kinf_posix_tcp *tcp = ctx;
    int err = KINF_OK;

    tcp->wants = 0;
    while (err == KINF_OK && tcp->state != STATE_OPEN) {
        switch ((enum state)tcp->state) {
        case STATE_CLOSED:
            err = begin(tcp, host, port);
            break;
        case STATE_RESOLVE:
            err = resolve(tcp, host);
            break;
        case STATE_ADDRESS:
            err = try_address(tcp);
            break;
        case STATE_CONNECT:
            err = connecting(tcp);
            break;
        case STATE_OPEN:
            break;
        case STATE_FAILED:
        default:
            kinf_assert_failed(KINF_FILE, __LINE__);
            return KINF_ERR_CLOSED;
        }
    }
    return err;
}

/* What an errno of an established connection means. */
static int lost(struct kinf_posix_tcp *tcp, int error)
{
    if (error == ETIMEDOUT) {
        snprintf(tcp->reason, sizeof(tcp->reason),
                 "the peer has not answered for %d s",
                 KINF_POSIX_DEAD_PEER_MS / 1000);
        return fail(tcp, KINF_ERR_TIMEOUT);
    }
    snprintf(tcp->reason, sizeof(tcp->reason), "%s", strerror(error));
    return fail(tcp, KINF_ERR_CLOSED);
}

static bool not_now(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR ||
           error == ENOBUFS;
}

static int tcp_send(void *ctx, const void *data, size_t size)
{
    struct kinf_posix_tcp *tcp = ctx;
    ssize_t n;

    if (tcp->state != STATE_OPEN || size == 0) {
        kinf_assert_failed(KINF_FILE, __LINE__);
        return KINF_ERR_CLOSED;
    }
    n = send(tcp->fd, data, size < INT_MAX ? size : INT_MAX, MSG_NOSIGNAL);
    if (n > 0)
        return (int)n;
    if (n == 0 || not_now(errno))
        return again(tcp, KINF_WANTS_WRITE);
    return lost(tcp, errno);
}

static int tcp_recv(void *ctx, void *data, size_t size)
{
    struct kinf_posix_tcp *tcp = ctx;
    ssize_t n;

    if (tcp->state != STATE_OPEN || size == 0) {
        kinf_assert_failed(KINF_FILE, __LINE__);
        return KINF_ERR_CLOSED;
    }
    n = recv(tcp->fd, data, size < INT_MAX ? size : INT_MAX, 0);
    if (n > 0) {
        tcp->wants = KINF_WANTS_READ;
        return (int)n;
    }
    if (n < 0 && not_now(errno))
        return again(tcp, KINF_WANTS_READ);
    if (n < 0)
        return lost(tcp, errno);
    /* An ordinary end: the address is as good as before. */
    tcp->state = STATE_FAILED;
    tcp->wants = 0;
    snprintf(tcp->reason, sizeof(tcp->reason), "the peer ended the connection");
    return KINF_ERR_CLOSED;
}

/* Bytes nobody has read make of a close a reset, which may overtake what was
 * sent: what has come by now (TLS 1.3 tickets, often) is thrown away. */
static void drain(const struct kinf_posix_tcp *tcp)
{
    if (tcp->state == STATE_OPEN)
        (void)recv(tcp->fd, NULL, DRAIN_BYTES, MSG_DONTWAIT | MSG_TRUNC);
}

static void tcp_close(void *ctx)
{
    struct kinf_posix_tcp *tcp = ctx;

    if (tcp->state == STATE_CLOSED)
        return;
    if (tcp->failed || now_ms() - tcp->since_ms < PROVED_MS)
        tcp->rotation++;
    drain(tcp);
    close_fd(tcp);
    kinf_posix_lookup_drop(tcp->lookup);
    tcp->lookup = NULL;
    tcp->state = STATE_CLOSED;
    tcp->wants = 0;
}

static enum kinf_phase phase_of(const struct kinf_posix_tcp *tcp)
{
    switch ((enum state)tcp->state) {
    case STATE_RESOLVE:
        return KINF_PHASE_RESOLVE;
    case STATE_ADDRESS:
    case STATE_CONNECT:
        return KINF_PHASE_CONNECT;
    case STATE_OPEN:
        return KINF_PHASE_OPEN;
    case STATE_CLOSED:
    case STATE_FAILED:
    default:
        return KINF_PHASE_CLOSED;
    }
}

static void tcp_status(void *ctx, struct kinf_transport_status *out)
{
    const struct kinf_posix_tcp *tcp = ctx;

    out->phase = phase_of(tcp);
    out->wants = tcp->wants;
    out->level = tcp->state == STATE_OPEN;
    out->reason = tcp->reason[0] != '\0' ? tcp->reason : NULL;
    if (tcp->state == STATE_CONNECT && !is_last(tcp)) {
        uint32_t over = now_ms() - tcp->since_ms;

        out->wait_ms = over < KINF_POSIX_ADDRESS_MS
                           ? KINF_POSIX_ADDRESS_MS - over : 1;
    }
}

const struct kinf_transport_ops kinf_posix_tcp_ops = {
    .open = tcp_open,
    .send = tcp_send,
    .recv = tcp_recv,
    .close = tcp_close,
    .status = tcp_status,
};
