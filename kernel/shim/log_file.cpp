#include "kernel/shim/log_file.hpp"

#include "kernel/shim/cri.hpp"
#include "kernel/shim/syscalls.hpp"

#include <cerrno>
#include <cstdio> // renameat

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace tank::kernel::shim {

bool log_file::open(const char* path, std::uint64_t max_bytes, std::uint32_t max_files) noexcept {
  const char* slash = std::strrchr(path, '/');
  if (slash == nullptr || slash[1] == '\0' || strnlen(slash + 1, sizeof name_) == sizeof name_) {
    errno = slash == nullptr ? EINVAL : ENAMETOOLONG;
    return false;
  }
  char parent[4096];
  const auto size = static_cast<std::size_t>(slash - path);
  if (size >= sizeof parent) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(parent, path, size);
  std::strcpy(parent + size, size == 0 ? "/" : "");
  copy_text(name_, slash + 1);
  max_bytes_ = max_bytes;
  max_files_ = max_files < 2 ? 2 : max_files;
  directory_.reset(::open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC));
  return directory_ && open_current();
}

void log_file::close() noexcept {
  if (lost_ > 0) report_loss();
  file_.reset();
  directory_.reset();
}

bool log_file::open_current() noexcept {
  constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  unique_fd fd{::openat(directory_.get(), name_, flags, 0640)};
  struct stat is {};
  if (!fd || ::fstat(fd.get(), &is) != 0) return false;
  if (!S_ISREG(is.st_mode)) { // a fifo or a device could block us for ever
    errno = EINVAL;
    return false;
  }
  // Says that it is being written: who removes old logs leaves it. Without locks it works as well.
  ::flock(fd.get(), LOCK_SH | LOCK_NB);
  file_ = std::move(fd);
  size_ = static_cast<std::uint64_t>(is.st_size);
  return true;
}

void log_file::rotate() noexcept {
  char from[256];
  char to[256];
  const std::size_t base = std::strlen(name_);
  std::memcpy(from, name_, base);
  std::memcpy(to, name_, base);
  for (std::uint32_t n = max_files_ - 1; n >= 1; --n) {
    to[base] = from[base] = '.';
    *put_decimal(to + base + 1, n) = '\0';
    if (n > 1)
      *put_decimal(from + base + 1, n - 1) = '\0';
    else
      from[base] = '\0';
    ::renameat(directory_.get(), from, directory_.get(), to); // a gap in the row is no matter
  }
  // Without a new file the old one goes on, whatever its name is now; tried again a file later.
  if (!open_current()) size_ = 0;
}

// Says in the log itself what is missing from it. False: still no room.
bool log_file::report_loss() noexcept {
  char text[160];
  char* at = text;
  const auto put = [&at](const char* s) {
    const std::size_t n = std::strlen(s);
    std::memcpy(at, s, n);
    at += n;
  };
  if (torn_) *at++ = '\n';
  char stamp[stamp_size];
  format_stamp(realtime_ns(), stamp);
  std::memcpy(at, stamp, stamp_size);
  at += stamp_size;
  put(" stderr F tank: ");
  at = put_decimal(at, lost_);
  put(" bytes of output are missing here (errno ");
  at = put_decimal(at, static_cast<std::uint64_t>(lost_why_));
  put(")\n");
  const auto size = at - text;
  const auto n = ::write(file_.get(), text, static_cast<std::size_t>(size));
  if (n > 0) size_ += static_cast<std::uint64_t>(n);
  if (n != size) {
    torn_ = torn_ || n > 0;
    return false;
  }
  lost_ = 0;
  torn_ = false;
  return true;
}

void log_file::write(const iovec* pieces, unsigned count, std::size_t bytes) noexcept {
  if (lost_ > 0 && !report_loss()) {
    lost_ += bytes;
    return;
  }
  const auto n = ::writev(file_.get(), pieces, static_cast<int>(count));
  const std::size_t written = n > 0 ? static_cast<std::size_t>(n) : 0;
  size_ += written;
  if (written == bytes) return;
  lost_ = bytes - written;
  lost_why_ = n < 0 ? errno : ENOSPC;
  torn_ = written > 0;
}

} // namespace tank::kernel::shim
