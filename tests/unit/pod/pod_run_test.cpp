// A pod of one container: its whole run by events.
#include "pod/container_end.hpp"
#include "tests/unit/pod/run_play.hpp"

#include <cerrno>

namespace pod_run_test {

using namespace tank;
using namespace tank::testing;
using run::outcome;

namespace {

/// A run that has ended by `how`, and what it says of that.
struct ended_run {
  stop_reason why;
  last_exit how;
};
ended_run end_by(const run::container_end& end, bool before_first_instruction = false) {
  play p{1};
  p.to_creating();
  if (before_first_instruction) {
    p.ready(0);
    p.built(0);
  } else {
    p.up(0);
  }
  CHECK(p.ended(0, end).ends_with("shut down; arm sandbox 10s"));
  p.to_end();
  return {p.run.reason(), p.run.how()};
}

} // namespace

TEST_CASE("the way of a pod that exits 0") {
  play p{1};
  CHECK(p.begin() == "resolve 0");
  CHECK(p.on(run::image_found{0}) == "prepare sandbox 0");
  CHECK(p.run.has_cgroups());
  CHECK(p.prepared(0, 3).empty());
  CHECK(p.run.facts(0) == run::facts{3, {"K=V"}, "/w"});
  CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s; create 0.0; arm 0 120s");
  CHECK(p.on(run::sandbox_up{}) == "disarm sandbox");
  CHECK(p.ready(0).empty());
  CHECK(p.built(0) == "proceed 0");
  CHECK_FALSE(p.run.runs());
  CHECK(p.started(0) == "disarm 0; running");
  CHECK(p.run.runs());
  CHECK(p.status(0).state == container_phase::running);
  CHECK(p.status(0).host_pid == 70);
  CHECK(p.exited(0, 0) == "shut down; arm sandbox 10s");
  CHECK_FALSE(p.run.runs());
  CHECK_FALSE(p.run.has_cgroups());
  CHECK(p.on(run::session_down{}) == "drop; disarm sandbox; clean");
  CHECK(p.on(run::cleaned{}) == "finish");
  CHECK(p.run.reason() == stop_reason{});
  CHECK(p.run.how() == last_exit{"Completed", 0, 0, "exited with code 0", 5, 9});
  CHECK(p.status(0).terminated == p.run.how());
}

TEST_CASE("the order in which the sandbox and its container are prepared does not matter") {
  play p{1};
  p.begin();
  p.on(run::image_found{0});
  CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s");
  CHECK(p.prepared(0) == "create 0.0; arm 0 120s");
}

TEST_CASE("how a workload ended becomes the run's stop reason") {
  auto run = end_by(end_of(outcome::exited, 3));
  CHECK(run.why ==
        stop_reason{stop_class::shutdown, stop_cause::workload_exited, 3, "exited with code 3"});
  CHECK(run.how == last_exit{"Error", 3, 0, "exited with code 3", 5, 9});
  run = end_by(end_of(outcome::signaled, 9));
  CHECK(run.why ==
        stop_reason{stop_class::shutdown, stop_cause::workload_signaled, 9, "killed by signal 9"});
  CHECK(run.how == last_exit{"Error", 137, 9, "killed by signal 9", 5, 9});
}

TEST_CASE("a shim that vanishes takes the run with it") {
  play p{1};
  p.to_running();
  CHECK(p.on(run::session_down{broken, false}) == "drop; clean");
  CHECK(p.on(run::cleaned{}) == "finish");
  CHECK(p.run.reason() == stop_reason{stop_class::abnormal, stop_cause::session_down, 0,
                                      "its shim went away: because"});
  CHECK(p.run.how() == last_exit{"Error", 137, 9, "its shim went away: because", 5, 0});
}

TEST_CASE("a container that fails before its first instruction is a failed bring-up") {
  auto run = end_by(end_of(outcome::failed), true);
  CHECK(run.why == stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                               "cannot do 'it': because"});
  CHECK(run.how.reason == "StartError");
  CHECK(run.how.exit_code == 128);
  run = end_by(end_of(outcome::signaled, 9), true);
  CHECK(run.why == stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                               "killed by signal 9 before its first instruction"});
  CHECK(run.how.reason == "StartError");
  run = end_by(end_of(outcome::exited, 0), true);
  CHECK(run.why.cause == stop_cause::bring_up_failed);
}

