#include "pod/runtime_machine.hpp"

#include "pod/image_problem.hpp"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace tank;
using k = runtime_event_kind;
using a = runtime_action_kind;
using st = runtime_state;
using namespace std::chrono_literals;

namespace {

runtime_event event(k kind, int code = 0, std::int64_t at = 0) {
  runtime_event e{.kind = kind};
  e.code = code;
  e.at_ns = at;
  e.pid = 77;
  e.why = error{errc::io, 0, "do", "it", "because", ""};
  return e;
}

std::vector<a> kinds(const std::vector<runtime_action>& actions) {
  std::vector<a> out;
  for (const auto& x : actions)
    out.push_back(x.kind);
  return out;
}

std::uint64_t armed(const std::vector<runtime_action>& actions) {
  for (const auto& x : actions)
    if (x.kind == a::arm_timer) return x.serial;
  return 0;
}

/// A machine led to `to` by the shortest way.
runtime_machine at(st to, std::uint64_t* serial = nullptr) {
  runtime_machine m{{.name = "default/web", .tty = true}};
  std::uint64_t last = armed(to == st::adopting ? m.begin_adoption({}) : m.begin());
  const auto go = [&](const runtime_event& e) {
    if (const auto s = armed(m.handle(e))) last = s;
  };
  static const std::map<st, std::vector<runtime_event>> ways{
      {st::image, {}},
      {st::preparing, {event(k::image_ready)}},
      {st::abandoning, {event(k::image_ready), event(k::stop)}},
      {st::spawned, {event(k::image_ready), event(k::prepared)}},
      {st::ready, {event(k::image_ready), event(k::prepared), event(k::child_ready)}},
      {st::built,
       {event(k::image_ready), event(k::prepared), event(k::child_ready), event(k::child_built)}},
      {st::running,
       {event(k::image_ready), event(k::prepared), event(k::child_ready), event(k::child_built),
        event(k::child_running, 0, 5)}},
      {st::attached,
       {event(k::image_ready), event(k::prepared), event(k::child_ready), event(k::child_built),
        event(k::child_running, 0, 5), event(k::begin_attach)}},
      {st::stopping,
       {event(k::image_ready), event(k::prepared), event(k::child_ready), event(k::child_built),
        event(k::child_running, 0, 5), event(k::stop)}},
      {st::killing, {event(k::image_ready), event(k::prepared), event(k::stop)}},
      {st::closing,
       {event(k::image_ready), event(k::prepared), event(k::child_ready), event(k::child_built),
        event(k::child_running, 0, 5), event(k::child_exited, 3, 9)}},
      {st::cleaning, {event(k::image_failed)}},
      {st::done, {event(k::image_failed), event(k::cleaned)}},
      {st::adopting, {}},
  };
  for (const auto& e : ways.at(to))
    go(e);
  REQUIRE(m.state() == to);
  if (serial != nullptr) *serial = last;
  return m;
}

runtime_machine running() {
  return at(st::running);
}

} // namespace

TEST_CASE("the way of a pod that exits 0") {
  runtime_machine m{{.name = "default/web"}};
  CHECK(kinds(m.begin()) == std::vector{a::resolve_image});
  CHECK(kinds(m.handle(event(k::image_ready))) == std::vector{a::prepare});
  CHECK(kinds(m.handle(event(k::prepared))) == std::vector{a::arm_timer, a::start_session});
  CHECK(m.handle(event(k::child_ready)).empty());
  CHECK(kinds(m.handle(event(k::child_built))) == std::vector{a::proceed});
  CHECK(kinds(m.handle(event(k::child_running, 0, 5))) == std::vector{a::report_running});
  CHECK(kinds(m.handle(event(k::child_exited, 0, 9))) == std::vector{a::arm_timer, a::shutdown});
  CHECK(kinds(m.handle(event(k::session_down))) == std::vector{a::drop_session, a::clean});
  CHECK(kinds(m.handle(event(k::cleaned))) == std::vector{a::finish});
  CHECK(m.reason() == stop_reason{});
  CHECK(m.how().reason == "Completed");
  CHECK(m.how().started_ns == 5);
  CHECK(m.how().finished_ns == 9);
}

