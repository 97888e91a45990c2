#include "pod/container_machine.hpp"

#include "pod/container_end.hpp"
#include "tests/unit/pod/container_play.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace container_machine_test {

using namespace tank;
using namespace tank::testing::one_container;
using ek = container_event_kind;

namespace {

container_event event(ek kind, std::uint64_t timer) {
  const std::vector<container_event> all{run::begin_attempt{0},
                                         run::image_found{},
                                         run::image_missing{0, broken, image_problem::pull_failed},
                                         run::begin_preparing{},
                                         prepared(),
                                         run::container_not_prepared{0, broken},
                                         run::begin_creating{},
                                         run::release_attempt{},
                                         ready,
                                         built,
                                         up,
                                         exited(1),
                                         held(kernel::stage::running),
                                         gone,
                                         run::terminate{30s},
                                         run::timer_due{timer}};
  const auto& e = all.at(static_cast<std::size_t>(kind));
  REQUIRE(e.index() == static_cast<std::size_t>(kind));
  return e;
}

/// What a cell of the table below means: the actions, and the next state when it is another.
struct cell {
  const char* actions;
  std::optional<st> next;
};
const std::map<std::string, cell> cells{
    {".", {"", {}}}, // too late to matter
    {"resolve", {"resolve 0", st::resolving}},
    {"found", {"", st::found}},
    {"prepare", {"", st::preparing}},
    {"wait", {"", st::prepared}},
    {"create", {"create 0.0; arm 0 120s", st::creating}},
    {"park", {"", st::parked}},
    {"stand", {"", st::built}},
    {"release", {"proceed 0", st::released}},
    {"run", {"disarm 0", st::running}},
    {"abandon", {"", st::abandoning}},
    {"over", {"", st::ended}},
    {"over-", {"disarm 0", st::ended}},
    {"abort", {"abort 0; arm 0 10s", st::killing}},
    {"kill", {"kill 0; arm 0 10s", st::killing}},
    {"rekill", {"kill 0", {}}},
    {"rearm", {"arm 0 30s", {}}},
    {"signal", {"signal 0 15; arm 0 30s", st::stopping}},
};

// clang-format off
const char* const product = R"(
              waiting resolving found   preparing abandoning prepared creating parked built   released running stopping killing ended
begin         resolve !         !       !         !          !        !        !      !       !        !       !        !       resolve
image_found   .       found     !       !         !          !        !        !      !       !        !       !        !       .
image_missing .       over      !       !         !          !        !        !      !       !        !       !        !       .
prepare       !       !         prepare !         !          !        !        !      !       !        !       !        !       !
prepared      !       !         !       wait      over       !        !        !      !       !        !       !        !       !
not_prepared  !       !         !       over      over       !        !        !      !       !        !       !        !       !
create        !       !         !       !         !          create   !        !      !       !        !       !        !       !
release       !       !         !       !         !          !        !        !      release !        !       !        !       !
ready         !       !         !       !         !          !        park     !      !       !        !       !        .       .
built         !       !         !       !         !          !        !        stand  !       !        !       !        .       .
running       !       !         !       !         !          !        !        !      !       run      !       !        .       .
ended         !       !         !       !         !          !        over-    over-  over-   over-    over    over-    over-   .
held          .       .         .       .         .          .        run      run    run     run      .       run      rekill  .
session_down  .       .         .       .         .          .        over-    over-  over-   over-    over    over-    over-   .
stop          over    over      over    abandon   .          over     abort    abort  abort   kill     signal  rearm    .       .
timer         .       .         .       .         .          .        kill     kill   .       kill     .       kill     over    .
)";
// clang-format on

} // namespace

