/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - one connection to the API server, leased to whoever has a
 * request: HTTP over a transport.
 *
 *   CLOSED -> OPENING -> SENDING -> HEAD -> BODY -> IDLE -> SENDING ...
 *
 * The owner of the lease builds u.request, starts it and pulls: the head, body
 * pieces, the end. Each phase up to the head has its own deadline; how long a
 * body may take is the reflector's to say. A kept connection that turns out to
 * be dead before the first byte of an answer is opened anew once. */
#ifndef KINF_WATCH_SESSION_H
#define KINF_WATCH_SESSION_H

#include "base/span.h"
#include "kinformer.h"
#include "wire/http_response.h"

enum session_event {
    SESSION_HEAD = HTTP_HEAD, /* as the response tells it */
    SESSION_BODY = HTTP_BODY,
    SESSION_END = HTTP_END
};

/* KINF_OK: it is ours until released. KINF_ERR_AGAIN: in line. */
int kinf_session_lease(struct kinf_session *s, struct kinf_lease *lease);
/* Leaves the session or its line. */
void kinf_session_release(struct kinf_session *s, struct kinf_lease *lease);

/* The template of a request for a path, which is one itself (http_request.h).
 * Values p to u, n and z are the session's, and the secret; x and y say what is
 * accepted: JSON, or what x says, or if there is a y metadata of this kind. */
#define KINF_SESSION_GET(path)                                                 \
    "GET %-%p" path " HTTP/1.1\r\nHost: %-%t:%u[%r]:%s\r\nUser-Agent: %q"      \
    "\r\nAccept: %x" KINF_AS_METADATA "\r\nAuthorization: Bearer %!\r\n\r\n%-"
#if CONFIG_KINF_METADATA
#define KINF_AS_METADATA ";as=%y;g=meta.k8s.io;v=%z,%n"
#else
#define KINF_AS_METADATA
#endif

/* Begins a request whose values, but for those, are set in u.request. Returns
 * KINF_OK or KINF_ERR_CREDENTIALS. */
int kinf_session_start(struct kinf_session *s, const char *template_);

/* A poll begins: CONFIG_KINF_POLL_BYTES may be received in it. */
static inline void kinf_session_begin_poll(struct kinf_session *s)
{
    s->waits = s->spent = false;
    s->taken = 0;
}

/* Goes on. Returns an event, KINF_ERR_AGAIN or an error, after which the
 * connection is closed. SESSION_BODY: s->body is unread body; who consumes of
 * it makes it shorter, and is asked again until it is empty. */
int kinf_session_next(struct kinf_session *s);
void kinf_session_close(struct kinf_session *s);

/* Error code of an HTTP status that is not 200. */
int kinf_status_error(int http_status, bool version_ahead);
/* Milliseconds of the answer's Retry-After, 0 if there is none. */
uint32_t kinf_session_retry_after(const struct kinf_session *s);
/* Why the transport failed, in words. */
void kinf_session_reason(const struct kinf_session *s, struct kinf_span *out);
/* Milliseconds the session can sleep. */
uint32_t kinf_session_wait(const struct kinf_session *s);

#endif
