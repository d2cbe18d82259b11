/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_posix.h - TCP, clock, randomness and the sleep between two kinf_polls,
 * for Linux and what is like it.
 *
 * In order: the platform table; the TCP transport; the wait. A program with a
 * loop of its own (epoll, libuv, GLib) leaves the wait out and asks for
 * descriptors: kinf_waits() tells which transports wait, kinf_posix_tcp_fd()
 * which descriptor stands for each just then. */
#ifndef KINF_POSIX_H
#define KINF_POSIX_H

#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- platform ----------------------------------------------------------- */

/* Milliseconds since boot, suspend included; wall time, "unknown" while the
 * machine's clock stands before the year 2025; the kernel's random numbers. */
extern const struct kinf_platform kinf_posix_platform;

/* ---- TCP ---------------------------------------------------------------- */

#define KINF_POSIX_ADDRESSES 8       /* of one name; the others are not tried */
#define KINF_POSIX_ADDRESS_MS 5000   /* for one of several addresses */
#define KINF_POSIX_DEAD_PEER_MS 45000 /* silence that ends a connection */
#define KINF_POSIX_HOST_BYTES 256    /* name with its end */

struct kinf_posix_address {
    uint8_t bytes[16];
    uint32_t scope; /* IPv6 link-local: the interface */
    bool ipv6;
};

/* One connection. A name is looked up by getaddrinfo in a thread that lives as
 * long as the lookup; an IP address needs none. No heap is used but what the C
 * library takes for a lookup. */
struct kinf_posix_tcp {
    /* private */
    const void *transport;       /* what kinf_waits calls it */
    struct kinf_posix_tcp *next; /* in the list of kinf_posix_wait */
    struct kinf_posix_lookup *lookup;
    int fd;        /* the socket, or what tells of the lookup's end; or -1 */
    uint8_t state; /* enum state in tcp.c */
    uint8_t count, tried; /* addresses of this open */
    uint8_t first;        /* place of the one it began with */
    uint8_t rotation;     /* failures so far, modulo 256 */
    bool failed;          /* this connection ended by an error */
    uint16_t port;
    unsigned wants;
    uint32_t since_ms; /* of this address, or of the connection */
    struct kinf_posix_address addresses[KINF_POSIX_ADDRESSES];
    char reason[CONFIG_KINF_MESSAGE_BYTES];
};

/* The transport's table; its ctx is a struct kinf_posix_tcp. */
extern const struct kinf_transport_ops kinf_posix_tcp_ops;

/* Makes a closed connection. */
void kinf_posix_tcp_init(struct kinf_posix_tcp *tcp);

/* The descriptor to wait on for what status().wants says, or -1 when there is
 * none. It changes with each open and between the lookup and the connection:
 * ask after each kinf_poll. */
int kinf_posix_tcp_fd(const struct kinf_posix_tcp *tcp);

/* ---- the wait ----------------------------------------------------------- */

#define KINF_POSIX_WAITS 64 /* sessions and descriptors of one wait */

/* One for each struct kinf. */
struct kinf_posix {
    struct kinf_posix_tcp *first;
    int wake[2]; /* a pipe: read end, write end */
};

/* Returns KINF_OK, or KINF_ERR_FULL when there are no descriptors left. */
int kinf_posix_init(struct kinf_posix *posix);
void kinf_posix_free(struct kinf_posix *posix);

/* Tells which connection lies under a session: transport is the ctx given to
 * kinf_session_init (of the TLS transport, where there is one). Both are kept
 * until the end. */
void kinf_posix_add(struct kinf_posix *posix, struct kinf_posix_tcp *tcp,
                    const void *transport);

/* Sleeps until a transport can do what kinf_waits says, kinf_posix_wake is
 * called, one of the application's own descriptors is ready, or timeout_ms
 * (what kinf_poll returned; UINT32_MAX: none) is over. extra is an array of
 * struct pollfd and gets its revents; NULL with 0 for none. Signals end the
 * sleep, too. Returns how many of extra are ready. */
struct pollfd;
int kinf_posix_wait(struct kinf_posix *posix, const struct kinf *k,
                    uint32_t timeout_ms, struct pollfd *extra,
                    size_t extra_count);

/* Ends the sleep, from a signal handler or another thread, too. */
void kinf_posix_wake(struct kinf_posix *posix, struct kinf *k);

#ifdef __cplusplus
}
#endif

#endif
