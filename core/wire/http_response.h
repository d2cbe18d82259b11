/* SPDX-License-Identifier: Apache-2.0 */
/* http_response.h - an HTTP/1.1 answer, taken in at any split of its bytes.
 *
 *   STATUS -> HEADER.. -> LENGTH | CHUNK_SIZE -> CHUNK -> CHUNK_END .. | CLOSE
 *                                      \-> TRAILER.. -> DONE
 *
 * Only header lines we care for are kept, one at a time. Body bytes are handed
 * on where they lie and never looked at one by one. Strict where leniency
 * would let two parties see two different answers (RFC 9112, section 11). */
#ifndef KINF_WIRE_HTTP_RESPONSE_H
#define KINF_WIRE_HTTP_RESPONSE_H

#include "kinformer.h"

enum http_event { HTTP_HEAD = 1, HTTP_BODY, HTTP_END };

void kinf_http_response_init(struct kinf_http_response *r);

/* Takes bytes of an answer up to the next event. *used says how many; the rest
 * is given again. HTTP_HEAD: status and headers are whole. HTTP_BODY: *body is
 * a piece of the body inside data. HTTP_END: the answer is complete.
 * KINF_ERR_AGAIN: all taken, more needed. Other errors are sticky. */
int kinf_http_response_feed(struct kinf_http_response *r, const char *data,
                            size_t size, size_t *used,
                            struct kinf_span *body);

/* The connection was closed: KINF_OK if the answer may end so, KINF_ERR_CUT if
 * something is missing. */
int kinf_http_response_closed(struct kinf_http_response *r);

#endif
