/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - a request as parts; see http_request.h. */
#define KINF_FILE 40
#include "http_request.h"

#include <string.h>

#include "base/assert.h"

void kinf_http_request_init(struct kinf_http_request *q)
{
    q->count = q->part = 0;
    q->at = 0;
}

void kinf_http_request_rewind(struct kinf_http_request *q)
{
    q->part = 0;
    q->at = 0;
}

void kinf_http_request_add(struct kinf_http_request *q, struct kinf_span text,
                           enum kinf_part_type type)
{
    KINF_ASSERT(q->count < KINF_PARTS_MAX);
    if (text.len > 0)
        q->parts[q->count++] = (struct kinf_part){ text, type };
}

/* RFC 3986, section 2.3: what need not be encoded. */
static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static size_t encode(char *buf, char c)
{
    static const char hex[] = "0123456789ABCDEF";

    buf[0] = '%';
    buf[1] = hex[(unsigned char)c >> 4];
    buf[2] = hex[(unsigned char)c & 15];
    return 3;
}

static void advance(struct kinf_http_request *q, size_t count)
{
    q->at += count;
    if (q->at < q->parts[q->part].text.len)
        return;
    q->part++;
    q->at = 0;
}

/* Writes what fits of the part that is next. */
static size_t write_part(struct kinf_http_request *q, char *buf, size_t room)
{
    const struct kinf_part *p = &q->parts[q->part];
    const char *text = p->text.ptr + q->at;
    size_t left = p->text.len - q->at;

    if (p->type == KINF_PART_ENCODED && !unreserved(*text)) {
        if (room < 3)
            return 0;
        advance(q, 1);
        return encode(buf, *text);
    }
    if (p->type == KINF_PART_ENCODED)
        left = 1;
    if (left > room)
        left = room;
    memcpy(buf, text, left);
    advance(q, left);
    return left;
}

size_t kinf_http_request_fill(struct kinf_http_request *q, char *buf,
                              size_t size)
{
    size_t used = 0, written = 1;

    while (written > 0 && used < size && q->part < q->count &&
           q->parts[q->part].type != KINF_PART_SECRET) {
        written = write_part(q, buf + used, size - used);
        used += written;
    }
    return used;
}

struct kinf_span kinf_http_request_secret(const struct kinf_http_request *q)
{
    const struct kinf_part *p = &q->parts[q->part];

    if (q->part == q->count || p->type != KINF_PART_SECRET)
        return (struct kinf_span){ NULL, 0 };
    return (struct kinf_span){ p->text.ptr + q->at, p->text.len - q->at };
}

void kinf_http_request_sent(struct kinf_http_request *q, size_t count)
{
    KINF_ASSERT(count <= kinf_http_request_secret(q).len);
    advance(q, count);
}

bool kinf_http_request_done(const struct kinf_http_request *q)
{
    return q->part == q->count;
}
