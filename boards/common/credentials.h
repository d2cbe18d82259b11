/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - the flash page of a board: which server, whom to trust, who
 * we are. run.py writes it into the image; in a product it is a page of flash
 * that is written when the device is set up. */
#ifndef KINF_BOARD_CREDENTIALS_H
#define KINF_BOARD_CREDENTIALS_H

#include "kinformer.h"

#define CREDENTIALS_MAGIC 0x464E494Bu /* "KINF" */

/* Texts end with a zero byte. No gaps; run.py knows the sizes. */
struct board_credentials {
    uint32_t magic;      /* anything else: the page is empty */
    uint32_t changes;    /* end after so many; 0: never */
    uint16_t port;
    uint16_t ca_size;
    char host[48];       /* address, or a name with LWIP_DNS */
    char name[64];       /* to be in the certificate; empty: the host */
    char namespace_[64]; /* empty: all */
    char token[1280];
    uint8_t ca[1400];    /* trust anchors, DER */
};

extern const struct board_credentials board_credentials;

/* A zero-ended text of the page. */
struct kinf_span board_text(const char *text);
/* The page's trust anchors. */
struct kinf_span board_anchors(void);

/* Renews the token: sent from the next request on, in place of the page's. It
 * is kept, not copied: it stays as it is until a request has gone out with the
 * one after it. An empty span brings back the page's. Not from an interrupt. */
void board_token_renew(struct kinf_span token);
/* What kinf_config.credentials asks. */
struct kinf_span board_token(void *ctx, bool refused);

#endif
