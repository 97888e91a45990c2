/// Amounts of a resource as Kubernetes writes them: "500m", "1.5Gi", "1e3".
///
/// The grammar, the rounding and the canonical text are those of Kubernetes' resource.Quantity:
/// `[+-]digits[.digits]suffix`, suffix one of n u m "" k M G T P E, Ki Mi Gi Ti Pi Ei, e<int>,
/// E<int>. There is no K, no MB, no space. Nothing smaller than 1n is kept: it rounds away from
/// zero.
#pragma once

#include "base/error.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace tank::config {

/// An exact decimal number of bounded length; 0 by default.
class quantity {
 public:
  /// The family of the suffix; decides the canonical text.
  enum class format : std::uint8_t { decimal_si, binary_si, decimal_exponent };

  quantity() = default;
  explicit quantity(std::int64_t value, format f = format::decimal_si);

  /// errc::invalid with Kubernetes' words as cause. Texts of more than 1000 bytes are refused.
  static result<quantity> parse(std::string_view text);

  /// The text the API server would return: "0.5" -> "500m", "1024Mi" -> "1Gi". Some spellings are
  /// kept as they were written ("01G"), as there.
  [[nodiscard]] std::string to_string() const;

  /// In whole units, rounded away from zero; saturates at the range of int64.
  [[nodiscard]] std::int64_t value() const;
  /// In thousandths, rounded away from zero; saturates.
  [[nodiscard]] std::int64_t milli_value() const;
  /// value() of this divided by `divisor`, rounded up (resourceFieldRef). A zero divisor counts
  /// as 1.
  [[nodiscard]] std::int64_t divided_by(const quantity& divisor) const;

  [[nodiscard]] bool is_zero() const { return digits_.empty(); }
  /// -1, 0 or 1.
  [[nodiscard]] int sign() const { return digits_.empty() ? 0 : negative_ ? -1 : 1; }
  [[nodiscard]] format written_as() const { return format_; }

  /// Of the amounts: "1" == "1000m".
  friend std::strong_ordering operator<=>(const quantity& a, const quantity& b);
  friend bool operator==(const quantity& a, const quantity& b) { return (a <=> b) == 0; }

 private:
  std::string digits_;        ///< no leading and no trailing zeros; empty for zero
  std::int32_t exponent_ = 0; ///< the amount is digits * 10^exponent
  bool negative_ = false;
  format format_ = format::decimal_si;
  std::string written_; ///< the text to give back; empty when it must be made
};

} // namespace tank::config
