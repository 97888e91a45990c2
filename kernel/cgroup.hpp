/// The cgroup driver: pods' cgroups, their limits, what they used, and their end.
///
/// Reached through the interface `cgroups` of kernel::port. Names are relative to the directories
/// of a cgroup_tree, and made in each of its hierarchies:
///
///     <directory>/<instance>/<pod>/<container>
///
/// The workload lives in the innermost one. Every component of a name is ours ([a-z0-9.-], no "..":
/// uids and container names are validated), and a cgroup filesystem holds no symlinks.
#pragma once

#include "base/cgroup_tree.hpp"
#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tank::kernel {

/// What bounds one cgroup; empty: nothing.
struct cgroup_limits {
  std::optional<std::uint64_t> memory;     ///< bytes; swap counts as memory
  std::optional<std::uint64_t> cpu_quota;  ///< us of cpu time in each period, 1000 at least
  std::uint64_t cpu_period = 100'000;      ///< us
  std::optional<std::uint64_t> cpu_shares; ///< relative weight on v1's scale: 2..262144, 1024 usual
  std::optional<std::uint64_t> pids;       ///< processes and threads
  bool operator==(const cgroup_limits&) const = default;
};

/// A pod's cgroups: its own, and one below it for each container.
struct pod_cgroup {
  struct member {
    std::string name;
    cgroup_limits limits;
    bool operator==(const member&) const = default;
  };
  std::filesystem::path name; ///< <instance>/<pod>; empty: the pod has none
  cgroup_limits limits;
  std::vector<member> containers;
  bool operator==(const pod_cgroup&) const = default;
};

/// What a cgroup has used and uses, with all that is below it. Empty: this host does not count it.
struct cgroup_stats {
  std::optional<std::uint64_t> cpu_us; ///< since it was made
  std::optional<std::uint64_t> cpu_user_us;
  std::optional<std::uint64_t> cpu_system_us;
  std::optional<std::uint64_t> periods; ///< of its cpu quota
  std::optional<std::uint64_t> throttled_periods;
  std::optional<std::uint64_t> throttled_us;
  std::optional<std::uint64_t> memory;             ///< bytes, with caches
  std::optional<std::uint64_t> memory_working_set; ///< without caches that may go; kubectl's figure
  std::optional<std::uint64_t> memory_peak;
  std::optional<std::uint64_t> memory_limit; ///< empty also when there is no limit, as pids_limit
  std::optional<std::uint64_t> pids;
  std::optional<std::uint64_t> pids_limit;
  std::optional<std::uint64_t> oom_kills; ///< processes of it that were killed for want of memory
  bool operator==(const cgroup_stats&) const = default;
};

/// How long the processes of a cgroup may take to die.
inline constexpr int cgroup_patience_ms = 10'000;

/// Makes what is missing of the directories of `tree` and of `instance` below them, and hands the
/// controllers down to there. On v2 a cgroup that has processes of its own, ours among them, gets a
/// child `daemon` for these first: a cgroup with controllers for its children holds none itself.
/// Returns the directories it made, parents first; on failure none of them is left.
result<std::vector<std::filesystem::path>> open_cgroups(const cgroup_tree& tree,
                                                        const std::string& instance);

/// Makes a pod's cgroups with their limits; all or nothing. errc::exists when one is there already,
/// errc::unsupported for a limit of memory or cpu time that this host has no controller for (weight
/// and pids are left out then).
result<void> make_cgroup(const cgroup_tree& tree, const pod_cgroup& pod);

/// Gives cgroups that are there other limits; an empty one is lifted. All or nothing:
/// errc::conflict when more memory is in use than the new limit; on v2 the workload is slowed down
/// while that is found out, so that it is not killed for what it takes meanwhile.
result<void> update_cgroup(const cgroup_tree& tree, const pod_cgroup& pod);

/// Kills whatever is in the cgroup and below it, and removes it; a missing one is success.
/// Blocking, up to cgroup_patience_ms.
result<void> remove_cgroup(const cgroup_tree& tree, const std::filesystem::path& name);

/// Of a pod or of one container: "<instance>/<pod>[/<container>]". errc::not_found. A few reads.
result<cgroup_stats> read_cgroup(const cgroup_tree& tree, const std::filesystem::path& name);

/// Makes the cgroup of one container below its pod's, which exists: for a container that runs again
/// inside its sandbox. One that is there already is that of an earlier attempt: whatever still runs
/// in it is killed, and it is removed first, so that what the new one counts is its own. Limits as
/// in make_cgroup; on failure there is none. Blocking, up to cgroup_patience_ms.
result<void> make_container_cgroup(const cgroup_tree& tree, const std::filesystem::path& pod,
                                   const pod_cgroup::member& container);

/// Kills whatever is in one container's cgroup and removes it; a missing one is success. The pod's
/// stays. Blocking, up to cgroup_patience_ms.
result<void> remove_container_cgroup(const cgroup_tree& tree, const std::filesystem::path& pod,
                                     const std::string& container);

/// cgroup_stats::oom_kills alone; 0 when nobody counts, or there is no such cgroup. A shim counts
/// for itself; this is for the containers of shims of protocol 1, which do not. A few reads.
std::uint64_t count_oom_kills(const cgroup_tree& tree, const std::filesystem::path& name);

/// The part of the port that makes, changes and removes cgroups: each the function of its name. All
/// but read_cgroup are blocking. Thread-safe for different pods.
class cgroups {
 public:
  virtual ~cgroups() = default;
  virtual result<std::vector<std::filesystem::path>> open_cgroups(const cgroup_tree& tree,
                                                                  const std::string& instance) = 0;
  virtual result<void> make_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) = 0;
  virtual result<void> update_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) = 0;
  virtual result<void> remove_cgroup(const cgroup_tree& tree,
                                     const std::filesystem::path& name) = 0;
  virtual result<void> make_container_cgroup(const cgroup_tree& tree,
                                             const std::filesystem::path& pod,
                                             const pod_cgroup::member& container) = 0;
  virtual result<void> remove_container_cgroup(const cgroup_tree& tree,
                                               const std::filesystem::path& pod,
                                               const std::string& container) = 0;
  virtual result<cgroup_stats> read_cgroup(const cgroup_tree& tree,
                                           const std::filesystem::path& name) = 0;
};

} // namespace tank::kernel