TEST_CASE("a container: each state takes each event as the table says") {
  std::istringstream lines{product};
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  std::istringstream head{line};
  for (std::size_t s = 0; s < container_states; ++s) {
    std::string name;
    head >> name;
    REQUIRE(name == to_string(static_cast<st>(s)));
  }
  for (std::size_t e = 0; e < container_event_kinds; ++e) {
    REQUIRE(std::getline(lines, line));
    std::istringstream row{line};
    std::string name;
    row >> name;
    for (std::size_t s = 0; s < container_states; ++s) {
      const auto state = static_cast<st>(s);
      std::string code;
      row >> code;
      REQUIRE_FALSE(code.empty());
      INFO(to_string(state), " on ", name, ": ", code);
      play p;
      p.go(state);
      const auto got = p.on(event(static_cast<ek>(e), p.m.timer()));
      if (code == "!") {
        CHECK(p.last ==
              run::actions{run::unexpected{0, static_cast<unsigned>(s), static_cast<unsigned>(e)}});
        CHECK(p.m.state() == state);
        continue;
      }
      const auto& want = cells.at(code);
      CHECK(got == want.actions);
      CHECK(to_string(p.m.state()) == to_string(want.next.value_or(state)));
    }
    std::string rest;
    CHECK_FALSE(static_cast<bool>(row >> rest));
  }
}

TEST_CASE("a container: news of another attempt and timers of another state mean nothing") {
  for (std::size_t s = 0; s < container_states; ++s) {
    const auto state = static_cast<st>(s);
    CAPTURE(to_string(state));
    play p;
    p.go(state);
    auto other = held(kernel::stage::running);
    other.attempt = 1;
    auto end = exited(1);
    end.attempt = 1;
    for (const container_event& e :
         {container_event{run::child_ready{0, 1, 5}}, container_event{run::child_built{0, 1}},
          container_event{run::child_running{0, 1, 5, 5}}, container_event{end},
          container_event{other}, container_event{run::timer_due{999}},
          container_event{run::timer_due{0}}})
      CHECK(p.on(e).empty());
    CHECK(p.m.state() == state);
  }
}

TEST_CASE("a container comes up, runs and exits") {
  play p;
  CHECK(p.on(run::begin_attempt{4}) == "resolve 0");
  CHECK(p.m.attempt() == 4);
  p.on(run::image_found{});
  p.on(run::begin_preparing{});
  p.on(prepared());
  CHECK_FALSE(p.m.is_with_shim());
  CHECK(p.on(run::begin_creating{}) == "create 0.4; arm 0 120s");
  CHECK(p.m.is_with_shim());
  p.on(run::child_ready{0, 4, 70});
  CHECK(p.m.pid() == 70);
  CHECK_FALSE(p.m.touched());
  CHECK(p.on(run::child_built{0, 4}).empty());
  CHECK_FALSE(p.m.touched());
  CHECK(p.on(run::release_attempt{}) == "proceed 0");
  CHECK(p.m.touched());
  CHECK_FALSE(p.m.runs());
  p.on(run::child_running{0, 4, 71, 5});
  CHECK(p.m.runs());
  CHECK(p.m.pid() == 71);
  CHECK(p.m.started_ns() == 5);
  auto end = exited(3);
  end.attempt = 4;
  p.on(end);
  CHECK_FALSE(p.m.runs());
  CHECK_FALSE(p.m.is_with_shim());
  CHECK(p.m.pid() == 0);
  run::container_end want{.how = outcome::exited, .code = 3};
  want.started_ns = 5;
  want.finished_ns = 9;
  CHECK(p.end() == want);
  p.m.await_attempt();
  CHECK(p.m.state() == st::waiting);
  CHECK(p.m.end() == nullptr);
  CHECK(p.on(run::begin_attempt{5}) == "resolve 0");
  CHECK(p.m.started_ns() == 0);
  CHECK(p.m.touched()); // it has run before
}

TEST_CASE("a container that runs keeps its pid when the news of it has none") {
  play p;
  p.go(st::released);
  p.on(run::child_running{0, 0, 0, 5});
  CHECK(p.m.pid() == 77);
}

