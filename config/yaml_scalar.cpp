#include "config/yaml_scalar.hpp"

#include "base/text.hpp"
#include "config/limits.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace tank::config {
namespace {

constexpr std::string_view core_tag = "tag:yaml.org,2002:";

constexpr std::string_view true_words[] = {"y",  "Y",  "yes",  "Yes",  "YES", "on",
                                           "On", "ON", "true", "True", "TRUE"};
constexpr std::string_view false_words[] = {"n",   "N",   "no",    "No",    "NO",   "off",
                                            "Off", "OFF", "false", "False", "FALSE"};
constexpr std::string_view null_words[] = {"", "~", "null", "Null", "NULL"};
constexpr std::string_view not_finite[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF",
                                           "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};

template <std::size_t N>
bool one_of(const std::string_view (&words)[N], std::string_view text) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}

void skip_digits(std::string_view& rest) {
  while (!rest.empty() && is_decimal(rest.front()))
    rest.remove_prefix(1);
}

/// [-+]? (.digits | digits[.digits?]) ([eE][-+]?digits)?
bool looks_like_float(std::string_view rest) {
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  const auto before = rest.size();
  skip_digits(rest);
  const bool whole = rest.size() != before;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const auto point = rest.size();
    skip_digits(rest);
    if (!whole && rest.size() == point) return false;
  } else if (!whole) {
    return false;
  }
  if (!rest.starts_with('e') && !rest.starts_with('E')) return rest.empty();
  rest.remove_prefix(1);
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  const auto exponent = rest.size();
  skip_digits(rest);
  return rest.empty() && exponent != 0;
}

/// A whole number stays an integer: JSON does not tell 80.0 from 80.
node::content of_double(double value) {
  if (value == std::trunc(value) && std::abs(value) < 9.2e18)
    return static_cast<std::int64_t>(value);
  return node::number{value, {}};
}

std::optional<node::content> parse_float(std::string_view text) {
  if (!looks_like_float(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed == std::errc::result_out_of_range) {
    // Too small is zero, as in Go; too large is no number there.
    if (text.find("e-") == std::string_view::npos && text.find("E-") == std::string_view::npos)
      return std::nullopt;
    value = 0;
  } else if (failed != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return of_double(value);
}

/// Base prefixes 0x 0o 0b and a leading 0 for octal.
std::optional<node::content> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (negative) {
    if (value > most + 1) return std::nullopt;
    return static_cast<std::int64_t>(~value + 1);
  }
  if (value > most) return node::number{static_cast<double>(value), std::to_string(value)};
  return static_cast<std::int64_t>(value);
}

node::content resolve_plain(std::string_view text) {
  if (one_of(null_words, text)) return std::monostate{};
  if (one_of(true_words, text)) return true;
  if (one_of(false_words, text)) return false;
  if (text.front() == '.') {
    if (auto value = parse_float(text)) return *value;
  } else if (is_decimal(text.front()) || text.front() == '-' || text.front() == '+') {
    std::string plain{text};
    std::erase(plain, '_');
    if (auto value = parse_integer(plain)) return *value;
    if (auto value = parse_float(plain)) return *value;
  }
  return std::string{text};
}

std::string_view tag_of(const node::content& value) {
  constexpr std::string_view names[] = {"null", "bool", "int", "float", "str", "seq", "map"};
  return names[value.index()];
}

} // namespace

result<node::content> resolve_scalar(scalar_text scalar) {
  const auto refuse = [&](std::string cause) {
    return fail(errc::invalid, "read value", std::string{scalar.text.substr(0, 100)},
                std::move(cause));
  };
  auto wanted = scalar.tag;
  const bool tagged = wanted.starts_with(core_tag);
  if (tagged) wanted.remove_prefix(core_tag.size());
  if (tagged && wanted == "binary") return refuse("the tag !!binary is not supported here");
  if (wanted != "?" && (!tagged || wanted == "str")) return node::content{std::string{scalar.text}};
  if (one_of(not_finite, scalar.text)) return refuse("JSON has no such number");
  auto value = resolve_plain(scalar.text);
  if (!tagged || tag_of(value) == wanted || wanted == "timestamp") return value;
  if (wanted == "float" && tag_of(value) == "int") return value;
  if (wanted != "int" && wanted != "float" && wanted != "bool" && wanted != "null")
    return node::content{std::string{scalar.text}};
  return refuse("cannot decode !!" + std::string{tag_of(value)} + " as a !!" +
                shortened(wanted, max_word));
}

result<std::string> resolve_key(scalar_text scalar) {
  auto value = TANK_TRY(resolve_scalar(scalar));
  if (std::holds_alternative<std::monostate>(value))
    return fail(errc::invalid, "read key", std::string{scalar.text}, "null is no key");
  return node{std::move(value)}.scalar_text();
}

} // namespace tank::config