TEST_CASE("what the host had not enough of is no failure of the pod") {
  using namespace std::chrono_literals;
  for (const int sys : {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, ENOBUFS}) {
    auto end = end_of(outcome::failed);
    end.started_ns = 0;
    end.why = fail_errno(sys, "make", "it").value();
    CHECK(reason_of(end).cause == stop_cause::host_shortage);
    CHECK(exit_of(end).reason == "HostShortage");
    for (const auto policy :
         {restart_policy::never, restart_policy::on_failure, restart_policy::always}) {
      const run_container is{.name = "web", .policy = {policy, {}}};
      pod_view pod;
      pod.profile = backoff_profile{.base = 10s};
      pod.containers.push_back({.is = &is, .state = container_state::ended, .end = &end});
      const auto orders = plan_pod(pod, {});
      REQUIRE(orders.size() == 1);
      const auto* again = std::get_if<order::run_again>(&orders[0]);
      REQUIRE(again != nullptr);
      CHECK(again->delay == 10s);
    }
    end.out_of_memory = true; // the pod's own limit
    CHECK(reason_of(end).cause == stop_cause::bring_up_failed);
    end.out_of_memory = false;
    end.started_ns = 1; // it ran: whatever broke then
    CHECK(reason_of(end).cause != stop_cause::host_shortage);
  }
}

TEST_CASE("without an image the run is over at once, and says what is wrong with it") {
  struct row {
    image_problem problem;
    stop_cause cause;
    const char* word;
  };
  for (const auto& r :
       {row{image_problem::pull_failed, stop_cause::image_pull_failed, "ErrImagePull"},
        row{image_problem::never_pull, stop_cause::bring_up_failed, "ErrImageNeverPull"},
        row{image_problem::invalid_name, stop_cause::bring_up_failed, "InvalidImageName"}}) {
    play p{1};
    p.begin();
    CHECK(p.on(run::image_missing{0, broken, r.problem}) == "clean");
    CHECK(p.on(run::cleaned{}) == "finish");
    CHECK(p.run.reason().cls == stop_class::abnormal);
    CHECK(p.run.reason().cause == r.cause);
    CHECK(p.run.reason().text == "cannot do 'it': because");
    CHECK(p.run.how().reason == r.word);
    CHECK(p.run.how().exit_code == 128);
  }
}

TEST_CASE("a run that cannot be prepared is cleaned up and says why") {
  for (const bool sandbox : {false, true}) {
    CAPTURE(sandbox);
    play p{1};
    p.begin();
    p.on(run::image_found{0});
    if (sandbox) {
      CHECK(p.on(run::sandbox_not_prepared{broken}) == "clean");
    } else {
      CHECK(p.on(run::container_not_prepared{0, broken}).empty()); // the sandbox is being made
      CHECK(p.on(run::sandbox_prepared{}) == "clean");
    }
    CHECK(p.on(run::cleaned{}) == "finish");
    CHECK(p.run.reason() == stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                                        "cannot do 'it': because"});
    CHECK(p.run.how().reason == "StartError");
    CHECK(p.run.how().message == "cannot do 'it': because");
  }
}

TEST_CASE("a session that cannot be started, or refuses the first requests, is a failed bring-up") {
  play p{1};
  p.begin();
  p.on(run::image_found{0});
  p.prepared(0);
  p.on(run::sandbox_prepared{});
  CHECK(p.on(run::session_failed{broken}) == "shut down; arm sandbox 10s");
  CHECK(p.on(run::session_failed{nobody}).empty()); // several requests of one moment
  CHECK(p.on(run::session_down{}) == "drop; disarm sandbox; clean; disarm 0");
  CHECK(p.on(run::cleaned{}) == "finish");
  CHECK(p.run.reason() == stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                                      "cannot do 'it': because"});
  CHECK(p.run.how().reason == "StartError");
  CHECK(p.run.how().exit_code == 128);
}

TEST_CASE("a request that fails on a session that worked is a lost session") {
  play p{1};
  p.to_running();
  CHECK(p.on(run::session_failed{broken}) == "shut down; arm sandbox 10s");
  SUBCASE("and its end is not seen") {
    p.to_end();
  }
  SUBCASE("and its end is its wake") {
    CHECK(p.ended(0, end_of(outcome::signaled, 9)).empty());
    p.to_end();
  }
  CHECK(p.run.reason() == stop_reason{stop_class::abnormal, stop_cause::session_down, 0,
                                      "its shim went away: because"});
  CHECK(p.run.how().reason == "Error");
  CHECK(p.run.how().exit_code == 137);
  CHECK(p.run.how().message == "its shim went away: because");
}

