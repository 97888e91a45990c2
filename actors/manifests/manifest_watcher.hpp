/// The manifest watcher: files -> desired state, sent to the reconciler each time it changes.
///
/// Looks when inotify says so and every `rescan` besides (a symlink's target, a network file system
/// and a dropped event show only then). A file that was closed, moved or removed is looked at at
/// once; one that was just created when it has been quiet for `quiet`; one that is being written
/// when it is closed, or nothing happened to it for a whole `rescan`. Listing, reading and parsing
/// happen in a worker, one scan at a time.
///
/// Messages it takes (messages.hpp): get_files -> file_list; rescan_files -> file_list,
/// after a scan that began later than the question. The desired state is sent after the first scan
/// (also when empty), after each change, and again with each periodic look, so that a restarted
/// reconciler learns it.
#pragma once

#include "actors/poller.hpp"
#include "base/worker.hpp"
#include "pod/manifest_scan.hpp"
#include "pod/manifest_set.hpp"

#include <caf/actor.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

/// What a watcher leaves to its successor: without it, a file that is wrong just now would have no
/// last good version any more, and its pods would be stopped. Used by one watcher at a time.
struct watcher_memory {
  manifest_set set;
  std::shared_ptr<const file_marks> marks;
};

struct watcher_options {
  std::vector<std::filesystem::path> sources; ///< absolute: directories and single files
  bool owned = false;                         ///< scan_request::owned
  std::function<caf::actor()> reconciler;     ///< the one of now
  std::shared_ptr<job_runner> jobs;
  std::shared_ptr<fd_source> fds;
  std::chrono::milliseconds rescan = std::chrono::seconds{20};
  std::chrono::milliseconds quiet = std::chrono::milliseconds{100};
  /// How long a file must be missing before its pods are: editors, git and `mv a b; cp b a` let it
  /// come back.
  std::chrono::milliseconds patience = std::chrono::milliseconds{250};
  std::function<parsed_file(const std::string& file, std::string_view text)>
      judge;                              ///< judge_manifest
  std::shared_ptr<watcher_memory> memory; ///< empty: of its own, gone with it
  std::shared_ptr<spdlog::logger> logger; ///< may be empty
};

caf::actor spawn_manifest_watcher(caf::actor_system& sys, watcher_options options);

} // namespace tank
