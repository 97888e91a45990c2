/// One container's machine played by events: what it asks for as text.
#pragma once

#include "tests/unit/pod/run_text.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tank::testing::one_container {

using namespace std::chrono_literals;
using run::outcome;
using st = container_state;

inline const error broken{errc::io, 0, "do", "it", "because", ""};

inline run::child_ended exited(int code, std::int64_t at = 9) {
  run::child_ended e;
  e.end.how = outcome::exited;
  e.end.code = code;
  e.end.finished_ns = at;
  return e;
}
inline run::child_ended signaled(int signal) {
  auto e = exited(signal);
  e.end.how = outcome::signaled;
  return e;
}
inline run::child_ended ended_by(outcome how) {
  run::child_ended e;
  e.end.how = how;
  if (how == outcome::failed) e.end.why = broken;
  return e;
}
inline run::held_container held(kernel::stage at, int code = 0) {
  run::held_container h;
  h.at = at;
  if (at != kernel::stage::starting) h.pid = 77;
  if (at >= kernel::stage::running && at < kernel::stage::aborted) h.started_ns = 5;
  if (at == kernel::stage::exited) h.end = exited(code).end;
  if (at == kernel::stage::signaled) h.end = signaled(code).end;
  if (at == kernel::stage::aborted) h.end = ended_by(outcome::aborted).end;
  if (at == kernel::stage::failed) h.end = ended_by(outcome::failed).end;
  return h;
}
inline run::container_prepared prepared(int stop_signal = 15) {
  return {0, {stop_signal, {}, {}}};
}
inline const run::child_ready ready{0, 0, 77};
inline const run::child_built built{};
inline const run::child_running up{0, 0, 77, 5};
inline const run::session_down gone{broken, false};

/// One machine and what it asked for.
struct play {
  timer_serials serials = 0;
  container_machine m;
  run::actions last;

  explicit play(container_settings settings = {.name = "default/web", .limits = {}})
      : m(0, std::move(settings), serials) {}
  play(const play&) = delete;

  std::string on(const container_event& e) {
    last.clear();
    m.handle(e, last);
    return text(last);
  }
  /// Its present timer.
  std::string timer() { return on(run::timer_due{m.timer()}); }

  void go(st to) {
    static const std::map<st, std::vector<container_event>> ways{
        {st::waiting, {}},
        {st::resolving, {run::begin_attempt{}}},
        {st::found, {run::begin_attempt{}, run::image_found{}}},
        {st::preparing, {run::begin_attempt{}, run::image_found{}, run::begin_preparing{}}},
        {st::prepared,
         {run::begin_attempt{}, run::image_found{}, run::begin_preparing{}, prepared()}},
    };
    if (const auto way = ways.find(to); way != ways.end()) {
      for (const auto& e : way->second)
        on(e);
    } else if (to == st::abandoning) {
      go(st::preparing);
      on(run::terminate{30s});
    } else if (to == st::stopping || to == st::killing) {
      go(to == st::stopping ? st::running : st::parked);
      on(run::terminate{30s});
    } else {
      go(st::prepared);
      const std::vector<std::pair<st, container_event>> rest{{st::creating, run::begin_creating{}},
                                                             {st::parked, ready},
                                                             {st::built, built},
                                                             {st::released, run::release_attempt{}},
                                                             {st::running, up},
                                                             {st::ended, exited(3)}};
      for (const auto& [state, event] : rest) {
        on(event);
        if (state == to) break;
      }
    }
    REQUIRE(m.state() == to);
  }
  const run::container_end& end() {
    REQUIRE(m.end() != nullptr);
    return *m.end();
  }
};

} // namespace tank::testing::one_container
