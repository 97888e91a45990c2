#include "pod/sandbox_machine.hpp"

#include "tests/unit/pod/run_text.hpp"

#include <doctest/doctest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace sandbox_machine_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;
using st = sandbox_state;
using ek = sandbox_event_kind;

namespace {

const error broken{errc::io, 0, "do", "it", "because", ""};
const error nobody{errc::not_found, 0, "find the shim of", "web", "nobody listens", ""};
const run::session_down gone{broken, false};
const run::session_down cut{broken, true};

/// One machine and what it asked for.
struct play {
  timer_serials serials = 0;
  sandbox_machine m{"default/web", {}, serials};
  run::actions last;
  play() = default;
  play(const play&) = delete;

  std::string on(const sandbox_event& e) {
    last.clear();
    m.handle(e, last);
    return text(last);
  }
  /// Its present timer.
  std::string timer() { return on(run::timer_due{m.timer()}); }

  void go(st to) {
    static const std::map<st, std::vector<sandbox_event>> ways{
        {st::idle, {}},
        {st::preparing, {run::open_sandbox{}}},
        {st::abandoning, {run::open_sandbox{}, run::close_sandbox{}}},
        {st::starting, {run::open_sandbox{}, run::sandbox_prepared{}}},
        {st::up, {run::open_sandbox{}, run::sandbox_prepared{}, run::sandbox_up{}}},
        {st::closing,
         {run::open_sandbox{}, run::sandbox_prepared{}, run::sandbox_up{}, run::close_sandbox{}}},
        {st::cleaning, {run::close_sandbox{}}},
        {st::gone, {run::close_sandbox{}, run::cleaned{}}},
        {st::adopting, {run::adopt_sandbox{}}},
    };
    for (const auto& e : ways.at(to))
      on(e);
    REQUIRE(m.state() == to);
  }
};

sandbox_event event(ek kind, std::uint64_t timer) {
  const std::vector<sandbox_event> all{run::open_sandbox{{0, 1}},
                                       run::adopt_sandbox{},
                                       run::close_sandbox{},
                                       run::sandbox_prepared{},
                                       run::sandbox_not_prepared{broken},
                                       run::sandbox_up{},
                                       run::adopted{},
                                       run::session_failed{broken},
                                       gone,
                                       run::timer_due{timer},
                                       run::cleaned{}};
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
    {"prepare", {"prepare sandbox 0 1", st::preparing}},
    {"adopt", {"adopt; arm sandbox 30s", st::adopting}},
    {"clean", {"clean", st::cleaning}},
    {"abandon", {"", st::abandoning}},
    {"start", {"start; arm sandbox 120s", st::starting}},
    {"up", {"disarm sandbox", st::up}},
    {"close", {"shut down; arm sandbox 10s", st::closing}},
    {"drop", {"drop; clean", st::cleaning}},
    {"drop-", {"drop; disarm sandbox; clean", st::cleaning}},
    {"lost", {"drop; disarm sandbox", st::idle}},
    {"retry", {"drop; arm sandbox 1s", {}}},
    {"end", {"end; arm sandbox 10s", {}}},
    {"gone", {"", st::gone}},
};

// clang-format off
const char* const product = R"(
             idle    preparing abandoning starting up    closing cleaning gone adopting
open         prepare !         !          !        !     !       !        !    !
adopt        adopt   !         !          !        !     !       !        !    !
close        clean   abandon   .          close    close .       .        .    .
prepared     !       start     clean      !        !     !       !        !    !
not_prepared !       clean     clean      !        !     !       !        !    !
up           !       !         !          up       !     .       !        !    .
adopted      !       !         !          !        !     .       !        !    up
failed       !       !         !          close    close .       .        .    retry
down         !       !         !          drop-    drop  drop-   !        !    lost
timer        .       .         .          close    .     end     .        .    end
cleaned      !       !         !          !        !     !       gone     !    !
)";
// clang-format on

} // namespace

