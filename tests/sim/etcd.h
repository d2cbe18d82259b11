/* SPDX-License-Identifier: Apache-2.0 */
/* etcd.h - what the cluster holds: objects with versions shared by all
 * resources, their whole history, and backups of it.
 *
 * A state is one version of one object and is never forgotten, so that what a
 * handler is shown can be found again and compared byte by byte. A restore
 * puts old states into force again, as new entries of the history: versions
 * are then used twice, the order of seq never. */
#ifndef SIM_ETCD_H
#define SIM_ETCD_H

#include "base.h"

enum { CONFIGMAPS, WIDGETS, NODES, GADGETS, RESOURCES };

struct kind {
    const char *group_path; /* "/api/v1" */
    const char *group, *version, *plural, *kind, *api_version;
    bool namespaced;
    bool unstructured; /* a custom resource: keys sorted, list metadata last */
};
extern const struct kind kinds[RESOURCES];

/* How an object looks; drawn by chance, chosen by a script. */
enum { PAYLOAD_PLAIN, PAYLOAD_ESCAPES, PAYLOAD_UTF8, PAYLOAD_NUL, PAYLOAD_DEEP,
       PAYLOAD_NUMBER, PAYLOAD_NONE, PAYLOAD_BINARY, PAYLOADS };
enum { BROKEN_NOT, BROKEN_CONTROL, BROKEN_UTF8, BROKEN_ESCAPE, BROKEN_GRAMMAR,
       BROKEN_TWICE, BROKEN_VERSION, BROKEN_KIND, BROKEN_NAME, BROKEN_FRAME,
       BROKENS };

struct look {
    uint32_t size; /* bytes of the payload string */
    uint32_t salt;
    uint8_t tier;  /* label tier: 'a', 'b' or 'c' */
    bool hold;     /* label hold */
    uint8_t payload, broken;
};

#define NO_STATE UINT32_MAX

struct state {
    uint32_t object; /* index in etcd.objects */
    uint32_t seq;    /* place in the history */
    uint64_t rev;
    uint32_t generation; /* of its payload, as custom resources count */
    struct look look;
};

/* One uid. */
struct object {
    uint8_t res;
    bool alive;
    uint32_t key;      /* index in the resource's keys */
    uint32_t gone_seq; /* of its last deletion, 0: never */
    ARRAY(uint32_t) states;
};

/* Longer ones than a server takes, too: kinformer holds no key above 255. */
#define NAME_MAX_BYTES 320

struct version {
    uint64_t rev;
    uint32_t state; /* NO_STATE: deleted at rev */
};
struct key {
    char namespace_[64], name[NAME_MAX_BYTES];
    uint32_t id;
    ARRAY(struct version) versions; /* of the line of time in force */
};

struct change {
    uint64_t rev, at;
    uint32_t was, now; /* states; NO_STATE: there was or is none */
};

struct resource {
    ARRAY(struct key *) keys;   /* by id */
    ARRAY(struct key *) sorted; /* as the server lists them */
    ARRAY(struct change) log;
    uint32_t alive;
};

struct backup {
    bool taken;
    uint64_t rev;
    ARRAY(uint32_t) states;
};

struct etcd {
    uint64_t rev, compact_rev, highest_rev;
    uint32_t seq;
    uint32_t restores;
    struct resource resources[RESOURCES];
    ARRAY(struct object) objects;
    ARRAY(struct state) states;
    struct backup backup;
    uint64_t changes;
};
extern struct etcd etcd;

void etcd_init(uint64_t rev);
/* Index of a key, made if it is new. */
uint32_t etcd_key(uint32_t res, const char *namespace_, const char *name);
/* Index or UINT32_MAX. */
uint32_t etcd_find_key(uint32_t res, const char *namespace_, size_t ns_len,
                       const char *name, size_t name_len);
void etcd_put(uint32_t res, uint32_t key, const struct look *look);
void etcd_delete(uint32_t res, uint32_t key);
/* Something else changed: only the version moves. */
void etcd_noise(uint32_t by);
/* The state of a key at a revision, or NO_STATE. */
uint32_t etcd_at(uint32_t res, const struct key *key, uint64_t rev);
uint32_t etcd_now(uint32_t res, uint32_t key);
void etcd_compact(void);
void etcd_backup(void);
void etcd_restore(void);

/* ---- what somebody looks at --------------------------------------------- */

#define SELECTORS 6
#define FIELD_SELECTORS 3
extern const char *const selectors[SELECTORS];
extern const char *const field_selectors[FIELD_SELECTORS];

struct view {
    uint8_t res, selector, field_selector;
    bool metadata_only;
    char namespace_[64]; /* "": all */
};
bool view_has(const struct view *v, uint32_t state);
/* The same, for what can be held: its name is not too long. */
bool view_holds(const struct view *v, uint32_t state);

/* ---- how objects are written -------------------------------------------- */

enum { KEEP_ALL, KEEP_DATA, KEEP_LABELS, KEEP_DEEP, KEEPS };

struct form {
    bool head; /* kind and apiVersion (items of typed lists have none) */
    bool metadata_only;
    bool kept; /* as kinformer keeps it, else as the server sends it */
    uint8_t keep;
    bool spread; /* legal white space in between */
    uint64_t rev; /* 0: the state's */
};
void render(struct text *out, uint32_t state, const struct form *form);
void render_uid(char uid[40], uint32_t object);
/* Index of the object with this uid, or UINT32_MAX. */
uint32_t object_of_uid(const char *uid, size_t len);
struct key *key_of(uint32_t state);

#endif
