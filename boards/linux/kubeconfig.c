/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig.c - reads kubeconfig files. See kubeconfig.h.
 *
 * The files are parsed as events, three times: for the current context's name,
 * for the context, for its cluster and user. What an entry of a list holds is
 * noted as it passes and forgotten at its end when the name, which may come
 * last, is another. */
#include "kubeconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "out.h"
#include "yaml_memory.h"

/* Files, and what libyaml makes of them: at most a few bytes a byte. */
#define YAML_BYTES (KUBECONFIG_BYTES * 8)

/* ---- fields -------------------------------------------------------------- */

enum use {
    USE_TEXT,
    USE_PATH,  /* relative to the file's folder */
    USE_DATA,  /* base64 */
    USE_SKIP,  /* changes nothing for us */
    USE_FALSE, /* refused unless false */
    USE_NOT    /* refused unless empty */
};

struct field {
    const char *name;
    enum use use;
    size_t at; /* in struct kubeconfig */
    const char *todo;
};

#define AT(member) offsetof(struct kubeconfig, member)
#define A_TOKEN                                                                \
    "use a token, tokenFile or a client certificate, such as a service "       \
    "account's: kubectl create token"

static const struct field context_fields[] = {
    { "cluster", USE_TEXT, AT(cluster), NULL },
    { "user", USE_TEXT, AT(user), NULL },
    { "namespace", USE_TEXT, AT(namespace_), NULL },
    { "extensions", USE_SKIP, 0, NULL },
    { NULL, USE_NOT, 0, NULL }
};
static const struct field cluster_fields[] = {
    { "server", USE_TEXT, AT(server), NULL },
    { "tls-server-name", USE_TEXT, AT(tls_server_name), NULL },
    { "certificate-authority", USE_PATH, AT(ca_file), NULL },
    { "certificate-authority-data", USE_DATA, AT(ca), NULL },
    { "disable-compression", USE_SKIP, 0, NULL }, /* never asked for */
    { "extensions", USE_SKIP, 0, NULL },
    { "insecure-skip-tls-verify", USE_FALSE, 0,
      "the server is always verified: give certificate-authority" },
    { "proxy-url", USE_NOT, 0, "the server must be reached without a proxy" },
    { NULL, USE_NOT, 0, NULL }
};
static const struct field user_fields[] = {
    { "client-certificate", USE_PATH, AT(cert_file), NULL },
    { "client-certificate-data", USE_DATA, AT(cert), NULL },
    { "client-key", USE_PATH, AT(key_file), NULL },
    { "client-key-data", USE_DATA, AT(key), NULL },
    { "token", USE_TEXT, AT(token), NULL },
    { "tokenFile", USE_PATH, AT(token_file), NULL },
    { "extensions", USE_SKIP, 0, NULL },
    { "exec", USE_NOT, 0, "no program is run for credentials: " A_TOKEN },
    { "auth-provider", USE_NOT, 0, "kubectl has dropped it, too: " A_TOKEN },
    { "username", USE_NOT, 0, "servers take no passwords: " A_TOKEN },
    { "password", USE_NOT, 0, "servers take no passwords: " A_TOKEN },
    { "as", USE_NOT, 0, "nobody is impersonated: use that user's own token" },
    { "as-uid", USE_NOT, 0, "nobody is impersonated" },
    { "as-groups", USE_NOT, 0, "nobody is impersonated" },
    { "as-user-extra", USE_NOT, 0, "nobody is impersonated" },
    { NULL, USE_NOT, 0, NULL }
};

/* The three lists of a kubeconfig. */
struct list {
    const char *name, *entry;
    const struct field *fields;
    size_t chosen; /* the name of the entry wanted, in struct kubeconfig */
};
static const struct list lists[] = {
    { "contexts", "context", context_fields, AT(context) },
    { "clusters", "cluster", cluster_fields, AT(cluster) },
    { "users", "user", user_fields, AT(user) }
};
enum { CONTEXTS = 1, CLUSTERS = 2, USERS = 4 }; /* 1 << place in lists */

/* ---- reading ------------------------------------------------------------- */

