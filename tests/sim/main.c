/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - runs worlds, each in a process of its own; see usage. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"
#include "fleet.h"
#include "talk.h"
#include "world.h"

static const char usage[] =
    "usage: sim [option]...\n"
    "  --seed N       the first seed (default 1); trace with --trace\n"
    "  --seeds N      so many seeds (default 1)\n"
    "  --fresh N      and so many that nobody has tried, drawn now\n"
    "  --hours N      simulated hours of each seed (default 10)\n"
    "  --faults LIST  kinds of trouble, of net,server,proxy,restore,app,big,\n"
    "                 broken,time; all (default), none; breaks: lists "
    "above all\n"
    "  --size N       0 tiny .. 3 large, in place of the seed's\n"
    "  --script FILE  what happens, in place of what the seed draws\n"
    "  --print-script what would happen, and no more\n"
    "  --jobs N       processes at a time (default 1)\n"
    "  --keep-going   after a failure\n"
    "  --report FILE  figures of the run, as JSON, beside those of others\n"
    "  --add          to the figures that are there\n"
    "  --progress     tells how far it is\n"
    "  --idle-day     what a quiet informer costs in a day, and no more\n"
    "  --fleet MS     do a thousand clients that lose the server come back\n"
    "                 spread out, over MS if they can be served at once?\n"
    "  --talk         to the model server alone; see talk.h\n"
    "  --wire FILE    gets all that is received\n"
    "  --polls        tells of each poll, too\n"
    "  --trace        tells what happens\n";

/* What a world holds is not freed: its process ends with it. Where memory was
 * allocated is not worth the time, nor are checks of the world's strings. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:malloc_context_size=0:check_printf=0:"
           "intercept_strlen=0:intercept_strchr=0:intercept_strndup=0:"
           "replace_str=0:"
           "quarantine_size_mb=1:thread_local_quarantine_size_kb=16";
}

struct run {
    struct options options;
    uint64_t seeds, fresh, first_fresh, failures;
    uint32_t jobs;
    bool keep_going, progress, add, idle_day, fleet;
    uint32_t spread_ms;
    const char *report, *program;
    unsigned faults_given;
    const char *faults_text;
};

static const struct {
    const char *name;
    unsigned kind;
} kind_names[] = {
    { "net", KIND_NET }, { "server", KIND_SERVER }, { "proxy", KIND_PROXY },
    { "restore", KIND_RESTORE }, { "app", KIND_APP }, { "big", KIND_BIG },
    { "broken", KIND_BROKEN }, { "time", KIND_TIME }, { "all", KIND_ALL },
    { "breaks", KIND_BREAKS }, { "none", 0 }
};

static unsigned kinds_of(const char *list)
{
    unsigned mask = 0;

    while (*list != '\0') {
        size_t len = strcspn(list, ","), i = 0;

        while (i < COUNT_OF(kind_names) &&
               (strlen(kind_names[i].name) != len ||
                strncmp(kind_names[i].name, list, len) != 0))
            i++;
        if (i == COUNT_OF(kind_names)) {
            fprintf(stderr, "sim: no kind of trouble: %s\n", list);
            exit(2);
        }
        mask |= kind_names[i].kind;
        list += len + (list[len] == ',');
    }
    return mask;
}

/* ---- a seed in its own process ------------------------------------------ */

/* Results lie in memory that parent and children share. */
struct slot {
    pid_t pid;
    uint64_t seed;
    struct result *result;
    bool busy;
};

static void describe(const struct run *run, uint64_t seed)
{
    int n = snprintf(sim.repeat, sizeof(sim.repeat),
                     "%s --seed %llu --hours %u%s%s", run->program,
                     (unsigned long long)seed, run->options.hours,
                     run->faults_text != NULL ? " --faults " : "",
                     run->faults_text != NULL ? run->faults_text : "");

    if (run->options.size >= 0 && n > 0 && (size_t)n < sizeof(sim.repeat))
        snprintf(sim.repeat + n, sizeof(sim.repeat) - (size_t)n,
                 " --size %d", run->options.size);
}

static void run_seed(const struct run *run, uint64_t seed,
                     struct result *result)
{
    struct options options = run->options;

    options.seed = seed;
    describe(run, seed);
    world_run(&options, result);
}

/* A world that hangs is one that failed: ten hours take a second or so. */
static void limit_time(const struct run *run)
{
    const rlim_t seconds = 30 + 5 * run->options.hours;
    const struct rlimit limit = { .rlim_cur = seconds, .rlim_max = seconds };

    (void)setrlimit(RLIMIT_CPU, &limit);
}

static void start(const struct run *run, struct slot *slot, uint64_t seed)
{
    fflush(stdout);
    *slot->result = (struct result){ .hours = 0 };
    slot->seed = seed;
    slot->busy = true;
    slot->pid = fork();
    if (slot->pid < 0) {
        perror("sim: fork");
        exit(2);
    }
    if (slot->pid > 0)
        return;
    limit_time(run);
    run_seed(run, seed, slot->result);
    exit(0);
}

