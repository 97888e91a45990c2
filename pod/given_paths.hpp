/// The directories of the host that pods write to, as hostPaths: a symbolic link in one, or below,
/// may be a trap for the next pod that is given a path there (SECURITY.md class 3). A pod's root is
/// often the host's, so the owner of a link tells nothing.
///
/// <state_dir>/host_paths.json keeps them, over restarts, removals of pods, and for all instances
/// that share the state directory. The newest 4096 count.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <sys/stat.h>

namespace tank {

/// Thread-safe. Blocking: a version of the file that is new is read, a new directory writes one.
class given_paths {
 public:
  explicit given_paths(directories dirs) : dirs_{std::move(dirs)} {}

  /// A pod may write to the directory `path`, which has no links on it. Not noted are those at the
  /// top of the host, such as /var: who is given one has the host.
  result<void> add(const std::filesystem::path& path);
  [[nodiscard]] bool contains(const struct stat& directory);

 private:
  void load(); ///< with mutex_ held

  const directories dirs_;
  std::mutex mutex_;                             ///< guards what follows
  std::optional<std::pair<ino_t, long>> loaded_; ///< which version: inode and ns of its time
  std::set<std::filesystem::path> paths_;
  std::set<std::pair<dev_t, ino_t>> known_; ///< the same, as they are now
};

} // namespace tank
