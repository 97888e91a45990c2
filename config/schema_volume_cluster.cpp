/// The tables of volumes that need a cluster: config/reflect.hpp.
#include "config/pod/volume_cluster.hpp"
#include "config/schema.hpp"

namespace tank::config::reflect {

// clang-format off
template <>
const type& type_of<gce_persistent_disk_volume_source>() {
  static const type t = detail::make_record("GCEPersistentDiskVolumeSource", {
    always<&gce_persistent_disk_volume_source::pd_name>("pdName"),
    row<&gce_persistent_disk_volume_source::fs_type>("fsType"),
    row<&gce_persistent_disk_volume_source::partition>("partition"),
    row<&gce_persistent_disk_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<aws_elastic_block_store_volume_source>() {
  static const type t = detail::make_record("AWSElasticBlockStoreVolumeSource", {
    always<&aws_elastic_block_store_volume_source::volume_id>("volumeID"),
    row<&aws_elastic_block_store_volume_source::fs_type>("fsType"),
    row<&aws_elastic_block_store_volume_source::partition>("partition"),
    row<&aws_elastic_block_store_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<git_repo_volume_source>() {
  static const type t = detail::make_record("GitRepoVolumeSource", {
    always<&git_repo_volume_source::repository>("repository"),
    row<&git_repo_volume_source::revision>("revision"),
    row<&git_repo_volume_source::directory>("directory"),
  });
  return t;
}

template <>
const type& type_of<nfs_volume_source>() {
  static const type t = detail::make_record("NFSVolumeSource", {
    always<&nfs_volume_source::server>("server"),
    always<&nfs_volume_source::path>("path"),
    row<&nfs_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<iscsi_volume_source>() {
  static const type t = detail::make_record("ISCSIVolumeSource", {
    always<&iscsi_volume_source::target_portal>("targetPortal"),
    always<&iscsi_volume_source::iqn>("iqn"),
    always<&iscsi_volume_source::lun>("lun"),
    row<&iscsi_volume_source::iscsi_interface>("iscsiInterface"),
    row<&iscsi_volume_source::fs_type>("fsType"),
    row<&iscsi_volume_source::read_only>("readOnly"),
    row<&iscsi_volume_source::portals>("portals"),
    row<&iscsi_volume_source::chap_auth_discovery>("chapAuthDiscovery"),
    row<&iscsi_volume_source::chap_auth_session>("chapAuthSession"),
    row<&iscsi_volume_source::secret_ref>("secretRef"),
    row<&iscsi_volume_source::initiator_name>("initiatorName"),
  });
  return t;
}

template <>
const type& type_of<glusterfs_volume_source>() {
  static const type t = detail::make_record("GlusterfsVolumeSource", {
    always<&glusterfs_volume_source::endpoints>("endpoints"),
    always<&glusterfs_volume_source::path>("path"),
    row<&glusterfs_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<persistent_volume_claim_volume_source>() {
  static const type t = detail::make_record("PersistentVolumeClaimVolumeSource", {
    always<&persistent_volume_claim_volume_source::claim_name>("claimName"),
    row<&persistent_volume_claim_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<rbd_volume_source>() {
  static const type t = detail::make_record("RBDVolumeSource", {
    always<&rbd_volume_source::monitors>("monitors"),
    always<&rbd_volume_source::image>("image"),
    row<&rbd_volume_source::fs_type>("fsType"),
    row<&rbd_volume_source::pool>("pool"),
    row<&rbd_volume_source::user>("user"),
    row<&rbd_volume_source::keyring>("keyring"),
    row<&rbd_volume_source::secret_ref>("secretRef"),
    row<&rbd_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<flex_volume_source>() {
  static const type t = detail::make_record("FlexVolumeSource", {
    always<&flex_volume_source::driver>("driver"),
    row<&flex_volume_source::fs_type>("fsType"),
    row<&flex_volume_source::secret_ref>("secretRef"),
    row<&flex_volume_source::read_only>("readOnly"),
    row<&flex_volume_source::options>("options"),
  });
  return t;
}

template <>
const type& type_of<cinder_volume_source>() {
  static const type t = detail::make_record("CinderVolumeSource", {
    always<&cinder_volume_source::volume_id>("volumeID"),
    row<&cinder_volume_source::fs_type>("fsType"),
    row<&cinder_volume_source::read_only>("readOnly"),
    row<&cinder_volume_source::secret_ref>("secretRef"),
  });
  return t;
}

template <>
const type& type_of<ceph_fs_volume_source>() {
  static const type t = detail::make_record("CephFSVolumeSource", {
    always<&ceph_fs_volume_source::monitors>("monitors"),
    row<&ceph_fs_volume_source::path>("path"),
    row<&ceph_fs_volume_source::user>("user"),
    row<&ceph_fs_volume_source::secret_file>("secretFile"),
    row<&ceph_fs_volume_source::secret_ref>("secretRef"),
    row<&ceph_fs_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<flocker_volume_source>() {
  static const type t = detail::make_record("FlockerVolumeSource", {
    row<&flocker_volume_source::dataset_name>("datasetName"),
    row<&flocker_volume_source::dataset_uuid>("datasetUUID"),
  });
  return t;
}

template <>
const type& type_of<fc_volume_source>() {
  static const type t = detail::make_record("FCVolumeSource", {
    row<&fc_volume_source::target_wwns>("targetWWNs"),
    row<&fc_volume_source::lun>("lun"),
    row<&fc_volume_source::fs_type>("fsType"),
    row<&fc_volume_source::read_only>("readOnly"),
    row<&fc_volume_source::wwids>("wwids"),
  });
  return t;
}

template <>
const type& type_of<azure_file_volume_source>() {
  static const type t = detail::make_record("AzureFileVolumeSource", {
    always<&azure_file_volume_source::secret_name>("secretName"),
    always<&azure_file_volume_source::share_name>("shareName"),
    row<&azure_file_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<vsphere_virtual_disk_volume_source>() {
  static const type t = detail::make_record("VsphereVirtualDiskVolumeSource", {
    always<&vsphere_virtual_disk_volume_source::volume_path>("volumePath"),
    row<&vsphere_virtual_disk_volume_source::fs_type>("fsType"),
    row<&vsphere_virtual_disk_volume_source::storage_policy_name>("storagePolicyName"),
    row<&vsphere_virtual_disk_volume_source::storage_policy_id>("storagePolicyID"),
  });
  return t;
}

template <>
const type& type_of<quobyte_volume_source>() {
  static const type t = detail::make_record("QuobyteVolumeSource", {
    always<&quobyte_volume_source::registry>("registry"),
    always<&quobyte_volume_source::volume>("volume"),
    row<&quobyte_volume_source::read_only>("readOnly"),
    row<&quobyte_volume_source::user>("user"),
    row<&quobyte_volume_source::group>("group"),
    row<&quobyte_volume_source::tenant>("tenant"),
  });
  return t;
}

template <>
const type& type_of<azure_disk_volume_source>() {
  static const type t = detail::make_record("AzureDiskVolumeSource", {
    always<&azure_disk_volume_source::disk_name>("diskName"),
    always<&azure_disk_volume_source::disk_uri>("diskURI"),
    row<&azure_disk_volume_source::caching_mode>("cachingMode"),
    row<&azure_disk_volume_source::fs_type>("fsType"),
    row<&azure_disk_volume_source::read_only>("readOnly"),
    row<&azure_disk_volume_source::kind>("kind"),
  });
  return t;
}

template <>
const type& type_of<photon_persistent_disk_volume_source>() {
  static const type t = detail::make_record("PhotonPersistentDiskVolumeSource", {
    always<&photon_persistent_disk_volume_source::pd_id>("pdID"),
    row<&photon_persistent_disk_volume_source::fs_type>("fsType"),
  });
  return t;
}

template <>
const type& type_of<portworx_volume_source>() {
  static const type t = detail::make_record("PortworxVolumeSource", {
    always<&portworx_volume_source::volume_id>("volumeID"),
    row<&portworx_volume_source::fs_type>("fsType"),
    row<&portworx_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<scale_io_volume_source>() {
  static const type t = detail::make_record("ScaleIOVolumeSource", {
    always<&scale_io_volume_source::gateway>("gateway"),
    always<&scale_io_volume_source::system>("system"),
    always<&scale_io_volume_source::secret_ref>("secretRef"),
    row<&scale_io_volume_source::ssl_enabled>("sslEnabled"),
    row<&scale_io_volume_source::protection_domain>("protectionDomain"),
    row<&scale_io_volume_source::storage_pool>("storagePool"),
    row<&scale_io_volume_source::storage_mode>("storageMode"),
    row<&scale_io_volume_source::volume_name>("volumeName"),
    row<&scale_io_volume_source::fs_type>("fsType"),
    row<&scale_io_volume_source::read_only>("readOnly"),
  });
  return t;
}

template <>
const type& type_of<storage_os_volume_source>() {
  static const type t = detail::make_record("StorageOSVolumeSource", {
    row<&storage_os_volume_source::volume_name>("volumeName"),
    row<&storage_os_volume_source::volume_namespace>("volumeNamespace"),
    row<&storage_os_volume_source::fs_type>("fsType"),
    row<&storage_os_volume_source::read_only>("readOnly"),
    row<&storage_os_volume_source::secret_ref>("secretRef"),
  });
  return t;
}

template <>
const type& type_of<csi_volume_source>() {
  static const type t = detail::make_record("CSIVolumeSource", {
    always<&csi_volume_source::driver>("driver"),
    row<&csi_volume_source::read_only>("readOnly"),
    row<&csi_volume_source::fs_type>("fsType"),
    row<&csi_volume_source::volume_attributes>("volumeAttributes"),
    row<&csi_volume_source::node_publish_secret_ref>("nodePublishSecretRef"),
  });
  return t;
}

template <>
const type& type_of<volume_resource_requirements>() {
  static const type t = detail::make_record("VolumeResourceRequirements", {
    row<&volume_resource_requirements::limits>("limits"),
    row<&volume_resource_requirements::requests>("requests"),
  });
  return t;
}

template <>
const type& type_of<typed_local_object_reference>() {
  static const type t = detail::make_record("TypedLocalObjectReference", {
    always<&typed_local_object_reference::api_group>("apiGroup"),
    always<&typed_local_object_reference::kind>("kind"),
    always<&typed_local_object_reference::name>("name"),
  });
  return t;
}

template <>
const type& type_of<typed_object_reference>() {
  static const type t = detail::make_record("TypedObjectReference", {
    always<&typed_object_reference::api_group>("apiGroup"),
    always<&typed_object_reference::kind>("kind"),
    always<&typed_object_reference::name>("name"),
    row<&typed_object_reference::ns>("namespace"),
  });
  return t;
}

template <>
const type& type_of<persistent_volume_claim_spec>() {
  static const type t = detail::make_record("PersistentVolumeClaimSpec", {
    row<&persistent_volume_claim_spec::access_modes>("accessModes"),
    row<&persistent_volume_claim_spec::selector>("selector"),
    always<&persistent_volume_claim_spec::resources>("resources"),
    row<&persistent_volume_claim_spec::volume_name>("volumeName"),
    row<&persistent_volume_claim_spec::storage_class_name>("storageClassName"),
    row<&persistent_volume_claim_spec::volume_mode>("volumeMode"),
    row<&persistent_volume_claim_spec::data_source>("dataSource"),
    row<&persistent_volume_claim_spec::data_source_ref>("dataSourceRef"),
    row<&persistent_volume_claim_spec::volume_attributes_class_name>("volumeAttributesClassName"),
  });
  return t;
}

template <>
const type& type_of<persistent_volume_claim_template>() {
  static const type t = detail::make_record("PersistentVolumeClaimTemplate", {
    always<&persistent_volume_claim_template::metadata>("metadata"),
    always<&persistent_volume_claim_template::spec>("spec"),
  });
  return t;
}

template <>
const type& type_of<ephemeral_volume_source>() {
  static const type t = detail::make_record("EphemeralVolumeSource", {
    row<&ephemeral_volume_source::volume_claim_template>("volumeClaimTemplate"),
  });
  return t;
}

// clang-format on

} // namespace tank::config::reflect
