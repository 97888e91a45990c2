/// Blocking work for actors: done by a job_runner, its result sent as a message.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/supervision/stop_reason.hpp"
#include "base/worker.hpp"

#include <exception>
#include <utility>

namespace tank {

/// Runs `work` on `runner` and sends the message it returns to `to`, which is held weakly. Should
/// `work` throw, `to` ends as if it had thrown itself: abnormal / "exception" with the text.
///   run_job(jobs, self(), [ref] { return image_resolved{...}; });
template <class Work>
void run_job(job_runner& runner, const caf::actor& to, Work work) {
  runner.submit([weak = to.address(), work = std::move(work)]() mutable {
    caf::error thrown;
    try {
      auto message = work();
      if (auto strong = caf::actor_cast<caf::actor>(weak))
        compat::anon_send(strong, std::move(message));
      return;
    } catch (...) {
      thrown = to_error(stop_exception(std::current_exception()));
    }
    if (auto strong = caf::actor_cast<caf::actor>(weak)) compat::send_exit(strong, thrown);
  });
}

} // namespace tank
