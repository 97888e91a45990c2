/// How a container's process gets into its cgroups.
#pragma once

#include "kernel/shim/steps.hpp"

#include <sys/types.h>

namespace tank::kernel::shim {

/// Moves the process `pid`, a child of ours that is not reaped, into the cgroup of each directory.
/// The shim itself stays where it is: what bounds the workload must not end who reports on it.
/// Returns 0, or -1 with `out` filled.
int join_cgroups(const wire::text_list& dirs, pid_t pid, step_failure* out) noexcept;

} // namespace tank::kernel::shim
