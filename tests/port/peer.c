/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - the other end of a connection, as a child process. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/peer.h"

static void run(int in, int out)
{
    const char *python = access("/usr/bin/python3", X_OK) == 0
                             ? "/usr/bin/python3" : "python3";

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, 0);
    dup2(out, 1);
    execlp(python, python, "tests/port/peer.py", PKI_DIR, (char *)NULL);
    _exit(127);
}

void peer_start(struct peer *peer, const struct peer_inside *inside)
{
    int to[2], from[2];

    memset(peer, 0, sizeof(*peer));
    peer->inside = inside;
    if (inside != NULL)
        return;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        abort();
    peer->pid = fork();
    if (peer->pid < 0)
        abort();
    if (peer->pid == 0)
        run(to[0], from[1]);
    close(to[0]);
    close(from[1]);
    peer->to = fdopen(to[1], "w");
    peer->from = fdopen(from[0], "r");
}

void peer_stop(struct peer *peer)
{
    if (peer->inside != NULL)
        return;
    fclose(peer->to);
    fclose(peer->from);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
    memset(peer, 0, sizeof(*peer));
}

static void tell(struct peer *peer, const char *format, va_list args)
{
    char line[512];

    if (peer->inside != NULL) {
        vsnprintf(line, sizeof(line), format, args);
        peer->inside->tell(line);
        return;
    }
    vfprintf(peer->to, format, args);
    fputc('\n', peer->to);
    fflush(peer->to);
}

void peer_tell(struct peer *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(peer, format, args);
    va_end(args);
}

bool peer_answer(struct peer *peer)
{
    char line[512];

    if (peer->inside != NULL)
        peer->inside->wait(line, sizeof(line));
    else if (fgets(line, sizeof(line), peer->from) == NULL) {
        strcpy(peer->answer, "the peer has died");
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "ok", 2) == 0) {
        strcpy(peer->answer, line[2] == ' ' ? line + 3 : "");
        return true;
    }
    strcpy(peer->answer, line);
    return false;
}

bool peer_do(struct peer *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(peer, format, args);
    va_end(args);
    return peer_answer(peer);
}

uint16_t peer_listen(struct peer *peer, const char *address)
{
    if (!peer_do(peer, "listen %s", address))
        return 0;
    return (uint16_t)atoi(peer->answer);
}

uint8_t peer_byte(uint64_t at)
{
    at %= 1u << 17;
    return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16));
}
