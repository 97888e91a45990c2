#include "kernel/port.hpp"

#include "base/remove_tree.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/shim_start.hpp"

#include <utility>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

class linux_port final : public port {
 public:
  explicit linux_port(fs::path shim_path) : shims_(std::move(shim_path)) {}

  // --- shims ---
  result<std::unique_ptr<session>> start_session(const sandbox_spec& sandbox) override {
    return shims_.start_session(sandbox);
  }
  result<std::unique_ptr<session>> adopt_session(const fs::path& run_dir) override {
    return shims_.adopt_session(run_dir);
  }

  // --- cgroups ---
  result<std::vector<fs::path>> open_cgroups(const cgroup_tree& tree,
                                             const std::string& instance) override {
    return kernel::open_cgroups(tree, instance);
  }
  result<void> make_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) override {
    return kernel::make_cgroup(tree, pod);
  }
  result<void> update_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) override {
    return kernel::update_cgroup(tree, pod);
  }
  result<void> remove_cgroup(const cgroup_tree& tree, const fs::path& name) override {
    return kernel::remove_cgroup(tree, name);
  }
  result<void> make_container_cgroup(const cgroup_tree& tree, const fs::path& pod,
                                     const pod_cgroup::member& container) override {
    return kernel::make_container_cgroup(tree, pod, container);
  }
  result<void> remove_container_cgroup(const cgroup_tree& tree, const fs::path& pod,
                                       const std::string& container) override {
    return kernel::remove_container_cgroup(tree, pod, container);
  }
  result<cgroup_stats> read_cgroup(const cgroup_tree& tree, const fs::path& name) override {
    return kernel::read_cgroup(tree, name);
  }

  // --- pod_files ---
  result<void> remove_tree(const fs::path& path) override { return tank::remove_tree(path); }
  result<void> make_upper(const fs::path& dir, std::uint32_t owner) override {
    return kernel::make_upper(dir, owner);
  }
  result<void> make_directory(const fs::path& path, mode_t mode) override {
    return kernel::make_directory(path, mode);
  }
  result<void> make_empty_dir(const fs::path& path, mode_t mode, std::uint32_t uid,
                              std::uint32_t gid) override {
    return kernel::make_empty_dir(path, mode, uid, gid);
  }
  result<void> write_pod_file(const fs::path& dir, const std::string& name, std::string_view text,
                              std::uint32_t uid, std::uint32_t gid) override {
    return kernel::write_pod_file(dir, name, text, uid, gid);
  }
  result<fs::path> resolve_host_path(const fs::path& path, host_path_type type, bool create,
                                     const untrusted_directory& untrusted) override {
    return kernel::resolve_host_path(path, type, create, untrusted);
  }
  result<std::vector<device_step>> probe_devices(const fs::path& dir) override {
    return kernel::probe_devices(dir);
  }

  // --- volumes ---
  result<void> mount_memory(const fs::path& dir, const memory_mount& what) override {
    return kernel::mount_memory(dir, what);
  }
  result<void> unmount_memory(const fs::path& dir) override { return kernel::unmount_memory(dir); }
  result<void> project(const fs::path& dir, const projection& what) override {
    return kernel::project(dir, what);
  }

  // --- seccomp_filters ---
  result<seccomp_filter> compile_filter(const seccomp_request& wanted) override {
    if (wanted.localhost.empty())
      return filters_.get(default_seccomp_profile(), "RuntimeDefault", wanted.capabilities);
    const auto text = TANK_TRY(read_localhost_profile(wanted.directory, wanted.localhost));
    return filters_.get(text, wanted.localhost, wanted.capabilities);
  }

 private:
  linux_shims shims_;
  seccomp_cache filters_{host_seccomp_conditions()};
};

} // namespace

std::unique_ptr<port> make_port(fs::path shim_path) {
  return std::make_unique<linux_port>(std::move(shim_path));
}

} // namespace tank::kernel
