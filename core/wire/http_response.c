/* SPDX-License-Identifier: Apache-2.0 */
/* http_response.c - an HTTP/1.1 answer as a state machine over its bytes.
 *
 *   STATUS_LINE -> HEADER ... -> LENGTH, UNTIL_CLOSE --------> LAST -> DONE
 *                            `-> SIZE -> CHUNK -> CHUNK_END -> SIZE ...
 *                                 `- size 0: TRAILER ... -> DONE
 *
 * All but the body is lines, that of a chunk's size and the empty one at its
 * end as well: they are taken byte by byte to their CR LF, and what is looked
 * at of them is held. The body is handed on where it lies and never looked at.
 *
 * Strict where RFC 9112 leaves a choice: a line ends in CR LF (2.2), a name
 * touches its colon (5.1), no line is folded (5.2), chunked is the only coding
 * (6.1), one Content-Length and it alone (6.3). */
#define KINF_FILE 51
#include "http_response.h"

#include <string.h>

#include "base/assert.h"
#include "base/span.h"

/* Named after what they expect, up to TRAILER a line. LAST: the byte that END
 * uses. */
enum http_state {
    STATUS_LINE,
    HEADER,
    SIZE,
    CHUNK_END,
    TRAILER,
    CHUNK,
    LENGTH,
    UNTIL_CLOSE,
    LAST,
    DONE
};

KINF_APART static void begin_head(struct kinf_http_response *r)
{
    uint32_t bytes = r->header_bytes;

    memset(r, 0, offsetof(struct kinf_http_response, line));
    r->header_bytes = bytes;
    r->keep_alive = true;
}

void kinf_http_response_init(struct kinf_http_response *r)
{
    r->header_bytes = 0;
    begin_head(r);
}

/* ---- header values ------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts a text at a separator and takes the blanks around it away. Sets *rest
 * behind the separator, or to NULL. */
static char *cut(char *text, char separator, char **rest)
{
    char *end = strchr(text, separator);

    *rest = NULL;
    if (separator != '\0' && end != NULL)
        *rest = end + 1;
    else
        end = text + strlen(text);
    while (end > text && is_blank(end[-1]))
        end--;
    *end = '\0';
    while (is_blank(*text))
        text++;
    return text;
}

#if CONFIG_KINF_HTTP_DATE

/* Days from 1 January 1970, for years from 1970 on; m 1 to 12. */
static uint32_t days_from(uint32_t y, uint32_t m, uint32_t d)
{
    y -= m <= 2; /* years begin in March, so that the leap day is the last */
    m = m > 2 ? m - 3 : m + 9;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + d - 719469;
}

/* RFC 9110 5.6.7, the one form in use: "Sun, 06 Nov 1994 08:49:37 GMT", here in
 * lower case. Returns 0 for any other. */
static int64_t read_date(char *text)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    static const uint8_t places[] = { 5, 12, 17, 20, 23, 25 };
    uint32_t n[5], month = 0; /* day, year, hour, minute, second */

    if (strlen(text) != 29)
        return 0;
    for (unsigned i = 0; i < 5; i++) {
        text[places[i] + (i == 1 ? 4 : 2)] = '\0';
        if (!kinf_read_number(text + places[i], 10, &n[i]))
            return 0;
    }
    while (month < 12 && memcmp(text + 8, months + 3 * month, 3) != 0)
        month++;
    if (month == 12 || n[1] < 1970)
        return 0;
    return (int64_t)days_from(n[1], month + 1, n[0]) * 86400 +
           (int64_t)(n[2] * 3600 + n[3] * 60 + n[4]);
}

static void take_retry_after(struct kinf_http_response *r, char *value)
{
    if (!kinf_read_number(value, 10, &r->retry_after_s))
        r->retry_after_date = read_date(value);
}

#else

static void take_retry_after(struct kinf_http_response *r, char *value)
{
    (void)kinf_read_number(value, 10, &r->retry_after_s);
}

#endif

/* ---- header lines ------------------------------------------------------- */

/* In the order of their names. */
enum header {
    CONTENT_LENGTH = 1,
    TRANSFER_ENCODING,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CONNECTION,
    RETRY_AFTER,
#if CONFIG_KINF_HTTP_DATE
    DATE,
#endif
    OTHER
};
#define HEADERS                                                                \
    "\16content-length\21transfer-encoding\20content-encoding\14content-type"  \
    "\12connection\13retry-after" HEADER_DATE
