#include "kernel/shim/user_space.hpp"

#include "kernel/shim/syscalls.hpp"

#include <cerrno>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace tank::kernel::shim {
namespace {

/// /proc/<pid>/<name>
struct proc_path {
  char text[48] = "/proc/";
  proc_path(pid_t pid, const char* name) noexcept {
    char* end = put_decimal(text + 6, static_cast<std::uint64_t>(pid));
    *end++ = '/';
    std::strcpy(end, name);
  }
};

/// "0 first count": one line, one write, as the kernel wants it.
bool write_map(pid_t pid, const char* name, std::uint32_t first, std::uint32_t count) noexcept {
  char line[48] = "0 ";
  char* end = put_decimal(line + 2, first);
  *end++ = ' ';
  end = put_decimal(end, count);
  *end++ = '\n';
  const unique_fd file{::open(proc_path{pid, name}.text, O_WRONLY | O_CLOEXEC)};
  const auto size = end - line;
  return file && ::write(file.get(), line, static_cast<std::size_t>(size)) == size;
}

/// Keeps the new namespaces alive until we hold them.
[[noreturn]] void keep_namespaces() noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    ::pause();
}

const char* take_over(pid_t pid, int pidfd, const protocol::sandbox_frame& wanted, int flags,
                      user_space* out) noexcept {
  if (!write_map(pid, "gid_map", wanted.first_id, wanted.ids))
    return "map the groups of the pod's user namespace";
  if (!write_map(pid, "uid_map", wanted.first_id, wanted.ids))
    return "map the users of the pod's user namespace";
  out->first = wanted.first_id;
  out->ns.reset(::open(proc_path{pid, "ns/user"}.text, O_RDONLY | O_CLOEXEC));
  if (!out->ns) return "hold the pod's user namespace";
  if (flags != 0 && ::setns(pidfd, flags) != 0) return "enter the pod's namespaces";
  return nullptr;
}

// --- the child ---------------------------------------------------------------------------------

struct clone_job {
  const user_space& users;
  const sources& opened;
  const clone_setup& child;
  int pidfd = -1;
  pid_t pid = -1;
  int error = 0;
};

/// Runs in a process between us and the child: it is in the user namespace before it clones the
/// child, so that the child's other namespaces belong to that.
int clone_from_user_namespace(void* all) noexcept {
  auto& d = *static_cast<clone_job*>(all);
  if (::setns(d.users.ns.get(), CLONE_NEWUSER) == 0) {
    d.pid = clone_into(CLONE_PARENT | d.child.namespaces, &d.pidfd, d.child.cgroup);
    if (d.pid == 0)
      run_child(*d.child.plan, d.child.checkpoint, d.child.output, d.child.errors, &d.opened);
  }
  d.error = errno;
  return 0;
}

} // namespace

const char* make_user_space(const protocol::sandbox_frame& wanted, int flags,
                            user_space* out) noexcept {
  int fd = -1;
  const pid_t pid = clone_into(CLONE_NEWUSER | static_cast<unsigned>(flags), &fd);
  if (pid == 0) keep_namespaces();
  if (pid < 0) return "make the pod's user namespace";
  const unique_fd pidfd{fd};
  const char* failed = take_over(pid, fd, wanted, flags, out);
  const int why = errno;
  send_signal(fd, SIGKILL);
  siginfo_t how{};
  while (::waitid(P_PIDFD, static_cast<id_t>(fd), &how, WEXITED) != 0 && errno == EINTR) {
  }
  errno = why;
  return failed;
}

pid_t clone_in_user_namespace(const user_space& users, const sources& opened,
                              const clone_setup& child, int* pidfd) noexcept {
  clone_job d{users, opened, child};
  if (!run_beside(0, clone_from_user_namespace, &d)) return -1;
  *pidfd = d.pidfd;
  errno = d.error;
  return d.pid;
}

} // namespace tank::kernel::shim
