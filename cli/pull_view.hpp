/// What `tank image pull` shows: pure text from values and a time.
#pragma once

#include "oci/pull_totals.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace tank::cli {

/// Bytes per second over the last seconds, steady enough to be read.
class pull_rate {
 public:
  using time = std::chrono::steady_clock::time_point;
  void sample(time at, std::uint64_t done);
  /// Zero while unknown.
  [[nodiscard]] double bytes_per_second() const noexcept { return rate_; }

 private:
  std::optional<time> last_;
  std::uint64_t done_ = 0;
  double rate_ = 0;
};

/// One row per layer and one for all, each at most `columns` wide:
///     2d35ebdb57d9 [##########..........]  12.0 MiB / 24.0 MiB
///     all                                 40.1 MiB / 80.0 MiB   12.3 MiB/s  3s left
std::string pull_table(const oci::pull_totals& totals, double bytes_per_second,
                       std::size_t columns);

/// The line that says a layer has come to an end; empty while it has not.
std::string layer_line(const oci::layer_progress& layer);

} // namespace tank::cli
