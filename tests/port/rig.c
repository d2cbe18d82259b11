/* SPDX-License-Identifier: Apache-2.0 */
/* rig.c - a transport with a peer at its other end, and a process for each
 * check. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "port/conformance.h"

static int result_fd = -1; /* of the running check, in its process */

static void leave(char kind, const char *text)
{
    if (result_fd < 0) { /* a test of a single port, in its own process */
        fprintf(stderr, "%s\n", text);
        abort();
    }
    if (write(result_fd, &kind, 1) < 0 ||
        write(result_fd, text, strlen(text)) < 0)
        _exit(3);
    _exit(1);
}

void broken(const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    leave('b', text);
    abort();
}

void skipped(const char *why)
{
    leave('s', why);
    abort();
}

/* The kernel's clock, whatever the tests make of clock_gettime. */
int64_t real_ms(void)
{
    struct timespec now;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t rig_ms(struct rig *rig)
{
    return rig->port->time_ms != NULL ? rig->port->time_ms() : real_ms();
}

void rig_pass(struct rig *rig, int ms)
{
    int64_t until = real_ms() + ms;

    if (rig->port->pass_ms != NULL) {
        rig->port->pass_ms(ms);
        return;
    }
    while (real_ms() < until)
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* ---- one process a check ------------------------------------------------ */

static void run_child(const struct port *port, const struct check *check,
                      int fd)
{
    struct rig rig;

    result_fd = fd;
    alarm(check->seconds != 0 ? check->seconds : CHECK_SECONDS);
    rig_init(&rig, port);
    check->run(&rig);
    rig_free(&rig);
    _exit(0);
}

enum outcome conformance_run(const struct port *port, const struct check *check,
                             char *text, size_t size)
{
    int ends[2], status = 0;
    size_t len = 0;
    pid_t pid;

    text[0] = '\0';
    if (pipe(ends) != 0)
        abort();
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_child(port, check, ends[1]);
    }
    close(ends[1]);
    for (;;) {
        ssize_t n = read(ends[0], text + len, size - 1 - len);

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return KEPT;
    if (len > 0) {
        enum outcome outcome = text[0] == 's' ? SKIPPED : BROKEN;

        memmove(text, text + 1, len);
        return outcome;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(text, size, "not done after %d s: a call blocks, or what it "
                             "waits for is not what it says", CHECK_SECONDS);
    else
        snprintf(text, size, "the process died (status %#x)",
                 (unsigned)status);
    return BROKEN;
}

static size_t number, failed; /* checks printed so far */

void checks_run(const struct port *port, const struct check *checks,
                size_t count)
{
    char text[512];

    for (size_t i = 0; i < count; i++) {
        enum outcome outcome =
            conformance_run(port, &checks[i], text, sizeof(text));

        number++;
        failed += outcome == BROKEN;
        printf("%sok %zu - %s: %s%s%s\n", outcome == BROKEN ? "not " : "",
               number, port->name, checks[i].name,
               outcome == SKIPPED ? " # SKIP " : "",
               outcome == SKIPPED ? text : "");
        if (outcome == BROKEN)
            printf("# %s\n", text);
        fflush(stdout);
    }
}

int checks_end(void)
{
    printf("1..%zu\n", number);
    return failed == 0 ? 0 : 1;
}

int conformance_main(const struct port *const *ports, size_t count)
{
    for (size_t p = 0; p < count; p++)
        checks_run(ports[p], conformance, conformance_count);
    return checks_end();
}

/* ---- the rig ------------------------------------------------------------ */

void rig_home(struct rig *rig)
{
    const char *host = rig->port->host;

    host = host != NULL ? host : "127.0.0.1";
    rig->host = (struct kinf_span){ host, strlen(host) };
}

void rig_init(struct rig *rig, const struct port *port)
{
    memset(rig, 0, sizeof(*rig));
    rig->port = port;
    rig->ops = port->ops;
    peer_start(&rig->peer, port->peer);
    if (port->peer_tls != NULL)
        REQUIRE(peer_do(&rig->peer, "%s", port->peer_tls), "peer: %s",
                rig->peer.answer);
    rig->number = peer_listen(&rig->peer, "127.0.0.1");
    REQUIRE(rig->number != 0, "peer: %s", rig->peer.answer);
    rig_home(rig);
    rig->ctx = port->make();
}

void rig_free(struct rig *rig)
{
    rig->ops->close(rig->ctx);
    peer_stop(&rig->peer);
}

struct kinf_transport_status rig_status(struct rig *rig)
{
    struct kinf_transport_status status;

    memset(&status, 0, sizeof(status));
    rig->ops->status(rig->ctx, &status);
    return status;
}

const char *rig_reason(struct rig *rig)
{
    const char *reason = rig_status(rig).reason;

    return reason != NULL ? reason : "(no reason)";
}

void rig_wait(struct rig *rig, int timeout_ms)
{
    struct kinf_transport_status status = rig_status(rig);

    REQUIRE(status.wants != 0 || status.wait_ms != 0,
            "after AGAIN, status says neither wants nor wait_ms");
    if (status.wait_ms != 0 && (int)status.wait_ms < timeout_ms)
        timeout_ms = (int)status.wait_ms;
    if ((status.wants & KINF_WANTS_CALL) == 0)
        rig->port->wait(rig->ctx, &status, timeout_ms);
}

int rig_open(struct rig *rig)
{
    int err;

    while ((err = rig->ops->open(rig->ctx, rig->host, rig->number)) ==
           KINF_ERR_AGAIN)
        rig_wait(rig, 10000);
    REQUIRE(err <= 0, "open returned %d", err);
    return err;
}

void rig_connect(struct rig *rig)
{
    int err;

    peer_tell(&rig->peer, "accept");
    err = rig_open(rig);
    REQUIRE(err == KINF_OK, "open: %d, %s", err, rig_reason(rig));
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
}

static void fill(uint8_t *out, uint64_t at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = peer_byte(at + i);
}

void rig_send(struct rig *rig, uint64_t *at, size_t size, size_t piece)
{
    uint8_t bytes[8192];

    while (size > 0) {
        size_t now = piece < sizeof(bytes) ? piece : sizeof(bytes);
        int n;

        now = now < size ? now : size;
        fill(bytes, *at, now);
        n = rig->ops->send(rig->ctx, bytes, now);
        if (n == KINF_ERR_AGAIN) {
            rig_wait(rig, 10000);
            continue;
        }
        REQUIRE(n != 0, "send returned 0");
        REQUIRE(n > 0, "send: %d, %s", n, rig_reason(rig));
        REQUIRE((size_t)n <= now, "send took %d of %zu bytes", n, now);
        *at += (unsigned)n;
        size -= (size_t)n;
    }
}

/* One recv into a buffer with guards around it. */
static int recv_guarded(struct rig *rig, uint8_t *bytes, size_t size)
{
    uint8_t buffer[8192 + 16];
    int n;

    memset(buffer, 0xA5, sizeof(buffer));
    n = rig->ops->recv(rig->ctx, buffer + 8, size);
    REQUIRE(n != 0, "recv returned 0");
    REQUIRE(n < 0 || (size_t)n <= size, "recv gave %d of %zu bytes", n, size);
    for (size_t i = 0; i < 8; i++)
        REQUIRE(buffer[i] == 0xA5 && buffer[8 + size + i] == 0xA5,
                "recv wrote outside the buffer");
    if (n > 0)
        memcpy(bytes, buffer + 8, (size_t)n);
    return n;
}

static void expect(const uint8_t *bytes, uint64_t at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        REQUIRE(bytes[i] == peer_byte(at + i),
                "byte %llu is wrong: lost, doubled or changed",
                (unsigned long long)(at + i));
}

void rig_recv(struct rig *rig, uint64_t *at, size_t size, size_t piece)
{
    uint8_t bytes[8192];

    while (size > 0) {
        size_t now = piece < sizeof(bytes) ? piece : sizeof(bytes);
        int n;

        now = now < size ? now : size;
        n = recv_guarded(rig, bytes, now);
        if (n == KINF_ERR_AGAIN) {
            rig_wait(rig, 10000);
            continue;
        }
        REQUIRE(n > 0, "recv: %d, %s", n, rig_reason(rig));
        expect(bytes, *at, (size_t)n);
        *at += (unsigned)n;
        size -= (size_t)n;
    }
}

int rig_recv_end(struct rig *rig, uint64_t *bytes)
{
    uint8_t buffer[4096];

    for (;;) {
        int n = recv_guarded(rig, buffer, sizeof(buffer));

        if (n == KINF_ERR_AGAIN) {
            rig_wait(rig, 10000);
            continue;
        }
        if (n < 0)
            return n;
        expect(buffer, *bytes, (size_t)n);
        *bytes += (unsigned)n;
    }
}
