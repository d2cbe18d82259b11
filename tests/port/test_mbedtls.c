/* SPDX-License-Identifier: Apache-2.0 */
/* test_mbedtls.c - port/mbedtls through the conformance suite, once for each
 * version of TLS, and over a transport that gives and takes few bytes. */
#include "port/mbedtls_port.h"

static void *make_dripping(void)
{
    void *tls = tls_make();

    faults.drip = true;
    faults.recv_piece = 700;
    faults.send_piece = 300;
    return tls;
}

#ifdef ONLY_TLS_1_2
#define COUNT 2 /* this profile speaks TLS 1.2 only */
#else
#define COUNT 3
#endif

int main(void)
{
    struct port tls12 = tls_port, tls13 = tls_port, drip = tls_port;
    const struct port *const ports[] = { &tls12, &drip, &tls13 };

    tls12.name = "tls 1.2";
    tls12.peer_tls = "tls server-ec 1.2";
    tls13.name = "tls 1.3";
    tls13.peer_tls = "tls server-ec 1.3";
    drip.name = "tls, dripping";
    drip.make = make_dripping;
    return conformance_main(ports, COUNT);
}
