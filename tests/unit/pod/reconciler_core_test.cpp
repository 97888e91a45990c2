#include "tests/unit/pod/core_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace reconciler_core_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

TEST_CASE("a pod that became desired starts, and shows as starting, then running") {
  world w;
  w.want(pod("1"));
  REQUIRE(w.started.size() == 1);
  CHECK(w.started[0].what == pod("1"));
  CHECK(w.status().state == pod_state::starting);
  CHECK(w.status().created_ns == w.now.wall_ns);
  w.run();
  CHECK(w.status().state == pod_state::running);
  CHECK(w.status().host_pid == 77);
}

TEST_CASE("the same content again changes nothing") {
  world w;
  w.want(pod("1"));
  w.pass();
  w.run();
  w.pass();
  CHECK(w.started.size() == 1);
  CHECK(w.stopped.empty());
}

TEST_CASE("a file that was renamed shows in the status and touches nothing") {
  world w;
  w.want(pod("1"));
  w.run();
  auto moved = pod("1");
  moved.file = "other.yaml";
  w.want(moved);
  CHECK(w.status().file == "other.yaml");
  CHECK(w.stopped.empty());
}

TEST_CASE("changed content stops the old run and starts the new one only when it is gone") {
  world w;
  w.want(pod("1"));
  w.run();
  w.want(pod("2"));
  REQUIRE(w.stopped.size() == 1);
  CHECK(w.status().state == pod_state::stopping);
  CHECK(w.started.size() == 1);
  w.pass();
  CHECK(w.stopped.size() == 1);
  w.down(stop_requested(""));
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].what == pod("2"));
  CHECK(w.started[1].restarts == 0);
  CHECK(w.status().state == pod_state::starting);
  CHECK_FALSE(w.status().last);
}

TEST_CASE("the last of several edits wins") {
  world w;
  w.want(pod("1"));
  w.want(pod("2"));
  w.want(pod("3"));
  CHECK(w.stopped.size() == 1);
  w.down(stop_requested(""));
  CHECK(w.started.back().what == pod("3"));
  CHECK(w.started.size() == 2);
}

TEST_CASE("an edit that is undone while the pod stops starts the old content again") {
  world w;
  w.want(pod("1"));
  w.want(pod("2"));
  w.want(pod("1"));
  w.down(stop_requested(""));
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].what == pod("1"));
  CHECK(w.started[1].restarts == 1); // the same content must not write into the same log file
}

TEST_CASE("a pod that is no longer desired stops and is forgotten when gone") {
  world w;
  w.want(pod("1"));
  w.run();
  w.drop();
  CHECK(w.stopped.size() == 1);
  CHECK(w.core.status(key));
  w.down(stop_requested(""));
  CHECK_FALSE(w.core.status(key));
  CHECK(w.core.idle());
}

TEST_CASE("deleted and recreated while it stops: starts after the old run is gone") {
  world w;
  w.want(pod("1"));
  w.run();
  w.drop();
  w.want(pod("1"));
  CHECK(w.started.size() == 1);
  CHECK(w.stopped.size() == 1);
  w.down(stop_requested(""));
  CHECK(w.started.size() == 2);
  CHECK(w.status().state == pod_state::starting);
}

TEST_CASE("a crash backs off, retries climb, and the restart counter with them") {
  world w;
  w.want(pod("1"));
  const std::chrono::milliseconds waits[] = {10s, 20s, 40s};
  for (std::uint32_t n = 0; n < 3; ++n) {
    CAPTURE(n);
    w.run();
    w.down(stop_exited(3));
    CHECK(w.status().state == pod_state::backing_off);
    CHECK(w.status().retries == n + 1);
    CHECK(w.status().restarts == n);
    REQUIRE(w.woken.size() == n + 1);
    CHECK(w.woken.back().delay == waits[n]);
    CHECK(w.status().restart_at_ns == w.now.wall_ns + std::chrono::nanoseconds(waits[n]).count());
    CHECK(w.status().last->exit_code == 3);
    w.wait(waits[n]);
    w.due();
    REQUIRE(w.started.size() == n + 2);
    CHECK(w.started.back().restarts == n + 1);
    CHECK(w.status().restart_at_ns == 0);
  }
}

TEST_CASE("a stable run starts the backoff anew and keeps the restart counter") {
  world w;
  w.want(pod("1"));
  w.run();
  w.down(stop_exited(3));
  w.wait(10s);
  w.due();
  w.run();
  w.wait(600s);
  w.down(stop_exited(3));
  CHECK(w.woken.back().delay == 10s);
  CHECK(w.status().retries == 1);
  CHECK(w.status().restarts == 1);
}

