/// The tables of volumes: config/reflect.hpp.
#include "config/pod/volume.hpp"
#include "config/schema.hpp"

namespace tank::config::reflect {

// clang-format off
template <>
const type& type_of<host_path_volume_source>() {
  static const type t = detail::make_record("HostPathVolumeSource", {
    always<&host_path_volume_source::path>("path"),
    row<&host_path_volume_source::type>("type"),
  });
  return t;
}

template <>
const type& type_of<empty_dir_volume_source>() {
  static const type t = detail::make_record("EmptyDirVolumeSource", {
    row<&empty_dir_volume_source::medium>("medium"),
    row<&empty_dir_volume_source::size_limit>("sizeLimit"),
    row<&empty_dir_volume_source::mode>("mode"),
  });
  return t;
}

template <>
const type& type_of<key_to_path>() {
  static const type t = detail::make_record("KeyToPath", {
    always<&key_to_path::key>("key"),
    always<&key_to_path::path>("path"),
    row<&key_to_path::mode>("mode"),
    row<&key_to_path::user>("user"),
  });
  return t;
}

template <>
const type& type_of<secret_volume_source>() {
  static const type t = detail::make_record("SecretVolumeSource", {
    row<&secret_volume_source::secret_name>("secretName"),
    row<&secret_volume_source::items>("items"),
    row<&secret_volume_source::default_mode>("defaultMode"),
    row<&secret_volume_source::optional>("optional"),
    row<&secret_volume_source::default_user>("defaultUser"),
  });
  return t;
}

template <>
const type& type_of<config_map_volume_source>() {
  static const type t = detail::make_record("ConfigMapVolumeSource", {
    row<&config_map_volume_source::name>("name"),
    row<&config_map_volume_source::items>("items"),
    row<&config_map_volume_source::default_mode>("defaultMode"),
    row<&config_map_volume_source::optional>("optional"),
    row<&config_map_volume_source::default_user>("defaultUser"),
  });
  return t;
}

template <>
const type& type_of<downward_api_volume_file>() {
  static const type t = detail::make_record("DownwardAPIVolumeFile", {
    always<&downward_api_volume_file::path>("path"),
    row<&downward_api_volume_file::field_ref>("fieldRef"),
    row<&downward_api_volume_file::resource_field_ref>("resourceFieldRef"),
    row<&downward_api_volume_file::mode>("mode"),
    row<&downward_api_volume_file::user>("user"),
  });
  return t;
}

template <>
const type& type_of<downward_api_volume_source>() {
  static const type t = detail::make_record("DownwardAPIVolumeSource", {
    row<&downward_api_volume_source::items>("items"),
    row<&downward_api_volume_source::default_mode>("defaultMode"),
    row<&downward_api_volume_source::default_user>("defaultUser"),
  });
  return t;
}

template <>
const type& type_of<secret_projection>() {
  static const type t = detail::make_record("SecretProjection", {
    row<&secret_projection::name>("name"),
    row<&secret_projection::items>("items"),
    row<&secret_projection::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<config_map_projection>() {
  static const type t = detail::make_record("ConfigMapProjection", {
    row<&config_map_projection::name>("name"),
    row<&config_map_projection::items>("items"),
    row<&config_map_projection::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<downward_api_projection>() {
  static const type t = detail::make_record("DownwardAPIProjection", {
    row<&downward_api_projection::items>("items"),
  });
  return t;
}

template <>
const type& type_of<service_account_token_projection>() {
  static const type t = detail::make_record("ServiceAccountTokenProjection", {
    row<&service_account_token_projection::audience>("audience"),
    row<&service_account_token_projection::expiration_seconds>("expirationSeconds"),
    always<&service_account_token_projection::path>("path"),
    row<&service_account_token_projection::user>("user"),
  });
  return t;
}

template <>
const type& type_of<cluster_trust_bundle_projection>() {
  static const type t = detail::make_record("ClusterTrustBundleProjection", {
    row<&cluster_trust_bundle_projection::name>("name"),
    row<&cluster_trust_bundle_projection::signer_name>("signerName"),
    row<&cluster_trust_bundle_projection::label_selector>("labelSelector"),
    row<&cluster_trust_bundle_projection::optional>("optional"),
    always<&cluster_trust_bundle_projection::path>("path"),
    row<&cluster_trust_bundle_projection::user>("user"),
  });
  return t;
}

template <>
const type& type_of<pod_certificate_projection>() {
  static const type t = detail::make_record("PodCertificateProjection", {
    row<&pod_certificate_projection::signer_name>("signerName"),
    row<&pod_certificate_projection::key_type>("keyType"),
    row<&pod_certificate_projection::max_expiration_seconds>("maxExpirationSeconds"),
    row<&pod_certificate_projection::credential_bundle_path>("credentialBundlePath"),
    row<&pod_certificate_projection::key_path>("keyPath"),
    row<&pod_certificate_projection::certificate_chain_path>("certificateChainPath"),
    row<&pod_certificate_projection::user_annotations>("userAnnotations"),
    row<&pod_certificate_projection::user>("user"),
  });
  return t;
}

template <>
const type& type_of<volume_projection>() {
  static const type t = detail::make_record("VolumeProjection", {
    row<&volume_projection::secret>("secret"),
    row<&volume_projection::downward_api>("downwardAPI"),
    row<&volume_projection::config_map>("configMap"),
    row<&volume_projection::service_account_token>("serviceAccountToken"),
    row<&volume_projection::cluster_trust_bundle>("clusterTrustBundle"),
    row<&volume_projection::pod_certificate>("podCertificate"),
  });
  return t;
}

template <>
const type& type_of<projected_volume_source>() {
  static const type t = detail::make_record("ProjectedVolumeSource", {
    always<&projected_volume_source::sources>("sources"),
    row<&projected_volume_source::default_mode>("defaultMode"),
    row<&projected_volume_source::default_user>("defaultUser"),
  });
  return t;
}

template <>
const type& type_of<image_volume_source>() {
  static const type t = detail::make_record("ImageVolumeSource", {
    row<&image_volume_source::reference>("reference"),
    row<&image_volume_source::pull_policy>("pullPolicy"),
  });
  return t;
}

template <>
const type& type_of<volume>() {
  static const type t = detail::make_record("Volume", {
    always<&volume::name>("name"),
    row<&volume::host_path>("hostPath"),
    row<&volume::empty_dir>("emptyDir"),
    row<&volume::gce_persistent_disk>("gcePersistentDisk"),
    row<&volume::aws_elastic_block_store>("awsElasticBlockStore"),
    row<&volume::git_repo>("gitRepo"),
    row<&volume::secret>("secret"),
    row<&volume::nfs>("nfs"),
    row<&volume::iscsi>("iscsi"),
    row<&volume::glusterfs>("glusterfs"),
    row<&volume::persistent_volume_claim>("persistentVolumeClaim"),
    row<&volume::rbd>("rbd"),
    row<&volume::flex_volume>("flexVolume"),
    row<&volume::cinder>("cinder"),
    row<&volume::cephfs>("cephfs"),
    row<&volume::flocker>("flocker"),
    row<&volume::downward_api>("downwardAPI"),
    row<&volume::fc>("fc"),
    row<&volume::azure_file>("azureFile"),
    row<&volume::config_map>("configMap"),
    row<&volume::vsphere_volume>("vsphereVolume"),
    row<&volume::quobyte>("quobyte"),
    row<&volume::azure_disk>("azureDisk"),
    row<&volume::photon_persistent_disk>("photonPersistentDisk"),
    row<&volume::projected>("projected"),
    row<&volume::portworx_volume>("portworxVolume"),
    row<&volume::scale_io>("scaleIO"),
    row<&volume::storageos>("storageos"),
    row<&volume::csi>("csi"),
    row<&volume::ephemeral>("ephemeral"),
    row<&volume::image>("image"),
  });
  return t;
}

// clang-format on

} // namespace tank::config::reflect
