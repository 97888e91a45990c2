#include "config/support.hpp"

namespace tank::config {

namespace {

using enum support;

constexpr std::string_view no_driver =
    "this volume comes from a cluster's storage; one node has no driver for it";
constexpr std::string_view no_server = "only the API server of a cluster can issue it";
constexpr std::string_view windows = "this is a Linux node";

constexpr support_rule rules[] = {
    {"Pod", "metadata", judged},
    {"Pod", "spec", judged},

    // --- the pod
    {"PodSpec", "containers", judged},
    {"PodSpec", "initContainers", not_yet},
    {"PodSpec", "ephemeralContainers", impossible, {}, "cannot be set on create"},
    {"PodSpec", "restartPolicy", actuated},
    {"PodSpec", "terminationGracePeriodSeconds", actuated},
    {"PodSpec", "dnsPolicy", judged},
    {"PodSpec", "nodeSelector", cluster_only},
    {"PodSpec", "serviceAccountName", cluster_only},
    {"PodSpec", "serviceAccount", actuated}, // the alias: said at serviceAccountName
    {"PodSpec", "automountServiceAccountToken", cluster_only, "false"},
    {"PodSpec", "nodeName", cluster_only},
    {"PodSpec", "hostNetwork", actuated},
    {"PodSpec", "hostIPC", actuated},
    {"PodSpec", "hostPID", actuated},
    {"PodSpec", "shareProcessNamespace", not_yet, "false"},
    {"PodSpec", "imagePullSecrets", actuated},
    {"PodSpec", "hostname", actuated},
    {"PodSpec", "subdomain", actuated},
    {"PodSpec", "affinity", cluster_only},
    {"PodSpec", "schedulerName", cluster_only, "default-scheduler"},
    {"PodSpec", "tolerations", cluster_only},
    {"PodSpec", "hostAliases", actuated},
    {"PodSpec", "priorityClassName", cluster_only},
    {"PodSpec", "priority", cluster_only, "0"},
    {"PodSpec", "dnsConfig", actuated},
    {"PodSpec", "enableServiceLinks", cluster_only, "true"},
    {"PodSpec", "preemptionPolicy", cluster_only, "PreemptLowerPriority"},
    {"PodSpec", "overhead", cluster_only},
    {"PodSpec", "topologySpreadConstraints", cluster_only},
    {"PodSpec", "setHostnameAsFQDN", not_yet, "false"},
    {"PodSpec", "hostUsers", actuated},
    {"PodSpec", "schedulingGates", cluster_only},
    {"PodSpec", "schedulingGroup", cluster_only},
    {"PodSpec", "evictionResponders", cluster_only},
    {"PodSpec", "resourceClaims", impossible, {}, "only a cluster allocates devices to claims"},
    {"PodOS", "name", impossible, "linux", windows},
    {"PodSecurityContext", "runAsUser", actuated},
    {"PodSecurityContext", "runAsGroup", actuated},
    {"PodSecurityContext", "runAsNonRoot", actuated},
    {"PodSecurityContext", "supplementalGroups", actuated},
    {"PodSecurityContext", "supplementalGroupsPolicy", actuated},
    {"PodSecurityContext", "fsGroup", actuated},
    {"PodSecurityContext", "fsGroupChangePolicy", actuated}, // without effect on an emptyDir
    {"PodSecurityContext", "sysctls", judged},
    {"PodSecurityContext", "windowsOptions", impossible, {}, windows},

    // --- a container
    {"Container", "name", actuated},
    {"Container", "image", actuated},
    {"Container", "command", actuated},
    {"Container", "args", actuated},
    {"Container", "workingDir", actuated},
    {"Container", "terminationMessagePath", not_yet, "/dev/termination-log"},
    {"Container", "terminationMessagePolicy", not_yet, "File"},
    {"Container", "imagePullPolicy", actuated},
    {"Container", "volumeDevices", impossible, {}, no_driver},
    {"ContainerPort", "name", actuated}, // information, unless hostPort is set
    {"ContainerPort", "containerPort", actuated},
    {"ContainerPort", "protocol", actuated},
    {"ContainerPort", "hostPort", judged},
    {"ContainerPort", "hostIP", judged},
    {"EnvVar", "name", actuated},
    {"EnvVar", "value", actuated},
    {"EnvVarSource", "fieldRef", judged},
    {"EnvVarSource", "resourceFieldRef", actuated},
    {"EnvVarSource", "configMapKeyRef", actuated},
    {"EnvVarSource", "secretKeyRef", actuated},
    {"Container", "envFrom", actuated},
    {"VolumeMount", "name", actuated},
    {"VolumeMount", "mountPath", actuated},
    {"VolumeMount", "readOnly", actuated},
    {"VolumeMount", "recursiveReadOnly", actuated}, // read-only is always all of it
    {"VolumeMount", "mountPropagation", judged, "None"},
    {"VolumeMount", "subPath", judged},
    {"VolumeMount", "subPathExpr", judged},
    {"Lifecycle", "stopSignal", actuated},
    {"ResourceRequirements", "limits", judged},
    {"ResourceRequirements", "requests", judged},
    {"ResourceRequirements",
     "claims",
     impossible,
     {},
     "only a cluster allocates devices to claims"},
    {"SecurityContext", "runAsUser", actuated},
    {"SecurityContext", "runAsGroup", actuated},
    {"SecurityContext", "runAsNonRoot", actuated},
    {"SecurityContext", "readOnlyRootFilesystem", actuated},
    {"SecurityContext", "allowPrivilegeEscalation", actuated},
    {"SecurityContext", "privileged", actuated},
    {"SecurityContext", "procMount", actuated},
    {"SecurityContext", "windowsOptions", impossible, {}, windows},
    {"SecurityContext", "capabilities", actuated},
    {"SeccompProfile", "type", actuated},
    {"SeccompProfile", "localhostProfile", actuated},
    {"AppArmorProfile", "type", not_yet, "Unconfined"},

    // --- volumes
    {"Volume", "name", actuated},
    {"HostPathVolumeSource", "path", actuated},
    {"HostPathVolumeSource", "type", actuated},
    {"EmptyDirVolumeSource", "medium", judged},
    {"EmptyDirVolumeSource", "sizeLimit", judged},
    {"Volume", "configMap", actuated},
    {"Volume", "secret", actuated},
    {"Volume", "downwardAPI", actuated},
    {"Volume", "persistentVolumeClaim", actuated},
    {"Volume", "gcePersistentDisk", impossible, {}, no_driver},
    {"Volume", "awsElasticBlockStore", impossible, {}, no_driver},
    {"Volume", "gitRepo", impossible, {}, "gitRepo volumes are removed from Kubernetes"},
    {"Volume", "nfs", impossible, {}, no_driver},
    {"Volume", "iscsi", impossible, {}, no_driver},
    {"Volume", "glusterfs", impossible, {}, no_driver},
    {"Volume", "rbd", impossible, {}, no_driver},
    {"Volume", "flexVolume", impossible, {}, no_driver},
    {"Volume", "cinder", impossible, {}, no_driver},
    {"Volume", "cephfs", impossible, {}, no_driver},
    {"Volume", "flocker", impossible, {}, no_driver},
    {"Volume", "fc", impossible, {}, no_driver},
    {"Volume", "azureFile", impossible, {}, no_driver},
    {"Volume", "vsphereVolume", impossible, {}, no_driver},
    {"Volume", "quobyte", impossible, {}, no_driver},
    {"Volume", "azureDisk", impossible, {}, no_driver},
    {"Volume", "photonPersistentDisk", impossible, {}, no_driver},
    {"Volume", "portworxVolume", impossible, {}, no_driver},
    {"Volume", "scaleIO", impossible, {}, no_driver},
    {"Volume", "storageos", impossible, {}, no_driver},
    {"Volume", "csi", impossible, {}, no_driver},
    {"Volume", "ephemeral", impossible, {}, "only a cluster provisions volumes of a storage class"},
    {"ProjectedVolumeSource", "defaultMode", actuated},
    {"ProjectedVolumeSource", "defaultUser", actuated},
    {"VolumeProjection", "secret", actuated},
    {"VolumeProjection", "configMap", actuated},
    {"VolumeProjection", "downwardAPI", actuated},
    {"VolumeProjection", "serviceAccountToken", impossible, {}, no_server},
    {"VolumeProjection", "clusterTrustBundle", impossible, {}, no_server},
    {"VolumeProjection", "podCertificate", impossible, {}, no_server},
};

} // namespace

std::span<const support_rule> support_rules() {
  return rules;
}

} // namespace tank::config
