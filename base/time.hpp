/// Moments and spans of time as people and files write them. Pure: no clock is read here.
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tank {

/// A moment since 1970-01-01T00:00:00Z.
struct utc_time {
  std::int64_t seconds = 0;
  std::int32_t nanoseconds = 0; ///< [0, 999999999]
  bool operator==(const utc_time&) const = default;
};

/// RFC 3339: "2006-01-02T15:04:05Z", with an offset ("+01:00"), or with a fraction, of which nine
/// digits count. Nothing when it is none.
std::optional<utc_time> parse_rfc3339(std::string_view text);
/// "2006-01-02T15:04:05Z"
std::string format_rfc3339(std::int64_t seconds);
/// "2006-01-02T15:04:05.000000001Z"
std::string format_rfc3339_nano(utc_time moment);

/// One or more numbers with a unit each (ms, s, m, h), fractions allowed: "10s", "1h30m", "1.5s",
/// "250ms"; "0" alone needs none. Never negative, at most 10 years, rounded down to milliseconds.
result<std::chrono::milliseconds> parse_duration(std::string_view text);

} // namespace tank
