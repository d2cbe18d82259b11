/* SPDX-License-Identifier: Apache-2.0 */
/* resource.c - what the server calls a resource. See resource.h.
 *
 *   name             asked, one after the other
 *   widgets         /api/v1, then /apis in its aggregated form; of a server
 *                   that does not know it, /apis/GROUP/VERSION of each group
 *   widgets.a.b     /apis/a.b, then /apis/a.b/VERSION, best version first
 *   widgets.v1.a.b  /apis/a.b/v1, and if there is no such, as the line above */
#include "resource.h"

#include <string.h>

#include "out.h"

enum step {
    ASK_CORE,     /* /api/v1 */
    ASK_ALL,      /* /apis */
    ASK_NTH_GROUP, /* /apis again, for the name of the nth group */
    ASK_NTH_LIST,
    ASK_VERSIONS, /* /apis/GROUP, for the nth version */
    ASK_LIST,     /* /apis/GROUP/VERSION */
    ASK_EXACT     /* the same, with the version given */
};

/* ---- those everybody has ------------------------------------------------- */

struct known {
    const char *plural, *singular, *brief, *group, *kind;
    bool namespaced;
};
static const struct known table[] = {
    { "configmaps", "configmap", "cm", "", "ConfigMap", true },
    { "secrets", "secret", "secret", "", "Secret", true },
    { "pods", "pod", "po", "", "Pod", true },
    { "services", "service", "svc", "", "Service", true },
    { "nodes", "node", "no", "", "Node", false },
    { "namespaces", "namespace", "ns", "", "Namespace", false },
    { "deployments", "deployment", "deploy", "apps", "Deployment", true },
};

static struct kinf_span span_of(const char *text)
{
    return (struct kinf_span){ text, strlen(text) };
}

/* "", ".apps", ".v1.apps" and, in the core group, ".v1." */
static bool rest_fits(const char *rest, const char *group)
{
    if (*rest == '\0')
        return true;
    if (strcmp(rest, ".v1.") == 0)
        return *group == '\0';
    if (strncmp(rest, ".v1.", 4) == 0)
        rest += 3;
    return *group && strcmp(rest + 1, group) == 0;
}

static bool lower_copy(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = from[i];

        to[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    to[len] = '\0';
    return true;
}

bool resource_known(struct resource *out, const char *name)
{
    size_t len = strcspn(name, ".");
    char word[64];

    if (!lower_copy(word, sizeof word, name, len))
        return false;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct known *k = &table[i];

        if ((strcmp(word, k->plural) == 0 || strcmp(word, k->singular) == 0 ||
             strcmp(word, k->brief) == 0) && rest_fits(name + len, k->group)) {
            out->api = (struct kinf_resource){
                span_of(k->group), KINF_SPAN("v1"), span_of(k->plural),
                span_of(k->kind) };
            out->namespaced = k->namespaced;
            return true;
        }
    }
    return false;
}

/* ---- reading an answer --------------------------------------------------- */

