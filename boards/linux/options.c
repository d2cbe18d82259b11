/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line: one table, as getopt_long would read it, but
 * with messages that name what is wrong and what would be right. */
#include "options.h"

#include <string.h>
#include <unistd.h>

#include "log.h"
#include "out.h"
#include "program.h"

/* Which commands take an option. */
enum { W = 1u << COMMAND_WATCH, M = 1u << COMMAND_MIRROR,
       S = 1u << COMMAND_SIZE };

enum option_type {
    TAKE_TEXT,
    TAKE_FLAG,
    TAKE_BYTES,     /* a number with K, M or G */
    TAKE_COUNT,
    TAKE_SECONDS,
    TAKE_NAMESPACE, /* may come several times */
    TAKE_FORMAT,
    TAKE_LOG_FORMAT,
    TAKE_SHARE      /* a number, or a percentage */
};

struct option {
    const char *name;
    char letter;
    unsigned commands;
    enum option_type type;
    size_t at;
    const char *value, *help;
};

#define AT(member) offsetof(struct options, member)
static const struct option table[] = {
    { "namespace", 'n', W | M, TAKE_NAMESPACE, 0, "NS",
      "this namespace; several times for several" },
    { "all-namespaces", 'A', W | M, TAKE_FLAG, AT(all_namespaces), NULL,
      "every namespace" },
    { "selector", 'l', W | M, TAKE_TEXT, AT(label_selector), "SELECTOR",
      "only objects with these labels: app=web,tier!=db" },
    { "field-selector", 0, W, TAKE_TEXT, AT(field_selector), "SELECTOR",
      "only objects with these fields: metadata.name=x" },
    { "output", 'o', W, TAKE_FORMAT, AT(format), "FORMAT",
      "name, wide, or json: one object a line" },
    { "output-watch-events", 0, W, TAKE_FLAG, AT(output_watch_events), NULL,
      "json as {\"type\":..,\"object\":..}" },
    { "secrets", 0, M, TAKE_FLAG, AT(secrets), NULL,
      "mirror Secrets, files of mode 0600" },
    { "adopt", 0, M, TAKE_FLAG, AT(adopt), NULL,
      "use a DIR that is not empty and not marked" },
    { "reset", 0, M, TAKE_FLAG, AT(reset), NULL,
      "use a DIR marked for another source; what it\n"
      "recorded is removed unless it is here too" },
    { "max-delete", 0, M, TAKE_SHARE, AT(max_delete), "N|N%",
      "hold a list that removes more (half, above ten)" },
    { "once", 0, W | M, TAKE_FLAG, AT(once), NULL,
      "end after the first sync; the exit code tells" },
    { "timeout", 0, W | M, TAKE_SECONDS, AT(timeout_s), "SECONDS",
      "of --once, 60" },
    { "status", 0, W | M, TAKE_TEXT, AT(status), "FILE",
      "keep the state in FILE, as JSON" },
    { "memory", 0, W | M | S, TAKE_BYTES, AT(memory), "BYTES",
      "the one buffer for everything; K, M, G" },
    { "objects", 0, W | M | S, TAKE_COUNT, AT(objects), "N",
      "places for objects" },
    { "max-object", 0, W | M | S, TAKE_BYTES, AT(max_object), "BYTES",
      "largest object held whole" },
    { "bytes", 0, S, TAKE_BYTES, AT(bytes), "BYTES",
      "of one object, on average" },
    { "kubeconfig", 0, W | M, TAKE_TEXT, AT(kubeconfig), "FILE",
      "in place of $KUBECONFIG or ~/.kube/config" },
    { "context", 0, W | M, TAKE_TEXT, AT(context), "NAME",
      "in place of the current one" },
    { "in-cluster", 0, W | M, TAKE_FLAG, AT(in_cluster), NULL,
      "use the pod's service account" },
    { "spread", 0, W | M, TAKE_SECONDS, AT(spread_s), "SECONDS",
      "after a lost connection wait up to so long: for\n"
      "fleets, whose clients must not all come at once; 1" },
    { "log-format", 0, W | M, TAKE_LOG_FORMAT, AT(log_json), "text|json",
      "of messages on stderr" },
    { "quiet", 'q', W | M, TAKE_FLAG, AT(quiet), NULL,
      "warnings and errors only" },
};
#define TABLE_SIZE (sizeof table / sizeof table[0])

static const char *const commands[] = { "watch", "mirror", "size", "version",
                                        "help" };
#define SEE_HELP "kinformer help lists commands and options"

static int usage(const char *todo, const char *what, const char *word)
{
    log_say(LOG_FAIL, todo ? todo : SEE_HELP, "%s '%.*s'", what,
            (int)strlen(word), word);
    return EXIT_USAGE;
}

/* ---- values -------------------------------------------------------------- */

