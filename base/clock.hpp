/// The machine's clocks, for those who inject them.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace tank {

/// CLOCK_REALTIME in ns.
inline std::int64_t system_wall_clock() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// What a record keeps of a time: ns of CLOCK_MONOTONIC, which goes on over a daemon's restart.
inline std::int64_t ns_of(std::chrono::steady_clock::time_point at) {
  return at.time_since_epoch() / std::chrono::nanoseconds{1};
}
inline std::chrono::steady_clock::time_point steady_at(std::int64_t ns) {
  return std::chrono::steady_clock::time_point{std::chrono::nanoseconds{ns}};
}

} // namespace tank
