#include "config/restart_rules.hpp"

#include <doctest/doctest.h>

namespace restart_rules_test {

using namespace tank::config;

TEST_CASE("the containers that a pod ends with: a list of names, each once") {
  using names = std::vector<std::string>;
  CHECK(parse_ends_with("app").value() == names{"app"});
  CHECK(parse_ends_with(" app ,proxy").value() == names{"app", "proxy"});
  for (const auto* wrong : {"", ",", "app,", "app,,proxy", "app, app"})
    CHECK_MESSAGE(!parse_ends_with(wrong).has_value(), wrong);
}

TEST_CASE("a list that is longer than any pod's costs nothing") {
  std::string many;
  while (many.size() < 10u << 20)
    many += "c" + std::to_string(many.size()) + ",";
  const auto refused = parse_ends_with(many + "c");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message().size() < 500);
}

} // namespace restart_rules_test
