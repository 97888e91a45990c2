/// One cgroup's directory by descriptor, and its files. Private to the cgroup driver.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tank::kernel {

/// Owns the descriptor, not the cgroup. `path` is for messages.
class cgroup_dir {
 public:
  /// By path: of a hierarchy's mount, or Tank's own directory in it.
  static result<cgroup_dir> open(const std::filesystem::path& path);
  /// A child, never through a symlink. errc::not_found.
  [[nodiscard]] result<cgroup_dir> child(const std::string& name) const;

  /// errc::exists.
  [[nodiscard]] result<void> make(const std::string& name) const;
  /// errc::conflict while something is in it.
  [[nodiscard]] result<void> remove(const std::string& name) const;

  /// The file's whole content, at most 1 MiB. errc::not_found.
  [[nodiscard]] result<std::string> read(std::string_view file) const;
  [[nodiscard]] result<void> write(std::string_view file, std::string_view value) const;
  [[nodiscard]] bool has(std::string_view file) const;

  /// The processes in it, not in its children.
  [[nodiscard]] result<std::vector<pid_t>> processes() const;
  [[nodiscard]] std::vector<std::string> children() const;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  cgroup_dir(unique_fd fd, std::filesystem::path path)
      : fd_(std::move(fd))
      , path_(std::move(path)) {}
  unique_fd fd_;
  std::filesystem::path path_;
};

} // namespace tank::kernel