struct reader {
    struct kubeconfig *kc;
    const char *path; /* of the file being read */
    size_t path_len;
    yaml_parser_t parser;
    yaml_event_t event;
    bool have_event;
    unsigned wanted; /* lists looked through in this pass */
    unsigned found;  /* those whose entry an earlier file had */
    unsigned here;   /* those whose entry this file has */
    char names[120]; /* of contexts, for the error that none fits */
    struct out names_out;
};

/* One entry of a list, before its name is known. */
struct entry {
    const struct list *list;
    struct kubeconfig values;
    struct kinf_span name;
    bool has_body;
    char problem[200];
    const char *todo;
};

static bool fail(struct kubeconfig *kc, const char *todo, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));
static bool fail(struct kubeconfig *kc, const char *todo, const char *format,
                 ...)
{
    struct out o = out_over(kc->error, sizeof kc->error - 1);
    va_list args;

    va_start(args, format);
    out_vformat(&o, format, args);
    va_end(args);
    kc->error[o.used] = '\0';
    kc->todo = todo;
    return false;
}

static bool fail_here(struct reader *r, size_t line, const char *todo,
                      const char *what)
{
    return fail(r->kc, todo, "kubeconfig %.*s, line %zu: %s",
                (int)r->path_len, r->path, line + 1, what);
}

static bool next(struct reader *r)
{
    if (r->have_event)
        yaml_event_delete(&r->event);
    r->have_event = false;
    if (!yaml_parser_parse(&r->parser, &r->event))
        return fail_here(r, r->parser.problem_mark.line,
                         "kubectl config view tells more",
                         r->parser.problem ? r->parser.problem
                                           : "not enough memory");
    r->have_event = true;
    if (r->event.type == YAML_ALIAS_EVENT)
        return fail_here(r, r->event.start_mark.line, "write the value out",
                         "YAML aliases are not read");
    return true;
}

/* Goes on to the last event of the value that begins here. */
static bool skip(struct reader *r)
{
    unsigned depth = 0;

    for (;;) {
        switch (r->event.type) {
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
            depth++;
            break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            depth--;
            break;
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
        case YAML_ALIAS_EVENT:
        case YAML_SCALAR_EVENT:
            break;
        }
        if (depth == 0)
            return true;
        if (!next(r))
            return false;
    }
}

static bool is_scalar(const struct reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT;
}

static struct kinf_span scalar(const struct reader *r)
{
    return (struct kinf_span){ (const char *)r->event.data.scalar.value,
                               r->event.data.scalar.length };
}

