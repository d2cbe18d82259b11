/* SPDX-License-Identifier: Apache-2.0 */
/* simpeer.h - the other end of a connection inside the test itself, for stacks
 * that bring their own TCP: it takes IP packets and gives them, in a time that
 * is an argument. It understands peer.py's commands, as far as the conformance
 * suite says them.
 *
 * A TCP of its own, as small as can be: it sends what peer_byte() says, so that
 * nothing has to be kept for sending it again, and takes only what comes in
 * order. All addresses are its own. It also answers DNS ("slow.test" after a
 * second, "localhost" at once, "never.test" never, others do not exist), DHCP
 * and SNTP. Checksums
 * that are wrong end the test. */
#ifndef PORT_SIMPEER_H
#define PORT_SIMPEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIMPEER_NS 0xC0000235u      /* 192.0.2.53: DNS, DHCP and SNTP server */
#define SIMPEER_ADDRESS 0xC0000207u /* 192.0.2.7: what DHCP gives */

struct simpeer_faults {
    unsigned drop_every; /* the n-th packet, each way, is lost; 0: none */
    bool mute;           /* all are */
    unsigned no_sntp;    /* so many SNTP requests go unanswered */
    /* Changes an SNTP answer before it is sent. */
    void (*sntp)(uint8_t answer[48]);
    uint32_t sntp_from; /* another address answers */
    uint16_t sntp_port; /* another port does */
    bool sntp_twice;    /* and again 20 s later, with a day more */
};
extern struct simpeer_faults simpeer_faults;
extern int64_t simpeer_wall_s;    /* what SNTP answers at time 0 */
extern unsigned simpeer_requests; /* of SNTP */

/* out sends a packet to the stack under test. */
void simpeer_start(void (*out)(const uint8_t *packet, size_t size));

/* A packet of the stack under test. */
void simpeer_in(const uint8_t *packet, size_t size, uint32_t now_ms);

/* Goes on with timers and with the command. Returns the milliseconds until it
 * wants to be called again. */
uint32_t simpeer_step(uint32_t now_ms);

/* Begins a command. */
void simpeer_command(const char *line, uint32_t now_ms);
/* Is it done? Then answer gets "ok ..." or "error ...". */
bool simpeer_done(char *answer, size_t size);

/* For a test that speaks HTTP: from here on what comes in is not checked, and
 * what goes out is what simpeer_say is given, on the newest connection. */
void simpeer_talk(void);
void simpeer_say(const char *text, uint32_t now_ms);
extern unsigned simpeer_heard; /* empty lines, each the end of a request */

/* Initial sequence numbers and source ports it has seen, in turn. */
extern uint32_t simpeer_isn[64];
extern uint16_t simpeer_from[64];
extern unsigned simpeer_opened;

#endif
