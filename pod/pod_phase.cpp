#include "pod/pod_phase.hpp"

#include <algorithm>

namespace tank {

std::string_view to_string(pod_phase p) noexcept {
  switch (p) {
  case pod_phase::pending:
    return "Pending";
  case pod_phase::running:
    return "Running";
  case pod_phase::succeeded:
    return "Succeeded";
  case pod_phase::failed:
    return "Failed";
  }
  return "?";
}

/// An attempt of it has run, now or before.
static bool has_run(const container_status& c) {
  const auto ran = [](const std::optional<last_exit>& e) { return e && e->started_ns != 0; };
  return c.state == container_phase::running || ran(c.terminated) || ran(c.last);
}

static bool ended_well(const container_status& c) {
  return c.terminated && c.terminated->exit_code == 0 && c.terminated->reason == "Completed";
}

pod_phase phase_of(const pod_status& pod) {
  const auto& all = pod.containers;
  if (pod.state == pod_state::terminal) {
    const bool well = !all.empty() && std::all_of(all.begin(), all.end(), ended_well);
    return well ? pod_phase::succeeded : pod_phase::failed;
  }
  const bool ran = !all.empty() && std::all_of(all.begin(), all.end(), has_run);
  return ran ? pod_phase::running : pod_phase::pending;
}

static std::string not_ready(const pod_status& pod) {
  std::string names;
  for (const auto& c : pod.containers)
    if (!c.ready) names += (names.empty() ? "" : " ") + c.name;
  return names;
}

std::vector<pod_condition> conditions_of(const pod_status& pod) {
  const auto phase = phase_of(pod);
  const bool over = phase == pod_phase::succeeded || phase == pod_phase::failed;
  const bool up = std::any_of(pod.containers.begin(), pod.containers.end(),
                              [](const auto& c) { return c.state == container_phase::running; });
  const auto unready = not_ready(pod);
  pod_condition ready{"Ready", !over && unready.empty() && !pod.containers.empty(), {}, {}};
  if (!ready.met) {
    ready.reason = phase == pod_phase::succeeded ? "PodCompleted"
                   : phase == pod_phase::failed  ? "PodFailed"
                                                 : "ContainersNotReady";
    if (!over) ready.message = "containers with unready status: [" + unready + "]";
  }
  auto containers_ready = ready;
  containers_ready.type = "ContainersReady";
  return {{"PodReadyToStartContainers", up, {}, {}},
          {"Initialized", true, {}, {}},
          std::move(ready),
          std::move(containers_ready),
          {"PodScheduled", true, {}, {}}};
}

std::uint32_t total_restarts(const pod_status& pod) {
  auto total = pod.restarts;
  for (const auto& c : pod.containers)
    total += c.restarts - std::min(c.restarts, pod.restarts);
  return total;
}

} // namespace tank