static bool read_number(const char **text, uint64_t *out)
{
    const char *p = *text;

    *out = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (*out > (UINT64_MAX >> 11))
            return false;
        *out = *out * 10 + (uint64_t)(*p - '0');
    }
    if (p == *text)
        return false;
    *text = p;
    return true;
}

static bool read_bytes(const char *text, uint64_t *out)
{
    unsigned shift;

    if (!read_number(&text, out))
        return false;
    shift = *text == 'K' ? 10 : *text == 'M' ? 20 : *text == 'G' ? 30 : 0;
    if (shift)
        text++;
    if (shift && strcmp(text, "i") == 0) /* 64Mi, as Kubernetes writes it */
        text++;
    if (*out > (UINT64_MAX >> 24) >> shift)
        return false;
    *out <<= shift;
    return *text == '\0';
}

static bool read_count(const char *text, uint64_t most, uint64_t *out)
{
    return read_number(&text, out) && *text == '\0' && *out <= most;
}

/* A namespace is a DNS label: anything else would be another path. */
static bool is_label(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool inner = c == '-' && i > 0 && i + 1 < len;

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !inner)
            return false;
    }
    return len > 0 && len <= 63;
}

static int add_namespace(struct options *o, const char *text)
{
    if (!is_label(text))
        return usage("lower case letters, digits and dashes",
                     "not the name of a namespace:", text);
    for (unsigned i = 0; i < o->namespace_count; i++) {
        if (strcmp(o->namespaces[i], text) == 0)
            return 0;
    }
    if (o->namespace_count == NAMESPACES_MAX)
        return usage("use -A with a selector, or start several kinformers",
                     "no place for more namespaces:", text);
    o->namespaces[o->namespace_count++] = text;
    return 0;
}

static int read_format(struct options *o, const char *text)
{
    static const char *const names[] = { "line", "name", "wide", "json" };

    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            o->format = (enum format)i;
            return 0;
        }
    }
    return usage("line, name, wide or json", "no such output format:", text);
}

static int read_log_format(struct options *o, const char *text)
{
    o->log_json = strcmp(text, "json") == 0;
    if (!o->log_json && strcmp(text, "text") != 0)
        return usage("text or json", "no such log format:", text);
    return 0;
}

static int read_share(struct options *o, const char *text)
{
    uint64_t n;
    const char *end = text;

    if (!read_number(&end, &n) || n > UINT32_MAX)
        return usage("a number of objects, or 50%", "not a limit:", text);
    o->max_delete_percent = strcmp(end, "%") == 0;
    if ((!o->max_delete_percent && *end) || (o->max_delete_percent && n > 100))
        return usage("a number of objects, or 50%", "not a limit:", text);
    o->max_delete_given = true;
    o->max_delete = (uint32_t)n;
    return 0;
}

static int take(struct options *o, const struct option *option,
                const char *value)
{
    char *place = (char *)o + option->at;
    uint32_t seconds;
    uint64_t n;

    switch (option->type) {
    case TAKE_TEXT:
        memcpy(place, &value, sizeof value);
        return 0;
    case TAKE_FLAG:
        *(bool *)(void *)place = true;
        return 0;
    case TAKE_BYTES:
        if (!read_bytes(value, &n) || n == 0)
            return usage("like 65536, 64K or 16M", "not a size:", value);
        memcpy(place, &n, sizeof n);
        return 0;
    case TAKE_COUNT:
        if (!read_count(value, UINT32_MAX - 1, &n) || n == 0)
            return usage("a number from 1 on", "not a count:", value);
        memcpy(place, &n, sizeof n);
        return 0;
    case TAKE_SECONDS:
        if (!read_count(value, 86400, &n) || n == 0)
            return usage("1 to 86400", "not a number of seconds:", value);
        seconds = (uint32_t)n;
        memcpy(place, &seconds, sizeof seconds);
        return 0;
    case TAKE_NAMESPACE:
        return add_namespace(o, value);
    case TAKE_FORMAT:
        return read_format(o, value);
    case TAKE_LOG_FORMAT:
        return read_log_format(o, value);
    case TAKE_SHARE:
        return read_share(o, value);
    }
    return EXIT_INTERNAL;
}

/* ---- words --------------------------------------------------------------- */

struct words {
    int argc, at;
    char **argv;
};

static const struct option *find_long(const char *name, size_t len)
{
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (strlen(table[i].name) == len &&
            strncmp(table[i].name, name, len) == 0)
            return &table[i];
    }
    return NULL;
}

static const struct option *find_letter(char letter)
{
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (table[i].letter == letter)
            return &table[i];
    }
    return NULL;
}

