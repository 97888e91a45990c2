// A run that is taken over: it goes on wherever its record and its shim stand.
#include "tests/unit/pod/run_play.hpp"

namespace pod_run_adoption_test {

using namespace tank;
using namespace tank::testing;
using kernel::stage;
using run::outcome;

namespace {

run_record recorded(run_phase phase, std::int64_t released_at = 0) {
  run_record r;
  r.phase = phase;
  r.released_at = released_at;
  container_record c;
  c.name = "a";
  c.phase = phase == run_phase::ended ? run_phase::starting : phase;
  c.facts.stop_signal = 3;
  c.released_at = released_at;
  r.containers = {c};
  if (phase == run_phase::ended)
    r.end = run_end{{stop_class::shutdown, stop_cause::workload_exited, 4, "x"},
                    {"Error", 4, 0, "x", 5, 9}};
  return r;
}

run::adopted tells(std::vector<run::held_container> all) {
  return {std::move(all)};
}

struct adopting : play {
  explicit adopting(run_phase phase) : play(1) {
    CHECK(adopt(recorded(phase)) == "adopt; arm sandbox 30s");
  }
};

} // namespace

TEST_CASE("an adopted run goes on wherever its shim stands") {
  struct row {
    stage at;
    const char* then;
    container_state state;
  };
  using st = container_state;
  const auto over = "disarm sandbox; shut down; arm sandbox 10s";
  for (const auto& r : {row{stage::ready, "disarm sandbox; build 0; arm 0 120s", st::parked},
                        row{stage::built, "disarm sandbox; proceed 0; arm 0 120s", st::released},
                        row{stage::running, "disarm sandbox; running", st::running},
                        row{stage::exited, over, st::ended}, row{stage::signaled, over, st::ended},
                        row{stage::aborted, over, st::ended}, row{stage::failed, over, st::ended}})
    for (const auto phase : {run_phase::starting, run_phase::released}) {
      CAPTURE(to_string(r.at));
      adopting p{phase};
      CHECK(p.on(run::sandbox_up{}).empty());
      CHECK(p.on(tells({held(0, r.at, 0, 4)})) == r.then);
      CHECK(p.run.container(0).state() == r.state);
      if (r.at == stage::running) {
        CHECK(p.run.container(0).pid() == 70);
        CHECK(p.run.container(0).started_ns() == 5);
        CHECK(p.on(run::stop{}) == "signal 0 3; arm 0 30s");
      }
      if (r.at == stage::exited) {
        CHECK(p.run.reason().cause == stop_cause::workload_exited);
        CHECK(p.run.how() == last_exit{"Error", 4, 0, "exited with code 4", 5, 9});
      }
    }
}

TEST_CASE("without a shim: nothing ran and it begins anew, or it ran and is lost") {
  adopting fresh{run_phase::starting};
  CHECK(fresh.on(run::session_failed{nobody}) == "disarm sandbox; resolve 0");
  CHECK(fresh.on(run::image_found{0}) == "prepare sandbox 0");
  fresh.prepared(0);
  CHECK(fresh.on(run::sandbox_prepared{}) ==
        "start; arm sandbox 120s; create 0.0; arm 0 120s"); // the attempt that had not begun
  adopting lost{run_phase::released};
  CHECK(lost.on(run::session_failed{nobody}) == "disarm sandbox; clean");
  CHECK(lost.on(run::cleaned{}) == "finish");
  CHECK(lost.run.reason().cls == stop_class::abnormal);
  CHECK(lost.run.reason().cause == stop_cause::session_down);
  CHECK(lost.run.how().exit_code == 137);
}

TEST_CASE(
    "a shim that has not heard of the container: it begins anew in the sandbox that is there") {
  adopting p{run_phase::starting};
  CHECK(p.on(tells({})) == "disarm sandbox; resolve 0");
  CHECK(p.on(run::image_found{0}) == "prepare 0");
  CHECK(p.prepared(0) == "create 0.0; arm 0 120s");
  adopting released{run_phase::released}; // it was let go, and nobody knows of it
  CHECK(released.on(tells({})) == "disarm sandbox; shut down; arm sandbox 10s");
  CHECK(released.run.reason().cause == stop_cause::bring_up_failed);
}

TEST_CASE("a run whose end is recorded is only cleaned up, whatever its shim says") {
  const auto told = stop_reason{stop_class::shutdown, stop_cause::workload_exited, 4, "x"};
  adopting gone{run_phase::ended};
  CHECK(gone.on(run::session_failed{nobody}) == "disarm sandbox; clean");
  CHECK(gone.run.reason() == told);
  CHECK(gone.run.how() == last_exit{"Error", 4, 0, "x", 5, 9});
  for (const auto at : {stage::ready, stage::built, stage::running, stage::exited}) {
    CAPTURE(to_string(at));
    adopting p{run_phase::ended}; // its shim was told to go, or not yet
    CHECK(p.on(tells({held(0, at, 0, 9)})) == "shut down; arm sandbox 10s");
    p.to_end();
    CHECK(p.run.reason() == told);
    CHECK(p.run.how().exit_code == 4); // the first word counts
    CHECK(p.status(0).state == container_phase::terminated);
    CHECK(p.status(0).terminated == p.run.how());
  }
}

TEST_CASE("a run whose end is recorded, and that is told to stop, was stopped") {
  adopting p{run_phase::ended};
  CHECK(p.on(run::stop{}).empty());
  p.on(run::session_failed{nobody});
  CHECK(p.run.reason() == stop_reason{stop_class::shutdown, stop_cause::stopped, 4, "x"});
}

TEST_CASE("a shim that cannot be asked just now is asked again; one that says nothing is ended") {
  adopting p{run_phase::released};
  CHECK(p.on(run::session_failed{broken}) == "drop; arm sandbox 1s");
  CHECK(p.fire({}) == "adopt; arm sandbox 30s");
  CHECK(p.fire({}) == "end; arm sandbox 10s");
  SUBCASE("it goes") {
    CHECK(p.on(run::session_down{broken, false}) == "drop; disarm sandbox; clean");
    CHECK(p.run.reason() == stop_reason{stop_class::abnormal, stop_cause::session_down, 0,
                                        "its shim went away: because"});
  }
  SUBCASE("not even then") {
    CHECK(p.fire({}) == "drop; clean");
    CHECK(p.run.reason().cause == stop_cause::session_down);
    CHECK(p.run.reason().text.find("says nothing for 30 s") != std::string::npos);
  }
  CHECK(p.on(run::cleaned{}) == "finish");
}

TEST_CASE("a stop that comes while a shim is asked is carried out as it stands") {
  const auto stopped = [](stage at) {
    adopting p{run_phase::starting};
    CHECK(p.on(run::stop{}).empty());
    return p.on(tells({held(0, at)}));
  };
  CHECK(stopped(stage::running) == "disarm sandbox; signal 0 3; arm 0 30s; running");
  CHECK(stopped(stage::ready) == "disarm sandbox; build 0; arm 0 120s; abort 0; arm 0 10s");
  CHECK(stopped(stage::built) == "disarm sandbox; abort 0; arm 0 10s");
  CHECK(stopped(stage::starting) == "disarm sandbox; shut down; arm sandbox 10s");
  adopting none{run_phase::starting};
  none.on(run::stop{});
  CHECK(none.on(run::session_failed{nobody}) == "disarm sandbox; clean");
  CHECK(none.run.reason().cause == stop_cause::stopped);
  CHECK(none.run.how().reason == "Stopped");
}

TEST_CASE("a connection that is lost while the shim lives is made again, not the pod") {
  adopting p{run_phase::released};
  p.on(tells({held(0, stage::running)}));
  const run::session_down cut{broken, true};
  for (int n = 0; n < 4; ++n) {
    CHECK(p.on(cut) == "drop; adopt; arm sandbox 30s");
    CHECK(p.run.container(0).runs());
    CHECK(p.on(tells({held(0, stage::running)})) == "disarm sandbox; running");
  }
  CHECK(p.on(cut) == "drop; clean"); // it will not have us
  CHECK(p.run.reason().cause == stop_cause::session_down);
}

TEST_CASE("what happened while the connection was lost is heard over the next") {
  const run::session_down cut{broken, true};
  play p{2};
  p.to_running();
  p.on(cut);
  CHECK(p.on(tells({held(0, stage::running), held(1, stage::exited, 0, 3)})) ==
        "disarm sandbox; arm 1 10s; running");
  CHECK(p.status(1).last->exit_code == 3);
  SUBCASE("a stop") {
    p.on(cut);
    CHECK(p.on(run::stop{7s}).empty()); // it waits for the answer
    CHECK(p.on(tells({held(0, stage::running)})) ==
          "disarm sandbox; signal 0 15; arm 0 7s; disarm 1; running");
  }
  SUBCASE("a back-off that ends meanwhile") {
    p.on(cut);
    p.wait(10s);
    CHECK(p.fire(1) == "resolve 1; containers");
    CHECK(p.on(run::image_found{1}).empty()); // nobody to make it
    CHECK(p.on(tells({held(0, stage::running), held(1, stage::exited, 0, 3)})) ==
          "disarm sandbox; prepare 1; running");
  }
  SUBCASE("a create that nobody got") {
    p.wait(10s);
    p.fire(1);
    p.on(run::image_found{1});
    CHECK(p.prepared(1) == "create 1.1; arm 1 120s");
    p.on(cut);
    CHECK(p.on(tells({held(0, stage::running), held(1, stage::exited, 0, 3)})) ==
          "disarm sandbox; disarm 1; resolve 1; running");
    p.on(run::image_found{1});
    CHECK(p.prepared(1) == "create 1.1; arm 1 120s");
    CHECK(p.status(1).restarts == 1); // it was no attempt
  }
  SUBCASE("its shim is gone after all") {
    p.on(cut);
    CHECK(p.on(run::session_failed{nobody}) == "disarm sandbox; clean; disarm 1");
    CHECK(p.on(run::cleaned{}) == "finish");
    CHECK(p.run.reason().cause == stop_cause::session_down);
  }
}

// --- records ---------------------------------------------------------------------------------------

namespace {

/// The daemon is killed; another one takes over what the first has recorded.
std::string heir_of(const play& before, play& after) {
  after.now = before.now;
  return after.adopt(before.run.record());
}

} // namespace

TEST_CASE("a record in each state of a bring-up: the heir goes on where the shim stands") {
  play p{2};
  p.begin();
  const auto anew = [&] { // nothing was asked of a shim yet
    play heir{2};
    CHECK(heir_of(p, heir) == "adopt; arm sandbox 30s; containers");
    CHECK(heir.on(run::session_failed{nobody}) == "disarm sandbox; resolve 0; resolve 1");
    CHECK(heir.attempt(0) == 0);
  };
  anew();
  p.on(run::image_found{0});
  anew();
  p.prepared(0);
  p.on(run::sandbox_prepared{});
  anew();
  CHECK(p.run.record().phase == run_phase::starting);
  p.ready(0);
  p.built(0);
  CHECK(p.run.record().phase == run_phase::released);
  CHECK(p.run.record().containers[0].phase == run_phase::released);
  CHECK(p.run.record().containers[1].phase == run_phase::starting);
  play heir{2};
  heir_of(p, heir);
  CHECK(heir.run.facts(0) == run::facts{15, {"K=V"}, "/w"});
  CHECK(heir.on(tells({held(0, stage::built)})) ==
        "disarm sandbox; proceed 0; arm 0 120s; resolve 1");
  CHECK(heir.started(0) == "disarm 0; containers");
}

TEST_CASE("a record of a pod that runs: the heir adopts all, and no process notices") {
  play p{2};
  p.to_running();
  p.exited(1, 1);
  p.wait(10s);
  p.fire(1);
  p.up_again(1);
  play heir{2};
  heir_of(p, heir);
  CHECK(heir.on(tells({held(0, stage::running), held(1, stage::running, 1)})) ==
        "disarm sandbox; running");
  CHECK(heir.status(0) == p.status(0));
  CHECK(heir.status(1) == p.status(1));
  CHECK(heir.run.record() == p.run.record());
  // Counts go on: the second in a row.
  CHECK(heir.exited(1, 1) == "arm 1 20s; containers");
  CHECK(heir.attempt(1) == 1);
}

TEST_CASE("a record of a stable attempt: the heir forgives as its predecessor would have") {
  play p{2};
  p.to_running();
  p.exited(1, 1);
  p.wait(10s);
  p.fire(1);
  p.up_again(1);
  p.wait(599s);
  play heir{2};
  heir_of(p, heir);
  heir.on(tells({held(0, stage::running), held(1, stage::running, 1)}));
  heir.wait(1s);
  CHECK(heir.exited(1, 1) == "arm 1 10s; containers");
}

TEST_CASE("a record of a back-off: the heir waits for what is left of it") {
  play p{2};
  p.to_running();
  p.exited(1, 1);
  p.wait(4s);
  play heir{2};
  CHECK(heir_of(p, heir) == "arm 1 6s; adopt; arm sandbox 30s; containers");
  CHECK(heir.status(1).reason == "CrashLoopBackOff");
  CHECK(heir.status(1).restart_at_ns == p.status(1).restart_at_ns);
  CHECK(heir.status(1).restarts == 1);
  CHECK(heir.status(1).attempt == 0);
  CHECK(heir.status(1).last == p.status(1).last);
  // The attempt that ended is still held.
  CHECK(heir.on(tells({held(0, stage::running), held(1, stage::exited, 0, 1)})) ==
        "disarm sandbox; running");
  CHECK(heir.run.record() == p.run.record());
  heir.wait(6s);
  CHECK(heir.fire(1) == "resolve 1; containers");
  heir.on(run::image_found{1});
  CHECK(heir.prepared(1) == "create 1.1; arm 1 120s");

  play late{2};
  late.now = p.now;
  late.wait(1h);
  CHECK(late.adopt(p.run.record()) == "adopt; arm sandbox 30s; resolve 1; containers");
}

TEST_CASE("a record of a back-off whose sandbox is gone: something had run") {
  play p{2};
  p.to_running();
  p.exited(0, 1);
  p.exited(1, 1);
  play heir{2};
  heir_of(p, heir);
  CHECK(heir.on(run::session_failed{nobody}) == "disarm sandbox; disarm 0; disarm 1; clean");
  CHECK(heir.on(run::cleaned{}) == "finish");
  CHECK(heir.run.reason().cause == stop_cause::session_down);
}

TEST_CASE("a record of a back-off without an image: nothing has run, and no restart is counted") {
  play p{2};
  p.begin();
  p.on(run::image_missing{1, broken, image_problem::pull_failed});
  play heir{2};
  CHECK(heir_of(p, heir) == "arm 1 10s; adopt; arm sandbox 30s; containers");
  CHECK(heir.status(1).reason == "ImagePullBackOff");
  CHECK(heir.on(run::session_failed{nobody}) == "disarm sandbox; resolve 0");
  heir.wait(10s);
  CHECK(heir.fire(1) == "resolve 1; containers");
  CHECK(heir.status(1).restarts == 0);
}

TEST_CASE("a record of one that is done: the heir knows how it ended, and ends the run with it") {
  play p{2, restart_policy::never};
  p.to_running();
  p.exited(1, 3);
  play heir{2, restart_policy::never};
  heir_of(p, heir);
  CHECK(heir.status(1).terminated == p.status(1).terminated);
  CHECK(heir.on(tells({held(0, stage::running), held(1, stage::exited, 0, 3)})) ==
        "disarm sandbox; running");
  CHECK(heir.run.record() == p.run.record());
  CHECK(heir.exited(0, 0) == "shut down; arm sandbox 10s");
  CHECK(heir.run.reason().cause == stop_cause::workload_exited);
  CHECK(heir.run.reason().code == 3);

  // The last end was not recorded: its shim tells.
  play last{2, restart_policy::never};
  heir_of(p, last);
  CHECK(last.on(tells({held(0, stage::exited, 0, 0)})) ==
        "disarm sandbox; shut down; arm sandbox 10s");
}

TEST_CASE("a record of one that is done and never ran: without a shim the others begin anew") {
  play p{2, restart_policy::never};
  p.begin();
  p.on(run::image_found{0});
  p.on(run::container_not_prepared{0, broken});
  play heir{2, restart_policy::never};
  heir_of(p, heir);
  CHECK(heir.on(run::session_failed{nobody}) == "disarm sandbox; resolve 1");
  CHECK(heir.status(0).terminated->reason == "StartError");
}

TEST_CASE("a record of a stop that is under way: who waited for a back-off still does") {
  play p{2};
  p.to_running();
  p.exited(1, 1);
  p.on(run::stop{});
  CHECK(p.run.record().containers[1].attempt == 1);
  play heir{2};
  CHECK(heir_of(p, heir) == "arm 1 10s; adopt; arm sandbox 30s; containers");
  // The shim still holds the attempt that ended: it is no second end.
  CHECK(heir.on(tells({held(0, stage::running), held(1, stage::exited, 0, 1)})) ==
        "disarm sandbox; running");
  CHECK(heir.status(1).restarts == 1);
}

TEST_CASE("a record of ends that giving up counts: the heir counts on") {
  auto settings = settings_of(2);
  settings.profile.give_up = {2, 10min};
  play p{settings};
  p.to_running();
  p.exited(1, 3);
  CHECK(p.run.record().containers[1].ends.size() == 1);
  play heir{settings};
  heir_of(p, heir);
  heir.on(tells({held(0, stage::running)}));
  heir.wait(10s);
  heir.fire(1);
  heir.up_again(1);
  heir.exited(1, 3);
  CHECK(heir.run.reason().cause == stop_cause::gave_up);
}

TEST_CASE("a record of a run that is over has its end once the shim is told to go, not before") {
  play p{2};
  p.to_running();
  p.on(run::stop{});
  p.exited(0, 0);
  CHECK_FALSE(p.run.record().end); // the other obeys: an heir hears of the stop by its owner
  p.exited(1, 4);
  const auto record = p.run.record();
  REQUIRE(record.end);
  CHECK(record.phase == run_phase::ended);
  play heir{2};
  heir_of(p, heir);
  CHECK(heir.on(tells({held(0, stage::exited), held(1, stage::exited, 0, 4)})) ==
        "shut down; arm sandbox 10s");
  heir.to_end();
  CHECK(heir.run.reason().cause == stop_cause::stopped);
  CHECK(heir.run.how() == p.run.how());
  CHECK(heir.run.statuses() == p.run.statuses()); // how each of them ended
}

TEST_CASE("a daemon that is killed between its record and what it says: the heir does it") {
  // proceed was recorded, and never sent
  play p{1};
  p.to_creating();
  p.ready(0);
  CHECK(p.built(0) == "proceed 0");
  play heir{1};
  heir_of(p, heir);
  CHECK(heir.on(tells({held(0, stage::built)})) == "disarm sandbox; proceed 0; arm 0 120s");
  // create was
  play young{1};
  young.to_creating();
  play next{1};
  heir_of(young, next);
  CHECK(next.on(tells({})) == "disarm sandbox; resolve 0");
  // shut down was
  play over{1};
  over.to_running();
  over.exited(0, 0);
  play last{1};
  heir_of(over, last);
  CHECK(last.on(tells({held(0, stage::exited)})) == "shut down; arm sandbox 10s");
  last.to_end();
  CHECK(last.run.reason() == stop_reason{});
}

TEST_CASE("a container that its record does not know is as far as the run is") {
  auto record = recorded(run_phase::released, 7);
  record.containers.clear();
  play p{1};
  CHECK(p.adopt(record) == "adopt; arm sandbox 30s");
  CHECK(p.on(run::session_failed{nobody}) == "disarm sandbox; clean");
  CHECK(p.run.reason().cause == stop_cause::session_down);
}

} // namespace pod_run_adoption_test
