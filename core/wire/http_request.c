/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - a list of spans, written out in order.
 *
 * Nothing of a request is held twice: plain text and what is percent-encoded
 * goes through the sender's buffer, a secret goes out from where it lies, so
 * that no buffer keeps a copy of a token. */
#define KINF_FILE 50
#include "http_request.h"

#include <string.h>

#include "base/assert.h"

void kinf_http_request_init(struct kinf_http_request *q)
{
    q->count = q->part = 0;
    q->at = 0;
}

/* No part is empty, so the part at q->part always has something unsent. */
void kinf_http_request_add(struct kinf_http_request *q, struct kinf_span text,
                           enum kinf_part_type type)
{
    KINF_ASSERT(q->part == 0 && q->at == 0);
    if (text.len == 0)
        return;
    KINF_ASSERT(q->count < KINF_PARTS_MAX);
    q->parts[q->count].text = text;
    q->parts[q->count].type = type;
    q->count++;
}

bool kinf_http_request_done(const struct kinf_http_request *q)
{
    return q->part == q->count;
}

/* What is unsent of the part that is next. */
static struct kinf_span rest(const struct kinf_http_request *q)
{
    struct kinf_span text = q->parts[q->part].text;

    return (struct kinf_span){ text.ptr + q->at, text.len - q->at };
}

static void advance(struct kinf_http_request *q, size_t n)
{
    q->at += n;
    if (q->at < q->parts[q->part].text.len)
        return;
    q->part++;
    q->at = 0;
}

/* RFC 3986 2.3: what need not be encoded anywhere. */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* Writes the byte that is next; an encoded one whole or not at all. */
static size_t encode(struct kinf_http_request *q, char *buf, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)*rest(q).ptr;

    if (is_unreserved(c)) {
        buf[0] = (char)c;
        advance(q, 1);
        return 1;
    }
    if (size < 3)
        return 0;
    buf[0] = '%';
    buf[1] = digits[c >> 4];
    buf[2] = digits[c & 15];
    advance(q, 1);
    return 3;
}

static size_t copy(struct kinf_http_request *q, char *buf, size_t size)
{
    struct kinf_span text = rest(q);
    size_t n = text.len < size ? text.len : size;

    memcpy(buf, text.ptr, n);
    advance(q, n);
    return n;
}

size_t kinf_http_request_fill(struct kinf_http_request *q, char *buf,
                              size_t size)
{
    size_t filled = 0, n = 1;

    KINF_ASSERT(size >= 3);
    while (n > 0 && filled < size && q->part < q->count &&
           q->parts[q->part].type != KINF_PART_SECRET) {
        if (q->parts[q->part].type == KINF_PART_ENCODED)
            n = encode(q, buf + filled, size - filled);
        else
            n = copy(q, buf + filled, size - filled);
        filled += n;
    }
    return filled;
}

struct kinf_span kinf_http_request_secret(const struct kinf_http_request *q)
{
    if (q->part == q->count || q->parts[q->part].type != KINF_PART_SECRET)
        return (struct kinf_span){ NULL, 0 };
    return rest(q);
}

void kinf_http_request_sent(struct kinf_http_request *q, size_t n)
{
    KINF_ASSERT(n <= kinf_http_request_secret(q).len);
    if (n > 0)
        advance(q, n);
}
