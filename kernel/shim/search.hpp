/// From argv[0] to execve.
#pragma once

#include "kernel/shim/steps.hpp"

namespace tank::kernel::shim {

/// Executes p.argv with p.env. argv[0] with a slash is taken as it is, from the working directory;
/// without one it is searched in the PATH of p.env as execvp(3) does: an unusable entry (EACCES)
/// does not end the search, but is the answer when nothing better comes. A file that exists while
/// its interpreter or loader does not is told apart from one that does not exist. Returns -1 with
/// `out` filled: find_command when there is no such program, else execute or run_interpreter.
int execute(const wire::process_view& p, step_failure* out) noexcept;

} // namespace tank::kernel::shim
