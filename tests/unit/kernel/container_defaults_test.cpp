#include "kernel/container_defaults.hpp"

#include <algorithm>
#include <doctest/doctest.h>

#include <sys/mount.h>

namespace container_defaults_test {

using namespace tank::kernel;

namespace {

std::string flag_names(std::uint32_t flags) {
  std::string out;
  const auto add = [&](std::uint32_t bit, const char* name) {
    if ((flags & bit) != 0) out += std::string(" ") + name;
  };
  add(MS_RDONLY, "ro");
  add(MS_NOSUID, "nosuid");
  add(MS_NODEV, "nodev");
  add(MS_NOEXEC, "noexec");
  return out;
}

struct to_line {
  std::string operator()(const overlay_step&) const { return "overlay"; }
  std::string operator()(const filesystem_step& s) const {
    return s.type + " " + s.target + flag_names(s.flags) + (s.data.empty() ? "" : " " + s.data);
  }
  std::string operator()(const bind_step& s) const {
    return "bind " + s.source.string() + " " + s.target + (s.read_only ? " ro" : " rw") +
           flag_names(s.flags);
  }
  std::string operator()(const device_step& s) const {
    return "device " + s.target + " " + std::to_string(s.major) + ":" + std::to_string(s.minor) +
           (s.mode == 0666 ? "" : " odd mode");
  }
  std::string operator()(const symlink_step& s) const { return s.link + " -> " + s.target; }
  std::string operator()(const directory_step& s) const { return "directory " + s.target; }
  std::string operator()(const mask_step& s) const { return "mask " + s.target; }
  std::string operator()(const read_only_step& s) const { return "ro " + s.target; }
  std::string operator()(const pivot_step& s) const {
    return s.read_only_root ? "pivot ro" : "pivot";
  }
  std::string operator()(const sysctl_step& s) const { return s.path + " = " + s.value; }
  std::string operator()(const volume_step& s) const { return "volume " + s.target; }
  std::string operator()(const fault_step&) const { return "fault"; }
};

std::vector<std::string> lines(const std::vector<step>& steps) {
  std::vector<std::string> out;
  for (const auto& s : steps)
    out.push_back(std::visit(to_line{}, s));
  return out;
}

} // namespace

TEST_CASE("the standard container is exactly this") {
  default_mounts_options o;
  o.hosts = "/run/p/hosts";
  o.hostname = "/run/p/hostname";
  o.resolv_conf = "/run/p/resolv.conf";
  const std::vector<std::string> golden = {
      "proc /proc nosuid nodev noexec",
      "tmpfs /dev nosuid nodev mode=755,size=64k",
      "device /dev/null 1:3",
      "device /dev/zero 1:5",
      "device /dev/full 1:7",
      "device /dev/random 1:8",
      "device /dev/urandom 1:9",
      "device /dev/tty 5:0",
      "devpts /dev/pts nosuid noexec newinstance,ptmxmode=0666,mode=0620,gid=5",
      "/dev/ptmx -> pts/ptmx",
      "/dev/fd -> /proc/self/fd",
      "/dev/stdin -> /proc/self/fd/0",
      "/dev/stdout -> /proc/self/fd/1",
      "/dev/stderr -> /proc/self/fd/2",
      "tmpfs /dev/shm nosuid nodev noexec mode=1777,size=67108864",
      "mqueue /dev/mqueue nosuid nodev noexec",
      "sysfs /sys ro nosuid nodev noexec",
      "cgroup2 /sys/fs/cgroup ro nosuid nodev noexec",
      "bind /run/p/hosts /etc/hosts rw nosuid nodev noexec",
      "bind /run/p/hostname /etc/hostname rw nosuid nodev noexec",
      "bind /run/p/resolv.conf /etc/resolv.conf rw nosuid nodev noexec",
      "bind /srv/data /data ro",
      "pivot",
      "mask /proc/asound",
      "mask /proc/acpi",
      "mask /proc/interrupts",
      "mask /proc/kcore",
      "mask /proc/keys",
      "mask /proc/latency_stats",
      "mask /proc/timer_list",
      "mask /proc/timer_stats",
      "mask /proc/sched_debug",
      "mask /proc/scsi",
      "mask /sys/firmware",
      "mask /sys/devices/virtual/powercap",
      "ro /proc/bus",
      "ro /proc/fs",
      "ro /proc/irq",
      "ro /proc/sys",
      "ro /proc/sysrq-trigger",
  };
  CHECK(lines(standard_mounts(o, {bind_step{"/srv/data", "/data", true}})) == golden);
}

TEST_CASE("of cgroup v1 a container sees its own part of each hierarchy, and cannot write there") {
  default_mounts_options o;
  o.cgroup_fs = false;
  const auto count = [&] {
    int n = 0;
    for (const auto& line : lines(standard_mounts(o)))
      n += line.find("/sys/fs/cgroup") != std::string::npos ? 1 : 0;
    return n;
  };
  CHECK(count() == 0);
  o.cgroup_parts = {{"memory", "/c/memory/x"}, {"cpu,cpuacct", "/c/cpu,cpuacct/x"}};
  CHECK(count() == 4);
  const auto got = lines(standard_mounts(o));
  const auto at = [&](const std::string& line) {
    return std::find(got.begin(), got.end(), line) - got.begin();
  };
  CHECK(at("tmpfs /sys/fs/cgroup nosuid nodev noexec mode=755,size=4k") <
        at("bind /c/memory/x /sys/fs/cgroup/memory ro nosuid nodev noexec"));
  CHECK(at("pivot") < at("ro /sys/fs/cgroup"));
  CHECK(at("ro /sys/fs/cgroup") < static_cast<std::ptrdiff_t>(got.size()));
}

TEST_CASE("with the host's ipc namespace, its shared memory is bound") {
  default_mounts_options o;
  o.host_ipc = true;
  const auto got = lines(standard_mounts(o));
  CHECK(std::count(got.begin(), got.end(), "bind /dev/shm /dev/shm rw nosuid nodev noexec") == 1);
  for (const auto& line : got) {
    CHECK(line.find("tmpfs /dev/shm") != 0);
  }
}

TEST_CASE("a read-only root makes the pivot and the files in /etc read-only") {
  default_mounts_options o;
  o.read_only_root = true;
  o.hosts = "/run/p/hosts";
  const auto got = lines(standard_mounts(o));
  CHECK(std::count(got.begin(), got.end(), "pivot ro") == 1);
  CHECK(std::count(got.begin(), got.end(), "bind /run/p/hosts /etc/hosts ro nosuid nodev noexec") ==
        1);
  CHECK(std::count(got.begin(), got.end(), "pivot") == 0);
}

TEST_CASE("an unmasked proc ends with the pivot") {
  default_mounts_options o;
  o.unmasked_proc = true;
  CHECK(lines(standard_mounts(o)).back() == "pivot");
}

} // namespace container_defaults_test
