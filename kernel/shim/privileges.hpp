/// Whom the workload runs as and what it may do: the last things that are settled before execve.
#pragma once

#include "kernel/shim/steps.hpp"

namespace tank::kernel::shim {

// Each returns 0, or -1 with `out` filled.

/// Groups, user and all five sets of capabilities, as the plan has them. Needs the capabilities of
/// a fresh shim. CAP_SYS_ADMIN stays beside them, until execve, when the seccomp filter could not
/// be installed without it.
int become(const wire::process_view& p, step_failure* out) noexcept;

/// no_new_privs and the seccomp filter. What follows must be allowed by the filter.
int confine(const wire::process_view& p, step_failure* out) noexcept;

/// A session keyring of its own: whoever inherits the daemon's could read its keys, and share keys
/// with every other pod. A kernel without keys is content.
int leave_keyring(step_failure* out) noexcept;

/// Writes /proc/<process>/oom_score_adj; before the pivot, where /proc is the host's.
int set_oom_score(const wire::process_view& p, const char* process, step_failure* out) noexcept;

} // namespace tank::kernel::shim
