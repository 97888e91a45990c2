/// System calls that the C library does not wrap, and the smallest helpers around those it does.
/// No heap, no exceptions, no stdio: usable between clone and exec.
#pragma once

#include <cstdint>
#include <cstring>
#include <ctime>

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace tank::kernel::shim {

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

/// clone3 with a copied address space: returns as fork(2) does, and a pidfd in the parent.
inline pid_t clone_into(std::uint64_t namespaces, int* pidfd) noexcept {
  clone_args args{};
  args.flags = CLONE_PIDFD | namespaces;
  args.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  args.exit_signal = SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

inline int send_signal(int pidfd, int signum) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signum, nullptr, 0));
}

inline void close_from(unsigned first) noexcept {
  ::syscall(SYS_close_range, first, ~0u, 0);
}

} // namespace tank::kernel::shim
