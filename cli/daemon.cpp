#include "base/file.hpp"
#include "base/text.hpp"
#include "base/trusted_path.hpp"
#include "cli/image_store.hpp"
#include "cli/notify.hpp"
#include "cli/serve.hpp"
#include "cli/signals.hpp"
#include "cli/tables.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include <poll.h>
#include <spdlog/spdlog.h>

namespace tank::cli {
namespace {

/// One log line for each change of a pod's state.
void log_changes(const instance::view& view, std::map<std::string, std::string>& last) {
  for (const auto& pod : view.pods) {
    if (ends_now(pod)) continue;
    auto line = state_line(pod);
    auto& before = last[pod.key];
    if (before == line) continue;
    before = line;
    spdlog::info("event=pod_changed pod={} state={} line={}", pod.key, to_string(pod.state),
                 in_quotes(line));
  }
  std::erase_if(last, [&](const auto& known) {
    const bool there = std::any_of(view.pods.begin(), view.pods.end(),
                                   [&](const auto& pod) { return pod.key == known.first; });
    if (!there) spdlog::info("event=pod_gone pod={}", known.first);
    return !there;
  });
}

void tell_manager(const cli_context& context, std::string_view state) {
  if (auto told = notify(context.env("NOTIFY_SOCKET").value_or(""), state); !told)
    spdlog::warn("event=notify_failed error={}", in_quotes(told.error().message()));
}

result<int> run_daemon(invocation& line, bool stop_pods) {
  const auto settings = TANK_TRY(line.settings());
  stop_pods = stop_pods || settings.stop_pods_on_exit;
  TANK_TRY(make_directories(settings.dirs.manifest_dir, 0755));
  TANK_TRY(check_trusted_directory(settings.dirs.manifest_dir, writers::and_group));
  log_to_stderr(settings.log_level);
  TANK_TRY(take_descriptors());
  auto signals = TANK_TRY(termination_signals::take(true));
  auto start = TANK_TRY(
      make_start_options(line.context, settings, settings.dirs, {settings.dirs.manifest_dir}));
  start.adopt = true;
  start.owned_manifests = true;
  start.images.room_period = settings.images.gc_period;
  start.images.named_by_manifests = [dir = settings.dirs.manifest_dir] {
    return images_of_manifests(dir);
  };
  auto tank = TANK_TRY(instance::start(std::move(start)));
  spdlog::info("event=started version=" TANK_VERSION " manifests={}",
               settings.dirs.manifest_dir.string());
  tell_manager(line.context, "READY=1");

  std::map<std::string, std::string> last;
  bool stopping = false;
  for (;;) {
    const auto view = tank->look();
    log_changes(view, last);
    if (view.stopped) break;
    if (!view.failed.empty()) return fail(errc::internal, "run", "the daemon", view.failed);
    std::array<pollfd, 2> fds{pollfd{tank->fd(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), -1);
    while (signals.next() != 0) {
      if (stopping) continue;
      stopping = true;
      spdlog::info("event=stopping pods={}", stop_pods ? "stop" : "run_on");
      tell_manager(line.context, "STOPPING=1");
      if (stop_pods) tank->stop(std::nullopt);
    }
    if (stopping && !stop_pods) break;
  }
  tank.reset();
  spdlog::info("event=stopped");
  return exit_ok;
}

} // namespace

void add_daemon(CLI::App& app, invocation& line) {
  auto* command = app.add_subcommand("daemon", "Run the watch directory as a service");
  auto stop_pods = std::make_shared<bool>(false);
  command->add_flag("--stop-pods-on-exit", *stop_pods,
                    "SIGTERM stops the pods too (stopPodsOnExit)");
  command->footer(
      "Logs to stderr, tells systemd when it is ready. SIGTERM or SIGINT ends it, and its pods\n"
      "run on: the next daemon with the same run directory takes them over, also after a crash.\n"
      "\nExamples:\n"
      "  tank daemon\n"
      "  tank daemon --stop-pods-on-exit\n"
      "  tank daemon --config /etc/tank/tank.yaml");
  command->callback([&line, stop_pods] {
    line.action = [&line, stop_pods] { return run_daemon(line, *stop_pods); };
  });
}

} // namespace tank::cli
