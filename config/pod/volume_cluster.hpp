/// Volumes that need a cluster, a cloud or a storage service, and claims.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/box.hpp"
#include "config/pod/metadata.hpp"
#include "config/quantity.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

struct gce_persistent_disk_volume_source {
  std::string pd_name;
  std::string fs_type;
  std::int32_t partition = 0;
  bool read_only = false;
  bool operator==(const gce_persistent_disk_volume_source&) const = default;
};

struct aws_elastic_block_store_volume_source {
  std::string volume_id;
  std::string fs_type;
  std::int32_t partition = 0;
  bool read_only = false;
  bool operator==(const aws_elastic_block_store_volume_source&) const = default;
};

/// A clone of a repository; deprecated, and refused by kubelet since 1.33.
struct git_repo_volume_source {
  std::string repository;
  std::string revision;
  std::string directory;
  bool operator==(const git_repo_volume_source&) const = default;
};

struct nfs_volume_source {
  std::string server;
  std::string path;
  bool read_only = false;
  bool operator==(const nfs_volume_source&) const = default;
};

struct iscsi_volume_source {
  std::string target_portal;
  std::string iqn;
  std::int32_t lun = 0;
  std::string iscsi_interface; ///< "default" once defaulted
  std::string fs_type;
  bool read_only = false;
  std::vector<std::string> portals;
  bool chap_auth_discovery = false;
  bool chap_auth_session = false;
  std::optional<local_object_reference> secret_ref;
  std::optional<std::string> initiator_name;
  bool operator==(const iscsi_volume_source&) const = default;
};

struct glusterfs_volume_source {
  std::string endpoints;
  std::string path;
  bool read_only = false;
  bool operator==(const glusterfs_volume_source&) const = default;
};

/// A claim by name.
struct persistent_volume_claim_volume_source {
  std::string claim_name;
  bool read_only = false;
  bool operator==(const persistent_volume_claim_volume_source&) const = default;
};

struct rbd_volume_source {
  std::vector<std::string> monitors;
  std::string image;
  std::string fs_type;
  std::string pool;    ///< "rbd" once defaulted
  std::string user;    ///< "admin" once defaulted
  std::string keyring; ///< "/etc/ceph/keyring" once defaulted
  std::optional<local_object_reference> secret_ref;
  bool read_only = false;
  bool operator==(const rbd_volume_source&) const = default;
};

struct flex_volume_source {
  std::string driver;
  std::string fs_type;
  std::optional<local_object_reference> secret_ref;
  bool read_only = false;
  std::map<std::string, std::string> options;
  bool operator==(const flex_volume_source&) const = default;
};

struct cinder_volume_source {
  std::string volume_id;
  std::string fs_type;
  bool read_only = false;
  std::optional<local_object_reference> secret_ref;
  bool operator==(const cinder_volume_source&) const = default;
};

struct ceph_fs_volume_source {
  std::vector<std::string> monitors;
  std::string path;
  std::string user;
  std::string secret_file;
  std::optional<local_object_reference> secret_ref;
  bool read_only = false;
  bool operator==(const ceph_fs_volume_source&) const = default;
};

struct flocker_volume_source {
  std::string dataset_name;
  std::string dataset_uuid;
  bool operator==(const flocker_volume_source&) const = default;
};

/// Fibre Channel.
struct fc_volume_source {
  std::vector<std::string> target_wwns;
  std::optional<std::int32_t> lun;
  std::string fs_type;
  bool read_only = false;
  std::vector<std::string> wwids;
  bool operator==(const fc_volume_source&) const = default;
};

struct azure_file_volume_source {
  std::string secret_name;
  std::string share_name;
  bool read_only = false;
  bool operator==(const azure_file_volume_source&) const = default;
};

struct vsphere_virtual_disk_volume_source {
  std::string volume_path;
  std::string fs_type;
  std::string storage_policy_name;
  std::string storage_policy_id;
  bool operator==(const vsphere_virtual_disk_volume_source&) const = default;
};

struct quobyte_volume_source {
  std::string registry;
  std::string volume;
  bool read_only = false;
  std::string user;
  std::string group;
  std::string tenant;
  bool operator==(const quobyte_volume_source&) const = default;
};

struct azure_disk_volume_source {
  std::string disk_name;
  std::string disk_uri;
  std::optional<std::string> caching_mode;
  std::optional<std::string> fs_type;
  std::optional<bool> read_only;
  std::optional<std::string> kind;
  bool operator==(const azure_disk_volume_source&) const = default;
};

struct photon_persistent_disk_volume_source {
  std::string pd_id;
  std::string fs_type;
  bool operator==(const photon_persistent_disk_volume_source&) const = default;
};

struct portworx_volume_source {
  std::string volume_id;
  std::string fs_type;
  bool read_only = false;
  bool operator==(const portworx_volume_source&) const = default;
};

struct scale_io_volume_source {
  std::string gateway;
  std::string system;
  std::optional<local_object_reference> secret_ref;
  bool ssl_enabled = false;
  std::string protection_domain;
  std::string storage_pool;
  std::string storage_mode; ///< "ThinProvisioned" once defaulted
  std::string volume_name;
  std::string fs_type; ///< "xfs" once defaulted
  bool read_only = false;
  bool operator==(const scale_io_volume_source&) const = default;
};

struct storage_os_volume_source {
  std::string volume_name;
  std::string volume_namespace;
  std::string fs_type;
  bool read_only = false;
  std::optional<local_object_reference> secret_ref;
  bool operator==(const storage_os_volume_source&) const = default;
};

struct csi_volume_source {
  std::string driver;
  std::optional<bool> read_only;
  std::optional<std::string> fs_type;
  std::map<std::string, std::string> volume_attributes;
  std::optional<local_object_reference> node_publish_secret_ref;
  bool operator==(const csi_volume_source&) const = default;
};

/// Size of a claim ("storage").
struct volume_resource_requirements {
  std::map<std::string, quantity> limits;
  std::map<std::string, quantity> requests;
  bool operator==(const volume_resource_requirements&) const = default;
};

struct typed_local_object_reference {
  std::optional<std::string> api_group;
  std::string kind;
  std::string name;
  bool operator==(const typed_local_object_reference&) const = default;
};

struct typed_object_reference {
  std::optional<std::string> api_group;
  std::string kind;
  std::string name;
  std::optional<std::string> ns;
  bool operator==(const typed_object_reference&) const = default;
};

/// What a claim asks for.
struct persistent_volume_claim_spec {
  std::vector<std::string> access_modes;
  std::optional<label_selector> selector;
  volume_resource_requirements resources;
  std::string volume_name;
  std::optional<std::string> storage_class_name;
  std::optional<std::string> volume_mode; ///< Filesystem | Block
  std::optional<typed_local_object_reference> data_source;
  std::optional<typed_object_reference> data_source_ref;
  std::optional<std::string> volume_attributes_class_name;
  bool operator==(const persistent_volume_claim_spec&) const = default;
};

/// A claim made for one pod.
struct persistent_volume_claim_template {
  object_meta metadata;
  persistent_volume_claim_spec spec;
  bool operator==(const persistent_volume_claim_template&) const = default;
};

/// A volume of a storage class that lives as long as the pod.
struct ephemeral_volume_source {
  box<persistent_volume_claim_template> volume_claim_template;
  bool operator==(const ephemeral_volume_source&) const = default;
};

} // namespace tank::config