static bool equals(struct kinf_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static bool same(struct kinf_span a, struct kinf_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Empty, or YAML's null. */
static bool is_nothing(const struct reader *r)
{
    struct kinf_span text;

    if (!is_scalar(r))
        return false;
    text = scalar(r);
    if (text.len == 0)
        return true;
    return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (equals(text, "null") || equals(text, "~") ||
            equals(text, "Null") || equals(text, "NULL"));
}

/* ---- what is kept -------------------------------------------------------- */

/* Keeps head and tail, one after the other, with a NUL behind. */
static bool keep(struct kubeconfig *kc, struct kinf_span head,
                 struct kinf_span tail, struct kinf_span *out)
{
    char *to = kc->memory + kc->used;

    if (head.len + tail.len + 1 > kc->size - kc->used)
        return fail(kc, NULL, "the kubeconfig's values take more than %zu"
                    " bytes", kc->size);
    if (head.len)
        memcpy(to, head.ptr, head.len);
    if (tail.len)
        memcpy(to + head.len, tail.ptr, tail.len);
    to[head.len + tail.len] = '\0';
    *out = (struct kinf_span){ to, head.len + tail.len };
    kc->used += out->len + 1;
    return true;
}

/* The folder of a path, with its slash; empty for the working folder. */
static struct kinf_span folder(const struct reader *r)
{
    size_t len = r->path_len;

    while (len > 0 && r->path[len - 1] != '/')
        len--;
    return (struct kinf_span){ r->path, len };
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Decodes text in place; line breaks may be anywhere. */
static bool decode(struct kinf_span *span)
{
    char *to = (char *)(uintptr_t)span->ptr;
    size_t digits = 0, pads = 0, len = 0;
    uint32_t bits = 0;

    for (size_t i = 0; i < span->len; i++) {
        char c = span->ptr[i];
        int digit = base64_digit(c);

        if (c == '\n' || c == '\r' || c == ' ')
            continue;
        if (c == '=' && digits % 4 >= 2 && pads < 2) {
            pads++;
            continue;
        }
        if (digit < 0 || pads)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (digits++ % 4)
            to[len++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    if ((digits + pads) % 4 != 0)
        return false;
    explicit_bzero(to + len, span->len - len);
    span->len = len;
    return true;
}

/* ---- one entry ----------------------------------------------------------- */

static void object_to(struct entry *e, const char *todo, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));
/* Notes the first thing wrong with an entry; told only if it is chosen. */
static void object_to(struct entry *e, const char *todo, const char *format,
                      ...)
{
    struct out o = out_over(e->problem, sizeof e->problem - 1);
    va_list args;

    if (e->problem[0])
        return;
    va_start(args, format);
    out_vformat(&o, format, args);
    va_end(args);
    e->problem[o.used] = '\0';
    e->todo = todo;
}

static const struct field *find_field(const struct field *fields,
                                      struct kinf_span name)
{
    while (fields->name && !equals(name, fields->name))
        fields++;
    return fields;
}

/* At the first event of the value of a field we do not do. */
static bool refuse(struct reader *r, struct entry *e,
                   const struct field *field)
{
    bool collection = !is_scalar(r);
    bool harmless = is_nothing(r) ||
                    (field->use == USE_FALSE && is_scalar(r) &&
                     equals(scalar(r), "false"));

    if (collection && !next(r))
        return false;
    if (harmless || r->event.type == YAML_SEQUENCE_END_EVENT ||
        r->event.type == YAML_MAPPING_END_EVENT)
        return true; /* says nothing */
    object_to(e, field->todo, "%s is refused", field->name);
    if (!collection)
        return true;
    /* Inside: to the end of the collection that contains this. */
    while (r->event.type != YAML_SEQUENCE_END_EVENT &&
           r->event.type != YAML_MAPPING_END_EVENT) {
        if (!skip(r) || !next(r))
            return false;
    }
    return true;
}

static bool take_value(struct reader *r, struct entry *e,
                       const struct field *field)
{
    struct kinf_span head = { "", 0 }, text, *to;
    char *place = (char *)&e->values + field->at;

    if (is_nothing(r))
        return true;
    if (!is_scalar(r)) {
        object_to(e, NULL, "%s is not a text", field->name);
        return skip(r);
    }
    text = scalar(r);
    to = (struct kinf_span *)(void *)place;
    if (to->len)
        object_to(e, NULL, "%s is given twice", field->name);
    if (memchr(text.ptr, '\0', text.len))
        object_to(e, NULL, "%s holds a NUL", field->name);
    if (field->use == USE_PATH && text.ptr[0] != '/')
        head = folder(r);
    if (!keep(r->kc, head, text, to))
        return false;
    if (field->use == USE_DATA && !decode(to))
        object_to(e, NULL, "%s is not base64", field->name);
    return true;
}

/* The mapping under "cluster:", "user:" or "context:". */
static bool read_body(struct reader *r, struct entry *e)
{
    e->has_body = true;
    if (is_nothing(r))
        return true;
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        object_to(e, NULL, "'%s' is not a mapping", e->list->entry);
        return skip(r);
    }
    for (;;) {
        const struct field *field;

        if (!next(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (!is_scalar(r))
            return fail_here(r, r->event.start_mark.line, NULL,
                             "a field's name is not a text");
        field = find_field(e->list->fields, scalar(r));
        if (!field->name)
            object_to(e, "remove it if it does not matter",
                      "unknown field '%.*s' is refused",
                      (int)scalar(r).len, scalar(r).ptr);
        if (!next(r))
            return false;
        if (!field->name || field->use == USE_SKIP) {
            if (!skip(r))
                return false;
        } else if (field->use == USE_NOT || field->use == USE_FALSE) {
            if (!refuse(r, e, field))
                return false;
        } else if (!take_value(r, e, field)) {
            return false;
        }
    }
}

static bool read_entry_member(struct reader *r, struct entry *e)
{
    enum { NAME, BODY, OTHER } member = OTHER;

    if (!is_scalar(r))
        return fail_here(r, r->event.start_mark.line, NULL,
                         "a field's name is not a text");
    if (equals(scalar(r), "name"))
        member = NAME;
    else if (equals(scalar(r), e->list->entry))
        member = BODY;
    else
        object_to(e, "remove it if it does not matter",
                  "unknown field '%.*s' is refused", (int)scalar(r).len,
                  scalar(r).ptr);
    if (!next(r))
        return false;
    if (member == BODY)
        return read_body(r, e);
    if (member == OTHER || !is_scalar(r))
        return skip(r);
    return keep(r->kc, (struct kinf_span){ "", 0 }, scalar(r), &e->name);
}

/* Moves what a chosen entry set into the result. */
static void adopt(struct kubeconfig *kc, const struct entry *e)
{
    for (const struct field *f = e->list->fields; f->name; f++) {
        const void *from = (const char *)&e->values + f->at;

        if (f->use == USE_TEXT || f->use == USE_PATH || f->use == USE_DATA)
            memcpy((char *)kc + f->at, from, sizeof(struct kinf_span));
    }
}

static struct kinf_span chosen_name(const struct reader *r,
                                    const struct list *list)
{
    struct kinf_span name;

    memcpy(&name, (const char *)r->kc + list->chosen, sizeof name);
    return name;
}

static void note_name(struct reader *r, struct kinf_span name)
{
    if (r->names_out.used)
        out_text(&r->names_out, ", ");
    out_escaped(&r->names_out, name.ptr, name.len, 64);
}

/* At the end of an entry: is it the one? */
static bool decide(struct reader *r, const struct entry *e, size_t was_used)
{
    struct kubeconfig *kc = r->kc;
    struct kinf_span name = chosen_name(r, e->list);
    unsigned bit = 1u << (e->list - lists);

    if (bit == CONTEXTS)
        note_name(r, e->name);
    if (!name.len || !same(e->name, name) || r->found & bit) {
        explicit_bzero(kc->memory + was_used, kc->used - was_used);
        kc->used = was_used;
        return true;
    }
    if (r->here & bit)
        return fail(kc, "rename one of them", "kubeconfig %.*s: two %s are "
                    "named '%.*s'", (int)r->path_len, r->path, e->list->name,
                    (int)name.len, name.ptr);
    if (e->problem[0])
        return fail(kc, e->todo, "kubeconfig %.*s, %s '%.*s': %s",
                    (int)r->path_len, r->path, e->list->entry, (int)name.len,
                    name.ptr, e->problem);
    if (!e->has_body)
        return fail(kc, NULL, "kubeconfig %.*s, %s '%.*s' says nothing",
                    (int)r->path_len, r->path, e->list->entry, (int)name.len,
                    name.ptr);
    r->here |= bit;
    adopt(kc, e);
    return true;
}

static bool read_entry(struct reader *r, const struct list *list)
{
    struct entry e = { .list = list };
    size_t was_used = r->kc->used;

    if (r->event.type != YAML_MAPPING_START_EVENT)
        return fail_here(r, r->event.start_mark.line, NULL,
                         "an entry of this list is not a mapping");
    for (;;) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (!read_entry_member(r, &e))
            return false;
    }
    return decide(r, &e, was_used);
}

/* ---- one file ------------------------------------------------------------ */

static bool read_list(struct reader *r, const struct list *list)
{
    if (!(r->wanted & 1u << (list - lists)) || is_nothing(r))
        return skip(r);
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return fail_here(r, r->event.start_mark.line, NULL,
                         "this must be a list");
    for (;;) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        if (!read_entry(r, list))
            return false;
    }
}

static bool check_head(struct reader *r, const char *name, const char *value)
{
    if (is_nothing(r) || (is_scalar(r) && equals(scalar(r), value)))
        return true;
    return fail(r->kc, "is this a kubeconfig?", "kubeconfig %.*s: %s is not "
                "%s", (int)r->path_len, r->path, name, value);
}

static bool read_current(struct reader *r)
{
    if (r->kc->context.len || is_nothing(r))
        return skip(r);
    if (!is_scalar(r))
        return fail_here(r, r->event.start_mark.line, NULL,
                         "current-context is not a text");
    return keep(r->kc, (struct kinf_span){ "", 0 }, scalar(r),
                &r->kc->context);
}

static bool read_top(struct reader *r, struct kinf_span name)
{
    char unknown[80];
    struct out o = out_over(unknown, sizeof unknown - 1);
    int which = -1;
    enum { CURRENT = 3, VERSION, KIND, SKIP };
    static const char *const names[] = {
        "contexts", "clusters", "users", "current-context", "apiVersion",
        "kind", "preferences", "extensions"
    };

    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (equals(name, names[i]))
            which = i;
    }
    if (which < 0) {
        out_format(&o, "unknown field '%.*s' is refused",
                   (int)(name.len < 40 ? name.len : 40), name.ptr);
        unknown[o.used] = '\0';
        return fail_here(r, r->event.start_mark.line,
                         "remove it if it does not matter", unknown);
    }
    if (!next(r))
        return false;
    if (which < CURRENT)
        return read_list(r, &lists[which]);
    if (which == CURRENT)
        return read_current(r);
    if (which == VERSION)
        return check_head(r, "apiVersion", "v1");
    if (which == KIND)
        return check_head(r, "kind", "Config");
    return skip(r);
}

static bool read_document(struct reader *r)
{
    if (!next(r)) /* STREAM-START */
        return false;
    if (!next(r))
        return false;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return true; /* an empty file says nothing, as with kubectl */
    if (!next(r))
        return false;
    if (is_nothing(r))
        return true;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return fail_here(r, r->event.start_mark.line, "is this a kubeconfig?",
                         "not a mapping");
    for (;;) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (!is_scalar(r))
            return fail_here(r, r->event.start_mark.line, NULL,
                             "a field's name is not a text");
        if (!read_top(r, scalar(r)))
            return false;
    }
    if (!next(r) || !next(r))
        return false;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fail_here(r, r->event.start_mark.line, "remove what follows",
                         "a second document");
    return true;
}

static bool parse(struct reader *r, struct kinf_span text)
{
    bool ok;

    yaml_memory_reset();
    if (!yaml_parser_initialize(&r->parser))
        return fail(r->kc, NULL, "no memory for the kubeconfig");
    yaml_parser_set_input_string(&r->parser,
                                 (const unsigned char *)text.ptr, text.len);
    ok = read_document(r);
    if (r->have_event)
        yaml_event_delete(&r->event);
    r->have_event = false;
    yaml_parser_delete(&r->parser);
    return ok;
}

/* ---- all files ----------------------------------------------------------- */

struct file {
    const char *path;
    size_t path_len;
    struct kinf_span text;
};

struct files {
    struct file of[KUBECONFIG_FILES];
    unsigned count;
    char *memory; /* libyaml's region: gone with it */
    size_t used;
};

static bool read_whole(struct kubeconfig *kc, struct files *files, int fd,
                       struct file *file)
{
    size_t begin = files->used;

    for (;;) {
        size_t room = KUBECONFIG_BYTES - files->used;
        ssize_t n = read(fd, files->memory + files->used, room);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(kc, NULL, "cannot read kubeconfig %.*s: %s",
                        (int)file->path_len, file->path, strerror(errno));
        if (room == 0)
            return fail(kc, NULL, "kubeconfig %.*s: larger than %zu bytes",
                        (int)file->path_len, file->path, KUBECONFIG_BYTES);
        if (n == 0)
            break;
        files->used += (size_t)n;
    }
    file->text = (struct kinf_span){ files->memory + begin,
                                     files->used - begin };
    return true;
}

static bool open_file(struct kubeconfig *kc, struct files *files,
                      const char *path, size_t len)
{
    struct file *file = &files->of[files->count];
    char name[4096];
    int fd;
    bool ok;

    if (len >= sizeof name || files->count == KUBECONFIG_FILES)
        return fail(kc, NULL, "a kubeconfig's path is too long, or there are "
                    "more than %d of them", KUBECONFIG_FILES);
    memcpy(name, path, len);
    name[len] = '\0';
    *file = (struct file){ .path = path, .path_len = len };
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0)
        return fail(kc, NULL, "cannot open kubeconfig %.*s: %s", (int)len,
                    path, strerror(errno));
    ok = read_whole(kc, files, fd, file);
    close(fd);
    files->count++;
    return ok;
}

