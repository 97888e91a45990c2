#include "kernel/cgroup_files.hpp"

#include "base/text.hpp"
#include "kernel/oom_count.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tank::kernel {
namespace {

/// "No limit" of v1 is the largest multiple of a page; the page's size does not matter here.
constexpr std::uint64_t v1_unlimited = 0x7ffffffffff00000;

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

std::optional<std::uint64_t> find(const std::map<std::string, std::uint64_t, std::less<>>& counters,
                                  std::string_view key) {
  const auto it = counters.find(key);
  return it == counters.end() ? std::nullopt : std::optional{it->second};
}

std::optional<std::uint64_t> thousandth(std::optional<std::uint64_t> ns) {
  return ns ? std::optional{*ns / 1000} : std::nullopt;
}

std::vector<cgroup_setting> v2_settings(const cgroup_limits& l) {
  const auto quota = l.cpu_quota ? number(*l.cpu_quota) : "max";
  return {{"memory", "memory.max", l.memory ? number(*l.memory) : "max"},
          {"memory", "memory.swap.max", l.memory ? "0" : "max", false},
          {"memory", "memory.high", "max", false},
          {"cpu", "cpu.max", quota + " " + number(l.cpu_period)},
          {"cpu", "cpu.weight", number(weight_of_shares(l.cpu_shares.value_or(1024))), false},
          {"pids", "pids.max", l.pids ? number(*l.pids) : "max", false}};
}

std::vector<cgroup_setting> v1_settings(const cgroup_limits& l) {
  const auto memory = l.memory ? number(*l.memory) : "-1";
  return {{"memory", "memory.limit_in_bytes", memory},
          {"memory", "memory.memsw.limit_in_bytes", memory, false},
          {"cpu", "cpu.cfs_period_us", number(l.cpu_period)},
          {"cpu", "cpu.cfs_quota_us", l.cpu_quota ? number(*l.cpu_quota) : "-1"},
          {"cpu", "cpu.shares", number(l.cpu_shares.value_or(1024)), false},
          {"pids", "pids.max", l.pids ? number(*l.pids) : "max", false}};
}

bool is_wanted(const cgroup_setting& s, const cgroup_limits& l) {
  if (s.file == "memory.high") return false;
  if (s.controller == "memory") return l.memory.has_value();
  if (s.controller == "pids") return l.pids.has_value();
  const bool weight = s.file == "cpu.weight" || s.file == "cpu.shares";
  return weight ? l.cpu_shares.has_value() : l.cpu_quota.has_value();
}

} // namespace

std::uint64_t weight_of_shares(std::uint64_t shares) {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const double l = std::log2(static_cast<double>(shares));
  const double exponent = (l * l + 125 * l) / 612 - 7.0 / 34;
  return static_cast<std::uint64_t>(std::ceil(std::pow(10, exponent)));
}

std::vector<cgroup_setting> all_settings_of(cgroup_version version, const cgroup_limits& limits) {
  auto all = version == cgroup_version::v2 ? v2_settings(limits) : v1_settings(limits);
  for (auto& s : all)
    s.needed = s.needed && is_wanted(s, limits);
  return all;
}

std::vector<cgroup_setting> settings_of(cgroup_version version, const cgroup_limits& limits,
                                        bool leaf) {
  std::vector<cgroup_setting> out;
  // What is left of a container that has lost a process is of no use to anybody.
  if (leaf && version == cgroup_version::v2)
    out.push_back({"memory", "memory.oom.group", "1", false});
  for (auto& s : all_settings_of(version, limits))
    if (is_wanted(s, limits)) out.push_back(std::move(s));
  return out;
}

std::map<std::string, std::uint64_t, std::less<>> parse_counters(std::string_view text) {
  std::map<std::string, std::uint64_t, std::less<>> out;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto space = line.find(' ');
    if (space == std::string_view::npos) continue;
    std::uint64_t value = 0;
    const char* const end = line.data() + line.size();
    const auto [at, ec] = std::from_chars(line.data() + space + 1, end, value);
    if (ec == std::errc{} && at == end) out.emplace(line.substr(0, space), value);
  }
  return out;
}

std::optional<std::uint64_t> parse_amount(std::string_view text) {
  const auto word = trimmed(text);
  std::uint64_t value = 0;
  const auto [at, ec] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (ec != std::errc{} || at != word.data() + word.size() || value >= v1_unlimited) return {};
  return value;
}

std::string_view oom_file(cgroup_version version) {
  return version == cgroup_version::v2 ? oom_file_v2 : oom_file_v1;
}

std::vector<cgroup_file> stats_files(cgroup_version version) {
  if (version == cgroup_version::v2)
    return {{"cpu", "cpu.stat"},      {"memory", "memory.current"}, {"memory", "memory.peak"},
            {"memory", "memory.max"}, {"memory", "memory.stat"},    {"memory", "memory.events"},
            {"pids", "pids.current"}, {"pids", "pids.max"}};
  return {{"cpuacct", "cpuacct.usage"},
          {"cpuacct", "cpuacct.usage_user"},
          {"cpuacct", "cpuacct.usage_sys"},
          {"cpu", "cpu.stat"},
          {"memory", "memory.usage_in_bytes"},
          {"memory", "memory.max_usage_in_bytes"},
          {"memory", "memory.limit_in_bytes"},
          {"memory", "memory.stat"},
          {"memory", "memory.oom_control"},
          {"pids", "pids.current"},
          {"pids", "pids.max"}};
}

cgroup_stats stats_of(cgroup_version version, const cgroup_contents& files) {
  const bool v2 = version == cgroup_version::v2;
  const auto text = [&](std::string_view name) -> std::string_view {
    const auto it = files.find(name);
    return it == files.end() ? std::string_view{} : it->second;
  };
  const auto amount = [&](std::string_view name) { return parse_amount(text(name)); };
  cgroup_stats out;
  const auto cpu = parse_counters(text("cpu.stat"));
  out.periods = find(cpu, "nr_periods");
  out.throttled_periods = find(cpu, "nr_throttled");
  out.cpu_us = v2 ? find(cpu, "usage_usec") : thousandth(amount("cpuacct.usage"));
  out.cpu_user_us = v2 ? find(cpu, "user_usec") : thousandth(amount("cpuacct.usage_user"));
  out.cpu_system_us = v2 ? find(cpu, "system_usec") : thousandth(amount("cpuacct.usage_sys"));
  out.throttled_us = v2 ? find(cpu, "throttled_usec") : thousandth(find(cpu, "throttled_time"));
  out.memory = amount(v2 ? "memory.current" : "memory.usage_in_bytes");
  out.memory_peak = amount(v2 ? "memory.peak" : "memory.max_usage_in_bytes");
  out.memory_limit = amount(v2 ? "memory.max" : "memory.limit_in_bytes");
  const auto idle =
      find(parse_counters(text("memory.stat")), v2 ? "inactive_file" : "total_inactive_file");
  if (out.memory) out.memory_working_set = *out.memory - std::min(*out.memory, idle.value_or(0));
  out.oom_kills = find(parse_counters(text(oom_file(version))), "oom_kill");
  out.pids = amount("pids.current");
  out.pids_limit = amount("pids.max");
  return out;
}

} // namespace tank::kernel
