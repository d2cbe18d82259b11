/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - messages on stderr. See log.h. */
#include "log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "out.h"

#define KINDS 8
#define FREE_LINES 3 /* of a kind, before they are counted only */
#define PERIOD_S 60
#define LINE_MAX_BYTES 1024

struct kind {
    uint32_t key;
    uint32_t lines, held;
    time_t since;
    enum log_level level;
    char start[48]; /* how the line begins, to tell which it was */
};

static struct {
    bool json, quiet;
    struct kind kinds[KINDS];
} logger;

void log_setup(bool json, bool quiet)
{
    memset(&logger, 0, sizeof logger);
    logger.json = json;
    logger.quiet = quiet;
}

static time_t seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec;
}

static uint32_t fnv(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

/* Walks the arguments as out_vformat does, and takes in our own words. */
static uint32_t kind_of(const char *format, va_list args)
{
    uint32_t hash = fnv(2166136261u, format);

    for (const char *f = strchr(format, '%'); f; f = strchr(f + 1, '%')) {
        f++;
        if (*f == 's') {
            hash = fnv(hash, va_arg(args, const char *));
        } else if (strncmp(f, ".*s", 3) == 0) {
            (void)va_arg(args, int);
            (void)va_arg(args, const char *);
        } else if (strncmp(f, "llu", 3) == 0) {
            (void)va_arg(args, unsigned long long);
        } else if (strncmp(f, "zu", 2) == 0) {
            (void)va_arg(args, size_t);
        } else if (*f == 'u' || *f == 'd' || *f == 'c') {
            (void)va_arg(args, int);
        }
    }
    return hash;
}

static void two_digits(struct out *o, int n, const char *after)
{
    char pair[2] = { (char)('0' + n / 10 % 10), (char)('0' + n % 10) };

    out_bytes(o, pair, 2);
    out_text(o, after);
}

static void time_of_day(struct out *o)
{
    time_t now = time(NULL);
    struct tm t;

    gmtime_r(&now, &t);
    out_text(o, "\"");
    out_uint(o, (uint64_t)(t.tm_year + 1900));
    out_text(o, "-");
    two_digits(o, t.tm_mon + 1, "-");
    two_digits(o, t.tm_mday, "T");
    two_digits(o, t.tm_hour, ":");
    two_digits(o, t.tm_min, ":");
    two_digits(o, t.tm_sec, "Z\"");
}

static void write_line(enum log_level level, const char *text, size_t len,
                       const char *todo)
{
    static const char *const words[] = { "note", "warning", "error" };
    char line[2 * LINE_MAX_BYTES + 256];
    struct out o = out_over(line, sizeof line - 1);

    if (logger.json) {
        out_text(&o, "{");
        out_member(&o, "time");
        time_of_day(&o);
        out_member(&o, "level");
        out_json(&o, words[level], strlen(words[level]));
        out_member(&o, "message");
        out_json(&o, text, len);
        if (todo) {
            out_member(&o, "todo");
            out_json(&o, todo, strlen(todo));
        }
        out_text(&o, "}");
    } else {
        out_text(&o, "kinformer: ");
        if (level != LOG_NOTE)
            out_format(&o, "%s: ", words[level]);
        out_bytes(&o, text, len);
        if (todo)
            out_format(&o, " (%s)", todo);
    }
    line[o.used++] = '\n';
    (void)out_write(STDERR_FILENO, line, o.used);
}

static void tell_held(struct kind *kind)
{
    char text[128];
    struct out o = out_over(text, sizeof text);

    out_format(&o, "%u more like this in the last minute: %s...",
               (unsigned)kind->held, kind->start);
    write_line(kind->level, text, o.used, NULL);
    *kind = (struct kind){ 0 };
}

void log_settle(bool now)
{
    time_t t = seconds_now();

    for (int i = 0; i < KINDS; i++) {
        struct kind *kind = &logger.kinds[i];

        if (kind->held && (now || t - kind->since >= PERIOD_S))
            tell_held(kind);
    }
}

/* The place of this kind, or of the oldest one, which has to go. */
static struct kind *find_kind(uint32_t key)
{
    struct kind *oldest = &logger.kinds[0];

    for (int i = 0; i < KINDS; i++) {
        if (logger.kinds[i].key == key)
            return &logger.kinds[i];
        if (logger.kinds[i].since < oldest->since)
            oldest = &logger.kinds[i];
    }
    if (oldest->held)
        tell_held(oldest);
    *oldest = (struct kind){ .key = key, .since = seconds_now() };
    return oldest;
}

/* May this line be written? Else it is counted. */
static bool admit(uint32_t key, enum log_level level, const struct out *text)
{
    struct kind *kind;
    size_t len = text->used;

    log_settle(false);
    kind = find_kind(key);
    if (seconds_now() - kind->since >= PERIOD_S) {
        *kind = (struct kind){ .key = key, .since = seconds_now() };
    }
    if (kind->lines < FREE_LINES) {
        kind->lines++;
        return true;
    }
    kind->held++;
    kind->level = level;
    len = len < sizeof kind->start ? len : sizeof kind->start - 1;
    memcpy(kind->start, text->ptr, len);
    kind->start[len] = '\0';
    return false;
}

void log_say(enum log_level level, const char *todo, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    struct out o = out_over(text, sizeof text);
    va_list args;
    uint32_t key;

    if (level == LOG_NOTE && logger.quiet)
        return;
    va_start(args, format);
    out_vformat(&o, format, args);
    va_end(args);
    va_start(args, format);
    key = kind_of(format, args) | 1u;
    va_end(args);
    if (admit(key, level, &o))
        write_line(level, text, o.used, todo);
}
