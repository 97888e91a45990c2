// What a daemon leaves to the next of what the reconciler keeps.
#include "base/clock.hpp"
#include "pod/reconciler_core.hpp"

#include <algorithm>

namespace tank {

std::optional<pod_record> reconciler_core::record(const std::string& key) const {
  const auto it = entries_.find(key);
  if (it == entries_.end() || stopped_for_good(it->second)) return std::nullopt;
  const auto& e = it->second;
  pod_record r;
  r.key = key;
  r.what = e.what;
  r.next = e.next;
  r.leaving = e.leaving;
  r.limits_edited = e.limits_edited;
  r.state = e.status.state;
  r.restarts = e.status.restarts;
  r.retries = e.status.retries;
  r.crashes = e.crashes;
  r.created_ns = e.status.created_ns;
  if (e.restart_at) r.restart_at = ns_of(*e.restart_at);
  r.restart_at_ns = e.status.restart_at_ns;
  if (e.deadline_at) r.deadline_at = ns_of(*e.deadline_at);
  r.deadline_over = e.deadline_over;
  if (e.stop_by) r.stop_by = ns_of(*e.stop_by);
  for (const auto& end : e.ends)
    r.ends.push_back(ns_of(end));
  r.last = e.status.last;
  r.container_restarts = e.container_restarts;
  if (!e.alive) r.message = e.status.message; // that of a run is its runtime's
  r.run.number = e.run;
  // Whether it runs is the shim's to say, and worth no record of its own.
  if (r.state == pod_state::running) r.state = pod_state::starting;
  return r;
}

/// Once all are told to stop, a pod that has is as if it had never been: the next instance begins
/// with what is desired then.
bool reconciler_core::stopped_for_good(const entry& e) const {
  return stopping_all_ && !e.alive;
}

reconcile_effects reconciler_core::restore(const std::vector<pod_record>& records,
                                           const instant& now) {
  reconcile_effects out;
  for (const auto& r : records) {
    auto& e = entries_[r.key];
    e.status.key = r.key;
    set_content(e, r.what, now);
    e.run = r.run.number;
    e.crashes = r.crashes;
    e.status.state = r.state;
    e.status.restarts = r.restarts;
    e.status.retries = r.retries;
    e.status.created_ns = r.created_ns;
    e.deadline_at.reset();
    if (r.deadline_at != 0) e.deadline_at = steady_at(r.deadline_at);
    e.deadline_over = r.deadline_over;
    if (e.deadline_over && r.state == pod_state::terminal) e.status.reason = deadline_exceeded;
    e.status.last = r.last;
    e.status.message = r.message;
    e.status.restart_at_ns = r.restart_at_ns;
    e.container_restarts = r.container_restarts;
    e.present_restarts.clear();
    if (r.state != pod_state::backing_off && r.state != pod_state::terminal)
      for (const auto& c : r.run.containers)
        e.present_restarts.push_back(c.restarts);
    show_containers(e, {});
    show_no_run(e);
    for (const auto end : r.ends)
      e.ends.push_back(steady_at(end));
    if (r.state == pod_state::backing_off) {
      e.generation = ++last_generation_;
      e.restart_at = steady_at(r.restart_at);
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*e.restart_at - now.mono);
      out.emplace_back(wake_run{r.key, e.generation, std::max(left, std::chrono::milliseconds{0})});
    } else if (r.state != pod_state::terminal) {
      restore_run(e, r, now, out);
    }
    if (r.state != pod_state::terminal) await_deadline(e, now, out);
    out.emplace_back(status_changed{r.key});
  }
  return out;
}

void reconciler_core::restore_run(entry& e, const pod_record& r, const instant& now,
                                  reconcile_effects& out) {
  e.next = r.next;
  e.leaving = r.leaving;
  e.limits_edited = r.limits_edited;
  if (r.run.phase == run_phase::released) e.running_since = steady_at(r.run.released_at);
  if (e.status.state == pod_state::starting) e.status.message = "adopting"; // until its shim tells
  start_runtime(e, true, out);
  if (e.status.state != pod_state::stopping) return;
  if (r.stop_by != 0) e.stop_by = steady_at(r.stop_by);
  resume_stop(e, now, out);
}

} // namespace tank
