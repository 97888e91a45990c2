/// The files and directories of pods on the host: the part of the port that makes and removes them.
#pragma once

#include "base/error.hpp"
#include "kernel/launch_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

namespace tank::kernel {

/// What a path of the host must be.
enum class host_path_type : std::uint8_t {
  anything,
  directory,
  file,
  socket,
  character_device,
  block_device
};

/// Whether pods write to that directory.
using untrusted_directory = std::function<bool(const struct stat& directory)>;

/// All calls block, and are made from worker threads. Thread-safe.
///
/// Tank's own paths are walked component by component, by descriptor: each is opened below the one
/// before it, and what is then made, chowned or written is what was opened. A symbolic link on the
/// way is followed only when root, or who we are, owns it, and nobody else may write to its
/// directory (/var/run -> /run); at the end of a path it never is. Paths are absolute, without
/// "..".
class pod_files {
 public:
  virtual ~pod_files() = default;

  /// Removes a tree without following symlinks or crossing mounts. A missing tree is success.
  virtual result<void> remove_tree(const std::filesystem::path& path) = 0;

  /// Makes a pod's writable directories {upper, work} in `dir`, which is made when missing; its
  /// parent exists. An existing upper or work is errc::exists: a container begins with nothing of
  /// its predecessor's. `owner` is the host's id of the pod's root.
  virtual result<void> make_upper(const std::filesystem::path& dir, std::uint32_t owner) = 0;

  /// Makes a directory and those above it that are missing, each with `mode` whatever the umask.
  /// Existing ones are left as they are.
  virtual result<void> make_directory(const std::filesystem::path& path, mode_t mode) = 0;

  /// Makes an emptyDir, owned by the host's ids `uid` and `gid`, and the directories above it
  /// (0700, ours). One that exists, of an earlier run of the pod, is left as it is, with all that
  /// is in it. It appears complete or not at all, whenever this process ends.
  virtual result<void> make_empty_dir(const std::filesystem::path& path, mode_t mode,
                                      std::uint32_t uid, std::uint32_t gid) = 0;

  /// Writes the file `name` (0644) in the existing directory `dir`, owned by the host's ids. One
  /// that is there is replaced at once; who has the old one mounted keeps that.
  virtual result<void> write_pod_file(const std::filesystem::path& dir, const std::string& name,
                                      std::string_view text, std::uint32_t uid,
                                      std::uint32_t gid) = 0;

  /// Where a path of the host leads, as a path without links, when it is of its type. Links are
  /// followed at its end too, but none of those in an `untrusted` directory or below. With `create`
  /// a missing directory (0755, with those above it) or file (0644) is made first.
  /// errc::not_found, errc::invalid for another type, errc::denied.
  virtual result<std::filesystem::path> resolve_host_path(const std::filesystem::path& path,
                                                          host_path_type type, bool create,
                                                          const untrusted_directory& untrusted) = 0;

  /// The devices below `dir` (the host's /dev) but for those that every container has of its own:
  /// the usual ones, terminals of devpts, the console. At most 4000; sorted.
  virtual result<std::vector<device_step>> probe_devices(const std::filesystem::path& dir) = 0;
};

// What the real port does, each the function of its name.
result<void> make_upper(const std::filesystem::path& dir, std::uint32_t owner);
result<void> make_directory(const std::filesystem::path& path, mode_t mode);
result<void> make_empty_dir(const std::filesystem::path& path, mode_t mode, std::uint32_t uid,
                            std::uint32_t gid);
result<void> write_pod_file(const std::filesystem::path& dir, const std::string& name,
                            std::string_view text, std::uint32_t uid, std::uint32_t gid);
result<std::filesystem::path> resolve_host_path(const std::filesystem::path& path,
                                                host_path_type type, bool create,
                                                const untrusted_directory& untrusted);
result<std::vector<device_step>> probe_devices(const std::filesystem::path& dir);

} // namespace tank::kernel