TEST_CASE("a start that fails backs off too and says why") {
  world w;
  w.want(pod("1"));
  w.down(stop_failed({errc::not_found, 2, "open image", "nope:1", "", ""}));
  CHECK(w.status().state == pod_state::backing_off);
  CHECK(w.status().last->reason == "StartError");
  CHECK(w.status().message ==
        "back-off 10s: cannot open image 'nope:1': No such file or directory");
}

TEST_CASE("what the runtime told about the end outranks what its stop reason says") {
  world w;
  w.want(pod("1", "Never"));
  w.run();
  last_exit how{"OOMKilled", 137, 9, "over the limit", 5, 6};
  w.note(w.core.ended({key, w.started.back().generation, how}));
  w.down(stop_signaled(9));
  CHECK(*w.status().last == how);
  CHECK(w.status().message == "over the limit");
}

TEST_CASE("policies: Never and OnFailure after a clean exit stay terminal through every pass") {
  for (const auto* policy : {"Never", "OnFailure"}) {
    CAPTURE(policy);
    world w;
    w.want(pod("1", policy));
    w.run();
    w.down(stop_normal());
    CHECK(w.status().state == pod_state::terminal);
    CHECK(w.status().last->reason == "Completed");
    w.wait(1h);
    w.pass();
    CHECK(w.started.size() == 1);
  }
}

TEST_CASE("policies: Never after a crash is terminal, OnFailure backs off") {
  world w;
  w.want(pod("1", "Never"));
  w.down(stop_exited(1));
  CHECK(w.status().state == pod_state::terminal);
  world v;
  v.want(pod("1", "OnFailure"));
  v.down(stop_exited(1));
  CHECK(v.status().state == pod_state::backing_off);
}

TEST_CASE("a terminal pod wakes when its content changes") {
  world w;
  w.want(pod("1", "Never"));
  w.down(stop_normal());
  w.want(pod("2", "Never"));
  CHECK(w.started.size() == 2);
  CHECK(w.status().restarts == 0);
}

TEST_CASE("a change while backing off starts at once and the old timer is stale") {
  world w;
  w.want(pod("1"));
  w.down(stop_exited(1));
  const auto old = w.woken.back();
  w.want(pod("2"));
  CHECK(w.started.size() == 2);
  w.down(stop_exited(1));
  w.wait(10s);
  w.note(w.core.due(key, old.generation, w.now));
  CHECK(w.started.size() == 2);
  w.due();
  CHECK(w.started.size() == 3);
}

TEST_CASE("deleting a pod that backs off forgets it at once") {
  world w;
  w.want(pod("1"));
  w.down(stop_exited(1));
  w.drop();
  CHECK_FALSE(w.core.status(key));
  w.wait(10s);
  w.due();
  CHECK(w.started.size() == 1);
}

TEST_CASE("a backoff whose timer got lost ends with the next pass") {
  world w;
  w.want(pod("1"));
  w.down(stop_exited(1));
  w.wait(9999ms);
  w.pass();
  CHECK(w.started.size() == 1);
  w.wait(1ms);
  w.pass();
  CHECK(w.started.size() == 2);
}

TEST_CASE("events of a run that is no longer current are ignored") {
  world w;
  w.want(pod("1"));
  const auto old = w.started.back().generation;
  w.down(stop_exited(1));
  w.wait(10s);
  w.due();
  w.note(w.core.down(key, old, stop_exited(9), w.now));
  w.note(w.core.running({key, old, 5, 1, {}}, w.now));
  w.note(w.core.ended({key, old, {}}));
  CHECK(w.status().state == pod_state::starting);
  CHECK(w.status().host_pid == 0);
  CHECK(w.status().last->exit_code == 1);
  CHECK(w.core.running({"default/unknown", old, 5, 1, {}}, w.now).empty());
}

TEST_CASE("restart: a running pod is stopped first, then starts with no retries") {
  world w;
  w.want(pod("1"));
  w.down(stop_exited(1));
  w.wait(10s);
  w.due();
  w.run();
  w.note(*w.core.restart(key, w.now));
  CHECK(w.stopped.size() == 1);
  w.down(stop_requested(""));
  CHECK(w.started.size() == 3);
  CHECK(w.status().retries == 0);
  CHECK(w.started.back().restarts == 2);
}

