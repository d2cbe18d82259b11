/* SPDX-License-Identifier: Apache-2.0 */
/* http_response.h - takes an HTTP/1.1 answer apart, any bytes at a time. */
#ifndef KINF_WIRE_HTTP_RESPONSE_H
#define KINF_WIRE_HTTP_RESPONSE_H

#include "kinformer.h"

enum http_event { HTTP_HEAD = 1, HTTP_BODY, HTTP_END };

void kinf_http_response_init(struct kinf_http_response *r);

/* Takes bytes of an answer, one event at a time, and tells in *used how many
 * are done with: call again with the rest.
 *
 * HTTP_HEAD: status line and headers are whole; r->status etc. are set.
 * HTTP_BODY: *body is a piece of the body inside data.
 * HTTP_END: the answer is complete; r->keep_alive tells whether the connection
 *   serves another. It always uses a byte, the answer's last, which the event
 *   before it left: so nobody has to call with nothing to be told.
 * KINF_ERR_AGAIN: all is used, more is needed. Other errors are sticky. */
int kinf_http_response_feed(struct kinf_http_response *r, const char *data,
                            size_t size, size_t *used, struct kinf_span *body);

/* The connection was closed. Returns KINF_OK if the answer may end so, else
 * KINF_ERR_CUT. */
int kinf_http_response_closed(struct kinf_http_response *r);

#endif
