/* SPDX-License-Identifier: Apache-2.0 */
/* https.c - the wiring of a host's program; see kinf_https.h. */
#include "kinf_https.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct kinf_span token(void *ctx, bool refused)
{
    const struct kinf_https *h = ctx;

    (void)refused;
    return (struct kinf_span){ h->token, strlen(h->token) };
}

/* Reads a file that is to be shorter than size. Returns its length or
 * KINF_ERR_CREDENTIALS. */
static int read_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = fd < 0 ? -1 : 1;

    while (n > 0 && len < size) {
        n = read(fd, buf + len, size - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return n == 0 && len < size ? (int)len : KINF_ERR_CREDENTIALS;
}

static int start_tls(struct kinf_https *h, const char *ca_file)
{
    int len = read_file(ca_file, h->ca, sizeof(h->ca)), err;

    if (len < 0)
        return len;
    h->system = (struct kinf_mbedtls_system){
        .platform = &kinf_posix_platform,
        .arena = h->arena,
        .arena_size = sizeof(h->arena),
    };
    err = kinf_mbedtls_start(&h->system);
    if (err == KINF_OK)
        err = kinf_mbedtls_credentials_init(&h->trusted);
    if (err == KINF_OK)
        err = kinf_mbedtls_trust(
            &h->trusted, (struct kinf_span){ h->ca, (size_t)len }, false);
    return err;
}

int kinf_https_init(struct kinf_https *h,
                    const struct kinf_https_config *config)
{
    const struct kinf_mbedtls_config over = {
        .lower = &kinf_posix_tcp_ops,
        .lower_ctx = &h->tcp,
        .credentials = &h->trusted,
        .ticket = h->ticket,
        .ticket_size = sizeof(h->ticket),
    };
    int err = start_tls(h, config->ca_file);

    if (err == KINF_OK)
        err = kinf_posix_init(&h->posix);
    if (err != KINF_OK)
        return err;
    h->token = config->token;
    h->config = (struct kinf_config){
        .platform = &kinf_posix_platform,
        .host = { config->host, strlen(config->host) },
        .port = config->port,
        .credentials = config->credentials,
        .spread_ms = config->spread_ms,
    };
    if (h->token != NULL)
        h->config.credentials = (struct kinf_credentials){ token, h };
    kinf_posix_tcp_init(&h->tcp);
    kinf_mbedtls_init(&h->tls, &over);
    kinf_posix_add(&h->posix, &h->tcp, &h->tls);
    kinf_init(&h->k, &h->config);
    kinf_session_init(&h->session, &h->k, &kinf_mbedtls_ops, &h->tls, h->io,
                      sizeof(h->io));
    return KINF_OK;
}

void kinf_https_poll(struct kinf_https *h)
{
    kinf_posix_wait(&h->posix, &h->k, kinf_poll(&h->k), NULL, 0);
}
