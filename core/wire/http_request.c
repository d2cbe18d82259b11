/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - a template, written out with its values.
 *
 * Nothing of a request is held twice: words and values go through the sender's
 * buffer, the secret goes out from where it lies, so that no buffer keeps a
 * copy of a token. */
#define KINF_FILE 50
#include "http_request.h"

#include <string.h>

#include "base/assert.h"

void kinf_http_request_init(struct kinf_http_request *q)
{
    memset(q, 0, sizeof(*q));
}

void kinf_http_request_start(struct kinf_http_request *q, const char *template_)
{
    q->next = template_;
    q->rest.len = 0;
    q->after = '-';
}

static const struct kinf_span *value_of(const struct kinf_http_request *q,
                                        char name)
{
    return name == '!' ? &q->secret : &q->values[(name | 0x20) - 'a'];
}

/* Goes on to the next piece that is not empty: words, or the value after them.
 * At the end of the template rest stays empty. */
static void next_piece(struct kinf_http_request *q)
{
    while (q->rest.len == 0 && (q->after != '-' || *q->next != '\0')) {
        if (q->after != '-') {
            q->rest = *value_of(q, q->after);
            q->piece = q->after;
            q->after = '-';
            continue;
        }
        q->rest.ptr = q->next;
        q->piece = '-';
        q->next = strchr(q->next, '%') + 2;
        q->after = q->next[-1];
        if (q->after == '-' || value_of(q, q->after)->len > 0)
            q->rest.len = (size_t)(q->next - 2 - q->rest.ptr);
        else
            q->after = '-';
    }
}

/* RFC 3986 2.3: what need not be encoded anywhere. */
static bool is_unreserved(char c)
{
    char letter = (char)(c | 0x20);

    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

size_t kinf_http_request_fill(struct kinf_http_request *q, char *buf,
                              size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    KINF_ASSERT(size >= 3);
    for (;;) {
        unsigned char c;

        next_piece(q);
        if (q->rest.len == 0 || q->piece == '!' || n == size)
            return n;
        c = (unsigned char)*q->rest.ptr;
        if (q->piece >= 'a' || q->piece == '-' || is_unreserved((char)c)) {
            buf[n++] = (char)c;
        } else {
            if (size - n < 3)
                return n;
            buf[n++] = '%';
            buf[n++] = digits[c >> 4];
            buf[n++] = digits[c & 15];
        }
        q->rest.ptr++;
        q->rest.len--;
    }
}
