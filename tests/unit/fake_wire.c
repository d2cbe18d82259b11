/* SPDX-License-Identifier: Apache-2.0 */
/* fake_wire.c - plays the wire to a store; see fake_wire.h. */
#include "fake_wire.h"

#include "store/arena.h"
#include "store/store.h"

struct kinf_item fake_item(const struct fake_object *o)
{
    const char *space = o->namespace_ != NULL ? o->namespace_ : "";

    return (struct kinf_item){
        .event = KINF_EVENT_LISTED, .broken = o->broken,
        .name = fake_span(o->name), .namespace_ = fake_span(space),
        .uid = fake_span(o->uid), .version = fake_span(o->version)
    };
}

/* The wire counts what did not fit, too. */
static kinf_off write(struct kinf_sink *sink, struct kinf_span text)
{
    uint32_t at = sink->wanted;

    for (size_t i = 0; i < text.len; i++) {
        if (sink->used < sink->size)
            sink->ptr[sink->used++] = text.ptr[i];
        sink->wanted++;
    }
    return (kinf_off)at;
}

int fake_receive(struct kinf_store *s, const struct fake_object *o,
                 bool in_flight, bool by_bytes, kinf_idx *entry,
                 kinf_idx *record)
{
    struct kinf_item item = fake_item(o);
    struct kinf_sink sink;
    char filler = o->filler != '\0' ? o->filler : '.';
    int err = kinf_store_reserve(s, in_flight);

    if (err != KINF_OK)
        return err;
    sink = (struct kinf_sink){ .ptr = arena_head(s),
                               .size = s->object_bytes };
    item.name_at = write(&sink, item.name);
    item.namespace_at = write(&sink, item.namespace_);
    item.uid_at = write(&sink, item.uid);
    item.version_at = write(&sink, item.version);
    while (sink.wanted < o->size)
        write(&sink, (struct kinf_span){ &filler, 1 });
    s->by_bytes = by_bytes;
    err = kinf_store_receive(s, &item, &sink, entry);
    if (err == STORE_TAKEN)
        *record = s->entries[*entry].newest;
    return err;
}
