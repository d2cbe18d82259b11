/* SPDX-License-Identifier: Apache-2.0 */
/* troubles.c - what an error means to the person in front of the program. */
#include "troubles.h"

#include <stddef.h>

#include "kinformer.h"
#include "program.h"

const char *trouble_todo(int err)
{
    switch (err) {
    case KINF_ERR_NAME:
        return "check the server's name in the kubeconfig, and DNS";
    case KINF_ERR_REFUSED:
        return "is the API server running, and reachable from here?";
    case KINF_ERR_NOT_TRUSTED:
        return "is certificate-authority that of this cluster?";
    case KINF_ERR_WRONG_HOST:
        return "give tls-server-name, or a server name the certificate has";
    case KINF_ERR_EXPIRED:
        return "renew the server's certificate, or set this machine's clock";
    case KINF_ERR_NOT_YET_VALID:
    case KINF_ERR_NO_CLOCK:
        return "set this machine's clock";
    case KINF_ERR_FULL:
    case KINF_ERR_NO_MEMORY:
        return "give more --memory";
    case KINF_ERR_TOO_BIG:
        return "give more --max-object";
    case KINF_ERR_CREDENTIALS:
        return "the token must be one line without blanks";
    case KINF_ERR_HTTP_VERSION:
    case KINF_ERR_HTTP_LINE:
    case KINF_ERR_HTTP_HEADERS:
    case KINF_ERR_HTTP_NUMBER:
    case KINF_ERR_HTTP_LENGTH:
    case KINF_ERR_HTTP_CHUNK:
    case KINF_ERR_HTTP_CHUNK_END:
    case KINF_ERR_HTTP_ENCODING:
    case KINF_ERR_HTTP_TYPE:
    case KINF_ERR_REDIRECT:
        return "is this the API server, or a proxy before it?";
    case KINF_ERR_AUTH:
        return "renew the token or certificate; SIGHUP reads them again";
    case KINF_ERR_FORBIDDEN:
        return "grant list and watch: kinformer(1) has an example";
    case KINF_ERR_NO_RESOURCE:
        return "kubectl api-resources tells what there is";
    case KINF_ERR_METHOD:
        return "this resource cannot be watched";
    case KINF_ERR_INVALID:
        return "check the selectors";
    case KINF_ERR_DEGRADED:
        return "give more --objects or --memory";
    case KINF_ERR_BACK_IN_TIME:
        return "restored from a backup? the server's state is taken";
    default:
        return NULL;
    }
}

bool trouble_is_usual(int err)
{
    return err == KINF_ERR_GONE || err == KINF_ERR_NO_STREAM ||
           err == KINF_ERR_BUSY;
}

int trouble_is_final(int err)
{
    switch (err) {
    case KINF_ERR_NOT_TRUSTED:
    case KINF_ERR_WRONG_HOST:
    case KINF_ERR_EXPIRED:
    case KINF_ERR_NOT_YET_VALID:
    case KINF_ERR_NO_CLOCK:
    case KINF_ERR_REDIRECT:
        return EXIT_SERVER;
    case KINF_ERR_FORBIDDEN:
        return EXIT_DENIED;
    case KINF_ERR_NO_RESOURCE:
    case KINF_ERR_METHOD:
        return EXIT_RESOURCE;
    case KINF_ERR_INVALID:
        return EXIT_USAGE;
    case KINF_ERR_CREDENTIALS:
        return EXIT_CONFIG;
    default:
        return -1;
    }
}

int trouble_exit_code(int err)
{
    int code = trouble_is_final(err);

    if (code >= 0)
        return code;
    if (err == KINF_ERR_AUTH)
        return EXIT_DENIED;
    if (err == KINF_ERR_DEGRADED || err == KINF_ERR_UNREADABLE ||
        err == KINF_ERR_NO_IDENTITY)
        return EXIT_INCOMPLETE;
    return EXIT_SERVER;
}

const char *trouble_name(int err)
{
    switch (err) {
#define X(name, code, text)                                                    \
    case KINF_ERR_##name:                                                      \
        return #name;
        KINF_ERR_MAP(X)
#undef X
    default:
        return NULL;
    }
}
