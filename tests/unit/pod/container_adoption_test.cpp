// A container whose connection or daemon is lost: it goes on wherever its shim stands.
#include "tests/unit/pod/container_play.hpp"

namespace container_adoption_test {

using namespace tank;
using namespace tank::testing::one_container;

// --- the session goes ----------------------------------------------------------------------------

TEST_CASE("a container whose shim vanished has ended with it; a lost connection ends nothing") {
  for (std::size_t s = 0; s < container_states; ++s) {
    const auto state = static_cast<st>(s);
    CAPTURE(to_string(state));
    play p;
    p.go(state);
    const bool was_with_shim = p.m.is_with_shim();
    CHECK(p.on(run::session_down{broken, true}).empty());
    CHECK(p.m.state() == state);
    p.on(gone);
    if (!was_with_shim) continue;
    CHECK(p.end().how == outcome::session_down);
    CHECK(p.end().why == broken);
  }
}

// --- adoption ------------------------------------------------------------------------------------

TEST_CASE("a container that is adopted goes on wherever its shim stands") {
  using kernel::stage;
  struct row {
    stage at;
    const char* then;
    st state;
  };
  for (const auto& r : {row{stage::ready, "build 0; arm 0 120s", st::parked},
                        row{stage::built, "", st::built}, row{stage::running, "", st::running},
                        row{stage::exited, "", st::ended}, row{stage::signaled, "", st::ended},
                        row{stage::aborted, "", st::ended}, row{stage::failed, "", st::ended}}) {
    for (const bool released : {false, true}) {
      CAPTURE(to_string(r.at));
      play p;
      p.m.restore(2, 3, released);
      CHECK(p.m.touched() == released);
      CHECK(p.m.is_with_shim());
      auto told = held(r.at, 4);
      told.attempt = 2;
      CHECK(p.on(told) == r.then);
      CHECK(p.m.state() == r.state);
      CHECK(p.m.attempt() == 2);
      if (r.at == stage::running) {
        CHECK(p.m.pid() == 77);
        CHECK(p.m.started_ns() == 5);
        CHECK(p.m.touched());
        CHECK(p.on(run::terminate{30s}) == "signal 0 3; arm 0 30s");
      }
      if (r.at == stage::exited) {
        CHECK(p.end().how == outcome::exited);
        CHECK(p.end().code == 4);
        CHECK(p.end().started_ns == 5);
        CHECK(p.end().finished_ns == 9);
      }
      if (r.at == stage::failed) CHECK(p.end().started_ns == 0);
    }
  }
}

TEST_CASE("a container that a shim has not heard of begins anew, unless it was let go") {
  const auto none = held(kernel::stage::starting);
  SUBCASE("not told of it") {
    play p;
    p.m.restore(0, 15, false);
    CHECK(p.on(none).empty());
    CHECK(p.m.state() == st::waiting);
    play q;
    q.m.restore(0, 15, true);
    CHECK(q.on(none).empty());
    CHECK(q.end().how == outcome::none);
  }
  SUBCASE("there is no shim") {
    play p;
    p.m.restore(0, 15, false);
    CHECK(p.on(gone).empty());
    CHECK(p.m.state() == st::waiting);
    play q;
    q.m.restore(0, 15, true);
    CHECK(q.on(gone).empty());
    CHECK(q.end().how == outcome::session_down);
  }
}

TEST_CASE("a second attempt that no shim has heard of begins anew, as a first does") {
  const auto second = [](play& p, st to) {
    p.go(st::ended);
    p.m.await_attempt();
    p.on(run::begin_attempt{1});
    p.on(run::image_found{});
    p.on(run::begin_preparing{});
    p.on(prepared());
    p.on(run::begin_creating{});
    if (to == st::released) {
      p.on(run::child_ready{0, 1, 77});
      p.on(run::child_built{0, 1});
      p.on(run::release_attempt{});
    }
    REQUIRE(p.m.state() == to);
  };
  auto none = held(kernel::stage::starting);
  none.attempt = 1;
  play p;
  second(p, st::creating); // `create` was lost with the connection
  CHECK(p.on(none) == "disarm 0");
  CHECK(p.m.state() == st::waiting);
  CHECK(p.m.touched());
  play q;
  second(q, st::released);
  CHECK(q.on(none) == "disarm 0");
  CHECK(q.m.state() == st::ended);
}

TEST_CASE("a container goes on after a lost connection, wherever it stood") {
  using kernel::stage;
  play p;
  p.go(st::running);
  CHECK(p.on(held(stage::running)).empty());
  CHECK(p.m.state() == st::running);
  play s;
  s.go(st::stopping); // whoever stops it says so again
  CHECK(s.on(held(stage::running)) == "disarm 0");
  CHECK(s.m.state() == st::running);
  play c;
  c.go(st::creating);
  CHECK(c.on(held(stage::ready)) == "disarm 0; build 0; arm 0 120s");
  CHECK(c.m.state() == st::parked);
}

TEST_CASE("a container that is being killed is killed again over the next connection") {
  using kernel::stage;
  const auto killed = [](play& p) {
    p.go(st::running);
    p.on(run::terminate{0s});
  };
  play p;
  killed(p);
  CHECK(p.on(held(stage::running)) == "kill 0");
  CHECK(p.on(held(stage::signaled, 9)) == "disarm 0");
  CHECK(p.end().how == outcome::signaled);
  CHECK(p.end().code == 9);
  CHECK(p.end().stopped);
  play late;
  late.go(st::creating);
  late.timer(); // overdue
  CHECK(late.on(held(stage::starting)) == "disarm 0");
  CHECK(late.end().how == outcome::failed);
  play aborted;
  aborted.go(st::creating);
  aborted.on(run::terminate{30s});
  CHECK(aborted.on(held(stage::starting)) == "disarm 0");
  CHECK(aborted.end().how == outcome::none);
  CHECK(aborted.end().stopped);
}

TEST_CASE("a container that had ended for good is taken over as such") {
  play p;
  run::container_end end;
  end.how = outcome::exited;
  end.started_ns = 5;
  p.m.restore_ended(3, end);
  CHECK(p.m.attempt() == 3);
  CHECK(p.m.touched());
  CHECK(p.end() == end);
  CHECK(p.on(gone).empty());
  CHECK(p.end() == end);
}

} // namespace container_adoption_test
