// Kubernetes' quantities: one amount, one canonical text, and whole numbers that round away from 0.
#include "../fuzz.hpp"

#include "config/quantity.hpp"

namespace tank::fuzz {
namespace quantity_target {
namespace {

using config::quantity;

verdict run(std::string_view input) {
  const auto q = quantity::parse(input);
  if (!q) return verdict::refused;
  const auto text = q->to_string();
  const auto again = quantity::parse(text);
  FUZZ_CHECK(again && *again == *q);
  FUZZ_CHECK(again->to_string() == text);
  FUZZ_CHECK(again->value() == q->value() && again->milli_value() == q->milli_value());
  if (q->sign() > 0) FUZZ_CHECK(q->divided_by(quantity{1}) == q->value());
  (void)quantity{1}.divided_by(*q);
  FUZZ_CHECK((q->sign() == 0) == q->is_zero() && (*q < quantity{}) == (q->sign() < 0));
  const auto whole = q->value();
  if (whole != INT64_MAX && whole != INT64_MIN) {
    const quantity w{whole};
    FUZZ_CHECK(q->sign() >= 0 ? w >= *q : w <= *q);
    if (whole > 0) FUZZ_CHECK(quantity{whole - 1} < *q);
  }
  return verdict::accepted;
}

} // namespace
} // namespace quantity_target
const target targets::quantity{"quantity", quantity_target::run};
} // namespace tank::fuzz
