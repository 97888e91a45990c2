// The pod's list: who waits for whom on the way up and on the way out, and what an end takes with it.
#include "tests/unit/pod/plan_play.hpp"

#include <tuple>

namespace plan_order_test {

using namespace tank;
using namespace tank::testing;
using namespace tank::testing::plans;
using run::outcome;

namespace {

constexpr auto idle = sandbox_state::idle;

/// Passed steps, in order.
void pass(world& w, std::initializer_list<std::size_t> steps) {
  for (const auto i : steps)
    w[i].passed = true;
}

void done(world& w, std::size_t who) {
  w.ended(who, outcome::exited, 0);
  w[who].done = w[who].passed = true;
}

} // namespace

// --- the way up ----------------------------------------------------------------------------------

TEST_CASE("list: init containers one by one, then all others together") {
  world w{{st::waiting, st::waiting, st::waiting, st::waiting}, idle};
  w.kinds("iimm");
  CHECK(w.plan() == "begin 0");
  w[0].state = st::running;
  CHECK(w.plan().empty());
  w.ended(0, outcome::exited, 0);
  CHECK(w.plan() == "leave 0");
  done(w, 0);
  CHECK(w.plan() == "begin 1");
  w[1].state = st::running;
  CHECK(w.plan().empty());
  done(w, 1);
  CHECK(w.plan() == "begin 2; begin 3");
}

TEST_CASE("list: a sidecar holds what is behind it until it has started, and not again") {
  world w{{st::running, st::waiting, st::waiting}};
  w.kinds("sim");
  CHECK(w.plan().empty());
  pass(w, {0});
  CHECK(w.plan() == "begin 1");
  done(w, 1);
  w[0].state = st::waiting; // it has ended since, and waits for its back-off
  w[0].due = now + 10s;
  CHECK(w.plan() == "begin 2");
}

TEST_CASE("list: each main container is let go in its turn") {
  world w{{st::built, st::built, st::built}};
  CHECK(w.plan() == "release 0");
  w[0].state = st::running; // its postStart hangs
  CHECK(w.plan().empty());
  pass(w, {0});
  CHECK(w.plan() == "release 1");
  pass(w, {1});
  CHECK(w.plan() == "release 1; release 2");
}

TEST_CASE("list: nobody is let go by a shim that is not there") {
  world w{{st::built, st::built}, sandbox_state::adopting};
  CHECK(w.plan().empty());
}

TEST_CASE("list: an init container that fails runs again, alone; under Never the pod is over") {
  world w{{st::running, st::running, st::waiting}};
  w.kinds("sim");
  pass(w, {0});
  w.ended(1, outcome::exited, 3);
  CHECK(w.plan() == "again 1 in 10s");
  w.pod.strategy = restart_strategy::one_for_all;
  CHECK(w.plan() == "again 1 in 10s");
  w.is[1].policy.policy = restart_policy::never;
  CHECK(w.plan() == "end init_failed 1");
  w.ended(1, outcome::exited, 0);
  CHECK(w.plan() == "leave 1");
}

TEST_CASE("list: an init container without an image waits for it, also under Never") {
  world w{{st::running, st::waiting}};
  w.kinds("im");
  w.is[0].policy.policy = restart_policy::never;
  w.ended(0, outcome::image_failed);
  CHECK(w.plan() == "again 0 in 10s");
}

// --- the end of the run --------------------------------------------------------------------------

TEST_CASE("list: the run is over with its last main container, whatever its sidecars do") {
  world w{{st::running, st::running, st::running}};
  w.kinds("smm");
  pass(w, {0, 1, 2});
  w.ended(0, outcome::exited, 0);
  CHECK(w.plan() == "again 0 in 10s"); // as long as others run
  w[0].state = st::running;
  done(w, 1);
  CHECK(w.plan().empty());
  done(w, 2);
  CHECK(w.plan() == "end all_done 0");
}

TEST_CASE("list: the run is over with a significant container that ended for good") {
  world w{{st::running, st::running}};
  w.policy(restart_policy::on_failure);
  w.is[1].significant = true;
  w.ended(1, outcome::exited, 3);
  CHECK(w.plan() == "again 1 in 10s");
  w.ended(1, outcome::exited, 0);
  CHECK(w.plan() == "end significant 1");
  w[1].state = st::running;
  w.ended(0, outcome::exited, 0);
  CHECK(w.plan() == "leave 0");
}

// --- rules ---------------------------------------------------------------------------------------

TEST_CASE("rules: the first that matches counts before the policy") {
  world w{{st::running, st::running}};
  w.policy(restart_policy::never);
  w.is[0].policy.rules = {{.in = true, .codes = {42, 137}, .all = false},
                          {.in = false, .codes = {0, 1, 42}, .all = true}};
  const auto after = [&](outcome how, int code) {
    w.ended(0, how, code);
    return w.plan();
  };
  CHECK(after(outcome::exited, 42) == "again 0 in 10s");
  CHECK(after(outcome::signaled, 9) == "again 0 in 10s"); // 137
  CHECK(after(outcome::exited, 1) == "leave 0");
  CHECK(after(outcome::exited, 0) == "leave 0");
  CHECK(after(outcome::exited, 7) == "group 0 all in 10s");
  CHECK(after(outcome::failed, 0) == "leave 0"); // it never ran: it has no exit code
}

// --- strategies ----------------------------------------------------------------------------------

TEST_CASE("strategy: how far back an end goes") {
  for (const auto& [strategy, first, second] :
       {std::tuple{restart_strategy::one_for_one, "again 1 in 10s", "again 2 in 10s"},
        std::tuple{restart_strategy::rest_for_one, "group 1 from 1 in 10s",
                   "group 2 from 2 in 10s"},
        std::tuple{restart_strategy::one_for_all, "group 1 from 0 in 10s",
                   "group 2 from 0 in 10s"}}) {
    world w{{st::running, st::running, st::running}};
    pass(w, {0, 1, 2});
    w.pod.strategy = strategy;
    w.ended(1, outcome::exited, 0);
    CHECK(w.plan() == first);
    w[1].state = st::running;
    w.ended(2, outcome::signaled, 9);
    CHECK(w.plan() == second);
    w.policy(restart_policy::never); // who is not to run again takes nobody with it
    CHECK(w.plan() == "leave 2");
  }
}

TEST_CASE("group: one after the other, the last first; then the list begins anew") {
  world w{{st::running, st::running, st::waiting, st::running}};
  pass(w, {0, 1, 2, 3});
  w.pod.strategy = restart_strategy::rest_for_one;
  w.pod.group = group_view{1, false, stop_terms_of(30s, now), now + 10s};
  CHECK(w.plan() == "stop 3 30s");
  w[3].state = st::stopping;
  w[3].told = w.pod.group->stop;
  CHECK(w.plan().empty());
  w.ended(3, outcome::exited, 0);
  CHECK(w.plan() == "stop 1 30s; back 3");
  w[3].state = st::waiting;
  w.ended(1, outcome::signaled, 15);
  CHECK(w.plan() == "back 1");
  w[1].state = st::waiting;
  CHECK(w.plan().empty());
  CHECK(look_again(w.pod, now) == now + 10s);
  w.pod.group->due = now;
  CHECK(w.plan() == "anew");
}

TEST_CASE("group: one budget for all: who is left when it is over is stopped at once") {
  world w{{st::running, st::running, st::stopping}};
  w.pod.strategy = restart_strategy::one_for_all;
  w.pod.group = group_view{0, false, {now, 2s}, now + 10s};
  w[2].told = w.pod.group->stop;
  CHECK(w.plan() == "stop 0 2s; stop 1 2s");
}

TEST_CASE("group: what had ended well starts again, what is temporary does not") {
  world w{{st::running, st::running, st::running}};
  w.pod.strategy = restart_strategy::one_for_all;
  w.policy(restart_policy::on_failure);
  w.is[1].policy.policy = restart_policy::never;
  w.pod.group = group_view{0, false, stop_terms_of(30s, now), now};
  done(w, 0);
  done(w, 1);
  w[2].state = st::waiting;
  CHECK(w.plan() == "back 0");
  w.pod.group->all = true; // RestartAllContainers
  CHECK(w.plan() == "back 0; back 1");
  w.pod.group->all = false;
  w[0].state = st::waiting;
  w.ended(1, outcome::signaled, 15);
  w[1].done = false;
  CHECK(w.plan() == "leave 1");
}

TEST_CASE("group: all containers at once, without grace") {
  world w{{st::running, st::running, st::parked, st::preparing}};
  w.is[0].pre_stop = true;
  w.pod.group = group_view{0, true, stop_terms_of(0s, now), now + 10s};
  CHECK(w.plan() == "stop 0 0s; stop 1 0s; stop 2 0s; stop 3 0s");
}

TEST_CASE("group: its members' ends count nothing, those in front of them do") {
  world w{{st::running, st::running, st::running}};
  pass(w, {0, 1, 2});
  w.pod.strategy = restart_strategy::rest_for_one;
  w.pod.profile.give_up = {2, 10min};
  w.pod.ends = {now - 1s};
  w.pod.group = group_view{1, false, stop_terms_of(30s, now), now + 10s};
  w.ended(2, outcome::exited, 1);
  CHECK(w.plan() == "stop 1 30s; back 2");
  w.ended(0, outcome::exited, 1);
  CHECK(w.plan() == "end gave_up 0");
  w.pod.ends.clear();
  CHECK(w.plan() == "group 0 from 0 in 10s");
}

TEST_CASE("group: the pod's back-off, not the container's") {
  world w{{st::running, st::running}};
  w.pod.strategy = restart_strategy::one_for_all;
  w.pod.history.retries = 2;
  w.ended(1, outcome::exited, 1);
  CHECK(w.plan() == "group 1 from 0 in 40s");
  w.pod.history.running_since = now - 600s;
  CHECK(w.plan() == "group 1 from 0 in 10s");
}

// --- stops ---------------------------------------------------------------------------------------

TEST_CASE("stop: sidecars hear it after all others, the last first") {
  world w{{st::running, st::running, st::running, st::running}};
  w.kinds("sism");
  done(w, 1);
  w.end_it();
  CHECK(w.plan() == "stop 3 30s");
  CHECK(look_again(w.pod, now) == now + 30s);
  done(w, 3);
  CHECK(w.plan() == "stop 2 30s");
  done(w, 2);
  CHECK(w.plan() == "stop 0 30s");
}

TEST_CASE("stop: out of budget, all that are left hear it at once") {
  world w{{st::running, st::running, st::stopping}};
  w.kinds("ssm");
  w.pod.stop = w[2].told = stop_terms{now, 2s};
  CHECK(w.plan() == "stop 0 2s; stop 1 2s");
}

TEST_CASE("stop: hooks run at once and side by side, signals wait for them and for their turn") {
  world w{{st::running, st::running}};
  w.kinds("sm");
  w.is[0].pre_stop = w.is[1].pre_stop = true;
  w.end_it();
  CHECK(w.plan() == "hook 0 30s; hook 1 30s");
  w[0].pre_stop = w[1].pre_stop = hook_state::runs;
  CHECK(w.plan().empty());
  w[0].pre_stop = hook_state::over;
  CHECK(w.plan().empty());
  w[1].pre_stop = hook_state::over;
  CHECK(w.plan() == "stop 1 30s");
  w[1].pre_stop = hook_state::runs; // it hangs
  w.pod.stop = stop_terms{now, 2s};
  CHECK(w.plan() == "stop 0 2s; stop 1 2s");
}

TEST_CASE("stop: without grace nothing is asked") {
  world w{{st::running, st::running}};
  w.kinds("sm");
  w.is[0].pre_stop = w.is[1].pre_stop = true;
  w.end_it(0s);
  CHECK(w.plan() == "stop 0 0s; stop 1 0s");
}

TEST_CASE("stop: under a strategy one after the other, its hook in its turn") {
  world w{{st::running, st::running, st::running}};
  w.pod.strategy = restart_strategy::rest_for_one;
  w.is[1].pre_stop = true;
  w.end_it();
  CHECK(w.plan() == "stop 2 30s");
  done(w, 2);
  CHECK(w.plan() == "hook 1 30s");
  w[1].pre_stop = hook_state::runs;
  CHECK(w.plan().empty());
  w[1].pre_stop = hook_state::over;
  CHECK(w.plan() == "stop 1 30s");
  done(w, 1);
  CHECK(w.plan() == "stop 0 30s");
}

TEST_CASE("stop: the newest word on patience reaches whoever obeys already") {
  world w{{st::stopping, st::running}};
  w.end_it();
  w[0].told = stop_terms_of(60s, now);
  CHECK(w.plan() == "stop 0 30s; stop 1 30s");
}

TEST_CASE("stop: a container that failed a probe ends alone, with its hook") {
  world w{{st::running, st::running}};
  w.is[0].pre_stop = true;
  w[0].leaving = stop_terms_of(5s, now);
  CHECK(w.plan() == "hook 0 5s");
  w[0].pre_stop = hook_state::over;
  CHECK(w.plan() == "stop 0 5s");
  CHECK(look_again(w.pod, now) == now + 5s);
  w.end_it(); // it has less time than the others
  CHECK(w.plan() == "stop 0 5s; stop 1 30s");
}

} // namespace plan_order_test
