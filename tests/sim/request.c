/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - reads requests; see request.h. */
#include "request.h"

#include <stdio.h>

const char *request_prefix = "";

size_t request_length(const char *bytes, size_t len)
{
    for (size_t i = 3; i < len; i++)
        if (memcmp(bytes + i - 3, "\r\n\r\n", 4) == 0)
            return i + 1;
    MUST(len < 32768, "a request without an end");
    return 0;
}

/* ---- the query ---------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode(char *out, size_t size, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        MUST(c > ' ' && c < 127 && strchr("\"<>\\^`{|}#", c) == NULL,
             "byte %u in a request target", (unsigned char)c);
        if (c == '%') {
            MUST(i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0,
                 "bad percent encoding: %.*s", (int)len, text);
            c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        MUST(n + 1 < size, "a value of %zu bytes in a query", len);
        out[n++] = c;
    }
    out[n] = '\0';
}

static uint64_t number(const char *text, const char *of)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    MUST(*text != '\0' && *end == '\0', "%s=%s is no number", of, text);
    return value;
}

static uint8_t one_of(const char *text, const char *const *names, size_t count,
                      const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return (uint8_t)i;
    sim_fail("unknown %s: %s", what, text);
}

static void option(struct request *q, const char *name, const char *value)
{
    bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

    if (strcmp(name, "watch") == 0) {
        q->watch = yes;
    } else if (strcmp(name, "sendInitialEvents") == 0) {
        q->initial_events = yes;
    } else if (strcmp(name, "allowWatchBookmarks") == 0) {
        q->bookmarks = yes;
    } else if (strcmp(name, "resourceVersion") == 0) {
        q->has_version = value[0] != '\0';
        q->version = q->has_version ? number(value, name) : 0;
    } else if (strcmp(name, "resourceVersionMatch") == 0) {
        q->has_match = value[0] != '\0';
        q->exact = strcmp(value, "Exact") == 0;
        MUST(q->exact || strcmp(value, "NotOlderThan") == 0,
             "resourceVersionMatch=%s", value);
    } else if (strcmp(name, "limit") == 0) {
        q->limit = (uint32_t)number(value, name);
        q->has_limit = q->limit > 0;
    } else if (strcmp(name, "continue") == 0) {
        q->has_continue = value[0] != '\0';
        snprintf(q->continue_, sizeof(q->continue_), "%s", value);
    } else if (strcmp(name, "timeoutSeconds") == 0) {
        q->timeout_seconds = (uint32_t)number(value, name);
    } else if (strcmp(name, "labelSelector") == 0) {
        q->view.selector =
            one_of(value, selectors, SELECTORS, "label selector");
    } else if (strcmp(name, "fieldSelector") == 0) {
        q->view.field_selector = one_of(value, field_selectors,
                                        FIELD_SELECTORS, "field selector");
    } else {
        sim_fail("unknown option in a query: %s=%s", name, value);
    }
}

static void query(struct request *q, const char *text, const char *end)
{
    char name[64], value[1024];

    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        const char *equals;

        if (stop == NULL)
            stop = end;
        equals = memchr(text, '=', (size_t)(stop - text));
        MUST(equals != NULL, "an option without a value: %.*s",
             (int)(stop - text), text);
        decode(name, sizeof(name), text, (size_t)(equals - text));
        decode(value, sizeof(value), equals + 1, (size_t)(stop - equals - 1));
        option(q, name, value);
        text = stop + 1;
    }
}

/* ---- the path ----------------------------------------------------------- */

