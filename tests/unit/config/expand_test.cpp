#include "config/expand.hpp"
#include "vectors.hpp"

#include <map>

namespace config = tank::config;

namespace {

std::optional<std::string> variable(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> known = {
      {"VAR_A", "A"}, {"VAR_B", "B"}, {"VAR_C", "C"}, {"VAR_REF", "$(VAR_A)"}, {"VAR_EMPTY", ""}};
  const auto it = known.find(name);
  if (it == known.end()) return std::nullopt;
  return it->second;
}

} // namespace

TEST_CASE("every expansion vector gives kubelet's text") {
  if (!config::test::have_corpus()) return;
  int seen = 0;
  for (const auto& row : config::test::rows("expansion_vectors.tsv")) {
    const auto text = nlohmann::json::parse(row.at(0)).get<std::string>();
    CAPTURE(text);
    CHECK(config::expand(text, variable) == nlohmann::json::parse(row.at(1)).get<std::string>());
    ++seen;
  }
  CHECK(seen == 29);
}

TEST_CASE("known names are replaced, unknown and escaped ones are not") {
  CHECK(config::expand("a $(VAR_A) b", variable) == "a A b");
  CHECK(config::expand("$(NOPE) $$(VAR_A) $(VAR_A", variable) == "$(NOPE) $(VAR_A) $(VAR_A");
  CHECK(config::expand("$(VAR_REF)", variable) == "$(VAR_A)");
}