TEST_CASE("memory that ran out has its own reason, whoever of the container was killed for it") {
  auto end = end_of(outcome::signaled, 9);
  end.out_of_memory = true;
  auto run = end_by(end);
  CHECK(run.why == stop_reason{stop_class::shutdown, stop_cause::oom_killed, 9,
                               "OOMKilled: killed by signal 9"});
  CHECK(run.how.reason == "OOMKilled");
  CHECK(run.how.exit_code == 137);
  CHECK(run.how.signal == 9);
  end = end_of(outcome::exited, 4);
  end.out_of_memory = true;
  run = end_by(end);
  CHECK(run.why.cause == stop_cause::oom_killed);
  CHECK(run.how.reason == "OOMKilled");
  CHECK(run.how.exit_code == 4);
  end = end_of(outcome::failed);
  end.out_of_memory = true;
  run = end_by(end, true);
  CHECK(run.why == stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                               "OOMKilled: cannot do 'it': because"});
  CHECK(run.how.reason == "StartError");

  play p{1};
  p.to_running();
  p.on(run::stop{});
  end = end_of(outcome::signaled, 9);
  end.out_of_memory = true;
  p.ended(0, end);
  p.to_end();
  CHECK(p.run.reason().cause == stop_cause::stopped);
  CHECK(p.run.how().reason == "OOMKilled");
}

// --- stops ---------------------------------------------------------------------------------------

TEST_CASE("a graceful stop: signal, grace, kill") {
  play p{1};
  p.begin();
  p.on(run::image_found{0});
  p.prepared(0, 3);
  p.on(run::sandbox_prepared{});
  p.on(run::sandbox_up{});
  p.up(0);
  CHECK(p.on(run::stop{}) == "signal 0 3; arm 0 30s");
  CHECK(p.run.stop_asked());
  CHECK(p.run.runs());
  SUBCASE("it obeys") {
    CHECK(p.exited(0, 0) == "disarm 0; shut down; arm sandbox 10s");
    p.to_end();
    CHECK(p.run.reason() ==
          stop_reason{stop_class::shutdown, stop_cause::stopped, 0, "exited with code 0"});
    CHECK(p.run.how().reason == "Completed");
  }
  SUBCASE("it does not") {
    CHECK(p.fire(0) == "kill 0; arm 0 10s");
    CHECK(p.ended(0, end_of(outcome::signaled, 9)) == "disarm 0; shut down; arm sandbox 10s");
    p.to_end();
    CHECK(p.run.reason() ==
          stop_reason{stop_class::shutdown, stop_cause::stopped, 137, "killed by signal 9"});
    CHECK(p.run.how().signal == 9);
  }
  SUBCASE("the owner loses its patience") {
    CHECK(p.on(run::stop{0s}) == "kill 0; arm 0 10s");
  }
  SUBCASE("the owner has another idea of patience") {
    CHECK(p.on(run::stop{5s}) == "arm 0 5s");
  }
  SUBCASE("asked twice, signalled once") {
    CHECK(p.on(run::stop{}).empty());
  }
  SUBCASE("its shim vanishes") {
    CHECK(p.on(run::session_down{broken, false}) == "drop; clean; disarm 0");
    CHECK(p.on(run::cleaned{}) == "finish");
    CHECK(p.run.reason() ==
          stop_reason{stop_class::shutdown, stop_cause::stopped, 0, "its shim went away: because"});
    CHECK(p.run.how().exit_code == 137);
  }
}

TEST_CASE("a stop of a pod that kills at once, or is told to") {
  play p{1};
  p.to_running();
  CHECK(p.on(run::stop{0s}) == "kill 0; arm 0 10s");
  auto settings = settings_of(1);
  settings.grace = 0s;
  play q{settings};
  q.to_running();
  CHECK(q.on(run::stop{}) == "kill 0; arm 0 10s");
}

