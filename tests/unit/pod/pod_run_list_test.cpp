// A pod with init containers and sidecars, probes and hooks, from its first step to its last.
#include "tests/unit/pod/run_play.hpp"

namespace pod_run_list_test {

using namespace tank;
using namespace tank::testing;
using run::outcome;
using phase = container_phase;

namespace {

/// "ism": the kinds in order; of the pod's policy.
run_settings list_of(std::string_view kinds, restart_policy policy = restart_policy::always) {
  auto s = settings_of(kinds.size(), policy);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    auto& c = s.containers[i];
    if (kinds[i] == 's') c.kind = container_kind::sidecar;
    if (kinds[i] == 's') c.policy.policy = restart_policy::always;
    if (kinds[i] != 'i') continue;
    c.kind = container_kind::init;
    if (policy == restart_policy::always) c.policy.policy = restart_policy::on_failure;
  }
  return s;
}

/// The first one begins, and the sandbox with it.
void open(play& p) {
  p.begin();
  p.on(run::image_found{0});
  p.prepared(0);
  p.on(run::sandbox_prepared{});
  p.on(run::sandbox_up{});
}

run::hook_done returns(run::index who, run::hook_kind kind, std::uint32_t attempt = 0) {
  return {who, attempt, kind, std::nullopt};
}
run::probe_result says(run::index who, run::probe_kind kind, bool passed,
                       std::uint32_t attempt = 0) {
  return {who, attempt, kind, passed, "the probe says so"};
}

} // namespace

TEST_CASE("an init container, then a sidecar, then two others") {
  play p{list_of("ismm")};
  CHECK(p.begin() == "resolve 0; containers");
  CHECK(p.status(3).reason == "PodInitializing");
  CHECK(p.on(run::image_found{0}) == "prepare sandbox 0");
  p.prepared(0);
  CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s; create 0.0; arm 0 120s");
  p.on(run::sandbox_up{});
  CHECK(p.up(0) == "disarm 0; containers");
  CHECK(p.exited(0, 0) == "resolve 1; containers");
  CHECK(p.status(0).ready);
  CHECK(p.status(0).terminated->reason == "Completed");
  CHECK(p.up_again(1) == "disarm 1; resolve 2; resolve 3; containers");
  p.on(run::image_found{3});
  p.prepared(3);
  p.ready(3);
  CHECK(p.built(3).empty()); // it waits for its turn
  CHECK(p.fire(3).empty());  // however long
  p.on(run::image_found{2});
  p.prepared(2);
  p.ready(2);
  CHECK(p.built(2) == "proceed 2");
  CHECK(p.started(2) == "disarm 2; proceed 3; arm 3 120s; containers");
  CHECK(p.started(3) == "disarm 3; running");
  CHECK(p.status(1).started);
}

TEST_CASE("passed steps are a record: another daemon does not run them again") {
  play p{list_of("ism")};
  open(p);
  p.up(0);
  p.exited(0, 0);
  p.up_again(1);
  p.up_again(2);
  const auto record = p.run.record();
  play q{list_of("ism")};
  CHECK(q.adopt(record) == "adopt; arm sandbox 30s; containers");
  CHECK(q.on(run::adopted{{held(1, kernel::stage::running), held(2, kernel::stage::running)}}) ==
        "disarm sandbox; running");
  CHECK(q.status(0).terminated->reason == "Completed");
  CHECK(q.exited(1, 1) == "arm 1 10s; containers");
  q.wait(10s);
  CHECK(q.fire(1) == "resolve 1; containers");
}

TEST_CASE("a main container that had not begun begins after an adoption, in its turn") {
  play p{list_of("im")};
  open(p);
  p.up(0);
  const auto record = p.run.record();
  play q{list_of("im")};
  q.adopt(record);
  CHECK(q.on(run::adopted{{held(0, kernel::stage::running)}}) == "disarm sandbox; containers");
  CHECK(q.exited(0, 0) == "resolve 1; containers");
  CHECK(q.attempt(1) == 0);
}

TEST_CASE("an init container that fails under Never ends the pod, for good") {
  play p{list_of("im", restart_policy::never)};
  open(p);
  p.up(0);
  CHECK(p.exited(0, 3) == "shut down; arm sandbox 10s");
  p.to_end();
  CHECK(p.run.is_final());
  CHECK(p.run.reason() ==
        stop_reason{stop_class::shutdown, stop_cause::workload_exited, 3, "exited with code 3"});
  CHECK(p.status(1).state == phase::waiting);
}

