/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - who we are and whom we trust. See credentials.h. */
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kubeconfig.h"
#include "log.h"
#include "out.h"

#define HALF ((size_t)TOKEN_BYTES + 64) /* a token with blanks behind it */

/* Everything read in one go; pages of its own, wiped at the end. */
struct loaded {
    struct kubeconfig kc;
    char *memory;
    enum log_level level; /* of what is wrong with it */
};

/* ---- the server's address ------------------------------------------------ */

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static const char *split_port(struct kinf_span text, uint16_t *port)
{
    uint32_t n = 0;

    if (text.len == 0 || text.len > 5)
        return "its port is not a number from 1 to 65535";
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return "its port is not a number from 1 to 65535";
        n = n * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (n == 0 || n > 65535)
        return "its port is not a number from 1 to 65535";
    *port = (uint16_t)n;
    return NULL;
}

/* Of [v6]:port or name:port. Returns what is wrong, or NULL. */
static const char *split_host(struct kinf_span text, struct kinf_span *host,
                              uint16_t *port)
{
    const char *end, *colon;

    if (text.len && text.ptr[0] == '[') {
        end = memchr(text.ptr, ']', text.len);
        if (!end)
            return "its IPv6 address does not end";
        *host = (struct kinf_span){ text.ptr + 1,
                                    (size_t)(end - text.ptr) - 1 };
        for (size_t i = 0; i < host->len; i++) {
            if (!memchr("0123456789abcdefABCDEF:.", host->ptr[i], 24))
                return "its IPv6 address is malformed";
        }
        colon = end + 1;
    } else {
        end = memchr(text.ptr, ':', text.len);
        colon = end ? end : text.ptr + text.len;
        *host = (struct kinf_span){ text.ptr, (size_t)(colon - text.ptr) };
        for (size_t i = 0; i < host->len; i++) {
            if (!is_host_char(host->ptr[i]))
                return "its host name is malformed";
        }
    }
    if (host->len == 0 || host->len > 253)
        return "its host name is empty or too long";
    if (colon == text.ptr + text.len)
        return NULL;
    if (*colon != ':')
        return "its host name is malformed";
    return split_port((struct kinf_span){ colon + 1,
        (size_t)(text.ptr + text.len - colon) - 1 }, port);
}

const char *credentials_split_url(struct kinf_span url, struct kinf_span *host,
                                  uint16_t *port, struct kinf_span *prefix)
{
    struct kinf_span rest;
    const char *slash;

    *port = 443;
    if (url.len >= 7 && strncasecmp(url.ptr, "http://", 7) == 0)
        return "http:// is refused, all on the way could read the token";
    if (url.len < 8 || strncasecmp(url.ptr, "https://", 8) != 0)
        return "it does not begin with https://";
    rest = (struct kinf_span){ url.ptr + 8, url.len - 8 };
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] <= ' ' || rest.ptr[i] >= 0x7f)
            return "it holds a blank or a byte that is not ASCII";
        if (memchr("@?#\"<>\\^`{|}", rest.ptr[i], 12))
            return "only a host, a port and a path are understood";
    }
    slash = memchr(rest.ptr, '/', rest.len);
    *prefix = (struct kinf_span){ "", 0 };
    if (slash) {
        *prefix = (struct kinf_span){ slash, rest.len -
                                      (size_t)(slash - rest.ptr) };
        rest.len = (size_t)(slash - rest.ptr);
    }
    while (prefix->len && prefix->ptr[prefix->len - 1] == '/')
        prefix->len--;
    return split_host(rest, host, port);
}

/* ---- reading ------------------------------------------------------------- */

static void object_to(const struct loaded *l, const char *todo,
                      const char *what, struct kinf_span where,
                      const char *why)
{
    log_say(l->level, todo, "%s %.*s: %s", what, (int)where.len, where.ptr,
            why);
}

