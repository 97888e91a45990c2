#include "kernel/container_defaults.hpp"

#include <array>
#include <iterator>

#include <sys/mount.h>

namespace tank::kernel {
namespace {

constexpr std::uint32_t inert = MS_NOSUID | MS_NODEV | MS_NOEXEC;

constexpr std::array<std::string_view, 12> masked = {
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
constexpr std::array<std::string_view, 5> read_only = {"/proc/bus", "/proc/fs", "/proc/irq",
                                                       "/proc/sys", "/proc/sysrq-trigger"};

struct node {
  const char* path;
  std::uint32_t major;
  std::uint32_t minor;
};
constexpr std::array<node, 6> nodes = {{{"/dev/null", 1, 3},
                                        {"/dev/zero", 1, 5},
                                        {"/dev/full", 1, 7},
                                        {"/dev/random", 1, 8},
                                        {"/dev/urandom", 1, 9},
                                        {"/dev/tty", 5, 0}}};

void add_devices(std::vector<step>& out, const default_mounts_options& o) {
  // Of a privileged container the devices are its own affair; see device_step for the others.
  const std::uint32_t flags = o.privileged ? MS_NOSUID : MS_NOSUID | MS_NODEV;
  out.emplace_back(filesystem_step{"tmpfs", "/dev", flags, "mode=755,size=64k"});
  for (const node& n : nodes)
    out.emplace_back(device_step{n.path, n.major, n.minor, 0666});
  for (const auto& d : o.devices)
    out.emplace_back(d);
  // gid 5 is "tty" on every distribution; what grantpt(3) expects.
  out.emplace_back(filesystem_step{"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
                                   "newinstance,ptmxmode=0666,mode=0620,gid=5"});
  out.emplace_back(symlink_step{"pts/ptmx", "/dev/ptmx"});
  out.emplace_back(symlink_step{"/proc/self/fd", "/dev/fd"});
  out.emplace_back(symlink_step{"/proc/self/fd/0", "/dev/stdin"});
  out.emplace_back(symlink_step{"/proc/self/fd/1", "/dev/stdout"});
  out.emplace_back(symlink_step{"/proc/self/fd/2", "/dev/stderr"});
  if (o.host_ipc) {
    out.emplace_back(bind_step{"/dev/shm", "/dev/shm", false, false, inert});
  } else {
    out.emplace_back(filesystem_step{"tmpfs", "/dev/shm", inert,
                                     "mode=1777,size=" + std::to_string(o.shm_bytes)});
  }
  // Shows the queues of the ipc namespace we are in, whosever that is.
  out.emplace_back(filesystem_step{"mqueue", "/dev/mqueue", inert, ""});
}

/// The tmpfs that holds them turns read-only behind the pivot.
void add_cgroup_parts(std::vector<step>& out, const default_mounts_options& o) {
  if (o.cgroup_fs || o.cgroup_parts.empty()) return;
  out.emplace_back(filesystem_step{"tmpfs", "/sys/fs/cgroup", inert, "mode=755,size=4k"});
  for (const auto& part : o.cgroup_parts)
    out.emplace_back(bind_step{part.source, "/sys/fs/cgroup/" + part.name, true, false, inert});
}

void add_etc(std::vector<step>& out, const std::filesystem::path& source, const char* target,
             bool read_only_root) {
  if (source.empty()) return;
  out.emplace_back(bind_step{source, target, read_only_root, false, inert});
}

} // namespace

std::span<const std::string_view> masked_paths() noexcept {
  return masked;
}

std::span<const std::string_view> read_only_paths() noexcept {
  return read_only;
}

std::vector<step> standard_mounts(const default_mounts_options& options,
                                  std::vector<step> volumes) {
  std::vector<step> out;
  out.emplace_back(filesystem_step{"proc", "/proc", inert, ""});
  add_devices(out, options);
  const std::uint32_t sys = options.privileged ? inert : inert | MS_RDONLY;
  out.emplace_back(filesystem_step{"sysfs", "/sys", sys, ""});
  if (options.cgroup_fs) out.emplace_back(filesystem_step{"cgroup2", "/sys/fs/cgroup", sys, ""});
  add_cgroup_parts(out, options);
  add_etc(out, options.hosts, "/etc/hosts", options.read_only_root);
  add_etc(out, options.hostname, "/etc/hostname", options.read_only_root);
  add_etc(out, options.resolv_conf, "/etc/resolv.conf", options.read_only_root);
  out.insert(out.end(), std::make_move_iterator(volumes.begin()),
             std::make_move_iterator(volumes.end()));
  out.emplace_back(pivot_step{options.read_only_root});
  if (!options.cgroup_fs && !options.cgroup_parts.empty())
    out.emplace_back(read_only_step{"/sys/fs/cgroup"});
  if (options.unmasked_proc || options.privileged) return out;
  for (const auto path : masked)
    out.emplace_back(mask_step{std::string(path)});
  for (const auto path : read_only)
    out.emplace_back(read_only_step{std::string(path)});
  return out;
}

} // namespace tank::kernel
