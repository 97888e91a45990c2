/// Volumes that one node can provide, and the list of all.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/box.hpp"
#include "config/pod/container.hpp"
#include "config/pod/volume_cluster.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// A path of the host.
struct host_path_volume_source {
  std::string path;
  std::optional<std::string> type; ///< "" | DirectoryOrCreate | Directory | FileOrCreate | File |
                                   ///< Socket | CharDevice | BlockDevice
  bool operator==(const host_path_volume_source&) const = default;
};

/// A directory that lives as long as the pod.
struct empty_dir_volume_source {
  std::string medium; ///< "" | Memory | HugePages | HugePages-<size>
  std::optional<quantity> size_limit;
  std::optional<std::int32_t> mode;
  bool operator==(const empty_dir_volume_source&) const = default;
};

/// One entry of a ConfigMap or Secret as a file.
struct key_to_path {
  std::string key;
  std::string path;                 ///< relative, never ".."
  std::optional<std::int32_t> mode; ///< permission bits, 0..0777
  std::optional<std::int64_t> user;
  bool operator==(const key_to_path&) const = default;
};

/// A Secret as files.
struct secret_volume_source {
  std::string secret_name;
  std::vector<key_to_path> items;           ///< all entries when empty
  std::optional<std::int32_t> default_mode; ///< 0644 once defaulted
  std::optional<bool> optional;
  std::optional<std::int64_t> default_user;
  bool operator==(const secret_volume_source&) const = default;
};

/// A ConfigMap as files.
struct config_map_volume_source {
  std::string name;
  std::vector<key_to_path> items;
  std::optional<std::int32_t> default_mode;
  std::optional<bool> optional;
  std::optional<std::int64_t> default_user;
  bool operator==(const config_map_volume_source&) const = default;
};

/// A field of the Pod as a file.
struct downward_api_volume_file {
  std::string path;
  std::optional<object_field_selector> field_ref;
  std::optional<resource_field_selector> resource_field_ref;
  std::optional<std::int32_t> mode;
  std::optional<std::int64_t> user;
  bool operator==(const downward_api_volume_file&) const = default;
};

/// Fields of the Pod as files.
struct downward_api_volume_source {
  std::vector<downward_api_volume_file> items;
  std::optional<std::int32_t> default_mode;
  std::optional<std::int64_t> default_user;
  bool operator==(const downward_api_volume_source&) const = default;
};

/// A Secret within a projected volume.
struct secret_projection {
  std::string name;
  std::vector<key_to_path> items;
  std::optional<bool> optional;
  bool operator==(const secret_projection&) const = default;
};

/// A ConfigMap within a projected volume.
struct config_map_projection {
  std::string name;
  std::vector<key_to_path> items;
  std::optional<bool> optional;
  bool operator==(const config_map_projection&) const = default;
};

/// Fields of the Pod within a projected volume.
struct downward_api_projection {
  std::vector<downward_api_volume_file> items;
  bool operator==(const downward_api_projection&) const = default;
};

/// A token that only an API server can issue.
struct service_account_token_projection {
  std::string audience;
  std::optional<std::int64_t> expiration_seconds;
  std::string path;
  std::optional<std::int64_t> user;
  bool operator==(const service_account_token_projection&) const = default;
};

/// Certificates that only an API server has.
struct cluster_trust_bundle_projection {
  std::optional<std::string> name;
  std::optional<std::string> signer_name;
  std::optional<config::label_selector> label_selector;
  std::optional<bool> optional;
  std::string path;
  std::optional<std::int64_t> user;
  bool operator==(const cluster_trust_bundle_projection&) const = default;
};

/// A certificate that only an API server can issue.
struct pod_certificate_projection {
  std::string signer_name;
  std::string key_type;
  std::optional<std::int32_t> max_expiration_seconds;
  std::string credential_bundle_path;
  std::string key_path;
  std::string certificate_chain_path;
  std::map<std::string, std::string> user_annotations;
  std::optional<std::int64_t> user;
  bool operator==(const pod_certificate_projection&) const = default;
};

/// One part of a projected volume; exactly one is set.
struct volume_projection {
  std::optional<secret_projection> secret;
  std::optional<downward_api_projection> downward_api;
  std::optional<config_map_projection> config_map;
  std::optional<service_account_token_projection> service_account_token;
  box<cluster_trust_bundle_projection> cluster_trust_bundle;
  box<pod_certificate_projection> pod_certificate;
  bool operator==(const volume_projection&) const = default;
};

/// Several sources in one directory.
struct projected_volume_source {
  std::vector<volume_projection> sources;
  std::optional<std::int32_t> default_mode;
  std::optional<std::int64_t> default_user;
  bool operator==(const projected_volume_source&) const = default;
};

/// The content of an image, read-only.
struct image_volume_source {
  std::string reference;
  std::string pull_policy; ///< Always | IfNotPresent | Never
  bool operator==(const image_volume_source&) const = default;
};

/// A named volume; exactly one source is set.
struct volume {
  std::string name;
  box<host_path_volume_source> host_path;
  box<empty_dir_volume_source> empty_dir;
  box<gce_persistent_disk_volume_source> gce_persistent_disk;
  box<aws_elastic_block_store_volume_source> aws_elastic_block_store;
  box<git_repo_volume_source> git_repo;
  box<secret_volume_source> secret;
  box<nfs_volume_source> nfs;
  box<iscsi_volume_source> iscsi;
  box<glusterfs_volume_source> glusterfs;
  box<persistent_volume_claim_volume_source> persistent_volume_claim;
  box<rbd_volume_source> rbd;
  box<flex_volume_source> flex_volume;
  box<cinder_volume_source> cinder;
  box<ceph_fs_volume_source> cephfs;
  box<flocker_volume_source> flocker;
  box<downward_api_volume_source> downward_api;
  box<fc_volume_source> fc;
  box<azure_file_volume_source> azure_file;
  box<config_map_volume_source> config_map;
  box<vsphere_virtual_disk_volume_source> vsphere_volume;
  box<quobyte_volume_source> quobyte;
  box<azure_disk_volume_source> azure_disk;
  box<photon_persistent_disk_volume_source> photon_persistent_disk;
  box<projected_volume_source> projected;
  box<portworx_volume_source> portworx_volume;
  box<scale_io_volume_source> scale_io;
  box<storage_os_volume_source> storageos;
  box<csi_volume_source> csi;
  box<ephemeral_volume_source> ephemeral;
  box<image_volume_source> image;
  bool operator==(const volume&) const = default;
};

} // namespace tank::config
