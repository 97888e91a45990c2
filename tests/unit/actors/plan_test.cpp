#include "actors/plan.hpp"

#include <doctest/doctest.h>

using namespace tank;

namespace {

std::map<std::string, desired_pod> desired(const std::map<std::string, std::string>& hashes) {
  std::map<std::string, desired_pod> out;
  for (const auto& [key, hash] : hashes)
    out[key].hash = hash;
  return out;
}

} // namespace

TEST_CASE("nothing desired and nothing tracked is nothing to do") {
  CHECK(plan_reconcile({}, {}) == reconcile_plan{});
}

TEST_CASE("what is desired and not tracked starts") {
  CHECK(plan_reconcile(desired({{"a", "1"}, {"b", "1"}}), {}) ==
        reconcile_plan{{"a", "b"}, {}, {}});
}

TEST_CASE("what is tracked and no longer desired stops") {
  CHECK(plan_reconcile({}, {{"a", "1"}}) == reconcile_plan{{}, {"a"}, {}});
}

TEST_CASE("the same content stays as it is") {
  CHECK(plan_reconcile(desired({{"a", "1"}}), {{"a", "1"}}) == reconcile_plan{});
}

TEST_CASE("other content is a restart") {
  CHECK(plan_reconcile(desired({{"a", "2"}}), {{"a", "1"}}) == reconcile_plan{{}, {}, {"a"}});
}

TEST_CASE("a pod on its way out is stopped only once") {
  CHECK(plan_reconcile({}, {{"a", std::nullopt}}) == reconcile_plan{});
}

TEST_CASE("a pod that is desired again on its way out is a restart, even with equal content") {
  CHECK(plan_reconcile(desired({{"a", "1"}}), {{"a", std::nullopt}}) ==
        reconcile_plan{{}, {}, {"a"}});
}

TEST_CASE("one pass mixes all of it") {
  CHECK(
      plan_reconcile(desired({{"changed", "2"}, {"new", "1"}, {"same", "1"}}),
                     {{"changed", "1"}, {"gone", "1"}, {"leaving", std::nullopt}, {"same", "1"}}) ==
      reconcile_plan{{"new"}, {"gone"}, {"changed"}});
}
