/// Where our verdict on a Pod of the corpus differs from kubelet 1.26, by name: each a decision.
#pragma once

#include <string_view>

namespace tank::config::test {

// Kubelet drops an unknown field silently; here it is an error.
constexpr std::string_view unknown_field = "unknown field";
// Valid Pods that one Linux node cannot realise.
constexpr std::string_view cluster_storage = "comes from a cluster's storage, a cloud or a driver";
constexpr std::string_view block_device = "a raw block volume comes from a cluster's storage";
constexpr std::string_view git_repo = "gitRepo volumes are removed from Kubernetes";
constexpr std::string_view device_plugin = "a resource that only a device plugin provides";
constexpr std::string_view service_account_token = "a token that only an API server issues";
constexpr std::string_view windows = "windowsOptions on a Linux node";
// The newest API accepts what 1.26 did not know.
constexpr std::string_view native_sidecar = "an init container with restartPolicy Always may probe";

/// Kubelet accepts `file`; we refuse it at `field`, because of `reason`.
struct refused_pod {
  std::string_view file;
  std::string_view field;
  std::string_view reason;
};

/// Kubelet 1.26 refuses `file`; we accept it, because of `reason`.
struct accepted_pod {
  std::string_view file;
  std::string_view reason;
};

// clang-format off
constexpr refused_pod refused_by_decision[] = {
    {"pods/examples/_archived_meteor_mongo-pod.json.yaml", "spec.volumes[0].gcePersistentDisk", cluster_storage},
    {"pods/examples/_archived_volumes_azure_disk_azure.yaml.yaml", "spec.volumes[0].azureDisk", cluster_storage},
    {"pods/examples/_archived_volumes_azure_disk_static-provisioning_managed-disk_pod-uses-existing-managed-disk.yaml.yaml", "spec.volumes[0].azureDisk", cluster_storage},
    {"pods/examples/_archived_volumes_azure_file_azure.yaml.yaml", "spec.volumes[0].azureFile", cluster_storage},
    {"pods/examples/_archived_volumes_cephfs_cephfs-with-secret.yaml.yaml", "spec.volumes[0].cephfs", cluster_storage},
    {"pods/examples/_archived_volumes_cephfs_cephfs.yaml.yaml", "spec.volumes[0].cephfs", cluster_storage},
    {"pods/examples/_archived_volumes_flexvolume_nginx-dummy-attachable.yaml.yaml", "spec.volumes[0].flexVolume", cluster_storage},
    {"pods/examples/_archived_volumes_flexvolume_nginx-dummy.yaml.yaml", "spec.volumes[0].flexVolume", cluster_storage},
    {"pods/examples/_archived_volumes_flexvolume_nginx-lvm.yaml.yaml", "spec.volumes[0].flexVolume", cluster_storage},
    {"pods/examples/_archived_volumes_flexvolume_nginx-nfs.yaml.yaml", "spec.volumes[0].flexVolume", cluster_storage},
    {"pods/examples/_archived_volumes_flocker_flocker-pod.yml.yaml", "spec.volumes[0].flocker", cluster_storage},
    {"pods/examples/_archived_volumes_glusterfs_glusterfs-pod.yaml.yaml", "spec.volumes[0].glusterfs", cluster_storage},
    {"pods/examples/_archived_volumes_iscsi_iscsi-chap.yaml.yaml", "spec.volumes[0].iscsi", cluster_storage},
    {"pods/examples/_archived_volumes_iscsi_iscsi.yaml.yaml", "spec.volumes[0].iscsi", cluster_storage},
    {"pods/examples/_archived_volumes_portworx_README.md.f0d0.yaml", "spec.volumes[0].portworxVolume", cluster_storage},
    {"pods/examples/_archived_volumes_portworx_portworx-volume-pod.yaml.yaml", "spec.volumes[0].portworxVolume", cluster_storage},
    {"pods/examples/_archived_volumes_quobyte_Readme.md.yaml", "spec.volumes[0].quobyte", cluster_storage},
    {"pods/examples/_archived_volumes_rbd_rbd-with-secret.yaml.yaml", "spec.volumes[0].rbd", cluster_storage},
    {"pods/examples/_archived_volumes_rbd_rbd.yaml.yaml", "spec.volumes[0].rbd.imageformat", unknown_field},
    {"pods/examples/_archived_volumes_scaleio_README.md.f0d0.yaml", "spec.volumes[0].scaleIO", cluster_storage},
    {"pods/examples/_archived_volumes_scaleio_pod.yaml.yaml", "spec.volumes[0].scaleIO.protectionDoamin", unknown_field},
    {"pods/examples/_archived_volumes_storageos_README.md.f0d0.yaml", "spec.volumes[0].storageos.secretName", unknown_field},
    {"pods/examples/_archived_volumes_storageos_storageos-pod.yaml.yaml", "spec.volumes[0].storageos.pool", unknown_field},
    {"pods/examples/_archived_volumes_vsphere_README.md.f0d0.yaml", "spec.volumes[0].vsphereVolume", cluster_storage},
    {"pods/examples/_archived_volumes_vsphere_vsphere-volume-pod.yaml.yaml", "spec.volumes[0].vsphereVolume", cluster_storage},
    {"pods/examples/databases_mysql-cinder-pd_mysql.yaml.yaml", "spec.volumes[0].cinder", cluster_storage},
    {"pods/minikube/test_integration_testdata_inaccel.yaml.yaml", "spec.containers[0].resources.limits[xilinx/aws-vu9p-f1]", device_plugin},
    {"pods/psa/test_testdata_baseline_v1.37_fail_windowshostprocess0.yaml.yaml", "spec.securityContext.windowsOptions", windows},
    {"pods/psa/test_testdata_baseline_v1.37_fail_windowshostprocess1.yaml.yaml", "spec.containers[0].securityContext.windowsOptions", windows},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes0.yaml.yaml", "spec.volumes[0].gcePersistentDisk", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes1.yaml.yaml", "spec.volumes[0].awsElasticBlockStore", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes10.yaml.yaml", "spec.volumes[0].flocker", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes11.yaml.yaml", "spec.volumes[0].fc", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes12.yaml.yaml", "spec.volumes[0].azureFile", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes13.yaml.yaml", "spec.volumes[0].vsphereVolume", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes14.yaml.yaml", "spec.volumes[0].quobyte", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes15.yaml.yaml", "spec.volumes[0].azureDisk", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes16.yaml.yaml", "spec.volumes[0].portworxVolume", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes17.yaml.yaml", "spec.volumes[0].scaleIO", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes18.yaml.yaml", "spec.volumes[0].storageos", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes2.yaml.yaml", "spec.volumes[0].gitRepo", git_repo},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes3.yaml.yaml", "spec.volumes[0].nfs", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes4.yaml.yaml", "spec.volumes[0].iscsi", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes5.yaml.yaml", "spec.volumes[0].glusterfs", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes6.yaml.yaml", "spec.volumes[0].rbd", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes7.yaml.yaml", "spec.volumes[0].flexVolume", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes8.yaml.yaml", "spec.volumes[0].cinder", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_restrictedvolumes9.yaml.yaml", "spec.volumes[0].cephfs", cluster_storage},
    {"pods/psa/test_testdata_restricted_v1.37_fail_windowshostprocess0.yaml.yaml", "spec.securityContext.windowsOptions", windows},
    {"pods/psa/test_testdata_restricted_v1.37_fail_windowshostprocess1.yaml.yaml", "spec.containers[0].securityContext.windowsOptions", windows},
    {"pods/website-2021/content_en_docs_concepts_configuration_manage-resources-containers.md.f2d0.yaml", "spec.containers[0].resources.limits[example.com/foo]", device_plugin},
    {"pods/website-2021/content_en_docs_concepts_extend-kubernetes_compute-storage-net_device-plugins.md.yaml", "spec.containers[0].resources.limits[hardware-vendor.example/foo]", device_plugin},
    {"pods/website-2021/content_en_docs_concepts_overview_working-with-objects_labels.md.f1d0.yaml", "spec.containers[0].resources.limits[nvidia.com/gpu]", device_plugin},
    {"pods/website-2021/content_en_docs_concepts_storage_ephemeral-volumes.md.f0d0.yaml", "spec.volumes[0].csi", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_ephemeral-volumes.md.f1d0.yaml", "spec.volumes[0].ephemeral", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_persistent-volumes.md.f2d0.yaml", "spec.containers[0].volumeDevices", block_device},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f0d0.yaml", "spec.volumes[0].awsElasticBlockStore", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f12d0.yaml", "spec.volumes[0].scaleIO", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f13d0.yaml", "spec.volumes[0].storageos", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f14d0.yaml", "spec.volumes[0].vsphereVolume", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f1d0.yaml", "spec.volumes[0].cinder", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f4d0.yaml", "spec.volumes[0].gcePersistentDisk", cluster_storage},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f5d0.yaml", "spec.volumes[0].gitRepo", git_repo},
    {"pods/website-2021/content_en_docs_concepts_storage_volumes.md.f8d0.yaml", "spec.volumes[0].portworxVolume", cluster_storage},
    {"pods/website-2021/content_en_docs_tasks_manage-gpus_scheduling-gpus.md.f0d0.yaml", "spec.containers[0].resources.limits[nvidia.com/gpu]", device_plugin},
    {"pods/website-2021/content_en_docs_tasks_manage-gpus_scheduling-gpus.md.f1d0.yaml", "spec.containers[0].resources.limits[nvidia.com/gpu]", device_plugin},
    {"pods/website-2021/content_en_examples_pods_pod-projected-svc-token.yaml.yaml", "spec.volumes[0].projected.sources[0].serviceAccountToken", service_account_token},
    {"pods/website-2021/content_en_examples_pods_resource_extended-resource-pod-2.yaml.yaml", "spec.containers[0].resources.limits[example.com/dongle]", device_plugin},
    {"pods/website-2021/content_en_examples_pods_resource_extended-resource-pod.yaml.yaml", "spec.containers[0].resources.limits[example.com/dongle]", device_plugin},
    {"pods/website-2021/content_en_examples_windows_run-as-username-container.yaml.yaml", "spec.securityContext.windowsOptions", windows},
    {"pods/website-2021/content_en_examples_windows_run-as-username-pod.yaml.yaml", "spec.securityContext.windowsOptions", windows},
};

constexpr accepted_pod accepted_since[] = {
    {"pods/psa/test_testdata_baseline_v1.37_fail_hostprobesandhostlifecycle1.yaml.yaml", native_sidecar},
    {"pods/psa/test_testdata_restricted_v1.37_fail_hostprobesandhostlifecycle1.yaml.yaml", native_sidecar},
};
// clang-format on

} // namespace tank::config::test
