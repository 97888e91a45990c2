// What status shows of containers over the life of their pod.
#include "config/pod.hpp"
#include "tests/unit/pod/core_world.hpp"

#include <doctest/doctest.h>

namespace reconciler_containers_test {

using namespace tank;
using namespace tank::testing;
using phase = container_phase;

namespace {

/// A pod with containers "a", "b", ...
desired_pod pod_of(std::size_t containers, const std::string& hash = "1",
                   const std::string& policy = "Always") {
  auto p = std::make_shared<config::pod>();
  p->spec.restart_policy = policy;
  for (std::size_t i = 0; i < containers; ++i) {
    config::container c;
    c.name = std::string(1, static_cast<char>('a' + i));
    p->spec.containers.push_back(c);
  }
  return {p, "uid-" + hash, hash, "web.yaml", {}};
}

last_exit failed(int code) {
  return {"Error", code, 0, "exited with code " + std::to_string(code), 5, 9};
}

container_status running_one(const std::string& name, std::uint32_t restarts = 0) {
  container_status c;
  c.name = name;
  c.state = phase::running;
  c.host_pid = 77;
  c.started_ns = 5;
  c.started = c.ready = true;
  c.restarts = restarts;
  c.attempt = restarts;
  if (restarts > 0) c.last = failed(3);
  return c;
}
container_status waiting_one(const std::string& name, std::uint32_t restarts, int code) {
  container_status c;
  c.name = name;
  c.reason = "CrashLoopBackOff";
  c.restarts = restarts;
  c.restart_at_ns = 42;
  c.last = failed(code);
  return c;
}
container_status ended_one(const std::string& name, std::uint32_t restarts, last_exit how) {
  container_status c;
  c.name = name;
  c.state = phase::terminated;
  c.restarts = restarts;
  c.terminated = std::move(how);
  return c;
}

struct watched : world {
  [[nodiscard]] std::uint64_t generation() const { return started.back().generation; }
  void up(std::vector<container_status> containers) {
    note(core.running({key, generation(), 77, 5, {}, std::move(containers)}, now));
  }
  void tells(std::vector<container_status> containers) {
    note(core.containers({key, generation(), std::move(containers)}));
  }
  void over(const last_exit& how, std::vector<container_status> containers,
            const stop_reason& why) {
    note(core.ended({key, generation(), how, std::move(containers)}));
    down(why);
  }
  container_status of(std::size_t i) { return status().containers.at(i); }
};

const stop_reason lost{stop_class::abnormal, stop_cause::session_down, 0, "its shim went away"};

} // namespace

TEST_CASE("containers: a pod that starts shows each of its containers, in order") {
  watched w;
  w.want(pod_of(3));
  REQUIRE(w.status().containers.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(w.of(i).name == std::string(1, static_cast<char>('a' + i)));
    CHECK(w.of(i).state == phase::waiting);
    CHECK(w.of(i).reason == "ContainerCreating");
    CHECK(w.of(i).restarts == 0);
    CHECK_FALSE(w.of(i).last);
  }
}

TEST_CASE("containers: what a runtime tells is shown, while the run is the present one") {
  watched w;
  w.want(pod_of(2));
  w.tells({running_one("a"), waiting_one("b", 1, 3)});
  CHECK(w.of(0) == running_one("a"));
  CHECK(w.of(1) == waiting_one("b", 1, 3));
  CHECK(w.status().state == pod_state::starting);
  w.up({running_one("a"), running_one("b", 1)});
  CHECK(w.status().state == pod_state::running);
  CHECK(w.of(1).restarts == 1);
  CHECK(w.of(1).last == failed(3));
  CHECK(w.core.containers({key, w.generation() + 1, {}}).empty());
  CHECK(w.core.containers({"default/unknown", w.generation(), {}}).empty());
  CHECK(w.of(1).restarts == 1);
  CHECK(w.status().restarts == 0); // the pod as a whole was not
}

TEST_CASE("containers: in a pod of one, its restarts are the pod's, and its last exit too") {
  watched w;
  w.want(pod_of(1));
  w.up({running_one("a")});
  w.over(failed(3), {ended_one("a", 0, failed(3))}, stop_exited(3));
  CHECK(w.status().state == pod_state::backing_off);
  CHECK(w.of(0).state == phase::waiting);
  CHECK(w.of(0).reason == "CrashLoopBackOff");
  CHECK(w.of(0).message == w.status().message);
  CHECK(w.of(0).restart_at_ns == w.status().restart_at_ns);
  CHECK(w.of(0).last == failed(3));
  CHECK_FALSE(w.of(0).terminated);
  CHECK(w.of(0).restarts == 0);
  CHECK(w.of(0).host_pid == 0);
  CHECK_FALSE(w.of(0).ready);
  w.wait(10s);
  w.due();
  CHECK(w.of(0).state == phase::waiting);
  CHECK(w.of(0).reason == "ContainerCreating");
  CHECK(w.of(0).restart_at_ns == 0);
  CHECK(w.of(0).last == failed(3));
  CHECK(w.of(0).restarts == 1);
  w.up({running_one("a")});
  CHECK(w.of(0).state == phase::running);
  CHECK(w.of(0).restarts == 1);
  CHECK(w.of(0).last == failed(3));
  CHECK(w.status().restarts == 1);
}

TEST_CASE("containers: a pod of one that is over shows how it ended") {
  watched w;
  w.want(pod_of(1, "1", "Never"));
  w.up({running_one("a")});
  w.over(failed(3), {ended_one("a", 0, failed(3))}, stop_exited(3));
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.of(0).state == phase::terminated);
  CHECK(w.of(0).terminated == failed(3));
  CHECK_FALSE(w.of(0).last);
  CHECK(w.of(0).reason.empty());
}

