// OTP's supervisor_SUITE: administration and what is kept. Each case is named after the one whose
// promise it checks, where there is one (SUPERVISOR_SUITE.md has the whole list). Written anew from
// the documented promises; in virtual time.
#include "tests/actor/otp_fixture.hpp"

namespace supervisor_admin_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

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
  CHECK(t.refused<child_done>(terminate_dynamic{t.last["a"]}).code == errc::not_found);
  CHECK(t.counts() == child_counts{1, 1, 0, 1});
  CHECK(t.reports.empty());
}

TEST_CASE("extra_return: a start function's other results are its maker's own business, and the "
          "child is one like any other") {
  otp t;
  int started = 0;
  auto spec = t.kid("a");
  spec.start = [&started, plain = spec.start](caf::actor_system& sys) {
    ++started;
    return plain(sys);
  };
  t.start({}, {spec});
  t.ask<child_done>(terminate_child{"a"});
  CHECK(t.ask<child_started>(restart_child{"a"}).child == t.last["a"]);
  t.ask<child_done>(terminate_child{"a"});
  t.ask<child_done>(delete_child{"a"});
  t.add(spec);
  t.crash("a");
  CHECK(started == 4);
  CHECK(t.listed() == strings{"a:running"});
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
  t.ask<child_done>(terminate_dynamic{first}); // has ended: as asked for
  CHECK(t.counts() == child_counts{1, 1, 0, 1});
  CHECK(t.refused<child_started>(restart_child{"a"}).code == errc::unsupported);
  CHECK(t.refused<child_done>(delete_child{"a"}).code == errc::unsupported);
  (void)second;
}

TEST_CASE(
    "child_specs, child_specs_map: every combination is accepted, or refused for its reason") {
  otp t;
  const std::optional<std::chrono::milliseconds> limits[] = {0ms, 1000ms, std::nullopt};
  for (const auto strategy : {supervision::one_for_one, supervision::one_for_all,
                              supervision::rest_for_one, supervision::dynamic})
    for (const auto when :
         {auto_shutdown::never, auto_shutdown::any_significant, auto_shutdown::all_significant})
      for (const auto type : {permanent, transient, temporary})
        for (const auto& limit : limits)
          for (const bool significant : {false, true}) {
            auto spec = t.kid("a", type);
            spec.significant = significant;
            spec.shutdown.limit = limit;
            const supervisor_flags flags{.strategy = strategy, .when_significant = when};
            const bool wrong = significant && (when == auto_shutdown::never || type == permanent);
            CHECK(check_supervisor(flags, {spec}).has_value() != wrong);
            if (strategy == supervision::dynamic) continue;
            CHECK(check_child(flags, spec).has_value() != wrong);
          }
  auto late = t.kid("a");
  late.shutdown.limit = -10ms;
  CHECK(check_child({}, late).error().cause == "negative shutdown time");
  CHECK(check_child({}, child_spec{.id = "a"}).error().cause == "no start function");
  CHECK(check_supervisor({.strategy = supervision::dynamic}, t.kids({"a", "b"})).error().cause ==
        "dynamic needs exactly one template");
}

TEST_CASE("child_specs: start_child refuses what the start of the supervisor would") {
  otp t;
  t.start({}, {});
  CHECK(t.refused<child_started>(start_child{child_spec{.id = "a"}}).cause == "no start function");
  auto spec = t.kid("a", transient);
  spec.significant = true;
  CHECK(t.refused<child_started>(start_child{spec}).cause ==
        "significant, but auto_shutdown is never");
  CHECK(t.listed().empty());
}

