/* SPDX-License-Identifier: Apache-2.0 */
/* test_recorded.c - whole answers of real API servers of two versions, through
 * the HTTP response into the JSON stream; tests/streams/README.md. */
#define _FILE_OFFSET_BITS 64 /* a folder's places do not fit 32 bits */
#include "tell_wire.h"

#include <dirent.h>

#define VERSIONS "1.34.4", "1.36.3"

/* What the file's name says of its content. */
struct recorded {
    enum json_mode mode;
    struct kinf_span kind;
};

static struct recorded recorded_of(const char *name)
{
    static const struct {
        const char *ending;
        enum json_mode mode;
    } modes[] = { { ".list", JSON_LIST },
                  { ".watch", JSON_WATCH },
                  { ".object", JSON_SINGLE },
                  { ".status", JSON_STATUS } };
    static const struct {
        const char *beginning, *kind;
    } kinds[] = { { "configmap", "ConfigMap" },
                  { "widget", "Widget" },
                  { "metadata", "PartialObjectMetadata" } };
    struct recorded r = { .mode = JSON_STATUS };

    for (size_t i = 0; i < COUNT(modes); i++)
        if (strstr(name, modes[i].ending) != NULL)
            r.mode = modes[i].mode;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strncmp(name, kinds[i].beginning, strlen(kinds[i].beginning)) == 0)
            r.kind = (struct kinf_span){ kinds[i].kind, strlen(kinds[i].kind) };
    return r;
}

/* ---- the runner --------------------------------------------------------- */

struct reader {
    struct kinf_json_stream json;
    struct kinf_sink sink;
    struct kinf_item item;
    char *buf;
    size_t size;
};

static void read_body(struct reader *r, struct kinf_span body,
                      struct told *told)
{
    while (body.len > 0) {
        size_t used = SIZE_MAX;
        int event = kinf_json_stream_feed(&r->json, body.ptr, body.len, &used);

        assert_true(used <= body.len);
        body.ptr += used;
        body.len -= used;
        if (event == JSON_BEGIN) {
            r->sink = (struct kinf_sink){ r->buf, r->size, 0, 0 };
        } else if (event == JSON_ITEM) {
            tell_item(false, told, &r->item, &r->sink);
            r->sink = (struct kinf_sink){ NULL, 0, 0, 0 };
        } else if (event == JSON_END) {
            tell_end(told, &r->item);
        } else if (event != KINF_ERR_AGAIN) {
            tell(told, error_name(event));
            return;
        }
    }
}

static void run(void *ctx, struct feeder *f, struct told *told)
{
    const struct recorded *recorded = ctx;
    struct reader r = { .size = f->input.len + 1 };
    struct kinf_http_response http;
    struct kinf_span piece, body;
    int event = KINF_ERR_AGAIN;

    r.buf = malloc(r.size);
    assert_non_null(r.buf);
    kinf_http_response_init(&http);
    kinf_json_stream_init(&r.json, recorded->mode, &r.sink, &r.item);
    r.json.kind = recorded->kind;
    while (event != HTTP_END && feeder_next(f, &piece)) {
        size_t used = SIZE_MAX;

        body = (struct kinf_span){ NULL, 0 };
        event =
            kinf_http_response_feed(&http, piece.ptr, piece.len, &used, &body);
        if (event == HTTP_HEAD)
            tell_head(told, &http);
        else if (event == HTTP_BODY && http.json)
            read_body(&r, body, told);
        else if (event == HTTP_BODY)
            told_bytes(told, body.ptr, body.len);
        else if (event < 0 && event != KINF_ERR_AGAIN)
            tell(told, error_name(event));
        feeder_used(f, used);
    }
    tell(told, event == HTTP_END ? "(end)" : "(no end)");
    if (recorded->mode == JSON_WATCH)
        assert_true(kinf_json_stream_between(&r.json));
    free(r.buf);
}

/* ---- tests -------------------------------------------------------------- */

/* An answer has its text beside it, which has none. */
static int is_answer(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".txt") != 0;
}

static void test_recorded_answers_tell_what_stands_beside_them(void **state)
{
    static const char *const versions[] = { VERSIONS };
    char path[240];

    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct dirent **names;
        int count;

        snprintf(path, sizeof(path), "tests/streams/%s", versions[i]);
        count = scandir(path, &names, is_answer, alphasort);
        assert_in_range(count, 30, 100);
        while (count-- > 0) {
            struct recorded recorded = recorded_of(names[count]->d_name);

            snprintf(path, sizeof(path), "%s/%.200s", versions[i],
                     names[count]->d_name);
            feed_stream(run, &recorded, path);
            free(names[count]);
        }
        free(names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_answers_tell_what_stands_beside_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
