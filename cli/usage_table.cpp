#include "cli/usage_table.hpp"

#include "cli/image_text.hpp"
#include "cli/tables.hpp"

#include <cstdint>
#include <optional>

namespace tank::cli {
namespace {

using figure = std::optional<std::uint64_t>;

std::string with(const figure& value, const char* unit) {
  return value ? std::to_string(*value) + unit : "-";
}

std::string size_of(const figure& bytes) {
  return bytes ? size_text(*bytes) : "-";
}

/// "12/4096"; "12" without a limit.
std::string pids_of(const kernel::cgroup_stats& counted) {
  if (!counted.pids) return "-";
  return with(counted.pids, "") + (counted.pids_limit ? "/" + with(counted.pids_limit, "") : "");
}

} // namespace

std::string usage_table(const std::vector<usage_row>& rows, std::size_t width) {
  std::vector<std::vector<std::string>> cells{
      {"NAME", "CPU", "MEMORY", "PEAK", "LIMIT", "PIDS", "THROTTLED"}};
  for (const auto& [now, rate] : rows) {
    const auto& counted = now.counted;
    cells.push_back({short_name(now.key), with(rate.cpu_millis, "m"), size_of(counted.memory),
                     size_of(counted.memory_peak), size_of(counted.memory_limit), pids_of(counted),
                     with(rate.throttled_percent, "%")});
  }
  return aligned(cells, width);
}

} // namespace tank::cli
