/// A pod's phase and conditions as the Kubernetes API shows them. Pure functions of its status.
#pragma once

#include "pod/model.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

enum class pod_phase : std::uint8_t { pending, running, succeeded, failed };
std::string_view to_string(pod_phase p) noexcept; ///< "Pending", ...

/// Pending until each container has run once; Succeeded or Failed once nothing will run again. A pod
/// that backs off is Running to Kubernetes if it ever ran.
pod_phase phase_of(const pod_status& pod);

struct pod_condition {
  std::string
      type; ///< PodReadyToStartContainers, Initialized, ContainersReady, Ready, PodScheduled
  bool met = false;
  std::string reason; ///< when it is not met: ContainersNotReady, PodCompleted, ...
  std::string message;
  bool operator==(const pod_condition&) const = default;
};
std::vector<pod_condition> conditions_of(const pod_status& pod);

/// Restarts of this content, whole and of single containers.
std::uint32_t total_restarts(const pod_status& pod);

} // namespace tank
