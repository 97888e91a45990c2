/// System calls that the distribution's libc does not wrap, and the smallest helpers around those
/// it does: no heap, no exceptions, no stdio, usable between clone and exec. errno reports, as
/// usual.
#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace tank::kernel::shim {

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

/// Clears MOUNT_ATTR_NODEV of a mount by fd.
int allow_devices(int mount) noexcept;

/// MS_* of mount(2) as MOUNT_ATTR_*. Flags without a counterpart are ignored.
std::uint64_t mount_attributes(std::uint32_t ms_flags) noexcept;

/// Appends `text` to the NUL-terminated string in `buffer`; false when it does not fit.
bool append(char* buffer, std::size_t room, const char* text) noexcept;

/// Copies a C string, cut to fit; `to` is always terminated.
template <std::size_t N>
void copy_text(char (&to)[N], const char* from) noexcept {
  const std::size_t n = strnlen(from, N - 1);
  std::memcpy(to, from, n);
  std::memset(to + n, 0, N - n);
}

/// Decimal, without stdio. Returns the end; the caller's room is at least 20 bytes.
inline char* put_decimal(char* to, std::uint64_t value) noexcept {
  char digits[20];
  int n = 0;
  do
    digits[n++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (n > 0)
    *to++ = digits[--n];
  return to;
}

inline std::int64_t realtime_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// clone3 with a copied address space: returns as fork(2) does, and a pidfd in the parent. With
/// `cgroup`, a directory of cgroup v2, the child is born in it.
inline pid_t clone_into(std::uint64_t namespaces, int* pidfd, int cgroup = -1) noexcept {
  clone_args args{};
  if (cgroup >= 0) {
    args.cgroup = static_cast<std::uint64_t>(cgroup);
    namespaces |= CLONE_INTO_CGROUP;
  }
  args.flags = CLONE_PIDFD | namespaces;
  args.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  if ((namespaces & CLONE_PARENT) == 0) args.exit_signal = SIGCHLD; // else it is the caller's
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

/// Runs `body` in a process of its own, with `namespaces` (CLONE_NEW*) of its own, that shares our
/// memory and descriptors; waits for its end. False with errno when there could be none. What it
/// clones with CLONE_PARENT is our child.
bool run_beside(std::uint64_t namespaces, int (*body)(void*), void* argument) noexcept;

inline int send_signal(int pidfd, int signum) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signum, nullptr, 0));
}

inline void close_from(unsigned first) noexcept {
  ::syscall(SYS_close_range, first, ~0u, 0);
}

} // namespace tank::kernel::shim