TEST_CASE("the end of the mains ends the sidecars, and only the mains count") {
  play p{list_of("ssm", restart_policy::never)};
  open(p);
  p.up(0);
  p.up_again(1);
  p.up_again(2);
  CHECK(p.exited(2, 0) == "signal 1 15; arm 1 30s; arm run 30s");
  CHECK(p.exited(1, 143) == "disarm 1; signal 0 15; arm 0 30s; disarm run");
  CHECK(p.ended(0, end_of(outcome::signaled, 9)) == "disarm 0; shut down; arm sandbox 10s");
  p.to_end();
  CHECK(p.run.reason().cls == stop_class::normal);
  CHECK(p.run.is_final());
}

// --- strategies ----------------------------------------------------------------------------------

TEST_CASE("one_for_all: stopped one by one, the back-off between, and all again from the first") {
  auto settings = list_of("imm");
  settings.strategy = restart_strategy::one_for_all;
  play p{settings};
  open(p);
  p.up(0);
  p.exited(0, 0);
  p.up_again(1);
  p.up_again(2);
  CHECK(p.exited(1, 3) == "signal 2 15; arm 2 30s; arm run 10s; containers");
  CHECK(p.status(1).reason == "CrashLoopBackOff");
  CHECK(p.status(1).message == "back-off 10s: container 'b' exited with code 3");
  const auto record = p.run.record();
  CHECK(p.exited(2, 0) == "disarm 2; containers");
  CHECK(p.status(0).restarts == 1);
  p.wait(10s);
  CHECK(p.fire(run::whole_run) == "resolve 0; containers");
  CHECK(p.attempt(0) == 1);
  CHECK(p.status(2).restarts == 1);
  p.up_again(0);
  p.exited(0, 0);
  p.up_again(1);
  p.up_again(2);
  CHECK(p.exited(2, 0) == "signal 1 15; arm 1 30s; arm run 20s; containers");

  play q{settings}; // the daemon was killed while they were stopped
  q.adopt(record);
  CHECK(q.on(run::adopted{{held(2, kernel::stage::running)}}) ==
        "disarm sandbox; signal 2 15; arm 2 30s; arm run 10s; running");
  q.exited(2, 0);
  q.wait(10s);
  CHECK(q.fire(run::whole_run) == "resolve 0; containers");
  CHECK(q.status(1).restarts == 1);
}

TEST_CASE("a group's ends count once for giving up") {
  auto settings = list_of("mm");
  settings.strategy = restart_strategy::one_for_all;
  settings.profile.give_up = {2, 10min};
  play p{settings};
  p.to_running();
  p.exited(0, 1);
  p.exited(1, 1);
  p.wait(10s);
  p.fire(run::whole_run);
  p.up_again(0);
  p.up_again(1);
  CHECK(p.exited(1, 1) == "signal 0 15; arm 0 30s");
  p.exited(0, 0);
  p.to_end();
  CHECK(p.run.reason().cause == stop_cause::gave_up);
}

// --- hooks ---------------------------------------------------------------------------------------

TEST_CASE(
    "postStart holds `started` and the next container; it is not called again when it returned") {
  auto settings = list_of("mm");
  settings.containers[0].post_start = true;
  play p{settings};
  p.to_creating();
  CHECK(p.up(0) == "disarm 0; postStart 0.0; containers");
  CHECK_FALSE(p.status(0).started);
  p.ready(1);
  CHECK(p.built(1).empty());
  auto record = p.run.record();
  CHECK(p.on(returns(0, run::hook_kind::post_start)) == "proceed 1; arm 1 120s; containers");
  CHECK(p.status(0).started);
  CHECK(p.status(0).ready);

  play in_it{settings};
  in_it.adopt(record);
  CHECK(in_it.on(run::adopted{{held(0, kernel::stage::running), held(1, kernel::stage::built)}}) ==
        "disarm sandbox; postStart 0.0; containers"); // at least once
  record = p.run.record();
  play after{settings};
  after.adopt(record);
  CHECK(after.on(run::adopted{{held(0, kernel::stage::running), held(1, kernel::stage::built)}}) ==
        "disarm sandbox; proceed 1; arm 1 120s; containers");
}

TEST_CASE("a postStart that fails is a failure of its container, whatever its exit code") {
  auto settings = list_of("mm", restart_policy::on_failure);
  settings.containers[1].post_start = true;
  play p{settings};
  p.to_running();
  CHECK(p.on(run::hook_done{1, 0, run::hook_kind::post_start, broken}) == "signal 1 15; arm 1 30s");
  CHECK(p.exited(1, 0) == "disarm 1; arm 1 10s; containers");
  CHECK(p.status(1).last->reason == "Error");
  CHECK(p.status(1).last->message.starts_with("postStart hook failed: "));
}