#if CONFIG_KINF_HTTP_DATE
#define HEADER_DATE "\4date"
#else
#define HEADER_DATE
#endif

static int take_header(struct kinf_http_response *r, unsigned header,
                       char *value)
{
    char *rest;

    switch ((enum header)header) {
    case CONTENT_LENGTH:
        if (r->has_length)
            return KINF_ERR_HTTP_LENGTH;
        r->has_length = true;
        if (!kinf_read_number(value, 10, &r->left))
            return KINF_ERR_HTTP_NUMBER;
        break;
    case TRANSFER_ENCODING:
        if (r->chunked || strcmp(value, "chunked") != 0)
            return KINF_ERR_HTTP_ENCODING;
        r->chunked = true;
        break;
    case CONTENT_ENCODING:
        if (*value != '\0' && strcmp(value, "identity") != 0)
            return KINF_ERR_HTTP_ENCODING;
        break;
    case CONTENT_TYPE:
        r->json = strcmp(cut(value, ';', &rest), "application/json") == 0;
        break;
    case CONNECTION:
        for (; value != NULL; value = rest)
            if (strcmp(cut(value, ',', &rest), "close") == 0)
                r->keep_alive = false;
        break;
    case RETRY_AFTER:
        take_retry_after(r, value);
        break;
#if CONFIG_KINF_HTTP_DATE
    case DATE:
        r->date = read_date(value);
        break;
#endif
    case OTHER:
    default:
        break;
    }
    return KINF_OK;
}

/* A header line is whole, or as much of it as is held, in lower case. */
static int end_header(struct kinf_http_response *r)
{
    bool whole = r->line_len < sizeof(r->line);
    char *colon = r->line, *rest;
    unsigned header;

    for (; *colon != ':'; colon++) {
        if (*colon == '\0' && !whole)
            return KINF_OK; /* it may be in what was not held */
        if (*colon == '\0' || is_blank(*colon))
            return KINF_ERR_HTTP_LINE;
    }
    if (colon == r->line)
        return KINF_ERR_HTTP_LINE;
    header =
        kinf_find_word(span_of(r->line, (size_t)(colon - r->line)), HEADERS);
    if (header != OTHER && !whole)
        return KINF_ERR_HTTP_LINE;
    return take_header(r, header, cut(colon + 1, '\0', &rest));
}

/* RFC 9112 4: "HTTP/1.1 200 OK"; the space after the status may be missing. */
static int end_status_line(struct kinf_http_response *r)
{
    static const char version[] = "HTTP/1.1 ";
    char *status = r->line + sizeof(version) - 1;
    uint32_t number;

    if (r->line_len < sizeof(version) - 1 ||
        memcmp(r->line, version, sizeof(version) - 1) != 0)
        return KINF_ERR_HTTP_VERSION;
    if (r->line_len < sizeof(version) + 2 ||
        (status[3] != ' ' && status[3] != '\0'))
        return KINF_ERR_HTTP_LINE;
    status[3] = '\0';
    if (!kinf_read_number(status, 10, &number) || number < 100)
        return KINF_ERR_HTTP_LINE;
    r->status = (uint16_t)number;
    return KINF_OK;
}

/* The empty line has come. Returns HTTP_HEAD, or KINF_OK when the answer proper
 * is still to come. */
static int end_head(struct kinf_http_response *r)
{
    bool no_body = r->status == 204 || r->status == 304; /* RFC 9112 6.3 */

    if (r->chunked && r->has_length)
        return KINF_ERR_HTTP_LENGTH;
    if (r->status < 200) { /* RFC 9110 15.2: 1xx come before the answer */
        begin_head(r);
        return KINF_OK;
    }
    r->header_bytes = 0;
    if (no_body || (r->has_length && r->left == 0)) {
        r->state = LAST;
    } else if (r->chunked) {
        r->state = SIZE;
    } else if (r->has_length) {
        r->state = LENGTH;
    } else {
        r->state = UNTIL_CLOSE;
        r->keep_alive = false;
    }
    return HTTP_HEAD;
}

