// A runtime that takes a run over: it goes on wherever the shim stands.
#include "pod/runtime_machine.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace tank;
using namespace std::chrono_literals;

namespace {

using k = runtime_event_kind;
using a = runtime_action_kind;
using st = runtime_state;

std::vector<a> kinds(const std::vector<runtime_action>& actions) {
  std::vector<a> out;
  for (const auto& x : actions)
    out.push_back(x.kind);
  return out;
}

runtime_event refused(errc code) {
  runtime_event e{.kind = k::session_failed};
  e.why = fail(code, "find the shim of", "web", "nobody listens").value();
  return e;
}

runtime_event shim_says(kernel::stage at, int code = 0) {
  runtime_event e{.kind = k::adopted};
  e.at = at;
  e.code = code;
  if (at != kernel::stage::starting) e.pid = 77;
  if (at >= kernel::stage::running) e.started_ns = 5;
  if (kernel::is_terminal(at)) e.at_ns = 9;
  return e;
}

struct adopting {
  runtime_machine m{{.name = "default/web"}};
  std::vector<runtime_action> first;
  explicit adopting(run_phase phase) {
    run_record r;
    r.phase = phase;
    r.facts.stop_signal = 3;
    if (phase == run_phase::ended)
      r.end =
          run_end{{stop_class::shutdown, stop_cause::workload_exited, 4, "x"}, {"Error", 4, 0, "x", 5, 9}};
    first = m.begin_adoption(r);
    CHECK(kinds(first) == std::vector{a::arm_timer, a::adopt_session});
    CHECK(m.state() == st::adopting);
  }
  std::vector<a> on(const runtime_event& e) { return kinds(m.handle(e)); }
};

} // namespace

TEST_CASE("an adopted run goes on wherever its shim stands") {
  using kernel::stage;
  using actions = std::vector<a>;
  struct row {
    stage at;
    actions then;
    st state;
  };
  for (const auto& r : {row{stage::ready, {a::arm_timer, a::build}, st::ready},
                        row{stage::built, {a::arm_timer, a::proceed}, st::built},
                        row{stage::running, {a::report_running}, st::running},
                        row{stage::exited, {a::arm_timer, a::shutdown}, st::closing},
                        row{stage::signaled, {a::arm_timer, a::shutdown}, st::closing},
                        row{stage::aborted, {a::arm_timer, a::shutdown}, st::closing},
                        row{stage::failed, {a::arm_timer, a::shutdown}, st::closing}}) {
    for (const auto phase : {run_phase::starting, run_phase::released}) {
      CAPTURE(to_string(r.at));
      adopting run{phase};
      CHECK(run.on(shim_says(r.at, 4)) == r.then);
      CHECK(run.m.state() == r.state);
      if (r.at == stage::running) {
        CHECK(run.m.host_pid() == 77);
        CHECK(run.m.started_ns() == 5);
      }
      if (r.at == stage::exited) {
        CHECK(run.m.reason().cause == stop_cause::workload_exited);
        CHECK(run.m.how().exit_code == 4);
        CHECK(run.m.how().finished_ns == 9);
      }
    }
  }
}

TEST_CASE(
    "without a shim: nothing ran and it begins anew, or it ran and is lost, or its end is told") {
  adopting fresh{run_phase::starting};
  CHECK(fresh.on(refused(errc::not_found)) == std::vector{a::resolve_image});
  CHECK(fresh.m.state() == st::image);
  adopting heard_of_none{run_phase::starting};
  CHECK(heard_of_none.on(shim_says(kernel::stage::starting)) ==
        std::vector{a::drop_session, a::resolve_image});
  adopting lost{run_phase::released};
  CHECK(lost.on(refused(errc::not_found)) == std::vector{a::clean});
  CHECK(lost.m.reason().cause == stop_cause::session_down);
  adopting told{run_phase::ended};
  CHECK(told.on(refused(errc::not_found)) == std::vector{a::clean});
  CHECK(told.m.reason() == stop_reason{stop_class::shutdown, stop_cause::workload_exited, 4, "x"});
  CHECK(told.m.how().exit_code == 4);
  adopting shim_stays{run_phase::ended}; // told to go, or not yet
  CHECK(shim_stays.on(shim_says(kernel::stage::exited, 9)) ==
        std::vector{a::arm_timer, a::shutdown});
  CHECK(shim_stays.m.how().exit_code == 4); // the first word counts
}

TEST_CASE("a shim that cannot be asked just now is asked again; one that says nothing is ended") {
  adopting run{run_phase::released};
  auto out = run.m.handle(refused(errc::io));
  REQUIRE(kinds(out) == std::vector{a::arm_timer});
  CHECK(out[0].after == 1s);
  out = run.m.handle({.kind = k::timer, .serial = out[0].serial});
  REQUIRE(kinds(out) == std::vector{a::arm_timer, a::adopt_session});
  out = run.m.handle({.kind = k::timer, .serial = out[0].serial});
  REQUIRE(kinds(out) == std::vector{a::end_session, a::arm_timer});
  CHECK(run.on({.kind = k::session_down}) == std::vector{a::drop_session, a::clean});
  CHECK(run.m.reason().cause == stop_cause::session_down);
}

TEST_CASE("a stop that comes while a shim is asked is carried out as it stands") {
  using kernel::stage;
  const auto stopped = [](stage at) {
    adopting run{run_phase::starting};
    CHECK(run.on({.kind = k::stop}).empty());
    return run.on(shim_says(at));
  };
  CHECK(stopped(stage::running) == std::vector{a::report_running, a::signal, a::arm_timer});
  CHECK(stopped(stage::ready) == std::vector{a::arm_timer, a::build, a::abort, a::arm_timer});
  CHECK(stopped(stage::built) == std::vector{a::arm_timer, a::proceed, a::kill, a::arm_timer});
  CHECK(stopped(stage::starting) == std::vector{a::arm_timer, a::shutdown});
  adopting none{run_phase::starting};
  none.on({.kind = k::stop});
  CHECK(none.on(refused(errc::not_found)) == std::vector{a::clean});
  CHECK(none.m.reason().cause == stop_cause::stopped);
}

TEST_CASE("a connection that is lost while the shim lives is made again, not the pod") {
  adopting run{run_phase::released};
  run.on(shim_says(kernel::stage::running));
  runtime_event cut{.kind = k::session_down};
  cut.shim_lives = true;
  for (int n = 0; n < 4; ++n) {
    CHECK(run.on(cut) == std::vector{a::drop_session, a::arm_timer, a::adopt_session});
    CHECK(run.on(shim_says(kernel::stage::running)) == std::vector{a::report_running});
  }
  CHECK(run.on(cut) == std::vector{a::drop_session, a::clean}); // it will not have us
}
