/* SPDX-License-Identifier: Apache-2.0 */
/* kinf_typed.h - ConfigMap, Secret, Pod and Deployment as C structs.
 *
 * Each is a struct, a table for kinf_decode, and a function that joins them:
 *
 *     struct kinf_pod pod;
 *     if (kinf_pod_decode(object, &pod) == KINF_OK && pod.host_network) ...
 *
 * A kind of your own is the same three things. Texts are NUL-terminated and
 * empty when absent; struct kinf_value fields (for kinf_each and
 * kinf_value_find) are null when absent and as short-lived as the object. The
 * key is in the object itself. With a keep list, what it drops is absent. */
#ifndef KINF_TYPED_H
#define KINF_TYPED_H

#include "kinformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* data and binary_data: better walked by kinf_configmap_each. */
struct kinf_configmap {
    bool immutable;
    struct kinf_value data, binary_data;
    struct kinf_value labels, annotations;
};
#define KINF_CONFIGMAP_FIELDS 5
extern const struct kinf_field kinf_configmap_fields[KINF_CONFIGMAP_FIELDS];

/* data: in base64, better walked by kinf_secret_each. */
struct kinf_secret {
    char type[128]; /* "Opaque", "kubernetes.io/tls" */
    bool immutable;
    struct kinf_value data;
    struct kinf_value labels, annotations;
};
#define KINF_SECRET_FIELDS 5
extern const struct kinf_field kinf_secret_fields[KINF_SECRET_FIELDS];

struct kinf_pod {
    char node_name[254];
    char phase[16]; /* "Pending", "Running", "Succeeded", "Failed", "Unknown" */
    char pod_ip[46], host_ip[46];
    char service_account[254];
    char restart_policy[16];
    char deleted_at[32]; /* being deleted since; else empty */
    bool host_network;
    struct kinf_value containers;         /* spec.containers */
    struct kinf_value container_statuses; /* status.containerStatuses */
    struct kinf_value conditions;
    struct kinf_value labels, annotations, owners;
};
#define KINF_POD_FIELDS 14
extern const struct kinf_field kinf_pod_fields[KINF_POD_FIELDS];

struct kinf_deployment {
    int64_t generation, observed_generation; /* equal: the status is current */
    int32_t replicas;                        /* asked for; the server says 1 */
    int32_t current, updated, ready, available, unavailable;
    bool paused;
    struct kinf_value selector;   /* spec.selector */
    struct kinf_value template_;  /* spec.template */
    struct kinf_value conditions; /* status.conditions */
    struct kinf_value labels, annotations;
};
#define KINF_DEPLOYMENT_FIELDS 14
extern const struct kinf_field kinf_deployment_fields[KINF_DEPLOYMENT_FIELDS];

/* Each returns what kinf_decode does: KINF_OK, or KINF_ERR_TOO_BIG (held as
 * identity only, or a value does not fit its field) or KINF_ERR_TYPE (a value
 * is of another type) after all other fields were filled. */
static inline int kinf_configmap_decode(const struct kinf_object *object,
                                        struct kinf_configmap *out)
{
    return kinf_decode(object, kinf_configmap_fields, KINF_CONFIGMAP_FIELDS,
                       out, sizeof(*out));
}

static inline int kinf_secret_decode(const struct kinf_object *object,
                                     struct kinf_secret *out)
{
    return kinf_decode(object, kinf_secret_fields, KINF_SECRET_FIELDS, out,
                       sizeof(*out));
}

static inline int kinf_pod_decode(const struct kinf_object *object,
                                  struct kinf_pod *out)
{
    return kinf_decode(object, kinf_pod_fields, KINF_POD_FIELDS, out,
                       sizeof(*out));
}

static inline int kinf_deployment_decode(const struct kinf_object *object,
                                         struct kinf_deployment *out)
{
    return kinf_decode(object, kinf_deployment_fields, KINF_DEPLOYMENT_FIELDS,
                       out, sizeof(*out));
}

#ifdef __cplusplus
}
#endif

#endif
