#include "pod/sweep.hpp"

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace tank {

namespace fs = std::filesystem;

static std::vector<fs::path> children(const fs::path& dir, std::vector<error>& failed) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (auto it = fs::directory_iterator(dir, ec); !ec && it != fs::directory_iterator();
       it.increment(ec))
    out.push_back(it->path());
  if (ec && ec.value() != ENOENT)
    failed.push_back(fail_errno(ec.value(), "list", dir.string()).value());
  return out;
}

static void remove_all(const std::vector<fs::path>& trees, kernel::port& port,
                       std::vector<error>& failed) {
  for (const auto& tree : trees)
    if (auto gone = port.remove_tree(tree); !gone) failed.push_back(std::move(gone).error());
}

static void unmount_all(const std::vector<fs::path>& mounts, kernel::port& port,
                        std::vector<error>& failed) {
  for (const auto& dir : mounts)
    if (auto gone = port.unmount_memory(dir); !gone) failed.push_back(std::move(gone).error());
}

static void remove_cgroups(const std::vector<std::string>& names, const directories& dirs,
                           kernel::port& port, std::vector<error>& failed) {
  for (const auto& name : names)
    if (auto gone = port.remove_cgroup(dirs.cgroups, dirs.pod_cgroup(name)); !gone)
      failed.push_back(std::move(gone).error());
}

std::vector<error> sweep_pods(const directories& dirs, kernel::port& port,
                              std::chrono::milliseconds patience) {
  std::vector<error> failed;
  const auto runs = children(dirs.pod_runs(), failed);
  const auto ends = end_shims(runs, port, patience);
  failed.insert(failed.end(), ends.begin(), ends.end());
  const auto groups = pod_cgroups_in(dirs);
  remove_cgroups({groups.begin(), groups.end()}, dirs, port, failed);
  remove_all(children(dirs.pod_states(), failed), port, failed);
  unmount_all(children(dirs.pod_volumes(), failed), port, failed);
  remove_all(runs, port, failed);
  remove_all(children(dirs.pod_records(), failed), port, failed);
  return failed;
}

std::vector<error> sweep_orphans(const directories& dirs, const adoption_plan& plan,
                                 kernel::port& port, std::chrono::milliseconds patience) {
  const auto below = [](const fs::path& dir, const std::vector<std::string>& names) {
    std::vector<fs::path> paths;
    for (const auto& name : names)
      paths.push_back(dir / name);
    return paths;
  };
  const auto runs = below(dirs.pod_runs(), plan.end_runs);
  auto failed = end_shims(runs, port, patience);
  remove_cgroups(plan.drop_cgroups, dirs, port, failed);
  remove_all(runs, port, failed);
  remove_all(below(dirs.pod_states(), plan.drop_storages), port, failed);
  unmount_all(below(dirs.pod_volumes(), plan.drop_volumes), port, failed);
  remove_all(below(dirs.pod_records(), plan.drop_records), port, failed);
  return failed;
}

} // namespace tank
