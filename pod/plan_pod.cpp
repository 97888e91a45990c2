#include "pod/plan_pod.hpp"

#include "pod/container_end.hpp"

#include <algorithm>

namespace tank {

namespace {

using time_point = std::chrono::steady_clock::time_point;
using orders = std::vector<pod_order>;

/// Told to stop, it does something about it, or has nothing to stop.
bool is_stopping(container_state s) {
  return s == container_state::abandoning || s == container_state::stopping ||
         s == container_state::killing || s == container_state::ended;
}

bool takes_requests(sandbox_state s) {
  return s == sandbox_state::starting || s == sandbox_state::up;
}

/// Its process ends with its shim.
bool is_held(container_state s) {
  return s >= container_state::creating && s <= container_state::killing;
}

orders plan_end(const pod_view& pod) {
  orders out;
  if (pod.sandbox == sandbox_state::adopting) return out; // how, what its shim tells decides
  bool all_ended = true;
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto state = pod.containers[i].state;
    all_ended = all_ended && state == container_state::ended;
    if (is_held(state) && !takes_requests(pod.sandbox)) continue; // its shim was told to go
    if (!is_stopping(state)) out.emplace_back(order::stop{i});
  }
  const bool open = pod.sandbox == sandbox_state::idle || pod.sandbox == sandbox_state::preparing ||
                    takes_requests(pod.sandbox);
  if (all_ended && open) out.emplace_back(order::close_sandbox{});
  return out;
}

std::optional<order::end_run> over_with_sandbox(const pod_view& pod) {
  if (pod.sandbox_failed) return order::end_run{run_over::sandbox_failed, 0};
  const bool touched = std::any_of(pod.containers.begin(), pod.containers.end(),
                                   [](const auto& c) { return c.touched; });
  if (pod.sandbox_lost && touched) return order::end_run{run_over::sandbox_lost, 0};
  return std::nullopt;
}

/// What becomes of a container that ended.
pod_order judge(const pod_view& pod, run::index who, time_point now) {
  const auto& c = pod.containers[who];
  const auto why = reason_of(*c.end);
  const bool no_image =
      c.end->how == run::outcome::image_failed || why.cause == stop_cause::host_shortage;
  auto profile = pod.profile;
  // As kubelet: nothing has run yet, so the restart policy is not asked; and the first pull after a
  // failed one waits too.
  if (no_image) profile.first_at_once = false;
  const auto policy = no_image ? restart_policy::always : pod.policy;
  const auto verdict = restart_decision(policy, why, c.history, profile, now);
  const auto* again = std::get_if<restart_after>(&verdict);
  if (again == nullptr) return order::leave_ended{who};
  auto ends = c.ends;
  if (!no_image && one_too_many(ends, profile.give_up, now))
    return order::end_run{run_over::gave_up, who};
  return order::run_again{who, again->delay, again->retries, !no_image, std::move(ends)};
}

/// The ends since the last look, one order each; or the one that ends the run.
orders plan_restarts(const pod_view& pod, time_point now) {
  orders out;
  bool all_done = true;
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto& c = pod.containers[i];
    all_done = all_done && c.done;
    if (c.done || c.state != container_state::ended) continue;
    if (c.stuck) return {order::end_run{run_over::stuck, i}};
    if (pod.rebuild_whole) return {order::end_run{run_over::container, i}};
    auto verdict = judge(pod, i, now);
    if (std::holds_alternative<order::end_run>(verdict)) return {std::move(verdict)};
    out.push_back(std::move(verdict));
  }
  if (all_done) return {order::end_run{run_over::all_done, 0}};
  return out;
}

orders plan_starts(const pod_view& pod, time_point now) {
  orders out;
  std::vector<run::index> found;
  const bool reachable = takes_requests(pod.sandbox);
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto& c = pod.containers[i];
    if (c.state == container_state::waiting && (!c.due || *c.due <= now))
      out.emplace_back(order::begin{i});
    if (c.state == container_state::found && !c.lacks_data) found.push_back(i);
    if (c.state == container_state::prepared && reachable) out.emplace_back(order::create{i});
  }
  if (found.empty()) return out;
  if (pod.sandbox == sandbox_state::idle)
    out.emplace_back(order::open_sandbox{std::move(found)});
  else if (reachable)
    out.emplace_back(order::prepare{std::move(found)});
  return out;
}

} // namespace

std::vector<pod_order> plan_pod(const pod_view& pod, time_point now) {
  if (pod.ending) return plan_end(pod);
  if (const auto over = over_with_sandbox(pod)) return {*over};
  if (auto ends = plan_restarts(pod, now); !ends.empty()) return ends;
  return plan_starts(pod, now);
}

} // namespace tank
