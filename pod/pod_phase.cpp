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

static bool is_main(const container_status& c) {
  return c.kind == container_kind::main;
}

static bool any_main_ran(const pod_status& pod) {
  return std::any_of(pod.containers.begin(), pod.containers.end(),
                     [](const auto& c) { return is_main(c) && has_run(c); });
}

/// Its step of the beginning is not done: a plain init container has not succeeded, or a sidecar has
/// not started.
static bool is_incomplete(const container_status& c) {
  if (c.kind == container_kind::init) return !ended_well(c);
  return c.kind == container_kind::sidecar && !c.started;
}

pod_phase phase_of(const pod_status& pod) {
  const auto& all = pod.containers;
  if (pod.state == pod_state::terminal && !pod.reason.empty()) return pod_phase::failed;
  if (pod.state == pod_state::terminal) {
    const bool well = !all.empty() && std::all_of(all.begin(), all.end(), [](const auto& c) {
      return !is_main(c) || ended_well(c);
    });
    // With `tank/ends-with` others may have been stopped: its end is the pod's.
    const bool by_one = pod.last && pod.last->reason == "Completed" && pod.last->exit_code == 0;
    return well || by_one ? pod_phase::succeeded : pod_phase::failed;
  }
  const bool main_ran = any_main_ran(pod);
  bool runs = main_ran;
  for (const auto& c : all) {
    if (is_main(c)) runs = runs && has_run(c);
    if (c.kind == container_kind::init && !ended_well(c)) runs = false;
    if (c.kind == container_kind::sidecar && !c.started && !main_ran) runs = false;
  }
  return runs ? pod_phase::running : pod_phase::pending;
}

template <class Which>
static std::string names_of(const pod_status& pod, Which which) {
  std::string names;
  for (const auto& c : pod.containers)
    if (which(c)) names += (names.empty() ? "" : " ") + c.name;
  return names;
}

static pod_condition initialized(const pod_status& pod) {
  pod_condition out{"Initialized", true, {}, {}};
  const auto names = names_of(pod, is_incomplete);
  if (names.empty() || any_main_ran(pod)) return out;
  out.met = false;
  out.reason = "ContainersNotInitialized";
  out.message = "containers with incomplete status: [" + names + "]";
  return out;
}

std::vector<pod_condition> conditions_of(const pod_status& pod) {
  const auto phase = phase_of(pod);
  const bool over = phase == pod_phase::succeeded || phase == pod_phase::failed;
  const bool up = std::any_of(pod.containers.begin(), pod.containers.end(),
                              [](const auto& c) { return c.state == container_phase::running; });
  const auto unready =
      names_of(pod, [](const auto& c) { return c.kind != container_kind::init && !c.ready; });
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
          initialized(pod),
          std::move(ready),
          std::move(containers_ready),
          {"PodScheduled", true, {}, {}}};
}

bool is_ready(const pod_status& pod) {
  if (pod.state != pod_state::running || pod.containers.empty()) return false;
  return std::all_of(pod.containers.begin(), pod.containers.end(),
                     [](const auto& c) { return c.kind == container_kind::init || c.ready; });
}

std::string ready_text(const pod_status& pod) {
  std::size_t ready = 0;
  std::size_t all = 0;
  for (const auto& c : pod.containers) {
    if (c.kind == container_kind::init) continue;
    ++all;
    if (c.ready) ++ready;
  }
  return std::to_string(ready) + "/" + std::to_string(all);
}

/// Of the first step of the beginning that is not done; empty: all are.
static std::string init_word(const pod_status& pod) {
  std::size_t steps = 0;
  std::size_t done = 0;
  std::string word;
  for (const auto& c : pod.containers) {
    if (is_main(c)) continue;
    ++steps;
    if (!word.empty()) continue;
    if (!is_incomplete(c)) {
      ++done;
      continue;
    }
    word = "Init:";
    if (c.terminated)
      word += c.terminated->reason.empty() ? "Error" : c.terminated->reason;
    else if (c.state == container_phase::waiting && !c.reason.empty() &&
             c.reason != "PodInitializing")
      word += c.reason;
  }
  if (word == "Init:") word += std::to_string(done) + "/" + std::to_string(steps);
  return word;
}

std::string status_word(const pod_status& pod) {
  if (pod.state == pod_state::stopping) return "Terminating";
  if (!pod.reason.empty()) return pod.reason;
  if (const auto word = init_word(pod); !word.empty() && !any_main_ran(pod)) return word;
  std::string word{to_string(phase_of(pod))};
  bool one_runs = false;
  for (auto c = pod.containers.rbegin(); c != pod.containers.rend(); ++c) {
    if (!is_main(*c)) continue;
    if (c->state == container_phase::running)
      one_runs = one_runs || c->ready;
    else if (c->state == container_phase::waiting && !c->reason.empty())
      word = c->reason;
    else if (c->terminated && !c->terminated->reason.empty())
      word = c->terminated->reason;
  }
  if (word == "Completed" && one_runs) word = is_ready(pod) ? "Running" : "NotReady";
  return word;
}

std::uint32_t total_restarts(const pod_status& pod) {
  auto total = pod.restarts;
  for (const auto& c : pod.containers)
    total += c.restarts - std::min(c.restarts, pod.restarts);
  return total;
}

} // namespace tank
