/* SPDX-License-Identifier: Apache-2.0 */
/* json_stream_bench.c - CPU time of the JSON stream for a byte of a
 * list of ConfigMaps, in pieces of 2,048 bytes as servers send them.
 *
 *   cc -std=c11 -O2 -Icore/include -Icore tests/bench/json_stream_bench.c \
 *      core/wire/json_stream.c -o json_stream_bench && ./json_stream_bench */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/json_stream.h"

enum { ITEMS = 1000, ROUNDS = 40, PIECE = 2048 };

void kinf_assert_failed(unsigned file, unsigned line)
{
    fprintf(stderr, "assertion in core file %u, line %u\n", file, line);
    abort();
}

static char list[ITEMS * 4096];
static size_t list_len;

static void add(const char *text)
{
    size_t n = strlen(text);

    if (n > sizeof(list) - list_len)
        abort();
    memcpy(list + list_len, text, n);
    list_len += n;
}

/* An object of about 1.9 KB, of which 1.5 KB are kept. */
static void add_item(unsigned n, size_t value, const char *filler)
{
    char text[512];

    snprintf(text, sizeof(text),
             "%s{\"metadata\":{\"name\":\"settings-%u\",\"namespace\":"
             "\"default\",\"uid\":\"0b8e1d57-6c57-4b3c-9a34-2f3f0d6e7a11\","
             "\"resourceVersion\":\"%u\",\"creationTimestamp\":"
             "\"2025-11-23T20:31:07Z\",\"labels\":{\"app\":\"web\",\"tier\":"
             "\"front\"},\"managedFields\":[{\"manager\":\"kubectl-create\","
             "\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":",
             n > 0 ? "," : "", n, 1000 + n);
    add(text);
    add("\"2025-11-23T20:31:07Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
        "\"f:data\":{\".\":{},\"f:app.conf\":{},\"f:log\":{}},\"f:metadata\":{"
        "\"f:labels\":{\".\":{},\"f:app\":{},\"f:tier\":{}}}}}]},\"data\":{"
        "\"app.conf\":\"");
    for (size_t i = 0; i < value; i += strlen(filler))
        add(filler);
    add("\",\"log\":\"debug\"}}");
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t run(void)
{
    static char object[8192];
    struct kinf_json_stream s;
    struct kinf_sink sink = { NULL, 0, 0, 0 };
    struct kinf_item item = { .http_status = 0 };
    struct kinf_span kind = KINF_SPAN("ConfigMap");
    size_t at = 0, kept = 0;

    kinf_json_stream_init(&s, JSON_LIST, &sink, &item);
    s.kind = kind;
    while (at < list_len) {
        size_t end = (at / PIECE + 1) * PIECE, used;
        int event = kinf_json_stream_feed(
            &s, list + at, (end < list_len ? end : list_len) - at, &used);

        at += used;
        if (event == JSON_BEGIN)
            sink = (struct kinf_sink){ object, sizeof(object), 0, 0 };
        else if (event == JSON_ITEM)
            kept += sink.used;
        else if (event < 0 && event != KINF_ERR_AGAIN)
            abort();
    }
    return kept;
}

static void bench(const char *name, size_t value, const char *filler)
{
    double best = 1e30;
    size_t kept = 0;

    list_len = 0;
    add("{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"9\"},"
        "\"items\":[");
    for (unsigned i = 0; i < ITEMS; i++)
        add_item(i, value, filler);
    add("]}\n");
    for (unsigned i = 0; i < ROUNDS; i++) {
        double start = now(), took;

        kept = run();
        took = now() - start;
        best = took < best ? took : best;
    }
    printf("%-12s %5zu bytes an object, %5zu kept: %.2f ns a byte\n", name,
           list_len / ITEMS, kept / ITEMS, best / (double)list_len);
}

int main(void)
{
    bench("plain", 1200, "0123456789abcdef");
    bench("lines", 1200, "listen 80 default_server; # and so on\\n");
    bench("accents", 1200, "\xC3\xA9t\xC3\xA9 ");
    bench("escapes", 1200, "\\u003c");
    bench("small", 16, "x");
    return 0;
}
