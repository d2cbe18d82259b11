/* SPDX-License-Identifier: Apache-2.0 */
/* figures.c - figures in a file; see figures.h. */
#include "figures.h"

#include <stdio.h>
#include <string.h>

#include "base.h"

static unsigned find(const struct figures *f, const char *name)
{
    unsigned i = 0;

    while (i < f->count && strcmp(f->at[i].name, name) != 0)
        i++;
    return i;
}

void figures_set(struct figures *f, const char *name, double value)
{
    unsigned i = find(f, name);

    MUST(i < FIGURES, "too many figures");
    if (i == f->count) {
        f->count++;
        snprintf(f->at[i].name, sizeof(f->at[i].name), "%s", name);
    } else if (f->add) {
        value += f->at[i].value;
    }
    f->at[i].value = value;
}

double figures_get(const struct figures *f, const char *name)
{
    unsigned i = find(f, name);

    return i < f->count ? f->at[i].value : 0;
}

void figures_read(struct figures *f)
{
    FILE *file = fopen(f->path, "r");
    char line[128], name[32];
    double value;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, " \"%31[^\"]\": %lf", name, &value) == 2 &&
            find(f, name) == f->count)
            figures_set(f, name, value);
    if (file != NULL)
        fclose(file);
}

void figures_write(const struct figures *f)
{
    FILE *file = fopen(f->path, "w");

    MUST(file != NULL, "cannot write %s", f->path);
    fprintf(file, "{\n");
    for (unsigned i = 0; i < f->count; i++)
        fprintf(file, "  \"%s\": %.10g%s\n", f->at[i].name, f->at[i].value,
                i + 1 < f->count ? "," : "");
    fprintf(file, "}\n");
    fclose(file);
}
