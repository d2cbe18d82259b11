/* SPDX-License-Identifier: Apache-2.0 */
/* etcd.c - objects, versions, history, backups; see etcd.h. */
#include "etcd.h"

#include <stdio.h>

struct etcd etcd;

const struct kind kinds[RESOURCES] = {
    { "/api/v1", "", "v1", "configmaps", "ConfigMap", "v1", true, false },
    { "/apis/example.com/v1", "example.com", "v1", "widgets", "Widget",
      "example.com/v1", true, true },
    { "/api/v1", "", "v1", "nodes", "Node", "v1", false, false },
    { "/apis/example.com/v1", "example.com", "v1", "gadgets", "Gadget",
      "example.com/v1", false, true },
};

void etcd_init(uint64_t rev)
{
    etcd.rev = etcd.highest_rev = rev;
    etcd.compact_rev = rev;
}

/* ---- keys --------------------------------------------------------------- */

static int compare_part(const char *a, const char *b, size_t len)
{
    size_t a_len = strlen(a), least = a_len < len ? a_len : len;
    int order = memcmp(a, b, least);

    return order != 0 ? order : a_len < len ? -1 : a_len > len ? 1 : 0;
}

/* Place in the sorted keys where the key is, or would be. */
static size_t place_of(const struct resource *r, const char *namespace_,
                       size_t ns_len, const char *name, size_t name_len,
                       bool *found)
{
    size_t low = 0, high = r->sorted.count;

    *found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = compare_part(r->sorted.at[mid]->namespace_, namespace_,
                                 ns_len);

        if (order == 0)
            order = compare_part(r->sorted.at[mid]->name, name, name_len);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t etcd_find_key(uint32_t res, const char *namespace_, size_t ns_len,
                       const char *name, size_t name_len)
{
    const struct resource *r = &etcd.resources[res];
    bool found;
    size_t at = place_of(r, namespace_, ns_len, name, name_len, &found);

    return found ? r->sorted.at[at]->id : UINT32_MAX;
}

uint32_t etcd_key(uint32_t res, const char *namespace_, const char *name)
{
    struct resource *r = &etcd.resources[res];
    const char *space = kinds[res].namespaced ? namespace_ : "";
    bool found;
    size_t at = place_of(r, space, strlen(space), name, strlen(name), &found);
    struct key *key;

    if (found)
        return r->sorted.at[at]->id;
    key = calloc(1, sizeof(*key));
    MUST(key != NULL, "out of memory");
    snprintf(key->namespace_, sizeof(key->namespace_), "%s", space);
    snprintf(key->name, sizeof(key->name), "%s", name);
    key->id = (uint32_t)r->keys.count;
    *array_push(&r->keys) = key;
    (void)array_push(&r->sorted);
    memmove(&r->sorted.at[at + 1], &r->sorted.at[at],
            (r->sorted.count - 1 - at) * sizeof(r->sorted.at[0]));
    r->sorted.at[at] = key;
    return key->id;
}

struct key *key_of(uint32_t state)
{
    const struct object *o = &etcd.objects.at[etcd.states.at[state].object];

    return etcd.resources[o->res].keys.at[o->key];
}

uint32_t etcd_at(uint32_t res, const struct key *key, uint64_t rev)
{
    size_t i = key->versions.count;

    (void)res;
    while (i > 0 && key->versions.at[i - 1].rev > rev)
        i--;
    return i > 0 ? key->versions.at[i - 1].state : NO_STATE;
}

uint32_t etcd_now(uint32_t res, uint32_t key)
{
    return etcd_at(res, etcd.resources[res].keys.at[key], UINT64_MAX);
}

/* ---- changes ------------------------------------------------------------ */

static void next_rev(void)
{
    etcd.rev++;
    if (etcd.highest_rev < etcd.rev)
        etcd.highest_rev = etcd.rev;
}

void etcd_noise(uint32_t by)
{
    while (by-- > 0)
        next_rev();
}

static uint32_t new_state(uint32_t object, uint64_t rev, uint32_t generation,
                          const struct look *look)
{
    uint32_t at = (uint32_t)etcd.states.count;

    *array_push(&etcd.states) =
        (struct state){ object, ++etcd.seq, rev, generation, *look };
    *array_push(&etcd.objects.at[object].states) = at;
    return at;
}

static void log_change(uint32_t res, uint32_t key, uint32_t was, uint32_t now)
{
    struct resource *r = &etcd.resources[res];

    *array_push(&r->log) = (struct change){ etcd.rev, sim.now, was, now };
    *array_push(&r->keys.at[key]->versions) =
        (struct version){ etcd.rev, now };
    etcd.changes++;
}

static uint32_t new_object(uint32_t res, uint32_t key)
{
    uint32_t at = (uint32_t)etcd.objects.count;
    struct object *o = array_push(&etcd.objects);

    o->res = (uint8_t)res;
    o->key = key;
    o->alive = true;
    etcd.resources[res].alive++;
    return at;
}

static void set_gone(uint32_t object)
{
    struct object *o = &etcd.objects.at[object];

    o->alive = false;
    o->gone_seq = ++etcd.seq;
    etcd.resources[o->res].alive--;
}

/* What is changed in metadata alone does not count. */
static uint32_t next_generation(uint32_t was, const struct look *look)
{
    const struct state *old = &etcd.states.at[was];

    return old->generation + (old->look.size != look->size ||
                              old->look.salt != look->salt ||
                              old->look.payload != look->payload);
}

void etcd_put(uint32_t res, uint32_t key, const struct look *look)
{
    uint32_t was = etcd_now(res, key), generation = 1;
    uint32_t object = was != NO_STATE ? etcd.states.at[was].object
                                      : new_object(res, key);

    next_rev();
    if (was != NO_STATE)
        generation = next_generation(was, look);
    log_change(res, key, was, new_state(object, etcd.rev, generation, look));
    TELL("etcd: %s %s %s/%s version %llu size %u%s",
         was == NO_STATE ? "create" : "modify", kinds[res].plural,
         etcd.resources[res].keys.at[key]->namespace_,
         etcd.resources[res].keys.at[key]->name,
         (unsigned long long)etcd.rev, look->size,
         look->broken != BROKEN_NOT ? " BROKEN" : "");
}

void etcd_delete(uint32_t res, uint32_t key)
{
    uint32_t was = etcd_now(res, key);

    if (was == NO_STATE)
        return;
    next_rev();
    set_gone(etcd.states.at[was].object);
    log_change(res, key, was, NO_STATE);
    TELL("etcd: delete %s %s/%s version %llu", kinds[res].plural,
         etcd.resources[res].keys.at[key]->namespace_,
         etcd.resources[res].keys.at[key]->name,
         (unsigned long long)etcd.rev);
}

void etcd_compact(void)
{
    etcd.compact_rev = etcd.rev;
    TELL("etcd: compacted at %llu", (unsigned long long)etcd.rev);
}

/* ---- backup and restore ------------------------------------------------- */

void etcd_backup(void)
{
    struct backup *b = &etcd.backup;

    b->taken = true;
    b->rev = etcd.rev;
    b->states.count = 0;
    for (uint32_t res = 0; res < RESOURCES; res++) {
        for (uint32_t k = 0; k < etcd.resources[res].keys.count; k++) {
            uint32_t state = etcd_now(res, k);

            if (state != NO_STATE)
                *array_push(&b->states) = state;
        }
    }
    TELL("etcd: backup at %llu", (unsigned long long)b->rev);
}

static uint32_t state_in_backup(const struct backup *b, uint32_t res,
                                uint32_t key)
{
    for (size_t i = 0; i < b->states.count; i++) {
        uint32_t s = b->states.at[i];
        const struct object *o = &etcd.objects.at[etcd.states.at[s].object];

        if (o->res == res && o->key == key)
            return s;
    }
    return NO_STATE;
}

/* The key's line of time begins anew with what the backup holds. What differs
 * from now is, to those who look, a new state that looks like an old one. */
static void restore_key(uint32_t res, uint32_t key)
{
    struct key *k = etcd.resources[res].keys.at[key];
    uint32_t was = etcd_now(res, key);
    uint32_t now = state_in_backup(&etcd.backup, res, key);

    if (was != NO_STATE && (now == NO_STATE ||
                            etcd.states.at[was].object !=
                                etcd.states.at[now].object))
        set_gone(etcd.states.at[was].object);
    k->versions.count = 0;
    if (now == NO_STATE)
        return;
    if (now != was) {
        struct state old = etcd.states.at[now];
        struct object *o = &etcd.objects.at[old.object];

        if (!o->alive) {
            o->alive = true;
            etcd.resources[res].alive++;
        }
        now = new_state(old.object, old.rev, old.generation, &old.look);
    }
    *array_push(&k->versions) =
        (struct version){ etcd.states.at[now].rev, now };
}

void etcd_restore(void)
{
    uint64_t lost = etcd.rev;

    for (uint32_t res = 0; res < RESOURCES; res++) {
        for (uint32_t k = 0; k < etcd.resources[res].keys.count; k++)
            restore_key(res, k);
        etcd.resources[res].log.count = 0;
    }
    etcd.rev = etcd.compact_rev = etcd.backup.rev;
    etcd.restores++;
    etcd_backup(); /* the states in force now */
    TELL("etcd: restored, version %llu, was %llu",
         (unsigned long long)etcd.rev, (unsigned long long)lost);
}

/* ---- views -------------------------------------------------------------- */

const char *const selectors[SELECTORS] = {
    "", "tier=a", "tier!=a", "tier in (a,b)", "!hold", "hold,tier notin (c)"
};
const char *const field_selectors[FIELD_SELECTORS] = {
    "", "metadata.namespace!=ns1", "metadata.name!=x-1"
};

static bool selected(const struct look *look, uint32_t selector)
{
    switch (selector) {
    case 0:
        return true;
    case 1:
        return look->tier == 'a';
    case 2:
        return look->tier != 'a';
    case 3:
        return look->tier == 'a' || look->tier == 'b';
    case 4:
        return !look->hold;
    case 5:
        return look->hold && look->tier != 'c';
    default:
        sim_fail("no selector %u", selector);
    }
}

bool view_has(const struct view *v, uint32_t state)
{
    const struct key *key;

    if (state == NO_STATE)
        return false;
    key = key_of(state);
    if (v->namespace_[0] != '\0' && strcmp(v->namespace_, key->namespace_) != 0)
        return false;
    if (v->field_selector == 1 && strcmp(key->namespace_, "ns1") == 0)
        return false;
    if (v->field_selector == 2 && strcmp(key->name, "x-1") == 0)
        return false;
    return selected(&etcd.states.at[state].look, v->selector);
}

bool view_holds(const struct view *v, uint32_t state)
{
    return view_has(v, state) && strlen(key_of(state)->name) <= 255;
}

/* ---- writing objects ---------------------------------------------------- */

void render_uid(char uid[40], uint32_t object)
{
    snprintf(uid, 40, "%08x-51a0-4000-8000-%012x", object * 2654435761u,
             object + 1);
}

uint32_t object_of_uid(const char *uid, size_t len)
{
    char text[40], right[40];
    uint32_t object;

    if (len != 36)
        return UINT32_MAX;
    memcpy(text, uid, len);
    text[len] = '\0';
    object = (uint32_t)strtoul(text + 24, NULL, 16) - 1;
    if (object >= etcd.objects.count)
        return UINT32_MAX;
    render_uid(right, object);
    return strcmp(right, text) == 0 ? object : UINT32_MAX;
}

/* The text grows here; members are separated as they come. */
struct writer {
    struct text *out;
    const struct form *form;
    const struct state *state;
    const struct key *key;
    const struct kind *kind;
    bool first;
};

static void name(struct writer *w, const char *member)
{
    if (!w->first)
        text_add(w->out, ",");
    w->first = false;
    text_add(w->out, "\"");
    text_add(w->out, member);
    text_add(w->out, "\":");
}

static void open_object(struct writer *w)
{
    text_add(w->out, "{");
    w->first = true;
}

static void close_object(struct writer *w)
{
    text_add(w->out, "}");
    w->first = false;
}

static void member(struct writer *w, const char *called, const char *value)
{
    name(w, called);
    text_add(w->out, "\"");
    text_add(w->out, value);
    text_add(w->out, "\"");
}

/* Does a keep list of this world hold such a path? */
static bool keeps(const struct writer *w, const char *what)
{
    if (!w->form->kept)
        return true;
    switch (w->form->keep) {
    case KEEP_DATA:
        return strcmp(what, "data") == 0 || strcmp(what, "binaryData") == 0;
    case KEEP_LABELS:
        return strcmp(what, "labels") == 0;
    case KEEP_DEEP:
        return strcmp(what, "note") == 0 || strcmp(what, "k0") == 0;
    default:
        return true;
    }
}

static void labels(struct writer *w)
{
    const char tier[2] = { (char)w->state->look.tier, '\0' };

    if (!keeps(w, "labels"))
        return;
    name(w, "labels");
    open_object(w);
    member(w, "app", "sim");
    if (w->state->look.hold)
        member(w, "hold", "yes");
    member(w, "tier", tier);
    close_object(w);
}

/* None, a note, a note and the last-applied one, or that alone. */
static void annotations(struct writer *w)
{
    uint32_t kind = w->state->look.salt % 4;
    bool all = keeps(w, "annotations");

    if (kind == 0 || (!all && !keeps(w, "note")))
        return;
    name(w, "annotations");
    open_object(w);
    if (kind >= 2 && !w->form->kept)
        member(w, "kubectl.kubernetes.io/last-applied-configuration",
               "{\\\"apiVersion\\\":\\\"v1\\\",\\\"data\\\":{\\\"k\\\":"
               "\\\"\\u003cv\\u003e\\\"}}\\n");
    if (kind <= 2)
        member(w, "note", "left by \\\"sim\\\"");
    close_object(w);
}

static void managed_fields(struct writer *w)
{
    if (w->form->kept || w->state->look.salt % 8 == 7)
        return;
    name(w, "managedFields");
    text_add(w->out, "[{\"manager\":\"sim\",\"operation\":\"Update\","
                     "\"apiVersion\":\"v1\",\"time\":\"2026-07-01T00:00:00Z\","
                     "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":"
                     "{\".\":{},\"f:k0\":{},\"f:]}\\\"\":{}}}}]");
}

static void creation(struct writer *w)
{
    if (keeps(w, "creationTimestamp"))
        member(w, "creationTimestamp", "2026-07-01T00:00:00Z");
}

static void generation(struct writer *w)
{
    if (!w->kind->unstructured || !keeps(w, "generation"))
        return;
    name(w, "generation");
    text_fmt(w->out, "%u", w->state->generation);
}

static void identity(struct writer *w)
{
    char uid[40], rev[24];
    uint8_t broken = w->form->kept ? BROKEN_NOT : w->state->look.broken;

    render_uid(uid, w->state->object);
    snprintf(rev, sizeof(rev), "%llu",
             (unsigned long long)(w->form->rev != 0 ? w->form->rev
                                                    : w->state->rev));
    if (broken != BROKEN_NAME)
        member(w, "name", w->key->name);
    if (w->key->namespace_[0] != '\0')
        member(w, "namespace", w->key->namespace_);
    if (!w->kind->unstructured || w->form->metadata_only) {
        member(w, "uid", uid);
        if (broken == BROKEN_TWICE)
            member(w, "uid", uid);
        if (broken != BROKEN_VERSION)
            member(w, "resourceVersion", rev);
    } else {
        if (broken != BROKEN_VERSION)
            member(w, "resourceVersion", rev);
        member(w, "uid", uid);
        if (broken == BROKEN_TWICE)
            member(w, "uid", uid);
    }
}

static void metadata(struct writer *w)
{
    name(w, "metadata");
    open_object(w);
    if (w->kind->unstructured && !w->form->metadata_only) {
        annotations(w);
        creation(w);
        generation(w);
        labels(w);
        managed_fields(w);
        identity(w);
    } else {
        identity(w);
        generation(w);
        creation(w);
        labels(w);
        annotations(w);
        managed_fields(w);
    }
    close_object(w);
}

/* Fills a string of about size bytes that tells states apart. */
static void payload_string(struct writer *w)
{
    static const char *const pieces[PAYLOADS] = {
        [PAYLOAD_PLAIN] = "abcdefgh ", [PAYLOAD_ESCAPES] = "\\u003c\\n\\\"\\\\",
        [PAYLOAD_UTF8] = "gr\303\274n \342\202\254 \360\237\220\247 ",
        [PAYLOAD_NUL] = "a\\u0000b", [PAYLOAD_DEEP] = "[{[{", 
        [PAYLOAD_NUMBER] = "0123456789", [PAYLOAD_NONE] = "", 
        [PAYLOAD_BINARY] = "QUJD"
    };
    const struct look *look = &w->state->look;
    const char *piece = pieces[look->payload];
    size_t end, len = strlen(piece);

    text_add(w->out, "\"");
    text_fmt(w->out, "%u-", look->salt);
    end = w->out->len + look->size;
    while (w->out->len < end)
        text_bytes(w->out, piece, len);
    if (!w->form->kept && look->broken == BROKEN_CONTROL)
        text_add(w->out, "\t");
    if (!w->form->kept && look->broken == BROKEN_UTF8)
        text_add(w->out, "\377\300");
    if (!w->form->kept && look->broken == BROKEN_ESCAPE)
        text_add(w->out, "\\x");
    text_add(w->out, "\"");
}

static void payload_odd(struct writer *w)
{
    uint32_t depth = 70 + w->state->look.salt % 200;

    name(w, "k1");
    if (w->state->look.payload == PAYLOAD_NUMBER) {
        for (uint32_t i = 0; i < depth; i++)
            text_add(w->out, "1234567890");
        return;
    }
    for (uint32_t i = 0; i < depth; i++)
        text_add(w->out, i % 2 == 0 ? "[" : "{\"a\":");
    text_add(w->out, "1");
    for (uint32_t i = depth; i-- > 0;)
        text_add(w->out, i % 2 == 0 ? "]" : "}");
}

static void payload(struct writer *w)
{
    const struct look *look = &w->state->look;
    bool odd = look->payload == PAYLOAD_DEEP || look->payload == PAYLOAD_NUMBER;
    bool configmap = !w->kind->unstructured && w->kind->namespaced;

    if (look->payload == PAYLOAD_NONE || w->form->metadata_only)
        return;
    if (configmap && look->payload == PAYLOAD_BINARY) {
        if (!keeps(w, "binaryData"))
            return;
        name(w, "binaryData");
    } else {
        if (!keeps(w, "data") && !keeps(w, "k0"))
            return;
        name(w, configmap ? "data" : "spec");
    }
    open_object(w);
    name(w, "k0");
    payload_string(w);
    if (odd && keeps(w, "data"))
        payload_odd(w);
    if (!w->form->kept && look->broken == BROKEN_GRAMMAR)
        text_add(w->out, ",\"x\":}");
    else if (!w->form->kept && look->broken == BROKEN_FRAME)
        text_add(w->out, ",\"x\":[}}");
    else
        text_add(w->out, "}");
    w->first = false;
}

static void head(struct writer *w)
{
    const char *kind = w->kind->kind, *version = w->kind->api_version;

    if (w->form->kept)
        return; /* lists do not have it, so nothing kept has */
    if (w->form->metadata_only) {
        kind = "PartialObjectMetadata";
        version = "meta.k8s.io/v1";
    } else if (!w->form->head && !w->kind->unstructured) {
        return;
    }
    if (w->state->look.broken == BROKEN_KIND)
        kind = "Table";
    if (w->kind->unstructured && !w->form->metadata_only)
        member(w, "apiVersion", version);
    member(w, "kind", kind);
    if (!w->kind->unstructured || w->form->metadata_only)
        member(w, "apiVersion", version);
}

/* Puts white space between tokens. */
static void spread(struct text *out, size_t from, uint32_t salt)
{
    struct text copy = { NULL, 0, 0, 0 };
    struct rng r = { salt };
    bool in_string = false;

    text_bytes(&copy, out->ptr + from, out->len - from);
    out->len = from;
    for (size_t i = 0; i < copy.len; i++) {
        char c = copy.ptr[i];

        text_bytes(out, &c, 1);
        if (in_string && c == '\\')
            text_bytes(out, &copy.ptr[++i], 1);
        else if (c == '"')
            in_string = !in_string;
        if (!in_string && strchr("{}[]:,", c) != NULL && rng_percent(&r, 30))
            text_add(out, rng_percent(&r, 50) ? " " : "\r\n\t");
    }
    text_free(&copy);
}

void render(struct text *out, uint32_t state, const struct form *form)
{
    const struct state *s = &etcd.states.at[state];
    struct writer w = { .out = out, .form = form, .state = s,
                        .key = key_of(state),
                        .kind = &kinds[etcd.objects.at[s->object].res] };
    size_t from = out->len;

    open_object(&w);
    head(&w);
    metadata(&w);
    payload(&w);
    close_object(&w);
    if (form->spread && !form->kept)
        spread(out, from, s->look.salt);
}
