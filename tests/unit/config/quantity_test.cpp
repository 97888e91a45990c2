#include "config/quantity.hpp"
#include "vectors.hpp"

#include <set>

namespace quantity_test {

using tank::config::quantity;

namespace {

quantity q(std::string_view text) {
  auto parsed = quantity::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

std::string name_of(quantity::format f) {
  switch (f) {
  case quantity::format::decimal_si:
    return "DecimalSI";
  case quantity::format::binary_si:
    return "BinarySI";
  default:
    return "DecimalExponent";
  }
}

} // namespace

TEST_CASE("every quantity vector parses, prints and rounds as in Kubernetes") {
  if (!tank::config::test::have_corpus()) return;
  // Kubernetes computes these two numbers in int64 and lets them wrap; ours are the true ones.
  const std::set<std::string> wrapped_there = {"-1Pi",   "-1Ei",   "-0.5Ti",
                                               "-0.5Pi", "-0.5Ei", "-0.5n"};
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  int seen = 0;
  for (const auto& row : tank::config::test::rows("quantity_vectors.tsv")) {
    const auto text = nlohmann::json::parse(row.at(0)).get<std::string>();
    CAPTURE(text);
    auto parsed = quantity::parse(text);
    ++seen;
    REQUIRE(parsed.has_value() == (row.at(1) == "true"));
    if (!parsed) {
      CHECK(parsed.error().cause == row.at(6));
      continue;
    }
    CHECK(parsed->to_string() == row.at(4));
    CHECK(name_of(parsed->written_as()) == row.at(5));
    if (wrapped_there.contains(text)) continue;
    const auto value = parsed->value();
    if (value != most && value != least) CHECK(std::to_string(value) == row.at(2));
    const auto milli = parsed->milli_value();
    if (milli != most && milli != least && row.at(3) != "0")
      CHECK(std::to_string(milli) == row.at(3));
  }
  CHECK(seen == 1216);
}

TEST_CASE("amounts compare by what they are, not by how they are written") {
  CHECK(q("1") == q("1000m"));
  CHECK(q("1Gi") == q("1024Mi"));
  CHECK(q("1Gi") > q("1G"));
  CHECK(q("-1") < q("0"));
  CHECK(q("-2") < q("-1"));
  CHECK(q("99999999999999999999999") > q("1E"));
  CHECK(q("0") == q("0Ki"));
  CHECK(q("1.25") < q("1.3"));
}

TEST_CASE("numbers too large for an integer saturate instead of wrapping") {
  CHECK(q("9999E").value() == std::numeric_limits<std::int64_t>::max());
  CHECK(q("-9999E").value() == std::numeric_limits<std::int64_t>::min());
  CHECK(q("1e1000").milli_value() == std::numeric_limits<std::int64_t>::max());
  CHECK(q("1e-100000").value() == 1);
}

TEST_CASE("a quantity of absurd length is refused") {
  CHECK_FALSE(quantity::parse(std::string(5000, '9')));
  CHECK_FALSE(quantity::parse("1e99999999999999"));
}

TEST_CASE("a resource field reference rounds up to its divisor") {
  CHECK(q("1500m").divided_by(q("1")) == 2);
  CHECK(q("1500m").divided_by(q("1m")) == 1500);
  CHECK(q("1Gi").divided_by(q("1Mi")) == 1024);
  CHECK(q("1Gi").divided_by(q("0")) == 1073741824);
}

TEST_CASE("a quantity made from an integer prints in its family") {
  CHECK(quantity(2048, quantity::format::binary_si).to_string() == "2Ki");
  CHECK(quantity(1000).to_string() == "1k");
  CHECK(quantity(-5).to_string() == "-5");
  CHECK(quantity().to_string() == "0");
}

} // namespace quantity_test
