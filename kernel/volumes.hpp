/// Volumes that are made in memory: mounts of tmpfs on the host, and files that appear in them all
/// at once. Part of port.hpp; the rules for Tank's own paths are those of pod_files.hpp.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tank::kernel {

/// One tmpfs. It is never written to swap where the kernel can do that (6.4).
struct memory_mount {
  std::uint64_t size = 0; ///< bytes, in whole pages; 0: half of the machine's memory
  mode_t mode = 0700;     ///< of its root, as are the host's ids
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const memory_mount&) const = default;
};

struct projected_file {
  std::string path; ///< relative to the volume; no part of it is "." or ".."
  std::string content;
  std::uint32_t mode = 0644; ///< permission bits
  std::uint32_t uid = 0;     ///< the host's, as is the group
  std::uint32_t gid = 0;
  bool operator==(const projected_file&) const = default;
};

/// All that a volume of ConfigMaps, Secrets and fields shows.
struct projection {
  std::vector<projected_file> files; ///< in order of paths, each once, none a part of another
  std::uint32_t directory_mode = 0755;
  std::uint32_t uid = 0; ///< of the directories: the host's, as is the group
  std::uint32_t gid = 0;
  bool operator==(const projection&) const = default;
};

/// All calls block, and are made from worker threads. Thread-safe for different paths.
class volumes {
 public:
  virtual ~volumes() = default;

  /// Mounts a new tmpfs on `dir`, which is made when missing with those above it (0700). One that
  /// is mounted there already is left as it is, with all that is in it.
  virtual result<void> mount_memory(const std::filesystem::path& dir, const memory_mount& what) = 0;

  /// Unmounts all that is mounted on `dir` and below it, and removes the directory. Who uses it goes
  /// on using it; what is in it is gone with the last of them. Nothing there is success.
  virtual result<void> unmount_memory(const std::filesystem::path& dir) = 0;

  /// Makes `dir`, which is made when missing, show exactly these files, all from one instant to the
  /// next: `dir/<name>` leads through the link `dir/..data` to a directory of one version, and that
  /// link is replaced by a rename. What is there already, content, modes and owners alike, is left
  /// as it is. Whenever this process ends, `dir` shows the old version or the new one.
  virtual result<void> project(const std::filesystem::path& dir, const projection& what) = 0;
};

// What the real port does, each the function of its name.
result<void> mount_memory(const std::filesystem::path& dir, const memory_mount& what);
result<void> unmount_memory(const std::filesystem::path& dir);
result<void> project(const std::filesystem::path& dir, const projection& what);

} // namespace tank::kernel
