/// The base of tests' kernels: what is asked of cgroups is recorded, work on files and filters
/// succeeds and does nothing, and there are no shims.
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
  /// "make <name>", "update <name>", "remove <name>", "open <instance>"; of one container
  /// "make_one <name>", "remove_one <name>".
  std::vector<std::string> cgroup_calls;
  std::map<std::string, error> refuse_cgroup;               ///< by verb
  std::map<std::string, kernel::pod_cgroup> cgroups;        ///< by name, as made or changed last
  std::map<std::string, kernel::cgroup_stats> cgroup_stats; ///< by name
  std::map<std::string, kernel::projection> projected;      ///< by directory, what it shows

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
  result<void> make_container_cgroup(const cgroup_tree&, const std::filesystem::path& pod,
                                     const kernel::pod_cgroup::member& container) override {
    return cgroup_call("make_one", pod / container.name);
  }
  result<void> remove_container_cgroup(const cgroup_tree&, const std::filesystem::path& pod,
                                       const std::string& container) override {
    return cgroup_call("remove_one", pod / container);
  }
  result<kernel::cgroup_stats> read_cgroup(const cgroup_tree&,
                                           const std::filesystem::path& name) override {
    const auto it = cgroup_stats.find(name);
    if (it == cgroup_stats.end()) return fail(errc::not_found, "open cgroup", name, "none");
    return it->second;
  }

  // --- what a test's kernel has none of, unless it says so ---------------------------------------

  result<std::unique_ptr<kernel::session>> start_session(const kernel::sandbox_spec& s) override {
    return fail(errc::internal, "start", s.uid, "there are no shims here");
  }
  result<std::unique_ptr<kernel::session>>
  adopt_session(const std::filesystem::path& run_dir) override {
    return fail(errc::not_found, "adopt", run_dir, "nobody listens");
  }
  result<void> remove_tree(const std::filesystem::path&) override { return {}; }
  result<void> make_upper(const std::filesystem::path&, std::uint32_t) override { return {}; }
  result<void> make_directory(const std::filesystem::path&, mode_t) override { return {}; }
  result<void> make_empty_dir(const std::filesystem::path&, mode_t, std::uint32_t,
                              std::uint32_t) override {
    return {};
  }
  result<void> write_pod_file(const std::filesystem::path&, const std::string&, std::string_view,
                              std::uint32_t, std::uint32_t) override {
    return {};
  }
  result<std::filesystem::path> resolve_host_path(const std::filesystem::path& path,
                                                  kernel::host_path_type, bool,
                                                  const kernel::untrusted_directory&) override {
    return path;
  }
  result<std::vector<kernel::device_step>> probe_devices(const std::filesystem::path&) override {
    return std::vector<kernel::device_step>{};
  }
  result<void> mount_memory(const std::filesystem::path&, const kernel::memory_mount&) override {
    return {};
  }
  result<void> unmount_memory(const std::filesystem::path&) override { return {}; }
  result<void> project(const std::filesystem::path& dir, const kernel::projection& what) override {
    const std::lock_guard lock{mutex_};
    projected[dir] = what;
    return {};
  }
  result<kernel::seccomp_filter> compile_filter(const kernel::seccomp_request&) override {
    return kernel::seccomp_filter{};
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