TEST_CASE("a container without an image, or that cannot be prepared, has ended and says why") {
  play p;
  p.go(st::resolving);
  p.on(run::image_missing{0, broken, image_problem::never_pull});
  CHECK(p.end().how == outcome::image_failed);
  CHECK(p.end().image == image_problem::never_pull);
  CHECK(p.end().why == broken);
  play q;
  q.go(st::preparing);
  q.on(run::container_not_prepared{0, broken});
  CHECK(q.end().how == outcome::failed);
  CHECK(q.end().why == broken);
  CHECK_FALSE(q.end().stopped);
}

TEST_CASE("a container's memory that ran out stays with its end") {
  play p;
  p.go(st::running);
  auto end = signaled(9);
  end.end.out_of_memory = true;
  p.on(end);
  CHECK(p.end().out_of_memory);
  CHECK(reason_of(p.end()).cause == stop_cause::oom_killed);
}

// --- stops ---------------------------------------------------------------------------------------

TEST_CASE("a container's stop in each state ends it, whoever does not answer") {
  for (std::size_t s = 0; s < container_states; ++s) {
    const auto state = static_cast<st>(s);
    CAPTURE(to_string(state));
    play p;
    p.go(state);
    p.on(run::terminate{30s});
    if (p.m.state() == st::abandoning) p.on(prepared());
    for (int i = 0; i < 3 && p.m.state() != st::ended; ++i)
      p.timer();
    CHECK(p.m.state() == st::ended);
    CHECK(p.m.timer() == 0);
    if (state != st::ended) CHECK(p.end().stopped);
  }
}

TEST_CASE("a graceful stop of a container: signal, grace, kill") {
  play p;
  p.on(run::begin_attempt{});
  p.on(run::image_found{});
  p.on(run::begin_preparing{});
  p.on(prepared(3));
  p.on(run::begin_creating{});
  p.on(ready);
  p.on(built);
  p.on(run::release_attempt{});
  p.on(up);
  CHECK(p.on(run::terminate{30s}) == "signal 0 3; arm 0 30s");
  CHECK(p.m.runs());
  CHECK(p.m.pid() == 77);
  SUBCASE("it obeys") {
    CHECK(p.on(exited(0)) == "disarm 0");
    CHECK(p.end().how == outcome::exited);
    CHECK(p.end().stopped);
    CHECK(p.end().started_ns == 5);
  }
  SUBCASE("it does not") {
    CHECK(p.timer() == "kill 0; arm 0 10s");
    CHECK_FALSE(p.m.runs());
    CHECK(p.on(signaled(9)) == "disarm 0");
    CHECK(p.end().how == outcome::signaled);
    CHECK(p.end().stopped);
  }
  SUBCASE("the owner loses its patience") {
    CHECK(p.on(run::terminate{0s}) == "kill 0; arm 0 10s");
  }
  SUBCASE("the newest word on patience counts") {
    const auto old = p.m.timer();
    CHECK(p.on(run::terminate{7s}) == "arm 0 7s");
    CHECK(p.on(run::timer_due{old}).empty());
    CHECK(p.timer() == "kill 0; arm 0 10s");
  }
  SUBCASE("asked twice, signalled once") {
    CHECK(p.on(run::terminate{30s}) == "arm 0 30s");
  }
}

