#include "config/quantity.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace tank::config {
namespace {

__extension__ using wide = unsigned __int128;

constexpr std::size_t max_text = 1000;
constexpr std::int32_t nano = -9;
constexpr auto int64_max = static_cast<wide>(std::numeric_limits<std::int64_t>::max());

constexpr std::string_view wrong_format = "quantities must match the regular expression "
                                          "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct pieces {
  bool negative = false;
  std::string_view whole;    // without leading zeros; "0" when nothing is left
  std::string_view fraction; // behind the point
  std::string_view suffix;
  bool has_digits = false;
};

struct suffix_meaning {
  int base = 10;
  std::int32_t exponent = 0;
  quantity::format family = quantity::format::decimal_si;
};

std::string_view take_digits(std::string_view& rest) {
  auto end = std::find_if_not(rest.begin(), rest.end(), is_digit);
  auto digits = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  rest.remove_prefix(digits.size());
  return digits;
}

std::optional<pieces> split(std::string_view rest) {
  pieces p;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    p.negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  p.whole = take_digits(rest);
  p.has_digits = !p.whole.empty();
  p.whole.remove_prefix(std::min(p.whole.find_first_not_of('0'), p.whole.size()));
  if (p.whole.empty()) p.whole = "0";
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    p.fraction = take_digits(rest);
    p.has_digits = p.has_digits || !p.fraction.empty();
  }
  p.suffix = rest;
  rest.remove_prefix(std::min(rest.find_first_not_of("eEinumkKMGTP"), rest.size()));
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
  take_digits(rest);
  if (!rest.empty()) return std::nullopt;
  return p;
}

constexpr std::string_view decimal_suffixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
constexpr std::string_view binary_suffixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

std::optional<suffix_meaning> interpret(std::string_view suffix) {
  for (std::size_t i = 0; i < std::size(decimal_suffixes); ++i)
    if (suffix == decimal_suffixes[i])
      return suffix_meaning{10, nano + 3 * static_cast<std::int32_t>(i),
                            quantity::format::decimal_si};
  for (std::size_t i = 1; i < std::size(binary_suffixes); ++i)
    if (suffix == binary_suffixes[i])
      return suffix_meaning{2, 10 * static_cast<std::int32_t>(i), quantity::format::binary_si};
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return std::nullopt;
  suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
  std::int32_t exponent = 0;
  auto [end, failed] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), exponent);
  // The bound keeps every later sum of exponents inside int32.
  constexpr std::int32_t bound = 1'000'000'000;
  if (failed != std::errc{} || end != suffix.data() + suffix.size() || exponent > bound ||
      exponent < -bound)
    return std::nullopt;
  return suffix_meaning{10, exponent, quantity::format::decimal_exponent};
}

/// Multiplies a decimal text by 2^shift.
void shift_left(std::string& digits, std::int32_t shift) {
  for (; shift > 0; shift -= 10) {
    unsigned carry = 0;
    for (auto it = digits.rbegin(); it != digits.rend(); ++it) {
      auto product = static_cast<unsigned>(*it - '0') * 1024u + carry;
      *it = static_cast<char>('0' + product % 10);
      carry = product / 10;
    }
    if (carry != 0) digits.insert(0, std::to_string(carry));
  }
}

void add_one(std::string& digits) {
  for (auto it = digits.rbegin(); it != digits.rend(); ++it) {
    if (*it != '9') {
      ++*it;
      return;
    }
    *it = '0';
  }
  digits.insert(0, "1");
}

void normalise(std::string& digits, std::int32_t& exponent) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) exponent = 0;
}

/// Drops what is below 10^lowest, away from zero.
void round_up_at(std::string& digits, std::int32_t& exponent, std::int32_t lowest) {
  if (digits.empty() || exponent >= lowest) return;
  auto drop = static_cast<std::size_t>(lowest - exponent);
  exponent = lowest;
  if (drop >= digits.size()) {
    digits = "1";
    return;
  }
  digits.resize(digits.size() - drop); // no trailing zeros: what is dropped is not zero
  add_one(digits);
}

/// The magnitude times 10^scale as an integer, away from zero; nullopt beyond int64.
std::optional<wide> magnitude(std::string digits, std::int32_t exponent, std::int32_t scale) {
  exponent += scale;
  round_up_at(digits, exponent, 0);
  if (digits.empty()) return wide{0};
  if (exponent > 20 || digits.size() + static_cast<std::size_t>(exponent) > 20) return std::nullopt;
  wide value = 0;
  for (char c : digits)
    value = value * 10 + static_cast<wide>(c - '0');
  for (; exponent > 0; --exponent)
    value *= 10;
  if (value > int64_max) return std::nullopt;
  return value;
}

std::int64_t saturated(std::optional<wide> amount, bool negative) {
  if (!amount)
    return negative ? std::numeric_limits<std::int64_t>::min()
                    : std::numeric_limits<std::int64_t>::max();
  auto value = static_cast<std::int64_t>(*amount);
  return negative ? -value : value;
}

