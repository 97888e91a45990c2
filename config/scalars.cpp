#include "config/scalars.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace tank::config {

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

} // namespace

std::optional<timestamp> timestamp::parse(std::string_view text) {
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
  if (take(text, '.')) {
    if (!take_digits(text, 1)) return {};
    while (take_digits(text, 1)) {
    }
  }
  const auto offset = take_offset(text);
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)},
                            day{static_cast<unsigned>(*d)}};
  if (!offset || !date.ok()) return {};
  const auto days = sys_days{date}.time_since_epoch().count();
  return timestamp{std::int64_t{days} * 86400 + *h * 3600 + *mi * 60 + *s - *offset};
}

std::string timestamp::to_string() const {
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

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::optional<bytes> bytes::from_base64(std::string_view text) {
  bytes out;
  std::uint32_t group = 0;
  int digits = 0;
  int padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (padding > 0 && (c != '=' || digits == 0)) return {};
    const auto value = c == '=' ? std::size_t{0} : alphabet.find(c);
    if (value == std::string_view::npos) return {};
    if (c == '=' && (++padding > 2 || digits < 2)) return {};
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (++digits < 4) continue;
    for (int i = 0; i < 3 - padding; ++i)
      out.data.push_back(static_cast<char>(group >> (16 - 8 * i) & 0xff));
    group = 0;
    digits = 0;
  }
  if (digits != 0) return {};
  return out;
}

std::string bytes::to_base64() const {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < data.size() ? static_cast<unsigned char>(data[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(i + k <= data.size() ? alphabet[group >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

} // namespace tank::config
