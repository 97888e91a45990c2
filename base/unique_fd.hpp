/// Sole owner of a file descriptor.
#pragma once

#include <unistd.h>
#include <utility>

namespace tank {

/// Closes on destruction. close(2) is never retried: on Linux the descriptor is gone even when it
/// reports EINTR, and a second close could hit somebody else's. Whoever creates one asks for
/// CLOEXEC in the creating call itself.
class unique_fd {
 public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~unique_fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    if (const int old = std::exchange(fd_, fd); old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

} // namespace tank
