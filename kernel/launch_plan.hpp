/// What the shim is told to build, as values: the only language between policy and mechanism.
///
/// A `launch_plan` is made by a pure function (actors/plan_launch.hpp), encoded once into a sealed
/// memfd (kernel/wire.hpp), and carried out by the parked child inside its own fresh namespaces, in
/// order; every failing step is reported by its index, its name, its object and errno.
///
/// All target paths are inside the container, absolute, and resolved in its root by file descriptor
/// (openat2 RESOLVE_IN_ROOT): a symlink of the image can never lead a step outside.
#pragma once

#include "base/capability.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tank::kernel {

/// The host's ids that are 0, 1, ... in a pod's user namespace, of users and of groups alike.
struct user_range {
  std::uint32_t first = 0;
  std::uint32_t count = 0; ///< 0: no user namespace, ids are the host's
  explicit operator bool() const noexcept { return count != 0; }
  bool operator==(const user_range&) const = default;
};

/// The root filesystem: read-only layers shared by all pods of an image, and a private upper.
/// `lower` is ordered top first, as overlayfs wants it. With `read_only` the merged view is mounted
/// read-only at the end. With an empty `upper`, `lower` must be exactly one directory: it is bound
/// as it is (`rootfs:/dir` images). With `mapped`, which wants a user namespace, what is the host's
/// id n in `lower` is the namespace's n (idmapped mounts); `upper` holds the host's ids.
struct overlay_step {
  std::vector<std::filesystem::path> lower;
  std::filesystem::path upper;
  std::filesystem::path work;
  bool mapped = false;
  bool operator==(const overlay_step&) const = default;
};

/// A new filesystem instance: proc (of the new pid namespace), sysfs, tmpfs, devpts, mqueue.
/// The target directory is made when missing. `data` is the option string ("mode=755,size=65536k").
struct filesystem_step {
  std::string type;
  std::string target;
  std::uint32_t flags = 0; ///< MS_* of mount(2)
  std::string data;
  bool operator==(const filesystem_step&) const = default;
};

/// A host file or directory made visible. The target is made when missing, of the source's kind.
struct bind_step {
  std::filesystem::path source; ///< on the host; opened once, O_PATH
  std::string target;
  bool read_only = false;
  bool recursive = false;
  std::uint32_t flags = 0; ///< further MS_NOSUID | MS_NODEV | MS_NOEXEC
  bool mapped = false;     ///< as in overlay_step, with all that is mounted below
  bool operator==(const bind_step&) const = default;
};

/// A device below /dev: mknod, or a bind of the host's verified node where mknod is refused. In a
/// directory whose mount is nodev the node is bound onto itself with devices allowed: it works, and
/// no other that the workload makes beside it does.
struct device_step {
  std::string target;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0666;
  bool block = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const device_step&) const = default;
};

struct symlink_step {
  std::string target; ///< what the link says
  std::string link;   ///< where it is
  bool operator==(const symlink_step&) const = default;
};

struct directory_step {
  std::string target;
  std::uint32_t mode = 0755;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const directory_step&) const = default;
};

/// Hides a path: an empty read-only tmpfs over a directory, /dev/null over a file; a path that does
/// not exist is skipped.
struct mask_step {
  std::string target;
  bool operator==(const mask_step&) const = default;
};

/// Binds a path onto itself, read-only; a path that does not exist is skipped.
struct read_only_step {
  std::string target;
  bool operator==(const read_only_step&) const = default;
};

/// Makes the built tree the root (pivot_root) and lets go of the host's. After it, only `mask`,
/// `read_only` steps may follow. `read_only_root` remounts the root itself.
struct pivot_step {
  bool read_only_root = false;
  bool operator==(const pivot_step&) const = default;
};

/// Fails with `sys`. Only tests put it into a plan (tests/root/fault_port.hpp).
struct fault_step {
  std::int32_t sys = 5;
  bool operator==(const fault_step&) const = default;
};

