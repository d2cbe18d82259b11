/* SPDX-License-Identifier: Apache-2.0 */
/* test_kubeconfig.c - what a kubeconfig may say, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kubeconfig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[200];
static char memory[KUBECONFIG_MEMORY];
static struct kubeconfig kc;

/* Writes a file into the test's folder; returns its path. */
static const char *file(const char *name, const char *text)
{
    static char paths[4][300];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    FILE *f;

    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
    return path;
}

static bool read_text(const char *text)
{
    return kubeconfig_read(&kc, file("config", text), NULL, memory,
                           sizeof memory);
}

#define EXPECT_SPAN(text, span)                                                \
    do {                                                                       \
        assert_int_equal(strlen(text), (span).len);                            \
        assert_memory_equal(text, (span).ptr, (span).len);                     \
    } while (0)

/* A whole kubeconfig around what one cluster and one user say. */
static const char *whole(const char *cluster, const char *user)
{
    static char text[8192];

    snprintf(text, sizeof text,
             "apiVersion: v1\n"
             "kind: Config\n"
             "current-context: here\n"
             "contexts:\n"
             "- context: {cluster: c, user: u, namespace: shop}\n"
             "  name: here\n"
             "clusters:\n"
             "- cluster:\n"
             "    server: https://10.0.0.1:6443\n"
             "    certificate-authority-data: Q0E=\n"
             "%s%s"
             "  name: c\n"
             "users:\n"
             "- name: u\n"
             "  user:\n"
             "    client-key: key.pem\n"
             "%s%s",
             *cluster ? "    " : "", cluster, *user ? "    " : "", user);
    return text;
}

static void test_reads_what_kubectl_writes(void **state)
{
    char expected[300];

    (void)state;
    assert_true(read_text(whole("tls-server-name: api.example\n",
                                "token: abc.def\n")));
    EXPECT_SPAN("here", kc.context);
    EXPECT_SPAN("shop", kc.namespace_);
    EXPECT_SPAN("https://10.0.0.1:6443", kc.server);
    EXPECT_SPAN("api.example", kc.tls_server_name);
    EXPECT_SPAN("CA", kc.ca);
    EXPECT_SPAN("abc.def", kc.token);
    snprintf(expected, sizeof expected, "%s/key.pem", dir);
    EXPECT_SPAN(expected, kc.key_file); /* relative to the file */
    assert_int_equal(0, kc.token_file.len);
}

static void test_reads_json(void **state)
{
    (void)state;
    assert_true(read_text(
        "{\"kind\":\"Config\",\"apiVersion\":\"v1\",\"preferences\":{},"
        "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://h\"}}"
        "],\"users\":[{\"name\":\"u\",\"user\":{\"tokenFile\":\"/t\"}}],"
        "\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\","
        "\"user\":\"u\"}}],\"current-context\":\"x\"}"));
    EXPECT_SPAN("https://h", kc.server);
    EXPECT_SPAN("/t", kc.token_file);
    assert_int_equal(0, kc.namespace_.len);
}

static void test_refuses_by_name_what_it_does_not_do(void **state)
{
    static const struct { const char *cluster, *user, *name; } cases[] = {
        { "insecure-skip-tls-verify: true\n", "",
          "insecure-skip-tls-verify" },
        { "insecure-skip-tls-verify: \"yes\"\n", "",
          "insecure-skip-tls-verify" },
        { "proxy-url: http://proxy:3128\n", "", "proxy-url" },
        { "keep-alive: 5\n", "", "keep-alive" },
        { "keep-alive: {a: [b, {c: d}]}\n", "", "keep-alive" },
        { "", "exec: {command: aws, args: [a, b], env: [{name: x}]}\n",
          "exec" },
        { "", "exec:\n      command: aws\n", "exec" },
        { "", "auth-provider: {name: gcp, config: {a: b}}\n",
          "auth-provider" },
        { "", "username: admin\n", "username" },
        { "", "password: \"1234\"\n", "password" },
        { "", "as: root\n", "as" },
        { "", "as-uid: \"7\"\n", "as-uid" },
        { "", "as-groups: [a, b]\n", "as-groups" },
        { "", "as-user-extra: {reason: [x]}\n", "as-user-extra" },
        { "", "tokenfile: /t\n", "tokenfile" }, /* wrong case: unknown */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char named[100];

        print_message("%s%s", cases[i].cluster, cases[i].user);
        assert_false(read_text(whole(cases[i].cluster, cases[i].user)));
        snprintf(named, sizeof named, "%s", cases[i].name);
        assert_non_null(strstr(kc.error, named));
        assert_non_null(strstr(kc.error, "is refused"));
        assert_non_null(kc.todo);
    }
}

