/* SPDX-License-Identifier: Apache-2.0 */
/* conformance.h - one suite that any port can be run through.
 *
 * A port's test fills a struct port and calls conformance_main. What the suite
 * asks for is the contract in kinformer.h (struct kinf_transport_ops, struct
 * kinf_platform); each check is a sentence of it. A check runs in a process of
 * its own and may take CHECK_SECONDS: a port that blocks is ended and has
 * failed. test_bad_ports.c holds ports that break one sentence each, and
 * demands that the suite finds them. */
#ifndef PORT_CONFORMANCE_H
#define PORT_CONFORMANCE_H

#include "kinformer.h"
#include "port/peer.h"

#define CHECK_SECONDS 30

struct port {
    const char *name;
    const struct kinf_transport_ops *ops;
    const struct kinf_platform *platform; /* NULL: not the port's to supply */
    /* Makes one closed transport and returns its ctx; called once a check. */
    void *(*make)(void);
    /* Waits as status() says, at most so long. */
    void (*wait)(void *ctx, const struct kinf_transport_status *status,
                 int timeout_ms);
    const char *peer_tls; /* what the peer is told before it listens, or NULL */
    /* The rest may be left out (NULL). */
    bool level; /* with all read, its status must be level */
    long (*resources)(void); /* what a closed transport must not hold */
    const char *nobody;      /* a name that does not resolve */
    const char *slow;        /* a name that takes a second to resolve */
    const char *several;     /* a name whose first addresses refuse */
    void (*set_clock)(uint32_t now_ms); /* lets the clock wrap */
    /* A stack with its own TCP: a peer inside the test, and the time in which
     * both live; NULL: a process, and the machine's. */
    const struct peer_inside *peer;
    const char *host; /* where the peer is; NULL: 127.0.0.1 */
    int64_t (*time_ms)(void);
    void (*pass_ms)(int ms);
};

/* What a check has at hand. */
struct rig {
    const struct port *port;
    const struct kinf_transport_ops *ops;
    void *ctx;
    struct peer peer;
    uint16_t number; /* the peer's port */
    struct kinf_span host;
};

struct check {
    const char *name;
    void (*run)(struct rig *rig);
    unsigned seconds; /* 0: CHECK_SECONDS */
};
extern const struct check conformance[];
extern const size_t conformance_count;

/* Ends a check: its sentence was broken. */
void broken(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
#define REQUIRE(condition, ...)                                                \
    do {                                                                       \
        if (!(condition))                                                      \
            broken(__VA_ARGS__);                                               \
    } while (0)

/* Ends a check that does not apply to this port. */
void skipped(const char *why) __attribute__((noreturn));

enum outcome { KEPT, BROKEN, SKIPPED };

/* Runs one check in a child process. text gets why it failed. */
enum outcome conformance_run(const struct port *port, const struct check *check,
                             char *text, size_t size);

/* Runs some checks of a port and prints TAP; the last call returns the exit
 * code of the program. */
void checks_run(const struct port *port, const struct check *checks,
                size_t count);
int checks_end(void);

/* Runs the whole suite and returns the exit code of the program. */
int conformance_main(const struct port *const *ports, size_t count);

/* ---- for the tests of single ports, too --------------------------------- */

void rig_init(struct rig *rig, const struct port *port);
void rig_free(struct rig *rig);
void rig_home(struct rig *rig); /* the host is the peer's address again */

/* Opens, waiting as the transport says. Returns what open returns at last. */
int rig_open(struct rig *rig);
/* Opens while the peer accepts; breaks the check when that fails. */
void rig_connect(struct rig *rig);
/* Sends size bytes of the pattern from *at on, or breaks the check. */
void rig_send(struct rig *rig, uint64_t *at, size_t size, size_t piece);
void rig_recv(struct rig *rig, uint64_t *at, size_t size, size_t piece);
/* Receives until something else than bytes and AGAIN comes; returns that. */
int rig_recv_end(struct rig *rig, uint64_t *bytes);
struct kinf_transport_status rig_status(struct rig *rig);
void rig_wait(struct rig *rig, int timeout_ms);
const char *rig_reason(struct rig *rig);
/* The machine's clock, and that of the port's world. */
int64_t real_ms(void);
int64_t rig_ms(struct rig *rig);
void rig_pass(struct rig *rig, int ms);

#endif