TEST_CASE("how a workload ended becomes its stop reason") {
  auto m = running();
  m.handle(event(k::child_exited, 3, 9));
  CHECK(m.reason().cls == stop_class::shutdown);
  CHECK(m.reason().cause == stop_cause::workload_exited);
  CHECK(m.reason().code == 3);
  CHECK(m.how().exit_code == 3);
  CHECK(m.how().reason == "Error");

  m = running();
  m.handle(event(k::child_signaled, 9, 9));
  CHECK(m.reason().cls == stop_class::shutdown);
  CHECK(m.reason().cause == stop_cause::workload_signaled);
  CHECK(m.reason().code == 9);
  CHECK(m.how().exit_code == 137);
  CHECK(m.how().signal == 9);

  m = running();
  CHECK(kinds(m.handle(event(k::session_down))) == std::vector{a::drop_session, a::clean});
  CHECK(m.reason().cls == stop_class::abnormal);
  CHECK(m.reason().cause == stop_cause::session_down);

  m = at(st::spawned);
  m.handle(event(k::child_failed));
  CHECK(m.reason().cls == stop_class::abnormal);
  CHECK(m.reason().cause == stop_cause::bring_up_failed);
  CHECK(m.reason().text == "cannot do 'it': because");
  CHECK(m.how().reason == "StartError");
  CHECK(m.how().exit_code == 128);

  const auto no_image = [](image_problem why, stop_cause cause, std::string_view word) {
    auto n = at(st::image);
    CHECK(kinds(n.handle(event(k::image_failed, static_cast<int>(why)))) == std::vector{a::clean});
    CHECK(n.reason().cause == cause);
    CHECK(n.how().reason == word);
  };
  no_image(image_problem::pull_failed, stop_cause::image_pull_failed, "ErrImagePull");
  no_image(image_problem::never_pull, stop_cause::bring_up_failed, "ErrImageNeverPull");
  no_image(image_problem::invalid_name, stop_cause::bring_up_failed, "InvalidImageName");
}

TEST_CASE("memory that ran out has its own reason, whoever of the container was killed for it") {
  const auto with = [](k kind, int code) {
    auto e = event(kind, code, 9);
    e.out_of_memory = true;
    return e;
  };
  auto m = at(st::running);
  m.handle(with(k::child_signaled, 9));
  CHECK(m.reason() ==
        stop_reason{stop_class::shutdown, stop_cause::oom_killed, 9, "OOMKilled: killed by signal 9"});
  CHECK(m.how().reason == "OOMKilled");
  CHECK(m.how().exit_code == 137);
  CHECK(m.how().signal == 9);
  auto n = at(st::running);
  n.handle(with(k::child_exited, 4));
  CHECK(n.reason().cause == stop_cause::oom_killed);
  CHECK(n.how().reason == "OOMKilled");
  CHECK(n.how().exit_code == 4);
  auto stopped = at(st::stopping);
  stopped.handle(with(k::child_signaled, 9));
  CHECK(stopped.reason().cause == stop_cause::stopped);
  CHECK(stopped.how().reason == "OOMKilled");
  auto early = at(st::ready);
  early.handle(with(k::child_failed, 0));
  CHECK(early.reason().cause == stop_cause::bring_up_failed);
  CHECK(early.reason().text == "OOMKilled: cannot do 'it': because");
  CHECK(early.how().reason == "StartError");
}

TEST_CASE("a death between proceed and the first instruction is a failed bring-up") {
  auto m = at(st::built);
  m.handle(event(k::child_signaled, 9, 9));
  CHECK(m.reason().cls == stop_class::abnormal);
  CHECK(m.reason().cause == stop_cause::bring_up_failed);
  CHECK(m.reason().text == "killed by signal 9 before its first instruction");
}

