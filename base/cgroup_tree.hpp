/// Where the cgroups of this Tank are, as values: what kernel/cgroup_probe.hpp finds, and what
/// every call of the cgroup driver is told.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

enum class cgroup_version : unsigned char {
  none, ///< no cgroups here, or none that we may use
  v1,   ///< controllers in hierarchies of their own, as on hybrid hosts too
  v2,   ///< the unified hierarchy
};

/// One hierarchy in use.
struct cgroup_hierarchy {
  std::vector<std::string> controllers; ///< of "cpu", "cpuacct", "memory", "pids": those it has
  std::filesystem::path mount;          ///< absolute
  std::filesystem::path directory;      ///< Tank's own, `mount` or below it
  bool operator==(const cgroup_hierarchy&) const = default;
};

/// Of v2 one hierarchy, of v1 one for each mount. Below each `directory` the same names are made.
struct cgroup_tree {
  cgroup_version version = cgroup_version::none;
  std::vector<cgroup_hierarchy> hierarchies;
  bool chosen = false; ///< by a setting: then it must work

  [[nodiscard]] bool has(std::string_view controller) const;
  bool operator==(const cgroup_tree&) const = default;
};

inline bool cgroup_tree::has(std::string_view controller) const {
  for (const auto& h : hierarchies)
    for (const auto& c : h.controllers)
      if (c == controller) return true;
  return false;
}

} // namespace tank
