/// From securityContext to what a container may do. Pure; prepare_launch has the seccomp profile
/// compiled.
///
/// A field of the container counts before the pod's. Sources: Kubernetes' SecurityContext, and
/// where that leaves it to the runtime, what containerd does.
#pragma once

#include "base/error.hpp"
#include "config/pod.hpp"
#include "kernel/launch_plan.hpp"
#include "kernel/port.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tank {

/// All five sets.
///  * privileged: all that `available` has. Otherwise the default ones; `add: [ALL]` begins with
///    all of `available`, `drop: [ALL]` with none; then single names are added, then dropped.
///    Case does not count, nor does a prefix "CAP_".
///  * A user other than root keeps none behind execve: for it they only bound what a set-user-ID
///    program can get. Inheritable and ambient sets are empty.
///  * errc::invalid for a name that is none; errc::denied for one that is added and not available.
///    A default one that is not available is left out.
result<kernel::capability_sets> plan_capabilities(const config::container& container,
                                                  std::uint32_t uid, capability_mask available);

enum class seccomp_kind : std::uint8_t { runtime_default, unconfined, localhost };
struct seccomp_choice {
  seccomp_kind kind = seccomp_kind::runtime_default;
  std::string profile; ///< of localhost: a path below the profile directory
  bool operator==(const seccomp_choice&) const = default;
};

/// RuntimeDefault unless the manifest says otherwise; unconfined when privileged.
seccomp_choice plan_seccomp(const config::pod& pod, const config::container& container);

bool is_privileged(const config::container& container);

/// The pod's kernel parameters; errc::denied for one that is not safe.
result<std::vector<kernel::sysctl_step>> plan_sysctls(const config::pod& pod);

/// What a workload starts with whatever Tank itself was started with: 1024 open files, which it may
/// raise up to 524288 or what Tank may, no core dumps unless it asks for them, and half of what the
/// kernel usually gives a user of what it counts for one.
std::vector<kernel::rlimit_spec> default_rlimits(const kernel::host_facts& host);

} // namespace tank
