/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - runs worlds, each in a process of its own; see usage. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "talk.h"
#include "world.h"

static const char usage[] =
    "usage: sim [option]...\n"
    "  --seed N       the first seed (default 1); trace with --trace\n"
    "  --seeds N      so many seeds (default 1)\n"
    "  --hours N      simulated hours of each seed (default 10)\n"
    "  --faults LIST  kinds of trouble, of net,server,proxy,restore,app,big,\n"
    "                 broken,time; all (default), none\n"
    "  --size N       0 tiny .. 3 large, in place of the seed's\n"
    "  --script FILE  what happens, in place of what the seed draws\n"
    "  --print-script what would happen, and no more\n"
    "  --jobs N       processes at a time (default 1)\n"
    "  --keep-going   after a failure\n"
    "  --report FILE  figures of the run, as JSON\n"
    "  --talk FILE    a script of requests to the model server alone\n"
    "  --wire FILE    gets all that is received\n"
    "  --polls        tells of each poll, too\n"
    "  --trace        tells what happens\n";

/* What a world holds is not freed: its process ends with it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct run {
    struct options options;
    uint64_t seeds, failures;
    uint32_t jobs;
    bool keep_going;
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
    { "none", 0 }
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

static void progress(uint64_t done, uint64_t all, const struct result *sum)
{
    static time_t said;
    time_t now = time(NULL);

    if (now - said < 10 || !isatty(2))
        return;
    said = now;
    fprintf(stderr, "sim: %llu of %llu seeds, %llu hours\n",
            (unsigned long long)done, (unsigned long long)all,
            (unsigned long long)sum->hours);
}

static void run_all(struct run *run, struct result *sum)
{
    struct slot *slots = calloc(run->jobs, sizeof(*slots));
    struct result *results =
        mmap(NULL, run->jobs * sizeof(*results), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t next = 0;

    if (slots == NULL || results == MAP_FAILED) {
        perror("sim");
        exit(2);
    }
    for (uint32_t i = 0; i < run->jobs; i++)
        slots[i].result = &results[i];
    while (next < run->seeds || any_busy(run, slots)) {
        struct slot *s = free_slot(run, slots);
        bool stop = run->failures > 0 && !run->keep_going;

        if (stop)
            next = run->seeds;
        if (s != NULL && next < run->seeds)
            start(run, s, run->options.seed + next++);
        else if (any_busy(run, slots))
            reap(run, slots, sum);
        progress(next, run->seeds, sum);
    }
    free(slots);
}

/* ---- the report --------------------------------------------------------- */

static void report(const struct run *run, const struct result *r,
                   double seconds)
{
    FILE *f;

    printf("%llu seeds, %llu failed; %llu hours, %llu faults, %llu changes, "
           "%llu relists, %llu requests, %llu callbacks, %llu polls; "
           "%.0f hours a second\n",
           (unsigned long long)run->seeds, (unsigned long long)run->failures,
           (unsigned long long)r->hours, (unsigned long long)r->faults,
           (unsigned long long)r->changes, (unsigned long long)r->relists,
           (unsigned long long)r->requests, (unsigned long long)r->callbacks,
           (unsigned long long)r->polls, (double)r->hours / seconds);
    if (run->report == NULL)
        return;
    f = fopen(run->report, "w");
    if (f == NULL) {
        perror(run->report);
        exit(2);
    }
    fprintf(f, "{\"hours\": %llu, \"seeds\": %llu, \"failures\": %llu, "
               "\"faults\": %llu, \"changes\": %llu, \"relists\": %llu, "
               "\"hours_per_second\": %.1f}\n",
            (unsigned long long)r->hours, (unsigned long long)run->seeds,
            (unsigned long long)run->failures, (unsigned long long)r->faults,
            (unsigned long long)r->changes, (unsigned long long)r->relists,
            (double)r->hours / seconds);
    fclose(f);
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
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
    else if (strcmp(name, "--hours") == 0)
        run->options.hours = (uint32_t)number(value);
    else if (strcmp(name, "--size") == 0)
        run->options.size = (int)number(value);
    else if (strcmp(name, "--jobs") == 0)
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

    if (argc == 3 && strcmp(argv[1], "--talk") == 0)
        return talk(argv[2]);
    read_options(&run, argc, argv);
    if (run.options.print_script || sim.trace) {
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        run_seed(&run, run.options.seed, &sum);
        if (run.options.print_script)
            return 0;
    } else {
        run_all(&run, &sum);
    }
    report(&run, &sum, seconds_now() - begun);
    return run.failures > 0;
}
