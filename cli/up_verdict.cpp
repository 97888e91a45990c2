#include "cli/up_verdict.hpp"

#include "cli/tables.hpp"
#include "config/pod.hpp"
#include "pod/run_settings.hpp"

#include <algorithm>

namespace tank::cli {
namespace {

/// One with a reason failed, whatever its containers' last words were: a program that is told to end
/// for the deadline exits with 0 as for any other stop.
bool ended_well(const pod_status& p) {
  return p.state == pod_state::terminal && p.reason.empty() && p.last && p.last->exit_code == 0 &&
         p.last->signal == 0;
}

/// A pod ends by its deadline, with a container that it ends with, or when no main container of it
/// will run again.
bool ends_by_itself(const pod_status& p) {
  if (!p.pod) return false;
  if (p.pod->spec.active_deadline_seconds) return true;
  const auto settings = run_settings_of(p.key, *p.pod, {}, {});
  bool all = true;
  bool significant = false;
  for (const auto& c : settings.containers) {
    const bool stays = c.policy.policy != restart_policy::always;
    if (c.kind == container_kind::main) all = all && stays;
    significant = significant || (c.significant && stays);
  }
  return all || significant;
}

bool reached(const pod_status& p, up_goal goal) {
  if (goal == up_goal::ready) return p.state == pod_state::running || ended_well(p);
  return !ends_by_itself(p) || p.state == pod_state::terminal;
}

} // namespace

std::optional<up_end> judge_up(const instance::view& view, up_goal goal) {
  if (goal == up_goal::forever || !view.synced) return std::nullopt;
  up_end end;
  for (const auto& file : view.files)
    end.problems.insert(end.problems.end(), file.errors.begin(), file.errors.end());
  if (!end.problems.empty()) return end;
  if (view.pods.empty()) return up_end{{"there is no pod in the given manifests"}};
  const bool any = std::any_of(view.pods.begin(), view.pods.end(), ends_by_itself);
  if (goal == up_goal::exit && !any)
    return up_end{{"no pod ends by itself: all have containers that always run again"}};
  // A pod that is over and failed can only stay so.
  for (const auto& p : view.pods)
    if (p.state == pod_state::terminal && !ended_well(p)) end.problems.push_back(state_line(p));
  const bool all = std::all_of(view.pods.begin(), view.pods.end(),
                               [&](const auto& p) { return reached(p, goal); });
  if (all || (goal == up_goal::ready && !end.problems.empty())) return end;
  return std::nullopt;
}

std::string up_line(const instance::view& view) {
  if (!view.synced || view.pods.empty()) return {};
  std::size_t up = 0;
  std::size_t failed = 0;
  for (const auto& p : view.pods) {
    if (reached(p, up_goal::ready))
      ++up;
    else if (p.state == pod_state::terminal)
      ++failed;
    else
      return {};
  }
  const auto all = std::to_string(view.pods.size());
  if (failed == 0) return view.pods.size() == 1 ? "the pod is up" : "all " + all + " pods are up";
  return std::to_string(up) + " of " + all + " pods are up, " + std::to_string(failed) + " failed";
}

std::vector<std::string> missing(const instance::view& view, up_goal goal) {
  std::vector<std::string> lines;
  for (const auto& p : view.pods)
    if (!reached(p, goal)) lines.push_back(state_line(p));
  return lines;
}

} // namespace tank::cli
