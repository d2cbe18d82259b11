/* SPDX-License-Identifier: Apache-2.0 */
/* http_response.c - an HTTP/1.1 answer as a state machine over its bytes.
 *
 *   LINE <-> LINE_LF  status line, header lines, the empty line
 *     |-> LENGTH, UNTIL_CLOSE --------------------------> LAST -> DONE
 *     `-> SIZE -> (EXTENSION) -> SIZE_LF -> CHUNK -> CHUNK_CR -> CHUNK_LF
 *           ^----------------------------------------------'
 *           `- size 0: TRAILER <-> TRAILER_LF -> DONE
 *
 * The head is looked at byte by byte; of a line only its start is held. The
 * body is handed on where it lies and never looked at.
 *
 * Strict where RFC 9112 leaves a choice: a line ends in CR LF (2.2), a name
 * touches its colon (5.1), no line is folded (5.2), chunked is the only coding
 * (6.1), one Content-Length and it alone (6.3). */
#define KINF_FILE 51
#include "http_response.h"

#include <string.h>

#include "base/assert.h"
#include "base/span.h"

/* Named after what they expect. LAST: the byte that END uses. */
enum http_state {
    STATUS_LINE,
    STATUS_LINE_LF,
    HEADER,
    HEADER_LF,
    TRAILER,
    TRAILER_LF,
    SIZE,
    SIZE_MORE,
    EXTENSION,
    SIZE_LF,
    CHUNK,
    CHUNK_CR,
    CHUNK_LF,
    LENGTH,
    UNTIL_CLOSE,
    LAST,
    DONE
};

