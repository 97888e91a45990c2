#include "base/nearest.hpp"

#include <doctest/doctest.h>

namespace nearest_test {

using namespace tank;

TEST_CASE("a slip of one or two letters finds the word that was meant") {
  const std::vector<std::string> known{"apply", "delete", "describe", "get", "ps"};
  CHECK(nearest("aply", known) == "apply");
  CHECK(nearest("descirbe", known) == "describe");
  CHECK(nearest("GET", known) == "get");
  CHECK(nearest("gte", known).empty()); // two letters of three are another word
  CHECK(nearest("frobnicate", known).empty());
  CHECK(nearest("", known).empty());
  CHECK(nearest("get", {}).empty());
}

TEST_CASE("of equally near words the first is taken, and endless ones are not compared") {
  CHECK(nearest("cat", {"bat", "hat"}) == "bat");
  const std::string endless(65, 'a');
  CHECK(nearest(endless, {endless}).empty());
}

TEST_CASE("the distance counts inserted, removed and replaced letters") {
  CHECK(spelling_distance("", "") == 0);
  CHECK(spelling_distance("", "abc") == 3);
  CHECK(spelling_distance("kitten", "sitting") == 3);
  CHECK(spelling_distance("Name", "nAME") == 0);
}

} // namespace nearest_test