/* Reads a file behind what was read so far; a NUL follows it. */
static bool read_file(struct loaded *l, const char *path, const char *what,
                      struct kinf_span *out)
{
    char *to = l->kc.memory + l->kc.used;
    size_t room = l->kc.size - l->kc.used - 1, len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    while (fd >= 0 && len < room) {
        n = read(fd, to + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (fd < 0 || n < 0 || len == 0 || len == room) {
        object_to(l, NULL, what, (struct kinf_span){ path, strlen(path) },
                  fd < 0 || n < 0 ? strerror(errno)
                  : len ? "too long" : "the file is empty");
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    to[len] = '\0';
    l->kc.used += len + 1;
    *out = (struct kinf_span){ to, len };
    return true;
}

static bool load_pem(struct loaded *l, struct kinf_span path, const char *what,
                     struct kinf_span *data)
{
    if (data->len || path.len == 0) /* data wins, as with kubectl */
        return true;
    return read_file(l, path.ptr, what, data);
}

/* Puts together what a kubeconfig of the pod would say. */
static bool load_in_cluster(struct loaded *l, const char *folder)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    struct kubeconfig *kc = &l->kc;
    struct out o = out_over(l->memory, KUBECONFIG_MEMORY);
    size_t at = 0;
    struct kinf_span *const paths[] = { &kc->ca_file, &kc->token_file,
                                        &kc->namespace_ };
    static const char *const names[] = { "/ca.crt", "/token", "/namespace" };

    if (!host || !port || !*host || !*port) {
        log_say(l->level, "it runs in no pod: give --kubeconfig",
                "KUBERNETES_SERVICE_HOST and _PORT are not set");
        return false;
    }
    *kc = (struct kubeconfig){ .memory = l->memory,
                               .size = KUBECONFIG_MEMORY };
    out_text(&o, strchr(host, ':') ? "https://[" : "https://");
    out_text(&o, host);
    out_text(&o, strchr(host, ':') ? "]:" : ":");
    out_text(&o, port);
    kc->server = (struct kinf_span){ l->memory, o.used };
    for (size_t i = 0; i < 3; i++) {
        at = ++o.used; /* the NUL: pages begin as zeros */
        out_text(&o, folder);
        out_text(&o, names[i]);
        *paths[i] = (struct kinf_span){ l->memory + at, o.used - at };
    }
    kc->used = o.used + 1;
    if (!read_file(l, kc->namespace_.ptr, "namespace", &kc->namespace_))
        kc->namespace_ = (struct kinf_span){ "", 0 };
    while (kc->namespace_.len &&
           kc->namespace_.ptr[kc->namespace_.len - 1] <= ' ')
        kc->namespace_.len--;
    return true;
}

static bool load_kubeconfig(struct loaded *l, const char *list,
                            const char *context)
{
    if (kubeconfig_read(&l->kc, list, context, l->memory, KUBECONFIG_MEMORY))
        return true;
    log_say(l->level, l->kc.todo, "%s", l->kc.error);
    return false;
}

/* As kubectl: the option, the environment, the home folder, the pod. */
static bool load_source(struct loaded *l, const struct credentials_source *s)
{
    const char *folder = s->service_account ? s->service_account
                                            : SERVICE_ACCOUNT;
    const char *list = s->kubeconfig ? s->kubeconfig : getenv("KUBECONFIG");
    const char *home = getenv("HOME");
    char path[PATH_MAX];
    struct out o = out_over(path, sizeof path - 1);

    if (s->in_cluster)
        return load_in_cluster(l, folder);
    if (list && *list)
        return load_kubeconfig(l, list, s->context);
    out_text(&o, home ? home : "");
    out_text(&o, "/.kube/config");
    path[o.used] = '\0';
    if (access(path, F_OK) == 0)
        return load_kubeconfig(l, path, s->context);
    if (getenv("KUBERNETES_SERVICE_HOST"))
        return load_in_cluster(l, folder);
    log_say(l->level, "set KUBECONFIG, or give --kubeconfig FILE",
            "no kubeconfig, and not inside a pod: which server?");
    return false;
}

static bool check_identity(const struct loaded *l)
{
    const struct kubeconfig *kc = &l->kc;
    const char *missing = NULL;

    if (kc->ca.len == 0)
        missing = "has no certificate-authority";
    if (missing) {
        object_to(l, "name one: no store of the system is used", "cluster",
                  kc->cluster, missing);
        return false;
    }
    if (kc->cert.len && !kc->key.len)
        missing = "has a client-certificate without client-key";
    if (kc->key.len && !kc->cert.len)
        missing = "has a client-key without client-certificate";
    if (missing)
        object_to(l, "give both or none", "user", kc->user, missing);
    return !missing;
}

static bool load(struct credentials *c, struct loaded *l,
                 enum log_level level)
{
    struct kubeconfig *kc = &l->kc;

    l->level = level;
    l->memory = mmap(NULL, KUBECONFIG_MEMORY, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (l->memory == MAP_FAILED) {
        log_say(level, NULL, "no memory for credentials");
        l->memory = NULL;
        return false;
    }
    return load_source(l, c->source) &&
           load_pem(l, kc->ca_file, "certificate-authority", &kc->ca) &&
           load_pem(l, kc->cert_file, "client-certificate", &kc->cert) &&
           load_pem(l, kc->key_file, "client-key", &kc->key) &&
           check_identity(l);
}

static void unload(struct loaded *l)
{
    if (!l->memory)
        return;
    explicit_bzero(l->memory, l->kc.used < KUBECONFIG_MEMORY
                                  ? l->kc.used : KUBECONFIG_MEMORY);
    munmap(l->memory, KUBECONFIG_MEMORY);
    l->memory = NULL;
}

/* ---- the token ----------------------------------------------------------- */

static char *half(const struct credentials *c, unsigned which)
{
    return c->token_pages + which * HALF;
}

/* What may stand behind "Authorization: Bearer ". */
static const char *check_token(const char *token, size_t len)
{
    if (len == 0)
        return "it is empty";
    if (len > TOKEN_BYTES)
        return "it is longer than 8 KB";
    for (size_t i = 0; i < len; i++) {
        if (token[i] == '\n' || token[i] == '\r')
            return "it has a line break inside";
        if (token[i] <= ' ' || token[i] >= 0x7f)
            return "it holds a blank or a byte that is not ASCII";
    }
    return NULL;
}

/* Takes over what was put into the other half. */
static void swap_halves(struct credentials *c, size_t len)
{
    explicit_bzero(half(c, c->half), HALF);
    c->half ^= 1u;
    c->token_len = len;
    c->pending = false;
}

/* Reads the token file into the other half. Returns its length, or 0 with what
 * is wrong. */
static size_t read_token(struct credentials *c, const char **why)
{
    char *to = half(c, c->half ^ 1u);
    size_t len = 0;
    ssize_t n = 0;
    int fd = open(c->token_file, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && len < HALF) {
        n = read(fd, to + len, HALF - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    *why = fd < 0 || n < 0 ? strerror(errno) : NULL;
    if (fd >= 0)
        close(fd);
    while (len && (to[len - 1] == '\n' || to[len - 1] == '\r' ||
                   to[len - 1] == ' ' || to[len - 1] == '\t'))
        to[--len] = '\0'; /* as an editor leaves it */
    if (!*why)
        *why = check_token(to, len);
    if (!*why)
        return len;
    explicit_bzero(to, HALF);
    return 0;
}

static bool refresh_token(struct credentials *c, enum log_level level)
{
    const char *why;
    size_t len = read_token(c, &why);
    char *fresh = half(c, c->half ^ 1u);

    c->token_read_ms = c->platform->now_ms(c->platform->ctx);
    if (len == 0) {
        log_say(level, c->token_len ? "the one of before is used" : NULL,
                "token file %.*s: %s", (int)strlen(c->token_file),
                c->token_file, why);
        return false;
    }
    if (len == c->token_len && memcmp(fresh, half(c, c->half), len) == 0) {
        explicit_bzero(fresh, len); /* one copy */
        return true;
    }
    if (c->token_len)
        log_say(LOG_NOTE, NULL, "a new token from %.*s",
                (int)strlen(c->token_file), c->token_file);
    swap_halves(c, len);
    return true;
}

struct kinf_span credentials_token(void *ctx, bool refused)
{
    struct credentials *c = ctx;
    uint32_t now = c->platform->now_ms(c->platform->ctx);

    if (c->pending)
        swap_halves(c, c->pending_len);
    else if (c->token_file[0] &&
             (refused || now - c->token_read_ms >= TOKEN_FRESH_MS))
        (void)refresh_token(c, LOG_WARN);
    return (struct kinf_span){ half(c, c->half), c->token_len };
}

/* Takes the token or its file's name out of what was read. The new token counts
 * from the next request on: until then core may be sending the old one. */
static bool take_token(struct credentials *c, struct loaded *l)
{
    const struct kubeconfig *kc = &l->kc;
    const char *why;

    if (kc->token_file.len) {
        memcpy(c->token_file, kc->token_file.ptr, kc->token_file.len + 1);
        c->token_read_ms = c->platform->now_ms(c->platform->ctx) -
                           TOKEN_FRESH_MS; /* read with the next request */
        return c->token_len > 0 || refresh_token(c, l->level);
    }
    c->token_file[0] = '\0';
    why = kc->token.len ? check_token(kc->token.ptr, kc->token.len) : NULL;
    if (why) {
        object_to(l, NULL, "token of user", kc->user, why);
        return false;
    }
    explicit_bzero(half(c, c->half ^ 1u), HALF); /* of an earlier SIGHUP */
    if (kc->token.len)
        memcpy(half(c, c->half ^ 1u), kc->token.ptr, kc->token.len);
    c->pending_len = kc->token.len;
    c->pending = true;
    return true;
}

/* ---- changes ------------------------------------------------------------- */

static bool stamp(struct watched_file *file)
{
    struct stat st;
    bool changed;

    if (!file->path[0] || stat(file->path, &st) != 0)
        return false; /* being replaced: looked at again in a minute */
    changed = file->inode != st.st_ino || file->size != st.st_size ||
              file->changed.tv_sec != st.st_mtim.tv_sec ||
              file->changed.tv_nsec != st.st_mtim.tv_nsec;
    file->inode = st.st_ino;
    file->size = st.st_size;
    file->changed = st.st_mtim;
    return changed;
}

static void watch_file(struct watched_file *file, struct kinf_span path)
{
    *file = (struct watched_file){ .size = 0 };
    if (path.len && path.len < sizeof file->path)
        memcpy(file->path, path.ptr, path.len + 1);
    (void)stamp(file);
}

static uint64_t hash_of(uint64_t hash, struct kinf_span span)
{
    for (size_t i = 0; i < span.len; i++)
        hash = (hash ^ (unsigned char)span.ptr[i]) * 1099511628211u;
    return (hash ^ 0x100) * 1099511628211u;
}

static uint64_t material_of(const struct kubeconfig *kc)
{
    uint64_t hash = hash_of(14695981039346656037u, kc->ca);

    return hash_of(hash_of(hash, kc->cert), kc->key);
}

bool credentials_changed(struct credentials *c)
{
    bool ca = stamp(&c->ca), cert = stamp(&c->cert), key = stamp(&c->key);

    return ca || cert || key;
}

/* ---- applying ------------------------------------------------------------ */

static bool apply_tls(struct credentials *c, const struct loaded *l)
{
    const struct kubeconfig *kc = &l->kc;
    int err = kinf_mbedtls_trust(&c->tls, kc->ca, false);
    bool trusted = err == KINF_OK;

    if (trusted)
        err = kinf_mbedtls_identity(&c->tls, kc->cert, kc->key);
    if (err == KINF_OK) {
        c->material = material_of(kc);
        return true;
    }
    object_to(l, "PEM is expected",
              trusted ? "client-certificate of user"
                      : "certificate-authority of cluster",
              trusted ? kc->user : kc->cluster,
              c->tls.reason ? c->tls.reason : kinf_strerror(err));
    return false;
}

static bool keep_text(struct out *o, struct kinf_span text,
                      struct kinf_span *out)
{
    *out = (struct kinf_span){ o->ptr + o->used, text.len };
    out_bytes(o, text.ptr, text.len);
    out_bytes(o, "", 1);
    return !o->cut;
}

/* Where the server is; once, at the start. */
static bool take_address(struct credentials *c, const struct loaded *l)
{
    const struct kubeconfig *kc = &l->kc;
    struct out o = out_over(c->text, sizeof c->text);
    struct kinf_span ns = kc->namespace_.len ? kc->namespace_
                                             : KINF_SPAN("default");
    const char *why = NULL;

    if (!keep_text(&o, kc->server, &c->where) ||
        !keep_text(&o, kc->tls_server_name, &c->server_name) ||
        !keep_text(&o, ns, &c->namespace_))
        why = "longer than anything of the kind";
    if (!why)
        why = credentials_split_url(c->where, &c->host, &c->port, &c->prefix);
    if (why)
        object_to(l, NULL, "server", kc->server, why);
    return !why;
}

static bool same(struct kinf_span a, struct kinf_span b)
{
    return a.len == b.len &&
           (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool same_address(struct credentials *c, const struct loaded *l)
{
    if (same(c->where, l->kc.server) &&
        same(c->server_name, l->kc.tls_server_name))
        return true;
    object_to(l, "restart kinformer", "server", l->kc.server,
              "the address has changed");
    return false;
}

static bool take_rest(struct credentials *c, struct loaded *l)
{
    const struct kubeconfig *kc = &l->kc;

    watch_file(&c->ca, kc->ca_file);
    watch_file(&c->cert, kc->cert_file);
    watch_file(&c->key, kc->key_file);
    return take_token(c, l);
}

bool credentials_open(struct credentials *c,
                      const struct credentials_source *source,
                      const struct kinf_platform *platform)
{
    struct loaded l = { .memory = NULL };
    bool ok;

    *c = (struct credentials){ .source = source, .platform = platform };
    c->token_pages = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->token_pages == MAP_FAILED) {
        c->token_pages = NULL;
        log_say(LOG_FAIL, NULL, "no memory for credentials");
        return false;
    }
    (void)madvise(c->token_pages, 2 * HALF, MADV_DONTDUMP);
    ok = kinf_mbedtls_credentials_init(&c->tls) == KINF_OK;
    if (!ok)
        log_say(LOG_FAIL, "give more --memory", "no room for credentials");
    ok = ok && load(c, &l, LOG_FAIL) && take_address(c, &l) &&
         apply_tls(c, &l) && take_rest(c, &l);
    unload(&l);
    return ok;
}

bool credentials_reread(struct credentials *c)
{
    struct loaded l = { .memory = NULL };
    bool differs = load(c, &l, LOG_WARN) && same_address(c, &l) &&
                   take_rest(c, &l) && material_of(&l.kc) != c->material;

    unload(&l);
    return differs;
}

void credentials_apply(void *ctx)
{
    struct credentials *c = ctx;
    struct loaded l = { .memory = NULL };

    if (load(c, &l, LOG_WARN) && apply_tls(c, &l))
        log_say(LOG_NOTE, NULL, "certificates read again");
    unload(&l);
}

void credentials_close(struct credentials *c)
{
    kinf_mbedtls_credentials_free(&c->tls);
    if (c->token_pages) {
        explicit_bzero(c->token_pages, 2 * HALF);
        munmap(c->token_pages, 2 * HALF);
        c->token_pages = NULL;
    }
}