static bool open_files(struct kubeconfig *kc, struct files *files,
                       const char *list)
{
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ":");

        if (len && !open_file(kc, files, at, len))
            return false;
        at += len + (at[len] == ':');
    }
    if (files->count == 0)
        return fail(kc, "set KUBECONFIG or --kubeconfig",
                    "there is no kubeconfig %.*s", (int)strlen(list), list);
    return true;
}

/* One pass over all files, each giving what those before it did not. */
static bool pass(struct reader *r, const struct files *files, unsigned wanted)
{
    r->wanted = wanted;
    r->found = 0;
    for (unsigned i = 0; i < files->count; i++) {
        r->path = files->of[i].path;
        r->path_len = files->of[i].path_len;
        r->here = 0;
        if (!parse(r, files->of[i].text))
            return false;
        r->found |= r->here;
    }
    return true;
}

static bool find_context(struct reader *r, const struct files *files)
{
    struct kubeconfig *kc = r->kc;

    r->names_out = out_over(r->names, sizeof r->names - 1);
    if (!pass(r, files, CONTEXTS))
        return false;
    r->names[r->names_out.used] = '\0';
    if (!kc->context.len)
        return fail(kc, "choose one with --context, or kubectl config "
                    "use-context", "the kubeconfig has no current-context; "
                    "there are: %s", r->names);
    if (!(r->found & CONTEXTS))
        return fail(kc, "choose one with --context",
                    "the kubeconfig has no context '%.*s'; there are: %s",
                    (int)kc->context.len, kc->context.ptr, r->names);
    if (!kc->cluster.len)
        return fail(kc, NULL, "context '%.*s' names no cluster",
                    (int)kc->context.len, kc->context.ptr);
    return true;
}

