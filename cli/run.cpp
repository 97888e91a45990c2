#include "cli/context.hpp"
#include "cli/invocation.hpp"
#include "cli/tables.hpp"
#include "cli/usage.hpp"

#include <CLI/App.hpp>

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
        ->type_name("PATH")
        ->group("Global options")
        ->check(CLI::Validator{[](std::string& given) -> std::string {
                                 return given.empty() ? "the path is empty (an unset variable?)"
                                                      : "";
                               },
                               ""});
  };
  dir("--config", flags.config, "settings file (TANK_CONFIG; /etc/tank/tank.yaml)");
  dir("--manifest-dir", flags.manifest_dir,
      "watch directory (TANK_MANIFEST_DIR; /etc/tank/pods.d)");
  dir("--state-dir", flags.state_dir, "images, writable layers (TANK_STATE_DIR; /var/lib/tank)");
  dir("--run-dir", flags.run_dir, "socket, live pods (TANK_RUN_DIR; /run/tank)");
  dir("--log-dir", flags.log_dir, "output of pods (TANK_LOG_DIR; /var/log/tank)");
  dir("--cgroup-root", flags.cgroup_root,
      "in the cgroup hierarchies (TANK_CGROUP_ROOT; a delegated subtree, else /tank)");
}

/// Ends a run: what was printed must have arrived, or the status would lie.
int finish(cli_context& context, int status) {
  context.out.flush();
  if (context.out) return status;
  context.err << "tank: cannot write the output (is the disk full, or stdout closed?)\n";
  return status == exit_ok ? exit_failed : status;
}

int failed(cli_context& context, error why) {
  context.out.flush();
  if (why.code == errc::denied && why.hint.empty() && !context.is_root)
    why.hint = "run this as root";
  context.err << "tank: " << printable(why.message()) << "\n";
  return exit_failed;
}

int usage_error(std::ostream& err, const std::string& text, const std::string& where) {
  err << "tank: " << text << " (see: " << where << " --help)\n";
  return exit_usage;
}

} // namespace

int run(cli_context& context, std::vector<std::string> args) {
  CLI::App app{"Runs Kubernetes Pod manifests on this host", "tank"};
  app.fallthrough(); // global options may stand behind the command
  app.require_subcommand(1);
  app.formatter(help_formatter());
  app.set_help_flag("-h,--help", "this page");
  app.set_version_flag("--version", version_line(), "the version");

  invocation line{context, {}, {}, {}};
  add_globals(app, line.flags);
  add_up(app, line);
  add_daemon(app, line);
  add_apply(app, line);
  add_delete(app, line);
  add_get(app, line);
  add_describe(app, line);
  add_logs(app, line);
  add_restart(app, line);
  add_top(app, line);
  add_validate(app, line);
  add_image(app, line);
  add_volume(app, line);
  add_version(app, line);
  for (auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    command->group("Commands");
  app.footer(root_help); // last: commands made after it would inherit it

  // `tank help logs` is what people try first.
  const bool asks = !args.empty() && args.front() == "help";
  if (asks) {
    args.erase(args.begin());
    args.emplace_back("--help");
  }
  try {
    std::reverse(args.begin(), args.end()); // CLI11 takes them from the back
    app.parse(args);
  } catch (const CLI::CallForHelp& wish) {
    if (asks && !app.remaining(true).empty())
      return usage_error(context.err, usage_text(app, wish), command_path(app));
    context.out << app.help();
    return finish(context, exit_ok);
  } catch (const CLI::CallForVersion&) {
    context.out << version_line() << "\n";
    return finish(context, exit_ok);
  } catch (const CLI::ParseError& error) {
    return usage_error(context.err, usage_text(app, error), command_path(app));
  }
  if (!line.misuse.empty()) return usage_error(context.err, line.misuse, command_path(app));

  auto status = line.action();
  return status ? finish(context, *status) : failed(context, std::move(status.error()));
}

} // namespace tank::cli
