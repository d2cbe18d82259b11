/* SPDX-License-Identifier: Apache-2.0 */
/* tls_rig.c - what the tests of TLS have in common. */
#include <string.h>

#include "port/tls_rig.h"

#ifdef ONLY_TLS_1_2
const char *const versions[] = { "1.2" };
#else
const char *const versions[] = { "1.2", "1.3" };
#endif
const size_t version_count = COUNT(versions);

void serve(struct rig *rig, const char *command)
{
    REQUIRE(peer_do(&rig->peer, "tls %s", command), "peer: %s",
            rig->peer.answer);
}

void serve_version(struct rig *rig, const char *cert, const char *rest,
                          const char *version)
{
    char command[200];

    snprintf(command, sizeof(command), "%s %s %s", cert, version, rest);
    serve(rig, command);
}

void start(size_t arena_bytes, const char *authority)
{
    int err = tls_start(arena_bytes, authority);

    REQUIRE(err == KINF_OK, "start: %d, %s", err,
            the_tls.credentials.reason != NULL ? the_tls.credentials.reason
                                               : "no reason");
}

void set_host(struct rig *rig, const char *host)
{
    rig->host = (struct kinf_span){ host, strlen(host) };
}

void refused(struct rig *rig, int expected, const char *words)
{
    int err;

    peer_tell(&rig->peer, "accept");
    err = rig_open(rig);
    REQUIRE(err == expected, "open gave %d (%s), not %d", err, rig_reason(rig),
            expected);
    REQUIRE(strstr(rig_reason(rig), words) != NULL, "'%s' is not in '%s'",
            words, rig_reason(rig));
    REQUIRE(!rig_status(rig).verified, "refused, and yet verified");
    rig->ops->close(rig->ctx);
    REQUIRE(!peer_answer(&rig->peer), "the server believes in a handshake");
}

bool round_trip(struct rig *rig)
{
    uint64_t sent = 0, got = 0;
    bool resumed;

    rig_connect(rig);
    resumed = rig_status(rig).resumed;
    REQUIRE(rig_status(rig).verified, "open, but not verified");
    rig_send(rig, &sent, 100, 100);
    REQUIRE(peer_do(&rig->peer, "recv 100"), "peer: %s", rig->peer.answer);
    REQUIRE(peer_do(&rig->peer, "send 100"), "peer: %s", rig->peer.answer);
    rig_recv(rig, &got, 100, 100);
    REQUIRE(peer_do(&rig->peer, "info"), "peer: %s", rig->peer.answer);
    REQUIRE(resumed == (strstr(rig->peer.answer, "resumed") != NULL),
            "we say resumed: %d, the server: %s", resumed, rig->peer.answer);
    rig->ops->close(rig->ctx);
    return resumed;
}

void info_has(struct rig *rig, const char *words)
{
    REQUIRE(strstr(rig->peer.answer, words) != NULL, "'%s' is not in '%s'",
            words, rig->peer.answer);
}

size_t arena_used(void)
{
    struct kinf_mbedtls_arena arena;

    kinf_mbedtls_arena(&arena);
    return arena.used;
}

int tls_main(const struct check *checks, size_t count)
{
    struct port port = tls_port;

    port.name = "tls";
    checks_run(&port, checks, count);
    return checks_end();
}
