/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - connection and figures of the benchmark's C clients. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static _Alignas(8) unsigned char arena[256 * 1024];
static char ticket[KINF_MBEDTLS_TICKET_BYTES];

static size_t read_file(const char *path, char *buf, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t len = file != NULL ? fread(buf, 1, size, file) : 0;

    if (file != NULL)
        fclose(file);
    if (len == 0 || len == size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    return len;
}

void client_init(struct client *c, int argc, char **argv)
{
    static struct kinf_mbedtls_system system;
    static char ca[65536];
    struct kinf_mbedtls_config config;
    size_t len;

    if (argc < 5) {
        fprintf(stderr, "usage: %s HOST PORT CA TOKEN [NAMESPACE]\n", argv[0]);
        exit(2);
    }
    memset(c, 0, sizeof(*c));
    c->host = argv[1];
    c->port = (uint16_t)atoi(argv[2]);
    c->space = argc > 5 ? argv[5] : "";
    len = read_file(argv[4], c->token, sizeof(c->token) - 1);
    while (len > 0 && c->token[len - 1] == '\n')
        c->token[--len] = 0;
    len = read_file(argv[3], ca, sizeof(ca));
    system = (struct kinf_mbedtls_system){ .platform = &kinf_posix_platform,
                                           .arena = arena,
                                           .arena_size = sizeof(arena) };
    if (kinf_mbedtls_start(&system) != KINF_OK ||
        kinf_mbedtls_credentials_init(&c->credentials) != KINF_OK ||
        kinf_mbedtls_trust(&c->credentials, (struct kinf_span){ ca, len },
                           false) != KINF_OK) {
        fprintf(stderr, "TLS set-up failed\n");
        exit(2);
    }
    config = (struct kinf_mbedtls_config){
        .lower = &kinf_posix_tcp_ops, .lower_ctx = &c->tcp,
        .credentials = &c->credentials, .ticket = ticket,
        .ticket_size = sizeof(ticket)
    };
    kinf_posix_tcp_init(&c->tcp);
    kinf_mbedtls_init(&c->tls, &config);
}

static long long micros(struct timeval t)
{
    return (long long)t.tv_sec * 1000000 + t.tv_usec;
}

static long status_kb(const char *name)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    long value = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return value;
}

void client_report(uint64_t events, uint64_t objects, uint64_t bytes)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    printf("{\"cpu_us\": %lld, \"events\": %llu, \"objects\": %llu, "
           "\"bytes\": %llu, \"rss_kb\": %ld, \"peak_kb\": %ld}\n",
           micros(used.ru_utime) + micros(used.ru_stime),
           (unsigned long long)events, (unsigned long long)objects,
           (unsigned long long)bytes, status_kb("VmRSS:"),
           status_kb("VmHWM:"));
    fflush(stdout);
}
