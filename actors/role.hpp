/// The base of our actors.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/supervision/stop_reason.hpp"

#include <chrono>
#include <utility>

namespace tank {

/// An event-based actor whose exceptions keep their text (CAF alone drops it) and which ends with a
/// stop_reason. A role holds response promises only together with an on_exit() that answers them:
/// a promise that is never delivered keeps its own actor alive for ever.
///
/// Deriving puts many CAF names in scope, so the logic of a role belongs into a plain class beside
/// it. Nothing here blocks: blocking work goes to a job_runner (worker.hpp).
class role : public caf::event_based_actor {
 public:
  explicit role(caf::actor_config& cfg) : caf::event_based_actor(cfg) {
    set_exception_handler(
        [](std::exception_ptr& e) -> caf::error { return to_error(stop_exception(e)); });
    compat::outlive_errors(this);
  }

 protected:
  /// Ends this actor; its on_exit() runs after the current message.
  void stop(const stop_reason& why) { quit(to_error(why)); }

  /// Monotonic; virtual under the test scheduler. Never the wall clock.
  [[nodiscard]] std::chrono::steady_clock::time_point now() const { return system().clock().now(); }

  [[nodiscard]] caf::actor self() { return caf::actor{this}; }
};

} // namespace tank
