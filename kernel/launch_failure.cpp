#include "kernel/launch_failure.hpp"

namespace tank::kernel {

std::string_view to_string(launch_failure f) noexcept {
  constexpr std::string_view names[launch_failures] = {
      "other",        "plan_step",  "map_ids",         "clone",   "open_log",
      "join_cgroup",  "set_limits", "enter_cwd",       "set_ids", "set_privileges",
      "find_command", "execute",    "run_interpreter", "killed",  "filtered"};
  const auto i = static_cast<unsigned>(f);
  return i < launch_failures ? names[i] : "unknown";
}

} // namespace tank::kernel
