// OTP's supervisor_SUITE: restart types and strategies. Each case is named after the one whose
// promise it checks, where there is one (SUPERVISOR_SUITE.md has the whole list). Written anew from
// the documented promises; in virtual time.
#include "tests/actor/otp_fixture.hpp"

#include <algorithm>

namespace supervisor_restart_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

// --- the 3 x 3 of restart types and ends ---------------------------------------------------------

TEST_CASE("permanent_normal, permanent_shutdown, permanent_abnormal: always restarted") {
  for (const auto& why : {stop_normal(), stop_shutdown(), stop_exited(3), abnormal()}) {
    CAPTURE(to_string(why));
    otp t;
    t.start({}, t.kids({"a"}));
    t.crash("a", why);
    CHECK(t.log == strings{"+a", "-a", "+a"});
    REQUIRE(t.reports.size() == 1);
    CHECK(t.reports[0].id == "a");
  }
}

TEST_CASE("transient_normal, transient_shutdown: not restarted, quiet, the spec stays") {
  for (const auto& why : {stop_normal(), stop_shutdown(), stop_exited(3)}) {
    CAPTURE(to_string(why));
    otp t;
    t.start({}, t.kids({"a"}, transient));
    t.crash("a", why);
    CHECK(t.listed() == strings{"a:undefined"});
    CHECK(t.reports.empty());
  }
}

TEST_CASE("transient_abnormal: restarted and reported") {
  otp t;
  t.start({}, t.kids({"a"}, transient));
  t.crash("a");
  CHECK(t.listed() == strings{"a:running"});
  CHECK(t.reports.size() == 1);
}

TEST_CASE("temporary_normal, temporary_shutdown, temporary_abnormal: never restarted, forgotten") {
  for (const auto& why : {stop_normal(), stop_shutdown(), abnormal()}) {
    CAPTURE(to_string(why));
    otp t;
    t.start({}, t.kids({"a"}, temporary));
    t.crash("a", why);
    CHECK(t.listed().empty());
    CHECK(t.reports.size() == (why == abnormal() ? 1 : 0));
  }
}

TEST_CASE("transient_shutdown: may be started again on request, and is as quiet then") {
  otp t;
  t.start({}, t.kids({"a"}, transient));
  t.crash("a", stop_shutdown());
  CHECK(t.counts() == child_counts{1, 0, 0, 1});
  t.ask<child_started>(restart_child{"a"});
  t.crash("a", stop_exited(1));
  CHECK(t.counts() == child_counts{1, 0, 0, 1});
  CHECK(t.reports.empty());
}

TEST_CASE("an exception, a kill and an unreachable end are abnormal") {
  otp t;
  t.start({}, t.kids({"a"}, transient));
  compat::send_exit(t.last["a"], caf::make_error(caf::exit_reason::kill));
  t.s.settle();
  CHECK(t.take_log() == strings{"+a", "-a", "+a"});
}

// --- strategies ----------------------------------------------------------------------------------