TEST_CASE("restart: a pod that backs off or is terminal starts at once") {
  for (const auto* policy : {"Always", "Never"}) {
    CAPTURE(policy);
    world w;
    w.want(pod("1", policy));
    w.down(stop_exited(1));
    w.note(*w.core.restart(key, w.now));
    CHECK(w.started.size() == 2);
    CHECK(w.status().state == pod_state::starting);
    CHECK(w.status().retries == 0);
  }
}

TEST_CASE("restart: an unknown pod, or one on its way out, is not found") {
  world w;
  CHECK(w.core.restart(key, w.now).error().code == errc::not_found);
  w.want(pod("1"));
  w.drop();
  CHECK(w.core.restart(key, w.now).error().code == errc::not_found);
}

TEST_CASE("a restart asked for while an edit waits does not bring the old content back") {
  world w;
  w.want(pod("1"));
  w.want(pod("2"));
  w.note(*w.core.restart(key, w.now));
  w.down(stop_requested(""));
  CHECK(w.started.back().what == pod("2"));
}

TEST_CASE("stopping all stops what lives, ends backoffs and starts nothing ever after") {
  world w;
  w.want(pod("1"));
  w.desired["default/sick"] = pod("9");
  w.pass();
  REQUIRE(w.started.size() == 2);
  const auto well = w.started[0];
  const auto sick = w.started[1];
  REQUIRE(sick.key == "default/sick");
  w.note(w.core.running({key, well.generation, 77, 1, {}}, w.now));
  w.note(w.core.down("default/sick", sick.generation, stop_exited(1), w.now));
  w.note(w.core.stop_all(5s, w.now));
  REQUIRE(w.stopped.size() == 1);
  CHECK(w.stopped[0] == stop_run{key, well.generation, 5s});
  CHECK_FALSE(w.core.idle());
  w.note(w.core.down(key, well.generation, stop_exited(1), w.now));
  CHECK(w.core.idle());
  w.wait(1h);
  w.pass();
  w.want(pod("2"));
  CHECK(w.started.size() == 2);
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.core.restart(key, w.now).error().code == errc::conflict);
}

TEST_CASE("stopping all a second time with another grace period tells the runtime again") {
  world w;
  w.want(pod("1"));
  w.note(w.core.stop_all(std::nullopt, w.now));
  w.note(w.core.stop_all(std::nullopt, w.now));
  CHECK(w.stopped.size() == 1);
  w.note(w.core.stop_all(0s, w.now));
  REQUIRE(w.stopped.size() == 2);
  CHECK(w.stopped[1].grace == 0s);
}

TEST_CASE("a hundred pods start in one pass, in order") {
  world w;
  for (int i = 0; i < 100; ++i)
    w.desired["default/p" + std::to_string(100 + i)] = pod("1");
  w.pass();
  CHECK(w.started.size() == 100);
  CHECK(std::is_sorted(w.started.begin(), w.started.end(),
                       [](const auto& a, const auto& b) { return a.key < b.key; }));
}

TEST_CASE("every way to end has its words") {
  CHECK(exit_of(stop_normal()) == last_exit{"Completed", 0, 0, "", 0, 0});
  CHECK(exit_of(stop_exited(3)) == last_exit{"Error", 3, 0, "", 0, 0});
  CHECK(exit_of(stop_signaled(15)) == last_exit{"Error", 143, 15, "", 0, 0});
  CHECK(exit_of({stop_class::shutdown, stop_cause::oom_killed, 9, ""}).reason == "OOMKilled");
  CHECK(exit_of(stop_failed({errc::io, 0, "a", "b", "c", ""})) ==
        last_exit{"StartError", 128, 0, "cannot a 'b': c", 0, 0});
  CHECK(exit_of(stop_session_down("shim died")).message == "abnormal session_down: shim died");
}

TEST_CASE("an image that cannot be pulled is tried again by any policy, and is no restart") {
  for (const auto* policy : {"Always", "OnFailure", "Never"}) {
    world w;
    w.want(pod("1", policy));
    w.down({stop_class::abnormal, stop_cause::image_pull_failed, 0, "no such host"});
    CHECK(w.status().state == pod_state::backing_off);
    CHECK(w.status().message == "ImagePullBackOff: back-off 10s: no such host");
    CHECK(w.status().last->reason == "ErrImagePull");
    w.wait(10s);
    w.due();
    CHECK(w.started.size() == 2);
    CHECK(w.status().restarts == 0);
    w.down({stop_class::abnormal, stop_cause::image_pull_failed, 0, "no such host"});
    CHECK(w.woken.back().delay == 20s);
    w.wait(20s);
    w.due();
    w.run();
    CHECK(w.status().restarts == 0);
    CHECK(w.status().state == pod_state::running);
  }
}

} // namespace reconciler_core_test
