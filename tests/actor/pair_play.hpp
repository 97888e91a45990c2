/// A runtime whose pod has two containers.
#pragma once

#include "tests/actor/stage_play.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tank::testing {

using calls = std::vector<std::string>;

inline const kernel::instance log_0{"log", 0};
inline const kernel::instance log_1{"log", 1};

/// A pod of "main" (process 77) and "log" (process 78).
struct pair_play : stage_play {
  explicit pair_play(play_options o = {}) : stage_play(with_two(std::move(o))) {}
  static play_options with_two(play_options o) {
    o.containers = {"main", "log"};
    return o;
  }
  void run_both() {
    run(only, 77);
    run(log_0, 78);
    new_calls();
  }
  void go_down() {
    CHECK(last_call() == "shutdown");
    happen(kernel::session_down_event{"closed"});
  }
  /// As the owner heard it last.
  [[nodiscard]] container_status told(const std::string& name) const {
    const auto& all = heard->newest;
    const auto it = std::find_if(all.begin(), all.end(),
                                 [&](const container_status& c) { return c.name == name; });
    REQUIRE(it != all.end());
    return *it;
  }
  /// That its process is the one it was, and nothing was asked of it.
  void check_main_undisturbed() {
    CHECK(ask<host_pid>(get_host_pid{"main"}).first == host_pid{77});
    CHECK(told("main").state == container_phase::running);
    CHECK(told("main").restarts == 0);
    CHECK(told("main").attempt == 0);
    for (const auto& call : new_calls())
      CHECK_MESSAGE(call.find("main") == std::string::npos, call);
    CHECK_FALSE(ended->has_value());
  }
};

} // namespace tank::testing
