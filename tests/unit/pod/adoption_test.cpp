// What one daemon leaves to the next: the plan over records, and the reconciler that goes on.
#include "pod/pod_records.hpp"
#include "pod/reconciler_core.hpp"
#include "tests/unit/pod/effects.hpp"
#include "tests/unit/pod/record_play.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace adoption_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

namespace {

instant at(std::chrono::seconds mono) {
  return {std::chrono::steady_clock::time_point{mono}, 1'000'000'000'000};
}

} // namespace

// --- the plan ------------------------------------------------------------------------------------

TEST_CASE("what a record claims stays, the rest goes") {
  leftovers found;
  const auto runs = record_of("runs");
  const auto waits = record_of("waits", pod_state::backing_off);
  const auto over = record_of("over", pod_state::terminal);
  found.records = {waits, runs, over};
  found.record_files = {runs.what.uid + ".json", waits.what.uid + ".json", over.what.uid + ".json"};
  // "waits" ended, and its daemon was killed before its run directory was gone
  found.runs = {runs.what.uid, waits.what.uid, "nobodys"};
  found.storages = {runs.what.uid, waits.what.uid, over.what.uid, "nobodys", ".gone-1-x"};
  found.cgroups = {runs.what.uid, waits.what.uid, "nobodys"};
  const auto plan = plan_adoption(found);
  REQUIRE(plan.restore.size() == 3);
  CHECK(plan.drop_cgroups.size() == 2);
  CHECK(std::count(plan.drop_cgroups.begin(), plan.drop_cgroups.end(), runs.what.uid) == 0);
  CHECK(plan.restore[0].key == "default/over");
  CHECK(plan.end_runs.size() == 2);
  CHECK(std::count(plan.end_runs.begin(), plan.end_runs.end(), runs.what.uid) == 0);
  CHECK(plan.drop_storages == std::vector<std::string>{".gone-1-x", "nobodys"});
  CHECK(plan.drop_records.empty());
}

TEST_CASE(
    "a change of content that was caught in the middle leaves two records: the later counts") {
  auto old_one = record_of("web");
  auto new_one = record_of("web");
  new_one.what = pod_named("web", "Never");
  new_one.run.number = 6;
  for (const bool order : {false, true}) {
    leftovers found;
    found.records = order ? std::vector{old_one, new_one} : std::vector{new_one, old_one};
    found.record_files = {old_one.what.uid + ".json", new_one.what.uid + ".json"};
    found.runs = {old_one.what.uid, new_one.what.uid};
    const auto plan = plan_adoption(found);
    REQUIRE(plan.restore.size() == 1);
    CHECK(plan.restore[0].what.uid == new_one.what.uid);
    CHECK(plan.end_runs == std::vector<std::string>{old_one.what.uid});
    CHECK(plan.drop_records == std::vector<std::string>{old_one.what.uid + ".json"});
  }
}

// --- the reconciler ------------------------------------------------------------------------------

