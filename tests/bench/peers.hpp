/// The other launchers that the start benchmark runs beside Tank, as command lines.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tank::bench {

/// One launcher with a fresh network, pid, mount, ipc and uts namespace and no cgroup limits.
struct peer {
  std::string name;
  std::vector<std::string> run;  ///< runs the witness' `first` to its end in the foreground
  std::vector<std::string> hold; ///< the same with `sleep`, in the background; empty: not measured
  std::vector<std::string> remove; ///< stops and removes what `hold` started; empty: SIGKILL
};

/// The peers installed here. `rootfs` holds /bin/witness; bundles and state go below `scratch`.
std::vector<peer> installed_peers(const std::filesystem::path& rootfs,
                                  const std::filesystem::path& scratch,
                                  const std::string& floor_program);

} // namespace tank::bench