TEST_CASE("a graceful stop: signal, grace, kill") {
  auto m = running();
  m.set_stop_signal(3);
  auto out = m.handle(event(k::stop));
  REQUIRE(kinds(out) == std::vector{a::signal, a::arm_timer});
  CHECK(out[0].signum == 3);
  CHECK(out[1].after == 30s);
  CHECK(m.state() == st::stopping);

  SUBCASE("it obeys") {
    CHECK(kinds(m.handle(event(k::child_exited, 0))) == std::vector{a::arm_timer, a::shutdown});
    CHECK(m.reason().cls == stop_class::shutdown);
    CHECK(m.reason().cause == stop_cause::stopped);
    CHECK(m.reason().text == "exited with code 0");
    // the grace timer fires late and means nothing
    runtime_event timer{.kind = k::timer, .serial = out[1].serial};
    CHECK(m.handle(timer).empty());
    CHECK(m.state() == st::closing);
  }
  SUBCASE("it does not") {
    runtime_event timer{.kind = k::timer, .serial = out[1].serial};
    CHECK(kinds(m.handle(timer)) == std::vector{a::kill, a::arm_timer});
    CHECK(m.state() == st::killing);
    m.handle(event(k::child_signaled, 9));
    CHECK(m.reason().cause == stop_cause::stopped);
    CHECK(m.reason().code == 137);
    CHECK(m.how().signal == 9);
  }
  SUBCASE("the owner loses its patience") {
    auto now = event(k::stop);
    now.grace = 0s;
    CHECK(kinds(m.handle(now)) == std::vector{a::kill, a::arm_timer});
  }
  SUBCASE("asked twice, signalled once") {
    CHECK(m.handle(event(k::stop)).empty());
    CHECK(m.state() == st::stopping);
  }
}

TEST_CASE("grace 0 kills at once, the manifest's 1 becomes kubelet's 2 seconds") {
  CHECK(effective_grace(0s, {}) == 0s);
  CHECK(effective_grace(1s, {}) == 2s);
  CHECK(effective_grace(30s, {}) == 30s);
  CHECK(effective_grace(30s, 0s) == 0s);
  CHECK(effective_grace(30s, 1s) == 1s);
  CHECK(effective_grace(30s, -4s) == 0s);
  auto m = running();
  auto e = event(k::stop);
  e.grace = 0s;
  CHECK(kinds(m.handle(e)) == std::vector{a::kill, a::arm_timer});
}

TEST_CASE("a stop in every state of the bring-up leads to a clean end") {
  auto m = at(st::image);
  CHECK(kinds(m.handle(event(k::stop))) == std::vector{a::clean});
  m = at(st::preparing); // the worker's directories must exist before they can be removed
  CHECK(m.handle(event(k::stop)).empty());
  CHECK(kinds(m.handle(event(k::prepared))) == std::vector{a::clean});
  m = at(st::spawned);
  CHECK(kinds(m.handle(event(k::stop))) == std::vector{a::abort, a::arm_timer});
  m = at(st::ready);
  CHECK(kinds(m.handle(event(k::stop))) == std::vector{a::abort, a::arm_timer});
  CHECK(kinds(m.handle(event(k::child_aborted))) == std::vector{a::arm_timer, a::shutdown});
  m = at(st::built);
  CHECK(kinds(m.handle(event(k::stop))) == std::vector{a::kill, a::arm_timer});
  for (const auto s : {st::image, st::preparing, st::spawned, st::ready, st::built}) {
    auto one = at(s);
    one.handle(event(k::stop));
    CHECK(one.reason().cls == stop_class::shutdown);
    CHECK(one.reason().cause == stop_cause::stopped);
  }
}

TEST_CASE("a shim or a child that does not answer is not waited for without end") {
  std::uint64_t serial = 0;
  auto m = at(st::killing, &serial);
  auto out = m.handle({.kind = k::timer, .serial = serial});
  CHECK(kinds(out) == std::vector{a::arm_timer, a::shutdown});
  out = m.handle({.kind = k::timer, .serial = armed(out)});
  CHECK(kinds(out) == std::vector{a::end_session, a::arm_timer}); // told, then made
  CHECK(kinds(m.handle({.kind = k::timer, .serial = armed(out)})) ==
        std::vector{a::drop_session, a::clean});
  m = at(st::ready, &serial);
  CHECK(kinds(m.handle({.kind = k::timer, .serial = serial})) ==
        std::vector{a::kill, a::arm_timer});
  CHECK(m.reason().cause == stop_cause::bring_up_failed);
  CHECK(m.reason().text.find("stuck in 'ready'") != std::string::npos);
}

