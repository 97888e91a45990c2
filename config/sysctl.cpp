#include "config/sysctl.hpp"

#include <algorithm>
#include <iterator>

namespace tank::config {

// Kubernetes 1.37, pkg/kubelet/sysctl.
static constexpr std::string_view safe[] = {
    "kernel/shm_rmid_forced",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_local_reserved_ports",
    "net/ipv4/ip_unprivileged_port_start",
    "net/ipv4/ping_group_range",
    "net/ipv4/tcp_fin_timeout",
    "net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_probes",
    "net/ipv4/tcp_keepalive_time",
    "net/ipv4/tcp_notsent_lowat",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_slow_start_after_idle",
    "net/ipv4/tcp_syncookies",
    "net/ipv4/tcp_wmem",
};

std::string sysctl_path(std::string_view name) {
  std::string path{name};
  const auto first = path.find_first_of("./");
  if (first == std::string::npos || path[first] == '/') return path;
  for (char& c : path)
    c = c == '.' ? '/' : c == '/' ? '.' : c;
  return path;
}

bool is_safe_sysctl(std::string_view name) {
  return std::find(std::begin(safe), std::end(safe), sysctl_path(name)) != std::end(safe);
}

} // namespace tank::config