static void add(struct result *sum, const struct result *r)
{
    sum->hours += r->hours;
    sum->faults += r->faults;
    sum->changes += r->changes;
    sum->relists += r->relists;
    sum->polls += r->polls;
    sum->callbacks += r->callbacks;
    sum->requests += r->requests;
    sum->bytes += r->bytes;
}

/* Waits for one child and takes its result. */
static void reap(struct run *run, struct slot *slots, struct result *sum)
{
    int status = 0;
    pid_t pid = wait(&status);

    for (uint32_t i = 0; i < run->jobs; i++) {
        struct slot *s = &slots[i];

        if (!s->busy || s->pid != pid)
            continue;
        s->busy = false;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            add(sum, s->result);
            return;
        }
        run->failures++;
        if (WIFSIGNALED(status))
            printf("seed %llu: killed by signal %d\n",
                   (unsigned long long)s->seed, WTERMSIG(status));
        describe(run, s->seed);
        printf("seed %llu failed; to repeat: %s --trace\n",
               (unsigned long long)s->seed, sim.repeat);
    }
}

static struct slot *free_slot(const struct run *run, struct slot *slots)
{
    for (uint32_t i = 0; i < run->jobs; i++)
        if (!slots[i].busy)
            return &slots[i];
    return NULL;
}

static bool any_busy(const struct run *run, const struct slot *slots)
{
    for (uint32_t i = 0; i < run->jobs; i++)
        if (slots[i].busy)
            return true;
    return false;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Every ten seconds, and how long it will take. */
static void progress(const struct run *run, uint64_t done,
                     const struct result *sum)
{
    static double begun, said;
    double now = seconds_now();
    uint64_t all = run->seeds + run->fresh;

    if (begun == 0)
        begun = said = now;
    if (!run->progress || now - said < 10 || done == 0)
        return;
    said = now;
    fprintf(stderr, "sim: %llu of %llu seeds, %llu hours, %llu failures, "
                    "about %.0f s to go\n",
            (unsigned long long)done, (unsigned long long)all,
            (unsigned long long)sum->hours,
            (unsigned long long)run->failures,
            (now - begun) / (double)done * (double)(all - done));
}

static uint64_t seed_number(const struct run *run, uint64_t n)
{
    return n < run->seeds ? run->options.seed + n
                          : run->first_fresh + n - run->seeds;
}

/* Far from those that people choose. */
static void draw_fresh(struct run *run)
{
    uint32_t drawn;

    if (run->fresh == 0)
        return;
    if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn)) {
        perror("sim: getrandom");
        exit(2);
    }
    run->first_fresh = (drawn + 1ull) * 1000000;
    printf("fresh seeds: %llu to %llu\n",
           (unsigned long long)run->first_fresh,
           (unsigned long long)(run->first_fresh + run->fresh - 1));
}

static void run_all(struct run *run, struct result *sum)
{
    struct slot *slots = calloc(run->jobs, sizeof(*slots));
    struct result *results =
        mmap(NULL, run->jobs * sizeof(*results), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t next = 0, all = run->seeds + run->fresh;

    if (slots == NULL || results == MAP_FAILED) {
        perror("sim");
        exit(2);
    }
    for (uint32_t i = 0; i < run->jobs; i++)
        slots[i].result = &results[i];
    while (next < all || any_busy(run, slots)) {
        struct slot *s = free_slot(run, slots);
        bool stop = run->failures > 0 && !run->keep_going;

        if (stop)
            next = all;
        if (s != NULL && next < all)
            start(run, s, seed_number(run, next++));
        else if (any_busy(run, slots))
            reap(run, slots, sum);
        progress(run, next, sum);
    }
    free(slots);
}

/* ---- the report --------------------------------------------------------- */

static void say(const struct run *run, const struct result *r, double seconds)
{
    printf("%llu seeds, %llu failed; %llu hours, %llu faults, %llu changes, "
           "%llu relists, %llu requests, %llu callbacks, %llu polls; "
           "%.0f hours a second\n",
           (unsigned long long)(run->seeds + run->fresh),
           (unsigned long long)run->failures, (unsigned long long)r->hours,
           (unsigned long long)r->faults, (unsigned long long)r->changes,
           (unsigned long long)r->relists, (unsigned long long)r->requests,
           (unsigned long long)r->callbacks, (unsigned long long)r->polls,
           (double)r->hours / seconds);
}

static void report(const struct run *run, const struct result *r,
                   double seconds)
{
    struct figures f = { .path = run->report, .add = run->add };

    if (run->report == NULL)
        return;
    figures_read(&f);
    figures_set(&f, "hours", (double)r->hours);
    figures_set(&f, "seeds", (double)(run->seeds + run->fresh));
    figures_set(&f, "failures", (double)run->failures);
    figures_set(&f, "faults", (double)r->faults);
    figures_set(&f, "changes", (double)r->changes);
    figures_set(&f, "relists", (double)r->relists);
    figures_set(&f, "seconds", seconds);
    f.add = false;
    figures_set(&f, "hours_per_second",
                figures_get(&f, "hours") / figures_get(&f, "seconds"));
    figures_write(&f);
}

/* An idle day costs a megabyte at most. */
static int idle_day(const struct run *run)
{
    struct figures f = { .path = run->report };
    struct result r = { .hours = 0 };

    snprintf(sim.repeat, sizeof(sim.repeat), "%s --idle-day", run->program);
    world_idle_day(&r);
    printf("a quiet informer: %llu requests, %llu bytes, %llu wakes of its own "
           "in a day\n", (unsigned long long)r.requests,
           (unsigned long long)r.bytes, (unsigned long long)r.wakes);
    MUST(r.bytes <= 1u << 20, "an idle day costs more than a megabyte");
    if (run->report == NULL)
        return 0;
    figures_read(&f);
    figures_set(&f, "idle_day_requests", (double)r.requests);
    figures_set(&f, "idle_day_bytes", (double)r.bytes);
    figures_set(&f, "idle_day_wakes", (double)r.wakes);
    figures_write(&f);
    return 0;
}

/* How many come back in one second. */
static int fleet(const struct run *run)
{
    struct figures g = { .path = run->report };
    struct fleet f;

    snprintf(sim.repeat, sizeof(sim.repeat), "%s --seed %llu --fleet %u",
             run->program, (unsigned long long)run->options.seed,
             run->spread_ms);
    fleet_run(run->options.seed, run->spread_ms, &f);
    if (run->report == NULL)
        return 0;
    figures_read(&g);
    figures_set(&g, "fleet_clients", f.clients);
    if (run->spread_ms == 0) {
        figures_set(&g, "fleet_peak_after_a_minute", f.peak_down);
    } else {
        figures_set(&g, "fleet_peak_spread", f.peak);
        figures_set(&g, "fleet_requests_spread", f.requests);
    }
    figures_write(&g);
    return 0;
}

/* ---- the command line --------------------------------------------------- */

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (*text != '\0' && *end == '\0')
        return value;
    fprintf(stderr, "sim: no number: %s\n%s", text, usage);
    exit(2);
}

