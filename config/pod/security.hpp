/// Whom a workload runs as and what it may do.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// Names without "CAP_"; "ALL" is all of them.
struct capabilities {
  std::vector<std::string> add;
  std::vector<std::string> drop;
  bool operator==(const capabilities&) const = default;
};

/// The SELinux label of a process.
struct se_linux_options {
  std::string user;
  std::string role;
  std::string type;
  std::string level;
  bool operator==(const se_linux_options&) const = default;
};

/// Of Windows nodes only.
struct windows_security_context_options {
  std::optional<std::string> gmsa_credential_spec_name;
  std::optional<std::string> gmsa_credential_spec;
  std::optional<std::string> run_as_user_name;
  std::optional<bool> host_process;
  bool operator==(const windows_security_context_options&) const = default;
};

/// Which system calls.
struct seccomp_profile {
  std::string type; ///< RuntimeDefault | Unconfined | Localhost
  std::optional<std::string>
      localhost_profile; ///< with Localhost: a path below the profile directory
  bool operator==(const seccomp_profile&) const = default;
};

/// Which AppArmor profile.
struct app_armor_profile {
  std::string type; ///< RuntimeDefault | Unconfined | Localhost
  std::optional<std::string> localhost_profile;
  bool operator==(const app_armor_profile&) const = default;
};

/// Of one container; each set field overrides the pod's.
struct security_context {
  std::optional<config::capabilities> capabilities;
  std::optional<bool> privileged;
  std::optional<config::se_linux_options> se_linux_options;
  std::optional<windows_security_context_options> windows_options;
  std::optional<std::int64_t> run_as_user;
  std::optional<std::int64_t> run_as_group;
  std::optional<bool> run_as_non_root;
  std::optional<bool> read_only_root_filesystem;
  std::optional<bool> allow_privilege_escalation; ///< false sets no_new_privs
  std::optional<std::string> proc_mount;          ///< Default | Unmasked
  std::optional<config::seccomp_profile> seccomp_profile;
  std::optional<config::app_armor_profile> app_armor_profile;
  bool operator==(const security_context&) const = default;
};

/// A kernel parameter of the pod's namespaces.
struct sysctl {
  std::string name;
  std::string value;
  bool operator==(const sysctl&) const = default;
};

/// Of all containers of a pod.
struct pod_security_context {
  std::optional<config::se_linux_options> se_linux_options;
  std::optional<windows_security_context_options> windows_options;
  std::optional<std::int64_t> run_as_user;
  std::optional<std::int64_t> run_as_group;
  std::optional<bool> run_as_non_root;
  std::vector<std::int64_t> supplemental_groups;
  std::optional<std::string> supplemental_groups_policy; ///< Merge | Strict
  std::optional<std::int64_t> fs_group;
  std::vector<sysctl> sysctls;
  std::optional<std::string> fs_group_change_policy; ///< OnRootMismatch | Always
  std::optional<config::seccomp_profile> seccomp_profile;
  std::optional<config::app_armor_profile> app_armor_profile;
  std::optional<std::string> se_linux_change_policy;
  bool operator==(const pod_security_context&) const = default;
};

} // namespace tank::config
