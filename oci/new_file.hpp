/// A file or a directory that appears under its name only when it is whole.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <string>

namespace tank::oci {

/// Has no name before `commit`, or on filesystems without nameless files one that begins with a
/// dot, beside the final one. Goes when it is not committed; without a name also when the process
/// is killed.
class new_file {
 public:
  /// errc::exists when `path` exists. The mode is 0644, less the umask.
  static result<new_file> begin(std::filesystem::path path);
  new_file(new_file&& other) noexcept;
  new_file& operator=(new_file&&) = delete;
  ~new_file();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// errc::exists when somebody was faster.
  result<void> commit();

 private:
  new_file(std::filesystem::path path, unique_fd fd, std::filesystem::path temporary);

  std::filesystem::path path_;
  unique_fd fd_;
  std::filesystem::path temporary_; ///< empty: it has no name
};

/// The same for a directory, mode 0755 less the umask: it is filled under a name that begins with a
/// dot.
class new_directory {
 public:
  static result<new_directory> begin(std::filesystem::path path);
  new_directory(new_directory&& other) noexcept;
  new_directory& operator=(new_directory&&) = delete;
  ~new_directory();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return temporary_; }
  result<void> commit();

 private:
  new_directory(std::filesystem::path path, std::filesystem::path temporary);

  std::filesystem::path path_;
  std::filesystem::path temporary_; ///< empty once it is committed or moved from
};

} // namespace tank::oci
