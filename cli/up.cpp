#include "cli/screen.hpp"
#include "cli/serve.hpp"
#include "cli/signals.hpp"
#include "cli/tables.hpp"
#include "cli/up_verdict.hpp"
#include "cli/usage.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <ostream>
#include <system_error>

#include <poll.h>
#include <unistd.h>

namespace tank::cli {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

struct up_options {
  std::vector<std::string> sources;
  std::string wait;
  std::string until;
  std::string timeout;
};

/// "30s", "500ms", "2m", "1h", "10".
result<std::chrono::milliseconds> parse_duration(const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
    ++digits;
  const auto unit = text.substr(digits);
  const std::int64_t factor = unit == "ms"                  ? 1
                              : unit.empty() || unit == "s" ? 1000
                              : unit == "m"                 ? 60'000
                              : unit == "h"                 ? 3'600'000
                                                            : 0;
  if (digits == 0 || digits > 9 || factor == 0)
    return fail(errc::invalid, "understand the duration", text, "it is not like 30s, 500ms or 2m");
  return std::chrono::milliseconds{std::stoll(text.substr(0, digits)) * factor};
}

class up_loop {
 public:
  up_loop(cli_context& context, instance& tank, termination_signals& signals, log_lines* log,
          up_goal goal, std::optional<clock::time_point> deadline)
      : context_{context}
      , tank_{tank}
      , signals_{signals}
      , log_{log}
      , goal_{goal}
      , deadline_{deadline} {}

  /// Runs until every pod is stopped; true when it ended as wanted.
  bool run() {
    screen shown{context_};
    for (;;) {
      const auto view = tank_.look();
      shown.show(view);
      if (view.stopped) break;
      if (!view.failed.empty()) {
        problems_.push_back(view.failed);
        break;
      }
      if (!stopping_) decide(view);
      wait();
      if (log_ != nullptr)
        for (const auto& said : log_->take())
          shown.say(printable(said));
      on_signals(shown);
    }
    return problems_.empty();
  }

  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  void decide(const instance::view& view) {
    auto end = judge_up(view, goal_);
    if (!end && deadline_ && clock::now() >= *deadline_) {
      end = up_end{missing(view, goal_)};
      end->problems.insert(end->problems.begin(), "the time is over");
    }
    if (!end) return;
    problems_ = end->problems;
    begin_stop(std::nullopt);
  }

  void begin_stop(std::optional<std::chrono::seconds> grace) {
    stopping_ = true;
    tank_.stop(grace);
  }

  void wait() {
    int timeout = -1;
    if (deadline_ && !stopping_) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
    }
    std::array<pollfd, 3> fds{pollfd{tank_.fd(), POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0},
                              pollfd{log_ != nullptr ? log_->fd() : -1, POLLIN, 0}};
    ::poll(fds.data(), fds.size(), timeout);
  }

  void on_signals(screen& shown) {
    while (const int signal = signals_.next()) {
      if (signal == SIGWINCH) {
        shown.resized();
        continue;
      }
      if (!wishes_.is_new(signal, signals_.sender(), clock::now())) continue;
      if (stopping_ && signalled_) {
        shown.say("killing all pods");
        begin_stop(std::chrono::seconds{0});
      } else {
        if (!stopping_) shown.say("stopping all pods (again to kill them)");
        begin_stop(std::nullopt);
      }
      signalled_ = true;
    }
  }

  cli_context& context_;
  instance& tank_;
  termination_signals& signals_;
  log_lines* log_; ///< nullptr: it goes elsewhere
  up_goal goal_;
  std::optional<clock::time_point> deadline_;
  std::vector<std::string> problems_;
  bool stopping_ = false;
  wishes wishes_;
  bool signalled_ = false;
};

result<int> run_up(invocation& line, const up_options& given) {
  auto settings = TANK_TRY(line.settings());
  std::vector<fs::path> sources;
  for (const auto& source : given.sources) {
    std::error_code ec;
    if (source.empty()) return fail(errc::invalid, "read a source", "", "its name is empty");
    auto path = fs::canonical(source, ec);
    if (ec) return fail_errno(ec.value(), "read", source);
    if (!fs::is_directory(path, ec) && !fs::is_regular_file(path, ec))
      return fail(errc::invalid, "run", source, "it is neither a directory nor a regular file");
    sources.push_back(std::move(path));
  }
  const auto goal = !given.until.empty()  ? up_goal::exit
                    : !given.wait.empty() ? up_goal::ready
                                          : up_goal::forever;
  std::optional<clock::time_point> deadline;
  if (!given.timeout.empty()) deadline = clock::now() + TANK_TRY(parse_duration(given.timeout));

  const bool chosen = line.flags.run_dir || line.context.env("TANK_RUN_DIR").value_or("") != "";
  // Beside a daemon and other ones: it shares their images, and nothing else.
  if (!chosen) settings.dirs.run_dir /= "up-" + std::to_string(::getpid());
  const auto log = line.context.out_is_tty ? log_to_lines("error") : nullptr;
  if (!log) log_to_stderr("error"); // how pods end is told in lines of its own
  TANK_TRY(take_descriptors());
  auto signals = TANK_TRY(termination_signals::take(false, true));
  auto start =
      TANK_TRY(make_start_options(line.context, settings, settings.dirs, std::move(sources)));
  auto tank = TANK_TRY(instance::start(std::move(start)));
  up_loop loop{line.context, *tank, signals, log.get(), goal, deadline};
  const bool good = loop.run();
  for (const auto& problem : loop.problems())
    line.context.err << "tank: " << printable(problem) << "\n";
  return good ? exit_ok : exit_failed;
}

} // namespace

void add_up(CLI::App& app, invocation& line) {
  auto given = std::make_shared<up_options>();
  auto* command = app.add_subcommand("up", "Run manifests in the foreground until Ctrl-C");
  command->add_option("SOURCE", given->sources, "directories and manifest files")->required();
  auto* wait =
      command->add_option("--wait", given->wait, "end well once all pods run")->type_name("ready");
  accept_only(*wait, {"ready"});
  auto* until =
      command
          ->add_option("--for", given->until,
                       "end once all pods with restartPolicy Never or OnFailure have ended")
          ->type_name("exit");
  accept_only(*until, {"exit"});
  until->excludes(wait);
  command->add_option("--timeout", given->timeout, "how long to wait for that, such as 30s or 2m")
      ->type_name("TIME");
  command->footer(
      "Shows a live table on a terminal, plain lines otherwise. Ctrl-C stops all pods gracefully, "
      "a\n"
      "second one kills them. Ends with 0, or 1 when --wait or --for was not reached. However it\n"
      "ends, its pods end with it.\n\nExamples:\n"
      "  tank up examples/\n"
      "  tank up web.yaml db.yaml\n"
      "  tank up --wait=ready --timeout=30s examples/\n"
      "  tank up --for=exit job.yaml");
  command->callback([&line, given] {
    if (!given->timeout.empty()) {
      const auto time = parse_duration(given->timeout);
      if (!time) line.misuse = time.error().message();
      if (given->wait.empty() && given->until.empty())
        line.misuse = "--timeout is for --wait=ready or --for=exit";
    }
    line.action = [&line, given] { return run_up(line, *given); };
  });
}

} // namespace tank::cli
