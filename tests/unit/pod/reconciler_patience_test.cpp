// How long a reconciler waits for a stop, and how often it tries.
#include "base/stop_reason.hpp"
#include "config/pod.hpp"
#include "pod/reconciler_core.hpp"
#include "tests/unit/pod/effects.hpp"

#include <doctest/doctest.h>

#include <map>

namespace reconciler_patience_test {

using namespace tank;
using tank::testing::of;
using namespace std::chrono_literals;

namespace {

constexpr auto key = "default/web";
const stop_reason crash = stop_exited(3);
const stop_reason killed{stop_class::abnormal, stop_cause::killed, 0, {}};

desired_pod pod(const std::string& hash,
                const std::map<std::string, std::string>& annotations = {}) {
  auto p = std::make_shared<config::pod>();
  p->metadata.annotations = annotations;
  p->spec.restart_policy = "Always";
  p->spec.termination_grace_period_seconds = 20;
  return {p, "uid-" + hash, hash, "web.yaml", {}};
}

backoff_profile giving_up(std::uint32_t runs, std::chrono::milliseconds period) {
  backoff_profile profile;
  profile.give_up = {runs, period};
  return profile;
}

struct world {
  reconciler_core core;
  instant now{std::chrono::steady_clock::time_point{1h}, 1'000'000'000'000};
  std::uint64_t generation = 0; ///< of the last start

  explicit world(backoff_profile profile = {}, bool adopts = false) : core(profile, adopts, 60s) {}

  reconcile_effects see(reconcile_effects effects) {
    for (const auto& s : of<start_run>(effects))
      generation = s.generation;
    return effects;
  }
  reconcile_effects want(const desired_pod& p) {
    core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(
        std::map<std::string, desired_pod>{{key, p}})});
    return see(core.pass(now));
  }
  reconcile_effects drop() {
    core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>()});
    return see(core.pass(now));
  }
  void wait(std::chrono::milliseconds d) {
    now.mono += d;
    now.wall_ns += std::chrono::nanoseconds(d).count();
  }
  reconcile_effects down(const stop_reason& why) {
    return see(core.down(key, generation, why, now));
  }
  reconcile_effects due() { return see(core.due(key, generation, now)); }
  pod_status status() { return *core.status(key); }
  /// Fails, and waits for the end of the back-off if there is one.
  void fail_once() {
    down(crash);
    if (status().state != pod_state::backing_off) return;
    wait(std::chrono::nanoseconds{status().restart_at_ns - now.wall_ns} / 1ms * 1ms);
    due();
  }
};

} // namespace

// --- giving up -----------------------------------------------------------------------------------

TEST_CASE("unless told so, no pod is given up, however often it fails") {
  world w;
  w.want(pod("1"));
  for (int i = 0; i < 200; ++i)
    w.fail_once();
  CHECK(w.status().state == pod_state::starting);
  CHECK(w.status().restarts == 200);
}

TEST_CASE("the third end within the period is the last, and the status says why") {
  world w{giving_up(3, 10min)};
  w.want(pod("1"));
  w.fail_once();
  w.fail_once();
  CHECK(w.status().state == pod_state::starting);
  CHECK(w.down(crash).size() == 1); // no timer, no start
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.status().message ==
        "CrashLoopGiveUp: 3 runs ended within 600s, the last: shutdown workload_exited 3");
  CHECK(w.status().last->exit_code == 3);
  CHECK(w.status().restarts == 2);
  w.wait(1h);
  CHECK(of<start_run>(w.want(pod("1"))).empty());
}

TEST_CASE("ends that are further apart than the period are never too many; exactly so they are") {
  for (const bool apart : {false, true}) {
    world w{giving_up(2, 10min)};
    w.want(pod("1"));
    w.down(crash);
    w.wait(apart ? 10min + 1ms : std::chrono::milliseconds{10min});
    w.due();
    w.down(crash);
    CHECK((w.status().state == pod_state::terminal) == !apart);
  }
}

TEST_CASE("a pod says itself when it is given up, and how it backs off") {
  world w{giving_up(2, 10min)};
  SUBCASE("never") {
    w.want(pod("1", {{"tank/give-up", "never"}}));
    for (int i = 0; i < 9; ++i)
      w.fail_once();
    CHECK(w.status().state == pod_state::starting);
  }
  SUBCASE("at once") {
    w.want(pod("1", {{"tank/give-up", "1 in 1s"}}));
    w.down(crash);
    CHECK(w.status().state == pod_state::terminal);
  }
  SUBCASE("fast") {
    w.want(pod("1", {{"tank/backoff", "fast"}}));
    CHECK(of<wake_run>(w.down(crash)).at(0).delay == 1s);
    w.wait(1s);
    w.due();
    w.down(crash);
    CHECK(w.status().state == pod_state::terminal); // the daemon's rule still counts
  }
}

TEST_CASE("a restart and an edit forget the ends; what is told to stop adds none") {
  world w{giving_up(2, 10min)};
  w.want(pod("1"));
  w.down(crash);
  SUBCASE("restart of one that backs off") {
    w.see(*w.core.restart(key, w.now));
  }
  SUBCASE("restart of one that runs") {
    w.wait(1min);
    w.due();
    w.see(*w.core.restart(key, w.now));
    w.down(stop_requested(""));
  }
  SUBCASE("restart of one that was given up") {
    w.wait(1min);
    w.due();
    w.down(crash);
    REQUIRE(w.status().state == pod_state::terminal);
    w.see(*w.core.restart(key, w.now));
  }
  SUBCASE("edit") {
    w.want(pod("2"));
  }
  CHECK(w.status().state == pod_state::starting);
  w.down(crash);
  CHECK(w.status().state == pod_state::backing_off);
  w.wait(1min);
  w.due();
  w.down(crash);
  CHECK(w.status().state == pod_state::terminal);
}

