/// The cgroup part of a kernel that records what it is asked for; the base of tests' kernels.
#pragma once

#include "kernel/port.hpp"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace tank::testing {

/// Thread-safe calls; a test looks at the members when nothing is under way.
class cgroup_recorder : public kernel::port {
 public:
  std::vector<std::string> cgroup_calls;                    ///< "make <name>", "remove <name>", ...
  std::map<std::string, error> refuse_cgroup;               ///< by verb
  std::map<std::string, kernel::pod_cgroup> cgroups;        ///< by name, as made or changed last
  std::map<std::string, kernel::cgroup_stats> cgroup_stats; ///< by name

  result<std::vector<std::filesystem::path>> open_cgroups(const cgroup_tree&,
                                                          const std::string& instance) override {
    TANK_TRY(cgroup_call("open", instance));
    return std::vector<std::filesystem::path>{};
  }
  result<void> make_cgroup(const cgroup_tree&, const kernel::pod_cgroup& pod) override {
    TANK_TRY(cgroup_call("make", pod.name));
    const std::lock_guard lock{mutex_};
    cgroups[pod.name] = pod;
    return {};
  }
  result<void> update_cgroup(const cgroup_tree&, const kernel::pod_cgroup& pod) override {
    TANK_TRY(cgroup_call("update", pod.name));
    const std::lock_guard lock{mutex_};
    cgroups[pod.name] = pod;
    return {};
  }
  result<void> remove_cgroup(const cgroup_tree&, const std::filesystem::path& name) override {
    TANK_TRY(cgroup_call("remove", name));
    const std::lock_guard lock{mutex_};
    cgroups.erase(name);
    return {};
  }
  result<kernel::cgroup_stats> read_cgroup(const cgroup_tree&,
                                           const std::filesystem::path& name) override {
    const auto it = cgroup_stats.find(name);
    if (it == cgroup_stats.end()) return fail(errc::not_found, "open cgroup", name, "none");
    return it->second;
  }
  std::uint64_t count_oom_kills(const cgroup_tree&, const std::filesystem::path& name) override {
    const auto it = cgroup_stats.find(name);
    return it == cgroup_stats.end() ? 0 : it->second.oom_kills.value_or(0);
  }

 private:
  result<void> cgroup_call(const std::string& verb, const std::string& what) {
    const std::lock_guard lock{mutex_};
    cgroup_calls.push_back(verb + " " + what);
    const auto it = refuse_cgroup.find(verb);
    return it == refuse_cgroup.end() ? result<void>{} : failure{it->second};
  }

  std::mutex mutex_;
};

} // namespace tank::testing