static const char *after(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

/* Takes "/part" up to the next slash or the end. */
static const char *part(const char *path, char *out, size_t size)
{
    size_t len;

    MUST(*path == '/', "a path goes wrong at %s", path);
    path++;
    len = strcspn(path, "/");
    MUST(len > 0, "an empty part in a path");
    decode(out, size, path, len);
    return path + len;
}

static bool is_kind(const struct kind *k, const char *path, struct request *q)
{
    const char *rest = after(path, k->group_path);
    char plural[64];

    if (rest == NULL)
        return false;
    q->view.namespace_[0] = q->name[0] = '\0';
    if (after(rest, "/namespaces/") != NULL)
        rest = part(rest + strlen("/namespaces"), q->view.namespace_,
                    sizeof(q->view.namespace_));
    rest = part(rest, plural, sizeof(plural));
    if (strcmp(plural, k->plural) != 0)
        return false;
    if (*rest != '\0')
        rest = part(rest, q->name, sizeof(q->name));
    MUST(*rest == '\0', "a path too long: %s", path);
    MUST(k->namespaced || q->view.namespace_[0] == '\0',
         "a namespace for a cluster resource: %s", path);
    return true;
}

static void path(struct request *q, const char *text, size_t len)
{
    char copy[1024];
    const char *at;

    MUST(len < sizeof(copy), "a path of %zu bytes", len);
    memcpy(copy, text, len);
    copy[len] = '\0';
    at = after(copy, request_prefix);
    MUST(at != NULL, "a path without its prefix: %s", copy);
    for (uint8_t i = 0; i < RESOURCES; i++) {
        q->view.res = i;
        if (is_kind(&kinds[i], at, q))
            return;
    }
    q->unknown = true;
    q->plain_unknown = after(at, "/api/v1/") == NULL;
}

/* ---- the head ----------------------------------------------------------- */

static void accept_types(struct request *q, const char *value)
{
    bool many = strstr(value, "as=PartialObjectMetadataList;") != NULL;
    bool one = strstr(value, "as=PartialObjectMetadata;") != NULL;

    MUST(strstr(value, "application/json") != NULL, "Accept: %s", value);
    q->view.metadata_only = many || one;
}

static void header(struct request *q, char *line, bool *host, bool *accept)
{
    char *value = strchr(line, ':');

    MUST(value != NULL && value > line && value[-1] != ' ',
         "a malformed header line: %s", line);
    *value++ = '\0';
    while (*value == ' ')
        value++;
    if (strcmp(line, "Host") == 0) {
        MUST(!*host && strcmp(value, "api.sim.kin:6443") == 0, "Host: %s",
             value);
        *host = true;
    } else if (strcmp(line, "Accept") == 0) {
        MUST(!*accept, "two Accept headers");
        *accept = true;
        accept_types(q, value);
    } else if (strcmp(line, "Authorization") == 0) {
        MUST(strncmp(value, "Bearer ", 7) == 0 && !q->has_token,
             "Authorization: %s", value);
        q->has_token = true;
        snprintf(q->token, sizeof(q->token), "%s", value + 7);
    } else if (strcmp(line, "User-Agent") == 0) {
        q->pretty = after(value, "curl/") != NULL ||
                    after(value, "Wget/") != NULL ||
                    after(value, "Mozilla/") != NULL;
    } else {
        MUST(strcmp(line, "Accept-Encoding") == 0 ||
                 strcmp(line, "Connection") == 0,
             "an unknown header: %s", line);
        MUST(strcmp(line, "Accept-Encoding") != 0 ||
                 strcmp(value, "identity") == 0, "Accept-Encoding: %s", value);
        MUST(strcmp(line, "Connection") != 0 ||
                 strcmp(value, "keep-alive") == 0, "Connection: %s", value);
    }
}

static void headers(struct request *q, char *text)
{
    bool host = false, accept = false;
    char *end;

    while (text[0] != '\r') {
        end = strstr(text, "\r\n");
        MUST(end != NULL, "a header line without an end");
        *end = '\0';
        header(q, text, &host, &accept);
        text = end + 2;
    }
    MUST(host && accept, "a request without Host or Accept");
}

void request_read(struct request *q, const char *bytes, size_t len)
{
    char *copy = calloc(1, len + 1);
    char *target, *end, *mark;

    MUST(copy != NULL && memchr(bytes, '\0', len) == NULL, "NUL in a request");
    memcpy(copy, bytes, len);
    *q = (struct request){ .limit = 0 };
    MUST(strncmp(copy, "GET /", 5) == 0, "no GET: %.40s", copy);
    target = copy + 4;
    end = strstr(target, "\r\n");
    mark = strstr(target, " HTTP/1.1\r\n");
    MUST(mark != NULL && mark + 9 == end, "a request line: %.200s", copy);
    *mark = '\0';
    end = mark;
    mark = strchr(target, '?');
    path(q, target, mark != NULL ? (size_t)(mark - target) : strlen(target));
    if (mark != NULL)
        query(q, mark + 1, end);
    headers(q, end + 11);
    free(copy);
}

/* Validation of list options in apimachinery, as kubernetes.md has it. */
const char *request_invalid(const struct request *q, const char **field)
{
    *field = "resourceVersionMatch";
    if (q->watch && q->has_match && !q->initial_events)
        return "resourceVersionMatch is forbidden for watch unless "
               "sendInitialEvents is provided";
    if (q->watch && q->initial_events && (!q->has_match || q->exact))
        return "sendInitialEvents requires setting resourceVersionMatch to "
               "NotOlderThan";
    if (!q->watch && q->has_match && (!q->has_version || q->has_continue))
        return "resourceVersionMatch is forbidden unless resourceVersion is "
               "provided";
    if (q->exact && q->version == 0)
        return "resourceVersionMatch \\\"exact\\\" is forbidden for "
               "resourceVersion \\\"0\\\"";
    *field = "sendInitialEvents";
    if (!q->watch && q->initial_events)
        return "sendInitialEvents is forbidden for list";
    return NULL;
}

/* ---- continue tokens ---------------------------------------------------- */

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64(struct text *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = 0;

        for (size_t j = 0; j < 3; j++)
            v = v << 8 | (i + j < len ? (unsigned char)text[i + j] : 0);
        for (size_t j = 0; j < 4; j++) {
            char c = i + j <= len ? digits[v >> (18 - 6 * j) & 63] : '=';

            text_bytes(out, &c, 1);
        }
    }
}