static void begin_head(struct kinf_http_response *r)
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

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* word is in lower case. */
static bool is_word(struct kinf_span text, const char *word)
{
    for (size_t i = 0; i < text.len; i++)
        if (lower(text.ptr[i]) != word[i])
            return false; /* the end of word as well */
    return word[text.len] == '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct kinf_span trim(const char *from, const char *to)
{
    while (from < to && is_blank(*from))
        from++;
    while (from < to && is_blank(to[-1]))
        to--;
    return span_of(from, (size_t)(to - from));
}

/* Cuts off what stands before the separator. */
static struct kinf_span cut(struct kinf_span *text, char separator)
{
    const char *from = text->ptr, *end = from + text->len, *to = from;

    while (to < end && *to != separator)
        to++;
    text->ptr = to + (to < end);
    text->len = (size_t)(end - text->ptr);
    return trim(from, to);
}

/* Reads digits alone. Returns false on anything else and beyond 32 bits. */
static bool read_number(struct kinf_span text, uint32_t *out)
{
    uint32_t number = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint32_t digit = (uint32_t)(unsigned char)text.ptr[i] - '0';

        if (digit > 9 || number > (UINT32_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

/* Days from 1 January 1970, for years from 1970 on; m 1 to 12. */
static uint32_t days_from(uint32_t y, uint32_t m, uint32_t d)
{
    y -= m <= 2; /* years begin in March, so that the leap day is the last */
    m = m > 2 ? m - 3 : m + 9;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + d - 719469;
}

/* RFC 9110 5.6.7, the one form in use: "Sun, 06 Nov 1994 08:49:37 GMT".
 * Returns 0 for any other. */
static int64_t read_date(struct kinf_span text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const uint8_t places[] = { 5, 12, 17, 20, 23 };
    uint32_t n[5], month = 0; /* day, year, hour, minute, second */

    if (text.len != 29)
        return 0;
    for (unsigned i = 0; i < 5; i++)
        if (!read_number(span_of(text.ptr + places[i], i == 1 ? 4 : 2), &n[i]))
            return 0;
    while (month < 12 && memcmp(text.ptr + 8, months + 3 * month, 3) != 0)
        month++;
    if (month == 12 || n[1] < 1970)
        return 0;
    return (int64_t)days_from(n[1], month + 1, n[0]) * 86400 +
           (int64_t)(n[2] * 3600 + n[3] * 60 + n[4]);
}

/* ---- header lines ------------------------------------------------------- */

enum header {
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CONNECTION,
    RETRY_AFTER,
    DATE,
    HEADERS
};
static const char header_names[HEADERS][18] = {
    "content-length", "transfer-encoding", "content-encoding", "content-type",
    "connection",     "retry-after",       "date"
};

static int take_length(struct kinf_http_response *r, struct kinf_span value)
{
    if (r->has_length)
        return KINF_ERR_HTTP_LENGTH;
    r->has_length = true;
    return read_number(value, &r->left) ? KINF_OK : KINF_ERR_HTTP_NUMBER;
}

static int take_coding(struct kinf_http_response *r, struct kinf_span value)
{
    if (r->chunked || !is_word(value, "chunked"))
        return KINF_ERR_HTTP_ENCODING;
    r->chunked = true;
    return KINF_OK;
}

static void take_retry_after(struct kinf_http_response *r,
                             struct kinf_span value)
{
    if (!read_number(value, &r->retry_after_s))
        r->retry_after_date = read_date(value);
}

static int take_header(struct kinf_http_response *r, enum header header,
                       struct kinf_span value)
{
    switch (header) {
    case CONTENT_LENGTH:
        return take_length(r, value);
    case TRANSFER_ENCODING:
        return take_coding(r, value);
    case CONTENT_ENCODING:
        return value.len == 0 || is_word(value, "identity")
                   ? KINF_OK
                   : KINF_ERR_HTTP_ENCODING;
    case CONTENT_TYPE:
        r->json = is_word(cut(&value, ';'), "application/json");
        break;
    case CONNECTION:
        while (value.len > 0)
            if (is_word(cut(&value, ','), "close"))
                r->keep_alive = false;
        break;
    case RETRY_AFTER:
        take_retry_after(r, value);
        break;
    case DATE:
        r->date = read_date(value);
        break;
    case HEADERS:
    default:
        break;
    }
    return KINF_OK;
}

/* A header line is whole, or as much of it as is held. */
static int end_header(struct kinf_http_response *r)
{
    struct kinf_span line = { r->line, r->line_len }, name = line;
    unsigned header = 0;

    if (r->line_len > sizeof(r->line))
        line.len = sizeof(r->line);
    name.len = 0;
    while (name.len < line.len && line.ptr[name.len] != ':')
        name.len++;
    if (name.len == 0 || memchr(name.ptr, ' ', name.len) != NULL ||
        memchr(name.ptr, '\t', name.len) != NULL)
        return KINF_ERR_HTTP_LINE;
    if (name.len == line.len) /* the colon may be in what was not held */
        return r->line_len > line.len ? KINF_OK : KINF_ERR_HTTP_LINE;
    while (header < HEADERS && !is_word(name, header_names[header]))
        header++;
    if (header == HEADERS)
        return KINF_OK;
    if (r->line_len > line.len)
        return KINF_ERR_HTTP_LINE;
    line.ptr += name.len + 1;
    line.len -= name.len + 1;
    return take_header(r, (enum header)header,
                       trim(line.ptr, line.ptr + line.len));
}

/* RFC 9112 4: "HTTP/1.1 200 OK"; the space after the status may be missing. */
static int end_status_line(struct kinf_http_response *r)
{
    static const char version[] = "HTTP/1.1 ";
    const char *at = r->line + sizeof(version) - 1;
    uint32_t status;

    if (r->line_len < sizeof(version) - 1 ||
        memcmp(r->line, version, sizeof(version) - 1) != 0)
        return KINF_ERR_HTTP_VERSION;
    if (r->line_len < sizeof(version) + 2 ||
        !read_number(span_of(at, 3), &status) || status < 100 ||
        (r->line_len > sizeof(version) + 2 && at[3] != ' '))
        return KINF_ERR_HTTP_LINE;
    r->status = (uint16_t)status;
    return KINF_OK;
}

/* The empty line has come (but for its LF). Returns HTTP_HEAD, or KINF_OK when
 * the answer proper is still to come. */
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

/* A LF after CR: a line is whole. Its first bytes are in r->line. */
static int end_line(struct kinf_http_response *r)
{
    bool empty = r->line_len == 0;
    int err;

    switch (r->state) {
    case STATUS_LINE_LF:
        err = end_status_line(r);
        r->state = HEADER;
        break;
    case HEADER_LF:
        r->state = HEADER;
        err = empty ? end_head(r) : end_header(r);
        break;
    case TRAILER_LF:
    default: /* RFC 9112 7.1.2: trailers may be discarded */
        r->state = empty ? DONE : TRAILER;
        err = empty ? (int)HTTP_END : KINF_OK;
        break;
    }
    r->line_len = 0;
    return err;
}

static int take_line_byte(struct kinf_http_response *r, char c)
{
    if (++r->header_bytes > CONFIG_KINF_HTTP_HEADERS_BYTES)
        return KINF_ERR_HTTP_HEADERS;
    if (r->state & 1) /* an _LF state */
        return c == '\n' ? end_line(r) : KINF_ERR_HTTP_LINE;
    if (c == '\r') {
        r->state++;
        return KINF_OK;
    }
    if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7F)
        return KINF_ERR_HTTP_LINE;
    if (r->line_len < sizeof(r->line))
        r->line[r->line_len] = c;
    if (r->line_len <= sizeof(r->line)) /* one more: the line is longer */
        r->line_len++;
    return KINF_OK;
}

/* ---- chunks ------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9112 7.1: hexadecimal digits, then CR, or blanks and an extension. */
static int take_size(struct kinf_http_response *r, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (r->left > UINT32_MAX >> 4 || ++r->line_len > 16)
            return KINF_ERR_HTTP_CHUNK;
        r->left = r->left << 4 | (uint32_t)digit;
        r->state = SIZE_MORE;
        return KINF_OK;
    }
    if (r->state == SIZE) /* no digit at all */
        return KINF_ERR_HTTP_CHUNK;
    r->line_len = 0;
    r->state = c == '\r' ? SIZE_LF : EXTENSION;
    return c == '\r' || c == ';' || is_blank(c) ? KINF_OK : KINF_ERR_HTTP_CHUNK;
}

/* RFC 9112 7.1.1: unknown extensions are ignored, and limited. */
static int take_extension(struct kinf_http_response *r, char c)
{
    if (c == '\n' || ++r->line_len > sizeof(r->line))
        return KINF_ERR_HTTP_CHUNK;
    if (c == '\r')
        r->state = SIZE_LF;
    return KINF_OK;
}

static int take_chunk_byte(struct kinf_http_response *r, char c)
{
    switch (r->state) {
    case SIZE:
    case SIZE_MORE:
        return take_size(r, c);
    case EXTENSION:
        return take_extension(r, c);
    case SIZE_LF:
        r->line_len = 0;
        r->state = r->left == 0 ? TRAILER : CHUNK;
        return c == '\n' ? KINF_OK : KINF_ERR_HTTP_CHUNK;
    case CHUNK_CR:
        r->state = CHUNK_LF;
        return c == '\r' ? KINF_OK : KINF_ERR_HTTP_CHUNK_END;
    case CHUNK_LF:
    default:
        r->state = SIZE;
        return c == '\n' ? KINF_OK : KINF_ERR_HTTP_CHUNK_END;
    }
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
    *body = span_of(at, size);
    *used += size;
    if (r->left == 0 && r->state == CHUNK)
        r->state = CHUNK_CR;
    if (r->left == 0 && r->state == LENGTH) {
        r->state = LAST;
        --*used;
    }
    return HTTP_BODY;
}

static int take_byte(struct kinf_http_response *r, char c)
{
    switch ((enum http_state)r->state) {
    case STATUS_LINE:
    case STATUS_LINE_LF:
    case HEADER:
    case HEADER_LF:
    case TRAILER:
    case TRAILER_LF:
        return take_line_byte(r, c);
    case SIZE:
    case SIZE_MORE:
    case EXTENSION:
    case SIZE_LF:
    case CHUNK_CR:
    case CHUNK_LF:
        return take_chunk_byte(r, c);
    case LAST:
        r->state = DONE;
        return HTTP_END;
    case CHUNK:
    case LENGTH:
    case UNTIL_CLOSE:
    case DONE:
    default:
        KINF_UNREACHABLE("an answer is fed after its end");
        return KINF_ERR_CUT;
    }
}

int kinf_http_response_feed(struct kinf_http_response *r, const char *data,
                            size_t size, size_t *used, struct kinf_span *body)
{
    int event = r->error;

    *used = 0;
    while (event == KINF_OK && *used < size) {
        if (r->state == CHUNK || r->state == LENGTH || r->state == UNTIL_CLOSE)
            event = take_body(r, data + *used, size - *used, used, body);
        else
            event = take_byte(r, data[(*used)++]);
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
    return r->state == UNTIL_CLOSE || r->state == LAST || r->state == DONE
               ? KINF_OK
               : KINF_ERR_CUT;
}
