/// Which logs of earlier runs go when a new run is prepared: logs are bounded without a clock and
/// without a janitor, because only a new run makes new ones. Called from worker threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tank {

/// Earlier runs of a container that keep their logs: what `tank logs` shows of a crash loop.
constexpr std::size_t kept_runs = 5;
/// Log directories of one namespace and name, that of the new run among them: each content (uid) of
/// a pod has its own, but for its limits, and they outlive it.
constexpr std::size_t kept_pods = 3;
/// Log directories of all pods together, so that ever new names do not fill the disk. More than
/// this, and those written longest ago go, until there are `kept_after_sweep`: a look at all of
/// them is not for each run.
constexpr std::size_t kept_directories = 1000;
constexpr std::size_t kept_after_sweep = 900;

/// What is there. A log is in use while a shim writes it: another Tank may share the directory.
struct log_listing {
  struct file {
    std::string name;
    bool in_use = false;
  };
  struct pod {
    std::string name;         ///< <namespace>_<name>_<uid>
    std::int64_t written = 0; ///< when anything in it last changed, ns since 1970
    bool in_use = false;
  };
  std::vector<file> files; ///< of the container that will run; foreign names do not matter
  std::vector<pod> others; ///< of the same namespace and name, without that of the new run
};

/// Names out of the listing. Nothing that is in use is among them.
struct old_logs {
  std::vector<std::string> files;
  std::vector<std::string> pods;
  bool operator==(const old_logs&) const = default;
};
old_logs logs_to_remove(const log_listing& listing);

/// Of all log directories but that of the new run: the oldest ones that are too many.
std::vector<std::string> pods_too_many(std::vector<log_listing::pod> all,
                                       std::size_t most = kept_directories,
                                       std::size_t then = kept_after_sweep);

/// Removes what `logs_to_remove` says, for a run whose log will be `log`
/// (<pods>/<namespace>_<name>_<uid>/<container>/<n>.log, not yet there). Follows no symlink below
/// <pods>. What cannot be removed stays until the next run: it must not keep a pod from running.
void remove_old_logs(const std::filesystem::path& log);

} // namespace tank