TEST_CASE(
    "a restored run is adopted, keeps its counts and its age, and its end is judged by them") {
  reconciler_core core{backoff_profile{}, true};
  auto r = record_of("web");
  r.run.phase = run_phase::released;
  r.run.released_at = (1000 * 1'000'000'000LL);
  const auto out = core.restore({r}, at(1500s));
  const auto started = of<start_run>(out);
  REQUIRE(started.size() == 1);
  CHECK(started[0].adopt);
  CHECK(started[0].has_heir);
  CHECK(started[0].run == 5);
  CHECK(started[0].restarts == 4);
  CHECK(core.status(r.key)->state == pod_state::starting); // until its shim has said so
  CHECK(core.status(r.key)->message == "adopting");
  CHECK(core.record(r.key)->run.number == 5);

  std::map<std::string, desired_pod> desired{{r.key, r.what}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  CHECK(core.pass(at(1501s)).empty()); // as desired
  core.running({r.key, started[0].generation, 42, 5, {}}, at(1502s));
  SUBCASE("not yet stable: the next failure in a row") {
    core.down(r.key, started[0].generation,
              {stop_class::shutdown, stop_cause::workload_exited, 3, ""}, at(1599s));
    CHECK(core.status(r.key)->retries == 3);
  }
  SUBCASE("stable since its real beginning: all is forgiven") {
    core.down(r.key, started[0].generation,
              {stop_class::shutdown, stop_cause::workload_exited, 3, ""}, at(1601s));
    CHECK(core.status(r.key)->retries == 1);
  }
  CHECK(core.status(r.key)->restarts == 4);
}

TEST_CASE("a back-off goes on with what is left of it; a pod that has ended stays ended") {
  reconciler_core core{backoff_profile{}, true};
  auto waits = record_of("waits", pod_state::backing_off);
  waits.restart_at = 130 * 1'000'000'000LL;
  auto late = record_of("late", pod_state::backing_off);
  late.restart_at = 10 * 1'000'000'000LL;
  const auto over = record_of("over", pod_state::terminal);
  const auto woken = of<wake_run>(core.restore({late, over, waits}, at(100s)));
  REQUIRE(woken.size() == 2);
  CHECK(woken[0].delay == 0ms);
  CHECK(woken[1].delay == 30s);
  const auto again = of<start_run>(core.due(late.key, woken[0].generation, at(100s)));
  REQUIRE(again.size() == 1);
  CHECK_FALSE(again[0].adopt);
  CHECK(again[0].restarts == 5);
  CHECK(again[0].run == 6);
  CHECK(core.status(over.key)->state == pod_state::terminal);
  std::map<std::string, desired_pod> desired{{over.key, over.what}, {waits.key, waits.what}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  CHECK(of<start_run>(core.pass(at(101s))).empty());
  CHECK_FALSE(core.status(late.key)->message.empty());
}

TEST_CASE("what is no longer desired is stopped, what is other now replaced, a stop goes on") {
  reconciler_core core{backoff_profile{}, true};
  const auto gone = record_of("gone");
  const auto over = record_of("over", pod_state::terminal);
  const auto edited = record_of("edited");
  auto stopping = record_of("stopping", pod_state::stopping);
  stopping.next = stopping.what; // `tank restart` was under way
  const auto out = core.restore({edited, gone, over, stopping}, at(1s));
  REQUIRE(of<start_run>(out).size() == 3);
  REQUIRE(of<stop_run>(out).size() == 1);
  CHECK(of<stop_run>(out)[0].key == stopping.key);
  std::map<std::string, desired_pod> desired{{edited.key, pod_named("edited", "Never")},
                                             {stopping.key, stopping.what}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  const auto stops = of<stop_run>(core.pass(at(2s)));
  REQUIRE(stops.size() == 2);
  CHECK(stops[0].key == gone.key);
  CHECK(stops[1].key == edited.key);
  CHECK_FALSE(core.status(over.key).has_value());
  CHECK_FALSE(core.record(over.key).has_value());
  CHECK(core.record(gone.key)->leaving);
  CHECK(core.record(edited.key)->next->hash == desired.at(edited.key).hash);
  const auto generation = of<start_run>(out)[2].generation;
  const auto fresh = of<start_run>(core.down(
      stopping.key, generation, {stop_class::shutdown, stop_cause::stopped, 0, ""}, at(3s)));
  REQUIRE(fresh.size() == 1);
  CHECK_FALSE(fresh[0].adopt);
  CHECK(fresh[0].restarts == 5);
}

TEST_CASE("an upgrade that derives other uids renames nothing that runs") {
  reconciler_core core{backoff_profile{}, true};
  const auto r = record_of("web");
  core.restore({r}, at(1s));
  auto same = r.what;
  same.uid = "another-derivation";
  same.file = "moved.yaml";
  std::map<std::string, desired_pod> desired{{r.key, same}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  CHECK(of<stop_run>(core.pass(at(2s))).empty());
  CHECK(core.record(r.key)->what.uid == r.what.uid);
  CHECK(core.record(r.key)->what.file == "moved.yaml");
}

TEST_CASE("a runtime that fails is followed by one that adopts, three times in an unstable run") {
  for (const bool adopts : {false, true}) {
    CAPTURE(adopts);
    reconciler_core core{backoff_profile{}, adopts};
    std::map<std::string, desired_pod> desired{{"default/web", pod_named("web")}};
    core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
    auto now = of<start_run>(core.pass(at(0s)));
    REQUIRE(now.size() == 1);
    core.running({"default/web", now[0].generation, 42, 5, {}}, at(1s));
    const stop_reason crash{stop_class::abnormal, stop_cause::exception, 0, "boom"};
    for (int n = 1; adopts && n <= 3; ++n) {
      CHECK(now[0].has_heir);
      const auto next = of<start_run>(core.down("default/web", now[0].generation, crash, at(2s)));
      REQUIRE(next.size() == 1);
      CHECK(next[0].adopt);
      CHECK(next[0].run == now[0].run);
      CHECK(core.status("default/web")->state == pod_state::running);
      now = next;
    }
    CHECK_FALSE(now[0].has_heir);
    CHECK(of<start_run>(core.down("default/web", now[0].generation, crash, at(3s))).empty());
    CHECK(core.status("default/web")->state == pod_state::backing_off);
    CHECK(core.status("default/web")->retries == 1);
  }
  reconciler_core core{backoff_profile{}, true};
  std::map<std::string, desired_pod> desired{{"default/web", pod_named("web")}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  const auto run = of<start_run>(core.pass(at(0s)));
  const stop_reason lost{stop_class::abnormal, stop_cause::session_down, 0, "its shim went away"};
  CHECK(of<start_run>(core.down("default/web", run[0].generation, lost, at(3s))).empty());
}

TEST_CASE("once all are stopped on purpose, nothing is left to adopt") {
  reconciler_core core{backoff_profile{}, true};
  const auto over = record_of("over", pod_state::terminal);
  const auto runs = record_of("runs");
  const auto started = of<start_run>(core.restore({over, runs}, at(1s)));
  core.stop_all({}, at(9s));
  CHECK_FALSE(core.record(over.key).has_value());
  CHECK(core.record(runs.key).has_value()); // it may take its time, and this daemon be killed
  core.down(runs.key, started[0].generation, {stop_class::shutdown, stop_cause::stopped, 0, ""},
            at(2s));
  CHECK_FALSE(core.record(runs.key).has_value());
}

} // namespace adoption_test
