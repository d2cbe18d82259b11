/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_kubeconfig.c - any files as kubeconfig: either all that was taken is
 * whole and inside the memory, or there is a reason.
 *
 * Input: a bit for a context by name, then up to two files, FF between them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "kubeconfig.h"

static char memory[KUBECONFIG_MEMORY];

static int file_of(struct kinf_span text)
{
    int fd = memfd_create("kubeconfig", 0);

    MUST(fd >= 0);
    MUST(write(fd, text.ptr, text.len) == (ssize_t)text.len);
    return fd;
}

static void check_span(struct kinf_span text)
{
    if (text.len == 0)
        return;
    MUST(text.ptr >= memory && text.ptr + text.len < memory + sizeof(memory));
    MUST(text.ptr[text.len] == '\0');
}

static void check(const struct kubeconfig *kc)
{
    const struct kinf_span all[] = {
        kc->context, kc->namespace_,      kc->cluster, kc->user,
        kc->server,  kc->tls_server_name, kc->ca,      kc->ca_file,
        kc->cert,    kc->cert_file,       kc->key,     kc->key_file,
        kc->token,   kc->token_file
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        check_span(all[i]);
    MUST(kc->context.len > 0 && kc->cluster.len > 0 && kc->server.len > 0);
    MUST(kc->used <= kc->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { data, data + size };
    const char *context = dice_byte(&d) & 1 ? "here" : NULL;
    int first = file_of(dice_until(&d, 0xFF)), second = file_of(dice_rest(&d));
    struct kubeconfig kc;
    char list[64];

    snprintf(list, sizeof(list), "/proc/self/fd/%d:/proc/self/fd/%d", first,
             second);
    if (kubeconfig_read(&kc, list, context, memory, sizeof(memory)))
        check(&kc);
    else
        MUST(kc.error[0] != '\0' &&
             memchr(kc.error, '\0', sizeof(kc.error)) != NULL);
    close(first);
    close(second);
    return 0;
}
