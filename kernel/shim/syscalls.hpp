/// System calls that the distribution's libc does not wrap, and the little every part of the
/// executor needs. errno reports, as usual.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/openat2.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel::shim {

/// Sole owner of a descriptor (base/unique_fd.hpp without what it drags in).
class fd_holder {
 public:
  fd_holder() noexcept = default;
  explicit fd_holder(int fd) noexcept : fd_(fd) {}
  fd_holder(const fd_holder&) = delete;
  fd_holder& operator=(const fd_holder&) = delete;
  ~fd_holder() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

/// openat2(2). EAGAIN, which the kernel gives when a rename raced with "..", is tried again a
/// bounded number of times.
int open_in(int root, const char* path, std::uint64_t flags, std::uint64_t resolve) noexcept;

inline int pivot_root(const char* new_root, const char* put_old) noexcept {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

/// A detached copy of the mount at the path, or of what `dir` is when `path` is empty.
inline int clone_mount(int dir, const char* path, bool recursive) noexcept {
  const unsigned flags = OPEN_TREE_CLOEXEC | OPEN_TREE_CLONE |
                         (recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U) |
                         (path[0] == '\0' ? static_cast<unsigned>(AT_EMPTY_PATH) : 0U);
  return ::open_tree(dir, path, flags);
}

/// Puts the detached mount `mount` on what `target` is.
inline int attach_mount(int mount, int target) noexcept {
  return ::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/// Sets MOUNT_ATTR_* and, unless 0, the propagation (MS_PRIVATE, MS_SLAVE) of a mount by fd.
int change_mount(int mount, std::uint64_t set, std::uint64_t propagation, bool recursive) noexcept;

/// MS_* of mount(2) as MOUNT_ATTR_*. Flags without a counterpart are ignored.
std::uint64_t mount_attributes(std::uint32_t ms_flags) noexcept;

/// Decimal text of `value`; `out` has room for 11 bytes. Returns the length.
std::size_t format_number(unsigned value, char* out) noexcept;

/// Appends `text` to the NUL-terminated string in `buffer`; false when it does not fit.
bool append(char* buffer, std::size_t room, const char* text) noexcept;

} // namespace tank::kernel::shim
