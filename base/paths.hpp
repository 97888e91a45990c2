/// Every path of Tank on disk. Nobody else joins path components of these trees.
///
///     manifest_dir  /etc/tank/pods.d/*.yaml|*.yml|*.json     desired state
///     state_dir     /var/lib/tank/                           0700
///                     images/{blobs,layers,refs,tmp}/        the content store (oci/store.hpp)
///                     pods/<uid>/<container>/{upper,work}/   writable layers, gone with the pod
///     run_dir       /run/tank/                               0700, on tmpfs: gone at reboot
///                     lock  tank.sock                        one daemon; its control socket
///                     pods/<uid>/                            one directory per live pod
///                       shim.sock  pod.json                  the shim; what a new daemon adopts by
///                       etc/{hosts,hostname,resolv.conf}     bound into the containers
///     log_dir       /var/log/tank/                           0700
///                     pods/<namespace>_<name>_<uid>/<container>/<restart>.log   CRI layout
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace tank {

/// Where this instance of Tank lives. Values, injected everywhere: tests and embedders run in a
/// private tree. All absolute.
struct directories {
  std::filesystem::path manifest_dir = "/etc/tank/pods.d";
  std::filesystem::path state_dir = "/var/lib/tank";
  std::filesystem::path run_dir = "/run/tank";
  std::filesystem::path log_dir = "/var/log/tank";

  [[nodiscard]] std::filesystem::path images() const { return state_dir / "images"; }
  [[nodiscard]] std::filesystem::path pod_states() const { return state_dir / "pods"; }
  [[nodiscard]] std::filesystem::path pod_state(std::string_view uid) const {
    return pod_states() / uid;
  }
  [[nodiscard]] std::filesystem::path control_socket() const { return run_dir / "tank.sock"; }
  [[nodiscard]] std::filesystem::path lock_file() const { return run_dir / "lock"; }
  [[nodiscard]] std::filesystem::path pod_runs() const { return run_dir / "pods"; }
  [[nodiscard]] std::filesystem::path pod_run(std::string_view uid) const {
    return pod_runs() / uid;
  }
  [[nodiscard]] std::filesystem::path pod_logs() const { return log_dir / "pods"; }
  /// Directory of one pod's logs. The three names hold no '/' and no '_' (validated as DNS names).
  [[nodiscard]] std::filesystem::path pod_log(std::string_view ns, std::string_view name,
                                              std::string_view uid) const {
    std::string dir{ns};
    dir.append("_").append(name).append("_").append(uid);
    return pod_logs() / dir;
  }

  bool operator==(const directories&) const = default;
};

} // namespace tank
