/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - reading the page, and the token that replaces the page's. */
#include "credentials.h"

#include <string.h>

static struct kinf_span renewed;

struct kinf_span board_text(const char *text)
{
    return (struct kinf_span){ text, strlen(text) };
}

struct kinf_span board_anchors(void)
{
    return (struct kinf_span){ (const char *)board_credentials.ca,
                               board_credentials.ca_size };
}

void board_token_renew(struct kinf_span token)
{
    renewed = token;
}

struct kinf_span board_token(void *ctx, bool refused)
{
    (void)ctx;
    (void)refused;
    return renewed.len > 0 ? renewed : board_text(board_credentials.token);
}
