#include "base/file.hpp"

#include "base/rollback.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace tank {

result<std::string> read_all(int fd, std::size_t limit, const std::string& name) {
  std::string content;
  std::size_t used = 0;
  for (;;) {
    if (content.size() - used < 4096) content.resize(content.size() + 64 * 1024);
    const auto n = ::read(fd, content.data() + used, content.size() - used);
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, "read", name);
    }
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > limit)
      return fail(errc::limit, "read", name, "larger than " + std::to_string(limit) + " bytes");
  }
  content.resize(used);
  return content;
}

result<unique_fd> open_regular_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not hang; the type check below refuses it.
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) return fail_errno(errno, "open", path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", path);
  if (S_ISDIR(st.st_mode)) return fail_errno(EISDIR, "read", path);
  if (!S_ISREG(st.st_mode)) return fail(errc::invalid, "read", path, "not a regular file");
  return fd;
}

result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  const auto fd = TANK_TRY(open_regular_file(path));
  return read_all(fd.get(), limit, path);
}

result<void> write_all(int fd, std::string_view content, const std::string& name) {
  while (!content.empty()) {
    const auto n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, "write", name);
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

result<void> write_file_atomic(const std::filesystem::path& path, std::string_view content,
                               mode_t mode) {
  const auto dir = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  static std::atomic<unsigned> serial{0}; // unique within the process; the pid does the rest
  const auto tmp = dir / ("." + path.filename().string() + ".tmp" + std::to_string(::getpid()) +
                          "." + std::to_string(serial.fetch_add(1)));
  unique_fd fd{::open(tmp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
  if (!fd) return fail_errno(errno, "create", tmp);
  rollback undo;
  undo.add([&] { ::unlink(tmp.c_str()); });
  TANK_TRY(write_all(fd.get(), content, tmp));
  if (::fchmod(fd.get(), mode) != 0) return fail_errno(errno, "chmod", tmp);
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "fsync", tmp);
  if (::rename(tmp.c_str(), path.c_str()) != 0) return fail_errno(errno, "replace", path);
  undo.release();
  const unique_fd dir_fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!dir_fd || ::fsync(dir_fd.get()) != 0) return fail_errno(errno, "fsync", dir);
  return {};
}

void remove_unfinished(const std::filesystem::path& dir) {
  std::error_code ec;
  for (std::filesystem::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec)) {
    const auto name = it->path().filename().string();
    const auto mark = name.rfind(".tmp");
    const bool ours = name.starts_with(".") && mark != std::string::npos && mark > 0 &&
                      mark + 4 < name.size() &&
                      name.find_first_not_of("0123456789.", mark + 4) == std::string::npos;
    if (ours) ::unlink(it->path().c_str());
  }
}

result<void> write_new_file(const std::filesystem::path& path, std::string_view content,
                            mode_t mode) {
  const unique_fd fd{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
  if (!fd) return fail_errno(errno, "create", path);
  TANK_TRY(write_all(fd.get(), content, path));
  if (::fchmod(fd.get(), mode) != 0) return fail_errno(errno, "chmod", path);
  return {};
}

/// The mode of a directory just made, less what the umask took from it.
static result<void> set_mode(const std::filesystem::path& path, mode_t mode) {
  // Not by path: whoever owns the parent could have put a link there meanwhile.
  const unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd || ::fchmod(fd.get(), mode) != 0) return fail_errno(errno, "chmod", path);
  return {};
}

result<void> make_directories(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return set_mode(path, mode);
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    TANK_TRY(make_directories(path.parent_path(), mode));
    if (::mkdir(path.c_str(), mode) == 0) return set_mode(path, mode);
  }
  if (errno != EEXIST) return fail_errno(errno, "create directory", path);
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return {};
  return fail_errno(ENOTDIR, "create directory", path);
}

} // namespace tank
