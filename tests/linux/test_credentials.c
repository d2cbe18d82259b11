/* SPDX-License-Identifier: Apache-2.0 */
/* test_credentials.c - tokens, certificates and the server's address: read,
 * refused, and read again. Certificates are made by openssl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cmocka.h>

#include "capture.h"
#include "credentials.h"
#include "log.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[200], path[300];
static uint64_t arena[128 * 1024];
static struct credentials c;
static struct credentials_source source;
static struct capture err;
static uint32_t now;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return now;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return 1800000000;
}

static void any_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, 0x5a, size);
}

static const struct kinf_platform platform = { now_ms, wall_s, any_bytes,
                                               NULL };
static const struct kinf_mbedtls_system tls = {
    .platform = &platform, .arena = arena, .arena_size = sizeof arena
};

static const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Writes a file; its time differs from that of any before. */
static void file(const char *name, const char *text)
{
    static int age;
    struct timeval times[2] = { { .tv_sec = 1700000000 + ++age },
                                { .tv_sec = 1700000000 + age } };
    FILE *f = fopen(in_dir(name), "w");

    assert_non_null(f);
    assert_int_equal(strlen(text), fwrite(text, 1, strlen(text), f));
    fclose(f);
    assert_int_equal(0, utimes(path, times));
}

static void copy(const char *from, const char *to)
{
    static char text[16384];
    FILE *f = fopen(in_dir(from), "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    file(to, text);
}

static void kubeconfig(const char *server, const char *cluster,
                       const char *user)
{
    char text[20000];

    snprintf(text, sizeof text,
             "current-context: x\n"
             "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
             "clusters: [{name: c, cluster: {server: '%s'%s}}]\n"
             "users: [{name: u, user: {%s}}]\n", server, cluster, user);
    file("config", text);
}

static bool open_all(void)
{
    static char config[300];
    bool ok;

    snprintf(config, sizeof config, "%s/config", dir);
    if (!source.in_cluster)
        source.kubeconfig = config;
    log_setup(false, false);
    capture_begin(&err);
    ok = credentials_open(&c, &source, &platform);
    capture_end(&err);
    return ok;
}

static bool is(struct kinf_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static struct kinf_span token(bool refused)
{
    struct kinf_span span;

    capture_begin(&err);
    span = credentials_token(&c, refused);
    capture_end(&err);
    return span;
}

/* How often a text stands in the pages of the token. */
static int copies(const char *text)
{
    const char *at = c.token_pages, *end = at + 2 * (TOKEN_BYTES + 64);
    int n = 0;

    while ((at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
        at++;
        n++;
    }
    return n;
}

#define CA ", certificate-authority: ca.pem"

static void test_splits_addresses(void **state)
{
    static const struct {
        const char *url, *host;
        uint16_t port;
        const char *prefix, *wrong;
    } cases[] = {
        { "https://a.example", "a.example", 443, "", NULL },
        { "https://a.example/", "a.example", 443, "", NULL },
        { "HTTPS://10.0.0.1:6443", "10.0.0.1", 6443, "", NULL },
        { "https://[fd00::1]:6443/k8s/c-1/", "fd00::1", 6443, "/k8s/c-1",
          NULL },
        { "https://[::1]", "::1", 443, "", NULL },
        { "http://a", "", 0, "", "http:// is refused" },
        { "a.example:6443", "", 0, "", "https://" },
        { "ftp://a", "", 0, "", "https://" },
        { "", "", 0, "", "https://" },
        { "https://", "", 0, "", "empty" },
        { "https://:443", "", 0, "", "empty" },
        { "https://a:", "", 0, "", "port" },
        { "https://a:0", "", 0, "", "port" },
        { "https://a:65536", "", 0, "", "port" },
        { "https://a:6443x", "", 0, "", "port" },
        { "https://a:1:2", "", 0, "", "port" },
        { "https://[::1", "", 0, "", "IPv6" },
        { "https://[fe80::1%eth0]", "", 0, "", "IPv6" },
        { "https://[::1]6443", "", 0, "", "malformed" },
        { "https://u:p@a", "", 0, "", "only a host" },
        { "https://a/x?y", "", 0, "", "only a host" },
        { "https://a/x#y", "", 0, "", "only a host" },
        { "https://a b", "", 0, "", "blank" },
        { "https://a/\r\nX: y", "", 0, "", "blank" },
        { "https://\xc3\xa4", "", 0, "", "ASCII" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kinf_span host, prefix;
        uint16_t port;
        const char *wrong = credentials_split_url(
            (struct kinf_span){ cases[i].url, strlen(cases[i].url) }, &host,
            &port, &prefix);

        print_message("%s: %s\n", cases[i].url, wrong ? wrong : "fine");
        if (cases[i].wrong) {
            assert_non_null(wrong);
            assert_non_null(strstr(wrong, cases[i].wrong));
            continue;
        }
        assert_null(wrong);
        assert_true(is(host, cases[i].host));
        assert_int_equal(cases[i].port, port);
        assert_true(is(prefix, cases[i].prefix));
    }
}

static void test_says_what_cannot_be_used(void **state)
{
    static const struct { const char *server, *cluster, *user, *words; }
    cases[] = {
        { "http://a", CA, "token: t", "http:// is refused" },
        { "https://a", "", "token: t", "no certificate-authority" },
        { "https://a", ", certificate-authority: missing.pem", "token: t",
          "No such file" },
        { "https://a", ", certificate-authority: empty.pem", "token: t",
          "empty" },
        { "https://a", ", certificate-authority: text.pem", "token: t",
          "certificate-authority of cluster c" },
        { "https://a", CA, "token: \"a\\nb\"", "line break" },
        { "https://a", CA, "token: 'a b'", "blank" },
        { "https://a", CA, "tokenFile: missing", "No such file" },
        { "https://a", CA, "tokenFile: empty.pem", "empty" },
        { "https://a", CA, "tokenFile: two", "line break" },
        { "https://a", CA, "client-certificate: cert.pem",
          "without client-key" },
        { "https://a", CA, "client-key: key.pem",
          "without client-certificate" },
        { "https://a", CA,
          "client-certificate: cert.pem, client-key: text.pem",
          "client-certificate of user u" },
        { "https://a", CA,
          "client-certificate: cert.pem, client-key: other.key",
          "client-certificate of user u" },
    };

    (void)state;
    file("empty.pem", "");
    file("text.pem", "not a certificate\n");
    file("two", "abc\ndef\n");
    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].words);
        kubeconfig(cases[i].server, cases[i].cluster, cases[i].user);
        assert_false(open_all());
        if (!strstr(err.text, cases[i].words))
            fail_msg("'%s' is not in '%s'", cases[i].words, err.text);
        assert_non_null(strstr(err.text, "error"));
        credentials_close(&c);
    }
}

static void test_takes_all_that_is_given(void **state)
{
    (void)state;
    file("token", "tok.en\r\n");
    kubeconfig("https://a:6443/p", CA ", tls-server-name: api.b",
               "tokenFile: token, client-certificate: cert.pem, "
               "client-key: key.pem");
    assert_true(open_all());
    assert_true(is(c.host, "a"));
    assert_int_equal(6443, c.port);
    assert_true(is(c.prefix, "/p"));
    assert_true(is(c.server_name, "api.b"));
    assert_true(is(c.namespace_, "default"));
    assert_true(is(token(false), "tok.en"));
    credentials_close(&c);
}

static void test_token_of_8_kb_and_no_more(void **state)
{
    static char text[TOKEN_BYTES + 3];

    (void)state;
    memset(text, 'x', TOKEN_BYTES + 1);
    text[TOKEN_BYTES] = '\n';
    file("token", text);
    kubeconfig("https://a", CA, "tokenFile: token");
    assert_true(open_all());
    assert_int_equal(TOKEN_BYTES, token(false).len);
    credentials_close(&c);
    text[TOKEN_BYTES] = 'x';
    file("token", text);
    assert_false(open_all());
    assert_non_null(strstr(err.text, "longer than 8 KB"));
    credentials_close(&c);
}

static void test_token_file_is_read_again(void **state)
{
    struct kinf_span first;

    (void)state;
    now = UINT32_MAX - 20000; /* wraps on the way */
    file("token", "first-token\n");
    kubeconfig("https://a", CA, "tokenFile: token");
    assert_true(open_all());
    first = token(false);
    assert_true(is(first, "first-token"));
    file("token", "second-token\n");
    now += TOKEN_FRESH_MS - 1;
    assert_true(is(token(false), "first-token"));
    now += 1;
    assert_true(is(token(false), "second-token")); /* within a minute */
    assert_int_equal(0, copies("first-token"));    /* wiped */
    assert_int_equal(1, copies("second-token"));
    file("token", "third-token\n");
    assert_true(is(token(true), "third-token")); /* at once when refused */
    assert_true(is(token(true), "third-token"));
    assert_int_equal(1, copies("third-token")); /* read twice, there once */
    credentials_close(&c);
}

static void test_unreadable_token_file_keeps_the_old_token(void **state)
{
    (void)state;
    file("token", "good");
    kubeconfig("https://a", CA, "tokenFile: token");
    assert_true(open_all());
    file("token", "bad\nsecret");
    assert_true(is(token(true), "good"));
    assert_non_null(strstr(err.text, "line break"));
    assert_null(strstr(err.text, "secret"));
    assert_int_equal(0, copies("secret"));
    unlink(in_dir("token"));
    assert_true(is(token(true), "good"));
    credentials_close(&c);
}

/* What core is sending must not change under it. */
static void test_sighup_changes_the_token_with_the_next_request(void **state)
{
    struct kinf_span sending;

    (void)state;
    kubeconfig("https://a", CA, "token: old-token");
    assert_true(open_all());
    sending = token(false);
    kubeconfig("https://a", CA, "token: longer-than-that");
    assert_false(credentials_reread(&c)); /* same certificates */
    assert_true(is(sending, "old-token"));
    kubeconfig("https://a", CA, "token: new-token");
    assert_false(credentials_reread(&c)); /* twice before a request */
    assert_true(is(token(false), "new-token"));
    assert_int_equal(0, copies("old-token"));
    assert_int_equal(0, copies("longer-than"));
    assert_int_equal(1, copies("new-token"));
    credentials_close(&c);
}

static void test_bad_kubeconfig_on_sighup_changes_nothing(void **state)
{
    static const char *const users[] = { "exec: {command: x}",
                                         "token: \"a\\nb\"" };

    (void)state;
    for (size_t i = 0; i < COUNT(users); i++) {
        kubeconfig("https://a", CA, "token: good");
        assert_true(open_all());
        kubeconfig("https://a", CA, users[i]);
        capture_begin(&err);
        assert_false(credentials_reread(&c));
        capture_end(&err);
        assert_non_null(strstr(err.text, "warning"));
        assert_true(is(token(false), "good"));
        credentials_close(&c);
    }
    kubeconfig("https://a", CA, "token: good");
    assert_true(open_all());
    kubeconfig("https://b", CA, "token: other");
    capture_begin(&err);
    assert_false(credentials_reread(&c));
    capture_end(&err);
    assert_non_null(strstr(err.text, "restart"));
    assert_true(is(token(false), "good")); /* not the other server's */
    credentials_close(&c);
}

static void test_changed_certificates_are_noticed(void **state)
{
    (void)state;
    copy("ca.pem", "now.pem");
    kubeconfig("https://a", ", certificate-authority: now.pem",
               "client-certificate: cert.pem, client-key: key.pem");
    assert_true(open_all());
    assert_false(credentials_changed(&c));
    copy("ca.pem", "now.pem"); /* touched, not changed */
    assert_true(credentials_changed(&c));
    assert_false(credentials_reread(&c));
    copy("cert.pem", "now.pem");
    assert_true(credentials_changed(&c));
    assert_false(credentials_changed(&c));
    assert_true(credentials_reread(&c));
    capture_begin(&err);
    credentials_apply(&c);
    capture_end(&err);
    assert_non_null(strstr(err.text, "read again"));
    assert_false(credentials_reread(&c));
    unlink(in_dir("now.pem")); /* being replaced: nothing yet */
    assert_false(credentials_changed(&c));
    file("now.pem", "half a certif");
    assert_true(credentials_changed(&c));
    assert_true(credentials_reread(&c));
    capture_begin(&err);
    credentials_apply(&c); /* the old one stays, and it is tried again */
    capture_end(&err);
    assert_non_null(strstr(err.text, "warning"));
    assert_true(credentials_reread(&c));
    credentials_close(&c);
}

static void test_inside_a_pod(void **state)
{
    (void)state;
    source = (struct credentials_source){ .in_cluster = true,
                                          .service_account = dir };
    copy("ca.pem", "ca.crt");
    file("token", "pod-token");
    file("namespace", "shop\n");
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_false(open_all());
    assert_non_null(strstr(err.text, "KUBERNETES_SERVICE_HOST"));
    credentials_close(&c);
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_true(open_all());
    assert_true(is(c.host, "fd00::1"));
    assert_true(is(c.where, "https://[fd00::1]:443"));
    assert_true(is(c.namespace_, "shop"));
    assert_true(is(token(false), "pod-token"));
    credentials_close(&c);
    unsetenv("KUBERNETES_SERVICE_HOST");
    source = (struct credentials_source){ .in_cluster = false };
}

static void test_where_a_kubeconfig_is_looked_for(void **state)
{
    (void)state;
    source = (struct credentials_source){ .service_account = dir };
    setenv("HOME", dir, 1);
    unsetenv("KUBECONFIG");
    capture_begin(&err);
    assert_false(credentials_open(&c, &source, &platform));
    capture_end(&err);
    credentials_close(&c);
    assert_non_null(strstr(err.text, "no kubeconfig"));
    kubeconfig("https://env", CA, "token: t");
    setenv("KUBECONFIG", in_dir("config"), 1);
    assert_true(credentials_open(&c, &source, &platform));
    assert_true(is(c.host, "env"));
    credentials_close(&c);
    unsetenv("KUBECONFIG");
    mkdir(in_dir(".kube"), 0700);
    kubeconfig("https://home", ", certificate-authority: ../ca.pem",
               "token: t");
    copy("config", ".kube/config");
    assert_true(credentials_open(&c, &source, &platform));
    assert_true(is(c.host, "home"));
    credentials_close(&c);
}

static int run(const char *format)
{
    char command[1000];

    snprintf(command, sizeof command, format, dir, dir);
    return system(command);
}

static int set_up(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/credentials-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(dir) || kinf_mbedtls_start(&tls) != KINF_OK)
        return -1;
#define MAKE(key, cert)                                                        \
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "    \
    "-subj /CN=test -days 30 -keyout %s/" key " -out %s/" cert " 2>/dev/null"
    return run(MAKE("ca.key", "ca.pem")) | run(MAKE("key.pem", "cert.pem")) |
           run(MAKE("other.key", "other.pem"));
}

static int tear_down(void **state)
{
    (void)state;
    return run("rm -rf %s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits_addresses),
        cmocka_unit_test(test_says_what_cannot_be_used),
        cmocka_unit_test(test_takes_all_that_is_given),
        cmocka_unit_test(test_token_of_8_kb_and_no_more),
        cmocka_unit_test(test_token_file_is_read_again),
        cmocka_unit_test(test_unreadable_token_file_keeps_the_old_token),
        cmocka_unit_test(test_sighup_changes_the_token_with_the_next_request),
        cmocka_unit_test(test_bad_kubeconfig_on_sighup_changes_nothing),
        cmocka_unit_test(test_changed_certificates_are_noticed),
        cmocka_unit_test(test_inside_a_pod),
        cmocka_unit_test(test_where_a_kubeconfig_is_looked_for),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
