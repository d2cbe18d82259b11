/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMESPACES_MAX 32 /* each is an informer with a connection */

enum command {
    COMMAND_WATCH,
    COMMAND_MIRROR,
    COMMAND_SIZE,
    COMMAND_VERSION,
    COMMAND_HELP
};

enum format { FORMAT_LINE, FORMAT_NAME, FORMAT_WIDE, FORMAT_JSON };

/* Texts point into argv. Zero and NULL: not given. */
struct options {
    enum command command;
    const char *resource; /* watch */
    const char *dir;      /* mirror */
    const char *namespaces[NAMESPACES_MAX];
    unsigned namespace_count;
    bool all_namespaces;
    const char *label_selector, *field_selector;
    enum format format;
    bool output_watch_events;
    bool once;
    uint32_t timeout_s; /* of --once */
    const char *status;
    uint64_t memory, objects, max_object;
    const char *kubeconfig, *context;
    bool in_cluster;
    uint32_t spread_s;
    bool log_json, quiet;
    /* mirror */
    bool secrets, adopt, reset;
    bool max_delete_given;
    uint32_t max_delete; /* objects, or percent */
    bool max_delete_percent;
    /* size */
    uint64_t bytes;
};

#define TIMEOUT_S 60

/* Reads the command line. Returns 0, or an enum exit_code after the cause was
 * written to stderr. argv[0] is the program's name. */
int options_read(struct options *options, int argc, char **argv);

/* Writes the help to stdout. */
void options_help(void);

#endif
