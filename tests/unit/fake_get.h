/* SPDX-License-Identifier: Apache-2.0 */
/* fake_get.h - a GET that writes down what comes of it. */
#ifndef FAKE_GET_H
#define FAKE_GET_H

#include "fake.h"

struct fake_get {
    struct kinf_get get;
    int ends, err, status; /* how often it ended, and how */
    char body[4096], words[256];
    unsigned pieces, enough; /* enough: it asks for so many pieces; 0: all */
    struct fake_get *then;   /* asked from inside end() */
    struct kinf_session *session;
};

/* Asks; the outcome is there when the world has run. */
void fake_get(struct fake_get *g, struct kinf_session *session,
              const char *path);

#endif
