#include "kernel/shim/privileges.hpp"

#include "kernel/shim/syscalls.hpp"

#include <cerrno>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>

#include <sys/prctl.h>

namespace tank::kernel::shim {
namespace {

constexpr std::uint64_t bit(unsigned capability) noexcept {
  return std::uint64_t{1} << capability;
}

/// Up to the kernel's last one, which prctl tells by EINVAL.
int limit_bounding(std::uint64_t keep) noexcept {
  for (unsigned n = 0; n < 64; ++n) {
    if ((keep & bit(n)) != 0 || ::prctl(PR_CAPBSET_DROP, n, 0, 0, 0) == 0) continue;
    return errno == EINVAL ? 0 : -1;
  }
  return 0;
}

int set_capabilities(std::uint64_t permitted, std::uint64_t effective,
                     std::uint64_t inheritable) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  for (unsigned half = 0; half < 2; ++half) {
    sets[half].permitted = static_cast<std::uint32_t>(permitted >> (32 * half));
    sets[half].effective = static_cast<std::uint32_t>(effective >> (32 * half));
    sets[half].inheritable = static_cast<std::uint32_t>(inheritable >> (32 * half));
  }
  return static_cast<int>(::syscall(SYS_capset, &header, sets));
}

int raise_ambient(std::uint64_t wanted) noexcept {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -1;
  for (unsigned n = 0; n < 64; ++n) {
    if ((wanted & bit(n)) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) != 0) {
      return -1;
    }
  }
  return 0;
}

/// An unprivileged process installs a filter only under no_new_privs (seccomp(2)).
std::uint64_t for_the_filter(const wire::process_view& p) noexcept {
  return p.seccomp.program.size != 0 && !p.no_new_privs ? bit(CAP_SYS_ADMIN) : 0;
}

} // namespace

/// The raw calls: libc's would want to tell threads that we do not have.
int become(const wire::process_view& p, step_failure* out) noexcept {
  char number[21];
  *put_decimal(number, p.gid) = '\0';
  if (::syscall(SYS_setgroups, static_cast<std::size_t>(p.groups.count), p.groups.items) != 0) {
    return out->set(errno, "set the supplementary groups of", "process", launch_failure::set_ids);
  }
  if (::syscall(SYS_setresgid, p.gid, p.gid, p.gid) != 0)
    return out->set(errno, "set group", number, launch_failure::set_ids);
  *put_decimal(number, p.uid) = '\0';
  // Of all its kin: a workload starts with none.
  if (::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0 && errno != EPERM) {
    return out->set(errno, "reset the secure bits of", "process", launch_failure::set_privileges);
  }
  const auto& sets = p.capabilities;
  // Before the change of user: it takes CAP_SETPCAP.
  if (limit_bounding(sets.bounding) != 0) {
    return out->set(errno, "limit the capabilities of", "process", launch_failure::set_privileges);
  }
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
    return out->set(errno, "keep the capabilities of", "process", launch_failure::set_privileges);
  }
  if (::syscall(SYS_setresuid, p.uid, p.uid, p.uid) != 0)
    return out->set(errno, "set user", number, launch_failure::set_ids);
  const std::uint64_t more = for_the_filter(p);
  if (set_capabilities(sets.permitted | more, sets.effective | more, sets.inheritable) != 0 ||
      raise_ambient(sets.ambient) != 0) {
    return out->set(errno, "set the capabilities of user", number, launch_failure::set_privileges);
  }
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) {
    return out->set(errno, "settle the capabilities of user", number,
                    launch_failure::set_privileges);
  }
  return 0;
}

int confine(const wire::process_view& p, step_failure* out) noexcept {
  if (p.no_new_privs && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return out->set(errno, "set no_new_privs of", "process", launch_failure::set_privileges);
  }
  if (p.seccomp.program.size == 0) return 0;
  // The kernel copies the program and writes nothing.
  const sock_fprog program{
      static_cast<unsigned short>(p.seccomp.program.size / sizeof(sock_filter)),
      reinterpret_cast<sock_filter*>(const_cast<char*>(p.seccomp.program.data))};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p.seccomp.flags, &program) != 0) {
    return out->set(errno, "install the seccomp filter of", "process",
                    launch_failure::set_privileges);
  }
  return 0;
}

int leave_keyring(step_failure* out) noexcept {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0 || errno == ENOSYS) return 0;
  return out->set(errno, "make the session keyring of", "process");
}

int set_oom_score(const wire::process_view& p, const char* process, step_failure* out) noexcept {
  if (!p.oom_score_adj.there) return 0;
  char path[64] = "/proc/";
  append(path, sizeof path, process);
  append(path, sizeof path, "/oom_score_adj");
  char text[24] = "-";
  const std::int64_t score = p.oom_score_adj.value;
  const bool negative = score < 0;
  const auto size = static_cast<std::uint64_t>(negative ? -score : score);
  const char* end = put_decimal(text + (negative ? 1 : 0), size);
  const unique_fd file{::open(path, O_WRONLY | O_CLOEXEC)};
  if (!file || ::write(file.get(), text, static_cast<std::size_t>(end - text)) < 0) {
    return out->set(errno, "set the OOM score of", "process", launch_failure::set_limits);
  }
  return 0;
}

} // namespace tank::kernel::shim
