/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - the same transport for a loop in another thread than lwIP's: each
 * call of tcp.c under lwIP's core lock. The callbacks hold it already. */
#include "kinf_lwip.h"

#include "lwip/opt.h"

#if !NO_SYS

#include "lwip/tcpip.h"

#if !LWIP_TCPIP_CORE_LOCKING
#error "port/lwip in a thread needs LWIP_TCPIP_CORE_LOCKING"
#endif

static int locked_open(void *ctx, struct kinf_span host, uint16_t port)
{
    int err;

    LOCK_TCPIP_CORE();
    err = kinf_lwip_tcp_ops.open(ctx, host, port);
    UNLOCK_TCPIP_CORE();
    return err;
}

static int locked_send(void *ctx, const void *data, size_t size)
{
    int n;

    LOCK_TCPIP_CORE();
    n = kinf_lwip_tcp_ops.send(ctx, data, size);
    UNLOCK_TCPIP_CORE();
    return n;
}

static int locked_recv(void *ctx, void *data, size_t size)
{
    int n;

    LOCK_TCPIP_CORE();
    n = kinf_lwip_tcp_ops.recv(ctx, data, size);
    UNLOCK_TCPIP_CORE();
    return n;
}

static void locked_close(void *ctx)
{
    LOCK_TCPIP_CORE();
    kinf_lwip_tcp_ops.close(ctx);
    UNLOCK_TCPIP_CORE();
}

static void locked_status(void *ctx, struct kinf_transport_status *out)
{
    LOCK_TCPIP_CORE();
    kinf_lwip_tcp_ops.status(ctx, out);
    UNLOCK_TCPIP_CORE();
}

const struct kinf_transport_ops kinf_lwip_thread_ops = { .open = locked_open,
                                                         .send = locked_send,
                                                         .recv = locked_recv,
                                                         .close = locked_close,
                                                         .status =
                                                             locked_status };

#endif
