/// Spans of time as people write them in settings: "10s", "5m", "1h30m", "250ms".
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <string_view>

namespace tank::config {

/// One or more numbers with a unit each (ms, s, m, h), fractions allowed ("1.5s"); "0" alone needs
/// none. Never negative, at most 10 years, rounded down to milliseconds.
result<std::chrono::milliseconds> parse_duration(std::string_view text);

} // namespace tank::config
