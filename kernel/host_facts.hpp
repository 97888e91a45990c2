/// What this host is and can do, as a value.
#pragma once

#include "base/capability.hpp"
#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tank::kernel {

/// Probed once.
struct host_facts {
  std::string hostname;
  std::string architecture;             ///< OCI's GOARCH name: amd64, arm64, ...
  std::vector<std::string> nameservers; ///< of the host's resolv.conf
  std::vector<std::string> searches;
  std::vector<std::string> resolver_options;
  std::string hosts_file; ///< the host's /etc/hosts
  /// What we hold and may hand on: "ALL" of a container's capabilities.
  capability_mask capabilities = all_capabilities;
  std::uint64_t memory = 0;       ///< bytes that the machine has; 0: not known
  std::uint32_t cpus = 1;         ///< processors that are switched on
  std::int32_t oom_score_adj = 0; ///< ours; without CAP_SYS_RESOURCE nobody gets a lower one
  std::uint64_t max_open_files = 1048576;     ///< our hard RLIMIT_NOFILE
  std::uint64_t max_core = ~std::uint64_t{0}; ///< our hard RLIMIT_CORE, bytes
  bool operator==(const host_facts&) const = default;
};

/// Reads the host's files and uname once. Blocking.
result<host_facts> probe_host();

} // namespace tank::kernel