/* Takes one option and its value, which may be joined to it or follow. */
static int take_option(struct options *o, struct words *words)
{
    const char *word = words->argv[words->at++];
    const char *value = NULL;
    const struct option *option;

    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");

        option = find_long(word + 2, len);
        value = word[2 + len] ? word + 2 + len + 1 : NULL;
    } else {
        option = find_letter(word[1]);
        value = word[2] ? word + 2 + (word[2] == '=') : NULL;
    }
    if (!option)
        return usage(NULL, "unknown option", word);
    if (!(option->commands & 1u << o->command))
        return usage(NULL, "this command has no option", word);
    if (option->type == TAKE_FLAG && value)
        return usage(NULL, "this option takes no value:", word);
    if (option->type != TAKE_FLAG && !value) {
        if (words->at == words->argc)
            return usage(NULL, "a value is missing after", word);
        value = words->argv[words->at++];
    }
    return take(o, option, value);
}

static int take_word(struct options *o, const char *word)
{
    if (o->command == COMMAND_WATCH && !o->resource)
        o->resource = word;
    else if (o->command == COMMAND_MIRROR && !o->dir)
        o->dir = word;
    else
        return usage(NULL, "one word too many:", word);
    return 0;
}

static int fail(const char *todo, const char *what)
{
    log_say(LOG_FAIL, todo, "%s", what);
    return EXIT_USAGE;
}

/* What no single option can tell. */
static int check_whole(const struct options *o)
{
    if (o->command == COMMAND_WATCH && !o->resource)
        return fail("kinformer watch configmaps -A", "watch what?");
    if (o->command == COMMAND_MIRROR && !o->dir)
        return fail("kinformer mirror -n NS DIR", "mirror to which folder?");
    if (o->all_namespaces && o->namespace_count)
        return fail("give one of them", "-A and -n exclude each other");
    if (o->output_watch_events && o->format != FORMAT_JSON)
        return fail("add -o json", "--output-watch-events is for -o json");
    if (o->in_cluster && (o->kubeconfig || o->context))
        return fail("give one of them",
                    "--in-cluster uses no kubeconfig and no context");
    if (o->adopt && o->reset)
        return fail("give one of them",
                    "--adopt and --reset exclude each other");
    if (o->command == COMMAND_SIZE && !(o->objects && o->bytes))
        return fail("kinformer size --objects 10000 --bytes 2K",
                    "size needs --objects and --bytes");
    return 0;
}

static bool read_command(struct options *o, const char *word)
{
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i]) == 0) {
            o->command = (enum command)i;
            return true;
        }
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        o->command = COMMAND_HELP;
    else if (strcmp(word, "--version") == 0)
        o->command = COMMAND_VERSION;
    else
        return false;
    return true;
}

int options_read(struct options *o, int argc, char **argv)
{
    struct words words = { argc, 2, argv };
    bool only_words = false;
    int err = 0;

    *o = (struct options){ .timeout_s = TIMEOUT_S };
    if (argc < 2)
        return fail(SEE_HELP, "no command given");
    if (!read_command(o, argv[1]))
        return usage(NULL, "unknown command", argv[1]);
    while (err == 0 && words.at < argc) {
        const char *word = argv[words.at];

        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            o->command = COMMAND_HELP;
            return 0;
        }
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            words.at++;
        } else if (!only_words && word[0] == '-' && word[1]) {
            err = take_option(o, &words);
        } else {
            err = take_word(o, word);
            words.at++;
        }
    }
    return err ? err : check_whole(o);
}

/* ---- help ---------------------------------------------------------------- */

static void help_option(struct out *o, const struct option *option)
{
    size_t begin = o->used, width = 30;

    out_text(o, option->letter ? "  -" : "      --");
    if (option->letter) {
        out_bytes(o, &option->letter, 1);
        out_text(o, ", --");
    }
    out_text(o, option->name);
    if (option->value)
        out_format(o, " %s", option->value);
    do {
        out_text(o, " ");
    } while (o->used - begin < width);
    for (const char *p = option->help; *p; p++) {
        out_bytes(o, p, 1);
        for (size_t i = 0; *p == '\n' && i < width; i++)
            out_text(o, " ");
    }
    out_text(o, "\n");
}

void options_help(void)
{
    static const char head[] =
        "usage: kinformer watch RESOURCE [-n NS]... | -A [OPTION]...\n"
        "       kinformer mirror [-n NS]... | -A [OPTION]... DIR\n"
        "       kinformer size --objects N --bytes BYTES\n"
        "       kinformer version | help\n"
        "\n"
        "watch   one line for each change: configmaps, deploy,\n"
        "        certificates.cert-manager.io\n"
        "mirror  ConfigMaps (or Secrets) as files, one folder each\n"
        "size    the memory a cache takes\n"
        "\n";
    char text[4096];
    struct out o = out_over(text, sizeof text);

    out_text(&o, head);
    for (size_t i = 0; i < TABLE_SIZE; i++)
        help_option(&o, &table[i]);
    out_text(&o, "\nkinformer(1) has the details and the exit codes.\n");
    (void)out_write(STDOUT_FILENO, text, o.used);
}
