#include "cli/context.hpp"
#include "cli/invocation.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <ostream>

namespace tank::cli {
namespace {

constexpr auto root_help = R"(Examples:
  tank up examples/                 run these manifests until Ctrl-C
  tank daemon                       run the watch directory as a service
  tank apply -f web.yaml            put a manifest into the watch directory
  tank get pods                     what runs
  tank logs web -f                  its output, as it comes

'tank COMMAND --help' tells more about each command.)";

void add_globals(CLI::App& app, config::settings_overrides& flags) {
  auto dir = [&](const char* name, std::optional<std::string>& value, const char* text) {
    app.add_option_function<std::string>(
           name, [&value](const std::string& given) { value = given; }, text)
        ->group("Global options");
  };
  dir("--config", flags.config, "settings file (TANK_CONFIG; /etc/tank/tank.yaml)");
  dir("--manifest-dir", flags.manifest_dir,
      "watch directory (TANK_MANIFEST_DIR; /etc/tank/pods.d)");
  dir("--state-dir", flags.state_dir, "images, writable layers (TANK_STATE_DIR; /var/lib/tank)");
  dir("--run-dir", flags.run_dir, "socket, live pods (TANK_RUN_DIR; /run/tank)");
  dir("--log-dir", flags.log_dir, "output of pods (TANK_LOG_DIR; /var/log/tank)");
}

/// The innermost command that was named, for "see: tank X --help".
std::string command_path(const CLI::App& app) {
  std::string path = "tank";
  const CLI::App* at = &app;
  for (auto subs = at->get_subcommands(); !subs.empty(); subs = at->get_subcommands()) {
    at = subs.front();
    path += " " + at->get_name();
  }
  return path;
}

std::string usage_text(const CLI::App& app, const CLI::ParseError& error) {
  const auto left = app.remaining(true);
  if (error.get_name() == "ExtrasError" && !left.empty()) {
    const auto& word = left.front();
    if (app.get_subcommands().empty() && !word.starts_with("-"))
      return "unknown command '" + word + "'";
    return (word.starts_with("-") ? "unknown option '" : "unexpected argument '") + word + "'";
  }
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' '))
    text.pop_back();
  return text;
}

int usage_error(std::ostream& err, const std::string& text, const std::string& where) {
  err << "tank: " << text << " (see: " << where << " --help)\n";
  return exit_usage;
}

} // namespace

int run(cli_context& context, std::vector<std::string> args) {
  CLI::App app{"Runs Kubernetes Pod manifests on this host.", "tank"};
  app.footer(root_help);
  app.set_help_all_flag();
  app.fallthrough(); // global options may stand behind the command
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(34);

  invocation line{context, {}, {}};
  add_globals(app, line.flags);
  add_up(app, line);
  add_daemon(app, line);
  add_apply(app, line);
  add_delete(app, line);
  add_get(app, line);
  add_describe(app, line);
  add_logs(app, line);
  add_restart(app, line);
  add_validate(app, line);
  add_image(app, line);
  add_version(app, line);

  try {
    std::reverse(args.begin(), args.end()); // CLI11 takes them from the back
    app.parse(args);
  } catch (const CLI::CallForHelp&) {
    context.out << app.help();
    return exit_ok;
  } catch (const CLI::ParseError& error) {
    return usage_error(context.err, usage_text(app, error), command_path(app));
  }
  if (!line.action) return usage_error(context.err, "a command is missing", command_path(app));

  auto status = line.action();
  context.out.flush();
  if (status) return *status;
  context.err << "tank: " << status.error().message() << "\n";
  return exit_failed;
}

} // namespace tank::cli
