// What status shows of pods and of their containers.
#include "pod/reconciler_core.hpp"

#include "config/pod.hpp"
#include "pod/run_settings.hpp"

#include <utility>

namespace tank {

/// Of a pod that runs in part: what the rest waits for. "b: CrashLoopBackOff: back-off 10s: ..."
static std::string waiting_text(const std::vector<container_status>& all) {
  std::string text;
  for (const auto& c : all) {
    if (c.state != container_phase::waiting || (c.restart_at_ns == 0 && c.message.empty()))
      continue;
    text += (text.empty() ? "" : "; ") + c.name + ": " + c.reason;
    if (!c.message.empty()) text += ": " + c.message;
  }
  return text;
}

/// `now` as a runtime tells it; empty: nothing of a run is known yet.
void reconciler_core::show_containers(entry& e, std::vector<container_status> now) const {
  if (now.empty() && e.what.pod) {
    const auto& pod = *e.what.pod;
    for (run::index i = 0; i < container_count(pod); ++i) {
      container_status s;
      s.name = container_of(pod, i).name;
      s.kind = kind_of(pod, i);
      s.reason = pod.spec.init_containers.empty() ? "ContainerCreating" : "PodInitializing";
      if (is_rebuilt_whole(pod)) s.last = e.status.last;
      if (now.size() < e.present_restarts.size()) s.restarts = e.present_restarts[now.size()];
      now.push_back(std::move(s));
    }
  }
  e.present_restarts.clear();
  for (const auto& c : now)
    e.present_restarts.push_back(c.restarts);
  for (std::size_t i = 0; i < now.size(); ++i) {
    // A rebuilt composite restarts each of its containers.
    now[i].restarts += e.status.restarts;
    if (i < e.container_restarts.size()) now[i].restarts += e.container_restarts[i];
    if (now.size() == 1 && now[i].state == container_phase::running && !now[i].last)
      now[i].last = e.status.last;
  }
  e.status.containers = std::move(now);
  if (e.status.state == pod_state::running) e.status.message = waiting_text(e.status.containers);
}

/// The run is over: its containers' restarts are those of an earlier run from now on.
void reconciler_core::count_restarts(entry& e) {
  if (e.container_restarts.size() < e.present_restarts.size())
    e.container_restarts.resize(e.present_restarts.size());
  for (std::size_t i = 0; i < e.present_restarts.size(); ++i)
    e.container_restarts[i] += e.present_restarts[i];
  e.present_restarts.clear();
}

/// The run is over: what its containers wait for is the pod's to say.
void reconciler_core::show_no_run(entry& e) const {
  if (e.alive) return;
  for (auto& c : e.status.containers) {
    const bool only = e.status.containers.size() == 1;
    c.host_pid = 0;
    c.started_ns = 0;
    c.started = c.ready = false;
    if (e.status.state == pod_state::backing_off) {
      c.state = container_phase::waiting;
      if (only)
        c.last = e.status.last;
      else if (c.terminated)
        c.last = c.terminated;
      c.terminated.reset();
      c.reason = e.no_image ? "ImagePullBackOff" : "CrashLoopBackOff";
      c.message = e.status.message;
      c.restart_at_ns = e.status.restart_at_ns;
    } else if (e.status.state == pod_state::terminal) {
      if (!only && e.final && c.state == container_phase::waiting) continue; // it never came to run
      c.state = container_phase::terminated;
      if (only || !c.terminated) c.terminated = e.status.last;
      if (only) c.last.reset();
      c.reason.clear();
      c.message.clear();
      c.restart_at_ns = 0;
    }
  }
}

reconcile_effects reconciler_core::containers(const containers_changed& m) {
  auto* e = current(m.key, m.generation);
  if (e == nullptr || !e->alive) return {};
  show_containers(*e, m.containers);
  return {status_changed{m.key}};
}

std::optional<pod_status> reconciler_core::status(const std::string& key) const {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return std::nullopt;
  return it->second.status;
}

std::vector<pod_status> reconciler_core::list() const {
  std::vector<pod_status> out;
  out.reserve(entries_.size());
  for (const auto& [key, e] : entries_)
    out.push_back(e.status);
  return out;
}

} // namespace tank
