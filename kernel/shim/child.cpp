#include "kernel/shim/child.hpp"

#include "kernel/shim/privileges.hpp"
#include "kernel/shim/sources.hpp"
#include "kernel/shim/syscalls.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace tank::kernel::shim {

static constexpr int checkpoint_fd = 3;

bool parent_is_gone(int checkpoint) noexcept {
  char byte = 0;
  return ::recv(checkpoint, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

// Nothing of the shim may reach the workload (CVE-2024-21626): from here on only 0, 1, 2 and the
// checkpoint exist, and that one is CLOEXEC. So are the sources, which are closed as they are used.
static void keep_four_fds(int checkpoint, int output, int errors, const sources* opened) noexcept {
  ::dup2(output >= 0 ? output : 0, 1);
  ::dup2(errors >= 0 ? errors : 0, 2);
  if (checkpoint != checkpoint_fd) ::dup3(checkpoint, checkpoint_fd, O_CLOEXEC);
  unsigned first = checkpoint_fd + 1;
  for (unsigned keep = 0; opened != nullptr && opened->next(first, &keep); first = keep + 1) {
    if (keep > first) ::syscall(SYS_close_range, first, keep - 1, 0U);
  }
  close_from(first);
}

// Until now we are nobody there, with all capabilities.
static int become_root(step_failure* out) noexcept {
  if (::syscall(SYS_setgroups, 0UL, nullptr) == 0 && ::syscall(SYS_setresgid, 0, 0, 0) == 0 &&
      ::syscall(SYS_setresuid, 0, 0, 0) == 0) {
    ::prctl(PR_SET_DUMPABLE, 0); // the host may be set up to allow it at a change of identity
    return 0;
  }
  return out->set(errno, "become root of", "the pod's user namespace", launch_failure::set_ids);
}

// The host's /dev/null must not be reachable through /proc/self/fd/0: a workload that is root could
// chmod it. The container's own replaces it when it is the real device (an image may bring
// anything under that name).
static void take_own_dev_null(const wire::log_view& log) noexcept {
  const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return;
  struct stat is {};
  if (::fstat(fd, &is) == 0 && S_ISCHR(is.st_mode) && is.st_rdev == makedev(1, 3)) {
    ::fcntl(fd, F_SETFL, O_RDWR); // without O_NONBLOCK
    ::dup2(fd, 0);
    if (log.path.empty()) {
      ::dup2(fd, 1);
      ::dup2(fd, 2);
    }
  }
  ::close(fd);
}

static int build(const wire::plan_view& plan, const sources* opened, step_failure* out) noexcept {
  // At build, not at clone: by now it is in its cgroup, and the cgroup namespace's root is the
  // cgroup at the moment it is made.
  if (plan.new_cgroup_ns && ::unshare(CLONE_NEWCGROUP) != 0)
    return out->set(errno, "make the cgroup namespace of", plan.container.c_str());
  if (leave_keyring(out) != 0) return -1;
  // In a user namespace the shim has done it.
  if (opened == nullptr && set_oom_score(plan.process, "self", out) != 0) return -1;
  return run_steps(plan, opened, out);
}

[[noreturn]] static void fail_child(const report& failed) noexcept {
  ::send(checkpoint_fd, &failed, sizeof failed, MSG_NOSIGNAL);
  ::_exit(exit_failed);
}

void run_child(const wire::plan_view& plan, int checkpoint, int output, int errors,
               const sources* opened) noexcept {
  ::setsid(); // no controlling terminal to inject into (TIOCSTI)
  keep_four_fds(checkpoint, output, errors, opened);
  report first;
  if (opened != nullptr && become_root(&first.why) != 0) {
    first.failed = 1;
    fail_child(first);
  }
  // After the change of identity, which clears it. If the shim has ended before, its end of the
  // checkpoint is closed, and the next recv says so.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::chdir("/");

  for (;;) {
    command wanted{};
    const auto n = ::recv(checkpoint_fd, &wanted, sizeof wanted, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof wanted) ::_exit(exit_abandoned);
    report done;
    if (wanted == command::build) {
      done.failed = build(plan, opened, &done.why) != 0;
      if (done.failed != 0) fail_child(done);
      ::send(checkpoint_fd, &done, sizeof done.failed, MSG_NOSIGNAL);
    } else {
      take_own_dev_null(plan.log);
      if (parent_is_gone(checkpoint_fd)) ::_exit(exit_abandoned);
      exec_process(plan, checkpoint_fd, &done.why);
      done.failed = 1;
      fail_child(done);
    }
  }
}

} // namespace tank::kernel::shim