static bool find_rest(struct reader *r, const struct files *files)
{
    struct kubeconfig *kc = r->kc;

    if (!pass(r, files, CLUSTERS | (kc->user.len ? USERS : 0u)))
        return false;
    if (!(r->found & CLUSTERS))
        return fail(kc, NULL, "the kubeconfig has no cluster '%.*s', which "
                    "context '%.*s' names", (int)kc->cluster.len,
                    kc->cluster.ptr, (int)kc->context.len, kc->context.ptr);
    if (kc->user.len && !(r->found & USERS))
        return fail(kc, NULL, "the kubeconfig has no user '%.*s', whom "
                    "context '%.*s' names", (int)kc->user.len, kc->user.ptr,
                    (int)kc->context.len, kc->context.ptr);
    return true;
}

static bool read_all(struct kubeconfig *kc, const char *list,
                     const char *context)
{
    struct files files = { .memory = yaml_memory_open(YAML_BYTES) };
    struct reader r = { .kc = kc };

    /* The files lie first, what libyaml asks for comes behind them. */
    if (!files.memory)
        return fail(kc, NULL, "no memory to read the kubeconfig");
    if (!open_files(kc, &files, list))
        return false;
    yaml_memory_lend(files.used);
    if (context && !keep(kc, (struct kinf_span){ "", 0 },
                         (struct kinf_span){ context, strlen(context) },
                         &kc->context))
        return false;
    return (kc->context.len || pass(&r, &files, 0)) &&
           find_context(&r, &files) && find_rest(&r, &files);
}

bool kubeconfig_read(struct kubeconfig *kc, const char *list,
                     const char *context, void *memory, size_t size)
{
    bool ok;

    *kc = (struct kubeconfig){ .memory = memory, .size = size };
    ok = read_all(kc, list, context);
    yaml_memory_close();
    return ok;
}
