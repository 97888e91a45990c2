// OTP's supervisor_SUITE: starting and stopping. Each case is named after the one whose promise it
// checks, where there is one (SUPERVISOR_SUITE.md has the whole list). Written anew from the
// documented promises; in virtual time.
#include "tests/actor/otp_fixture.hpp"

namespace supervisor_start_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

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
  for (const bool on_request : {false, true}) {
    otp t;
    t.ignoring["a"] = true;
    t.start({}, on_request ? std::vector<child_spec>{} : t.kids({"a", "b"}));
    if (on_request) {
      CHECK_FALSE(t.add(t.kid("a")));
      CHECK(t.add(t.kid("b")) == t.last["b"]);
    }
    CHECK(t.listed() == strings{"b:running", "a:undefined"});
    CHECK(t.counts() == child_counts{2, 1, 0, 2});
  }
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

TEST_CASE("sup_start_ignore_permanent_child_start_child_simple: a dynamic child that is ignored is "
          "forgotten, whatever its type") {
  otp t;
  t.ignoring["a"] = true;
  t.start({.strategy = supervision::dynamic}, {t.kid("a")});
  CHECK_FALSE(t.add({}));
  t.ignoring["a"] = false;
  CHECK(t.add({}));
  CHECK(t.listed() == strings{"a:running"});
  CHECK(t.counts() == child_counts{1, 1, 0, 1});
  t.end_supervisor();
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("sup_start_error_return: a child that fails to start ends the supervisor, those before "
          "it stopped") {
  otp t;
  t.failing["b"] = 1;
  t.start({}, t.kids({"a", "b", "c"}));
  CHECK(t.log == strings{"+a", "!b", "-a"});
  REQUIRE(t.ended);
  CHECK(t.ended->cause == stop_cause::start_failed);
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

TEST_CASE("sup_start_child_returns_error_simple: the same for dynamic children") {
  otp t;
  t.start({.strategy = supervision::dynamic}, {t.kid("a")});
  t.failing["a"] = 1;
  CHECK(t.refused<child_started>(start_child{}).cause == "told to fail");
  CHECK(t.listed().empty());
}

TEST_CASE("sup_start_map: what a specification leaves out has OTP's defaults") {
  const child_spec spec;
  CHECK(spec.restart == permanent);
  CHECK(spec.shutdown.limit == 5s);
  CHECK(spec.type == child_type::worker);
  CHECK_FALSE(spec.significant);
  const supervisor_flags flags;
  CHECK(flags.strategy == supervision::one_for_one);
  CHECK(flags.intensity == 1);
  CHECK(flags.period == 5s);
  CHECK(flags.when_significant == auto_shutdown::never);
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

TEST_CASE("faulty_application_shutdown: what made the innermost child fail reaches the top") {
  otp t;
  child_spec sub;
  sub.id = "sub";
  sub.type = child_type::supervisor;
  sub.shutdown = shutdown_after::infinity();
  sub.restart = transient;
  sub.start = [&t](caf::actor_system& sys) -> start_answer {
    auto worker = t.kid("worker");
    worker.start = [](caf::actor_system&) -> start_answer {
      throw std::runtime_error("an undefined function");
    };
    auto made = spawn_supervisor(sys, {}, {worker}, [](const supervisor_report&) {});
    if (!made) return made.error();
    return *made;
  };
  t.start({.intensity = 0}, {sub});
  CHECK(t.ended == stop_shutdown());
  REQUIRE(t.reports.size() == 2);
  CHECK(t.reports[0].kind == supervisor_report::what::child_terminated);
  CHECK(t.reports[0].id == "sub");
  CHECK(t.reports[0].reason.find("cannot start child 'worker'") != std::string::npos);
  CHECK(t.reports[0].reason.find("an undefined function") != std::string::npos);
  CHECK(t.reports[1].kind == supervisor_report::what::too_many_restarts);
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

TEST_CASE("sup_stop_timeout_dynamic: the same for dynamic children") {
  otp t;
  auto templ = t.kid("a", temporary);
  templ.shutdown.limit = 1000ms;
  t.start({.strategy = supervision::dynamic}, {templ});
  t.add({});
  t.stubborn["x"] = true;
  t.add(t.kid("x"));
  t.take_log();
  t.end_supervisor();
  CHECK(t.take_log() == strings{"-a"});
  t.s.advance(999ms);
  t.s.settle();
  CHECK(t.log.empty());
  t.s.advance(1ms);
  t.s.settle();
  CHECK(t.log == strings{"-x"});
  CHECK(t.ended == stop_shutdown());
  REQUIRE(t.reports.size() == 1);
  CHECK(t.reports[0].reason == "abnormal killed");
}

TEST_CASE("sup_stop_brutal_kill_dynamic: all are killed at once") {
  otp t;
  auto templ = t.kid("a", temporary);
  templ.shutdown = shutdown_after::brutal();
  t.start({.strategy = supervision::dynamic}, {templ});
  t.stubborn["a"] = true;
  for (int i = 0; i < 10; ++i)
    t.add({});
  t.take_log();
  t.end_supervisor();
  CHECK(t.log.size() == 10);
  CHECK(t.ended == stop_shutdown());
  CHECK(t.reports.empty());
}

TEST_CASE("sup_stop_race: children may end in any way while the supervisor stops another") {
  otp t;
  const stop_reason others[] = {stop_normal(), stop_shutdown(), stop_exited(3), abnormal()};
  std::vector<child_spec> specs{t.kid("a", temporary)};
  for (const auto type : {temporary, transient, permanent})
    for (std::size_t n = 0; n < std::size(others); ++n)
      specs.push_back(t.kid(std::to_string(static_cast<int>(type)) + std::to_string(n), type));
  specs.push_back(t.kid("z", temporary));
  t.stubborn["z"] = true; // stopped first, and takes its time
  t.start({}, specs);
  t.take_log();
  t.end_supervisor();
  for (std::size_t i = 1; i + 1 < specs.size(); ++i)
    t.crash(specs[i].id, others[(i - 1) % std::size(others)]);
  CHECK(t.log.size() == 12);
  CHECK_FALSE(t.ended);
  t.crash("z", stop_shutdown());
  CHECK(t.log.size() == 14);
  CHECK(t.log.back() == "-a");
  CHECK(t.ended == stop_shutdown());
  strings reported;
  for (const auto& r : t.reports)
    reported.push_back(r.id + " " + r.reason);
  // a permanent child has to end as told, the others must not fail
  CHECK(reported == strings{"03 abnormal error", "02 shutdown workload_exited 3", "00 normal",
                            "13 abnormal error", "23 abnormal error"});
}

TEST_CASE("sup_stop_non_shutdown_exit_dynamic: the same for dynamic children") {
  for (const auto type : {temporary, transient, permanent}) {
    otp t;
    child_spec templ;
    templ.restart = type;
    t.start({.strategy = supervision::dynamic}, {templ});
    const std::pair<std::string, stop_reason> kids[] = {{"normal", stop_normal()},
                                                        {"shutdown", stop_shutdown()},
                                                        {"exited", stop_exited(3)},
                                                        {"other", abnormal()}};
    for (const auto& [id, why] : kids) {
      t.obeys_with[id] = why;
      t.add(t.kid(id));
    }
    t.end_supervisor();
    CHECK(t.ended == stop_shutdown());
    CHECK(t.reports.size() == (type == permanent ? 3 : 1));
  }
}

TEST_CASE("a child that ended before its turn to be stopped is not waited for") {
  // its end waits behind the order to stop it: nothing else will ever be heard of it
  otp t;
  t.stubborn["a"] = true;
  auto b = t.kid("b");
  b.shutdown = shutdown_after::infinity();
  t.start({}, {t.kid("a"), b});
  caf::scoped_actor self{t.s.sys};
  auto first = compat::request(&*self, t.sup, 1h, terminate_child{"a"});
  auto second = compat::request(&*self, t.sup, 1h, terminate_child{"b"});
  t.s.settle();
  t.crash("b");
  CHECK(t.log == strings{"+a", "+b", "-b"});
  t.s.advance(5s); // a is killed
  t.s.settle();
  REQUIRE(self->has_next_message());
  auto wrong = [](const caf::error& e) { FAIL(to_string(e)); };
  std::move(first).receive([](const child_done&) {}, wrong);
  std::move(second).receive([](const child_done&) {}, wrong);
  CHECK(t.listed() == strings{"b:undefined", "a:undefined"});
}

TEST_CASE("a supervisor that is killed takes its children with it") {
  otp t;
  t.start({}, t.kids({"a", "b"}));
  t.take_log();
  compat::send_exit(t.sup, caf::make_error(caf::exit_reason::kill));
  t.s.settle();
  CHECK(t.log.size() == 2);
}

} // namespace supervisor_start_test
