/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - how the program ends. The manual page lists the same codes, and
 * a test holds the two equal. */
#ifndef PROGRAM_H
#define PROGRAM_H

enum exit_code {
    EXIT_DONE = 0,       /* ended by a signal, or --once and in sync */
    EXIT_INTERNAL = 1,   /* a broken promise of our own, or no memory */
    EXIT_USAGE = 2,      /* the command line cannot be understood */
    EXIT_CONFIG = 3,     /* kubeconfig or credentials cannot be used */
    EXIT_SERVER = 4,     /* not reached, not trusted, or talks nonsense */
    EXIT_DENIED = 5,     /* 401 or 403 */
    EXIT_RESOURCE = 6,   /* no such resource, or it cannot be watched */
    EXIT_INCOMPLETE = 7, /* in sync, but not everything could be held */
    EXIT_OUTPUT = 8,     /* the reader of our output went away */
    EXIT_MIRROR = 9,     /* DIR cannot be used, or is not ours */
    EXIT_HELD = 10       /* mirror: deletions held back, or objects failed */
};

#endif