TEST_CASE("containers: without an image the pod waits for it") {
  watched w;
  w.want(pod_of(1));
  w.down({stop_class::abnormal, stop_cause::image_pull_failed, 0, "no such host"});
  CHECK(w.of(0).state == phase::waiting);
  CHECK(w.of(0).reason == "ImagePullBackOff");
  CHECK(w.of(0).message == "ImagePullBackOff: back-off 10s: no such host");
  CHECK(w.of(0).last->reason == "ErrImagePull");
  w.wait(10s);
  w.due();
  CHECK(w.of(0).restarts == 0);
}

TEST_CASE("containers: a runtime that ends without a word leaves what its stop reason says") {
  watched w;
  w.want(pod_of(1, "1", "Never"));
  w.up({running_one("a")});
  w.down(stop_signaled(9));
  CHECK(w.of(0).state == phase::terminated);
  CHECK(w.of(0).terminated->signal == 9);
  CHECK(w.of(0).host_pid == 0);
}

TEST_CASE("containers: a rebuilt composite restarts each of them, and their counts go on") {
  watched w;
  w.want(pod_of(2));
  w.up({running_one("a"), running_one("b")});
  w.tells({running_one("a"), running_one("b", 2)});
  CHECK(w.of(1).restarts == 2);
  w.over({"Error", 137, 9, "its shim went away", 5, 9},
         {ended_one("a", 0, failed(137)), ended_one("b", 2, failed(137))}, lost);
  CHECK(w.status().state == pod_state::backing_off);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(w.of(i).state == phase::waiting);
    CHECK(w.of(i).reason == "CrashLoopBackOff");
    CHECK(w.of(i).last == failed(137));
    CHECK_FALSE(w.of(i).terminated);
    CHECK(w.of(i).restarts == (i == 0 ? 0 : 2));
  }
  w.wait(10s);
  w.due();
  CHECK(w.status().restarts == 1);
  CHECK(w.of(0).restarts == 1);
  CHECK(w.of(1).restarts == 3);
  w.up({running_one("a"), running_one("b", 1)});
  CHECK(w.of(0).restarts == 1);
  CHECK(w.of(1).restarts == 4); // 2 in the first run, the rebuild, 1 in this run
  w.over({"Error", 137, 9, "its shim went away", 5, 9},
         {ended_one("a", 0, failed(137)), ended_one("b", 1, failed(137))}, lost);
  w.wait(20s);
  w.due();
  CHECK(w.of(0).restarts == 2);
  CHECK(w.of(1).restarts == 5);
  // Another content begins at nothing.
  w.want(pod_of(2, "2"));
  w.down(stop_requested(""));
  CHECK(w.of(1).restarts == 0);
}

