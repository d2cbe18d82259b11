/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - speaks to the model server by a script, without kinformer, so that
 * its answers can be compared with the real server's (conformance.py). */
#ifndef SIM_TALK_H
#define SIM_TALK_H

/* Lines of a file: put RESOURCE NAMESPACE NAME SIZE TIER; delete RESOURCE
 * NAMESPACE NAME; noise N; compact; restart; backup; restore; mode NUMBER;
 * ask TARGET ACCEPT; wait MS; drop. Prints a JSON line for each question and
 * for each piece of an answer, with its time. */
int talk(const char *path);

#endif
