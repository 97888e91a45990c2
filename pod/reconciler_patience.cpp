// How long things may take and how often they may fail: the watch over stops, and giving up.
#include "config/pod.hpp"
#include "pod/container_machine.hpp"
#include "pod/reconciler_core.hpp"

#include <algorithm>
#include <utility>

namespace tank {

std::chrono::seconds reconciler_core::grace_of(const entry& e,
                                               std::optional<std::chrono::seconds> override_) {
  const auto manifests =
      e.what.pod ? e.what.pod->spec.termination_grace_period_seconds.value_or(30) : 30;
  return effective_grace(std::chrono::seconds{manifests}, override_);
}

/// Another runtime serves the stop: the workload's time goes on where it was.
void reconciler_core::resume_stop(entry& e, const instant& now, reconcile_effects& out) {
  if (!e.stop_by) e.stop_by = now.mono + grace_of(e, std::nullopt);
  const auto left = std::chrono::ceil<std::chrono::seconds>(*e.stop_by - now.mono);
  out.emplace_back(stop_run{e.status.key, e.generation, std::max(left, std::chrono::seconds{0})});
  expect_end(e, now, out);
}

void reconciler_core::expect_end(entry& e, const instant& now, reconcile_effects& out) {
  e.overdue_at = std::max(*e.stop_by, now.mono) + stop_margin_;
  out.emplace_back(
      wake_run{e.status.key, e.generation,
               std::chrono::ceil<std::chrono::milliseconds>(*e.overdue_at - now.mono)});
}

void reconciler_core::overdue(entry& e, const instant& now, reconcile_effects& out) {
  if (!e.overdue_at || *e.overdue_at > now.mono) return;
  if (std::exchange(e.killed, true)) {
    e.overdue_at.reset();
    e.status.message = "stuck: what supervises it in tank does not even end when killed";
    out.emplace_back(status_changed{e.status.key});
    return;
  }
  e.crashes = std::max(e.crashes, max_crashes - 1); // it is followed once, not for minutes on end
  out.emplace_back(kill_run{e.status.key, e.generation});
  expect_end(e, now, out);
}

// --- activeDeadlineSeconds -----------------------------------------------------------------------

/// It counts from now: pulls, init containers and back-offs are within it.
void reconciler_core::set_deadline(entry& e, const instant& now) {
  e.deadline_at.reset();
  e.deadline_over = false;
  e.status.reason.clear();
  if (e.what.pod && e.what.pod->spec.active_deadline_seconds)
    e.deadline_at = now.mono + std::chrono::seconds{*e.what.pod->spec.active_deadline_seconds};
}

/// A wake is for one generation: each new one wants its own.
void reconciler_core::await_deadline(const entry& e, const instant& now, reconcile_effects& out) {
  if (!e.deadline_at) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*e.deadline_at - now.mono);
  out.emplace_back(
      wake_run{e.status.key, e.generation, std::max(left, std::chrono::milliseconds{0})});
}

bool reconciler_core::is_past_deadline(const entry& e, const instant& now) {
  return e.deadline_at && *e.deadline_at <= now.mono && !e.deadline_over && !e.leaving && !e.next &&
         e.status.state != pod_state::terminal;
}

void reconciler_core::exceed_deadline(entry& e, const instant& now, reconcile_effects& out) {
  e.deadline_over = true;
  if (!e.alive) {
    end_by_deadline(e, out);
    show_no_run(e);
    return;
  }
  halt(e, std::nullopt, now, out);
  e.status.message = "stopping: it was active for longer than its activeDeadlineSeconds";
}

void reconciler_core::end_by_deadline(entry& e, reconcile_effects& out) const {
  e.status.state = pod_state::terminal;
  e.status.reason = deadline_exceeded;
  e.status.message = "DeadlineExceeded: it was active for longer than its activeDeadlineSeconds (" +
                     std::to_string(*e.what.pod->spec.active_deadline_seconds) + " s)";
  e.status.restart_at_ns = 0;
  e.restart_at.reset();
  out.emplace_back(status_changed{e.status.key});
}

backoff_profile reconciler_core::profile(const entry& e) const {
  return e.what.pod ? profile_of(*e.what.pod, profile_) : profile_;
}

void reconciler_core::give_up(entry& e, const backoff_profile& profile, const std::string& said) {
  e.status.state = pod_state::terminal;
  e.status.message = "CrashLoopGiveUp: " + std::to_string(e.ends.size()) + " runs ended within " +
                     seconds_text(profile.give_up.period) + ", the last: " + said;
  e.ends.clear();
}

} // namespace tank
