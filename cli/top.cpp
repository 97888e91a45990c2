#include "api/pod_usage.hpp"
#include "cli/chosen.hpp"
#include "cli/client.hpp"
#include "cli/invocation.hpp"
#include "cli/screen.hpp"
#include "cli/signals.hpp"
#include "cli/tables.hpp"
#include "cli/usage.hpp"
#include "cli/usage_table.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <chrono>
#include <ostream>

#include <poll.h>

namespace tank::cli {
namespace {

using usages = std::vector<pod_usage>;

struct top_options {
  std::vector<std::string> names;
  std::string ns;
  std::string output = "table";
  unsigned interval = 1;
};

result<usages> choose(usages pods, const top_options& given) {
  return chosen(std::move(pods), given.names, given.ns, "no such pod runs now");
}

/// Why a wait is over.
enum class woken { time, resized, end };

woken wait(termination_signals& signals, std::chrono::steady_clock::time_point until) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now())
            .count();
    if (left <= 0) return woken::time;
    pollfd ready{signals.fd(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(left));
    if (const int signal = signals.next(); signal != 0)
      return signal == SIGWINCH ? woken::resized : woken::end;
  }
}

result<int> live(invocation& line, const top_options& given, client& daemon) {
  auto signals = TANK_TRY(termination_signals::take(false, true));
  screen shown{line.context};
  usages before;
  for (;;) {
    auto all = TANK_TRY(daemon.usage());
    auto now = TANK_TRY(choose(std::move(all), given));
    shown.show_table(usage_table(usage_rows(before, now), shown.width()));
    before = std::move(now);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{given.interval};
    switch (wait(signals, until)) {
    case woken::end:
      return exit_ok;
    case woken::resized:
      shown.resized();
      break;
    case woken::time:
      break;
    }
    if (!line.context.out) return exit_ok;
  }
}

/// Two looks, one `interval` apart: a rate is a difference.
result<int> once(invocation& line, const top_options& given, client& daemon) {
  auto signals = TANK_TRY(termination_signals::take(false));
  auto first = TANK_TRY(daemon.usage());
  const auto before = TANK_TRY(choose(std::move(first), given));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{given.interval};
  if (wait(signals, until) == woken::end) return exit_failed;
  auto second = TANK_TRY(daemon.usage());
  const auto rows = usage_rows(before, TANK_TRY(choose(std::move(second), given)));
  if (given.output == "json")
    line.context.out << api::usage_document(rows, 2) << "\n";
  else
    line.context.out << usage_table(rows, 0);
  line.context.out.flush();
  return exit_ok;
}

} // namespace

void add_top(CLI::App& app, invocation& line) {
  auto given = std::make_shared<top_options>();
  auto* command = app.add_subcommand("top", "Show what pods use: processor, memory, processes");
  command->add_option("NAME", given->names, "only these pods");
  command->add_option("-n,--namespace", given->ns, "only this namespace")->type_name("NAMESPACE");
  accept_only(
      *command->add_option("-o,--output", given->output, "table or json")->type_name("FORMAT"),
      {"table", "json"});
  command->add_option("-i,--interval", given->interval, "seconds between two looks (1)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600).description("")); // the help page says SECONDS
  command->footer(
      "A live table on a terminal, until Ctrl-C; otherwise one table, after one interval.\n"
      "CPU is in thousandths of a processor, THROTTLED the share of the time in which\n"
      "its limit held a pod back. Nothing is measured while nobody looks.\n\n"
      "Examples:\n"
      "  tank top\n"
      "  tank top web -o json");
  command->callback([&line, given] {
    line.action = [&line, given]() -> result<int> {
      const auto settings = TANK_TRY(line.settings());
      auto daemon = TANK_TRY(client::connect(settings.dirs.control_socket()));
      const bool table = given->output == "table" && line.context.out_is_tty;
      return table ? live(line, *given, daemon) : once(line, *given, daemon);
    };
  });
}

} // namespace tank::cli