TEST_CASE("a pull that fails is no run") {
  world w{giving_up(1, 10min)};
  w.want(pod("1"));
  for (int i = 0; i < 5; ++i) {
    w.down({stop_class::abnormal, stop_cause::image_pull_failed, 0, "no such host"});
    CHECK(w.status().state == pod_state::backing_off);
    w.wait(10min);
    w.due();
  }
  w.down(crash);
  CHECK(w.status().state == pod_state::terminal);
}

TEST_CASE("the ends outlive the daemon") {
  world before{giving_up(3, 10min), true};
  before.want(pod("1"));
  before.fail_once();
  before.down(crash);
  auto record = before.core.record(key);
  REQUIRE(record);
  CHECK(record->ends.size() == 2);

  world after{giving_up(3, 10min), true};
  after.now = before.now;
  after.see(after.core.restore({*record}, after.now));
  after.wait(1min);
  after.core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(
      std::map<std::string, desired_pod>{{key, pod("1")}})});
  after.see(after.core.pass(after.now));
  REQUIRE(after.status().state == pod_state::starting);
  after.down(crash);
  CHECK(after.status().state == pod_state::terminal);
  CHECK(after.core.record(key)->ends.empty());
}

// --- the watch over stops ------------------------------------------------------------------------

TEST_CASE("a runtime that does not end is killed after its grace period and the margin") {
  world w;
  w.want(pod("1"));
  const auto stop = w.drop();
  CHECK(of<stop_run>(stop).size() == 1);
  REQUIRE(of<wake_run>(stop).size() == 1);
  CHECK(of<wake_run>(stop)[0].delay == 80s);
  w.wait(80s - 1ms);
  CHECK(w.due().empty());
  CHECK(w.drop().empty());
  w.wait(1ms);
  SUBCASE("by its timer") {
    const auto out = w.due();
    CHECK(of<kill_run>(out) == std::vector{kill_run{key, w.generation}});
  }
  SUBCASE("by the next pass, when the timer got lost") {
    CHECK(of<kill_run>(w.drop()).size() == 1);
  }
  CHECK(w.due().empty()); // once
  w.down(killed);
  CHECK_FALSE(w.core.status(key));
}

TEST_CASE("a new grace period counts from when it is given") {
  world w;
  w.want(pod("1"));
  w.drop();
  w.wait(70s);
  CHECK(of<wake_run>(w.core.stop_all(5s, w.now)).at(0).delay == 65s);
  w.wait(10s);
  CHECK(w.due().empty());
  w.wait(55s);
  CHECK(of<kill_run>(w.due()).size() == 1);
}

TEST_CASE("what does not even end when killed is shown as stuck, and holds up nobody") {
  world w;
  w.want(pod("1"));
  w.drop();
  w.wait(80s);
  CHECK(of<kill_run>(w.due()).size() == 1);
  w.wait(60s);
  const auto out = w.due();
  CHECK(of<kill_run>(out).empty());
  CHECK(of<wake_run>(out).empty());
  CHECK(w.status().state == pod_state::stopping);
  CHECK(w.status().message.starts_with("stuck: "));
  w.wait(1h);
  CHECK(w.due().empty());
  w.down(killed); // at last
  CHECK_FALSE(w.core.status(key));
}

TEST_CASE("a run whose runtime was killed has one heir, whatever its age; then it is over") {
  world w{{}, true};
  w.want(pod("1"));
  w.core.running({key, w.generation, 7, 5, {}}, w.now);
  w.wait(24h); // stable
  w.want(pod("2"));
  w.wait(80s);
  CHECK(of<kill_run>(w.due()).size() == 1);
  const auto heir = w.down(killed);
  REQUIRE(of<start_run>(heir).size() == 1);
  CHECK(of<start_run>(heir)[0].adopt);
  CHECK(of<start_run>(heir)[0].what == pod("1"));
  CHECK_FALSE(of<start_run>(heir)[0].has_heir);
  CHECK(of<stop_run>(heir).at(0).grace == 0s); // its time is over
  CHECK(of<wake_run>(heir).at(0).delay == 60s);
  w.wait(60s);
  CHECK(of<kill_run>(w.due()).size() == 1);
  const auto next = of<start_run>(w.down(killed));
  REQUIRE(next.size() == 1);
  CHECK_FALSE(next[0].adopt);
  CHECK(next[0].what == pod("2"));
}

TEST_CASE("an heir, of a runtime or of a daemon, serves what is left of the grace period") {
  world w{{}, true};
  w.want(pod("1"));
  w.core.running({key, w.generation, 7, 5, {}}, w.now);
  w.drop();
  w.wait(12s + 1ms);
  SUBCASE("of a runtime") {
    const auto heir = w.down({stop_class::abnormal, stop_cause::exception, 0, "boom"});
    CHECK(of<stop_run>(heir).at(0).grace == 8s);
    CHECK(of<wake_run>(heir).at(0).delay == 68s - 1ms);
  }
  SUBCASE("of a daemon") {
    const auto record = w.core.record(key);
    REQUIRE(record);
    world next{{}, true};
    next.now = w.now;
    const auto out = next.core.restore({*record}, next.now);
    CHECK(of<stop_run>(out).at(0).grace == 8s);
  }
  SUBCASE("of a daemon, much later") {
    const auto record = w.core.record(key);
    world next{{}, true};
    next.now = w.now;
    next.wait(1h);
    CHECK(of<stop_run>(next.core.restore({*record}, next.now)).at(0).grace == 0s);
  }
}

} // namespace reconciler_patience_test
