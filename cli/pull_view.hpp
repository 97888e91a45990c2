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

/// The rates of a pull: of each layer, and of all together.
class pull_speeds {
 public:
  void sample(pull_rate::time at, const oci::pull_totals& totals);
  [[nodiscard]] double all() const noexcept { return all_.bytes_per_second(); }
  [[nodiscard]] double of(const std::string& blob) const;

 private:
  pull_rate all_;
  std::map<std::string, pull_rate> layers_;
};

/// One row per layer and one for all, each at most `columns` wide:
///     2d35ebdb57d9 [#####.....] 12.0 MiB / 24.0 MiB, 4.1 MiB/s, 3s left
///     all          [#####.....] 40.1 MiB / 80.0 MiB, 12.3 MiB/s, 4s left
/// Where that is too wide, without bars; and then "50% 4.1 MiB/s 3s left".
std::string pull_table(const oci::pull_totals& totals, const pull_speeds& speeds,
                       std::size_t columns);

/// The line that says a layer has come to an end; empty while it has not.
std::string layer_line(const oci::layer_progress& layer);

} // namespace tank::cli
