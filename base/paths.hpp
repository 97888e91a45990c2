/// Every path of Tank on disk. Nobody else joins path components of these trees.
///
///     manifest_dir  /etc/tank/pods.d/*.yaml|*.yml|*.json     desired state
///     state_dir     /var/lib/tank/                           0700
///                     images/{blobs,layers,refs,tmp}/        the content store (oci/store.hpp)
///                     pods/<instance>.json                   whose the directory of that name is
///                     pods/<instance>/<uid>/                 of one pod, gone with it
///                       containers/<name>/{upper,work}/      writable layers
///                       volumes/<name>/                      emptyDirs
///                       .claims                              which managed volumes it uses
///                       etc/{hosts,hostname,resolv.conf}     bound into the containers, writable
///                     volumes/<namespace>_<claim>/data/      managed volumes; .lock
///                     ids.json  ids.lock                     of user namespaces: who has which ids
///                     host_paths.{json,lock}                 directories of the host that pods write
///     run_dir       /run/tank/                               0700, on tmpfs: gone at reboot
///                     lock  tank.sock                        one daemon; its control socket
///                     cgroups                                those directories that Tank made
///                     pods/<uid>/                            one directory per live pod
///                       shim.sock                            the shim's
///                     records/<uid>.json                     what a new daemon adopts by
///                     volumes/<uid>/                         a tmpfs, gone with the pod
///                       files/<name>/                        configMap, secret, projected volumes
///                       memory/<name>/                       emptyDirs in memory, a tmpfs each
///                       env/<container>                      variables that hold secrets
///     seccomp_dir   /etc/tank/seccomp/                       Localhost profiles, the operator's
///     log_dir       /var/log/tank/                           0700
///                     pods/<namespace>_<name>_<uid>/<container>/<restart>.log   CRI layout
///     cgroups       /sys/fs/cgroup/.../tank/                 in each hierarchy; what it makes here
///                     <instance>/<uid>/<container>/          is gone with the pod
#pragma once

#include "base/cgroup_tree.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tank {

/// Where this instance of Tank lives. Values, injected everywhere: tests and embedders run in a
/// private tree. All absolute.
struct directories {
  std::filesystem::path manifest_dir = "/etc/tank/pods.d";
  std::filesystem::path state_dir = "/var/lib/tank";
  std::filesystem::path run_dir = "/run/tank";
  std::filesystem::path log_dir = "/var/log/tank";
  std::filesystem::path seccomp_dir = "/etc/tank/seccomp";
  cgroup_tree cgroups; ///< none: pods are where Tank itself is, and nothing limits them

