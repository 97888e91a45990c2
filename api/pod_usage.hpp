/// What running pods use: readings of their cgroups, rates between two of them, and both as JSON.
/// Pure.
#pragma once

#include "base/error.hpp"
#include "kernel/cgroup.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

/// One reading of one pod's cgroup.
struct pod_usage {
  std::string key; ///< namespace/name
  std::string uid;
  std::int64_t started_ns = 0; ///< of the run, CLOCK_REALTIME: two runs have two counters
  std::int64_t at_ns = 0;      ///< CLOCK_MONOTONIC, when it was read
  kernel::cgroup_stats counted;
  bool operator==(const pod_usage&) const = default;
};

/// Between two readings. Empty: not known.
struct usage_rate {
  std::optional<std::uint64_t> cpu_millis;        ///< thousandths of a processor
  std::optional<std::uint64_t> throttled_percent; ///< of the quota's periods, 0..100
  bool operator==(const usage_rate&) const = default;
};

/// Nothing is known when they are of different runs, or a counter went back.
usage_rate rate_between(const pod_usage& before, const pod_usage& after);

/// A reading with what its predecessor makes known.
struct usage_row {
  pod_usage now;
  usage_rate rate;
  bool operator==(const usage_row&) const = default;
};
/// Rows of `after`, in its order.
std::vector<usage_row> usage_rows(const std::vector<pod_usage>& before,
                                  const std::vector<pod_usage>& after);

namespace api {

/// The answer to the verb "usage", a line of api_protocol.hpp.
std::string ok_usage(const std::vector<pod_usage>& pods);
result<std::vector<pod_usage>> decode_usage(std::string_view line);

/// {"apiVersion":"tank/v1","kind":"PodUsageList","items":[...]}; tank(1), "PodUsageList" has the
/// fields.
std::string usage_document(const std::vector<usage_row>& rows, int indent);

} // namespace api
} // namespace tank
