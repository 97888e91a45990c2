/// Where this host has its cgroups, and where among them Tank's are.
#pragma once

#include "base/cgroup_tree.hpp"
#include "base/error.hpp"

#include <functional>
#include <string_view>

namespace tank::kernel {

/// What is read from the host; texts of /proc/self/mountinfo and /proc/self/cgroup.
struct cgroup_view {
  std::string_view mounts;
  std::string_view own;
  /// Whether whoever manages this cgroup (a directory) has handed it over: systemd's Delegate=.
  std::function<bool(const std::filesystem::path&)> delegated;
};

/// Pure. `root` is a setting, a path in the hierarchies ("/tank"); empty: the subtree that was
/// delegated to us, or "/tank" when there is none. Of a host that mounts controllers as v1 those
/// are used, whatever else is mounted; else v2. errc::invalid for a root that is no path from "/".
result<cgroup_tree> lay_out_cgroups(const cgroup_view& host, const std::filesystem::path& root);

/// The same of this host; nothing is made yet. Blocking.
result<cgroup_tree> probe_cgroups(const std::filesystem::path& root);

} // namespace tank::kernel
