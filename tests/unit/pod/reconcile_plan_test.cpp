#include "pod/reconcile_plan.hpp"

#include <doctest/doctest.h>

namespace reconcile_plan_test {

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

TEST_CASE("an edit is one of limits when all else is the same, and is known to be") {
  const auto is = [](const char* hash, const char* instance) {
    desired_pod p;
    p.hash = hash;
    p.instance = instance;
    return p;
  };
  CHECK(plan_change(is("1", "a"), is("1", "a")) == pod_change::none);
  CHECK(plan_change(is("1", "a"), is("2", "a")) == pod_change::limits);
  CHECK(plan_change(is("1", "a"), is("2", "b")) == pod_change::other);
  CHECK(plan_change(is("1", ""), is("2", "")) == pod_change::other);
}

} // namespace reconcile_plan_test
