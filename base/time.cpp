#include "base/time.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace tank {

namespace {

/// Takes `count` digits off the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return {};
  int value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + count, value);
  if (failed != std::errc{} || end != text.data() + count || text.front() == '-') return {};
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// The digits behind a decimal point, in nanoseconds; those beyond the ninth are dropped.
std::optional<std::int32_t> take_fraction(std::string_view& text) {
  std::int32_t value = 0;
  std::int32_t unit = 100'000'000;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    value += (text[digits] - '0') * unit;
    unit /= 10;
  }
  if (digits == 0) return {};
  text.remove_prefix(digits);
  return value;
}

/// "Z" or "+hh:mm", to the end of `text`, in seconds east of UTC.
std::optional<int> take_offset(std::string_view text) {
  if (text == "Z") return 0;
  const int sign = take(text, '-') ? -1 : take(text, '+') ? 1 : 0;
  const auto hours = take_digits(text, 2);
  if (sign == 0 || !hours || !take(text, ':')) return {};
  const auto minutes = take_digits(text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return {};
  return sign * (*hours * 3600 + *minutes * 60);
}

/// Milliseconds per unit; 0 when it is none. Takes it off the front.
double take_unit(std::string_view& rest) {
  const auto take_word = [&rest](std::string_view unit) {
    if (!rest.starts_with(unit)) return false;
    rest.remove_prefix(unit.size());
    return true;
  };
  if (take_word("ms")) return 1;
  if (take_word("s")) return 1000;
  if (take_word("m")) return 60'000;
  if (take_word("h")) return 3'600'000;
  return 0;
}

} // namespace

std::optional<utc_time> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_digits(text, 4);
  if (!y || !take(text, '-')) return {};
  const auto mo = take_digits(text, 2);
  if (!mo || !take(text, '-')) return {};
  const auto d = take_digits(text, 2);
  if (!d || !take(text, 'T')) return {};
  const auto h = take_digits(text, 2);
  if (!h || !take(text, ':')) return {};
  const auto mi = take_digits(text, 2);
  if (!mi || !take(text, ':')) return {};
  const auto s = take_digits(text, 2);
  if (!s || *h > 23 || *mi > 59 || *s > 59) return {};
  std::optional<std::int32_t> fraction = 0;
  if (take(text, '.')) fraction = take_fraction(text);
  const auto offset = take_offset(text);
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)},
                            day{static_cast<unsigned>(*d)}};
  if (!fraction || !offset || !date.ok()) return {};
  const auto days = sys_days{date}.time_since_epoch().count();
  return utc_time{std::int64_t{days} * 86400 + *h * 3600 + *mi * 60 + *s - *offset, *fraction};
}

std::string format_rfc3339(std::int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds moment{std::chrono::seconds{seconds}};
  const auto midnight = floor<days>(moment);
  const year_month_day date{midnight};
  const hh_mm_ss time{moment - midnight};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", int{date.year()},
                unsigned{date.month()}, unsigned{date.day()},
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text.data();
}

std::string format_rfc3339_nano(utc_time moment) {
  auto text = format_rfc3339(moment.seconds);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%09dZ", moment.nanoseconds);
  text.replace(text.size() - 1, 1, fraction.data());
  return text;
}

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

} // namespace tank
