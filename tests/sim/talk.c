/* SPDX-License-Identifier: Apache-2.0 */
/* talk.c - a script of requests to the model server; see talk.h. */
#include "talk.h"

#include <stdio.h>

#include "net.h"
#include "server.h"
#include "world.h"

enum { LINES = 4, WORDS = 9 };

static struct link lines[LINES];
static bool held[LINES]; /* what comes is not read */

/* ---- what came ---------------------------------------------------------- */

static void print_text(const char *bytes, size_t len)
{
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c < ' ' || c == '"' || c == '\\' || c > 126)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_bytes(uint32_t line, const char *bytes, size_t len)
{
    printf("{\"line\": %u, \"at\": %llu, \"data\": ", line,
           (unsigned long long)sim.now);
    print_text(bytes, len);
    printf("}\n");
}

static void receive(uint32_t line)
{
    struct link *l = &lines[line];
    char bytes[65536];
    int n;

    while (l->phase == KINF_PHASE_OPEN && !held[line]) {
        n = link_ops.recv(l, bytes, sizeof(bytes));
        if (n == KINF_ERR_AGAIN)
            return;
        if (n < 0) {
            printf("{\"line\": %u, \"at\": %llu, \"closed\": true}\n", line,
                   (unsigned long long)sim.now);
            link_ops.close(l);
            return;
        }
        print_bytes(line, bytes, (size_t)n);
    }
}

static void wait_ms(uint64_t ms)
{
    for (uint64_t until = sim.now + ms;; sim.now++) {
        timers_run();
        for (uint32_t i = 0; i < LINES; i++)
            receive(i);
        if (sim.now >= until)
            return;
    }
}

/* ---- what is said ------------------------------------------------------- */

static void open_line(struct link *l)
{
    const struct kinf_span host = { "api.sim.kin", 11 };

    while (l->phase != KINF_PHASE_OPEN) {
        int err = link_ops.open(l, host, 6443);

        if (err == KINF_ERR_AGAIN)
            sim.now++;
        else if (err != KINF_OK)
            sim_fail("talk: no connection: %s", l->reason);
    }
}

static void send_all(struct link *l, const struct text *t)
{
    size_t sent = 0;

    while (sent < t->len) {
        int n = link_ops.send(l, t->ptr + sent, t->len - sent);

        if (n > 0)
            sent += (size_t)n;
        else
            wait_ms(1);
    }
}

static bool given(const char *word)
{
    return *word != '\0' && strcmp(word, "-") != 0;
}

static void ask(char *word[])
{
    struct link *l = &lines[atoi(word[1]) % LINES];
    struct text t = { NULL, 0, 0, 0 };

    open_line(l);
    text_fmt(&t, "GET %s HTTP/1.1\r\nHost: api.sim.kin:6443\r\n", word[2]);
    text_fmt(&t, "User-Agent: %s\r\nAccept: application/json",
             given(word[4]) ? word[4] : "talk");
    text_fmt(&t, given(word[3]) ? ";%s\r\n" : "\r\n", word[3]);
    if (strcmp(word[5], "-") != 0) {
        struct text token = { NULL, 0, 0, 0 };

        if (given(word[5]))
            text_add(&token, word[5]);
        else
            token_text(&token, server.token);
        text_add(&t, "Authorization: Bearer ");
        text_bytes(&t, token.ptr, token.len);
        text_add(&t, "\r\n");
        text_free(&token);
    }
    text_add(&t, "\r\n");
    send_all(l, &t);
    text_free(&t);
}

static uint32_t resource(const char *plural)
{
    for (uint32_t i = 0; i < RESOURCES; i++)
        if (strcmp(kinds[i].plural, plural) == 0)
            return i;
    sim_fail("no resource %s", plural);
}

static uint32_t key_named(char *word[])
{
    const char *space = strcmp(word[2], "-") == 0 ? "" : word[2];

    return etcd_key(resource(word[1]), space, word[3]);
}

static void put(char *word[])
{
    struct look look = { .size = (uint32_t)atoi(word[4]),
                         .tier = (uint8_t)word[5][0],
                         .salt = (uint32_t)atoi(word[6]),
                         .payload = (uint8_t)(atoi(word[7]) % PAYLOADS),
                         .hold = atoi(word[8]) != 0 };

    etcd_put(resource(word[1]), key_named(word), &look);
    server_changed();
}

static void show(char *word[])
{
    uint32_t state = etcd_now(resource(word[1]), key_named(word));
    struct text t = { NULL, 0, 0, 0 };
    const struct form form = { .head = true };

    MUST(state != NO_STATE, "talk: no such object");
    render(&t, state, &form);
    printf("{\"object\": ");
    print_text(t.ptr, t.len);
    printf("}\n");
    text_free(&t);
}

static void set(const char *what, const char *number)
{
    if (strcmp(what, "stream") == 0)
        server.stream_mode = (enum stream_mode)atoi(number);
    else if (strcmp(what, "old_paging") == 0)
        server.old_paging = atoi(number) != 0;
    else if (strcmp(what, "inflight") == 0)
        server.inflight = (uint32_t)atoi(number);
    else
        sim_fail("talk: nothing to set is called %s", what);
}

/* What changes the cluster or the server; false: it is none of these. */
static bool act(char *word[])
{
    if (strcmp(word[0], "put") == 0)
        put(word);
    else if (strcmp(word[0], "delete") == 0) {
        etcd_delete(resource(word[1]), key_named(word));
        server_changed();
    } else if (strcmp(word[0], "noise") == 0) {
        etcd_noise((uint32_t)atoi(word[1]));
        server_changed();
    } else if (strcmp(word[0], "compact") == 0)
        etcd_compact();
    else if (strcmp(word[0], "restart") == 0)
        server_restart(0, 0, false);
    else if (strcmp(word[0], "leave") == 0)
        server_restart(0, 0, true);
    else if (strcmp(word[0], "backup") == 0)
        etcd_backup();
    else if (strcmp(word[0], "restore") == 0)
        server_restore(0);
    else if (strcmp(word[0], "set") == 0)
        set(word[1], word[2]);
    else
        return false;
    return true;
}

static void obey(char *word[])
{
    if (act(word))
        wait_ms(1);
    else if (strcmp(word[0], "show") == 0)
        show(word);
    else if (strcmp(word[0], "ask") == 0)
        ask(word);
    else if (strcmp(word[0], "wait") == 0)
        wait_ms((uint64_t)atoll(word[1]));
    else if (strcmp(word[0], "hold") == 0)
        held[atoi(word[1]) % LINES] = atoi(word[2]) != 0;
    else if (strcmp(word[0], "drop") == 0)
        link_ops.close(&lines[atoi(word[1]) % LINES]);
    else
        sim_fail("talk: a script says %s", word[0]);
    printf("{\"now\": %llu}\n", (unsigned long long)sim.now);
    fflush(stdout);
}

int talk(void)
{
    static char text[65536];

    etcd_init(1000);
    net_init(0);
    server_init();
    server.answers_all = true;
    for (uint32_t i = 0; i < LINES; i++)
        link_init(&lines[i], true);
    while (fgets(text, sizeof(text), stdin) != NULL) {
        char *word[WORDS] = { NULL }, *rest = text, empty[] = "";

        for (size_t i = 0; i < COUNT_OF(word); i++) {
            word[i] = strtok_r(rest, " \n", &rest);
            if (word[i] == NULL)
                word[i] = empty;
        }
        if (word[0][0] != '\0')
            obey(word);
    }
    return 0;
}
