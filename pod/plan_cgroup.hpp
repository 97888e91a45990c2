/// From a pod's `resources` to cgroup limits and OOM scores. Pure.
///
/// The figures are kubelet's, on a node that is this machine alone: its QoS classes, its shares,
/// quotas and scores (pkg/kubelet/cm and pkg/kubelet/qos; tests compare with its own results).
///  * A request of cpu becomes weight, a limit becomes a quota in periods of 100 ms, 1 ms at least.
///  * A limit of memory bounds memory and swap together; a request only counts for the score.
///  * The pod itself is bounded by the sum of its containers when all of them are.
///  * Other resources mean nothing here (config/support.cpp refuses those that ask for something).
#pragma once

#include "base/cgroup_tree.hpp"
#include "base/error.hpp"
#include "config/pod.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/port.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

enum class qos_class : std::uint8_t { guaranteed, burstable, best_effort };
std::string_view to_string(qos_class q) noexcept; ///< as in Kubernetes: "BestEffort"
qos_class qos_of(const config::pod& pod);

struct container_resources {
  std::string name;
  kernel::cgroup_limits limits; ///< shares always, the others when the manifest limits them
  std::int32_t oom_score_adj = 0;
  bool operator==(const container_resources&) const = default;
};

struct pod_resources {
  qos_class qos = qos_class::best_effort;
  kernel::cgroup_limits limits;
  std::vector<container_resources> init_containers; ///< these two in the manifest's order
  std::vector<container_resources> containers;
  bool operator==(const pod_resources&) const = default;
};

/// `memory` is the machine's, in bytes; 0 counts as one byte. `pids` bounds the pod; 0: nothing.
pod_resources plan_resources(const config::pod& pod, std::uint64_t memory, std::uint64_t pids = 0);

/// The cgroups of a pod with these figures, one for each container; no name when `tree` has none.
/// errc::unsupported when it has none and the pod has limits of memory or cpu time.
result<kernel::pod_cgroup> plan_cgroup(const pod_resources& resources, const cgroup_tree& tree,
                                       const std::filesystem::path& name);

/// The score that a container gets here. Lowering one's own needs CAP_SYS_RESOURCE: who lacks it
/// gets none, since no manifest asks for it by name.
std::optional<std::int32_t> possible_oom_score(std::int32_t wanted, const kernel::host_facts& host);

/// How a workload ended, as far as memory is concerned: OOMKilled when a process of its container
/// was killed for want of memory during the run and it did not end well; as containerd and kubelet
/// see it, it need not have been the first process.
bool is_oom_end(std::uint64_t kills_before, std::uint64_t kills_after, bool ended_well) noexcept;

} // namespace tank
