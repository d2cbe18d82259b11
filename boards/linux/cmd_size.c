/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_size.c - kinformer size: the memory a cache takes, before it is there. */
#include <unistd.h>

#include "commands.h"
#include "gateway.h"
#include "log.h"
#include "out.h"
#include "program.h"

/* Resident with nothing cached; tests/e2e measures it. */
#define EMPTY_BYTES ((uint64_t)1024 * 1024)
/* A payload has a header and is rounded; see KINF_INFORMER_BYTES. */
#define BLOCK_BYTES 12

static void row(struct out *o, const char *name, uint64_t bytes,
                const char *what)
{
    char digits[24];
    struct out n = out_over(digits, sizeof digits);
    uint64_t kb = (bytes + 1023) / 1024;

    out_uint(&n, kb);
    out_text(o, name);
    for (size_t i = n.used; i < 10; i++)
        out_text(o, " ");
    out_bytes(o, digits, n.used);
    out_format(o, " KB  %s\n", what);
}

/* Bytes of the pools of one informer, without payloads. */
static uint64_t pools(const struct options *o, struct kinf_sizes *sizes)
{
    struct options with = *o;

    gateway_sizes(&with, KINF_EVERY, sizes);
    return kinf_informer_bytes(sizes);
}

int cmd_size(const struct options *o)
{
    struct kinf_sizes sizes;
    char text[1024];
    struct out out = out_over(text, sizeof text);
    uint64_t table, payload, holes, memory;

    if (o->bytes > UINT32_MAX / 4 || o->objects > (uint64_t)1 << 28) {
        log_say(LOG_FAIL, NULL, "more than a machine holds");
        return EXIT_USAGE;
    }
    table = pools(o, &sizes);
    payload = o->objects * ((o->bytes + BLOCK_BYTES + 3) & ~(uint64_t)3);
    memory = gateway_fixed_bytes(1) + table + payload +
             payload / CONFIG_KINF_COMPACT_SHARE +
             2 * (uint64_t)sizes.object_bytes + 8192;
    /* As the arena's worth_it has it: some lie in the room of the two. */
    holes = payload / CONFIG_KINF_COMPACT_SHARE + sizes.object_bytes / 2;
    out_format(&out, "%llu objects of %llu bytes:\n",
               (unsigned long long)o->objects, (unsigned long long)o->bytes);
    row(&out, "program and connection ", EMPTY_BYTES, "resident, at most");
    row(&out, "entries and records    ", table, "");
    row(&out, "payloads               ", payload, "");
    row(&out, "holes before compaction", holes, "at most, while it changes");
    row(&out, "resident               ",
        EMPTY_BYTES + table + payload + holes, "");
    row(&out, "--memory               ", memory, "to be given");
    out_text(&out, "\nThe rest of --memory is room for objects of "
                   "--max-object; it is touched\nonly when such objects come."
                   "\n");
    return out_write(STDOUT_FILENO, text, out.used) ? EXIT_OUTPUT : EXIT_DONE;
}
