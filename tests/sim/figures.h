/* SPDX-License-Identifier: Apache-2.0 */
/* figures.h - the figures of a run in a JSON file of one flat object, one a
 * line. Each command sets its own and leaves the others as they are. */
#ifndef SIM_FIGURES_H
#define SIM_FIGURES_H

#include <stdbool.h>

#define FIGURES 40

struct figures {
    const char *path;
    bool add; /* figures_set adds to what is there */
    unsigned count;
    struct {
        char name[32];
        double value;
    } at[FIGURES];
};

/* What the file holds, nothing if there is none. */
void figures_read(struct figures *f);
void figures_set(struct figures *f, const char *name, double value);
double figures_get(const struct figures *f, const char *name);
void figures_write(const struct figures *f);

#endif
