/* SPDX-License-Identifier: Apache-2.0 */
/* http_response.c - an HTTP/1.1 answer; see http_response.h. */
#define KINF_FILE 41
#include "http_response.h"

#include <string.h>

#include "base/assert.h"

enum http_state {
    STATUS, HEADER, LENGTH, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK, CHUNK_CR,
    CHUNK_LF, TRAILER, CLOSE, DONE, FAILED
};

#define CHUNK_DIGITS 8      /* of a size; nobody sends chunks of 4 GB */
#define EXTENSION_BYTES 256 /* of a chunk extension, which we skip */

void kinf_http_response_init(struct kinf_http_response *r)
{
    *r = (struct kinf_http_response){ .state = STATUS, .keep_alive = true };
}

/* ---- text --------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Is text this word, whatever the case? word is in lower case. */
static bool is_word(struct kinf_span text, const char *word)
{
    size_t n = strlen(word);

    if (text.len != n)
        return false;
    while (n > 0 && lower(text.ptr[n - 1]) == word[n - 1])
        n--;
    return n == 0;
}

static struct kinf_span trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct kinf_span){ from, (size_t)(to - from) };
}

/* A decimal number of at most digits digits, or -1. */
static int64_t to_number(struct kinf_span text, size_t digits)
{
    int64_t n = 0;

    if (text.len == 0 || text.len > digits)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return -1;
        n = n * 10 + (text.ptr[i] - '0');
    }
    return n;
}

/* RFC 9110, section 5.6.7, the one form that may be sent:
 * "Sun, 06 Nov 1994 08:49:37 GMT". Returns seconds since 1970, 0 if it is
 * something else. */
static int64_t to_date(struct kinf_span text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day, month = 0, year, hour, minute, second, days;

    if (text.len != 29)
        return 0;
    while (month < 12 && memcmp(months + 3 * month, text.ptr + 8, 3) != 0)
        month++;
    day = to_number((struct kinf_span){ text.ptr + 5, 2 }, 2);
    year = to_number((struct kinf_span){ text.ptr + 12, 4 }, 4);
    hour = to_number((struct kinf_span){ text.ptr + 17, 2 }, 2);
    minute = to_number((struct kinf_span){ text.ptr + 20, 2 }, 2);
    second = to_number((struct kinf_span){ text.ptr + 23, 2 }, 2);
    if (month == 12 || day < 1 || year < 1970 || hour < 0 || minute < 0 ||
        second < 0)
        return 0;
    /* Years begin in March, so that the leap day is the last of a year. */
    year -= month < 2;
    days = year * 365 + year / 4 - year / 100 + year / 400 +
           ((month + 10) % 12 * 306 + 5) / 10 + day - 1 - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

/* ---- lines of the head -------------------------------------------------- */

/* RFC 9112, section 4: "HTTP/1.1 200 reason", the reason may be empty. */
static int take_status_line(struct kinf_http_response *r)
{
    static const char version[] = "HTTP/1.1 ";
    struct kinf_span code = { r->line + 9, 3 };

    if (r->line_len < 5 || memcmp(r->line, version, 5) != 0)
        return KINF_ERR_HTTP_LINE;
    if (r->line_len < 9 || memcmp(r->line, version, 9) != 0)
        return KINF_ERR_HTTP_VERSION;
    if (r->line_len < 12 || (r->line_len > 12 && r->line[12] != ' '))
        return KINF_ERR_HTTP_LINE;
    r->status = (int)to_number(code, 3);
    return r->status < 100 ? KINF_ERR_HTTP_LINE : KINF_OK;
}

static int take_length(struct kinf_http_response *r, struct kinf_span value)
{
    int64_t length = to_number(value, 15);

    if (r->chunked || r->has_length) /* RFC 9112, section 6.3 */
        return KINF_ERR_HTTP_LENGTH;
    if (length < 0)
        return KINF_ERR_HTTP_NUMBER;
    r->has_length = true;
    r->left = (uint64_t)length;
    return KINF_OK;
}

static int take_coding(struct kinf_http_response *r, struct kinf_span value)
{
    if (!is_word(value, "chunked") || r->chunked)
        return KINF_ERR_HTTP_ENCODING;
    r->chunked = true;
    return r->has_length ? KINF_ERR_HTTP_LENGTH : KINF_OK;
}

static void take_retry(struct kinf_http_response *r, struct kinf_span value)
{
    int64_t seconds = to_number(value, 9);

    if (seconds >= 0)
        r->retry_after_s = (uint32_t)seconds;
    else
        r->retry_after_date = to_date(value);
}

/* Does a list of words hold "close"? */
static bool says_close(struct kinf_span value)
{
    const char *end = value.ptr + value.len, *at = value.ptr;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;

        if (is_word(trim(at, stop), "close"))
            return true;
        at = stop + 1;
    }
    return false;
}

