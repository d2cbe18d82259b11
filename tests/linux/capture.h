/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h - what the code under test writes to stderr. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct capture {
    FILE *file;
    int was;
    char text[65536];
};

static inline void capture_begin(struct capture *c)
{
    c->file = tmpfile();
    assert(c->file);
    c->was = dup(STDERR_FILENO);
    dup2(fileno(c->file), STDERR_FILENO);
}

/* Ends it; text is what was written. */
static inline void capture_end(struct capture *c)
{
    ssize_t n;

    dup2(c->was, STDERR_FILENO);
    close(c->was);
    n = pread(fileno(c->file), c->text, sizeof c->text - 1, 0);
    c->text[n > 0 ? n : 0] = '\0';
    fclose(c->file);
}

#endif