TEST_CASE(
    "order_of_children: started in the order given, not of their names; listed newest first") {
  otp t;
  t.start({.strategy = supervision::rest_for_one}, t.kids({"ch7", "ch3", "ch10", "ch2", "ch5"}));
  CHECK(t.take_log() == strings{"+ch7", "+ch3", "+ch10", "+ch2", "+ch5"});
  t.crash("ch10");
  CHECK(t.take_log() == strings{"-ch10", "-ch5", "-ch2", "+ch10", "+ch2", "+ch5"});
  CHECK(t.listed() ==
        strings{"ch5:running", "ch2:running", "ch10:running", "ch3:running", "ch7:running"});
  t.end_supervisor();
  CHECK(t.log == strings{"-ch5", "-ch2", "-ch10", "-ch3", "-ch7"});
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

TEST_CASE("count_children, count_children_supervisor: of dynamic children") {
  for (const auto type : {child_type::worker, child_type::supervisor}) {
    otp t;
    auto templ = t.kid("a", temporary);
    templ.type = type;
    t.start({.strategy = supervision::dynamic}, {templ});
    std::vector<caf::actor> children;
    for (std::size_t n = 1; n <= 2; ++n) {
      for (int i = 0; i < 100; ++i)
        children.push_back(t.add({}));
      const auto all = 100 * n;
      const bool workers = type == child_type::worker;
      CHECK(t.counts() == child_counts{1, all, workers ? 0 : all, workers ? all : 0});
      CHECK(t.listed().size() == all);
    }
    for (const auto& c : children)
      compat::send_exit(c, caf::make_error(caf::exit_reason::kill));
    t.s.settle();
    CHECK(t.counts() == child_counts{1, 0, 0, 0});
  }
}

// --- what is kept of a child ---------------------------------------------------------------------

TEST_CASE(
    "do_not_save_start_parameters_for_temporary_children, simple_one_for_one_corruption: what "
    "a temporary child was started with is let go") {
  for (const auto strategy : {supervision::one_for_one, supervision::one_for_all,
                              supervision::rest_for_one, supervision::dynamic})
    for (const auto type : {permanent, transient, temporary}) {
      otp t;
      child_spec templ;
      templ.restart = type;
      t.start({.strategy = strategy}, strategy == supervision::dynamic
                                          ? std::vector<child_spec>{templ}
                                          : std::vector<child_spec>{});
      const auto large = std::make_shared<std::string>(1000, 'x');
      for (const auto* id : {"a", "b"}) {
        auto spec = t.kid(id, type);
        spec.start = [large, plain = spec.start](caf::actor_system& sys) { return plain(sys); };
        t.add(std::move(spec));
      }
      CHECK(large.use_count() == (type == temporary ? 1 : 3));
      if (type != temporary) continue;
      t.crash("a"); // and it stays so after the first one ended
      auto spec = t.kid("c", type);
      spec.start = [large, plain = spec.start](caf::actor_system& sys) { return plain(sys); };
      t.add(std::move(spec));
      CHECK(large.use_count() == 1);
    }
}

TEST_CASE("do_not_save_child_specs_for_temporary_children: their id is free again at once") {
  enum class how { killed, normal, abnormally, by_supervisor };
  for (const auto strategy :
       {supervision::one_for_one, supervision::one_for_all, supervision::rest_for_one})
    for (const auto end : {how::killed, how::normal, how::abnormally, how::by_supervisor})
      for (const auto type : {permanent, transient, temporary}) {
        otp t;
        t.start({.strategy = strategy}, {});
        t.add(t.kid("a", type));
        if (end == how::killed) t.kill("a");
        if (end == how::normal) t.crash("a", stop_normal());
        if (end == how::abnormally) t.crash("a");
        if (end == how::by_supervisor) t.ask<child_done>(terminate_child{"a"});
        if (type == temporary) {
          CHECK(t.add(t.kid("a", type)));
          continue;
        }
        const bool restarted =
            end != how::by_supervisor && !(type == transient && end == how::normal);
        CHECK(t.refused<child_started>(start_child{t.kid("a", type)}).cause ==
              (restarted ? "already started" : "already present"));
        if (!restarted) CHECK(t.ask<child_started>(restart_child{"a"}).child);
      }
}

} // namespace supervisor_admin_test