static void test_takes_fields_that_say_nothing(void **state)
{
    static const char *const clusters[] = {
        "insecure-skip-tls-verify: false\n", "proxy-url: \"\"\n",
        "disable-compression: true\n", "tls-server-name: null\n",
        "extensions: [{name: m, extension: {a: {b: [c]}}}]\n"
    };
    static const char *const users[] = {
        "exec: null\n", "exec: {}\n", "exec:\n", "auth-provider: ~\n",
        "as-groups: []\n", "username: \"\"\n", "as-user-extra: {}\n"
    };

    (void)state;
    for (size_t i = 0; i < COUNT(clusters); i++)
        assert_true(read_text(whole(clusters[i], "")));
    for (size_t i = 0; i < COUNT(users); i++)
        assert_true(read_text(whole("", users[i])));
}

static void test_looks_at_the_chosen_entries_only(void **state)
{
    static const char text[] =
        "current-context: good\n"
        "clusters:\n"
        "- {name: bad, cluster: {server: 'http://x', proxy-url: y, z: 1}}\n"
        "- {name: c, cluster: {server: 'https://h'}}\n"
        "users:\n"
        "- {name: bad, user: {exec: {command: rm}, token: SECRET}}\n"
        "- {name: u, user: {token: mine}}\n"
        "contexts:\n"
        "- {name: bad, context: {cluster: bad, user: bad}}\n"
        "- {name: good, context: {cluster: c, user: u}}\n";

    (void)state;
    memset(memory, 0, sizeof memory);
    assert_true(read_text(text));
    EXPECT_SPAN("mine", kc.token);
    assert_null(memmem(memory, sizeof memory, "SECRET", 6));
    assert_false(kubeconfig_read(&kc, file("config", text), "bad", memory,
                                 sizeof memory));
    assert_non_null(strstr(kc.error, "is refused"));
}

static void test_merges_as_kubectl_does(void **state)
{
    char list[1000];
    const char *a = file("a", "current-context: x\n"
                              "users: [{name: u, user: {token: first}}]\n");
    const char *b = file("b",
        "current-context: y\n"
        "users: [{name: u, user: {token: second, tokenFile: /t}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://b',"
        " certificate-authority: ca}}]\n"
        "contexts:\n"
        "- {name: x, context: {cluster: c, user: u}}\n"
        "- {name: y, context: {cluster: c, user: u}}\n");

    (void)state;
    snprintf(list, sizeof list, ":%s/missing:%s::%s", dir, a, b);
    assert_true(kubeconfig_read(&kc, list, NULL, memory, sizeof memory));
    EXPECT_SPAN("x", kc.context);     /* the first that says one */
    EXPECT_SPAN("first", kc.token);   /* the first entry of a name, whole */
    assert_int_equal(0, kc.token_file.len);
    assert_true(kubeconfig_read(&kc, list, "y", memory, sizeof memory));
    EXPECT_SPAN("y", kc.context);
    snprintf(list, sizeof list, "%s/missing", dir);
    assert_false(kubeconfig_read(&kc, list, NULL, memory, sizeof memory));
    assert_non_null(strstr(kc.error, "missing"));
}

