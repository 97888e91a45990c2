/// What the kernel's cgroup files are called, hold and are told, for both versions. Pure.
///
/// Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
#pragma once

#include "kernel/cgroup.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::kernel {

/// One write to one file.
struct cgroup_setting {
  std::string controller;
  std::string file;
  std::string value;
  bool needed = true; ///< false: a host without this file or controller does without
  bool operator==(const cgroup_setting&) const = default;
};

/// How the limits are told to a fresh cgroup: only what differs from its defaults. `leaf`: of a
/// container. In the order of writing.
std::vector<cgroup_setting> settings_of(cgroup_version version, const cgroup_limits& limits,
                                        bool leaf);
/// The same for one that had other limits: all of them. No limit can be had without its file.
std::vector<cgroup_setting> all_settings_of(cgroup_version version, const cgroup_limits& limits);

/// v1's shares on v2's scale of 1..10000: 2 -> 1, 1024 -> 100 (the defaults), 262144 -> 10000. The
/// curve is that of current container runtimes.
std::uint64_t weight_of_shares(std::uint64_t shares);

/// "key value" lines; what is no such line is left out.
std::map<std::string, std::uint64_t, std::less<>> parse_counters(std::string_view text);
/// One number; nullopt for "max", and for v1's "no limit".
std::optional<std::uint64_t> parse_amount(std::string_view text);

/// From the contents of files by name; those that are missing are not counted.
using cgroup_contents = std::map<std::string, std::string, std::less<>>;
cgroup_stats stats_of(cgroup_version version, const cgroup_contents& files);
/// The files that stats_of reads, by controller.
struct cgroup_file {
  std::string_view controller;
  std::string_view file;
};
std::vector<cgroup_file> stats_files(cgroup_version version);

/// The file that count_oom_kills_in (oom_count.hpp) reads.
std::string_view oom_file(cgroup_version version);

} // namespace tank::kernel
