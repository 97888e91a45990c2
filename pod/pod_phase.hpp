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

/// Pending until the init containers have succeeded and each other one has run once; Succeeded or
/// Failed once nothing will run again. A pod that backs off is Running to Kubernetes if it ever ran.
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

/// It runs, and so do all its containers but init containers, ready.
bool is_ready(const pod_status& pod);

/// "1/2": so many of its containers are ready, init containers not counted unless they are sidecars.
std::string ready_text(const pod_status& pod);

/// Its state in one word, as kubectl shows it: Running, Init:0/2, CrashLoopBackOff, Completed, ...
std::string status_word(const pod_status& pod);

/// Restarts of this content, whole and of single containers.
std::uint32_t total_restarts(const pod_status& pod);

} // namespace tank
