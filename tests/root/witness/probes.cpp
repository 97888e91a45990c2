// What may be read, written and called: tried, not derived from what is mounted.
#include "tests/root/witness/rt.hpp"

#include <initializer_list>

#include <linux/fcntl.h>

namespace witness {
namespace {

/// Masked or read-only in a container, or its own to write.
constexpr const char* paths[] = {"/proc/acpi",
                                 "/proc/asound",
                                 "/proc/bus",
                                 "/proc/fs",
                                 "/proc/interrupts",
                                 "/proc/irq",
                                 "/proc/kcore",
                                 "/proc/keys",
                                 "/proc/latency_stats",
                                 "/proc/sched_debug",
                                 "/proc/scsi",
                                 "/proc/sysrq-trigger",
                                 "/proc/timer_list",
                                 "/proc/timer_stats",
                                 "/proc/sys/kernel/core_pattern",
                                 "/proc/sys/kernel/hostname",
                                 "/proc/sys/net/ipv4/tcp_fin_timeout",
                                 "/proc/sys/vm/drop_caches",
                                 "/proc/irq/default_smp_affinity",
                                 "/sys/firmware",
                                 "/sys/devices/virtual/powercap",
                                 "/sys/kernel/profiling",
                                 "/sys/power/state",
                                 "/dev",
                                 "/dev/shm",
                                 "/dev/stdin",
                                 "/dev/stdout",
                                 "/dev/stderr",
                                 "/dev/null",
                                 "/dev/mqueue",
                                 "/",
                                 "/tmp",
                                 "/etc/hosts",
                                 "/etc/hostname",
                                 "/etc/resolv.conf"};

/// What is of the network or IPC namespace, and what of the machine.
constexpr const char* parameters[] = {"kernel/shm_rmid_forced",
                                      "kernel/msgmax",
                                      "kernel/sem",
                                      "fs/mqueue/msg_max",
                                      "net/ipv4/tcp_fin_timeout",
                                      "net/ipv4/ip_unprivileged_port_start",
                                      "net/ipv4/ping_group_range",
                                      "net/ipv4/ip_forward"};

struct try_call {
  const char* name;
  long number;
  long a, b, c, d, e;
};

/// Harmless whoever calls: with all privileges they fail for a bad argument, or ask only.
constexpr long bad = 1; ///< no address
constexpr try_call calls[] = {
    {"unshare", __NR_unshare, 0, 0, 0, 0, 0},
    {"setns", __NR_setns, -1, 0, 0, 0, 0},
    {"keyctl", __NR_keyctl, 0, -3, 0, 0, 0},
    {"add_key", __NR_add_key, bad, bad, 0, 0, 0},
    {"request_key", __NR_request_key, bad, bad, 0, 0, 0},
    {"mount", __NR_mount, bad, bad, bad, 0, 0},
    {"umount2", __NR_umount2, bad, 0, 0, 0, 0},
    {"pivot_root", __NR_pivot_root, bad, bad, 0, 0, 0},
    {"chroot", __NR_chroot, bad, 0, 0, 0, 0},
    {"ptrace", __NR_ptrace, 1, 0, 0, 0, 0},
    {"process_vm_readv", __NR_process_vm_readv, 0, 0, 0, 0, 0},
    {"kcmp", __NR_kcmp, 0, 0, 0, 0, 0},
    {"bpf", __NR_bpf, 0x7fff, 0, 0, 0, 0},
    {"perf_event_open", __NR_perf_event_open, bad, 0, 0, -1, 0},
    {"userfaultfd", __NR_userfaultfd, 0x40000000, 0, 0, 0, 0},
    {"clock_settime", __NR_clock_settime, 9999, bad, 0, 0, 0},
    {"settimeofday", __NR_settimeofday, bad, 0, 0, 0, 0},
    {"init_module", __NR_init_module, bad, 0, bad, 0, 0},
    {"finit_module", __NR_finit_module, -1, bad, 0, 0, 0},
    {"delete_module", __NR_delete_module, bad, 0, 0, 0, 0},
    {"kexec_load", __NR_kexec_load, 0, 0, 0, 0x7fffffff, 0},
    {"open_by_handle_at", __NR_open_by_handle_at, -1, bad, 0, 0, 0},
    {"name_to_handle_at", __NR_name_to_handle_at, -1, bad, bad, bad, 0},
    {"fanotify_init", __NR_fanotify_init, 0x7fffffff, 0, 0, 0, 0},
    {"quotactl", __NR_quotactl, 0x7fffffff, bad, 0, 0, 0},
    {"reboot", __NR_reboot, 0, 0, 0, 0, 0},
    {"swapon", __NR_swapon, bad, 0x7fffffff, 0, 0, 0},
    {"swapoff", __NR_swapoff, bad, 0, 0, 0, 0},
    {"acct", __NR_acct, bad, 0, 0, 0, 0},
    {"syslog", __NR_syslog, 10, 0, 0, 0, 0},
    {"sethostname", __NR_sethostname, bad, 65, 0, 0, 0},
    {"setdomainname", __NR_setdomainname, bad, 65, 0, 0, 0},
    {"personality", __NR_personality, 0xffffffff, 0, 0, 0, 0},
    {"personality:no_randomize", __NR_personality, 0x40000, 0, 0, 0, 0},
    {"socket:vsock", __NR_socket, 40, 1, 0, 0, 0},
    {"socket:packet", __NR_socket, 17, 3, 0, 0, 0},
    {"socket:unix", __NR_socket, 1, 1, 0, 0, 0},
    {"mbind", __NR_mbind, 0, 0, 0, 0, 0},
    {"set_mempolicy", __NR_set_mempolicy, 0, 0, 0, 0, 0},
    {"get_mempolicy", __NR_get_mempolicy, 0, 0, 0, 0, 0},
    {"move_pages", __NR_move_pages, 0, 0, 0, 0, 0},
    {"vmsplice", __NR_vmsplice, -1, 0, 0, 0, 0},
    {"fsopen", __NR_fsopen, bad, 0, 0, 0, 0},
    {"open_tree", __NR_open_tree, -1, bad, 0, 0, 0},
    {"move_mount", __NR_move_mount, -1, bad, -1, bad, 0},
    {"mount_setattr", __NR_mount_setattr, -1, bad, 0, 0, 0},
    {"pidfd_open", __NR_pidfd_open, 0, 0, 0, 0, 0},
    {"pidfd_getfd", __NR_pidfd_getfd, -1, 0, 0, 0, 0},
    {"clone3", __NR_clone3, bad, 0, 0, 0, 0},
    {"io_uring_setup", __NR_io_uring_setup, 0, bad, 0, 0, 0},
    {"landlock_create_ruleset", __NR_landlock_create_ruleset, 0, 0, 1, 0, 0},
    {"memfd_secret", __NR_memfd_secret, 0x7fffffff, 0, 0, 0, 0},
    {"no such call", 9999, 0, 0, 0, 0, 0},
};

/// 0, or errno, of opening the path; what was opened is closed again.
long open_error(const char* path, long flags) noexcept {
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) sys(__NR_close, fd);
  return fd >= 0 ? 0 : -fd;
}

/// How much there is: bytes of a file's first read, or names of a directory; -errno.
long visible(const char* path) noexcept {
  alignas(8) static char buffer[4096];
  const long fd =
      sys(__NR_openat, AT_FDCWD, arg(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return fd;
  long n = sys(__NR_getdents64, fd, arg(buffer), sizeof buffer);
  long names = 0;
  for (long at = 0; at < n; at += *reinterpret_cast<const unsigned short*>(buffer + at + 16))
    ++names;
  if (n >= 0)
    n = names - 2;
  else
    n = sys(__NR_read, fd, arg(buffer), sizeof buffer);
  sys(__NR_close, fd);
  return n;
}

/// By trying to create: a read-only mount says so to root too. It does before the file system is
/// asked, which may have no files without a name (an overlay of Linux 6.1).
long make_error(const char* dir) noexcept {
  constexpr long temporary = 020200000; // O_TMPFILE
  const long failed = open_error(dir, temporary | O_RDWR);
  return failed == 95 /* EOPNOTSUPP */ ? 0 : failed;
}

void put_path(writer& out, const char* path) noexcept {
  // A pipe that carries this report must not be read.
  const long seen = starts_with(path, "/dev/std") ? 0 : visible(path);
  long write = open_error(path, O_WRONLY);
  if (write == 21 /* EISDIR */) write = make_error(path);
  out.raw("{\"read\":").raw(seen < 0 ? "" : "\"");
  if (seen < 0)
    out.num(-seen);
  else
    out.raw(seen > 0 ? "something\"" : "nothing\"");
  out.raw(",\"write\":").num(write).raw("}");
}

void put_parameter(writer& out, const char* name) noexcept {
  char path[128] = "/proc/sys/";
  std::size_t at = length(path);
  for (const char* p = name; *p != '\0'; ++p)
    path[at++] = *p;
  char value[128];
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), O_RDONLY | O_CLOEXEC);
  const long n = fd < 0 ? fd : sys(__NR_read, fd, arg(value), sizeof value);
  if (fd >= 0) sys(__NR_close, fd);
  if (n < 0)
    out.num(n);
  else
    out.str(value, static_cast<std::size_t>(n > 0 ? n - 1 : 0));
}

long answer_of(const try_call& c) noexcept {
  const long answer = sys(c.number, c.a, c.b, c.c, c.d, c.e);
  if (answer >= 0 && c.number == __NR_socket) sys(__NR_close, answer);
  return answer < 0 ? -answer : 0;
}

} // namespace

void report_probes(writer& out) noexcept {
  out.raw(",\"securebits\":").num(sys(__NR_prctl, 27 /* PR_GET_SECUREBITS */));
  out.raw(",\"paths\":{");
  bool first = true;
  for (const char* path : paths) {
    out.raw(first ? "" : ",").str(path).raw(":");
    put_path(out, path);
    first = false;
  }
  out.raw("},\"sysctl\":{");
  first = true;
  for (const char* name : parameters) {
    out.raw(first ? "" : ",").str(name).raw(":");
    put_parameter(out, name);
    first = false;
  }
  out.raw("},\"calls\":{");
  first = true;
  for (const try_call& c : calls) {
    out.raw(first ? "" : ",").str(c.name).raw(":").num(answer_of(c));
    first = false;
  }
  out.raw("}");
}

} // namespace witness
