/* SPDX-License-Identifier: Apache-2.0 */
/* talk.c - a script of requests to the model server; see talk.h. */
#include "talk.h"

#include <stdio.h>

#include "net.h"
#include "server.h"
#include "world.h"

static struct link line;

/* ---- what came ---------------------------------------------------------- */

static void print_bytes(const char *bytes, size_t len)
{
    printf("{\"at\": %llu, \"data\": \"", (unsigned long long)sim.now);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c < ' ' || c == '"' || c == '\\' || c > 126)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    printf("\"}\n");
}

static void receive(void)
{
    char bytes[65536];
    int n;

    while (line.phase == KINF_PHASE_OPEN) {
        n = link_ops.recv(&line, bytes, sizeof(bytes));
        if (n == KINF_ERR_AGAIN)
            return;
        if (n < 0) {
            printf("{\"at\": %llu, \"closed\": true}\n",
                   (unsigned long long)sim.now);
            link_ops.close(&line);
            return;
        }
        print_bytes(bytes, (size_t)n);
    }
}

static void wait_ms(uint64_t ms)
{
    for (uint64_t until = sim.now + ms; sim.now < until; sim.now++) {
        timers_run();
        receive();
    }
}

/* ---- what is said ------------------------------------------------------- */

static void connect_line(void)
{
    const struct kinf_span host = { "api.sim.kin", 11 };

    while (line.phase != KINF_PHASE_OPEN)
        if (link_ops.open(&line, host, 6443) == KINF_ERR_AGAIN)
            sim.now++;
}

static void ask(const char *target, const char *accept)
{
    struct text t = { NULL, 0, 0, 0 };
    size_t sent = 0;

    printf("{\"at\": %llu, \"ask\": \"%s\"}\n", (unsigned long long)sim.now,
           target);
    connect_line();
    text_fmt(&t, "GET %s HTTP/1.1\r\nHost: api.sim.kin:6443\r\n"
                 "User-Agent: talk\r\nAccept: application/json%s%s\r\n",
             target, *accept != '\0' ? ";" : "", accept);
    text_add(&t, "Authorization: Bearer ");
    token_text(&t, server.token);
    text_add(&t, "\r\n\r\n");
    while (sent < t.len) {
        int n = link_ops.send(&line, t.ptr + sent, t.len - sent);

        if (n > 0)
            sent += (size_t)n;
        else
            wait_ms(1);
    }
    text_free(&t);
}

static uint32_t resource(const char *plural)
{
    for (uint32_t i = 0; i < RESOURCES; i++)
        if (strcmp(kinds[i].plural, plural) == 0)
            return i;
    sim_fail("no resource %s", plural);
}

static void put(char *word[])
{
    uint32_t res = resource(word[1]);
    struct look look = { .size = (uint32_t)atoi(word[4]), .salt = 2,
                         .tier = (uint8_t)word[5][0] };

    etcd_put(res, etcd_key(res, word[2], word[3]), &look);
    server_changed();
}

static void obey(char *word[])
{
    if (strcmp(word[0], "put") == 0) {
        put(word);
    } else if (strcmp(word[0], "delete") == 0) {
        uint32_t res = resource(word[1]);

        etcd_delete(res, etcd_key(res, word[2], word[3]));
        server_changed();
    } else if (strcmp(word[0], "noise") == 0) {
        etcd_noise((uint32_t)atoi(word[1]));
        server_changed();
    } else if (strcmp(word[0], "compact") == 0) {
        etcd_compact();
    } else if (strcmp(word[0], "restart") == 0) {
        server_restart(0, 0, false);
    } else if (strcmp(word[0], "backup") == 0) {
        etcd_backup();
    } else if (strcmp(word[0], "restore") == 0) {
        server_restore(0);
    } else if (strcmp(word[0], "mode") == 0) {
        server.stream_mode = (enum stream_mode)atoi(word[1]);
    } else if (strcmp(word[0], "ask") == 0) {
        ask(word[1], word[2]);
    } else if (strcmp(word[0], "wait") == 0) {
        wait_ms((uint64_t)atoll(word[1]));
    } else if (strcmp(word[0], "drop") == 0) {
        link_ops.close(&line);
    } else {
        sim_fail("a script says %s", word[0]);
    }
}

int talk(const char *path)
{
    FILE *f = fopen(path, "r");
    char text[2048];

    if (f == NULL) {
        perror(path);
        return 2;
    }
    etcd_init(1000);
    net_init(0);
    server_init();
    link_init(&line, true);
    while (fgets(text, sizeof(text), f) != NULL) {
        char *word[6] = { NULL }, *rest = text, empty[] = "";

        for (size_t i = 0; i < COUNT_OF(word); i++) {
            word[i] = strtok_r(rest, " \n", &rest);
            if (word[i] == NULL)
                word[i] = empty;
        }
        if (word[0][0] != '\0' && word[0][0] != '#')
            obey(word);
    }
    fclose(f);
    return 0;
}