namespace {

/// What a cell of the table below means: the actions, and the next state when it is another.
struct cell {
  std::vector<a> actions;
  std::optional<st> next;
};
const std::map<std::string, cell> cells{
    {".", {}}, // too late to matter
    {"!", {{a::unexpected}, {}}},
    {"prepare", {{a::prepare}, st::preparing}},
    {"clean", {{a::clean}, st::cleaning}},
    {"start", {{a::arm_timer, a::start_session}, st::spawned}},
    {"abandon", {{}, st::abandoning}},
    {"ready", {{}, st::ready}},
    {"built", {{a::proceed}, st::built}},
    {"run", {{a::report_running}, st::running}},
    {"abort", {{a::abort, a::arm_timer}, st::killing}},
    {"kill", {{a::kill, a::arm_timer}, st::killing}},
    {"signal", {{a::signal, a::arm_timer}, st::stopping}},
    {"close", {{a::arm_timer, a::shutdown}, st::closing}},
    {"reclose", {{a::reclaim, a::arm_timer, a::shutdown}, st::closing}},
    {"end", {{a::end_session, a::arm_timer}, {}}},
    {"drop", {{a::drop_session, a::clean}, st::cleaning}},
    {"finish", {{a::finish}, st::done}},
    {"lend", {{a::begin_attach}, st::attached}},
    {"refuse", {{a::refuse_attach}, {}}},
    {"leave", {{a::end_attach}, {}}},
    {"back", {{a::reclaim}, st::running}},
    {"retry", {{a::arm_timer}, {}}},
    {"anew", {{a::drop_session, a::resolve_image}, st::image}},
};

// clang-format off
const char* const product = R"(
               image   preparing abandoning spawned ready  built  running attached stopping killing closing cleaning done   adopting
image_ready    prepare !         !          !       !      !      !       !        !        !       !       .        .      !
image_failed   clean   !         !          !       !      !      !       !        !        !       !       .        .      !
prepared       !       start     clean      !       !      !      !       !        !        !       !       !        .      !
prepare_failed !       clean     clean      !       !      !      !       !        !        !       !       !        .      !
session_failed !       !         !          close   close  close  close   reclose  close    close   .       .        .      retry
child_ready    !       !         !          ready   !      !      !       !        !        .       .       !        .      !
child_built    !       !         !          !       built  !      !       !        !        .       .       !        .      !
child_running  !       !         !          !       !      run    !       !        !        .       .       !        .      !
child_exited   !       !         !          close   close  close  close   reclose  close    close   .       !        .      !
child_signaled !       !         !          close   close  close  close   reclose  close    close   .       !        .      !
child_aborted  !       !         !          close   close  close  close   reclose  close    close   .       !        .      !
child_failed   !       !         !          close   close  close  close   reclose  close    close   .       !        .      !
session_down   !       !         !          drop    drop   drop   drop    drop     drop     drop    drop    !        .      anew
stop           clean   abandon   .          abort   abort  kill   signal  signal   .        .       .       .        .      .
timer          !       !         !          kill    kill   kill   .       .        kill     close   end     .        .      end
cleaned        !       !         !          !       !      !      !       !        !        !       !       finish   .      !
begin_attach   refuse  refuse    refuse     refuse  refuse refuse lend    refuse   refuse   refuse  refuse  refuse   refuse   refuse
end_attach     leave   leave     leave      leave   leave  leave  leave   leave    leave    leave   leave   leave    leave   leave
attach_over    !       !         !          !       !      !      !       back     .        .       .       .        .      .
adopted        !       !         !          !       !      !      !       !        !        !       !       !        .      anew
)";
// clang-format on

std::string names(const std::vector<runtime_action>& actions) {
  std::string out;
  for (const auto& x : actions)
    out += std::string{to_string(x.kind)} + " ";
  return out;
}

} // namespace

TEST_CASE("the whole product: each state takes each event as the table says") {
  std::istringstream lines{product};
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  std::istringstream head{line};
  for (std::size_t s = 0; s < runtime_states; ++s) {
    std::string name;
    head >> name;
    REQUIRE(name == to_string(static_cast<st>(s)));
  }
  for (std::size_t e = 0; e < runtime_event_kinds; ++e) {
    REQUIRE(std::getline(lines, line));
    std::istringstream row{line};
    std::string name;
    row >> name;
    REQUIRE(name == to_string(static_cast<k>(e)));
    for (std::size_t s = 0; s < runtime_states; ++s) {
      const auto state = static_cast<st>(s);
      std::string code;
      row >> code;
      REQUIRE_FALSE(code.empty());
      INFO(to_string(state), " on ", name, ": ", code);
      const auto& want = cells.at(code);
      std::uint64_t serial = 0;
      auto m = at(state, &serial);
      auto what = event(static_cast<k>(e), 1, 9);
      what.serial = serial;
      const auto got = m.handle(what);
      CHECK(names(got) == names([&] {
              std::vector<runtime_action> actions;
              for (const auto kind : want.actions)
                actions.push_back({.kind = kind});
              return actions;
            }()));
      CHECK(to_string(m.state()) == to_string(want.next.value_or(state)));
      if (code == "!") CHECK(got[0].about == what.kind);
    }
  }
}

