/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - speaks to the model server by a script, without kinformer, so that
 * its answers can be compared with the real server's (test_model.py). */
#ifndef SIM_TALK_H
#define SIM_TALK_H

/* Obeys lines of standard input; after what each of them brought, bytes with
 * their time, as JSON, comes a line with the time.
 *
 *   put RESOURCE NAMESPACE NAME SIZE TIER SALT PAYLOAD HOLD
 *   delete RESOURCE NAMESPACE NAME
 *   noise N              something else changes
 *   show RESOURCE NAMESPACE NAME   the object, as a server would send it
 *   compact, restart, backup, restore, leave (a graceful shutdown)
 *   set WHAT NUMBER      stream, old_paging, inflight: its nature
 *   ask LINE TARGET ACCEPT AGENT TOKEN   "-": none
 *   wait MS
 *   hold LINE 1|0        do not read what comes; read again
 *   drop LINE            the connection */
int talk(void);

#endif
