/// The daemon's own settings: where Tank lives and how patient it is. Pure.
///
/// The settings file is YAML or JSON with these fields, all optional:
///
///     manifestDir: /etc/tank/pods.d      stateDir: /var/lib/tank
///     runDir: /run/tank                  logDir: /var/log/tank
///     shim: /usr/libexec/tank/tank-shim  # the helper program, when it is somewhere else
///     backoff: default                   # default | kubelet | fast (README, "Restart")
///     logLevel: info                     # debug | info | warn | error
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tank::config {

inline constexpr std::string_view default_settings_file = "/etc/tank/tank.yaml";

struct settings {
  directories dirs;
  std::filesystem::path shim; ///< empty: found beside the program
  std::string backoff = "default";
  std::string log_level = "info";
  bool operator==(const settings&) const = default;
};

/// What the command line says; empty: nothing.
struct settings_overrides {
  std::optional<std::string> config;
  std::optional<std::string> manifest_dir;
  std::optional<std::string> state_dir;
  std::optional<std::string> run_dir;
  std::optional<std::string> log_dir;
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

/// flag > environment (TANK_MANIFEST_DIR, TANK_STATE_DIR, TANK_RUN_DIR, TANK_LOG_DIR; an empty one
/// counts as unset) > `text`, the settings file's content > default. Relative directories of flags
/// and environment are taken from `cwd`; in the file they are an error. `file` is for messages:
/// `cannot read settings '<file>:line:column': field: reason`.
result<settings> resolve_settings(const settings_overrides& flags, const environment& env,
                                  std::string_view text, const std::string& file,
                                  const std::filesystem::path& cwd);

} // namespace tank::config
