/// What went wrong in a launch, as far as anybody decides by it. The text beside it is for people.
#pragma once

#include <cstdint>
#include <string_view>

namespace tank::kernel {

/// The values are part of the protocol with the shim: new ones go to the end.
enum class launch_failure : std::uint8_t {
  other,           ///< none of the below
  plan_step,       ///< a step of the plan; its index, step and object say which
  map_ids,         ///< a mount's ids could not be mapped into the pod's user namespace
  clone,           ///< there is no process: it could not be cloned, watched or given its pipes
  open_log,        ///< its log file could not be opened
  join_cgroup,     ///< it could not be put into its cgroup
  set_limits,      ///< an rlimit, or the OOM score
  enter_cwd,       ///< the working directory could not be made or entered
  set_ids,         ///< user, group, supplementary groups
  set_privileges,  ///< capabilities, no_new_privs, the seccomp filter
  find_command,    ///< no program of that name in PATH
  execute,         ///< execve refused the program
  run_interpreter, ///< the program is there, what should run it is not
  killed,          ///< somebody, or the kernel for want of memory, killed the parked process
  filtered,        ///< its seccomp filter does not allow execve
};
inline constexpr unsigned launch_failures = 15;
std::string_view to_string(launch_failure f) noexcept; ///< its name: "map_ids"

} // namespace tank::kernel