TEST_CASE("containers: a daemon's heir goes on with the counts") {
  watched w{world{.core = reconciler_core{backoff_profile{}, true}}};
  w.want(pod_of(2));
  w.up({running_one("a"), running_one("b", 2)});
  w.over({}, {ended_one("a", 0, failed(137)), ended_one("b", 2, failed(137))}, lost);
  SUBCASE("in a back-off") {
    watched next{world{.core = reconciler_core{backoff_profile{}, true}}};
    next.now = w.now;
    next.note(next.core.restore({*w.core.record(key)}, next.now));
    REQUIRE(next.status().containers.size() == 2);
    CHECK(next.of(1).restarts == 2);
    CHECK(next.of(1).reason == "CrashLoopBackOff");
    CHECK(next.of(1).restart_at_ns == w.status().restart_at_ns);
  }
  SUBCASE("in a run") {
    w.wait(10s);
    w.due();
    w.up({running_one("a"), running_one("b", 1)});
    watched next{world{.core = reconciler_core{backoff_profile{}, true}}};
    next.now = w.now;
    next.note(next.core.restore({*w.core.record(key)}, next.now));
    REQUIRE(next.started.size() == 1);
    next.up({running_one("a"), running_one("b", 1)});
    CHECK(next.of(0).restarts == 1);
    CHECK(next.of(1).restarts == 4);
  }
}

TEST_CASE("containers: a runtime that ends without a word takes no restart along") {
  watched w;
  w.want(pod_of(2));
  w.up({running_one("a"), running_one("b", 2)});
  w.down({stop_class::abnormal, stop_cause::exception, 0, "boom"});
  CHECK(w.of(1).restarts == 2);
  w.wait(10s);
  w.due();
  CHECK(w.of(1).restarts == 3);
}

TEST_CASE("containers: a run that is taken over shows the restarts of its record at once") {
  reconciler_core core{backoff_profile{}, true};
  pod_record r;
  r.key = key;
  r.what = pod_of(2);
  r.restarts = 1;
  r.container_restarts = {0, 4};
  r.run.number = 1;
  r.run.containers.resize(2);
  r.run.containers[1].restarts = 2;
  core.restore({r}, {std::chrono::steady_clock::time_point{1h}, 1});
  CHECK(core.status(key)->containers.at(0).restarts == 1);
  CHECK(core.status(key)->containers.at(1).restarts == 7);
}

TEST_CASE("containers: once all are stopped, a pod that waited has ended") {
  watched w;
  w.want(pod_of(1));
  w.over(failed(3), {ended_one("a", 0, failed(3))}, stop_exited(3));
  REQUIRE(w.of(0).reason == "CrashLoopBackOff");
  w.note(w.core.stop_all(1s, w.now));
  CHECK(w.of(0).state == phase::terminated);
  CHECK(w.of(0).reason.empty());
  CHECK(w.of(0).restart_at_ns == 0);
}

TEST_CASE("containers: one that ended too often gives the pod up, and says which") {
  watched w;
  w.want(pod_of(2));
  w.up({running_one("a"), running_one("b", 2)});
  const std::string why = "CrashLoopGiveUp: container 'b' ended 3 times within 600s, the last: x";
  w.over(failed(3),
         {ended_one("a", 0, {"Completed", 0, 0, "", 5, 9}), ended_one("b", 2, failed(3))},
         {stop_class::shutdown, stop_cause::gave_up, 3, why});
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.status().message == why);
  CHECK(w.status().last == failed(3));
  CHECK(w.of(0).state == phase::terminated);
  CHECK(w.of(0).terminated->reason == "Completed");
  CHECK(w.of(1).terminated == failed(3));
  w.wait(1h);
  w.pass();
  CHECK(w.started.size() == 1);
  SUBCASE("an edit begins anew") {
    w.want(pod_of(2, "2"));
    CHECK(w.started.size() == 2);
  }
  SUBCASE("a restart does, and its own count goes on") {
    w.note(*w.core.restart(key, w.now));
    REQUIRE(w.started.size() == 2);
    CHECK(w.of(1).restarts == 3);
  }
}

TEST_CASE("containers: a pod of several that is over shows how each ended") {
  watched w;
  w.want(pod_of(2, "1", "Never"));
  w.up({running_one("a"), running_one("b")});
  w.tells({running_one("a"), ended_one("b", 0, failed(4))});
  CHECK(w.of(1).state == phase::terminated);
  CHECK(w.status().state == pod_state::running);
  w.over(failed(4),
         {ended_one("a", 0, {"Completed", 0, 0, "", 5, 9}), ended_one("b", 0, failed(4))},
         stop_exited(4));
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.of(0).terminated->reason == "Completed");
  CHECK(w.of(1).terminated == failed(4));
}

} // namespace reconciler_containers_test