static bool unbase64(char *out, size_t size, const char *text)
{
    uint32_t v = 0, bits = 0;
    size_t n = 0;

    for (; *text != '\0' && *text != '='; text++) {
        const char *digit = strchr(digits, *text);

        if (digit == NULL)
            return false;
        v = v << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (n + 1 >= size)
            return false;
        out[n++] = (char)(v >> bits);
    }
    out[n] = '\0';
    return true;
}

void page_token_write(struct text *out, const struct page_token *t)
{
    struct text json = { NULL, 0, 0, 0 };

    text_fmt(&json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%llu,\"line\":%u,"
                    "\"at\":%llu,\"start\":\"%s/%s\"}",
             (unsigned long long)t->rev, t->restores,
             (unsigned long long)t->made_at, t->namespace_, t->name);
    base64(out, json.ptr, json.len);
    text_free(&json);
}

bool page_token_read(struct page_token *t, const char *text)
{
    char json[1024], *slash, *end, *start;
    unsigned long long rev, at;

    if (!unbase64(json, sizeof(json), text) ||
        sscanf(json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%llu,\"line\":%u,"
                     "\"at\":%llu", &rev, &t->restores, &at) != 3)
        return false;
    start = strstr(json, "\"start\":\"");
    if (start == NULL)
        return false;
    start += 9;
    slash = strchr(start, '/');
    end = strchr(start, '"');
    if (slash == NULL || end == NULL || slash > end)
        return false;
    *slash = *end = '\0';
    t->rev = rev;
    t->made_at = at;
    snprintf(t->namespace_, sizeof(t->namespace_), "%s", start);
    snprintf(t->name, sizeof(t->name), "%s", slash + 1);
    return true;
}
