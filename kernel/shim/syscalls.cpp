#include "kernel/shim/syscalls.hpp"

#include <cerrno>
#include <cstring>

#include <sched.h>
#include <sys/wait.h>

namespace tank::kernel::shim {

bool run_beside(std::uint64_t namespaces, int (*body)(void*), void* argument) noexcept {
  // A child of it goes on from a copy, up to exec. Pages that nobody touches cost nothing.
  alignas(16) static char stack[256 * 1024];
  constexpr int shared = CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD;
  const pid_t pid =
      ::clone(body, stack + sizeof stack, shared | static_cast<int>(namespaces), argument);
  if (pid < 0) return false;
  siginfo_t how{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED) != 0 && errno == EINTR) {
  }
  return true;
}

int open_in(int root, const char* path, std::uint64_t flags, std::uint64_t resolve) noexcept {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN || attempt == 64) return static_cast<int>(fd);
  }
}

int change_mount(int mount, std::uint64_t set, std::uint64_t propagation, bool recursive) noexcept {
  mount_attr attr{};
  attr.attr_set = set;
  if ((set & MOUNT_ATTR__ATIME) != 0) attr.attr_clr = MOUNT_ATTR__ATIME;
  attr.propagation = propagation;
  return ::mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                         sizeof attr);
}

int allow_devices(int mount) noexcept {
  mount_attr attr{};
  attr.attr_clr = MOUNT_ATTR_NODEV;
  attr.propagation = MS_PRIVATE;
  return ::mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr);
}

std::uint64_t mount_attributes(std::uint32_t ms_flags) noexcept {
  static constexpr struct {
    std::uint32_t ms;
    std::uint64_t attribute;
  } table[] = {
      {MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
      {MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
      {MS_NOATIME, MOUNT_ATTR_NOATIME},       {MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
      {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {256 /* MS_NOSYMFOLLOW */, 0x00200000},
  };
  std::uint64_t out = 0;
  for (const auto& row : table) {
    if ((ms_flags & row.ms) != 0) out |= row.attribute;
  }
  return out;
}

bool append(char* buffer, std::size_t room, const char* text) noexcept {
  const std::size_t used = strnlen(buffer, room);
  const std::size_t more = std::strlen(text);
  if (used + more + 1 > room) return false;
  std::memcpy(buffer + used, text, more + 1);
  return true;
}

} // namespace tank::kernel::shim
