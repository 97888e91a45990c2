/// Where the log of a pod is, and reading it: no daemon is needed for either.
///
///     <log_dir>/pods/<namespace>_<name>_<uid>/<container>/<restart>.log[.<n>]
///
/// An edited pod has a new uid and so a new directory; the newest one is meant. Rotated files carry
/// a number behind the name, the highest is the oldest.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "cli/cri_log.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tank::cli {

/// One run of one container.
struct log_run {
  std::filesystem::path container_dir;
  std::uint32_t restart = 0;
  bool operator==(const log_run&) const = default;

  [[nodiscard]] std::filesystem::path file() const;
  /// The run's files that exist, oldest first; the live one last.
  [[nodiscard]] std::vector<std::filesystem::path> files() const;
};

struct log_query {
  std::string ns = "default";
  std::string name;
  std::string container; ///< empty: the only one
  bool previous = false; ///< the run before the newest
};

/// The run that `query` means. errc::not_found when nothing was logged under that name,
/// errc::invalid when the pod has several containers and none is named.
result<log_run> find_log(const directories& dirs, const log_query& query);

/// Reads a run's files through `parser`, oldest first. `live` receives the last file, open and at
/// its end, for who wants to go on from there. All files are opened before the first is read, so
/// that a rotation meanwhile neither drops nor repeats lines.
result<void> read_log(const log_run& run, cri_parser& parser, const cri_parser::sink& give,
                      unique_fd* live = nullptr);

/// The run's files, open, oldest first. Each file once, whatever is rotated meanwhile.
result<std::vector<unique_fd>> open_logs(const log_run& run);

/// Reads what is left of one open log file. `name` is for messages.
result<void> drain_log(int fd, const std::string& name, cri_parser& parser,
                       const cri_parser::sink& give);

/// `find_log` that waits, on inotify, for the pod's first run. nullopt when `stop_fd` is readable,
/// or nobody reads `out_fd` any more, before there is one.
result<std::optional<log_run>> await_log(const directories& dirs, const log_query& query,
                                         int stop_fd, int out_fd = -1);

/// Goes on where `read_log` ended: gives what is written from now on, across rotation, restarts and
/// edits of the pod. Waits on inotify and `stop_fd`; returns when `stop_fd` is readable, nobody
/// reads `out_fd` any more (-1: not looked at), or the pod's logs are gone. `lost`, if not empty, is
/// called where files are gone that were rotated away before they could be read.
result<void> follow_log(const directories& dirs, const log_query& query, log_run run,
                        unique_fd live, cri_parser& parser, const cri_parser::sink& give,
                        int stop_fd, int out_fd = -1, const std::function<void()>& lost = {});

} // namespace tank::cli
