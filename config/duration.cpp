#include "config/duration.hpp"

#include <charconv>
#include <string>

namespace tank::config {
namespace {

/// Milliseconds per unit; 0 when it is none. Takes it off the front.
double take_unit(std::string_view& rest) {
  const auto take = [&rest](std::string_view unit) {
    if (!rest.starts_with(unit)) return false;
    rest.remove_prefix(unit.size());
    return true;
  };
  if (take("ms")) return 1;
  if (take("s")) return 1000;
  if (take("m")) return 60'000;
  if (take("h")) return 3'600'000;
  return 0;
}

} // namespace

result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return fail(errc::invalid, "parse duration", std::string{text.substr(0, 100)}, why,
                "write it as 250ms, 10s, 5m or 1h30m");
  };
  if (text == "0") return std::chrono::milliseconds{0};
  if (text.empty()) return refuse("it is empty");
  constexpr double most = 10.0 * 365 * 24 * 3'600'000;
  double total = 0;
  for (auto rest = text; !rest.empty();) {
    double amount = 0;
    auto [end, failed] =
        std::from_chars(rest.data(), rest.data() + rest.size(), amount, std::chars_format::fixed);
    if (failed != std::errc{} || !(amount >= 0) || rest.front() == '-')
      return refuse("it is no sequence of numbers with units");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto unit = take_unit(rest);
    if (unit == 0) return refuse("a number has no unit");
    total += amount * unit;
    if (!(total <= most)) return refuse("it is longer than 10 years");
  }
  // What decimal fractions lose in binary must not cost a millisecond.
  return std::chrono::milliseconds{static_cast<std::int64_t>(total + 1e-6)};
}

} // namespace tank::config
