/// Clocks, children and medians for the benchmarks.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tank::bench {

/// CLOCK_REALTIME in nanoseconds: the clock that a workload can also read inside its namespaces.
std::int64_t now_ns();

/// From one now_ns() to another, in milliseconds.
double ms(std::int64_t from, std::int64_t to);

/// One program that was run to its end.
struct finished {
  int status = -1;        ///< exit status; 128 + signal; -1 when it could not be started
  std::int64_t begin = 0; ///< just before the spawn
  std::int64_t end = 0;   ///< just after the wait
  std::string out;        ///< its standard output, at most 64 KiB
  std::string err;        ///< the end of its standard error, at most 2 KiB
};

/// Runs `argv` (argv[0] searched in PATH), stdin on /dev/null.
finished run(const std::vector<std::string>& argv);

/// "exit status 3" or "signal 9", then the standard error: what a person is told of a failure.
std::string why_failed(const finished& f);

/// A program that runs. Its standard error goes to a file in memory; output is discarded.
struct running {
  pid_t pid = -1; ///< -1: it could not be started
  unique_fd err;
};

/// Starts `argv` in the background; end it with `wait_for`.
running start(const std::vector<std::string>& argv);
/// Starts `argv` and returns when it has written a first line. When it ended before: `pid` is -1,
/// and `failed` says how it ended.
running start_and_hear(const std::vector<std::string>& argv, finished& failed);
/// Reaps it; as finished::status.
int wait_for(pid_t child);
/// The end of what it wrote to its standard error, at most 2 KiB.
std::string error_text(const running& program);

/// The number after the first occurrence of `key` in `text`.
std::optional<std::int64_t> number_after(std::string_view text, std::string_view key);

/// Proportional set size of a process in KiB (smaps_rollup); 0 when it is gone.
std::int64_t pss_kib(pid_t pid);

/// Processes of that name (comm), children of any parent.
std::vector<pid_t> processes_named(std::string_view comm);

/// Where a program is found in PATH; empty when it is not.
std::string find_program(std::string_view name);

/// "load average 0.31 0.20 0.11, 1 runnable": what else the machine does.
std::string load_text();
/// "2 CPUs, Linux 6.1.0".
std::string machine_text();

/// Samples of one figure, at most one a round.
class series {
 public:
  void add(int round, double value) { values_[round] = value; }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] double quantile(double q) const; ///< 0..1; 0 when there is no sample
  [[nodiscard]] std::string text() const;        ///< "p50 / p95", or "-"
  /// This series' values divided by the other's of the same rounds.
  [[nodiscard]] series ratio_to(const series& other) const;

 private:
  std::map<int, double> values_;
};

} // namespace tank::bench
