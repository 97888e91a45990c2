#include "kernel/probe.hpp"

#include "base/file.hpp"
#include "kernel/pod_files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <sstream>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace tank::kernel {

void read_resolv_conf(std::string_view text, host_facts& facts) {
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string key;
    words >> key;
    std::vector<std::string> values;
    for (std::string word; words >> word && word[0] != '#' && word[0] != ';';)
      values.push_back(word);
    if (key == "nameserver" && !values.empty())
      facts.nameservers.push_back(values.front());
    else if (key == "search" || key == "domain")
      facts.searches = values;
    else if (key == "options")
      facts.resolver_options.insert(facts.resolver_options.end(), values.begin(), values.end());
  }
}

std::string go_architecture(std::string_view machine) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"i386", "386"},
      {"i486", "386"},        {"i586", "386"},      {"i686", "386"},
      {"armv7l", "arm"},      {"armv6l", "arm"},    {"ppc64le", "ppc64le"},
      {"riscv64", "riscv64"}, {"s390x", "s390x"},   {"loongarch64", "loong64"},
  };
  for (const auto& [from, to] : known)
    if (machine == from) return std::string{to};
  return std::string{machine};
}

capability_mask held_capabilities(std::string_view status) {
  capability_mask held = ~capability_mask{0};
  for (const std::string_view set : {"\nCapPrm:\t", "\nCapBnd:\t"}) {
    const auto at = status.find(set);
    capability_mask one = 0;
    if (at != std::string_view::npos) {
      const char* const digits = status.data() + at + set.size();
      std::from_chars(digits, status.data() + status.size(), one, 16);
    }
    held &= one;
  }
  return held;
}

std::uint64_t memory_total(std::string_view meminfo) {
  constexpr std::string_view key = "MemTotal:";
  const auto at = meminfo.find(key);
  if (at == std::string_view::npos) return 0;
  auto rest = meminfo.substr(at + key.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  std::uint64_t kib = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), kib);
  return kib * 1024;
}

static result<std::string> read_optional(const char* path) {
  auto text = read_file(path, std::size_t{1} << 20);
  if (!text && text.error().code == errc::not_found) return std::string{};
  return text;
}

result<std::vector<device_step>> probe_devices(const std::filesystem::path& dir) {
  constexpr std::string_view own[] = {"null", "zero",   "full", "random",  "urandom",
                                      "tty",  "ptmx",   "pts",  "console", "fd",
                                      "shm",  "mqueue", ".lxc", ".udev",   ".lxd-mounts"};
  constexpr std::size_t most = 4000;
  std::vector<device_step> out;
  std::error_code ec;
  std::filesystem::recursive_directory_iterator at{dir, ec};
  for (; !ec && at != std::filesystem::recursive_directory_iterator{}; at.increment(ec)) {
    if (at.depth() == 0 && std::find(std::begin(own), std::end(own),
                                     at->path().filename().string()) != std::end(own)) {
      at.disable_recursion_pending();
      continue;
    }
    struct stat st {};
    if (::lstat(at->path().c_str(), &st) != 0) continue; // gone meanwhile
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) continue;
    if (out.size() == most)
      return fail(errc::limit, "list the devices in", dir, "there are more than 4000");
    out.push_back({.target = "/dev/" + at->path().lexically_relative(dir).string(),
                   .major = major(st.st_rdev),
                   .minor = minor(st.st_rdev),
                   .mode = st.st_mode & 07777,
                   .block = S_ISBLK(st.st_mode),
                   .uid = st.st_uid,
                   .gid = st.st_gid});
  }
  if (ec) return fail_errno(ec.value(), "list the devices in", dir);
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.target < b.target; });
  return out;
}

result<host_facts> probe_host() {
  utsname name{};
  if (::uname(&name) != 0) return fail_errno(errno, "ask for", "the host's name");
  host_facts facts;
  facts.hostname = name.nodename;
  facts.architecture = go_architecture(name.machine);
  read_resolv_conf(TANK_TRY(read_optional("/etc/resolv.conf")), facts);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) facts.max_open_files = files.rlim_max;
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) == 0) facts.max_core = core.rlim_max;
  facts.capabilities = held_capabilities(TANK_TRY(read_optional("/proc/self/status")));
  facts.hosts_file = TANK_TRY(read_optional("/etc/hosts"));
  facts.memory = memory_total(TANK_TRY(read_optional("/proc/meminfo")));
  if (const auto cpus = ::sysconf(_SC_NPROCESSORS_ONLN); cpus > 0)
    facts.cpus = static_cast<std::uint32_t>(cpus);
  const auto score = TANK_TRY(read_optional("/proc/self/oom_score_adj"));
  std::from_chars(score.data(), score.data() + score.size(), facts.oom_score_adj);
  return facts;
}

} // namespace tank::kernel
