// OTP's supervisor_SUITE: restart loops, trees, scale. Each case is named after the one whose
// promise it checks, where there is one (SUPERVISOR_SUITE.md has the whole list). Written anew from
// the documented promises; in virtual time.
#include "tests/actor/otp_fixture.hpp"

#include <algorithm>

namespace supervisor_loop_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

// --- while restarting ----------------------------------------------------------------------------

namespace {

constexpr std::uint32_t endless = 1'000'000'000;

void refuses_while_restarting(otp& t, const std::string& id) {
  CHECK(t.ask_in_loop<child_started>(start_child{t.kid(id)}).error().cause == "already present");
  CHECK(t.ask_in_loop<child_started>(restart_child{id}).error().cause == "restarting");
  CHECK(t.ask_in_loop<child_done>(delete_child{id}).error().cause == "restarting");
}

} // namespace

TEST_CASE("hanging_restart_loop: between failing starts requests get through, and stop works") {
  for (const auto strategy : {supervision::one_for_one, supervision::one_for_all}) {
    otp t;
    t.start({.strategy = strategy, .intensity = endless}, t.kids({"a"}));
    t.begin_loop("a");
    refuses_while_restarting(t, "a");
    CHECK(t.rows(*t.ask_in_loop<child_list>(which_children{})) == strings{"a:restarting"});
    CHECK(*t.ask_in_loop<child_counts>(count_children{}) == child_counts{1, 0, 0, 1});
    CHECK(t.ask_in_loop<child_done>(terminate_child{"a"}));
    t.s.settle(); // comes to rest only because the child is out of the loop
    CHECK(t.listed() == strings{"a:undefined"});

    t.failing["a"] = 0;
    t.ask<child_started>(restart_child{"a"});
    t.begin_loop("a");
    t.end_supervisor();
    CHECK(t.ended == stop_shutdown());
  }
}

