// OTP's supervisor_SUITE: significant children. Each case is named after the one whose promise it
// checks, where there is one (SUPERVISOR_SUITE.md has the whole list). Written anew from the
// documented promises; in virtual time.
#include "tests/actor/otp_fixture.hpp"

namespace supervisor_significant_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

namespace {

/// "s..." significant, "n" not; all of one type.
std::vector<child_spec> some(otp& t, const strings& ids, child_restart type) {
  auto out = t.kids(ids, type);
  for (auto& spec : out)
    spec.significant = spec.id[0] == 's';
  return out;
}

constexpr auto any = auto_shutdown::any_significant;
constexpr auto all = auto_shutdown::all_significant;

} // namespace

TEST_CASE("nonsignificant_temporary, nonsignificant_transient: no end of theirs ends the "
          "supervisor") {
  for (const auto type : {temporary, transient})
    for (const auto when : {auto_shutdown::never, any, all}) {
      otp t;
      t.start({.intensity = 5, .when_significant = when}, {});
      const auto present = [&] {
        if (t.listed().empty()) t.add(t.kid("n", type));
      };
      present();
      t.ask<child_done>(terminate_child{"n"});
      CHECK_FALSE(t.ended);
      if (type == transient) t.ask<child_started>(restart_child{"n"});
      present();
      t.kill("n");
      CHECK_FALSE(t.ended);
      present();
      t.crash("n");
      CHECK_FALSE(t.ended);
      present();
      t.crash("n", stop_normal());
      CHECK_FALSE(t.ended);
    }
}

TEST_CASE("significant_temporary: any end by itself counts, one on request does not") {
  for (const auto& why : {stop_normal(), stop_shutdown(), abnormal()}) {
    otp t;
    t.start({.intensity = 5, .when_significant = any}, some(t, {"s1", "s2", "n"}, temporary));
    t.ask<child_done>(terminate_child{"s1"});
    CHECK_FALSE(t.ended);
    auto spec = t.kid("s1", temporary);
    spec.significant = true;
    t.add(spec);
    CHECK(t.listed() == strings{"s1:running", "n:running", "s2:running"});
    t.take_log();
    t.crash("s1", why);
    CHECK(t.ended == stop_shutdown());
    CHECK(t.log == strings{"-s1", "-n", "-s2"});
  }
  otp t;
  t.start({.when_significant = any}, some(t, {"s1", "s2", "n"}, temporary));
  t.kill("s1");
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("significant_transient: only an end that is not restarted counts") {
  otp t;
  t.start({.intensity = 5, .when_significant = any}, some(t, {"s1", "s2", "n"}, transient));
  t.ask<child_done>(terminate_child{"s1"});
  CHECK_FALSE(t.ended);
  t.ask<child_started>(restart_child{"s1"});
  t.kill("s1");
  t.crash("s1");
  CHECK_FALSE(t.ended);
  CHECK(t.counts().active == 3);
  t.crash("s1", stop_normal());
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("significant_temporary, significant_transient, all_significant: the last one counts") {
  for (const auto type : {temporary, transient}) {
    otp t;
    t.start({.intensity = 5, .when_significant = all}, some(t, {"s1", "s2", "n"}, type));
    t.crash("s1", stop_normal());
    CHECK_FALSE(t.ended);
    t.crash("s2", stop_normal());
    CHECK(t.ended == stop_shutdown());
    CHECK(t.log.back() == "-n");
  }
}

TEST_CASE("all_significant: one that is restarting has not ended") {
  otp t;
  t.start({.intensity = 1'000'000'000, .when_significant = all}, some(t, {"s1", "s2"}, transient));
  t.begin_loop("s1");
  t.s.send(t.me, t.last["s2"], end_child{stop_normal()});
  t.s.step(t.last["s2"]);
  for (int i = 0; i < 5; ++i)
    t.s.step(t.sup);
  CHECK_FALSE(t.ended);
  t.failing["s1"] = 0;
  t.s.settle();
  t.crash("s1", stop_normal());
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("significant_simple: dynamic children are as significant as their template") {
  for (const auto when : {any, all}) {
    otp t;
    auto templ = t.kid("s", temporary);
    templ.significant = true;
    t.start({.strategy = supervision::dynamic, .when_significant = when}, {templ});
    const auto first = t.add({});
    t.add({});
    t.s.send(t.me, first, end_child{stop_normal()});
    t.s.settle();
    CHECK(t.ended.has_value() == (when == any));
    if (when == all) t.crash("s", stop_normal());
    CHECK(t.ended == stop_shutdown());
  }
}

TEST_CASE("significant_bystander: being stopped for a sibling's sake does not count") {
  for (const auto strategy :
       {supervision::one_for_one, supervision::one_for_all, supervision::rest_for_one})
    for (const auto when : {any, all}) {
      otp t;
      t.start({.strategy = strategy, .intensity = 5, .when_significant = when},
              some(t, {"s1", "n", "s2"}, transient));
      t.take_log();
      t.kill("n");
      CHECK_FALSE(t.ended);
      const strings stopped = strategy == supervision::one_for_one   ? strings{"-n"}
                              : strategy == supervision::one_for_all ? strings{"-n", "-s2", "-s1"}
                                                                     : strings{"-n", "-s2"};
      CHECK(strings(t.log.begin(), t.log.begin() + static_cast<long>(stopped.size())) == stopped);
      CHECK(t.counts().active == 3);
    }
}

TEST_CASE("significant_escalation: a supervisor may be a significant child itself") {
  for (const bool significant : {true, false}) {
    otp t;
    child_spec sub;
    sub.id = "sub";
    sub.type = child_type::supervisor;
    sub.restart = transient;
    sub.shutdown = shutdown_after::infinity();
    sub.significant = significant;
    sub.start = [&t](caf::actor_system& sys) -> start_answer {
      auto made = spawn_supervisor(sys, {.when_significant = any}, some(t, {"s"}, transient));
      if (!made) return made.error();
      return *made;
    };
    t.start({.when_significant = any}, {sub});
    t.crash("s", stop_normal());
    CHECK(t.ended.has_value() == significant);
    if (!significant) CHECK(t.listed() == strings{"sub:undefined"});
  }
}

} // namespace supervisor_significant_test
