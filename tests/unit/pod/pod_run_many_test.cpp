// A pod of several containers: each lives for itself, the run for all of them.
#include "tests/unit/pod/run_play.hpp"

namespace pod_run_many_test {

using namespace tank;
using namespace tank::testing;
using run::outcome;
using phase = container_phase;

TEST_CASE("two containers are built side by side, each as soon as its image is there, and let go "
          "in order") {
  play p{2};
  CHECK(p.begin() == "resolve 0; resolve 1; containers");
  CHECK(p.on(run::image_found{1}) == "prepare sandbox 1");
  CHECK(p.prepared(1).empty());
  CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s; create 1.0; arm 1 120s");
  CHECK(p.on(run::sandbox_up{}) == "disarm sandbox");
  CHECK(p.on(run::image_found{0}) == "prepare 0");
  p.ready(1);
  CHECK(p.built(1).empty()); // it is let go in its turn
  CHECK(p.status(1).state == phase::waiting);
  CHECK(p.status(0).reason == "ContainerCreating");
  CHECK(p.prepared(0) == "create 0.0; arm 0 120s");
  p.ready(0);
  CHECK(p.built(0) == "proceed 0");
  CHECK(p.started(0) == "disarm 0; proceed 1; arm 1 120s; containers");
  CHECK(p.started(1) == "disarm 1; running"); // now the pod is up
  CHECK(p.status(0).host_pid == 70);
  CHECK(p.status(1).host_pid == 71);
}

TEST_CASE("images that come while the sandbox is prepared wait for it, and are prepared in one") {
  play p{3};
  p.begin();
  CHECK(p.on(run::image_found{0}) == "prepare sandbox 0");
  CHECK(p.on(run::image_found{1}).empty());
  CHECK(p.on(run::image_found{2}).empty());
  p.prepared(0);
  CHECK(p.on(run::sandbox_prepared{}) ==
        "start; arm sandbox 120s; create 0.0; arm 0 120s; prepare 1 2");
}

TEST_CASE("either of two ends: the other runs on, and the one that ended runs again") {
  for (const run::index who : {0, 1}) {
    const auto other = 1 - who;
    const auto me = std::to_string(who);
    CAPTURE(who);
    play p{2};
    p.to_running();
    CHECK(p.exited(who, 3) == "arm " + me + " 10s; containers");
    CHECK(p.run.sandbox() == sandbox_state::up);
    CHECK(p.run.container(other).runs());
    CHECK(p.status(other).restarts == 0);
    CHECK(p.status(who).state == phase::waiting);
    CHECK(p.status(who).reason == "CrashLoopBackOff");
    CHECK(p.status(who).message == "back-off 10s: exited with code 3");
    CHECK(p.status(who).restart_at_ns == p.now.wall_ns + 10'000'000'000);
    REQUIRE(p.status(who).last);
    CHECK(p.status(who).last->exit_code == 3);
    CHECK(p.status(who).restarts == 1);
    p.wait(10s);
    CHECK(p.fire(who) == "resolve " + me + "; containers");
    CHECK(p.status(who).reason == "ContainerCreating");
    CHECK(p.status(who).restart_at_ns == 0);
    CHECK(p.on(run::image_found{who}) == "prepare " + me);
    CHECK(p.prepared(who) == "create " + me + ".1; arm " + me + " 120s");
    p.ready(who);
    p.built(who);
    CHECK(p.started(who) == "disarm " + me + "; containers");
    CHECK(p.status(who).attempt == 1);
    CHECK(p.run.container(other).attempt() == 0);
    CHECK(p.run.container(other).pid() == static_cast<pid_t>(70 + other));
  }
}

TEST_CASE("a container's back-off grows, and begins anew after a stable attempt") {
  play p{2};
  p.to_running();
  for (const char* const delay : {"10s", "20s", "40s"}) {
    CHECK(p.exited(1, 1) == "arm 1 " + std::string{delay} + "; containers");
    p.wait(60s);
    p.fire(1);
    p.up_again(1);
  }
  p.wait(600s);
  CHECK(p.exited(1, 1) == "arm 1 10s; containers");
  CHECK(p.status(1).restarts == 4);
  CHECK(p.exited(0, 1) == "arm 0 10s; containers"); // it has its own count
}

TEST_CASE("kubelet's back-off: the first time at once") {
  auto settings = settings_of(2);
  settings.profile.first_at_once = true;
  play p{settings};
  p.to_running();
  CHECK(p.exited(1, 1) == "resolve 1; containers");
  CHECK(p.status(1).attempt == 1);
  CHECK(p.status(1).restarts == 1);
  p.up_again(1);
  CHECK(p.exited(1, 1) == "arm 1 10s; containers");
}

TEST_CASE("OnFailure: what succeeded stays ended, what failed runs again, until all have") {
  play p{2, restart_policy::on_failure};
  p.to_running();
  CHECK(p.exited(0, 0) == "containers");
  CHECK(p.status(0).state == phase::terminated);
  CHECK(p.status(0).terminated->reason == "Completed");
  CHECK(p.exited(1, 3) == "arm 1 10s; containers");
  p.wait(10s);
  p.fire(1);
  p.up_again(1);
  CHECK(p.exited(1, 0) == "shut down; arm sandbox 10s");
  p.to_end();
  CHECK(p.run.reason() == stop_reason{stop_class::normal, stop_cause::normal, 0, ""});
  CHECK(p.run.how().reason == "Completed");
}

TEST_CASE("Never: the run ends with the last, and its reason is that of the first that failed") {
  for (const bool fails : {false, true}) {
    play p{3, restart_policy::never};
    p.to_running();
    CHECK(p.exited(2, 0) == "containers");
    CHECK(p.exited(1, fails ? 4 : 0) == "containers");
    CHECK(p.run.container(0).runs());
    CHECK(p.exited(0, 0) == "shut down; arm sandbox 10s");
    p.to_end();
    CHECK(p.run.reason().cause == (fails ? stop_cause::workload_exited : stop_cause::normal));
    CHECK(p.run.reason().code == (fails ? 4 : 0));
    CHECK(p.run.how().exit_code == (fails ? 4 : 0));
    CHECK(p.status(1).state == phase::terminated);
  }
}

TEST_CASE("a container without an image waits for it by any policy, the other runs") {
  for (const auto policy : {restart_policy::always, restart_policy::never}) {
    play p{2, policy};
    p.begin();
    CHECK(p.on(run::image_missing{1, broken, image_problem::pull_failed}) ==
          "arm 1 10s; containers");
    CHECK(p.status(1).reason == "ImagePullBackOff");
    CHECK(p.status(1).message == "back-off 10s: cannot do 'it': because");
    CHECK(p.status(1).last->reason == "ErrImagePull");
    p.on(run::image_found{0});
    p.prepared(0);
    p.on(run::sandbox_prepared{});
    p.on(run::sandbox_up{});
    CHECK(p.up(0) == "disarm 0; running");
    p.wait(10s);
    CHECK(p.fire(1) == "resolve 1; containers");
    CHECK(p.on(run::image_missing{1, broken, image_problem::pull_failed}) ==
          "arm 1 20s; containers");
    p.wait(20s);
    p.fire(1);
    CHECK(p.up_again(1) == "disarm 1; containers");
    CHECK(p.status(1).restarts == 0); // its first attempt that ran
  }
}

TEST_CASE("a container that cannot be prepared is tried again, the other comes up") {
  play p{2};
  p.begin();
  p.on(run::image_found{0});
  p.on(run::image_found{1});
  p.prepared(0);
  p.on(run::sandbox_prepared{});
  CHECK(p.on(run::container_not_prepared{1, broken}) == "arm 1 10s; containers");
  CHECK(p.status(1).last->reason == "StartError");
  p.on(run::sandbox_up{});
  CHECK(p.up(0) == "disarm 0; running");
  p.wait(10s);
  p.fire(1);
  CHECK(p.up_again(1) == "disarm 1; containers");
  CHECK(p.status(1).restarts == 1);
}

TEST_CASE("no container can be prepared: they are tried again in the sandbox that is made") {
  play p{2};
  p.begin();
  p.on(run::image_found{0});
  CHECK(p.on(run::container_not_prepared{0, broken}) == "arm 0 10s; containers");
  CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s");
  p.on(run::sandbox_up{});
  p.wait(10s);
  p.fire(0);
  CHECK(p.on(run::image_found{0}) == "prepare 0");
}

TEST_CASE("a sandbox that cannot be made, or is lost, ends the run of all") {
  play made{2};
  made.begin();
  made.on(run::image_found{0});
  CHECK(made.on(run::sandbox_not_prepared{broken}) == "clean");
  CHECK(made.on(run::image_found{1}).empty());
  CHECK(made.on(run::cleaned{}) == "finish");
  CHECK(made.run.reason().cause == stop_cause::bring_up_failed);

  play lost{2};
  lost.to_running();
  lost.exited(0, 1);
  CHECK(lost.on(run::session_down{broken, false}) == "drop; clean; disarm 0");
  CHECK(lost.on(run::cleaned{}) == "finish");
  CHECK(lost.run.reason() == stop_reason{stop_class::abnormal, stop_cause::session_down, 0,
                                         "its shim went away: because"});
  CHECK(lost.run.how().message == "its shim went away: because");
}

TEST_CASE("what ended before the sandbox failed is not what the run ended by") {
  play p{2, restart_policy::never};
  p.to_running();
  p.exited(0, 3);
  p.on(run::session_down{broken, false});
  p.on(run::cleaned{});
  CHECK(p.run.reason().cause == stop_cause::session_down);
  CHECK(p.run.how().message == "its shim went away: because");
  CHECK(p.status(0).terminated->exit_code == 3);
}

// --- stops ---------------------------------------------------------------------------------------

TEST_CASE("a stop ends each where it is, and the sandbox after the last of them") {
  play p{4};
  p.to_creating();
  p.up(0);
  p.up(1);
  p.ready(2);
  p.up(3);
  p.exited(3, 1);
  // one runs, one runs, one is parked, one waits for its back-off
  CHECK(p.on(run::stop{}) == "signal 0 15; arm 0 30s; signal 1 15; arm 1 30s; abort 2; arm 2 10s; "
                             "disarm 3");
  CHECK(p.run.stop_asked());
  CHECK(p.exited(0, 0) == "disarm 0");
  CHECK(p.ended(2, end_of(outcome::aborted)) == "disarm 2; running"); // each has run or ended
  CHECK(p.fire(1) == "kill 1; arm 1 10s");
  CHECK(p.ended(1, end_of(outcome::signaled, 9)) == "disarm 1; shut down; arm sandbox 10s");
  p.to_end();
  CHECK(p.run.reason().cls == stop_class::shutdown);
  CHECK(p.run.reason().cause == stop_cause::stopped);
}

TEST_CASE("a new grace period reaches those that obey already, and no other") {
  play p{3};
  p.to_running();
  p.on(run::stop{});
  p.exited(0, 0);
  CHECK(p.on(run::stop{5s}) == "arm 1 5s; arm 2 5s");
  CHECK(p.on(run::stop{0s}) == "kill 1; arm 1 10s; kill 2; arm 2 10s");
}

TEST_CASE("a container that cannot be killed takes the run with it") {
  play p{2};
  p.to_creating();
  p.up(0);
  CHECK(p.fire(1) == "kill 1; arm 1 10s");               // its bring-up hangs
  CHECK(p.fire(1) == "signal 0 15; arm 0 30s; running"); // each has run or ended
  CHECK(p.exited(0, 0) == "disarm 0; shut down; arm sandbox 10s");
  p.to_end();
  CHECK(p.run.reason().cause == stop_cause::bring_up_failed);
  CHECK(p.run.reason().text.find("stuck in 'creating'") != std::string::npos);
}

// --- giving up -----------------------------------------------------------------------------------

TEST_CASE("a container that ends too often ends the run, in order") {
  auto settings = settings_of(2);
  settings.profile.give_up = {2, 10min};
  play p{settings};
  p.to_running();
  CHECK(p.exited(1, 3) == "arm 1 10s; containers");
  p.wait(10s);
  p.fire(1);
  p.up_again(1);
  CHECK(p.exited(1, 3) == "signal 0 15; arm 0 30s");
  CHECK_FALSE(p.run.stop_asked());
  SUBCASE("the other obeys") {
    CHECK(p.exited(0, 0) == "disarm 0; shut down; arm sandbox 10s");
    p.to_end();
  }
  SUBCASE("the shim vanishes meanwhile") { // the first reason counts
    CHECK(p.on(run::session_down{broken, false}) == "drop; clean; disarm 0");
    CHECK(p.on(run::cleaned{}) == "finish");
  }
  CHECK(p.run.reason() == stop_reason{stop_class::shutdown, stop_cause::gave_up, 3,
                                      "CrashLoopGiveUp: container 'b' ended 2 times within 600s, "
                                      "the last: exited with code 3"});
  CHECK(p.run.how().exit_code == 3);
}

TEST_CASE("four containers: ends of all kinds at once leave those alone that run") {
  play p{4, restart_policy::on_failure};
  p.to_running();
  p.exited(0, 0);
  p.ended(1, end_of(outcome::signaled, 11));
  auto memory = end_of(outcome::signaled, 9);
  memory.out_of_memory = true;
  p.ended(2, memory);
  CHECK(p.status(0).state == phase::terminated);
  CHECK(p.status(1).last->signal == 11);
  CHECK(p.status(2).last->reason == "OOMKilled");
  CHECK(p.run.container(3).runs());
  CHECK(p.run.runs());
  CHECK(p.run.sandbox() == sandbox_state::up);
}

TEST_CASE("find: by name, or the first") {
  const play p{3};
  CHECK(p.run.find("") == 0);
  CHECK(p.run.find("c") == 2);
  CHECK_FALSE(p.run.find("d"));
}

} // namespace pod_run_many_test