static bool says_json(struct kinf_span value)
{
    const char *semicolon = value.len > 0
                                ? memchr(value.ptr, ';', value.len)
                                : NULL;
    const char *end = semicolon != NULL ? semicolon : value.ptr + value.len;

    return is_word(trim(value.ptr, end), "application/json");
}

static int take_field(struct kinf_http_response *r, struct kinf_span name,
                      struct kinf_span value)
{
    if (is_word(name, "content-length"))
        return take_length(r, value);
    if (is_word(name, "transfer-encoding"))
        return take_coding(r, value);
    if (is_word(name, "content-encoding"))
        return is_word(value, "identity") ? KINF_OK : KINF_ERR_HTTP_ENCODING;
    if (is_word(name, "content-type"))
        r->json = says_json(value);
    else if (is_word(name, "connection"))
        r->keep_alive = r->keep_alive && !says_close(value);
    else if (is_word(name, "retry-after"))
        take_retry(r, value);
    else if (is_word(name, "date"))
        r->date = to_date(value);
    return KINF_OK;
}

/* RFC 9112, section 5: name, colon, value. No space before the colon, and no
 * line that continues the one before (section 5.2). What did not fit the line
 * buffer was of a field we do not care for, or its length proves it wrong. */
static int take_header_line(struct kinf_http_response *r)
{
    const char *colon = memchr(r->line, ':', r->line_len);
    const char *end = r->line + r->line_len;
    struct kinf_span name;

    if (colon == NULL && r->line_long)
        return KINF_OK;
    if (colon == NULL || colon == r->line)
        return KINF_ERR_HTTP_LINE;
    name = (struct kinf_span){ r->line, (size_t)(colon - r->line) };
    if (memchr(name.ptr, ' ', name.len) != NULL ||
        memchr(name.ptr, '\t', name.len) != NULL)
        return KINF_ERR_HTTP_LINE;
    return take_field(r, name, trim(colon + 1, end));
}

/* What follows the head (RFC 9112, section 6.3). */
static int end_head(struct kinf_http_response *r)
{
    if (r->status < 200) {
        kinf_http_response_init(r);
        return KINF_OK;
    }
    if (r->status == 204 || r->status == 304) {
        r->chunked = false;
        r->has_length = true;
        r->left = 0;
    }
    if (r->chunked)
        r->state = CHUNK_SIZE;
    else
        r->state = r->has_length ? LENGTH : CLOSE;
    r->keep_alive = r->keep_alive && r->state != CLOSE;
    r->left = r->chunked ? 0 : r->left;
    r->digits = 0;
    return HTTP_HEAD;
}

static int end_line(struct kinf_http_response *r)
{
    int err;

    if (r->state == TRAILER) {
        if (r->line_len == 0)
            r->state = DONE;
        return KINF_OK;
    }
    if (r->state == HEADER && r->line_len == 0)
        return end_head(r);
    err = r->state == STATUS ? take_status_line(r) : take_header_line(r);
    r->state = HEADER;
    return err;
}

/* Takes one byte of a line. A line ends with LF; a CR is only legal just
 * before it (RFC 9112, section 2.2). */
static int take_line_byte(struct kinf_http_response *r, char c)
{
    int event;

    if (++r->head_bytes > CONFIG_KINF_HTTP_HEADERS_BYTES)
        return KINF_ERR_HTTP_HEADERS;
    if (c == '\n') {
        event = end_line(r);
        r->line_len = 0;
        r->line_long = r->after_cr = false;
        return event;
    }
    if (r->after_cr || c == '\0')
        return KINF_ERR_HTTP_LINE;
    r->after_cr = c == '\r';
    if (r->after_cr)
        return KINF_OK;
    if (r->line_len < sizeof(r->line))
        r->line[r->line_len++] = c;
    else
        r->line_long = true;
    return KINF_OK;
}

