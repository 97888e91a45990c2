#include "oci/new_file.hpp"

#include "base/remove_tree.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <cstdio> // renameat2
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace tank::oci {

namespace {

namespace fs = std::filesystem;
constexpr const char* step = "write";

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path{"."};
}

result<void> refuse_existing(const fs::path& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return fail_errno(EEXIST, step, path);
  return {};
}

/// Beside `path`, so that it can be renamed; cut, so that it is not too long where `path` is not.
result<fs::path> hidden_name(const fs::path& path) {
  char raw[6];
  if (::getrandom(raw, sizeof raw, 0) != sizeof raw)
    return fail_errno(errno, "get", "random bytes");
  return parent_of(path) /
         ("." + path.filename().string().substr(0, 200) + "." + to_hex({raw, sizeof raw}));
}

/// Never over something that is there.
result<void> give_name(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL) return fail_errno(errno, step, to);
  TANK_TRY(refuse_existing(to)); // this filesystem cannot do both in one
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, step, to);
  return {};
}

} // namespace

new_file::new_file(fs::path path, unique_fd fd, fs::path temporary)
    : path_(std::move(path))
    , fd_(std::move(fd))
    , temporary_(std::move(temporary)) {}

new_file::new_file(new_file&& other) noexcept
    : path_(std::move(other.path_))
    , fd_(std::move(other.fd_))
    , temporary_(std::exchange(other.temporary_, {})) {}

new_file::~new_file() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

result<new_file> new_file::begin(fs::path path) {
  TANK_TRY(refuse_existing(path));
  unique_fd fd{::open(parent_of(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644)};
  if (fd) return new_file{std::move(path), std::move(fd), {}};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return fail_errno(errno, step, path);
  auto temporary = TANK_TRY(hidden_name(path));
  fd.reset(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, step, path);
  return new_file{std::move(path), std::move(fd), std::move(temporary)};
}

result<void> new_file::commit() {
  if (!temporary_.empty()) {
    TANK_TRY(give_name(temporary_, path_));
    temporary_.clear();
    return {};
  }
  const auto by = "/proc/self/fd/" + std::to_string(fd_.get());
  if (::linkat(AT_FDCWD, by.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return fail_errno(errno, step, path_);
  return {};
}

new_directory::new_directory(fs::path path, fs::path temporary)
    : path_(std::move(path))
    , temporary_(std::move(temporary)) {}

new_directory::new_directory(new_directory&& other) noexcept
    : path_(std::move(other.path_))
    , temporary_(std::exchange(other.temporary_, {})) {}

new_directory::~new_directory() {
  if (!temporary_.empty()) (void)remove_tree(temporary_);
}

result<new_directory> new_directory::begin(fs::path path) {
  while (path.has_parent_path() && path.filename().empty()) // "layout/"
    path = path.parent_path();
  TANK_TRY(refuse_existing(path));
  auto temporary = TANK_TRY(hidden_name(path));
  if (::mkdir(temporary.c_str(), 0755) != 0) return fail_errno(errno, step, path);
  return new_directory{std::move(path), std::move(temporary)};
}

result<void> new_directory::commit() {
  TANK_TRY(give_name(temporary_, path_));
  temporary_.clear();
  return {};
}

} // namespace tank::oci
