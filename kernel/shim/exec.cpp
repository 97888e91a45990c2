#include "kernel/shim/paths.hpp"
#include "kernel/shim/privileges.hpp"
#include "kernel/shim/search.hpp"
#include "kernel/shim/steps.hpp"
#include "kernel/shim/syscalls.hpp"

#include <cerrno>
#include <csignal>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace tank::kernel::shim {
namespace {

int set_limits(const wire::process_view& p, step_failure* out) noexcept {
  static constexpr const char* names[] = {
      "cpu",     "fsize", "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
      "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
  for (std::uint32_t i = 0; i < p.rlimits.count; ++i) {
    const auto& r = p.rlimits.items[i];
    const rlimit64 wanted{r.soft, r.hard};
    if (static_cast<std::uint32_t>(r.resource) >= sizeof names / sizeof *names) {
      return out->set(EINVAL, "set the resource limit", "of unknown number",
                      launch_failure::set_limits);
    }
    if (::syscall(SYS_prlimit64, 0, r.resource, &wanted, nullptr) != 0) {
      return out->set(errno, "set the resource limit", names[r.resource],
                      launch_failure::set_limits);
    }
  }
  return 0;
}

/// -1 with errno. Resolved as a mount target is, so that a working directory can be neither a
/// descriptor somebody forgot to close nor anything else outside (CVE-2024-21626).
int change_directory(const char* path, bool make) noexcept {
  const unique_fd root{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root) return -1;
  const unique_fd dir{
      open_target(root.get(), path, {.kind = make ? make_kind::directory : make_kind::nothing})};
  if (!dir || ::fchdir(dir.get()) != 0) return -1;
  // The kernel's own word on where that is: "(unreachable)..." when it is not below our root.
  char where[4096];
  if (::syscall(SYS_getcwd, where, sizeof where) < 0) {
    return errno == ERANGE ? 0 : -1; // deeper than PATH_MAX, but openat2 kept us inside
  }
  if (where[0] == '/') return 0;
  errno = EPERM;
  return -1;
}

/// What was ignored or blocked here would stay so behind execve. By raw calls: libc keeps two
/// signals for itself and passes over them.
void reset_signals() noexcept {
  constexpr std::size_t mask_bytes = 8;
  constexpr std::uint64_t plain[4] = {}; // the kernel's struct sigaction: SIG_DFL, nothing else
  for (int n = 1; n <= 64; ++n)
    ::syscall(SYS_rt_sigaction, n, plain, nullptr, mask_bytes);
  constexpr std::uint64_t none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, mask_bytes);
}

void close_all_but(int keep) noexcept {
  const auto k = static_cast<unsigned>(keep);
  if (keep < 3) {
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    return;
  }
  if (k > 3) ::syscall(SYS_close_range, 3U, k - 1, 0U);
  ::syscall(SYS_close_range, k + 1, ~0U, 0U);
}

} // namespace

int exec_process(const wire::plan_view& plan, int checkpoint, step_failure* out) noexcept {
  const wire::process_view& p = plan.process;
  const char* cwd = p.cwd.empty() ? "/" : p.cwd.c_str();
  ::umask(0);
  if (set_limits(p, out) != 0) return -1;
  // As root first, who may enter directories that the user may not.
  const int entered = change_directory(cwd, p.create_cwd);
  const int why = errno;
  if (entered != 0 && why != EACCES)
    return out->set(why, "change directory to", cwd, launch_failure::enter_cwd);
  ::umask(p.umask & 0777);
  if (become(p, out) != 0) return -1;
  // On a network filesystem that maps root to nobody, the user may enter what root may not.
  if (entered != 0 && change_directory(cwd, false) != 0) {
    return out->set(errno, "change directory to", cwd, launch_failure::enter_cwd);
  }
  // The kernel may be set up to let a process of another identity be traced (fs.suid_dumpable):
  // until it is the workload's own program, nobody reads this one (CVE-2016-9962).
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // The change of identity has cleared it, and the shim may have died meanwhile.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
    return out->set(errno, "tie to its shim the", "process");
  }
  if (checkpoint >= 0 && parent_is_gone(checkpoint)) ::_exit(127);
  close_all_but(checkpoint);
  reset_signals();
  // Last: every later system call must be allowed by the filter.
  if (confine(p, out) != 0) return -1;
  return execute(p, out);
}

} // namespace tank::kernel::shim
