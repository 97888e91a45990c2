/// What a session tells of its container, as events of the runtime's table. Pure but for looking
/// whether the kernel killed for want of memory.
#pragma once

#include "actors/runtime/runtime.hpp"

#include <filesystem>
#include <optional>

namespace tank {

/// A run, as far as its events need to be understood.
struct run_view {
  const runtime_options& options;
  const runtime_args& args;
  const launch_inputs* inputs;    ///< null: a predecessor began it
  const kernel::session* session; ///< not null while events are read
};

/// Nothing for an event that changes nothing.
std::optional<runtime_event> to_event(const kernel::session_event& e, const run_view& run);

/// Of the container: a name in a cgroup_tree.
std::filesystem::path container_cgroup(const run_view& run);

runtime_event plain_event(runtime_event_kind k);
runtime_event failed_event(runtime_event_kind k, error why);

} // namespace tank