/// Sets a kernel parameter of the pod's network or IPC namespace. Before the pivot; needs no root
/// filesystem yet.
struct sysctl_step {
  std::string path; ///< below /proc/sys: "net/ipv4/tcp_syncookies"
  std::string value;
  bool operator==(const sysctl_step&) const = default;
};

using step =
    std::variant<overlay_step, filesystem_step, bind_step, device_step, symlink_step,
                 directory_step, mask_step, read_only_step, pivot_step, fault_step, sysctl_step>;

struct rlimit_spec {
  std::int32_t resource = 0; ///< RLIMIT_*
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  bool operator==(const rlimit_spec&) const = default;
};

/// The five sets of capabilities(7) that execve is called with. It grants a root workload what
/// `bounding` and `inheritable` hold, another user's what `ambient` holds.
struct capability_sets {
  capability_mask bounding = default_capabilities;
  capability_mask permitted = default_capabilities;
  capability_mask effective = default_capabilities;
  capability_mask inheritable = 0;
  capability_mask ambient = 0; ///< a subset of permitted and inheritable
  bool operator==(const capability_sets&) const = default;
};

/// A seccomp filter, installed as the last thing before execve; see kernel/seccomp.hpp.
struct seccomp_filter {
  std::string program;     ///< struct sock_filter[1..4096] as bytes; empty: none
  std::uint32_t flags = 0; ///< SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW
  bool operator==(const seccomp_filter&) const = default;
};

/// What runs. argv[0] without a slash is searched in the PATH of `env`, inside the container, as
/// the user it will run as.
struct process_spec {
  std::vector<std::string> argv;
  std::vector<std::string> env; ///< "K=V"
  std::string cwd = "/";        ///< absolute; must exist in the container, see `create_cwd`
  bool create_cwd = false;      ///< make it (0755, root) when missing, as for an image's WorkingDir
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups; ///< supplementary
  std::uint32_t umask = 0022;
  bool no_new_privs = false;
  std::vector<rlimit_spec> rlimits;
  capability_sets capabilities;
  seccomp_filter seccomp;
  std::optional<std::int32_t> oom_score_adj; ///< -1000..1000; lowering it wants CAP_SYS_RESOURCE
  bool operator==(const process_spec&) const = default;
};

/// Where output goes. The shim writes CRI-format lines (`<RFC3339Nano> <stream> <P|F> <text>`) and
/// rotates `path` when it would pass `max_bytes`: path -> path.1 -> ... -> path.<max_files-1>.
/// stdin is /dev/null. An empty path sends output to /dev/null.
struct log_spec {
  std::filesystem::path path; ///< on the host; its directory exists
  std::uint64_t max_bytes = 10 * 1024 * 1024;
  std::uint32_t max_files = 5; ///< at least 2
  bool operator==(const log_spec&) const = default;
};

/// One container, complete.
struct launch_plan {
  std::string container;     ///< its name, 1 to 127 bytes; with `attempt` the id in every event
  std::uint32_t attempt = 0; ///< higher than that of every earlier one of this name in the sandbox
  bool new_pid_ns = true;    ///< false: the pod's or the host's
  bool new_cgroup_ns = true; ///< its root is the cgroup that the container is in
  /// Where the container lives from its first instruction on: a directory in each cgroup hierarchy.
  /// Empty: where the shim is.
  std::vector<std::filesystem::path> cgroups;
  std::vector<step> steps;
  process_spec process;
  log_spec log;
  bool operator==(const launch_plan&) const = default;
};

/// What the containers of a pod share. Made by the shim before it serves its first request, and
/// held by being in it.
struct sandbox_spec {
  std::string uid;               ///< the pod's; names the shim in messages
  std::filesystem::path run_dir; ///< exists, 0700; `shim.sock` is made in it
  bool host_network = false;     ///< false: a fresh network namespace with lo up
  bool host_ipc = false;
  std::string hostname; ///< set in a fresh UTS namespace; empty: the host's UTS namespace
  /// A fresh user namespace, which owns those above and those of the containers. In it the plan's
  /// ids are the namespace's; the shim itself stays outside.
  user_range users = {};
  bool operator==(const sandbox_spec&) const = default;
};

} // namespace tank::kernel
