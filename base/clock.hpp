/// The machine's clocks, for those who inject them.
#pragma once

#include <cstdint>
#include <ctime>

namespace tank {

/// CLOCK_REALTIME in ns.
inline std::int64_t system_wall_clock() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

} // namespace tank
