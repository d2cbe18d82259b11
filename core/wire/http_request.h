/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.h - a request as parts, written out as there is room.
 *
 * Parts are spans of their owners. A secret part is never copied: it is sent
 * from where it lies. */
#ifndef KINF_WIRE_HTTP_REQUEST_H
#define KINF_WIRE_HTTP_REQUEST_H

#include "kinformer.h"

void kinf_http_request_init(struct kinf_http_request *q);
/* Adds a part; an empty one is nothing. At most KINF_PARTS_MAX. */
void kinf_http_request_add(struct kinf_http_request *q, struct kinf_span text,
                           enum kinf_part_type type);
/* Writes what comes next into buf (3 bytes or more). Returns the bytes written,
 * 0 when all is written or a secret is next. */
size_t kinf_http_request_fill(struct kinf_http_request *q, char *buf,
                              size_t size);
/* If a secret is next, what of it is not sent yet; else an empty span. */
struct kinf_span kinf_http_request_secret(const struct kinf_http_request *q);
/* Notes that so many bytes of the secret went out. */
void kinf_http_request_sent(struct kinf_http_request *q, size_t count);
bool kinf_http_request_done(const struct kinf_http_request *q);
/* To be written once more from the beginning. */
void kinf_http_request_rewind(struct kinf_http_request *q);

#endif
