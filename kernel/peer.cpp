#include "kernel/peer.hpp"

#include "base/file.hpp"

#include <algorithm>

namespace tank::kernel {

namespace {

constexpr std::size_t max_cgroup_file_bytes = 64 * 1024;

/// The path of a line "hierarchy:controllers:/path".
std::string_view path_of(std::string_view line) {
  const auto first = line.find(':');
  const auto second = first == line.npos ? first : line.find(':', first + 1);
  return second == line.npos ? std::string_view{} : line.substr(second + 1);
}

bool is_instance(std::string_view name) {
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

} // namespace

bool is_in_pod_cgroup(std::string_view cgroups, const cgroup_tree& tree) {
  while (!cgroups.empty()) {
    const auto line = cgroups.substr(0, cgroups.find('\n'));
    cgroups.remove_prefix(std::min(cgroups.size(), line.size() + 1));
    const auto path = path_of(line);
    for (const auto& h : tree.hierarchies) {
      const auto below = h.directory.lexically_relative(h.mount);
      const auto own = below == "." ? std::string{"/"} : "/" + below.string() + "/";
      if (!path.starts_with(own)) continue;
      const auto rest = path.substr(own.size());
      const auto end = rest.find('/');
      if (end != rest.npos && is_instance(rest.substr(0, end))) return true;
    }
  }
  return false;
}

std::string refuse_peer(int connection, const cgroup_tree& tree) {
  ucred who{};
  unique_fd pidfd;
  if (!is_of_this_host(connection, &who, &pidfd))
    return who.uid != 0 && who.uid != ::geteuid() ? "user " + std::to_string(who.uid)
                                                  : "a process of another namespace";
  if (tree.hierarchies.empty()) return {};
  const auto cgroups =
      read_file("/proc/" + std::to_string(who.pid) + "/cgroup", max_cgroup_file_bytes);
  // What was read may be of another process that has its number now.
  if (!holds_its_number(pidfd)) return "a process that has ended";
  if (!cgroups) return "a process that cannot be looked at: " + cgroups.error().message();
  if (is_in_pod_cgroup(*cgroups, tree)) return "a process of a pod";
  return {};
}

} // namespace tank::kernel