TEST_CASE("a stop in every state of the bring-up leads to a clean end") {
  const auto stopped = [](play& p) {
    CHECK(p.on(run::cleaned{}) == "finish");
    CHECK(p.run.reason().cls == stop_class::shutdown);
    CHECK(p.run.reason().cause == stop_cause::stopped);
    CHECK(p.run.reason().code == 0);
    CHECK(p.run.how().reason == "Stopped");
    CHECK(p.run.how().exit_code == 0);
  };
  play image{1};
  image.begin();
  CHECK(image.on(run::stop{}) == "clean");
  CHECK(image.on(run::image_found{0}).empty()); // nobody waits for it
  stopped(image);

  // The worker's directories must exist before they can be removed.
  for (const bool sandbox_first : {false, true}) {
    play p{1};
    p.begin();
    p.on(run::image_found{0});
    CHECK(p.on(run::stop{}).empty());
    if (sandbox_first) {
      CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s");
      CHECK(p.prepared(0) == "shut down; arm sandbox 10s");
      CHECK(p.on(run::session_down{}) == "drop; disarm sandbox; clean");
    } else {
      CHECK(p.prepared(0).empty());
      CHECK(p.on(run::sandbox_prepared{}) == "clean");
    }
    stopped(p);
  }
  play creating{1};
  creating.to_creating();
  CHECK(creating.on(run::stop{}) == "abort 0; arm 0 10s");
  CHECK(creating.ended(0, end_of(outcome::aborted)) == "disarm 0; shut down; arm sandbox 10s");
  creating.on(run::session_down{});
  stopped(creating);
  play parked{1};
  parked.to_creating();
  parked.ready(0);
  CHECK(parked.on(run::stop{}) == "abort 0; arm 0 10s");
  CHECK(parked.built(0).empty()); // crossed
  play released{1};
  released.to_creating();
  released.ready(0);
  released.built(0);
  CHECK(released.on(run::stop{}) == "kill 0; arm 0 10s");
  CHECK(released.started(0).empty()); // crossed
  released.ended(0, end_of(outcome::signaled, 9));
  released.on(run::session_down{});
  CHECK(released.on(run::cleaned{}) == "finish");
  CHECK(released.run.reason().cause == stop_cause::stopped);
  CHECK(released.run.how().reason == "Stopped");
}

TEST_CASE("a stop that comes when the run is over already changes what it ended by") {
  play p{1};
  p.to_running();
  p.exited(0, 3);
  CHECK(p.on(run::stop{}).empty());
  p.to_end();
  CHECK(p.run.reason() ==
        stop_reason{stop_class::shutdown, stop_cause::stopped, 3, "exited with code 3"});
  CHECK(p.run.how().exit_code == 3);
}

// --- who does not answer -------------------------------------------------------------------------

TEST_CASE("a shim or a child that does not answer is not waited for without end") {
  play p{1};
  p.to_creating();
  p.on(run::stop{});
  CHECK(p.fire(0) == "shut down; arm sandbox 10s");
  CHECK(p.fire({}) == "end; arm sandbox 10s"); // told, then made
  CHECK(p.fire({}) == "drop; clean");
  CHECK(p.on(run::cleaned{}) == "finish");
  CHECK(p.run.reason().cause == stop_cause::stopped);
  CHECK(p.run.reason().text == "not started");

  play late{1};
  late.to_creating();
  late.ready(0);
  CHECK(late.fire(0) == "kill 0; arm 0 10s");
  SUBCASE("it is killed") {
    CHECK(late.ended(0, end_of(outcome::signaled, 9)) == "disarm 0; shut down; arm sandbox 10s");
  }
  SUBCASE("it is stuck") {
    CHECK(late.fire(0) == "shut down; arm sandbox 10s");
  }
  late.to_end();
  CHECK(late.run.reason().cause == stop_cause::bring_up_failed);
  CHECK(late.run.reason().text.find("stuck in 'parked'") != std::string::npos);
  CHECK(late.run.how().reason == "StartError");
}

TEST_CASE("a shim that never greets is a failed bring-up") {
  play p{1};
  p.begin();
  p.on(run::image_found{0});
  p.prepared(0);
  p.on(run::sandbox_prepared{});
  CHECK(p.fire({}) == "shut down; arm sandbox 10s");
  CHECK(p.on(run::session_down{}) == "drop; disarm sandbox; clean; disarm 0");
  CHECK(p.on(run::cleaned{}) == "finish");
  CHECK(p.run.reason() ==
        stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                    "cannot bring up 'default/web': its shim says nothing for 120 s"});
}

TEST_CASE("what cannot be is told, and changes nothing") {
  play p{1};
  p.to_running();
  CHECK(p.on(run::image_found{0}) == "unexpected 0 running 1");
  CHECK(p.on(run::sandbox_prepared{}) == "unexpected sandbox up 3");
  CHECK(p.on(run::cleaned{}) == "unexpected sandbox up 10");
  CHECK(p.run.runs());
}

} // namespace pod_run_test
