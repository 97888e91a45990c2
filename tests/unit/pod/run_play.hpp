/// A run of a pod played by events: what it asks for as text, its timers, a clock.
#pragma once

#include "pod/pod_run.hpp"
#include "tests/unit/pod/run_text.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tank::testing {

using namespace std::chrono_literals;

inline const error broken{errc::io, 0, "do", "it", "because", ""};
inline const error nobody{errc::not_found, 0, "find the shim of", "web", "nobody listens", ""};

/// Containers "a", "b", ... of the pod default/web.
inline run_settings settings_of(std::size_t containers,
                                restart_policy policy = restart_policy::always) {
  run_settings s;
  s.name = "default/web";
  for (std::size_t i = 0; i < containers; ++i)
    s.containers.push_back(
        {.name = std::string(1, static_cast<char>('a' + i)), .policy = {.policy = policy}});
  return s;
}

inline run::container_end end_of(run::outcome how, int code = 0, std::int64_t at = 9) {
  run::container_end end;
  end.how = how;
  end.code = code;
  end.finished_ns = at;
  if (how == run::outcome::failed) end.why = broken;
  return end;
}

struct play {
  pod_run run;
  instant now{std::chrono::steady_clock::time_point{1h}, 1'000'000'000'000};
  run::actions last;
  std::map<std::optional<run::index>, std::uint64_t> timers; ///< armed ones, by owner

  explicit play(run_settings settings) : run(std::move(settings)) {}
  explicit play(std::size_t containers, restart_policy policy = restart_policy::always)
      : play(settings_of(containers, policy)) {}

  std::string see(run::actions actions) {
    last = std::move(actions);
    for (const auto& a : last) {
      if (const auto* arm = std::get_if<run::arm_timer>(&a)) timers[arm->of] = arm->serial;
      if (const auto* off = std::get_if<run::disarm_timer>(&a)) {
        CHECK(timers.contains(off->of));
        timers.erase(off->of);
      }
      if (std::holds_alternative<run::finish>(a)) CHECK(timers.empty());
    }
    return text(last);
  }
  std::string begin() { return see(run.begin(now)); }
  std::string adopt(const run_record& record) { return see(run.begin_adoption(record, now)); }
  std::string on(const run::event& e) { return see(run.handle(e, now)); }
  /// The owner's timer fires.
  std::string fire(std::optional<run::index> of) {
    REQUIRE(timers.contains(of));
    const auto serial = timers.at(of);
    timers.erase(of);
    return on(run::timer_due{serial});
  }
  void wait(std::chrono::milliseconds d) {
    now.mono += d;
    now.wall_ns += std::chrono::nanoseconds(d).count();
  }

  // --- news of one container's present attempt ----------------------------------------------------

  [[nodiscard]] std::uint32_t attempt(run::index who) const { return run.container(who).attempt(); }
  std::string prepared(run::index who, int stop_signal = 15) {
    return on(run::container_prepared{who, {stop_signal, {"K=V"}, "/w"}});
  }
  std::string ready(run::index who) {
    return on(run::child_ready{who, attempt(who), static_cast<pid_t>(70 + who)});
  }
  std::string built(run::index who) { return on(run::child_built{who, attempt(who)}); }
  std::string started(run::index who) {
    return on(run::child_running{who, attempt(who), static_cast<pid_t>(70 + who), 5});
  }
  std::string ended(run::index who, const run::container_end& end) {
    return on(run::child_ended{who, attempt(who), end});
  }
  std::string exited(run::index who, int code) {
    return ended(who, end_of(run::outcome::exited, code));
  }

  // --- the way to a state --------------------------------------------------------------------------

  /// All images are there, the sandbox is up, containers stand prepared or further.
  void to_creating() {
    begin();
    const auto n = run.settings().containers.size();
    for (run::index i = 0; i < n; ++i)
      on(run::image_found{i});
    prepared(0);
    on(run::sandbox_prepared{});
    on(run::sandbox_up{});
    for (run::index i = 1; i < n; ++i)
      prepared(i);
    for (run::index i = 0; i < n; ++i)
      REQUIRE(run.container(i).state() == container_state::creating);
  }
  /// One comes up from `creating`.
  std::string up(run::index who) {
    ready(who);
    built(who);
    return started(who);
  }
  /// One comes up from `resolving`, in a sandbox that is up.
  std::string up_again(run::index who) {
    on(run::image_found{who});
    prepared(who);
    return up(who);
  }
  void to_running() {
    to_creating();
    for (run::index i = 0; i < run.settings().containers.size(); ++i)
      up(i);
  }
  /// From all ended to the end.
  void to_end() {
    CHECK(run.sandbox() == sandbox_state::closing);
    CHECK(on(run::session_down{}) == "drop; disarm sandbox; clean");
    CHECK(on(run::cleaned{}) == "finish");
  }
  [[nodiscard]] container_status status(run::index who) const { return run.statuses().at(who); }
};

/// What a shim holds.
inline run::held_container held(run::index who, kernel::stage at, std::uint32_t attempt = 0,
                                int code = 0) {
  run::held_container h;
  h.who = who;
  h.attempt = attempt;
  h.at = at;
  if (at != kernel::stage::starting) h.pid = static_cast<pid_t>(70 + who);
  if (at >= kernel::stage::running && at < kernel::stage::aborted) h.started_ns = 5;
  if (at == kernel::stage::exited) h.end = end_of(run::outcome::exited, code);
  if (at == kernel::stage::signaled) h.end = end_of(run::outcome::signaled, code);
  if (at == kernel::stage::aborted) h.end = end_of(run::outcome::aborted);
  if (at == kernel::stage::failed) h.end = end_of(run::outcome::failed);
  return h;
}

} // namespace tank::testing
