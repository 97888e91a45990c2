// Each case is named after the one of OTP's supervisor_SUITE whose promise it checks, where there
// is one. Written anew from the documented promises; in virtual time.
#include "tests/actor/otp_fixture.hpp"

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto permanent = child_restart::permanent;
constexpr auto transient = child_restart::transient;
constexpr auto temporary = child_restart::temporary;

} // namespace

// --- start ---------------------------------------------------------------------------------------

TEST_CASE("sup_start_normal: children start left to right and stop right to left") {
  otp t;
  t.start({}, t.kids({"a", "b", "c"}));
  CHECK(t.take_log() == strings{"+a", "+b", "+c"});
  t.end_supervisor();
  CHECK(t.log == strings{"-c", "-b", "-a"});
  CHECK(t.ended == stop_shutdown());
  CHECK(t.reports.empty());
}

TEST_CASE("sup_start_ignore_child: an ignored child stays as undefined") {
  otp t;
  t.ignoring["a"] = true;
  t.start({}, t.kids({"a", "b"}));
  CHECK(t.listed() == strings{"b:running", "a:undefined"});
}

TEST_CASE("sup_start_ignore_temporary_child: an ignored temporary child is forgotten") {
  otp t;
  t.ignoring["a"] = true;
  t.start({}, {t.kid("a", temporary), t.kid("b")});
  CHECK(t.listed() == strings{"b:running"});
}

TEST_CASE("sup_start_ignore_temporary_child_start_child: the same on request") {
  otp t;
  t.ignoring["a"] = true;
  t.start({}, {});
  CHECK_FALSE(t.add(t.kid("a", temporary)));
  CHECK(t.listed().empty());
}

TEST_CASE("sup_start_ignore_temporary_child_start_child_simple: the same for dynamic children") {
  otp t;
  t.ignoring["a"] = true;
  t.start({.strategy = supervision::dynamic}, {t.kid("a", temporary)});
  CHECK_FALSE(t.add({}));
  CHECK(t.counts().workers == 0);
}

TEST_CASE("sup_start_error_return: a child that fails to start ends the supervisor, those before "
          "it stopped") {
  otp t;
  t.failing["b"] = 1;
  t.start({}, t.kids({"a", "b", "c"}));
  CHECK(t.log == strings{"+a", "!b", "-a"});
  REQUIRE(t.ended);
  CHECK(t.ended->what == "start_failed");
  CHECK(t.ended->text == "cannot start child 'b': cannot start 'b': told to fail");
  REQUIRE(t.reports.size() == 1);
  CHECK(t.reports[0].kind == supervisor_report::what::start_failed);
  CHECK(t.reports[0].id == "b");
}

TEST_CASE("sup_start_fail: a start function that throws is a failed start") {
  otp t;
  auto spec = t.kid("a");
  spec.start = [](caf::actor_system&) -> start_answer { throw std::runtime_error("no luck"); };
  t.start({}, {spec});
  REQUIRE(t.ended);
  CHECK(t.ended->text.find("no luck") != std::string::npos);
}

TEST_CASE("sup_start_child_returns_error: start_child answers the error and keeps nothing") {
  otp t;
  t.start({}, {});
  t.failing["a"] = 1;
  CHECK(t.refused<child_started>(start_child{t.kid("a")}).cause == "told to fail");
  CHECK(t.listed().empty());
}

TEST_CASE(
    "sup_start_restart_child_returns_error: restart_child answers the error, the spec stays") {
  otp t;
  t.start({}, t.kids({"a"}));
  t.ask<child_done>(terminate_child{"a"});
  t.failing["a"] = 1;
  CHECK(t.refused<child_started>(restart_child{"a"}).cause == "told to fail");
  CHECK(t.listed() == strings{"a:undefined"});
}

TEST_CASE("sup_start_map_faulty_specs, sup_flags: contradictions are refused before any start") {
  otp t;
  auto refuse = [&](const supervisor_flags& f, std::vector<child_spec> specs) {
    auto made = spawn_supervisor(t.s.sys, f, std::move(specs));
    return made ? std::string{"accepted"} : made.error().cause;
  };
  CHECK(refuse({.period = 0s}, {}) == "period is not positive");
  CHECK(refuse({}, t.kids({"a", "a"})) == "duplicate child name");
  CHECK(refuse({}, {child_spec{.id = "a"}}) == "no start function");
  CHECK(refuse({.strategy = supervision::dynamic}, {}) == "dynamic needs exactly one template");
  auto spec = t.kid("a", transient);
  spec.significant = true;
  CHECK(refuse({}, {spec}) == "significant, but auto_shutdown is never");
  spec.restart = permanent;
  CHECK(refuse({.when_significant = auto_shutdown::any_significant}, {spec}) ==
        "permanent and significant");
  CHECK(t.log.empty());
}