TEST_CASE("grace 0 kills at once, the manifest's 1 becomes kubelet's 2 seconds") {
  CHECK(effective_grace(0s, {}) == 0s);
  CHECK(effective_grace(1s, {}) == 2s);
  CHECK(effective_grace(30s, {}) == 30s);
  CHECK(effective_grace(30s, 0s) == 0s);
  CHECK(effective_grace(30s, 1s) == 1s);
  CHECK(effective_grace(30s, -4s) == 0s);
  // What a manifest may ask for: in nanoseconds it would overflow, and mean a kill at once.
  for (const std::int64_t many : {std::int64_t{9'300'000'000}, INT64_MAX}) {
    CHECK(effective_grace(std::chrono::seconds{many}, {}) == most_grace);
    CHECK(effective_grace(30s, std::chrono::seconds{many}) == most_grace);
  }
  play p;
  p.go(st::running);
  CHECK(p.on(run::terminate{0s}) == "kill 0; arm 0 10s");
}

TEST_CASE("a container that is prepared is stopped once its worker has ended") {
  for (const bool made : {false, true}) {
    play p;
    p.go(st::preparing);
    CHECK(p.on(run::terminate{30s}).empty());
    CHECK(p.m.end() == nullptr);
    if (made)
      p.on(prepared());
    else
      p.on(run::container_not_prepared{0, broken});
    CHECK(p.end().how == outcome::none);
    CHECK(p.end().stopped);
  }
}

// --- who does not answer -------------------------------------------------------------------------

TEST_CASE("a bring-up that is overdue is killed, and is what the container ended by") {
  for (const auto state : {st::creating, st::parked, st::released}) {
    CAPTURE(to_string(state));
    play p;
    p.go(state);
    CHECK(p.timer() == "kill 0; arm 0 10s");
    CHECK(p.on(signaled(9)) == "disarm 0");
    CHECK(p.end().how == outcome::failed);
    CHECK(p.end().why.message().find("stuck in '" + std::string{to_string(state)} +
                                     "' for 120 s") != std::string::npos);
    CHECK_FALSE(p.m.stuck());
    play down;
    down.go(state);
    down.timer();
    down.on(gone);
    CHECK(down.end().how == outcome::failed);
  }
}

TEST_CASE("a kill without an end leaves the container stuck, until its end comes all the same") {
  play p;
  p.go(st::running);
  p.on(run::terminate{0s});
  CHECK(p.timer().empty());
  CHECK(p.m.state() == st::ended);
  CHECK(p.m.stuck());
  CHECK(p.end().how == outcome::none);
  CHECK(p.end().stopped);
  SUBCASE("its end") {
    CHECK(p.on(signaled(9)).empty());
    CHECK_FALSE(p.m.stuck());
    CHECK(p.end().how == outcome::signaled);
    CHECK(p.end().stopped);
    CHECK(p.end().started_ns == 5);
    CHECK(p.on(exited(0)).empty()); // the first counts
    CHECK(p.end().how == outcome::signaled);
  }
  SUBCASE("of a bring-up that was overdue") {
    play late;
    late.go(st::creating);
    late.timer();
    late.timer();
    CHECK(late.m.stuck());
    CHECK(late.end().how == outcome::failed);
    late.on(ended_by(outcome::aborted));
    CHECK_FALSE(late.m.stuck());
    CHECK(late.end().how == outcome::failed);
  }
}

TEST_CASE("a container that waits for its turn may wait for ever, and has all its time then") {
  play p;
  p.go(st::built);
  CHECK(p.timer().empty()); // that of its bring-up
  CHECK(p.m.state() == st::built);
  CHECK(p.on(run::release_attempt{true}) == "proceed 0; arm 0 120s");
  play q;
  q.go(st::built);
  CHECK(q.on(run::release_attempt{true}) == "proceed 0; arm 0 120s");
}

TEST_CASE("what was to be stopped for a complaint has failed, however it ended") {
  play p;
  p.m.note_complaint("too early"); // nothing runs
  p.go(st::running);
  p.m.note_complaint("the probe failed");
  p.m.note_complaint("another one too");
  p.on(run::terminate{30s});
  p.on(exited(0));
  CHECK(p.end().unhealthy);
  CHECK(reason_of(p.end()) == stop_reason{stop_class::shutdown, stop_cause::unhealthy, 0,
                                          "the probe failed; exited with code 0"});
  CHECK(exit_of(p.end()).reason == "Error");
  p.on(run::begin_attempt{1});
  p.on(run::terminate{0s});
  CHECK_FALSE(p.end().unhealthy);
}

} // namespace container_machine_test
