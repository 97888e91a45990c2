/// Which structs have their table in another file than their users: declared here, once.
#pragma once

#include "config/objects.hpp"
#include "config/pod.hpp"
#include "config/reflect.hpp"

namespace tank::config::reflect {

template <>
const type& type_of<aws_elastic_block_store_volume_source>();
template <>
const type& type_of<azure_disk_volume_source>();
template <>
const type& type_of<azure_file_volume_source>();
template <>
const type& type_of<ceph_fs_volume_source>();
template <>
const type& type_of<cinder_volume_source>();
template <>
const type& type_of<config_map>();
template <>
const type& type_of<container>();
template <>
const type& type_of<csi_volume_source>();
template <>
const type& type_of<ephemeral_container>();
template <>
const type& type_of<ephemeral_volume_source>();
template <>
const type& type_of<fc_volume_source>();
template <>
const type& type_of<flex_volume_source>();
template <>
const type& type_of<flocker_volume_source>();
template <>
const type& type_of<gce_persistent_disk_volume_source>();
template <>
const type& type_of<git_repo_volume_source>();
template <>
const type& type_of<glusterfs_volume_source>();
template <>
const type& type_of<iscsi_volume_source>();
template <>
const type& type_of<label_selector>();
template <>
const type& type_of<local_object_reference>();
template <>
const type& type_of<nfs_volume_source>();
template <>
const type& type_of<object_field_selector>();
template <>
const type& type_of<object_meta>();
template <>
const type& type_of<persistent_volume_claim>();
template <>
const type& type_of<persistent_volume_claim_spec>();
template <>
const type& type_of<persistent_volume_claim_volume_source>();
template <>
const type& type_of<photon_persistent_disk_volume_source>();
template <>
const type& type_of<pod>();
template <>
const type& type_of<pod_security_context>();
template <>
const type& type_of<portworx_volume_source>();
template <>
const type& type_of<quobyte_volume_source>();
template <>
const type& type_of<rbd_volume_source>();
template <>
const type& type_of<resource_field_selector>();
template <>
const type& type_of<resource_requirements>();
template <>
const type& type_of<scale_io_volume_source>();
template <>
const type& type_of<secret>();
template <>
const type& type_of<security_context>();
template <>
const type& type_of<storage_os_volume_source>();
template <>
const type& type_of<volume>();
template <>
const type& type_of<vsphere_virtual_disk_volume_source>();

} // namespace tank::config::reflect
