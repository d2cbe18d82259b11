/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.h - writes a request out of spans that stay where they are. */
#ifndef KINF_WIRE_HTTP_REQUEST_H
#define KINF_WIRE_HTTP_REQUEST_H

#include "kinformer.h"

void kinf_http_request_init(struct kinf_http_request *q);

/* Adds text, which the caller keeps until it is sent. Empty text adds nothing.
 * More than KINF_PARTS_MAX parts are a broken promise. */
void kinf_http_request_add(struct kinf_http_request *q, struct kinf_span text,
                           enum kinf_part_type type);

/* Writes what comes next into buf, of 3 bytes or more. Returns how many; 0 when
 * all is written or a secret is next. */
size_t kinf_http_request_fill(struct kinf_http_request *q, char *buf,
                              size_t size);

/* If a secret is next: what is unsent of it, else an empty span. */
struct kinf_span kinf_http_request_secret(const struct kinf_http_request *q);

/* Notes that n bytes of the secret went out. */
void kinf_http_request_sent(struct kinf_http_request *q, size_t n);

bool kinf_http_request_done(const struct kinf_http_request *q);

#endif
