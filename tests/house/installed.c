/* SPDX-License-Identifier: Apache-2.0 */
/* installed.c - a program of somebody else's, built against what make install
 * left. It plays a list to an informer and says what the handler saw. */
#include <kinformer.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t memory[(KINF_INFORMER_BYTES_DEFAULT + 7) / 8];
static uint32_t clock_ms;
static int adds;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return KINF_WALL_UNKNOWN;
}

static void random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)rand();
}

static int on_add(void *ctx, const struct kinf_object *object, bool initial)
{
    (void)ctx;
    (void)initial;
    printf("add %.*s\n", (int)object->name.len, object->name.ptr);
    adds++;
    return KINF_OK;
}

static int on_update(void *ctx, const struct kinf_object *was,
                     const struct kinf_object *object)
{
    (void)ctx;
    (void)was;
    (void)object;
    return KINF_OK;
}

static int on_delete(void *ctx, const struct kinf_object *was, bool unknown)
{
    (void)ctx;
    (void)was;
    (void)unknown;
    return KINF_OK;
}

int main(void)
{
    static const struct kinf_script_step steps[] = {
        { .on = KINF_REQUEST_LIST,
          .body = "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\","
                  "\"metadata\":{\"resourceVersion\":\"7\"},\"items\":["
                  "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\","
                  "\"uid\":\"u1\",\"resourceVersion\":\"5\"}},"
                  "{\"metadata\":{\"name\":\"b\",\"namespace\":\"n\","
                  "\"uid\":\"u2\",\"resourceVersion\":\"6\"}}]}" },
    };
    static struct kinf_script script = { .steps = steps, .count = 1 };
    static const struct kinf_platform platform = {
        .now_ms = now_ms, .wall_s = wall_s, .random = random_bytes
    };
    static const struct kinf_config config = { .platform = &platform,
                                               .host = { "script", 6 } };
    static const struct kinf_event_handler handler = {
        .on_add = on_add,
        .on_update = on_update,
        .on_delete = on_delete,
        .on_truncated = on_update,
    };
    static const struct kinf_informer_config informer_config = {
        .resource = KINF_RESOURCE_CONFIGMAPS,
        .streaming = KINF_STREAM_NEVER,
        .sizes = KINF_SIZES_DEFAULT,
        .memory = memory,
        .memory_size = sizeof(memory),
        .source = &kinf_script_ops,
        .source_ctx = &script,
    };
    static struct kinf kinf;
    static struct kinf_informer informer;
    static struct kinf_listener listener;

    kinf_init(&kinf, &config);
    kinf_informer_init(&informer, &kinf, &informer_config);
    kinf_listener_add(&informer, &listener, &handler, NULL, KINF_EVERY, 0);
    kinf_start(&kinf);
    for (int i = 0; i < 1000 && adds < 2; i++) {
        kinf_poll(&kinf);
        clock_ms += 10;
    }
    return adds == 2 ? 0 : 1;
}
