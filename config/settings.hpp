/// The daemon's own settings: where Tank lives and how patient it is. Pure.
///
/// The settings file is YAML or JSON with these fields, all optional:
///
///     manifestDir: /etc/tank/pods.d      stateDir: /var/lib/tank
///     runDir: /run/tank                  logDir: /var/log/tank
///     seccompDir: /etc/tank/seccomp      # of Localhost profiles
///     cgroupRoot: /tank                  # in the cgroup hierarchies; default: tank(1), "CGROUPS"
///     podPidsLimit: 4096                 # processes and threads of a pod; 0: as many as it likes
///     shim: /usr/libexec/tank/tank-shim  # the helper program, when it is somewhere else
///     backoff: default                   # default | kubelet | fast (tank-pod(7), "Back-off"), or:
///     backoff: {profile: default, base: 10s, max: 5m, reset: 10m, immediateFirst: false}
///     giveUp: never                      # or `5 in 10m`, see restart_rules.hpp
///     logMaxSize: 10Mi                   # of one container's log, then it is rotated
///     logMaxFiles: 5                     # 2..100, the current one counts
///     resync: 20s                        # full look at the manifest directory, beside events
///     logLevel: info                     # debug | info | warn | error
///     userNamespaces: {base: 1879048192, count: 4094}   # ids for pods with hostUsers: false
///     stopPodsOnExit: false              # of the daemon; pods run on and are adopted otherwise
///     registries: [...]                  # see settings_images.hpp
///     images: {...}                      # likewise
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "config/restart_rules.hpp"
#include "config/settings_images.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::config {

inline constexpr std::string_view default_settings_file = "/etc/tank/tank.yaml";

/// What replaces the figures of the named backoff profile.
struct backoff_figures {
  std::optional<std::chrono::milliseconds> base;  ///< the first wait, doubled each time
  std::optional<std::chrono::milliseconds> max;   ///< the longest wait; not below `base`
  std::optional<std::chrono::milliseconds> reset; ///< a run this long forgives all
  std::optional<bool> immediate_first;            ///< the first restart does not wait
  bool operator==(const backoff_figures&) const = default;
};

struct settings {
  directories dirs;
  std::filesystem::path shim; ///< empty: found beside the program
  std::string backoff = "default";
  config::backoff_figures backoff_figures;
  give_up_rule give_up;
  std::uint64_t log_max_bytes = 10u << 20; ///< 4 KiB at least
  std::uint32_t log_max_files = 5;
  std::chrono::milliseconds resync = std::chrono::seconds{20}; ///< 1 s at least
  std::string log_level = "info";
  bool stop_pods_on_exit = false;
  std::filesystem::path cgroup_root;   ///< empty: kernel::probe_cgroups chooses
  std::uint32_t pod_pids_limit = 4096; ///< 16 at least, or 0
  std::vector<registry_setting> registries;
  image_settings images;
  std::optional<std::uint32_t> ids_base;  ///< of user namespaces: 65536 at least
  std::optional<std::uint32_t> ids_count; ///< of pods; all end below 2^32 - 65536
  bool operator==(const settings&) const = default;
};

/// What the command line says; empty: nothing.
struct settings_overrides {
  std::optional<std::string> config;
  std::optional<std::string> manifest_dir;
  std::optional<std::string> state_dir;
  std::optional<std::string> run_dir;
  std::optional<std::string> log_dir;
  std::optional<std::string> cgroup_root;
};

/// The value of an environment variable; nullopt when it is not set.
using environment = std::function<std::optional<std::string>(const std::string&)>;

/// Which settings file counts, and whether it must exist: one that was named must, the default one
/// need not.
struct settings_file {
  std::filesystem::path path;
  bool required = false;
};
settings_file choose_settings_file(const settings_overrides& flags, const environment& env);

/// flag > environment (TANK_MANIFEST_DIR, TANK_STATE_DIR, TANK_RUN_DIR, TANK_LOG_DIR,
/// TANK_CGROUP_ROOT; an empty one counts as unset) > `text`, the settings file's content > default.
/// Relative directories of flags and environment are taken from `cwd`, but a cgroup root, which is
/// no directory of theirs; in the file they are an error. `file` is for messages:
/// `cannot read settings '<file>:line:column': field: reason`.
result<settings> resolve_settings(const settings_overrides& flags, const environment& env,
                                  std::string_view text, const std::string& file,
                                  const std::filesystem::path& cwd);

} // namespace tank::config
