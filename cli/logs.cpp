#include "cli/client.hpp"
#include "cli/invocation.hpp"
#include "cli/log_files.hpp"
#include "cli/signals.hpp"
#include "cli/usage.hpp"

#include <CLI/App.hpp>

#include <deque>
#include <optional>
#include <ostream>

namespace tank::cli {
namespace {

struct logs_options {
  std::string name;
  std::string ns;
  std::string container;
  bool follow = false;
  bool timestamps = false;
  bool previous = false;
  std::optional<std::size_t> tail;
};

/// Prints entries: stdout's to stdout, stderr's to stderr, as the workload wrote them.
class printer {
 public:
  printer(cli_context& context, bool timestamps) : context_{context}, timestamps_{timestamps} {}

  void operator()(const log_entry& entry) {
    auto& to = entry.stream == log_stream::out ? context_.out : context_.err;
    if (timestamps_ && !entry.time.empty()) to << entry.time << " ";
    to << entry.text;
    if (entry.ended) to << "\n";
    // Keeps the order of the two streams when both are one terminal.
    if (&to != last_ && last_ != nullptr) last_->flush();
    last_ = &to;
  }
  void flush() {
    context_.out.flush();
    context_.err.flush();
  }

 private:
  cli_context& context_;
  bool timestamps_;
  std::ostream* last_ = nullptr;
};

result<int> follow(const cli_context& context, const directories& dirs, log_query query,
                   const log_run& run, unique_fd live, cri_parser& parser, printer& print) {
  query.container = run.container_dir.filename().string();
  auto signals = TANK_TRY(termination_signals::take(false));
  print.flush();
  const cri_parser::sink give = [&](const log_entry& entry) {
    print(entry);
    print.flush();
  };
  const auto lost = [&] {
    context.err << "tank: lines are missing here: the log was rotated before they were read\n";
    print.flush();
  };
  TANK_TRY(follow_log(dirs, query, run, std::move(live), parser, give, signals.fd(), context.out_fd,
                      lost));
  return exit_ok;
}

/// The run to begin with. With -f, that of a pod which the daemon is still bringing up is waited
/// for; nullopt: told to stop meanwhile.
result<std::optional<log_run>> first_run(const cli_context& context, const directories& dirs,
                                         const pod_name& pod, const log_query& query, bool follow) {
  auto found = find_log(dirs, query);
  if (found || !follow || found.error().code != errc::not_found) return TANK_TRY(std::move(found));
  auto daemon = client::connect(dirs.control_socket());
  const auto desired = daemon ? daemon->pods(pod.key()) : std::vector<pod_status>{};
  // A name that nobody knows would be waited for for ever.
  if (!desired || desired->empty()) return TANK_TRY(std::move(found));
  auto signals = TANK_TRY(termination_signals::take(false));
  return await_log(dirs, query, signals.fd(), context.out_fd);
}

result<int> logs(invocation& line, const logs_options& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto pod = TANK_TRY(parse_pod_name(given.name, given.ns));
  const log_query query{pod.ns, pod.name, given.container, given.previous};
  const auto begin = TANK_TRY(first_run(line.context, settings.dirs, pod, query, given.follow));
  if (!begin) return exit_ok;
  const auto& run = *begin;

  printer print{line.context, given.timestamps};
  cri_parser parser;
  unique_fd live;
  std::deque<log_entry> last;
  const cri_parser::sink keep = [&](const log_entry& entry) {
    if (*given.tail == 0) return;
    if (last.size() == *given.tail) last.pop_front();
    last.push_back(entry);
  };
  const cri_parser::sink give = given.tail ? keep : cri_parser::sink{std::ref(print)};
  TANK_TRY(read_log(run, parser, give, &live));
  if (!given.follow) parser.finish(give);
  for (const auto& entry : last)
    print(entry);
  if (given.follow)
    return follow(line.context, settings.dirs, query, run, std::move(live), parser, print);
  print.flush();
  return exit_ok;
}

} // namespace

void add_logs(CLI::App& app, invocation& line) {
  auto given = std::make_shared<logs_options>();
  auto* command = app.add_subcommand("logs", "Print the output of a pod");
  command->add_option("NAME", given->name, "web, pod/web, or ns/web")->required();
  command->add_option("-n,--namespace", given->ns, "namespace of NAME (default)")
      ->type_name("NAMESPACE");
  command->add_option("-c,--container", given->container, "when the pod has several")
      ->type_name("NAME");
  auto* follow = command->add_flag("-f,--follow", given->follow,
                                   "go on as it comes, across restarts, until Ctrl-C");
  accept_count(
      *command->add_option("--tail", given->tail, "only the last N lines")->type_name("N"));
  command->add_flag("--timestamps", given->timestamps, "put its time before each line");
  command->add_flag("-p,--previous", given->previous, "of the run before the last restart")
      ->excludes(follow);
  command->footer("Reads the log files directly: works without a daemon, and for pods that are "
                  "gone.\n\nExamples:\n"
                  "  tank logs web --tail 20\n"
                  "  tank logs web -f --timestamps");
  command->callback(
      [&line, given] { line.action = [&line, given] { return logs(line, *given); }; });
}

} // namespace tank::cli
