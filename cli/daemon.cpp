#include "base/file.hpp"
#include "cli/notify.hpp"
#include "cli/serve.hpp"
#include "cli/signals.hpp"
#include "cli/tables.hpp"

#include <CLI/App.hpp>

#include <array>
#include <map>

#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tank::cli {
namespace {

void log_to_stderr(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("tank", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

/// One log line for each change of a pod's state.
void log_changes(const instance::view& view, std::map<std::string, std::string>& last) {
  for (const auto& pod : view.pods) {
    auto line = state_line(pod);
    auto& before = last[pod.key];
    if (before == line) continue;
    before = line;
    spdlog::info("{}", line);
  }
}

void tell_manager(const cli_context& context, std::string_view state) {
  if (auto told = notify(context.env("NOTIFY_SOCKET").value_or(""), state); !told)
    spdlog::warn("{}", told.error().message());
}

result<int> run_daemon(invocation& line) {
  const auto settings = TANK_TRY(line.settings());
  TANK_TRY(make_directories(settings.dirs.manifest_dir, 0755));
  log_to_stderr(settings.log_level);
  auto signals = TANK_TRY(termination_signals::take(true));
  auto start = TANK_TRY(
      make_start_options(line.context, settings, settings.dirs, {settings.dirs.manifest_dir}));
  auto tank = TANK_TRY(instance::start(std::move(start)));
  spdlog::info("tank " TANK_VERSION " watches {}", settings.dirs.manifest_dir.string());
  tell_manager(line.context, "READY=1");

  std::map<std::string, std::string> last;
  bool stopping = false;
  for (;;) {
    const auto view = tank->look();
    log_changes(view, last);
    if (view.stopped) break;
    std::array<pollfd, 2> fds{pollfd{tank->fd(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), -1);
    while (signals.next() != 0) {
      if (stopping) continue;
      stopping = true;
      spdlog::info("stopping all pods");
      tell_manager(line.context, "STOPPING=1");
      tank->stop(std::nullopt);
    }
  }
  spdlog::info("stopped");
  return exit_ok;
}

} // namespace

void add_daemon(CLI::App& app, invocation& line) {
  auto* command = app.add_subcommand("daemon", "Run the watch directory as a service");
  command->footer(
      "Logs to stderr, tells systemd when it is ready. SIGTERM or SIGINT stops all pods "
      "and ends it.\n\nExamples:\n"
      "  tank daemon\n"
      "  tank daemon --config /etc/tank/tank.yaml");
  command->callback([&line] { line.action = [&line] { return run_daemon(line); }; });
}

} // namespace tank::cli
