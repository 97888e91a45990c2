// Limits that are edited: in place where something runs, else with the next run.
#include "tests/unit/pod/core_world.hpp"

#include <doctest/doctest.h>

namespace reconciler_limits_test {

using namespace tank;
using namespace tank::testing;

namespace {

/// One of several contents that are the same but for their limits.
desired_pod limited(const std::string& hash, const std::string& policy = "Always") {
  auto p = pod(hash, policy);
  p.instance = "i";
  p.uid = "uid-i";
  return p;
}

} // namespace

TEST_CASE("other limits are brought to what runs") {
  world w;
  w.want(limited("1"));
  w.run();
  w.want(limited("2"));
  w.pass();
  CHECK(w.stopped.empty());
  REQUIRE(w.changed.size() == 1);
  CHECK(w.changed[0] == change_run{key, w.started[0].generation, limited("2")});
  CHECK(w.status().state == pod_state::running);
  CHECK(w.status().restarts == 0);
  CHECK(w.status().pod == w.desired[key].pod);
  CHECK(w.core.record(key)->what.hash == "2");
  w.note(w.core.changed({key, w.started[0].generation, "2", ""}, w.now));
  // What comes after it has them from the start.
  w.down(stop_exited(3));
  w.wait(10s);
  w.due();
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].what.hash == "2");
  CHECK(w.started[1].restarts == 1);
}

TEST_CASE("a pod that starts gets other limits too; one that does not run starts at once") {
  world w;
  w.want(limited("1"));
  w.want(limited("2"));
  CHECK(w.changed.size() == 1);
  CHECK(w.started.size() == 1);
  w.note(w.core.changed({key, w.started[0].generation, "2", ""}, w.now));
  w.run();
  w.down(stop_exited(3));
  REQUIRE(w.status().state == pod_state::backing_off);
  w.want(limited("3"));
  CHECK(w.changed.size() == 1);
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].what.hash == "3");
  CHECK(w.started[1].restarts == 1);
  CHECK(w.status().retries == 0);
}

TEST_CASE("limits that are refused are those of a new run") {
  world w;
  w.want(limited("1"));
  w.run();
  w.want(limited("2"));
  const auto g = w.started[0].generation;
  SUBCASE("when they are still what is wanted") {
    w.note(w.core.changed({key, g, "2", "cannot limit"}, w.now));
    REQUIRE(w.stopped.size() == 1);
    CHECK(w.status().state == pod_state::stopping);
    CHECK(w.status().message == "stopping, to begin anew: cannot limit");
    w.note(w.core.progress({key, g, "stopping"}));
    CHECK(w.status().message == "stopping, to begin anew: cannot limit");
    w.note(w.core.changed({key, g, "2", "cannot limit"}, w.now));
    CHECK(w.stopped.size() == 1);
    w.down(stop_requested(""));
    REQUIRE(w.started.size() == 2);
    CHECK(w.started[1].what.hash == "2");
    CHECK(w.started[1].restarts == 1);
  }
  SUBCASE("not when others are") {
    w.want(limited("3"));
    w.note(w.core.changed({key, g, "2", "cannot limit"}, w.now));
    w.note(w.core.changed({key, g + 1, "3", "cannot limit"}, w.now));
    CHECK(w.stopped.empty());
  }
  SUBCASE("not when they came into force") {
    w.note(w.core.changed({key, g, "2", ""}, w.now));
    w.note(w.core.changed({key, g, "2", "cannot limit"}, w.now));
    CHECK(w.stopped.empty());
  }
}

TEST_CASE(
    "a run that ends before it has them: the pod begins with them, as it would had it ended") {
  for (const bool in_force : {false, true}) {
    CAPTURE(in_force);
    world w;
    w.want(limited("1", "Never"));
    w.run();
    w.want(limited("2", "Never"));
    CHECK(w.core.record(key)->limits_edited);
    CHECK(w.core.live_runs()[0].change == limited("2", "Never"));
    if (in_force) w.note(w.core.changed({key, w.started[0].generation, "2", ""}, w.now));
    CHECK(w.core.record(key)->limits_edited != in_force);
    CHECK(w.core.live_runs()[0].change.has_value() != in_force);
    w.down(stop_exited(1));
    CHECK(w.started.size() == (in_force ? 1 : 2));
    CHECK_FALSE(w.core.record(key)->limits_edited);
  }
}

TEST_CASE("who takes a run over is told that its limits were edited") {
  world w{.core = reconciler_core{backoff_profile{}, true}};
  w.want(limited("1"));
  w.run();
  w.want(limited("2"));
  const auto record = *w.core.record(key);
  w.down({stop_class::abnormal, stop_cause::exception, 0, "boom"});
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].adopt);
  CHECK(w.started[1].limits_edited);
  CHECK(w.started[1].what.hash == "2");
  SUBCASE("a runtime's heir") {
    w.note(w.core.changed({key, w.started[1].generation, "2", ""}, w.now));
    w.down({stop_class::abnormal, stop_cause::exception, 0, "boom"});
    REQUIRE(w.started.size() == 3);
    CHECK_FALSE(w.started[2].limits_edited);
  }
  SUBCASE("a daemon's") {
    world next{.core = reconciler_core{backoff_profile{}, true}};
    next.note(next.core.restore({record}, next.now));
    REQUIRE(next.started.size() == 1);
    CHECK(next.started[0].limits_edited);
  }
}

TEST_CASE("an edit of limits forgets the ends and the retries, as any other") {
  world w;
  w.want(limited("1"));
  w.run();
  w.down(stop_exited(3));
  w.wait(10s);
  w.due();
  w.run();
  CHECK(w.status().retries == 1);
  w.want(limited("2"));
  CHECK(w.status().retries == 0);
}

TEST_CASE("other limits on the way to a new run are that run's") {
  world w;
  w.want(limited("1"));
  w.run();
  REQUIRE(w.core.restart(key, w.now));
  w.want(limited("2"));
  CHECK(w.changed.empty());
  w.down(stop_requested(""));
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].what.hash == "2");
  CHECK(w.started[1].restarts == 1);
}

TEST_CASE("a pod that is wanted again on its way out, with other limits, begins again") {
  world w;
  w.want(limited("1"));
  w.run();
  w.drop();
  w.want(limited("2"));
  CHECK(w.changed.empty());
  w.down(stop_requested(""));
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].what.hash == "2");
}

TEST_CASE("a change of limits keeps the uid whose directories are in use") {
  world w;
  auto old = limited("1");
  old.uid = "of-an-earlier-version";
  w.want(old);
  w.run();
  w.want(limited("2"));
  REQUIRE(w.changed.size() == 1);
  CHECK(w.changed[0].what.uid == "of-an-earlier-version");
  CHECK(w.core.record(key)->what.uid == "of-an-earlier-version");
}

} // namespace reconciler_limits_test
