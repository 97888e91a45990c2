/// How often the kernel has killed in a cgroup for want of memory, from what its file says.
///
/// Header only, without heap and exceptions: daemon and shim read the same files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tank::kernel {

inline constexpr const char* oom_file_v1 = "memory.oom_control";
inline constexpr const char* oom_file_v2 = "memory.events";

/// The value of the line "oom_kill <n>", which both versions' files have (v1's since Linux 4.13). 0
/// when there is no such line.
constexpr std::uint64_t count_oom_kills_in(std::string_view text) noexcept {
  constexpr std::string_view key = "oom_kill ";
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && text[end] != '\n')
      ++end;
    const std::string_view line{text.data(), end};
    if (line.starts_with(key)) {
      std::uint64_t count = 0;
      for (const char c : std::string_view{line.data() + key.size(), line.size() - key.size()}) {
        if (c < '0' || c > '9') break;
        count = count * 10 + static_cast<std::uint64_t>(c - '0');
      }
      return count;
    }
    text.remove_prefix(end < text.size() ? end + 1 : end);
  }
  return 0;
}

/// Whether an attempt counts as ended for want of memory. It need not have been its first process
/// that was killed; a workload that copes, and ends with exit code 0, was not ended by it.
constexpr bool is_oom_end(std::uint64_t kills_before, std::uint64_t kills_after,
                          bool ended_well) noexcept {
  return kills_after > kills_before && !ended_well;
}

} // namespace tank::kernel
