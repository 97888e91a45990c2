#include "cli/up_verdict.hpp"

#include "cli/tables.hpp"
#include "config/pod.hpp"

#include <algorithm>

namespace tank::cli {
namespace {

bool ended_well(const pod_status& p) {
  return p.state == pod_state::terminal && p.last && p.last->exit_code == 0 && p.last->signal == 0;
}

bool ends_by_itself(const pod_status& p) {
  return p.pod && p.pod->spec.restart_policy != "Always";
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
    return up_end{{"no pod ends by itself: all have restartPolicy Always"}};
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