static bool flag(struct run *run, const char *name)
{
    if (strcmp(name, "--trace") == 0)
        sim.trace = true;
    else if (strcmp(name, "--polls") == 0)
        sim.trace = sim.polls = true;
    else if (strcmp(name, "--print-script") == 0)
        run->options.print_script = true;
    else if (strcmp(name, "--keep-going") == 0)
        run->keep_going = true;
    else if (strcmp(name, "--progress") == 0)
        run->progress = true;
    else if (strcmp(name, "--add") == 0)
        run->add = true;
    else if (strcmp(name, "--idle-day") == 0)
        run->idle_day = true;
    else
        return false;
    return true;
}

static bool setting(struct run *run, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0)
        run->options.seed = number(value);
    else if (strcmp(name, "--seeds") == 0)
        run->seeds = number(value);
    else if (strcmp(name, "--fresh") == 0)
        run->fresh = number(value);
    else if (strcmp(name, "--hours") == 0)
        run->options.hours = (uint32_t)number(value);
    else if (strcmp(name, "--size") == 0)
        run->options.size = (int)number(value);
    else if (strcmp(name, "--fleet") == 0) {
        run->fleet = true;
        run->spread_ms = (uint32_t)number(value);
    } else if (strcmp(name, "--jobs") == 0)
        run->jobs = (uint32_t)number(value);
    else if (strcmp(name, "--report") == 0)
        run->report = value;
    else if (strcmp(name, "--script") == 0)
        run->options.script = value;
    else if (strcmp(name, "--wire") == 0)
        sim.wire = fopen(value, "w");
    else if (strcmp(name, "--faults") == 0) {
        run->faults_text = value;
        run->options.faults = kinds_of(value);
    } else
        return false;
    return true;
}

static void read_options(struct run *run, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (flag(run, argv[i]))
            continue;
        if (i + 1 < argc && setting(run, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        fprintf(stderr, "sim: unknown option %s\n%s", argv[i], usage);
        exit(2);
    }
    if (run->jobs == 0 || run->options.hours == 0) {
        fprintf(stderr, "%s", usage);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct run run = {
        .options = { .seed = 1, .hours = 10, .faults = KIND_ALL, .size = -1 },
        .seeds = 1, .jobs = 1, .program = argv[0]
    };
    struct result sum = { .hours = 0 };
    double begun = seconds_now();

    if (argc == 2 && strcmp(argv[1], "--talk") == 0)
        return talk();
    read_options(&run, argc, argv);
    if (run.fleet)
        return fleet(&run);
    if (run.idle_day)
        return idle_day(&run);
    if (run.options.print_script || sim.trace) {
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        run_seed(&run, run.options.seed, &sum);
        if (run.options.print_script)
            return 0;
    } else {
        draw_fresh(&run);
        run_all(&run, &sum);
    }
    begun = seconds_now() - begun;
    say(&run, &sum, begun);
    report(&run, &sum, begun);
    return run.failures > 0;
}
