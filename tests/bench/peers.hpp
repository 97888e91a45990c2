/// The other launchers that the start benchmark runs beside Tank, as command lines.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace tank::bench {

/// One launcher with a fresh network, pid, mount, ipc and uts namespace and no cgroup limits.
struct peer {
  using command = std::function<std::vector<std::string>(const std::string& id)>;

  std::string name;
  std::vector<std::string> run; ///< runs the witness' `first` to its end in the foreground
  command hold;       ///< the same with `first-sleep`, to be kept running; empty: not measured
  command remove;     ///< stops and removes what `hold` started; empty: SIGKILL
  std::string helper; ///< comm of the processes that stay beside each held workload
};

struct peer_list {
  std::vector<peer> peers;          ///< the floor first
  std::vector<std::string> missing; ///< known to this benchmark, and not installed here
};

/// The peers installed here whose names are in `wanted`; all when that is empty. `rootfs` holds
/// /bin/witness; bundles and state go below `scratch`.
peer_list installed_peers(const std::filesystem::path& rootfs, const std::filesystem::path& scratch,
                          const std::string& floor_program, const std::set<std::string>& wanted);

} // namespace tank::bench
