/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.h - writes a request out of a template and spans that stay where
 * they are.
 *
 * A template is words and values: %a to %z stand for values[0] to values[25] as
 * they are, %A to %Z for the same, percent-encoded, and %! for the secret. The
 * words before a value are left out with it when it is empty; those before %-,
 * which is no value, always stay. Every template ends in %-.
 *
 *   "GET %-/api%-s/%g/%v/namespaces/%N/%r"   /api/v1/pods
 */
#ifndef KINF_WIRE_HTTP_REQUEST_H
#define KINF_WIRE_HTTP_REQUEST_H

#include "kinformer.h"

/* Empties all values. */
void kinf_http_request_init(struct kinf_http_request *q);

/* The value behind a lower-case letter, to be set before the first _fill; the
 * caller keeps the text until it is sent. */
static inline struct kinf_span *http_value(struct kinf_http_request *q,
                                           char letter)
{
    return &q->values[letter - 'a'];
}

/* Begins to send, also anew. */
void kinf_http_request_start(struct kinf_http_request *q,
                             const char *template_);

/* Writes what comes next into buf, of 3 bytes or more. Returns how many; 0 when
 * all is written or a secret is next: then q->rest is what is unsent of it. */
size_t kinf_http_request_fill(struct kinf_http_request *q, char *buf,
                              size_t size);

#endif