TEST_CASE("hanging_restart_loop_rest_for_one: those after the one that cannot start stay down") {
  otp t;
  t.start({.strategy = supervision::rest_for_one, .intensity = endless}, t.kids({"a", "b", "c"}));
  const auto a = t.last["a"];
  t.begin_loop("b");
  for (int i = 0; i < 3; ++i) // c is stopped before b's first new start
    t.s.step(i == 0 ? t.last["c"] : t.sup);
  refuses_while_restarting(t, "b");
  CHECK(t.rows(*t.ask_in_loop<child_list>(which_children{})) ==
        strings{"c:undefined", "b:restarting", "a:running"});
  CHECK(*t.ask_in_loop<child_counts>(count_children{}) == child_counts{3, 1, 0, 3});
  CHECK(t.ask_in_loop<child_done>(terminate_child{"b"}));
  t.s.settle();
  CHECK(t.listed() == strings{"c:undefined", "b:undefined", "a:running"});
  CHECK(t.last["a"] == a);

  t.failing["b"] = 0;
  t.ask<child_started>(restart_child{"b"});
  t.begin_loop("b");
  t.end_supervisor();
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("hanging_restart_loop_simple: a dynamic child is taken out by the handle it had") {
  otp t;
  t.start({.strategy = supervision::dynamic, .intensity = endless}, {t.kid("a")});
  const auto child = t.add({});
  t.begin_loop("a");
  CHECK(t.ask_in_loop<child_started>(restart_child{"a"}).error().code == errc::unsupported);
  CHECK(t.ask_in_loop<child_done>(delete_child{"a"}).error().code == errc::unsupported);
  CHECK(t.rows(*t.ask_in_loop<child_list>(which_children{})) == strings{"a:restarting"});
  CHECK(*t.ask_in_loop<child_counts>(count_children{}) == child_counts{1, 0, 0, 1});
  CHECK(t.ask_in_loop<child_done>(terminate_dynamic{child}));
  t.s.settle();
  CHECK(t.listed().empty());

  t.failing["a"] = 0;
  t.add({});
  t.begin_loop("a");
  t.end_supervisor();
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("count_restarting_children: a restarting child is counted, but not as active") {
  otp t;
  t.start({.strategy = supervision::dynamic, .intensity = endless}, {child_spec{}});
  for (const auto* id : {"a", "b", "c"})
    t.add(t.kid(id));
  CHECK(t.counts() == child_counts{1, 3, 0, 3});
  const auto a = t.last["a"];
  t.begin_loop("a");
  t.begin_loop("b");
  CHECK(*t.ask_in_loop<child_counts>(count_children{}) == child_counts{1, 1, 0, 3});
  t.failing["a"] = t.failing["b"] = 0;
  t.s.settle();
  CHECK(t.counts() == child_counts{1, 3, 0, 3});
  t.ask<child_done>(
      terminate_dynamic{a}); // ended long ago: its successor is another child's handle
  CHECK(t.counts() == child_counts{1, 3, 0, 3});
  std::size_t left = 3;
  for (const auto* id : {"a", "b", "c"}) {
    t.ask<child_done>(terminate_dynamic{t.last[id]});
    --left;
    CHECK(t.counts() == child_counts{1, left, 0, left});
  }
}

TEST_CASE("a dynamic child that loops is taken out even if it fell into the loop during a stop") {
  otp t;
  child_spec templ;
  templ.shutdown.limit = 1s;
  t.start({.strategy = supervision::dynamic, .intensity = endless}, {templ});
  t.stubborn["slow"] = true;
  const auto slow = t.add(t.kid("slow"));
  const auto child = t.add(t.kid("a"));
  t.s.send(t.me, t.sup, terminate_dynamic{slow});
  t.s.settle();
  t.begin_loop("a"); // heard, not yet acted on
  t.s.advance(1s);
  for (int i = 0; i < 4; ++i)
    t.s.step(i == 1 ? slow : t.sup);
  CHECK(t.ask_in_loop<child_done>(terminate_dynamic{child}));
  t.s.settle();
  CHECK(t.listed().empty());
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

TEST_CASE("child_unlink: whatever a child does to its links, its end is seen") {
  class naughty : public role {
   public:
    naughty(caf::actor_config& cfg, caf::actor& boss) : role(cfg), boss_(boss) {
      compat::trap_exit(this, [](const caf::error&) {});
    }
    caf::behavior make_behavior() override {
      unlink_from(caf::actor_cast<caf::actor>(boss_));
      return {[](const end_child&) {}};
    }

   private:
    caf::actor boss_;
  };
  otp t;
  auto spec = t.kid("a");
  spec.shutdown.limit = 1s;
  spec.start = [&t](caf::actor_system& sys) -> start_answer { return sys.spawn<naughty>(t.sup); };
  t.start({}, {});
  t.add(spec);
  caf::scoped_actor self{t.s.sys};
  auto stopped = compat::request(&*self, t.sup, 1h, terminate_child{"a"});
  t.s.settle();
  t.s.advance(1s);
  t.s.settle();
  REQUIRE(self->has_next_message());
  std::move(stopped).receive([](const child_done&) {},
                             [](const caf::error& e) { FAIL(to_string(e)); });
  CHECK(t.listed() == strings{"a:undefined"});
}

// --- trees and scale -----------------------------------------------------------------------------

namespace {

child_spec sub_supervisor(otp& t, const std::string& id, std::vector<child_spec> children,
                          std::map<std::string, caf::actor>& made) {
  child_spec sub;
  sub.id = id;
  sub.type = child_type::supervisor;
  sub.shutdown = shutdown_after::infinity();
  sub.start = [&made, id, children, &t](caf::actor_system& sys) -> start_answer {
    auto sup = spawn_supervisor(sys, {.intensity = 4, .period = 1h}, children,
                                [&t](const supervisor_report& r) { t.reports.push_back(r); });
    if (!sup) return sup.error();
    return made[id] = *sup;
  };
  return sub;
}

} // namespace

TEST_CASE("tree: what escalates restarts the branch as it was specified, without what was added") {
  otp t;
  std::map<std::string, caf::actor> subs;
  auto third = sub_supervisor(t, "sub3", {}, subs);
  third.restart = transient;
  t.start({.strategy = supervision::one_for_all, .intensity = 4, .period = 1h},
          {sub_supervisor(t, "sub1", t.kids({"a", "b"}), subs), sub_supervisor(t, "sub2", {}, subs),
           third});
  t.ask<child_done>(terminate_child{"sub3"});
  CHECK(t.counts() == child_counts{3, 2, 3, 0});
  t.s.ask<child_started>(subs["sub2"], start_child{t.kid("c")});
  t.s.ask<child_started>(subs["sub2"], start_child{t.kid("d")});
  t.take_log();
  t.crash("d"); // only the one that ended
  CHECK(t.take_log() == strings{"-d", "+d"});

  t.failing["c"] = 1000;
  t.crash("c"); // sub2 gives up; the top restarts all three
  CHECK(t.counts() == child_counts{3, 3, 3, 0});
  CHECK(otp::rows(t.s.ask<child_list>(subs["sub1"], which_children{})) ==
        strings{"b:running", "a:running"});
  CHECK(otp::rows(t.s.ask<child_list>(subs["sub2"], which_children{})).empty());
  t.take_log();
  t.end_supervisor();
  CHECK(t.log == strings{"-b", "-a"});
  CHECK(t.ended == stop_shutdown());
}

TEST_CASE("simple_global_supervisor: a name leads to the present incarnation, whoever ended") {
  otp t;
  std::map<std::string, caf::actor> subs;
  t.start({.strategy = supervision::one_for_all, .intensity = 3, .period = 1min},
          {sub_supervisor(t, "sub", t.kids({"server"}), subs)});
  const auto again = [&](auto&& end) {
    const auto sub = subs["sub"];
    const auto server = t.last["server"];
    end();
    t.s.settle();
    CHECK(t.last["server"] != server);
    return subs["sub"] != sub;
  };
  SUBCASE("kill_supervisor") {
    CHECK(again([&] { compat::send_exit(subs["sub"], caf::make_error(caf::exit_reason::kill)); }));
  }
  SUBCASE("kill_worker") {
    CHECK_FALSE(again([&] { t.kill("server"); }));
  }
  SUBCASE("exit_worker") {
    CHECK_FALSE(again([&] { t.crash("server", stop_normal()); }));
  }
  SUBCASE("restart_worker") {
    CHECK_FALSE(again([&] {
      t.s.ask<child_done>(subs["sub"], terminate_child{"server"});
      t.s.ask<child_started>(subs["sub"], restart_child{"server"});
    }));
  }
  t.end_supervisor();
  CHECK(std::count(t.log.begin(), t.log.end(), "+server") ==
        std::count(t.log.begin(), t.log.end(), "-server"));
}

TEST_CASE("scale_start_stop_many_children, simple_one_for_one_scale_many_temporary_children: all "
          "start, and all stop (supervisor_core_test measures how it grows)") {
  for (const auto strategy : {supervision::one_for_one, supervision::dynamic}) {
    otp t;
    t.start({.strategy = strategy}, strategy == supervision::dynamic
                                        ? std::vector<child_spec>{t.kid("x", temporary)}
                                        : std::vector<child_spec>{});
    for (int i = 0; i < 500; ++i)
      t.s.send(t.me, t.sup, start_child{t.kid("k" + std::to_string(i), temporary)});
    t.s.settle();
    CHECK(t.counts().active == 500);
    t.end_supervisor();
    CHECK(t.ended == stop_shutdown());
    CHECK(t.log.size() == 1000);
  }
}

} // namespace supervisor_loop_test
