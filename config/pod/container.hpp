/// A container of a Pod.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/box.hpp"
#include "config/pod/probe.hpp"
#include "config/pod/resources.hpp"
#include "config/pod/security.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// A port the container listens on; information, unless hostPort is set.
struct container_port {
  std::string name;
  std::int32_t host_port = 0; ///< 0: none
  std::int32_t port = 0;      ///< 1..65535
  std::string protocol;       ///< TCP | UDP | SCTP
  std::string host_ip;
  bool operator==(const container_port&) const = default;
};

/// All entries of a ConfigMap as variables.
struct config_map_env_source {
  std::string name;
  std::optional<bool> optional;
  bool operator==(const config_map_env_source&) const = default;
};

/// All entries of a Secret as variables.
struct secret_env_source {
  std::string name;
  std::optional<bool> optional;
  bool operator==(const secret_env_source&) const = default;
};

/// Variables in bulk; exactly one source is set.
struct env_from_source {
  std::string prefix;
  std::optional<config_map_env_source> config_map_ref;
  std::optional<secret_env_source> secret_ref;
  bool operator==(const env_from_source&) const = default;
};

/// A field of the Pod itself ("metadata.name", "status.podIP").
struct object_field_selector {
  std::string api_version; ///< "v1"
  std::string field_path;
  bool operator==(const object_field_selector&) const = default;
};

/// A limit or request of a container ("limits.cpu"), divided and rounded up.
struct resource_field_selector {
  std::string container_name;
  std::string resource;
  quantity divisor; ///< 0 means 1
  bool operator==(const resource_field_selector&) const = default;
};

/// One entry of a ConfigMap.
struct config_map_key_selector {
  std::string name;
  std::string key;
  std::optional<bool> optional;
  bool operator==(const config_map_key_selector&) const = default;
};

/// One entry of a Secret.
struct secret_key_selector {
  std::string name;
  std::string key;
  std::optional<bool> optional;
  bool operator==(const secret_key_selector&) const = default;
};

/// One entry of a file of variables in a volume.
struct file_key_selector {
  std::string volume_name;
  std::string path;
  std::string key;
  std::optional<bool> optional;
  bool operator==(const file_key_selector&) const = default;
};

/// Where a variable's value comes from; exactly one is set.
struct env_var_source {
  std::optional<object_field_selector> field_ref;
  std::optional<resource_field_selector> resource_field_ref;
  std::optional<config_map_key_selector> config_map_key_ref;
  std::optional<secret_key_selector> secret_key_ref;
  std::optional<file_key_selector> file_key_ref;
  bool operator==(const env_var_source&) const = default;
};

/// One variable. `value` may refer to earlier ones as `$(NAME)`.
struct env_var {
  std::string name;
  std::string value;
  box<env_var_source> value_from;
  bool operator==(const env_var&) const = default;
};

/// What a change of a resource in place needs.
struct container_resize_policy {
  std::string resource_name;
  std::string restart_policy;
  bool operator==(const container_resize_policy&) const = default;
};

/// A set of exit codes.
struct container_restart_rule_on_exit_codes {
  std::string op; ///< In | NotIn
  std::vector<std::int32_t> values;
  bool operator==(const container_restart_rule_on_exit_codes&) const = default;
};

/// An exception from the restart policy.
struct container_restart_rule {
  std::string action;
  std::optional<container_restart_rule_on_exit_codes> exit_codes;
  bool operator==(const container_restart_rule&) const = default;
};

/// Where a volume of the pod appears in the container.
struct volume_mount {
  std::string name; ///< of one of spec.volumes
  bool read_only = false;
  std::optional<std::string> recursive_read_only; ///< Disabled | IfPossible | Enabled
  std::string mount_path;                         ///< absolute
  std::string sub_path;                           ///< relative, never ".."
  std::optional<std::string> mount_propagation;   ///< None | HostToContainer | Bidirectional
  std::string sub_path_expr;
  std::vector<std::string> bind_mount_options;
  bool operator==(const volume_mount&) const = default;
};

/// A raw block volume as a device of the container.
struct volume_device {
  std::string name;
  std::string device_path;
  bool operator==(const volume_device&) const = default;
};

/// A program with its image, environment and limits.
struct container {
  std::string name;
  std::string image;
  std::vector<std::string> command; ///< replaces the image's Entrypoint, and drops its Cmd
  std::vector<std::string> args;    ///< replaces the image's Cmd
  std::string working_dir;
  std::vector<container_port> ports;
  std::vector<env_from_source> env_from;
  std::vector<env_var> env;
  resource_requirements resources;
  std::vector<container_resize_policy> resize_policy;
  std::optional<std::string> restart_policy; ///< Always, on an init container: a sidecar
  std::vector<container_restart_rule> restart_policy_rules;
  std::vector<volume_mount> volume_mounts;
  std::vector<volume_device> volume_devices;
  box<probe> liveness_probe;
  box<probe> readiness_probe;
  box<probe> startup_probe;
  box<config::lifecycle> lifecycle;
  std::string termination_message_path;
  std::string termination_message_policy; ///< File | FallbackToLogsOnError
  std::string image_pull_policy;          ///< Always | IfNotPresent | Never
  box<config::security_context> security_context;
  bool open_stdin = false;
  bool stdin_once = false;
  bool tty = false;
  bool operator==(const container&) const = default;
};

/// A container added to a running pod, for debugging. Never part of a manifest that is accepted.
struct ephemeral_container {
  container common;
  std::string target_container_name;
  bool operator==(const ephemeral_container&) const = default;
};

} // namespace tank::config
