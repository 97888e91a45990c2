#include "tests/unit/pod/plan_play.hpp"

namespace plan_pod_test {

using namespace tank;
using namespace tank::testing;
using namespace tank::testing::plans;
using run::outcome;

namespace {

constexpr std::initializer_list<sandbox_state> all_sandboxes{
    sandbox_state::idle,     sandbox_state::preparing, sandbox_state::abandoning,
    sandbox_state::starting, sandbox_state::up,        sandbox_state::closing,
    sandbox_state::cleaning, sandbox_state::gone,      sandbox_state::adopting};

bool takes_requests(sandbox_state s) {
  return s == sandbox_state::starting || s == sandbox_state::up;
}

} // namespace

// --- bringing up ---------------------------------------------------------------------------------

TEST_CASE("plan: all containers begin side by side, whatever the sandbox does") {
  for (const auto s : all_sandboxes) {
    CHECK(world({st::waiting}, s).plan() == "begin 0");
    CHECK(world({st::waiting, st::waiting, st::running, st::waiting}, s).plan() ==
          "begin 0; begin 1; begin 3");
  }
}

TEST_CASE("plan: the first that have their image make the sandbox, later ones are prepared in it") {
  for (const auto s : all_sandboxes) {
    const std::string want = s == sandbox_state::idle ? "open 0 2"
                             : takes_requests(s)      ? "prepare 0 2"
                                                      : "";
    CHECK(world({st::found, st::resolving, st::found}, s).plan() == want);
    CHECK(world({st::found}, s).plan() == (s == sandbox_state::idle ? "open 0"
                                           : takes_requests(s)      ? "prepare 0"
                                                                    : ""));
  }
}

TEST_CASE("plan: what is prepared is created as soon as the shim takes requests") {
  for (const auto s : all_sandboxes)
    CHECK(world({st::prepared, st::preparing, st::prepared, st::running}, s).plan() ==
          (takes_requests(s) ? "create 0; create 2" : ""));
}

TEST_CASE("plan: one at each stage: each takes its step, none waits for another") {
  CHECK(world({st::waiting, st::found, st::prepared, st::running}).plan() ==
        "begin 0; create 2; prepare 1");
}

TEST_CASE("plan: of containers that come up or run there is nothing to do") {
  for (const auto s : {st::resolving, st::preparing, st::abandoning, st::creating, st::parked,
                       st::released, st::running, st::stopping, st::killing}) {
    CHECK(world({s}).plan().empty());
    CHECK(world({s, st::running}).plan().empty());
  }
}

TEST_CASE("plan: a container waits for the end of its back-off, to the instant") {
  world w{{st::waiting, st::running}};
  w[0].due = now + 1ns;
  CHECK(w.plan().empty());
  w[0].due = now;
  CHECK(w.plan() == "begin 0");
  w[0].due = now - 1h;
  CHECK(w.plan() == "begin 0");
}

// --- restarts ------------------------------------------------------------------------------------

TEST_CASE("plan: a container that ended runs again as the policy says; the others are left alone") {
  struct row {
    restart_policy policy;
    int code;
    const char* want;
  };
  for (const auto& r :
       {row{restart_policy::always, 0, "again 1 in 10s"},
        row{restart_policy::always, 3, "again 1 in 10s"},
        row{restart_policy::on_failure, 0, "leave 1"},
        row{restart_policy::on_failure, 3, "again 1 in 10s"},
        row{restart_policy::never, 0, "leave 1"}, row{restart_policy::never, 3, "leave 1"}}) {
    for (const std::size_t containers : {2, 3, 4}) {
      CAPTURE(r.code);
      world w{std::vector(containers, st::running)};
      w.policy(r.policy);
      w.ended(1, outcome::exited, r.code);
      CHECK(w.plan() == r.want);
    }
  }
}

TEST_CASE("plan: every way to end is a failure but exit 0") {
  for (const auto how : {outcome::none, outcome::signaled, outcome::aborted, outcome::failed,
                         outcome::session_down}) {
    world w{{st::running, st::running}};
    w.policy(restart_policy::on_failure);
    w.ended(0, how, 9);
    CHECK(w.plan() == "again 0 in 10s");
    w.policy(restart_policy::never);
    CHECK(w.plan() == "leave 0");
  }
}

TEST_CASE("plan: the back-off grows with the retries and begins anew after a stable attempt") {
  world w{{st::ended, st::running}};
  const auto delays = [&](std::uint32_t retries) {
    w[0].history.retries = retries;
    const auto orders = w.orders();
    REQUIRE(orders.size() == 1);
    const auto& again = std::get<order::run_again>(orders[0]);
    return std::pair{again.delay, again.retries};
  };
  CHECK(delays(0) == std::pair<std::chrono::milliseconds, std::uint32_t>{10s, 1});
  CHECK(delays(1) == std::pair<std::chrono::milliseconds, std::uint32_t>{20s, 2});
  CHECK(delays(9) == std::pair<std::chrono::milliseconds, std::uint32_t>{300s, 10});
  w[0].history.running_since = now - 600s + 1ns;
  CHECK(delays(9) == std::pair<std::chrono::milliseconds, std::uint32_t>{300s, 10});
  w[0].history.running_since = now - 600s;
  CHECK(delays(9) == std::pair<std::chrono::milliseconds, std::uint32_t>{10s, 1});
  w[0].history = {};
  w.pod.profile.first_at_once = true;
  CHECK(delays(0) == std::pair<std::chrono::milliseconds, std::uint32_t>{0ms, 1});
  CHECK(delays(1) == std::pair<std::chrono::milliseconds, std::uint32_t>{10s, 2});
}

TEST_CASE("plan: a container without an image tries again by any policy, and not at once") {
  for (const auto policy :
       {restart_policy::always, restart_policy::on_failure, restart_policy::never})
    for (const auto problem :
         {image_problem::pull_failed, image_problem::never_pull, image_problem::invalid_name}) {
      world w{{st::running, st::running}};
      w.policy(policy);
      w.pod.profile.first_at_once = true;
      w.pod.profile.give_up = {1, 1min};
      w.ended(1, outcome::image_failed).image = problem;
      const auto orders = w.orders();
      REQUIRE(orders.size() == 1);
      const auto& again = std::get<order::run_again>(orders[0]);
      CHECK(again == order::run_again{1, 10s, 1, false, {}});
    }
}

TEST_CASE("plan: several that ended at once are judged each for itself") {
  world w{{st::running, st::running, st::running, st::running}};
  w.policy(restart_policy::on_failure);
  w.ended(0, outcome::exited, 0);
  w.ended(1, outcome::exited, 1);
  w.ended(3, outcome::signaled, 9);
  CHECK(w.plan() == "leave 0; again 1 in 10s; again 3 in 10s");
}

TEST_CASE("plan: one that is done stays so") {
  world w{{st::ended, st::running}};
  w[0].done = true;
  CHECK(w.plan().empty());
}

// --- giving up -----------------------------------------------------------------------------------

TEST_CASE("plan: the run ends with the container that ended once too often") {
  world w{{st::running, st::ended}};
  w.pod.profile.give_up = {3, 10min};
  CHECK(w.plan() == "again 1 in 10s");
  w[1].ends = {now - 10min, now - 1min};
  CHECK(w.plan() == "end gave_up 1");
  w[1].ends = {now - 10min - 1ns, now - 1min}; // the first is out of the period
  const auto orders = w.orders();
  REQUIRE(orders.size() == 1);
  CHECK(std::get<order::run_again>(orders[0]).ends == std::vector{now - 1min, now});
  // Ends of others do not count against it.
  w[0].ends = {now, now, now};
  CHECK(w.plan() == "again 1 in 10s");
}

TEST_CASE("plan: what the policy leaves ended is not given up") {
  world w{{st::running, st::ended}};
  w.pod.profile.give_up = {1, 10min};
  w.policy(restart_policy::never);
  CHECK(w.plan() == "leave 1");
}

TEST_CASE("plan: with one that is given up nothing else is judged") {
  world w{{st::ended, st::ended, st::waiting}};
  w.pod.profile.give_up = {1, 10min};
  CHECK(w.plan() == "end gave_up 0");
}

// --- the end of the run --------------------------------------------------------------------------

TEST_CASE("plan: in a pod of one container its end is the run's, whatever the policy") {
  for (const auto policy :
       {restart_policy::always, restart_policy::on_failure, restart_policy::never})
    for (const auto how : {outcome::none, outcome::exited, outcome::signaled, outcome::aborted,
                           outcome::image_failed, outcome::failed, outcome::session_down}) {
      world w{{st::running}};
      w.policy(policy);
      w.ended(0, how);
      CHECK(w.plan() == "end container 0");
    }
}

TEST_CASE("plan: the run is over with its last container") {
  world w{{st::ended, st::ended, st::ended}};
  w.policy(restart_policy::never);
  CHECK(w.plan() == "leave 0; leave 1; leave 2");
  w[0].done = w[1].done = true;
  CHECK(w.plan() == "leave 2");
  w[2].done = true;
  CHECK(w.plan() == "end all_done 0");
}

TEST_CASE("plan: one that cannot be killed ends the run, which takes its sandbox away") {
  for (const std::size_t n : {1, 3}) {
    world w{std::vector(n, st::running)};
    w.ended(n - 1, outcome::none);
    w[n - 1].stuck = true;
    CHECK(w.plan() == "end stuck " + std::to_string(n - 1));
  }
}

TEST_CASE("plan: the run ends with its sandbox") {
  world w{{st::running, st::waiting}, sandbox_state::closing};
  w.pod.sandbox_failed = true;
  CHECK(w.plan() == "end failed 0");
  world one{{st::ended}, sandbox_state::cleaning};
  one.pod.sandbox_failed = true;
  CHECK(one.plan() == "end failed 0");
}

TEST_CASE("plan: a sandbox that was left and is gone ends the run, unless nothing of it has run") {
  for (const std::size_t n : {1, 2, 4}) {
    world w{std::vector(n, st::waiting), sandbox_state::idle};
    w.pod.sandbox_lost = true;
    std::string begins;
    for (std::size_t i = 0; i < n; ++i)
      begins += (i == 0 ? "begin " : "; begin ") + std::to_string(i);
    CHECK(w.plan() == begins);
    w[n - 1].touched = true;
    CHECK(w.plan() == "end lost 0");
  }
}

// --- while it ends -------------------------------------------------------------------------------

TEST_CASE("plan: a run that ends stops what has not ended, and then closes the sandbox") {
  world w{{st::running, st::waiting, st::stopping, st::found}};
  w.end_it();
  CHECK(w.plan() == "stop 0 30s; stop 1 30s; stop 3 30s");
  for (const auto s : {st::abandoning, st::stopping, st::killing}) {
    world one{{st::ended, s}};
    one.end_it();
    CHECK(one.plan().empty());
  }
  for (const auto s : {st::waiting, st::resolving, st::found, st::preparing, st::prepared,
                       st::creating, st::parked, st::built, st::released, st::running}) {
    world one{{st::ended, s}};
    one.end_it();
    CHECK(one.plan() == "stop 1 30s");
  }
  world over{{st::ended, st::ended}};
  over.end_it();
  CHECK(over.plan() == "close");
}

TEST_CASE("plan: the sandbox is closed once, from where it can be") {
  for (const auto s : all_sandboxes) {
    world w{{st::ended}, s};
    w.end_it();
    const bool open =
        s == sandbox_state::idle || s == sandbox_state::preparing || takes_requests(s);
    CHECK(w.plan() == (open ? "close" : ""));
  }
}

TEST_CASE("plan: a run that ends judges nobody, whatever the policy, stuck or given up") {
  world w{{st::ended, st::ended, st::running}};
  w.end_it();
  w.pod.profile.give_up = {1, 1min};
  w[1].stuck = true;
  CHECK(w.plan() == "stop 2 30s");
  w.pod.sandbox_failed = w.pod.sandbox_lost = true;
  CHECK(w.plan() == "stop 2 30s");
}

TEST_CASE("plan: whom a shim holds that was told to go, or is asked, nobody stops") {
  for (const auto s : {sandbox_state::closing, sandbox_state::adopting})
    for (const auto state : {st::creating, st::parked, st::built, st::released, st::running,
                             st::stopping, st::killing}) {
      world w{{state, st::ended}, s};
      w.end_it();
      CHECK(w.plan().empty());
    }
  world adopting{{st::waiting, st::running}, sandbox_state::adopting};
  adopting.end_it();
  CHECK(adopting.plan().empty()); // how, the shim's answer decides
}

} // namespace plan_pod_test