/* ---- body --------------------------------------------------------------- */

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9112, section 7.1: the size in hex digits, then perhaps an extension,
 * which is skipped (section 7.1.1). */
static int take_size_byte(struct kinf_http_response *r, char c)
{
    int digit = hex_value(c);

    if (r->state == CHUNK_SIZE && digit >= 0) {
        if (++r->digits > CHUNK_DIGITS)
            return KINF_ERR_HTTP_CHUNK;
        r->left = r->left << 4 | (unsigned)digit;
        return KINF_OK;
    }
    if (r->digits == 0 || (r->after_cr && c != '\n'))
        return KINF_ERR_HTTP_CHUNK;
    if (c == '\n') {
        r->state = r->left > 0 ? CHUNK : TRAILER;
        r->digits = 0;
        r->head_bytes = 0;
        r->after_cr = false;
        return KINF_OK;
    }
    r->after_cr = c == '\r';
    if (r->after_cr)
        return KINF_OK;
    if (r->state == CHUNK_SIZE && c != ';' && c != ' ' && c != '\t')
        return KINF_ERR_HTTP_CHUNK;
    if (r->state == CHUNK_SIZE)
        r->head_bytes = 0;
    r->state = CHUNK_EXTENSION;
    return ++r->head_bytes > EXTENSION_BYTES ? KINF_ERR_HTTP_CHUNK : KINF_OK;
}

/* Hands on as much of the body as there is. */
static int take_content(struct kinf_http_response *r, const char *data,
                        size_t size, size_t *used, struct kinf_span *body)
{
    size_t n = size;

    if (r->state != CLOSE && n > r->left)
        n = (size_t)r->left;
    *body = (struct kinf_span){ data, n };
    *used += n;
    if (r->state == CLOSE)
        return HTTP_BODY;
    r->left -= n;
    if (r->left == 0)
        r->state = r->state == CHUNK ? CHUNK_CR : DONE;
    return HTTP_BODY;
}

static int step(struct kinf_http_response *r, const char *data, size_t size,
                size_t *used, struct kinf_span *body)
{
    switch ((enum http_state)r->state) {
    case LENGTH:
    case CHUNK:
    case CLOSE:
        return take_content(r, data, size, used, body);
    case STATUS:
    case HEADER:
    case TRAILER:
        ++*used;
        return take_line_byte(r, *data);
    case CHUNK_SIZE:
    case CHUNK_EXTENSION:
        ++*used;
        return take_size_byte(r, *data);
    case CHUNK_CR:
        ++*used;
        r->state = CHUNK_LF;
        return *data == '\r' ? KINF_OK : KINF_ERR_HTTP_CHUNK_END;
    case CHUNK_LF:
        ++*used;
        r->state = CHUNK_SIZE;
        return *data == '\n' ? KINF_OK : KINF_ERR_HTTP_CHUNK_END;
    case DONE:
    case FAILED:
    default:
        KINF_UNREACHABLE("an answer that is over gets no bytes");
        return KINF_ERR_CUT;
    }
}

int kinf_http_response_feed(struct kinf_http_response *r, const char *data,
                            size_t size, size_t *used, struct kinf_span *body)
{
    int event = KINF_OK;

    *used = 0;
    if (r->state == FAILED)
        return r->error;
    while (event == KINF_OK) {
        if (r->state == DONE || (r->state == LENGTH && r->left == 0))
            return HTTP_END;
        if (*used == size)
            return KINF_ERR_AGAIN;
        event = step(r, data + *used, size - *used, used, body);
    }
    if (event < 0) {
        r->state = FAILED;
        r->error = (int16_t)event;
    }
    return event;
}

int kinf_http_response_closed(struct kinf_http_response *r)
{
    return r->state == CLOSE || r->state == DONE ? KINF_OK : KINF_ERR_CUT;
}