TEST_CASE("a sandbox: each state takes each event as the table says") {
  std::istringstream lines{product};
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  std::istringstream head{line};
  for (std::size_t s = 0; s < sandbox_states; ++s) {
    std::string name;
    head >> name;
    REQUIRE(name == to_string(static_cast<st>(s)));
  }
  for (std::size_t e = 0; e < sandbox_event_kinds; ++e) {
    REQUIRE(std::getline(lines, line));
    std::istringstream row{line};
    std::string name;
    row >> name;
    for (std::size_t s = 0; s < sandbox_states; ++s) {
      const auto state = static_cast<st>(s);
      std::string code;
      row >> code;
      REQUIRE_FALSE(code.empty());
      INFO(to_string(state), " on ", name, ": ", code);
      play p;
      p.go(state);
      const auto got = p.on(event(static_cast<ek>(e), p.m.timer()));
      if (code == "!") {
        CHECK(p.last == run::actions{run::unexpected{std::nullopt, static_cast<unsigned>(s),
                                                     static_cast<unsigned>(e)}});
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

TEST_CASE("a sandbox: the timer of another state means nothing") {
  for (std::size_t s = 0; s < sandbox_states; ++s) {
    play p;
    p.go(static_cast<st>(s));
    CHECK(p.on(run::timer_due{999}).empty());
    CHECK(p.on(run::timer_due{0}).empty());
    CHECK(p.m.state() == static_cast<st>(s));
  }
}

TEST_CASE("a sandbox is made, told to go, and cleaned up") {
  play p;
  CHECK(p.on(run::open_sandbox{{1}}) == "prepare sandbox 1");
  CHECK_FALSE(p.m.takes_requests());
  CHECK(p.on(run::sandbox_prepared{}) == "start; arm sandbox 120s");
  CHECK(p.m.takes_requests());
  CHECK(p.on(run::sandbox_up{}) == "disarm sandbox");
  CHECK(p.m.takes_requests());
  CHECK(p.m.timer() == 0);
  CHECK(p.on(run::close_sandbox{}) == "shut down; arm sandbox 10s");
  CHECK_FALSE(p.m.takes_requests());
  CHECK(p.on(gone) == "drop; disarm sandbox; clean");
  CHECK(p.on(run::cleaned{}).empty());
  CHECK(p.m.state() == st::gone);
  CHECK_FALSE(p.m.failure());
  CHECK_FALSE(p.m.lost());
}

TEST_CASE("a sandbox that is told to close ends clean, whoever does not answer") {
  for (std::size_t s = 0; s < sandbox_states; ++s) {
    const auto state = static_cast<st>(s);
    CAPTURE(to_string(state));
    play p;
    p.go(state);
    p.on(run::close_sandbox{});
    if (p.m.state() == st::abandoning) p.on(run::sandbox_not_prepared{broken});
    for (int i = 0; i < 3 && p.m.state() != st::cleaning && p.m.state() != st::gone; ++i)
      p.timer();
    if (p.m.state() == st::cleaning) p.on(run::cleaned{});
    CHECK(p.m.state() == st::gone);
    CHECK(p.m.timer() == 0);
  }
}

TEST_CASE("a sandbox that could not be made, or started, or did not greet, has failed") {
  play p;
  p.go(st::preparing);
  CHECK(p.on(run::sandbox_not_prepared{broken}) == "clean");
  CHECK(p.m.failure() == sandbox_failure{run::outcome::failed, broken});
  play q;
  q.go(st::starting);
  CHECK(q.on(run::session_failed{broken}) == "shut down; arm sandbox 10s");
  CHECK(q.m.failure() == sandbox_failure{run::outcome::failed, broken});
  play r;
  r.go(st::starting);
  CHECK(r.timer() == "shut down; arm sandbox 10s");
  REQUIRE(r.m.failure());
  CHECK(r.m.failure()->how == run::outcome::failed);
  CHECK(r.m.failure()->why.message() ==
        "cannot bring up 'default/web': its shim says nothing for 120 s");
}

TEST_CASE("a request that fails on a session that worked is a lost session; the first counts") {
  play p;
  p.go(st::up);
  CHECK(p.on(run::session_failed{broken}) == "shut down; arm sandbox 10s");
  CHECK(p.m.failure() == sandbox_failure{run::outcome::session_down, broken});
  CHECK(p.on(run::session_failed{nobody}).empty());
  CHECK(p.on(run::session_down{nobody, false}) == "drop; disarm sandbox; clean");
  CHECK(p.m.failure()->why == broken);
}

TEST_CASE("a shim that vanishes takes the sandbox with it") {
  for (const auto state : {st::starting, st::up}) {
    play p;
    p.go(state);
    p.on(gone);
    CHECK(p.m.state() == st::cleaning);
    CHECK(p.m.failure() == sandbox_failure{run::outcome::session_down, broken});
    CHECK(p.m.timer() == 0);
  }
}

TEST_CASE("a shim that does not go is made to, and not waited for without end") {
  play p;
  p.go(st::closing);
  CHECK(p.timer() == "end; arm sandbox 10s");
  SUBCASE("it goes") {
    CHECK(p.on(gone) == "drop; disarm sandbox; clean");
  }
  SUBCASE("not even then") {
    CHECK(p.timer() == "drop; clean");
    CHECK(p.m.timer() == 0);
  }
  CHECK(p.m.state() == st::cleaning);
}

// --- adoption ------------------------------------------------------------------------------------

TEST_CASE("a sandbox is adopted, and then like any other") {
  play p;
  CHECK(p.on(run::adopt_sandbox{}) == "adopt; arm sandbox 30s");
  CHECK_FALSE(p.m.takes_requests());
  CHECK(p.on(run::sandbox_up{}).empty()); // its greeting: what it holds comes next
  CHECK(p.m.state() == st::adopting);
  CHECK(p.on(run::adopted{}) == "disarm sandbox");
  CHECK(p.m.state() == st::up);
  CHECK(p.m.takes_requests());
  CHECK(p.on(gone) == "drop; clean");
  CHECK(p.m.failure()->how == run::outcome::session_down);
}

TEST_CASE("a shim that is not there: the sandbox is idle again, and may be made anew") {
  play p;
  p.go(st::adopting);
  CHECK(p.on(run::session_failed{nobody}) == "disarm sandbox");
  CHECK(p.m.state() == st::idle);
  CHECK(p.m.lost());
  CHECK(p.m.lost_why() == nobody);
  CHECK_FALSE(p.m.failure());
  SUBCASE("made anew") {
    CHECK(p.on(run::open_sandbox{{0}}) == "prepare sandbox 0");
    CHECK_FALSE(p.m.lost());
  }
  SUBCASE("not needed any more") {
    CHECK(p.on(run::close_sandbox{}) == "clean");
  }
}

TEST_CASE("a shim that vanishes while it is asked is not there either") {
  play p;
  p.go(st::adopting);
  CHECK(p.on(gone) == "drop; disarm sandbox");
  CHECK(p.m.lost());
  CHECK(p.m.lost_why() == broken);
}

TEST_CASE("a shim that cannot be asked just now is asked again, five times in all") {
  play p;
  p.go(st::adopting);
  for (int tries = 1; tries < 5; ++tries) {
    if (tries % 2 == 1)
      CHECK(p.on(run::session_failed{broken}) == "drop; arm sandbox 1s");
    else
      CHECK(p.on(cut) == "drop; arm sandbox 1s"); // it lives, but another daemon had it
    CHECK(p.timer() == "adopt; arm sandbox 30s");
  }
  CHECK(p.on(run::session_failed{broken}) == "drop; disarm sandbox");
  CHECK(p.m.lost());
}

TEST_CASE("a shim that says nothing is ended") {
  play p;
  p.go(st::adopting);
  CHECK(p.timer() == "end; arm sandbox 10s");
  SUBCASE("it goes") {
    CHECK(p.on(gone) == "drop; disarm sandbox");
    CHECK(p.m.lost());
    CHECK(p.m.state() == st::idle);
  }
  SUBCASE("not even then") {
    CHECK(p.timer() == "drop; clean");
    CHECK(p.m.failure()->how == run::outcome::session_down);
    CHECK(p.m.failure()->why.message() ==
          "cannot adopt 'default/web': its shim says nothing for 30 s");
    CHECK(p.m.state() == st::cleaning);
  }
}

TEST_CASE("a sandbox that is told to close while its shim is asked closes once it has answered") {
  const auto told = [](play& p) {
    p.go(st::adopting);
    CHECK(p.on(run::close_sandbox{}).empty());
  };
  play p;
  told(p);
  CHECK(p.on(run::adopted{}) == "shut down; arm sandbox 10s");
  play q;
  told(q);
  CHECK(q.on(run::session_failed{nobody}) == "disarm sandbox; clean");
  play r;
  told(r);
  CHECK(r.on(gone) == "drop; disarm sandbox; clean");
  play s;
  told(s);
  s.on(run::session_failed{broken});
  CHECK(s.timer() == "adopt; arm sandbox 30s"); // and it is still to close
  CHECK(s.on(run::adopted{}) == "shut down; arm sandbox 10s");
}

TEST_CASE("a connection that is lost while the shim lives is made again, not the pod") {
  play p;
  p.go(st::up);
  for (int n = 0; n < 5; ++n) {
    CHECK(p.on(cut) == "drop; adopt; arm sandbox 30s");
    CHECK(p.on(run::adopted{}) == "disarm sandbox");
  }
  CHECK(p.on(cut) == "drop; clean"); // it will not have us
  CHECK(p.m.failure() == sandbox_failure{run::outcome::session_down, broken});
  play young;
  young.go(st::starting);
  CHECK(young.on(cut) == "drop; adopt; arm sandbox 30s");
}

TEST_CASE("a sandbox that this run made or had adopted, and whose shim is gone then, has failed") {
  // Only what a predecessor left may begin anew: of this run's containers some may be half made.
  for (const bool adopted : {false, true}) {
    CAPTURE(adopted);
    play p;
    if (adopted) {
      p.go(st::adopting);
      p.on(run::adopted{});
    } else {
      p.go(st::starting);
    }
    p.on(cut);
    CHECK(p.on(run::session_failed{nobody}) == "disarm sandbox; clean");
    CHECK(p.m.failure() == sandbox_failure{run::outcome::session_down, nobody});
    play q;
    q.go(st::up);
    q.on(cut);
    CHECK(q.on(gone) == "drop; disarm sandbox; clean");
    CHECK(q.m.failure() == sandbox_failure{run::outcome::session_down, broken});
  }
}

} // namespace sandbox_machine_test
