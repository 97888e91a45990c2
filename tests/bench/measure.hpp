/// Clocks, children and medians for the benchmarks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tank::bench {

/// CLOCK_REALTIME in nanoseconds: the clock that a workload can also read inside its namespaces.
std::int64_t now_ns();

/// One program that was run to its end.
struct finished {
  int status = -1;        ///< exit status, 128 + signal
  std::int64_t begin = 0; ///< just before the spawn
  std::int64_t end = 0;   ///< just after the wait
  std::string out;        ///< its standard output, at most 64 KiB
};

/// Runs `argv` (argv[0] searched in PATH), stdin and stderr on /dev/null unless `show_errors`.
finished run(const std::vector<std::string>& argv, bool show_errors = false);

/// Starts `argv` in the background with its output discarded; reap it with `wait_for`.
pid_t start(const std::vector<std::string>& argv, const std::string& error_file = "/dev/null");
int wait_for(pid_t child);

/// Starts `argv` and returns when it has written a first line; -1 when it ended before.
pid_t start_and_hear(const std::vector<std::string>& argv);

/// The number after the first occurrence of `key` in `text`.
std::optional<std::int64_t> number_after(std::string_view text, std::string_view key);

/// Proportional set size of a process in KiB (smaps_rollup); 0 when it is gone.
std::int64_t pss_kib(pid_t pid);

/// Processes of that name (comm), children of any parent.
std::vector<pid_t> processes_named(std::string_view comm);

/// Where a program is found in PATH; empty when it is not.
std::string find_program(std::string_view name);

/// Samples of one figure, in milliseconds.
class series {
 public:
  void add(double ms) { values_.push_back(ms); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] double quantile(double q) const; ///< 0..1; 0 when there is no sample
  [[nodiscard]] std::string text() const;        ///< "p50 / p95", or "-"

 private:
  std::vector<double> values_;
};

} // namespace tank::bench
