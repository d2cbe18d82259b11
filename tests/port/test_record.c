/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c - the firmware profile with an input buffer of 4,096 bytes: all
 * works while the server's records fit, and one that does not ends the
 * connection with an error of its own. */
#include <string.h>

#include "port/mbedtls_port.h"

static void records_that_fit_come_whole(struct rig *rig)
{
    uint64_t got = 0;

    rig_connect(rig);
    peer_tell(&rig->peer, "send 200000 4096");
    rig_recv(rig, &got, 200000, 1000);
    REQUIRE(peer_answer(&rig->peer), "peer: %s", rig->peer.answer);
}

static void a_larger_record_is_told_as_such(struct rig *rig)
{
    static const int sizes[] = { 4097, 5000, 10000, 16384 };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t got = 0;
        int err;

        rig_connect(rig);
        peer_tell(&rig->peer, "send 100");
        peer_tell(&rig->peer, "send %d", sizes[i]);
        err = rig_recv_end(rig, &got);
        REQUIRE(err == KINF_ERR_RECORD, "%d bytes: %d, %s", sizes[i], err,
                rig_reason(rig));
        REQUIRE(got == 100, "%llu bytes were given out",
                (unsigned long long)got);
        REQUIRE(strstr(rig_reason(rig), "KINF_TLS_IN_BYTES") != NULL,
                "words: %s", rig_reason(rig));
        rig->ops->close(rig->ctx);
        (void)peer_answer(&rig->peer);
        (void)peer_answer(&rig->peer);
    }
}

#define CHECK(name) { #name, name, 0 }
static const struct check checks[] = {
    CHECK(records_that_fit_come_whole),
    CHECK(a_larger_record_is_told_as_such),
};

int main(void)
{
    struct port port = tls_port;

    port.name = "IN 4096";
    checks_run(&port, checks, sizeof(checks) / sizeof(checks[0]));
    return checks_end();
}