TEST_CASE("preStop runs before the signal, within the grace") {
  auto settings = list_of("mm");
  settings.containers[0].pre_stop = true;
  play p{settings};
  p.to_running();
  CHECK(p.on(run::stop{}) == "preStop 0.0 30s; signal 1 15; arm 1 30s; arm run 30s");
  p.wait(10s);
  SUBCASE("it returns") {
    CHECK(p.on(returns(0, run::hook_kind::pre_stop)) == "signal 0 15; arm 0 20s; disarm run");
  }
  SUBCASE("it hangs") {
    p.wait(20s);
    CHECK(p.fire(run::whole_run) == "unhook 0; signal 0 15; arm 0 2s");
  }
  SUBCASE("its container ends") {
    CHECK(p.exited(0, 0) == "unhook 0; disarm run");
    CHECK(p.on(returns(0, run::hook_kind::pre_stop)).empty());
  }
  SUBCASE("patience ends") {
    CHECK(p.on(run::stop{0s}) == "unhook 0; kill 0; arm 0 10s; kill 1; arm 1 10s; disarm run");
  }
}

TEST_CASE("a postStart that hangs is dropped by a stop") {
  auto settings = list_of("m");
  settings.containers[0].post_start = settings.containers[0].pre_stop = true;
  play p{settings};
  p.to_running();
  CHECK(p.on(run::stop{}) == "unhook 0; preStop 0.0 30s; arm run 30s");
}

// --- probes --------------------------------------------------------------------------------------

TEST_CASE("startup holds `started`, readiness `ready`; a restart resets both") {
  auto settings = list_of("mm");
  settings.containers[0].startup_probe = settings.containers[0].readiness_probe = true;
  play p{settings};
  p.to_creating();
  CHECK(p.up(0) == "disarm 0; probe 0.0; containers");
  CHECK_FALSE(p.status(0).started);
  CHECK(p.on(says(0, run::probe_kind::startup, true)) == "containers");
  CHECK(p.status(0).started);
  CHECK_FALSE(p.status(0).ready);
  CHECK(p.on(says(0, run::probe_kind::readiness, true)) == "containers");
  CHECK(p.status(0).ready);
  CHECK(p.on(says(0, run::probe_kind::readiness, true)).empty());
  CHECK(p.on(says(0, run::probe_kind::readiness, false)) == "containers");
  CHECK(p.exited(0, 1) == "unprobe 0; arm 0 10s; containers");
  p.wait(10s);
  p.fire(0);
  CHECK(p.on(says(0, run::probe_kind::readiness, true)).empty()); // of the attempt before
  CHECK(p.up_again(0) == "disarm 0; probe 0.1; containers");
  CHECK_FALSE(p.status(0).started);
  CHECK_FALSE(p.status(0).ready);
}

TEST_CASE("liveness that fails kills with its own grace, and is a failure") {
  auto settings = list_of("mm", restart_policy::on_failure);
  settings.containers[0].liveness_probe = true;
  settings.containers[0].liveness_grace = 5s;
  play p{settings};
  p.to_running();
  CHECK(p.on(says(0, run::probe_kind::liveness, false)) == "readiness 0; signal 0 15; arm 0 5s");
  CHECK(p.on(says(0, run::probe_kind::liveness, false)).empty());
  CHECK(p.run.container(1).runs());
  CHECK(p.exited(0, 0) == "disarm 0; unprobe 0; arm 0 10s; containers");
  CHECK(p.status(0).last->message == "the probe says so; exited with code 0");
  CHECK(p.status(0).restarts == 1);
}

TEST_CASE(
    "a pod of one container whose liveness fails is rebuilt whole, unless the policy is Never") {
  auto settings = list_of("m", restart_policy::on_failure);
  settings.containers[0].liveness_probe = true;
  play p{settings};
  p.to_running();
  CHECK(p.on(says(0, run::probe_kind::liveness, false)) == "readiness 0; signal 0 15; arm 0 30s");
  CHECK(p.exited(0, 0) == "disarm 0; unprobe 0; shut down; arm sandbox 10s");
  p.to_end();
  CHECK(p.run.reason().cause == stop_cause::unhealthy);
  CHECK_FALSE(p.run.is_final());
}

TEST_CASE("a sidecar holds the list until its startup probe has passed") {
  auto settings = list_of("sm");
  settings.containers[0].startup_probe = true;
  play p{settings};
  open(p);
  CHECK(p.up(0) == "disarm 0; probe 0.0; containers");
  CHECK(p.on(says(0, run::probe_kind::startup, true)) == "resolve 1; containers");
}

} // namespace pod_run_list_test
