/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the gateway program: which command, and how a broken promise ends.
 */
#include <stdlib.h>
#include <unistd.h>

#include "commands.h"
#include "kinformer.h"
#include "log.h"
#include "out.h"
#include "program.h"

/* Says where, and dies so that a core dump shows it; systemd starts anew. */
void kinf_assert_failed(unsigned file, unsigned line)
{
    log_say(LOG_FAIL, "a bug: please report it, with the version",
            "assertion failed in file %u, line %u, of kinformer " KINF_VERSION,
            file, line);
    abort();
}

static int version(void)
{
    static const char text[] = "kinformer " KINF_VERSION "\n";

    return out_write(STDOUT_FILENO, text, sizeof text - 1) ? EXIT_OUTPUT
                                                           : EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct options options;
    int err = options_read(&options, argc, argv);

    if (err)
        return err;
    log_setup(options.log_json, options.quiet);
    switch (options.command) {
    case COMMAND_WATCH:
        return cmd_watch(&options);
    case COMMAND_MIRROR:
        return cmd_mirror(&options);
    case COMMAND_SIZE:
        return cmd_size(&options);
    case COMMAND_VERSION:
        return version();
    case COMMAND_HELP:
        options_help();
        return EXIT_DONE;
    }
    return EXIT_INTERNAL;
}
