/// One command line on its way: what the verbs share. A verb is one file, `cli/<verb>.cpp`.
#pragma once

#include "base/paths.hpp"
#include "cli/context.hpp"
#include "config/settings.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace tank::cli {

struct invocation {
  cli_context& context;
  config::settings_overrides flags; ///< of --config, --manifest-dir, ...
  /// Set by the verb that was given; its value is the exit status.
  std::function<result<int>()> action;
  /// Set by the verb instead when the options contradict each other: one clear sentence.
  std::string misuse;

  /// flag > environment > settings file > default; reads the settings file.
  [[nodiscard]] result<config::settings> settings() const;
};

// Each adds its verb to `app`; the pointers and references live until the command has run.
void add_up(CLI::App& app, invocation& line);
void add_daemon(CLI::App& app, invocation& line);
void add_apply(CLI::App& app, invocation& line);
void add_delete(CLI::App& app, invocation& line);
void add_get(CLI::App& app, invocation& line);
void add_describe(CLI::App& app, invocation& line);
void add_logs(CLI::App& app, invocation& line);
void add_restart(CLI::App& app, invocation& line);
void add_top(CLI::App& app, invocation& line);
void add_validate(CLI::App& app, invocation& line);
void add_image(CLI::App& app, invocation& line);
void add_volume(CLI::App& app, invocation& line);
void add_version(CLI::App& app, invocation& line);

/// "tank 0.1.0"
std::string version_line();

/// "web" | "ns/web" | "pod/web" -> namespace and name; an explicit `ns` wins over the default.
struct pod_name {
  std::string ns = "default";
  std::string name;
  [[nodiscard]] std::string key() const { return ns + "/" + name; }
  bool operator==(const pod_name&) const = default;
};
result<pod_name> parse_pod_name(std::string_view text, const std::string& ns);

/// The text of a manifest: a file, or stdin for "-". At most 10 MiB.
result<std::string> read_manifest(const cli_context& context, const std::string& file);

} // namespace tank::cli
