/// What a reconciling pass has to do: the difference between two sets, as a value.
#pragma once

#include "pod/model.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tank {

/// Where a tracked pod is heading: the hash of the content it runs, or will run once its present
/// run is gone. Empty: on its way out.
using tracked_pods = std::map<std::string, std::optional<std::string>>;

/// Keys, each list in order and no key in two of them.
struct reconcile_plan {
  std::vector<std::string> start;   ///< desired, not tracked
  std::vector<std::string> stop;    ///< tracked, no longer desired
  std::vector<std::string> restart; ///< other content, or desired again while on its way out
  bool operator==(const reconcile_plan&) const = default;
};

/// What an edit of one pod asks for.
enum class pod_change : std::uint8_t {
  none,
  limits, ///< can be done to a pod that runs
  other,
};
pod_change plan_change(const desired_pod& from, const desired_pod& to);

reconcile_plan plan_reconcile(const std::map<std::string, desired_pod>& desired,
                              const tracked_pods& tracked);

} // namespace tank
