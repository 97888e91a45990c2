#include "pod/reconcile_plan.hpp"

namespace tank {

pod_change plan_change(const desired_pod& from, const desired_pod& to) {
  if (from.hash == to.hash) return pod_change::none;
  if (!from.instance.empty() && from.instance == to.instance) return pod_change::limits;
  return pod_change::other;
}

reconcile_plan plan_reconcile(const std::map<std::string, desired_pod>& desired,
                              const tracked_pods& tracked) {
  reconcile_plan plan;
  for (const auto& [key, want] : desired) {
    const auto it = tracked.find(key);
    if (it == tracked.end())
      plan.start.push_back(key);
    else if (it->second != want.hash)
      plan.restart.push_back(key);
  }
  for (const auto& [key, heading] : tracked)
    if (heading && !desired.contains(key)) plan.stop.push_back(key);
  return plan;
}

} // namespace tank
