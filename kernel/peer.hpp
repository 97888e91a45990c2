/// Who connects to a socket of ours: a process of the host's, or of a pod that was given the
/// socket's directory (SECURITY.md class 17). Root in a pod is root on the host to SO_PEERCRED.
///
/// A process is told by its number, which another one may have when it has ended. Since Linux 6.5 the
/// socket gives a pidfd, and a reused number is not believed. Before that it is best effort.
///
/// `is_of_this_host` uses neither the heap nor libstdc++'s runtime: the shim has it, too.
#pragma once

#include "base/cgroup_tree.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel {

/// Whether `pid`, a number in our PID namespace, lives in it and not in one below, and in our user
/// namespace.
inline bool is_in_our_namespaces(pid_t pid) noexcept {
  for (const char* kind : {"pid", "user"}) {
    char path[64] = "/proc/";
    char digits[16];
    std::size_t count = 0;
    for (auto left = pid; left > 0 && count < sizeof digits; left /= 10)
      digits[count++] = static_cast<char>('0' + left % 10);
    std::size_t at = 6;
    while (count > 0)
      path[at++] = digits[--count];
    for (const char* part : {"/ns/", kind})
      while (*part != '\0')
        path[at++] = *part++;
    char own[32] = "/proc/self/ns/";
    for (std::size_t i = 0; kind[i] != '\0'; ++i)
      own[14 + i] = kind[i];
    struct stat its {};
    struct stat ours {};
    if (pid <= 0 || ::stat(path, &its) != 0 || ::stat(own, &ours) != 0 ||
        its.st_dev != ours.st_dev || its.st_ino != ours.st_ino)
      return false;
  }
  return true;
}

/// Whether the process has not ended, so that its number is its own. Without a pidfd: yes.
inline bool holds_its_number(const unique_fd& pidfd) noexcept {
  return !pidfd || ::syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0U) == 0 ||
         errno == EPERM;
}

/// Whether the one who connected is a process of ours or root's that is in no pod's namespaces. One
/// that has ended meanwhile is not: its number may be another's. `held` gets its pidfd; none before
/// Linux 6.5.
inline bool is_of_this_host(int connection, ucred* who, unique_fd* held = nullptr) noexcept {
  constexpr int so_peerpidfd = 77;
  socklen_t size = sizeof *who;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, who, &size) != 0) return false;
  if (who->uid != 0 && who->uid != ::geteuid()) return false;
  int raw = -1;
  size = sizeof raw;
  if (::getsockopt(connection, SOL_SOCKET, so_peerpidfd, &raw, &size) != 0) {
    if (errno != ENOPROTOOPT) return false; // the process has ended
    raw = -1;                               // before Linux 6.5
  }
  unique_fd pidfd{raw};
  if (!is_in_our_namespaces(who->pid) || !holds_its_number(pidfd)) return false;
  if (held != nullptr) *held = std::move(pidfd);
  return true;
}

/// Whether a process with this /proc/<pid>/cgroup is in a pod's cgroup: <ours>/<instance>/<uid>.
/// Pure.
bool is_in_pod_cgroup(std::string_view cgroups, const cgroup_tree& tree);

/// Why a client is turned away; empty: it is not. Reads /proc.
std::string refuse_peer(int connection, const cgroup_tree& tree);

} // namespace tank::kernel