/// Kubernetes remembers the text of what its fast path parses, when it looks canonical: a text
/// that is given back unchanged there must be here, too.
bool keeps_text(const pieces& p, const suffix_meaning& s) {
  std::string digits{p.whole};
  digits += p.fraction;
  if (digits.front() == '0') return false;
  const auto count = static_cast<std::int32_t>(std::min(digits.size(), max_text));
  if (s.base == 2) {
    const auto precision = 15 - count - s.exponent * 3 / 10 - 1;
    if (precision < 0 || !p.fraction.empty()) return false;
    return std::stoll(digits) % 1024 != 0;
  }
  const auto scale = s.exponent - static_cast<std::int32_t>(p.fraction.size());
  return count <= 18 && scale >= nano && scale % 3 == 0 && !digits.ends_with("000");
}

std::string decimal_text(std::string digits, std::int32_t exponent, quantity::format family) {
  for (; exponent % 3 != 0; --exponent)
    digits += '0';
  if (family == quantity::format::decimal_exponent)
    return exponent == 0 ? digits : digits + "e" + std::to_string(exponent);
  // An exponent without a suffix loses it, as in Kubernetes ("1000E" reads "1" there).
  const auto index = (exponent - nano) / 3;
  if (index >= 0 && index < static_cast<std::int32_t>(std::size(decimal_suffixes)))
    digits += decimal_suffixes[index];
  return digits;
}

} // namespace

quantity::quantity(std::int64_t value, format f) : negative_(value < 0), format_(f) {
  digits_ = std::to_string(value);
  if (negative_) digits_.erase(0, 1);
  normalise(digits_, exponent_);
}

result<quantity> quantity::parse(std::string_view text) {
  const auto refuse = [&](std::string_view cause) {
    return fail(errc::invalid, "parse quantity", std::string{text.substr(0, 100)},
                std::string{cause});
  };
  if (text.empty() || text.size() > max_text) return refuse(wrong_format);
  auto p = split(text);
  if (!p) return refuse(wrong_format);
  auto suffix = interpret(p->suffix);
  if (!suffix) return refuse("unable to parse quantity's suffix");
  const auto kept = keeps_text(*p, *suffix);
  // The fast path of Kubernetes reads an absent number as 0, its exact path refuses it.
  if (!p->has_digits && (suffix->base == 2 ? suffix->exponent > 40 : suffix->exponent < nano))
    return refuse("unable to parse numeric part of quantity");

  quantity q;
  q.negative_ = p->negative;
  q.format_ = suffix->family;
  q.digits_ = std::string{p->whole}.append(p->fraction);
  q.exponent_ = -static_cast<std::int32_t>(p->fraction.size());
  if (suffix->base == 2)
    shift_left(q.digits_, suffix->exponent);
  else
    q.exponent_ += suffix->exponent;
  normalise(q.digits_, q.exponent_);
  round_up_at(q.digits_, q.exponent_, nano);
  normalise(q.digits_, q.exponent_);
  if (q.is_zero()) q.negative_ = false;
  if (q.format_ == format::binary_si) {
    if (!magnitude(q.digits_, q.exponent_, 0)) {
      q.digits_ = std::to_string(std::numeric_limits<std::int64_t>::max());
      q.exponent_ = 0;
    }
    const auto below_one =
        !q.is_zero() && static_cast<std::int32_t>(q.digits_.size()) + q.exponent_ <= 0;
    if (below_one) q.format_ = format::decimal_si;
  }
  if (kept) q.written_ = text;
  return q;
}

std::string quantity::to_string() const {
  if (is_zero()) return "0";
  if (!written_.empty()) return written_;
  const std::string sign = negative_ ? "-" : "";
  const auto whole = magnitude(digits_, exponent_, 0);
  if (format_ != format::binary_si || exponent_ < 0 || !whole || *whole < 1024)
    return sign + decimal_text(digits_, exponent_,
                               format_ == format::binary_si ? format::decimal_si : format_);
  auto rest = static_cast<std::uint64_t>(*whole);
  std::size_t power = 0;
  for (; rest % 1024 == 0 && power + 1 < std::size(binary_suffixes); ++power)
    rest /= 1024;
  return sign + std::to_string(rest).append(binary_suffixes[power]);
}

std::int64_t quantity::value() const {
  return saturated(magnitude(digits_, exponent_, 0), negative_);
}

std::int64_t quantity::milli_value() const {
  return saturated(magnitude(digits_, exponent_, 3), negative_);
}

std::int64_t quantity::divided_by(const quantity& divisor) const {
  if (divisor.is_zero()) return value();
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  auto dividend = milli_value();
  auto by = divisor.milli_value();
  if (dividend == most || by == most) {
    dividend = value();
    by = divisor.value();
  }
  return dividend / by + (dividend % by > 0 ? 1 : 0);
}

std::strong_ordering operator<=>(const quantity& a, const quantity& b) {
  if (a.sign() != b.sign()) return a.sign() <=> b.sign();
  if (a.sign() == 0) return std::strong_ordering::equal;
  const auto& small = a.negative_ ? b : a;
  const auto& large = a.negative_ ? a : b;
  const auto places = [](const quantity& q) {
    return static_cast<std::int64_t>(q.digits_.size()) + q.exponent_;
  };
  if (places(small) != places(large)) return places(small) <=> places(large);
  return small.digits_.compare(large.digits_) <=> 0;
}

} // namespace tank::config