TEST_CASE("one_for_one: only the one that ended starts again") {
  otp t;
  t.start({.intensity = 2}, t.kids({"a", "b"}));
  t.take_log();
  const auto b = t.last["b"];
  t.crash("a");
  CHECK(t.take_log() == strings{"-a", "+a"});
  CHECK(t.last["b"] == b);
  CHECK(t.counts() == child_counts{2, 2, 0, 2});
  t.crash("b");
  t.crash("b"); // the third of all, whosever they were
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("one_for_one_escalation: over the intensity all are stopped and it ends with shutdown") {
  otp t;
  t.start({.intensity = 1}, t.kids({"a", "b"}));
  t.crash("a");
  t.take_log();
  t.crash("a");
  CHECK(t.log == strings{"-a", "-b"});
  CHECK(t.ended == stop_shutdown());
  CHECK(t.reports.back().kind == supervisor_report::what::too_many_restarts);
  CHECK(t.reports.back().id == "a");
}

TEST_CASE("one_for_one_escalation, one_for_all_escalation, rest_for_one_escalation: a child that "
          "never starts again uses the intensity up") {
  for (const auto strategy :
       {supervision::one_for_one, supervision::one_for_all, supervision::rest_for_one}) {
    otp t;
    t.start({.strategy = strategy, .intensity = 4}, t.kids({"a", "b"}));
    const auto* hopeless = strategy == supervision::one_for_one ? "a" : "b";
    t.failing[hopeless] = 1000;
    t.crash("a");
    CHECK(t.failing[hopeless] == 996);
    CHECK(t.ended == stop_shutdown());
    CHECK(t.reports.back() == supervisor_report{supervisor_report::what::too_many_restarts,
                                                hopeless, "reached_max_restart_intensity"});
    CHECK(std::count_if(t.log.begin(), t.log.end(), [](auto& l) { return l[0] == '+'; }) ==
          std::count_if(t.log.begin(), t.log.end(), [](auto& l) { return l[0] == '-'; }));
  }
}

TEST_CASE("one_for_all: the others stop right to left, all start left to right") {
  otp t;
  t.start({.strategy = supervision::one_for_all}, t.kids({"a", "b", "c"}));
  t.take_log();
  t.crash("b");
  CHECK(t.log == strings{"-b", "-c", "-a", "+a", "+b", "+c"});
}

TEST_CASE("one_for_all_escalation") {
  otp t;
  t.start({.strategy = supervision::one_for_all, .intensity = 0}, t.kids({"a", "b"}));
  t.take_log();
  t.crash("a");
  CHECK(t.log == strings{"-a", "-b"});
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("one_for_all_other_child_fails_restart: costs another restart and stops again those that "
          "had come up") {
  otp t;
  t.start({.strategy = supervision::one_for_all, .intensity = 2}, t.kids({"a", "b"}));
  t.take_log();
  t.failing["b"] = 1;
  t.crash("a");
  CHECK(t.take_log() == strings{"-a", "-b", "+a", "!b", "-a", "+a", "+b"});
  t.failing["b"] = 1;
  t.crash("a"); // the third restart within the period
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE(
    "temporary_bystander: temporary siblings stopped by one_for_all or rest_for_one stay away") {
  for (const auto strategy : {supervision::one_for_all, supervision::rest_for_one}) {
    otp t;
    t.start({.strategy = strategy}, {t.kid("a"), t.kid("t", temporary), t.kid("b")});
    t.take_log();
    t.crash("a");
    CHECK(t.log == strings{"-a", "-b", "-t", "+a", "+b"});
    CHECK(t.listed() == strings{"b:running", "a:running"});
  }
}

TEST_CASE("one_for_all starts again also those that had ended for good") {
  otp t;
  t.start({.strategy = supervision::one_for_all}, {t.kid("a"), t.kid("b", transient)});
  t.crash("b", stop_normal());
  t.take_log();
  t.crash("a");
  CHECK(t.log == strings{"-a", "+a", "+b"});
}

TEST_CASE("rest_for_one: those started later stop, then it and they start") {
  otp t;
  t.start({.strategy = supervision::rest_for_one}, t.kids({"a", "b", "c", "d"}));
  t.take_log();
  t.crash("b");
  CHECK(t.log == strings{"-b", "-d", "-c", "+b", "+c", "+d"});
  CHECK(t.listed() == strings{"d:running", "c:running", "b:running", "a:running"});
}

TEST_CASE("rest_for_one_escalation") {
  otp t;
  t.start({.strategy = supervision::rest_for_one, .intensity = 0}, t.kids({"a", "b", "c"}));
  t.take_log();
  t.crash("b");
  CHECK(t.log == strings{"-b", "-c", "-a"});
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("rest_for_one_other_child_fails_restart: goes on from the one that failed") {
  otp t;
  t.start({.strategy = supervision::rest_for_one, .intensity = 2}, t.kids({"a", "b", "c"}));
  t.take_log();
  t.failing["c"] = 1;
  t.crash("b");
  CHECK(t.log == strings{"-b", "-c", "+b", "!c", "+c"});
  CHECK_FALSE(t.ended);
}

TEST_CASE("simple_one_for_one: a dynamic child is restarted with the start function it came with") {
  otp t;
  t.start({.strategy = supervision::dynamic}, {child_spec{}});
  t.add(t.kid("x"));
  t.add(t.kid("y"));
  t.take_log();
  t.crash("x");
  CHECK(t.log == strings{"-x", "+x"});
  CHECK(t.counts().active == 2);
}

TEST_CASE(
    "simple_one_for_one_extra: see extra_return; and the intensity is shared by all children") {
  otp t;
  t.start({.strategy = supervision::dynamic, .intensity = 2}, {t.kid("a")});
  const auto first = t.add({});
  const auto second = t.add({});
  CHECK(first != second);
  for (int i = 0; i < 2; ++i)
    t.crash("a");
  CHECK(t.counts() == child_counts{1, 2, 0, 2});
  t.crash("a");
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("simple_one_for_one_escalation") {
  otp t;
  t.start({.strategy = supervision::dynamic, .intensity = 0}, {child_spec{}});
  t.add(t.kid("x"));
  t.add(t.kid("y"));
  t.crash("x");
  CHECK(t.ended == stop_shutdown());
  CHECK(t.log.back() == "-y");
}

TEST_CASE("simple_one_for_one_shutdown: all are told at once and share one clock") {
  otp t;
  child_spec templ;
  templ.shutdown.limit = 100ms;
  t.start({.strategy = supervision::dynamic}, {templ});
  t.stubborn = {{"x", true}, {"y", true}};
  for (const auto* id : {"x", "y", "z"})
    t.add(t.kid(id));
  t.take_log();
  t.end_supervisor();
  CHECK(t.take_log() == strings{"-z"});
  t.s.advance(100ms);
  t.s.settle();
  CHECK(t.log.size() == 2);
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("multiple_restarts: within the intensity it goes on, over and over") {
  otp t;
  t.start({.intensity = 1, .period = 1s}, t.kids({"a"}));
  for (int i = 0; i < 20; ++i) {
    t.crash("a");
    t.s.advance(1001ms);
    t.s.settle();
  }
  CHECK_FALSE(t.ended);
}

TEST_CASE("a restart exactly one period ago still counts") {
  otp t;
  t.start({.intensity = 1, .period = 1s}, t.kids({"a"}));
  t.crash("a");
  t.s.advance(1000ms);
  t.crash("a");
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("failed restarts count toward the intensity") {
  otp t;
  t.start({.intensity = 3}, t.kids({"a"}));
  t.take_log();
  t.failing["a"] = 1000;
  t.crash("a");
  CHECK(t.log == strings{"-a", "!a", "!a", "!a"});
  CHECK(t.ended == stop_shutdown());
}

} // namespace supervisor_restart_test