TEST_CASE("destroy while in each state: a stop, then what the outside owes, ends clean and told") {
  for (std::size_t s = 0; s < runtime_states; ++s) {
    const auto state = static_cast<st>(s);
    CAPTURE(to_string(state));
    std::uint64_t serial = 0;
    auto m = at(state, &serial);
    std::multiset<a> seen;
    const auto step = [&](const runtime_event& ev) {
      for (const auto& action : m.handle(ev)) {
        seen.insert(action.kind);
        if (action.kind == a::arm_timer) serial = action.serial;
      }
    };
    step(event(k::stop));
    if (state != st::done) CHECK(m.stop_asked());
    if (m.state() == st::abandoning) step(event(k::prepared));
    // whoever does not answer is overdue
    for (int i = 0; i < 6 && m.state() != st::cleaning && m.state() != st::done; ++i)
      step({.kind = k::timer, .serial = serial});
    step(event(k::cleaned));
    CHECK(m.state() == st::done);
    CHECK(seen.count(a::finish) == (state == st::done ? 0u : 1u));
    CHECK(seen.count(a::clean) == (state == st::cleaning || state == st::done ? 0u : 1u));
    CHECK(seen.count(a::reclaim) == (state == st::attached ? 1u : 0u));
    if (state == st::done) continue;
    CHECK(m.reason().cls == stop_class::shutdown);
    CHECK(m.reason().cause == stop_cause::stopped);
  }
}

TEST_CASE("attach: refused for the first reason that there is") {
  const auto refusal = [](runtime_machine m) {
    const auto out = m.handle(event(k::begin_attach));
    REQUIRE(out.size() == 1);
    return out[0].kind == a::refuse_attach ? out[0].refusal : "granted";
  };
  CHECK(refusal(at(st::running)) == "granted");
  CHECK(refusal(at(st::attached)) == "attached");
  runtime_machine plain{{.name = "default/web"}};
  plain.begin();
  for (const auto& e :
       {event(k::image_ready), event(k::prepared), event(k::child_ready), event(k::child_built)}) {
    CHECK(refusal(plain) == "not_running");
    plain.handle(e);
  }
  CHECK(refusal(plain) == "not_running");
  plain.handle(event(k::child_running, 0, 5));
  CHECK(refusal(plain) == "not_a_tty");
  plain.handle(event(k::stop));
  CHECK(refusal(plain) == "not_running");
}

TEST_CASE("the events stay lent while it is stopped, and come back once") {
  auto m = at(st::attached);
  CHECK(m.runs());
  CHECK(kinds(m.handle(event(k::stop))) == std::vector{a::signal, a::arm_timer});
  CHECK(m.state() == st::stopping);
  SUBCASE("the attach session saw the end") {
    CHECK(kinds(m.handle(event(k::attach_over))) == std::vector{a::reclaim});
    CHECK(m.state() == st::stopping);
    CHECK(kinds(m.handle(event(k::child_exited, 0))) == std::vector{a::arm_timer, a::shutdown});
  }
  SUBCASE("it was killed, too") {
    auto now = event(k::stop);
    now.grace = 0s;
    CHECK(kinds(m.handle(now)) == std::vector{a::kill, a::arm_timer});
    CHECK(kinds(m.handle(event(k::attach_over))) == std::vector{a::reclaim});
    CHECK(kinds(m.handle(event(k::child_signaled, 9))) == std::vector{a::arm_timer, a::shutdown});
  }
  SUBCASE("nobody saw anything") {
    CHECK(kinds(m.handle(event(k::session_failed))) ==
          std::vector{a::reclaim, a::arm_timer, a::shutdown});
  }
  CHECK(m.handle(event(k::attach_over)).empty());
}

TEST_CASE("a stale timer means nothing in any state") {
  for (std::size_t s = 0; s < runtime_states; ++s) {
    auto m = at(static_cast<st>(s));
    CHECK(m.handle({.kind = k::timer, .serial = 999}).empty());
    CHECK(m.state() == static_cast<st>(s));
  }
}
