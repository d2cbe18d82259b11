/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.c - the tables of kinf_typed.h. */
#include "kinf_typed.h"

#define TEXT(struct_, member, path)                                            \
    KINF_FIELD(struct_, member, KINF_FIELD_TEXT, path)
#define INT32(struct_, member, path)                                           \
    KINF_FIELD(struct_, member, KINF_FIELD_INT32, path)
#define INT64(struct_, member, path)                                           \
    KINF_FIELD(struct_, member, KINF_FIELD_INT64, path)
#define BOOL(struct_, member, path)                                            \
    KINF_FIELD(struct_, member, KINF_FIELD_BOOL, path)
#define VALUE(struct_, member, path)                                           \
    KINF_FIELD(struct_, member, KINF_FIELD_SPAN, path)

const struct kinf_field kinf_configmap_fields[KINF_CONFIGMAP_FIELDS] = {
    BOOL(struct kinf_configmap, immutable, "immutable"),
    VALUE(struct kinf_configmap, data, "data"),
    VALUE(struct kinf_configmap, binary_data, "binaryData"),
    VALUE(struct kinf_configmap, labels, "metadata.labels"),
    VALUE(struct kinf_configmap, annotations, "metadata.annotations"),
};

const struct kinf_field kinf_secret_fields[KINF_SECRET_FIELDS] = {
    TEXT(struct kinf_secret, type, "type"),
    BOOL(struct kinf_secret, immutable, "immutable"),
    VALUE(struct kinf_secret, data, "data"),
    VALUE(struct kinf_secret, labels, "metadata.labels"),
    VALUE(struct kinf_secret, annotations, "metadata.annotations"),
};

const struct kinf_field kinf_pod_fields[KINF_POD_FIELDS] = {
    TEXT(struct kinf_pod, node_name, "spec.nodeName"),
    TEXT(struct kinf_pod, phase, "status.phase"),
    TEXT(struct kinf_pod, pod_ip, "status.podIP"),
    TEXT(struct kinf_pod, host_ip, "status.hostIP"),
    TEXT(struct kinf_pod, service_account, "spec.serviceAccountName"),
    TEXT(struct kinf_pod, restart_policy, "spec.restartPolicy"),
    TEXT(struct kinf_pod, deleted_at, "metadata.deletionTimestamp"),
    BOOL(struct kinf_pod, host_network, "spec.hostNetwork"),
    VALUE(struct kinf_pod, containers, "spec.containers"),
    VALUE(struct kinf_pod, container_statuses, "status.containerStatuses"),
    VALUE(struct kinf_pod, conditions, "status.conditions"),
    VALUE(struct kinf_pod, labels, "metadata.labels"),
    VALUE(struct kinf_pod, annotations, "metadata.annotations"),
    VALUE(struct kinf_pod, owners, "metadata.ownerReferences"),
};

const struct kinf_field kinf_deployment_fields[KINF_DEPLOYMENT_FIELDS] = {
    INT64(struct kinf_deployment, generation, "metadata.generation"),
    INT64(struct kinf_deployment, observed_generation,
          "status.observedGeneration"),
    INT32(struct kinf_deployment, replicas, "spec.replicas"),
    INT32(struct kinf_deployment, current, "status.replicas"),
    INT32(struct kinf_deployment, updated, "status.updatedReplicas"),
    INT32(struct kinf_deployment, ready, "status.readyReplicas"),
    INT32(struct kinf_deployment, available, "status.availableReplicas"),
    INT32(struct kinf_deployment, unavailable, "status.unavailableReplicas"),
    BOOL(struct kinf_deployment, paused, "spec.paused"),
    VALUE(struct kinf_deployment, selector, "spec.selector"),
    VALUE(struct kinf_deployment, template_, "spec.template"),
    VALUE(struct kinf_deployment, conditions, "status.conditions"),
    VALUE(struct kinf_deployment, labels, "metadata.labels"),
    VALUE(struct kinf_deployment, annotations, "metadata.annotations"),
};
