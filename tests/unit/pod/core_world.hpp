/// A reconciler's core with a clock, what is desired, and a list of what it asked for.
#pragma once

#include "base/stop_reason.hpp"
#include "config/pod.hpp"
#include "pod/reconciler_core.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace tank::testing {

using namespace std::chrono_literals;

inline constexpr auto key = "default/web";

inline desired_pod pod(const std::string& hash, const std::string& policy = "Always") {
  auto p = std::make_shared<config::pod>();
  p->spec.restart_policy = policy;
  desired_pod out;
  out.pod = p;
  out.hash = hash;
  out.uid = "uid-" + hash;
  out.file = "web.yaml";
  return out;
}

/// The core with a clock, a set of desired pods and a record of what is alive.
struct world {
  reconciler_core core{backoff_profile{}};
  std::map<std::string, desired_pod> desired;
  instant now{std::chrono::steady_clock::time_point{1h}, 1'000'000'000'000};
  std::vector<start_run> started;
  std::vector<stop_run> stopped;
  std::vector<wake_run> woken;
  std::vector<change_run> changed;

  void note(const reconcile_effects& effects) {
    for (const auto& e : effects) {
      if (const auto* s = std::get_if<start_run>(&e)) started.push_back(*s);
      if (const auto* s = std::get_if<stop_run>(&e)) stopped.push_back(*s);
      if (const auto* s = std::get_if<wake_run>(&e)) woken.push_back(*s);
      if (const auto* s = std::get_if<change_run>(&e)) changed.push_back(*s);
    }
  }
  void pass() {
    core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
    note(core.pass(now));
  }
  void want(const desired_pod& p) {
    desired[key] = p;
    pass();
  }
  void drop() {
    desired.clear();
    pass();
  }
  void wait(std::chrono::milliseconds d) {
    now.mono += d;
    now.wall_ns += std::chrono::nanoseconds(d).count();
  }
  void run() { note(core.running({key, started.back().generation, 77, now.wall_ns, {}}, now)); }
  void down(const stop_reason& why) { note(core.down(key, started.back().generation, why, now)); }
  void due() { note(core.due(key, started.back().generation, now)); }
  pod_status status() { return *core.status(key); }
};

} // namespace tank::testing
