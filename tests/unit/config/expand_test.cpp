#include "config/expand.hpp"
#include "vectors.hpp"

#include <map>

namespace expand_test {

namespace config = tank::config;

namespace {

const std::string* variable(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> known = {
      {"VAR_A", "A"}, {"VAR_B", "B"}, {"VAR_C", "C"}, {"VAR_REF", "$(VAR_A)"}, {"VAR_EMPTY", ""}};
  const auto it = known.find(name);
  return it == known.end() ? nullptr : &it->second;
}

/// Both ways to look at it agree.
std::string expanded(std::string_view text) {
  const auto size = config::expanded_size(text, [](std::string_view name) {
    const auto* value = variable(name);
    return value == nullptr ? std::nullopt : std::optional{value->size()};
  });
  const auto out = config::expand(text, variable, size);
  REQUIRE(out);
  CHECK(out->size() == size);
  if (size > 0) CHECK_FALSE(config::expand(text, variable, size - 1));
  return *out;
}

} // namespace

TEST_CASE("every expansion vector gives kubelet's text") {
  if (!config::test::have_corpus()) return;
  int seen = 0;
  for (const auto& row : config::test::rows("expansion_vectors.tsv")) {
    const auto text = nlohmann::json::parse(row.at(0)).get<std::string>();
    CAPTURE(text);
    CHECK(expanded(text) == nlohmann::json::parse(row.at(1)).get<std::string>());
    ++seen;
  }
  CHECK(seen == 29);
}

TEST_CASE("known names are replaced, unknown and escaped ones are not") {
  CHECK(expanded("a $(VAR_A) b") == "a A b");
  CHECK(expanded("$(NOPE) $$(VAR_A) $(VAR_A") == "$(NOPE) $(VAR_A) $(VAR_A");
  CHECK(expanded("$(VAR_REF)") == "$(VAR_A)");
}

TEST_CASE("beginnings without an end cost no more than their length") {
  // Looking for the end of each would take hours.
  std::string open;
  for (int i = 0; i < 5'000'000; ++i)
    open += "$(";
  CHECK(expanded(open) == open);
  CHECK(expanded(open + ")") == open + ")");
}

} // namespace expand_test