static void test_says_what_is_wrong(void **state)
{
    static const struct { const char *text, *words; } cases[] = {
        { "a: [", "line" },
        { "- a\n", "not a mapping" },
        { "kind: Deployment\n", "kind is not Config" },
        { "apiVersion: v2\n", "apiVersion is not v1" },
        { "colour: red\n", "'colour' is refused" },
        { "clusters: {a: b}\n", "" },
        { "contexts: {a: b}\n", "must be a list" },
        { "contexts: [a]\n", "not a mapping" },
        { "contexts: [{name: a}, {name: b}]\n", "there are: a, b" },
        { "current-context: x\n", "no context 'x'" },
        { "current-context: x\ncontexts: [{name: x}]\n", "says nothing" },
        { "current-context: x\ncontexts: [{name: x, context: {user: u}}]\n",
          "names no cluster" },
        { "current-context: x\n"
          "contexts: [{name: x, context: {cluster: c}}]\n", "no cluster 'c'" },
        { "current-context: x\n"
          "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
          "clusters: [{name: c, cluster: {server: s}}]\n", "no user 'u'" },
        { "current-context: x\ncontexts:\n"
          "- {name: x, context: {cluster: c}}\n"
          "- {name: x, context: {cluster: d}}\n", "two contexts" },
        { "current-context: x\n"
          "contexts: [{name: x, context: {cluster: c, cluster: d}}]\n",
          "given twice" },
        { "current-context: x\n"
          "contexts: [{name: x, context: {cluster: [c]}}]\n",
          "is not a text" },
        { "current-context: x\n"
          "contexts: [{name: x, context: {cluster: c}, namespace: n}]\n",
          "'namespace' is refused" },
        { "current-context: &a x\nkind: *a\n", "aliases" },
        { "kind: Config\n---\nkind: Config\n", "second document" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s", cases[i].text);
        assert_false(read_text(cases[i].text));
        if (!strstr(kc.error, cases[i].words))
            fail_msg("'%s' is not in '%s'", cases[i].words, kc.error);
    }
}

static void test_decodes_data(void **state)
{
    static const struct { const char *text, *data; } good[] = {
        { "QQ==", "A" }, { "QUI=", "AB" }, { "QUJD", "ABC" },
        { "\"QUJD\\nRA==\\n\"", "ABCD" }, { "+/8A", NULL },
    };
    static const char *const bad[] = { "QQ", "QQ=", "Q===", "QQ==Q", "Q*==",
                                       "QQ==QQ==", "====" };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char field[100];

        snprintf(field, sizeof field, "client-certificate-data: %s\n",
                 good[i].text);
        assert_true(read_text(whole("", field)));
        if (good[i].data)
            EXPECT_SPAN(good[i].data, kc.cert);
    }
    assert_memory_equal("\xfb\xff\0", kc.cert.ptr, 3);
    for (size_t i = 0; i < COUNT(bad); i++) {
        char field[100];

        snprintf(field, sizeof field, "client-key-data: %s\n", bad[i]);
        assert_false(read_text(whole("", field)));
        assert_non_null(strstr(kc.error, "not base64"));
    }
}

/* Whatever the bytes: an answer, no crash (sanitizers watch). */
static void test_survives_any_cut_and_any_byte(void **state)
{
    char text[2048];
    size_t len;

    (void)state;
    snprintf(text, sizeof text, "%s", whole("extensions: [a]\n",
                                            "exec: {a: [b]}\n"));
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char was = text[i];

        text[i] = '\0';
        (void)read_text(text);
        for (const char *odd = "[}:\t&\x80"; *odd; odd++) {
            text[i] = *odd;
            (void)read_text(text);
        }
        text[i] = was;
    }
    assert_false(read_text(text)); /* exec */
}

static void test_small_memory_is_an_error(void **state)
{
    const char *path = file("config", whole("", "token: abc\n"));

    (void)state;
    for (size_t size = 0; size < 60; size++) {
        assert_false(kubeconfig_read(&kc, path, NULL, memory, size));
        assert_non_null(strstr(kc.error, "bytes"));
    }
}

static int make_dir(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/kubeconfig-XXXXXX", base ? base : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = { "config", "a", "b" };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[300];

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_kubectl_writes),
        cmocka_unit_test(test_reads_json),
        cmocka_unit_test(test_refuses_by_name_what_it_does_not_do),
        cmocka_unit_test(test_takes_fields_that_say_nothing),
        cmocka_unit_test(test_looks_at_the_chosen_entries_only),
        cmocka_unit_test(test_merges_as_kubectl_does),
        cmocka_unit_test(test_says_what_is_wrong),
        cmocka_unit_test(test_decodes_data),
        cmocka_unit_test(test_survives_any_cut_and_any_byte),
        cmocka_unit_test(test_small_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
