/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the simulated network: a transport for kinformer, and what may
 * happen to bytes and connections on their way.
 *
 * A link is what a session's transport is bound to, and at most one connection
 * at a time. Bytes from the server wait in "pending" until they may leave (the
 * window, a proxy that buffers), then travel in segments, each with its time
 * of arrival. Every promise of kinformer.h about how a transport is called is
 * checked here, and recv and send use every freedom it gives the port. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "base.h"
#include "kinformer.h"

struct conn;

struct segment {
    uint64_t at;
    size_t bytes;
};

struct link {
    uint32_t number;
    bool trusted;  /* over TLS, if nobody is in between */
    bool verified; /* this connection is, and so a token may be sent */
    /* opening */
    enum kinf_phase phase;
    uint64_t step_at;  /* the phase ends; NEVER: hangs */
    int step_error;    /* and fails so, in this phase */
    bool failed;       /* only close is legal now */
    bool by_time;      /* status tells a time in place of a readiness */
    unsigned wants;
    const char *reason;
    /* the connection */
    struct conn *conn;
    uint64_t serial;  /* of the connection, for timers */
    struct text up;   /* on its way to the server */
    struct text pending, down;
    ARRAY(struct segment) segments;
    size_t first;     /* oldest segment */
    size_t flying;    /* bytes in segments */
    bool ended, ended_well; /* by the server, after pending */
    uint64_t end_at;  /* it reaches us; NEVER */
    uint64_t reset_at; /* a reset reaches us */
    uint64_t last_at; /* arrival of the last segment: order is kept */
    uint64_t held_since; /* a proxy holds bytes since then; NEVER: none */
    bool dead;        /* half open: nothing moves any more */
    uint64_t mute_in; /* bytes until it is */
    uint64_t dead_at; /* keepalive finds out; NEVER: a proxy answers for it */
    uint64_t active_at; /* a byte moved */
    uint64_t stalled_at; /* it takes no bytes since then; 0: it does */
    bool waiting_answer; /* bytes were sent, none came back */
    uint32_t read_zero; /* AGAINs in a row */
    /* counters */
    uint64_t opens, bytes_up, bytes_down, calls, moves, forgotten;
    uint64_t asked_at, heard_at; /* last byte up, down */
    uint64_t burst_at, heard_before; /* after a pause it came again; before */
};

/* What is wrong with the network now. Times are until when. */
struct net {
    uint32_t rtt_ms;
    uint64_t refuse_until, name_until, silent_until; /* silent: SYNs are lost */
    uint64_t hang_until;
    enum kinf_phase hang_phase;
    uint64_t tls_until, unverified_until;
    int tls_error;
    uint64_t slow_until;
    uint32_t slow_ms;
    uint64_t drip_until; /* so many bytes a second */
    uint32_t drip_bytes;
    uint64_t shred_until; /* pieces of a few bytes */
    uint64_t stall_until; /* nothing can be sent */
    bool cut_set;         /* the connection of cut_link ends after cut_in */
    uint32_t cut_in, cut_link;
    bool cut_clean;
    uint32_t window;      /* bytes unread by us */
    uint32_t idle_cut_ms; /* a proxy: 0 never */
    uint64_t hold_until;  /* a proxy holds bytes ... */
    uint32_t hold_bytes, hold_ms; /* ... until so many or so long */
    ARRAY(struct link *) links;
    uint64_t opens;
    bool timed_out;       /* we say so of what is closed next */
};
extern struct net net;

extern const struct kinf_transport_ops link_ops;

void net_init(uint32_t rtt_ms);
void link_init(struct link *l, bool trusted);
/* All faults end; what is broken stays broken until somebody notices. */
void net_calm(void);
void net_reset_all(bool clean);
/* What is on its way to us is lost. */
void net_lose_all(void);
/* Established connections go silent; keepalive: found dead after 45 s. */
void net_half_open(bool keepalive);

/* When would a wait for these end? */
uint64_t link_ready_at(const struct link *l, unsigned wants);

/* ---- for the server ---- */

void link_write(struct link *l, const char *bytes, size_t len);
size_t link_backlog(const struct link *l);
/* After what was written: ends, or is cut at once. */
void link_end(struct link *l);
void link_cut(struct link *l);
/* After so many bytes nothing more comes, not even the end. */
void link_mute(struct link *l, uint64_t after);

#endif