static bool is(struct kinf_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static void copy(char *to, size_t size, struct kinf_span text)
{
    size_t len = text.len < size ? text.len : 0; /* too long is no match */

    memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static void note_verb(struct candidate *c, struct kinf_span verb)
{
    c->list |= is(verb, "list");
    c->watch |= is(verb, "watch");
}

/* What a member says of a resource; the names differ in the two forms. */
static void note_member(struct discovery *d, const char *member,
                        struct kinf_span text)
{
    struct candidate *c = &d->candidate;

    if (strcmp(member, "resource") == 0 || strcmp(member, "name") == 0) {
        copy(c->plural, sizeof c->plural, text);
        c->matches |= is(text, d->name);
    } else if (strcmp(member, "singularResource") == 0 ||
               strcmp(member, "singularName") == 0 ||
               strcmp(member, "shortNames[]") == 0) {
        c->matches |= is(text, d->name);
    } else if (strcmp(member, "kind") == 0 ||
               strcmp(member, "responseKind.kind") == 0) {
        char lower[64];

        copy(c->kind, sizeof c->kind, text);
        if (lower_copy(lower, sizeof lower, text.ptr, text.len))
            c->matches |= strcmp(lower, d->name) == 0;
    } else if (strcmp(member, "namespaced") == 0) {
        c->namespaced = is(text, "true");
    } else if (strcmp(member, "scope") == 0) {
        c->namespaced = is(text, "Namespaced");
    } else if (strcmp(member, "verbs[]") == 0) {
        note_verb(c, text);
    }
}

/* Returns what follows the head, or NULL. */
static const char *behind(const char *path, const char *head)
{
    size_t len = strlen(head);

    return strncmp(path, head, len) == 0 ? path + len : NULL;
}

static void on_value(void *ctx, const char *path, struct kinf_span text)
{
    struct discovery *d = ctx;
    const char *member;

    if (text.len == 0)
        return;
    if ((member = behind(path, "resources[].")) ||
        (member = behind(path, "items[].versions[].resources[].")))
        note_member(d, member, text);
    else if (strcmp(path, "items[].metadata.name") == 0 ||
             strcmp(path, "groups[].name") == 0)
        copy(d->at_group, sizeof d->at_group, text);
    else if (strcmp(path, "items[].versions[].version") == 0 ||
             strcmp(path, "groups[].preferredVersion.version") == 0 ||
             strcmp(path, "versions[].version") == 0)
        copy(d->at_version, sizeof d->at_version, text);
}

static void keep(struct out *o, const char *text, struct kinf_span *to)
{
    *to = (struct kinf_span){ o->ptr + o->used, strlen(text) };
    out_text(o, text);
}

/* A resource has been read: is it the one? */
static void decide(struct discovery *d)
{
    struct candidate *c = &d->candidate;
    struct resource *r = d->out;
    struct out o = out_over(r->text, sizeof r->text);

    if (c->matches && !strchr(c->plural, '/') && c->plural[0] && !d->found) {
        d->unwatched |= !(c->list && c->watch);
        if (c->list && c->watch) {
            keep(&o, d->at_group, &r->api.group);
            keep(&o, d->at_version, &r->api.version);
            keep(&o, c->plural, &r->api.plural);
            keep(&o, c->kind, &r->api.kind);
            r->namespaced = c->namespaced;
            d->found = true;
        }
    }
    *c = (struct candidate){ .matches = false };
}

static void on_end(void *ctx, const char *path)
{
    struct discovery *d = ctx;

    if (strcmp(path, "resources[]") == 0 ||
        strcmp(path, "items[].versions[].resources[]") == 0) {
        decide(d);
    } else if (strcmp(path, "groups[]") == 0 ||
               strcmp(path, "versions[]") == 0) {
        if (d->seen++ != d->nth)
            return;
        memcpy(d->nth_group, d->at_group, sizeof d->nth_group);
        memcpy(d->nth_version, d->at_version, sizeof d->nth_version);
    }
}

/* ---- what to ask --------------------------------------------------------- */

static bool looks_like_version(const char *text)
{
    return text[0] == 'v' && text[1] >= '0' && text[1] <= '9';
}

/* Reads rest as "version.group". False: it has no dot. */
static bool split_version(struct discovery *d)
{
    const char *dot = strchr(d->rest, '.');

    if (!dot || (size_t)(dot - d->rest) >= sizeof d->version)
        return false;
    copy(d->version, sizeof d->version,
         (struct kinf_span){ d->rest, (size_t)(dot - d->rest) });
    copy(d->group, sizeof d->group, span_of(dot + 1));
    d->step = d->group[0] ? ASK_EXACT : ASK_CORE;
    return true;
}

static void take_group(struct discovery *d)
{
    d->version[0] = '\0';
    copy(d->group, sizeof d->group, span_of(d->rest));
    d->step = ASK_VERSIONS;
    d->nth = 0;
}

static bool is_name(const char *text)
{
    for (; *text; text++) {
        if (!(*text >= 'a' && *text <= 'z') && *text != '-' && *text != '.' &&
            !(*text >= '0' && *text <= '9'))
            return false;
    }
    return true;
}

bool discovery_begin(struct discovery *d, struct resource *out,
                     const char *name)
{
    size_t len = strcspn(name, ".");
    const char *rest = name + len + (name[len] == '.');

    *d = (struct discovery){ .out = out, .step = ASK_CORE };
    if (len == 0 || !lower_copy(d->name, sizeof d->name, name, len) ||
        !lower_copy(d->rest, sizeof d->rest, rest, strlen(rest)) ||
        !is_name(d->name) || !is_name(d->rest))
        return false;
    d->group_given = name[len] == '.';
    if (d->group_given &&
        !(looks_like_version(d->rest) && split_version(d)))
        take_group(d);
    return true;
}

struct kinf_span discovery_path(struct discovery *d)
{
    struct out o = out_over(d->path, sizeof d->path);

    d->walk.value = on_value;
    d->walk.end = on_end;
    d->walk.ctx = d;
    json_walk_init(&d->walk);
    d->seen = 0;
    d->broken = false;
    d->candidate = (struct candidate){ .matches = false };
    switch ((enum step)d->step) {
    case ASK_CORE:
        d->at_group[0] = '\0';
        copy(d->at_version, sizeof d->at_version, KINF_SPAN("v1"));
        out_text(&o, "/api/v1");
        break;
    case ASK_ALL:
    case ASK_NTH_GROUP:
        out_text(&o, "/apis");
        break;
    case ASK_VERSIONS:
        out_format(&o, "/apis/%s", d->group);
        break;
    case ASK_NTH_LIST:
    case ASK_LIST:
    case ASK_EXACT:
        memcpy(d->at_group, d->step == ASK_NTH_LIST ? d->nth_group : d->group,
               sizeof d->at_group);
        memcpy(d->at_version, d->step == ASK_EXACT ? d->version
                                                   : d->nth_version,
               sizeof d->at_version);
        out_format(&o, "/apis/%s/%s", d->at_group, d->at_version);
        break;
    }
    d->nth_version[0] = '\0';
    return (struct kinf_span){ d->path, o.used };
}

struct kinf_span discovery_accept(const struct discovery *d)
{
    if (d->step != ASK_ALL)
        return KINF_SPAN("application/json");
    return KINF_SPAN(
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;"
        "as=APIGroupDiscoveryList,application/json");
}

int discovery_body(struct discovery *d, struct kinf_span piece)
{
    d->broken = !json_walk_feed(&d->walk, piece);
    return d->found || d->broken ? KINF_ERR_STOPPED : KINF_OK;
}

/* ---- what an answer leads to --------------------------------------------- */

static enum discovery_result none(const struct discovery *d)
{
    return d->unwatched ? DISCOVERY_UNWATCHED : DISCOVERY_UNKNOWN;
}

/* The name was read the likelier way, and is not that: read it the other way,
 * once. */
static enum discovery_result read_otherwise(struct discovery *d)
{
    bool was_exact = d->version[0] != '\0';

    if (d->second_reading)
        return none(d);
    d->second_reading = true;
    if (was_exact)
        take_group(d);
    else if (!split_version(d))
        return none(d);
    return DISCOVERY_ASK;
}

enum discovery_result discovery_end(struct discovery *d, int err,
                                    int http_status)
{
    bool absent = err != KINF_OK && http_status == 404;

    if (d->found)
        return DISCOVERY_FOUND;
    if ((err != KINF_OK && !absent) || d->broken ||
        (err == KINF_OK && !json_walk_done(&d->walk)))
        return DISCOVERY_FAILED;
    switch ((enum step)d->step) {
    case ASK_CORE:
        if (d->group_given)
            return none(d);
        d->step = ASK_ALL;
        break;
    case ASK_ALL: /* an old server told its groups in place of resources */
    case ASK_NTH_GROUP:
        if (!d->nth_version[0])
            return none(d);
        d->step = ASK_NTH_LIST;
        break;
    case ASK_NTH_LIST:
        d->nth++;
        d->step = ASK_NTH_GROUP;
        break;
    case ASK_VERSIONS:
        if (!d->nth_version[0])
            return read_otherwise(d);
        d->step = ASK_LIST;
        break;
    case ASK_LIST:
        d->nth++;
        d->step = ASK_VERSIONS;
        break;
    case ASK_EXACT:
        return read_otherwise(d);
    }
    return DISCOVERY_ASK;
}
