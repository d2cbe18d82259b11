/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - the other end of a connection: a child process that is told what to
 * do (peer.py says what it understands), or one inside the test (simpeer.h).
 *
 * A command may have to wait for what the port under test does, so it can be
 * told first and its answer read later. */
#ifndef PORT_PEER_H
#define PORT_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* A peer inside the test. wait runs the world until the answer is there. */
struct peer_inside {
    void (*tell)(const char *line);
    void (*wait)(char *answer, size_t size);
};

struct peer {
    const struct peer_inside *inside; /* NULL: a process */
    pid_t pid;
    FILE *to, *from;
    char answer[512]; /* without "ok " */
};

void peer_start(struct peer *peer, const struct peer_inside *inside);
void peer_stop(struct peer *peer);

/* Sends a command. */
void peer_tell(struct peer *peer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits for the answer. Returns whether it was "ok". */
bool peer_answer(struct peer *peer);
/* Both. */
bool peer_do(struct peer *peer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Listens on an address (any port) and returns the port. */
uint16_t peer_listen(struct peer *peer, const char *address);

/* The bytes both sides send: see pattern() in peer.py. */
uint8_t peer_byte(uint64_t at);

#endif