/* RFC 9112 7.1: hexadecimal digits, then perhaps an extension that is ignored.
 * Both must fit what is held of a line. */
static int end_size(struct kinf_http_response *r)
{
    char *rest;

    r->header_bytes = 0;
    if (r->line_len == sizeof(r->line) || is_blank(r->line[0]) ||
        !kinf_read_number(cut(r->line, ';', &rest), 16, &r->left))
        return KINF_ERR_HTTP_CHUNK;
    r->state = r->left == 0 ? TRAILER : CHUNK;
    return KINF_OK;
}

/* A line is whole; what is held of it is in r->line. */
KINF_APART static int end_line(struct kinf_http_response *r)
{
    bool empty = r->line_len == 0;
    int err = KINF_OK;

    r->line[r->line_len - (r->line_len == sizeof(r->line))] = '\0';
    switch (r->state) {
    case STATUS_LINE:
        r->state = HEADER;
        err = end_status_line(r);
        break;
    case HEADER:
        err = empty ? end_head(r) : end_header(r);
        break;
    case SIZE:
        err = end_size(r);
        break;
    case CHUNK_END:
        r->state = SIZE;
        break;
    default: /* RFC 9112 7.1.2: trailers may be discarded */
        if (empty) {
            r->state = DONE;
            err = HTTP_END;
        }
        break;
    }
    r->line_len = 0;
    return err;
}

/* ---- bytes of lines ----------------------------------------------------- */

/* What is wrong with a line that does not go on or end as it must, by state. */
static const int8_t line_errors[] = { KINF_ERR_HTTP_LINE, KINF_ERR_HTTP_LINE,
                                      KINF_ERR_HTTP_CHUNK,
                                      KINF_ERR_HTTP_CHUNK_END,
                                      KINF_ERR_HTTP_LINE };

static int take_line_byte(struct kinf_http_response *r, char c)
{
    int error = line_errors[r->state];

    if (++r->header_bytes > CONFIG_KINF_HTTP_HEADERS_BYTES)
        return KINF_ERR_HTTP_HEADERS;
    if (r->cr) {
        r->cr = false;
        return c == '\n' ? end_line(r) : error;
    }
    if (c == '\r') {
        r->cr = true;
        return KINF_OK;
    }
    if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7F ||
        r->state == CHUNK_END)
        return error;
    if (c >= 'A' && c <= 'Z' && r->state != STATUS_LINE)
        c = (char)(c | 0x20);
    if (r->line_len < sizeof(r->line)) /* equal: the line is longer */
        r->line[r->line_len++] = c;
    return KINF_OK;
}

/* ---- feeding ------------------------------------------------------------ */

/* Hands on as much of the body as there is. */
static int take_body(struct kinf_http_response *r, const char *at, size_t size,
                     size_t *used, struct kinf_span *body)
{
    if (r->state != UNTIL_CLOSE) {
        if (size >= r->left)
            size = r->left;
        r->left -= (uint32_t)size;
    }
    body->ptr = at;
    body->len = size;
    *used += size;
    if (r->left == 0 && r->state == CHUNK)
        r->state = CHUNK_END;
    if (r->left == 0 && r->state == LENGTH) {
        r->state = LAST;
        --*used;
    }
    return HTTP_BODY;
}

int kinf_http_response_feed(struct kinf_http_response *r, const char *data,
                            size_t size, size_t *used, struct kinf_span *body)
{
    int event = r->error;

    *used = 0;
    while (event == KINF_OK && *used < size) {
        if (r->state >= CHUNK && r->state <= UNTIL_CLOSE) {
            event = take_body(r, data + *used, size - *used, used, body);
        } else if (r->state == LAST) {
            ++*used;
            r->state = DONE;
            event = HTTP_END;
        } else {
            KINF_ASSERT(r->state < CHUNK); /* not after its end */
            event = take_line_byte(r, data[(*used)++]);
        }
    }
    if (event == HTTP_HEAD && r->state == LAST)
        --*used;
    if (event < 0)
        r->error = (int8_t)event;
    return event == KINF_OK ? KINF_ERR_AGAIN : event;
}

int kinf_http_response_closed(struct kinf_http_response *r)
{
    if (r->error != KINF_OK)
        return r->error;
    return r->state >= UNTIL_CLOSE ? KINF_OK : KINF_ERR_CUT;
}