// --- stop ----------------------------------------------------------------------------------------

TEST_CASE("sup_stop_infinity: a child with infinity is waited for however long it takes") {
  otp t;
  t.stubborn["b"] = true;
  auto b = t.kid("b");
  b.shutdown = shutdown_after::infinity();
  t.start({}, {t.kid("a"), b});
  t.take_log();
  t.end_supervisor();
  t.s.advance(24h);
  t.s.settle();
  CHECK(t.log.empty());
  CHECK_FALSE(t.ended);
  t.crash("b", stop_shutdown());
  CHECK(t.log == strings{"-b", "-a"});
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("sup_stop_timeout: a child that does not obey in time is killed, and reported") {
  otp t;
  t.stubborn["b"] = true;
  auto b = t.kid("b");
  b.shutdown.limit = 1000ms;
  t.start({}, {t.kid("a"), b});
  t.take_log();
  t.end_supervisor();
  t.s.advance(999ms);
  t.s.settle();
  CHECK(t.log.empty());
  t.s.advance(1ms);
  t.s.settle();
  CHECK(t.log == strings{"-b", "-a"});
  CHECK(t.ended == stop_shutdown());
  REQUIRE(t.reports.size() == 1);
  CHECK(t.reports[0] ==
        supervisor_report{supervisor_report::what::shutdown_failed, "b", "abnormal killed"});
}

TEST_CASE("sup_stop_brutal_kill: killed at once, and that is no report") {
  otp t;
  t.stubborn["b"] = true;
  auto b = t.kid("b");
  b.shutdown = shutdown_after::brutal();
  t.start({}, {t.kid("a"), b});
  t.take_log();
  t.end_supervisor();
  CHECK(t.log == strings{"-b", "-a"});
  CHECK(t.reports.empty());
}

TEST_CASE("a supervisor that is killed takes its children with it") {
  otp t;
  t.start({}, t.kids({"a", "b"}));
  t.take_log();
  compat::send_exit(t.sup, caf::make_error(caf::exit_reason::kill));
  t.s.settle();
  CHECK(t.log.size() == 2);
}

// --- administration ------------------------------------------------------------------------------

TEST_CASE("child_adm: start, terminate, restart and delete with all their refusals") {
  otp t;
  t.start({}, t.kids({"a"}));
  CHECK(t.refused<child_started>(start_child{t.kid("a")}).cause == "already started");
  CHECK(t.refused<child_started>(restart_child{"a"}).cause == "running");
  CHECK(t.refused<child_done>(delete_child{"a"}).cause == "running");
  t.ask<child_done>(terminate_child{"a"});
  CHECK(t.listed() == strings{"a:undefined"});
  t.ask<child_done>(terminate_child{"a"}); // again is fine
  CHECK(t.refused<child_started>(start_child{t.kid("a")}).cause == "already present");
  CHECK(t.ask<child_started>(restart_child{"a"}).child == t.last["a"]);
  t.ask<child_done>(terminate_child{"a"});
  t.ask<child_done>(delete_child{"a"});
  CHECK(t.listed().empty());
  CHECK(t.refused<child_started>(restart_child{"a"}).code == errc::not_found);
  CHECK(t.refused<child_done>(delete_child{"a"}).code == errc::not_found);
  CHECK(t.refused<child_done>(terminate_child{"a"}).code == errc::not_found);
  CHECK(t.add(t.kid("a")) == t.last["a"]);
  CHECK(t.reports.empty());
}

TEST_CASE("child_adm_simple: dynamic children are started by the template and ended by handle") {
  otp t;
  t.start({.strategy = supervision::dynamic}, {t.kid("a", temporary)});
  const auto first = t.add({});
  const auto second = t.add(t.kid("other"));
  CHECK(t.take_log() == strings{"+a", "+other"});
  CHECK(t.counts() == child_counts{1, 2, 0, 2});
  CHECK(t.refused<child_done>(terminate_child{"a"}).code == errc::unsupported);
  CHECK(t.refused<child_done>(terminate_dynamic{t.me}).code == errc::not_found);
  t.ask<child_done>(terminate_dynamic{first});
  CHECK(t.log == strings{"-a"});
  CHECK(t.counts() == child_counts{1, 1, 0, 1});
  CHECK(t.refused<child_done>(terminate_dynamic{first}).code == errc::not_found);
  CHECK(t.refused<child_started>(restart_child{"a"}).code == errc::not_found);
  (void)second;
}

TEST_CASE("order_of_children: which_children shows the newest first") {
  otp t;
  t.start({}, t.kids({"a", "b"}));
  t.add(t.kid("c"));
  CHECK(t.listed() == strings{"c:running", "b:running", "a:running"});
}

TEST_CASE("count_children: specs, active, supervisors and workers") {
  otp t;
  auto sub = t.kid("s");
  sub.type = child_type::supervisor;
  t.start({}, {t.kid("a"), sub, t.kid("b")});
  CHECK(t.counts() == child_counts{3, 3, 1, 2});
  t.ask<child_done>(terminate_child{"a"});
  CHECK(t.counts() == child_counts{3, 2, 1, 2});
}

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
  t.start({}, t.kids({"a", "b"}));
  t.take_log();
  t.crash("a");
  CHECK(t.log == strings{"-a", "+a"});
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

// --- while restarting ----------------------------------------------------------------------------

TEST_CASE("hanging_restart_loop: between failing starts requests get through, and stop works") {
  for (const auto strategy :
       {supervision::one_for_one, supervision::one_for_all, supervision::rest_for_one}) {
    otp t;
    t.start({.strategy = strategy, .intensity = 1000000}, t.kids({"a"}));
    t.failing["a"] = 1000000;
    t.s.send(t.me, t.last["a"], end_child{abnormal()});
    t.s.step(t.last["a"]); // ends
    t.s.step(t.sup);       // its end: the first failing restart
    // what OTP's test asks while the loop runs
    t.s.send(t.me, t.sup, restart_child{"a"});
    t.s.send(t.me, t.sup, delete_child{"a"});
    t.s.send(t.me, t.sup, terminate_child{"a"});
    for (int i = 0; i < 10; ++i)
      t.s.step(t.sup);
    t.s.settle(); // comes to rest only because terminate_child took the child out of the loop
    CHECK(t.listed() == strings{"a:undefined"});
    CHECK(t.failing["a"] > 999990);
  }
}

TEST_CASE("count_restarting_children: a restarting child is no active one") {
  otp t;
  t.start({.intensity = 1000000}, t.kids({"a", "b"}));
  t.failing["a"] = 1000000;
  t.s.send(t.me, t.last["a"], end_child{abnormal()});
  t.s.step(t.last["a"]);
  t.s.step(t.sup);
  caf::scoped_actor self{t.s.sys};
  auto counted = compat::request(&*self, t.sup, 1s, count_children{});
  auto listed = compat::request(&*self, t.sup, 1s, which_children{});
  auto again = compat::request(&*self, t.sup, 1s, restart_child{"a"});
  auto removed = compat::request(&*self, t.sup, 1s, delete_child{"a"});
  t.s.send(t.me, t.sup, terminate_child{"a"});
  t.s.settle();
  auto wrong = [](const caf::error& e) { FAIL(to_string(e)); };
  std::move(counted).receive(
      [](const child_counts& n) {
        CHECK(n == child_counts{2, 1, 0, 2});
      },
      wrong);
  std::move(listed).receive(
      [](const child_list& l) { CHECK(l.children[1].state == child_state::restarting); }, wrong);
  auto is_restarting = [](const caf::error& e) { CHECK(error_of(e).cause == "restarting"); };
  std::move(again).receive([](const child_started&) { FAIL("granted"); }, is_restarting);
  std::move(removed).receive([](const child_done&) { FAIL("granted"); }, is_restarting);
}

TEST_CASE("an exit signal while a child is restarting ends the supervisor") {
  otp t;
  t.start({.intensity = 1000000}, t.kids({"a", "b"}));
  t.failing["a"] = 1000000;
  t.s.send(t.me, t.last["a"], end_child{abnormal()});
  t.s.step(t.last["a"]);
  t.s.step(t.sup);
  t.end_supervisor();
  CHECK(t.ended == stop_shutdown());
  CHECK(t.log.back() == "-b");
}

TEST_CASE("requests that come while children are being stopped wait until it is done") {
  otp t;
  t.stubborn["a"] = true;
  t.start({}, t.kids({"a"}));
  caf::scoped_actor self{t.s.sys};
  auto stopped = compat::request(&*self, t.sup, 1h, terminate_child{"a"});
  auto counted = compat::request(&*self, t.sup, 1h, count_children{});
  t.s.settle();
  CHECK_FALSE(self->has_next_message());
  t.s.advance(5s); // the default shutdown time: now it is killed
  t.s.settle();
  auto wrong = [](const caf::error& e) { FAIL(to_string(e)); };
  std::move(stopped).receive([](const child_done&) {}, wrong);
  std::move(counted).receive([](const child_counts& n) { CHECK(n.active == 0); }, wrong);
}

TEST_CASE("a supervisor that is killed while it stops a child answers who waits") {
  otp t;
  t.stubborn["a"] = true;
  t.start({}, t.kids({"a"}));
  caf::scoped_actor self{t.s.sys};
  auto stopped = compat::request(&*self, t.sup, 1h, terminate_child{"a"});
  auto counted = compat::request(&*self, t.sup, 1h, count_children{});
  t.s.settle();
  compat::send_exit(t.sup, caf::make_error(caf::exit_reason::kill));
  t.s.settle();
  auto gone = [](const caf::error& e) { CHECK(error_of(e).code == errc::unavailable); };
  std::move(stopped).receive([](const child_done&) { FAIL("not stopped"); }, gone);
  std::move(counted).receive([](const child_counts&) { FAIL("not counted"); }, gone);
}

TEST_CASE("a sibling that crashes while another is being stopped is restarted afterwards") {
  otp t;
  t.stubborn["a"] = true;
  t.start({}, t.kids({"a", "b"}));
  t.s.send(t.me, t.sup, terminate_child{"a"});
  t.s.settle();
  t.take_log();
  t.crash("b");
  CHECK(t.take_log() == strings{"-b"});
  t.s.advance(5s);
  t.s.settle();
  CHECK(t.log == strings{"-a", "+b"});
}

// --- trees, significance, scale ------------------------------------------------------------------

TEST_CASE("tree: a supervisor that gives up is restarted by its own, as any child") {
  otp t;
  child_spec sub;
  sub.id = "sub";
  sub.type = child_type::supervisor;
  sub.shutdown = shutdown_after::infinity();
  sub.start = [&t](caf::actor_system& sys) -> start_answer {
    auto made = spawn_supervisor(sys, {.intensity = 0}, t.kids({"x", "y"}),
                                 [](const supervisor_report&) {});
    if (!made) return made.error();
    return *made;
  };
  t.start({}, {t.kid("a"), sub});
  CHECK(t.take_log() == strings{"+a", "+x", "+y"});
  t.crash("x");
  CHECK(t.take_log() == strings{"-x", "-y", "+x", "+y"});
  t.end_supervisor();
  CHECK(t.log == strings{"-y", "-x", "-a"});
}

TEST_CASE("auto_shutdown never: a significant child is refused, an ordinary one ends quietly") {
  otp t;
  t.start({}, t.kids({"a"}, transient));
  t.crash("a", stop_normal());
  CHECK_FALSE(t.ended);
}

TEST_CASE("auto_shutdown any_significant: the first significant end by itself ends all") {
  otp t;
  auto specs = t.kids({"a", "b"}, transient);
  specs[0].significant = true;
  t.start({.when_significant = auto_shutdown::any_significant}, specs);
  t.crash("b", stop_normal());
  CHECK_FALSE(t.ended);
  t.crash("a"); // abnormal: restarted, no reason to end
  CHECK_FALSE(t.ended);
  t.crash("a", stop_normal());
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("auto_shutdown all_significant: the last significant end does") {
  otp t;
  auto specs = t.kids({"a", "b", "c"}, temporary);
  specs[0].significant = specs[1].significant = true;
  t.start({.when_significant = auto_shutdown::all_significant}, specs);
  t.crash("a", abnormal());
  CHECK_FALSE(t.ended);
  t.crash("b", stop_normal());
  CHECK(t.ended == stop_shutdown());
  CHECK(t.log.back() == "-c");
}

TEST_CASE("auto_shutdown: a significant child that is terminated on request does not count") {
  otp t;
  auto specs = t.kids({"a"}, transient);
  specs[0].significant = true;
  t.start({.when_significant = auto_shutdown::any_significant}, specs);
  t.ask<child_done>(terminate_child{"a"});
  CHECK_FALSE(t.ended);
}

TEST_CASE("scale_start_stop_many_children, simple_one_for_one_scale_many_temporary_children") {
  for (const auto strategy : {supervision::one_for_one, supervision::dynamic}) {
    otp t;
    t.start({.strategy = strategy}, strategy == supervision::dynamic
                                        ? std::vector<child_spec>{t.kid("x", temporary)}
                                        : std::vector<child_spec>{});
    for (int i = 0; i < 2000; ++i)
      t.s.send(t.me, t.sup, start_child{t.kid("k" + std::to_string(i), temporary)});
    t.s.settle();
    CHECK(t.counts().active == 2000);
    t.end_supervisor();
    CHECK(t.ended == stop_shutdown());
    CHECK(t.log.size() == 4000);
  }
}