  [[nodiscard]] std::filesystem::path images() const { return state_dir / "images"; }
  /// Of all instances that share the state_dir (for its images).
  [[nodiscard]] std::filesystem::path all_pod_states() const { return state_dir / "pods"; }
  /// Of this instance, which removes here what it does not know. As private as its run_dir, and
  /// found again by the next instance with the same run_dir.
  [[nodiscard]] std::filesystem::path pod_states() const { return all_pod_states() / instance(); }
  [[nodiscard]] std::filesystem::path pod_states_owner() const {
    return all_pod_states() / (instance() + ".json");
  }
  [[nodiscard]] std::filesystem::path pod_state(std::string_view uid) const {
    return pod_states() / uid;
  }
  /// Below a directory of pods' states: a list of managed volumes, "namespace/claim" a line.
  [[nodiscard]] static std::filesystem::path claims_in_use(std::string_view uid) {
    return std::filesystem::path{uid} / ".claims";
  }
  [[nodiscard]] std::filesystem::path managed_volumes() const { return state_dir / "volumes"; }
  [[nodiscard]] std::filesystem::path managed_volumes_lock() const {
    return managed_volumes() / ".lock";
  }
  /// Neither name holds '/' or '_' (validated as DNS names).
  [[nodiscard]] std::filesystem::path managed_volume(std::string_view ns,
                                                     std::string_view claim) const {
    return managed_volumes() / (std::string{ns} + "_" + std::string{claim}) / "data";
  }
  /// Pods write to what is in it, and so it is not in the run directory: a pod that fills that one
  /// would stop all others (SECURITY.md class 21).
  [[nodiscard]] std::filesystem::path pod_etc(std::string_view uid) const {
    return pod_state(uid) / "etc";
  }
  /// Names of containers and of volumes are the manifest's: one must not be taken for the other.
  [[nodiscard]] std::filesystem::path container_states(std::string_view uid) const {
    return pod_state(uid) / "containers";
  }
  [[nodiscard]] std::filesystem::path container_state(std::string_view uid,
                                                      std::string_view container) const {
    return container_states(uid) / container;
  }
  [[nodiscard]] std::filesystem::path volume_state(std::string_view uid,
                                                   std::string_view volume) const {
    return pod_state(uid) / "volumes" / volume;
  }
  [[nodiscard]] std::filesystem::path id_ranges() const { return state_dir / "ids.json"; }
  [[nodiscard]] std::filesystem::path id_ranges_lock() const { return state_dir / "ids.lock"; }
  [[nodiscard]] std::filesystem::path host_paths() const { return state_dir / "host_paths.json"; }
  [[nodiscard]] std::filesystem::path host_paths_lock() const {
    return state_dir / "host_paths.lock";
  }
  [[nodiscard]] std::filesystem::path control_socket() const { return run_dir / "tank.sock"; }
  [[nodiscard]] std::filesystem::path lock_file() const { return run_dir / "lock"; }
  [[nodiscard]] std::filesystem::path cgroups_file() const { return run_dir / "cgroups"; }
  [[nodiscard]] std::filesystem::path pod_runs() const { return run_dir / "pods"; }
  [[nodiscard]] std::filesystem::path pod_run(std::string_view uid) const {
    return pod_runs() / uid;
  }
  [[nodiscard]] std::filesystem::path pod_volumes() const { return run_dir / "volumes"; }
  [[nodiscard]] std::filesystem::path pod_volumes(std::string_view uid) const {
    return pod_volumes() / uid;
  }
  [[nodiscard]] std::filesystem::path projected_volume(std::string_view uid,
                                                       std::string_view name) const {
    return pod_volumes(uid) / "files" / name;
  }
  [[nodiscard]] std::filesystem::path memory_volume(std::string_view uid,
                                                    std::string_view name) const {
    return pod_volumes(uid) / "memory" / name;
  }
  [[nodiscard]] std::filesystem::path secret_envs(std::string_view uid) const {
    return pod_volumes(uid) / "env";
  }
  [[nodiscard]] std::filesystem::path pod_records() const { return run_dir / "records"; }
  [[nodiscard]] std::filesystem::path pod_record(std::string_view uid) const {
    return pod_records() / (std::string{uid} + ".json");
  }
  [[nodiscard]] std::filesystem::path pod_logs() const { return log_dir / "pods"; }
  /// Directory of one pod's logs. The three names hold no '/' and no '_' (validated as DNS names).
  [[nodiscard]] std::filesystem::path pod_log(std::string_view ns, std::string_view name,
                                              std::string_view uid) const {
    std::string dir{ns};
    dir.append("_").append(name).append("_").append(uid);
    return pod_logs() / dir;
  }

  /// Names this instance where several share a place: 16 hexadecimal digits, the same for the next
  /// instance with this run_dir.
  [[nodiscard]] std::string instance() const;
  /// Below the directory of each hierarchy of `cgroups`.
  [[nodiscard]] std::filesystem::path pod_cgroup(std::string_view uid) const {
    return std::filesystem::path{instance()} / uid;
  }

  bool operator==(const directories&) const = default;
};

inline std::string directories::instance() const {
  std::uint64_t hash = 0xcbf29ce484222325;        // FNV-1a
  const auto normal = run_dir.lexically_normal(); // named: a range-for keeps no temporary alive
  for (const unsigned char c : normal.native())
    hash = (hash ^ c) * 0x100000001b3;
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4)
    name += "0123456789abcdef"[(hash >> shift) & 15];
  return name;
}

} // namespace tank
