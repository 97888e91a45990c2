/// How long the phases of a bring-up take: those of the first container's first attempt. Pure.
#pragma once

#include "pod/model.hpp"
#include "pod/pod_run.hpp"
#include "pod/run_steps.hpp"

#include <chrono>
#include <type_traits>
#include <variant>

namespace tank {

class phase_clock {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  void begin(time_point now, const phase_times& known = {}) {
    mark_ = now;
    times_ = known;
  }
  /// Each phase lasts from the event before it to its own. Called before `run` takes the event.
  void note(const run::event& e, const pod_run& run, time_point now) {
    auto* phase = std::visit([&](const auto& one) { return phase_of(one, run); }, e);
    if (phase == nullptr) return;
    *phase = std::chrono::duration_cast<std::chrono::microseconds>(now - mark_);
    mark_ = now;
  }
  /// The cgroups took so long to make; not counted twice.
  void note_limits(std::chrono::microseconds took) {
    times_.limits = took;
    mark_ += took;
  }
  [[nodiscard]] const phase_times& times() const noexcept { return times_; }

 private:
  template <class Event>
  std::chrono::microseconds* phase_of(const Event& e, const pod_run& run) {
    if constexpr (requires { e.who; })
      if (e.who != 0 || run.container(0).attempt() != 0) return nullptr;
    if constexpr (std::is_same_v<Event, run::image_found>) return &times_.image;
    if constexpr (std::is_same_v<Event, run::child_ready>) return &times_.spawn;
    if constexpr (std::is_same_v<Event, run::child_built>) return &times_.rootfs;
    if constexpr (std::is_same_v<Event, run::child_running>) return &times_.proceed;
    return nullptr;
  }

  time_point mark_;
  phase_times times_;
};

} // namespace tank
