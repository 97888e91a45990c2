/// What every container finds in its root filesystem without asking, as launch steps. Pure.
///
/// Sources: OCI runtime-spec, "Default Filesystems" and "Default Devices"; the kubelet's lists of
/// masked and read-only paths for `procMount: Default`.
#pragma once

#include "kernel/launch_plan.hpp"

#include <span>
#include <string_view>

namespace tank::kernel {

struct default_mounts_options {
  bool host_ipc = false; ///< /dev/shm is the host's
  bool read_only_root = false;
  bool unmasked_proc = false; ///< `procMount: Unmasked`
  /// Nothing is masked or read-only, /sys is writable, and nodes in /dev work whoever makes them.
  bool privileged = false;
  std::vector<device_step> devices; ///< beside the usual ones
  bool cgroup_fs = true;            ///< /sys/fs/cgroup is cgroup2, read-only
  /// Without cgroup_fs: host directories below /sys/fs/cgroup, read-only, each under the name
  /// beside it. For a container of cgroup v1 that shall find its limits.
  struct cgroup_part {
    std::string name;
    std::filesystem::path source;
  };
  std::vector<cgroup_part> cgroup_parts;
  std::uint64_t shm_bytes = 64 * 1024 * 1024; ///< size of /dev/shm
  /// Host files for /etc/<name>; an empty path leaves the image's own. Writable in the container
  /// unless its root is read-only.
  std::filesystem::path hosts;
  std::filesystem::path hostname;
  std::filesystem::path resolv_conf;
};

/// All steps behind the overlay step: /proc, /dev, /sys, the /etc files, then `volumes` in their
/// order (so that a volume may cover any of these), then the pivot and what is masked and
/// read-only.
std::vector<step> standard_mounts(const default_mounts_options& options,
                                  std::vector<step> volumes = {});

/// Hidden from, and read-only for, a container with `procMount: Default`.
std::span<const std::string_view> masked_paths() noexcept;
std::span<const std::string_view> read_only_paths() noexcept;

} // namespace tank::kernel
