/// What the parked child does inside its own namespaces: the seam between the shim's life cycle
/// (server.cpp, container.cpp, child.cpp) and the executor (steps.cpp, exec.cpp).
///
/// All of it runs between clone and exec in a single-threaded static program: no heap, no
/// exceptions, fixed buffers only. Every function returns 0, or -1 with `out` filled.
#pragma once

#include "kernel/launch_failure.hpp"
#include "kernel/shim/syscalls.hpp"
#include "kernel/wire.hpp"

#include <cstdint>

namespace tank::kernel::shim {

class sources;

/// One failed step, as it crosses the checkpoint socket and then the protocol. Texts are cut to
/// fit, always NUL-terminated.
struct step_failure {
  std::int32_t sys = 0;
  std::int32_t step_index = -1; ///< the plan's, -1 outside of the steps
  launch_failure code = launch_failure::other;
  char step[64] = {};    ///< verb phrase: "mount overlay on", "execute"
  char object[960] = {}; ///< path or program

  /// Fills all but the index; returns -1, to be returned by the caller.
  int set(int error, const char* what, const char* on,
          launch_failure kind = launch_failure::other) noexcept {
    sys = error;
    code = kind;
    copy_text(step, what);
    copy_text(object, on);
    return -1;
  }

  /// It happened in the plan's step `index`, and is of no kind of its own.
  void place(std::int32_t index) noexcept {
    step_index = index;
    if (code == launch_failure::other) code = launch_failure::plan_step;
  }
};

/// Carries out the plan's steps in order. On entry: own mount namespace (propagation still the
/// host's: making it private is the executor's first act), own pid and cgroup namespaces as the
/// plan says, cwd "/", fds 0-2 and the checkpoint socket only. A failure names its step.
/// With `opened`, in a user namespace, overlay and bind steps attach what that holds.
int run_steps(const wire::plan_view& plan, const sources* opened, step_failure* out) noexcept;

/// Identity, umask, rlimits, cwd, then execve; returns only on failure. Called after `run_steps`.
/// `checkpoint` is the socket to the shim (CLOEXEC): after re-arming PDEATHSIG, which a change of
/// identity clears, `parent_is_gone(checkpoint)` must be asked once more.
int exec_process(const wire::plan_view& plan, int checkpoint, step_failure* out) noexcept;

/// Whether the shim died: its end of the checkpoint socket is closed. Closes the race that
/// PDEATHSIG alone leaves, and works across pid namespaces where getppid() says 0.
bool parent_is_gone(int checkpoint) noexcept;

} // namespace tank::kernel::shim
