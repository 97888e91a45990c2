/// Whole-file reading and crash-safe writing.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace tank {

/// Reads a regular file of at most `limit` bytes; errc::limit when it is larger. Blocking.
result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);

/// The same, in two steps: the file, which is a regular one. Blocking.
result<unique_fd> open_regular_file(const std::filesystem::path& path);

/// Reads what is left of `fd`, at most `limit` bytes. `name` is for messages.
result<std::string> read_all(int fd, std::size_t limit, const std::string& name);

/// Writes all of `content` to `fd`. `name` is for messages.
result<void> write_all(int fd, std::string_view content, const std::string& name);

/// Replaces `path` so that a reader, or a machine that loses power, sees the old or the new content
/// and nothing between: temporary file beside it, fsync, rename, fsync of the directory. Blocking.
result<void> write_file_atomic(const std::filesystem::path& path, std::string_view content,
                               mode_t mode = 0644);

/// Removes the temporary files that writers of `write_file_atomic` in `dir` have left, which were killed.
/// No writer may be at work there. What cannot be removed stays.
void remove_unfinished(const std::filesystem::path& dir);

/// Makes a file that is not there yet, whatever the umask; errc::exists. A few syscalls and no
/// fsync: for a tmpfs, and for what is made anew after a crash.
result<void> write_new_file(const std::filesystem::path& path, std::string_view content,
                            mode_t mode = 0644);

/// mkdir -p; every directory made gets `mode` whatever the umask, existing ones are left alone.
result<void> make_directories(const std::filesystem::path& path, mode_t mode = 0700);

} // namespace tank
