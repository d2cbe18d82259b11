/* SPDX-License-Identifier: Apache-2.0 */
/* fake_wire.h - plays the wire to a store: objects as they come out of it. */
#ifndef FAKE_WIRE_H
#define FAKE_WIRE_H

#include "fake.h"

struct fake_object {
    const char *namespace_, *name, *uid, *version;
    uint32_t size; /* of the kept JSON; at least what the identity takes */
    char filler;
    int broken;
};

/* Gives the object to the store, as the reflector would. in_flight as for
 * kinf_store_reserve, whose answer comes if it is not KINF_OK. entry and record
 * are filled when it was taken. */
int fake_receive(struct kinf_store *s, const struct fake_object *object,
                 bool in_flight, bool by_bytes, kinf_idx *entry,
                 kinf_idx *record);

/* What the wire tells of it, without its JSON. */
struct kinf_item fake_item(const struct fake_object *object);

#endif
