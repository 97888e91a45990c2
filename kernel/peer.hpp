/// Who connects to a socket of ours: a process of the host's, or of a pod that was given the
/// socket's directory (SECURITY.md class 17). Root in a pod is root on the host to SO_PEERCRED.
///
/// `is_of_this_host` uses neither the heap nor libstdc++'s runtime: the shim has it, too.
#pragma once

#include "base/cgroup_tree.hpp"
#include "base/unique_fd.hpp"

#include <string>
#include <string_view>

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

/// Whether the one who connected is a process of ours or root's that is in no pod's namespaces. One
/// that has ended meanwhile is not: its number may be another's.
inline bool is_of_this_host(int connection, ucred* who) noexcept {
  constexpr int so_peerpidfd = 77;
  socklen_t size = sizeof *who;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, who, &size) != 0) return false;
  if (who->uid != 0 && who->uid != ::geteuid()) return false;
  int raw = -1;
  size = sizeof raw;
  const bool held = ::getsockopt(connection, SOL_SOCKET, so_peerpidfd, &raw, &size) == 0;
  const unique_fd pidfd{held ? raw : -1}; // Linux 6.5
  if (!is_in_our_namespaces(who->pid)) return false;
  return !held || ::syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0U) == 0;
}

/// Whether a process with this /proc/<pid>/cgroup is in a pod's cgroup: <ours>/<instance>/<uid>.
/// Pure.
bool is_in_pod_cgroup(std::string_view cgroups, const cgroup_tree& tree);

/// Why a client is turned away; empty: it is not. Reads /proc.
std::string refuse_peer(int connection, const cgroup_tree& tree);

} // namespace tank::kernel
