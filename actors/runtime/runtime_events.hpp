/// What a session tells, as events of a run. Pure but for counting what a shim of protocol 1 does
/// not count.
#pragma once

#include "actors/runtime/runtime.hpp"
#include "kernel/session_events.hpp"
#include "pod/container.hpp"
#include "pod/run_steps.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace tank {

/// A run, as far as its events need to be understood.
struct run_view {
  const runtime_options& options;
  const runtime_args& args;
  const pod_run& run;
  /// By container; null: a predecessor began it.
  const std::vector<std::shared_ptr<const container_inputs>>& inputs;
  const kernel::session& session;
  std::uint32_t protocol = 2; ///< of the shim
};

/// Nothing for an event that changes nothing, or is about a container that the pod has not.
std::optional<run::event> to_event(const kernel::session_event& e, const run_view& run);

/// A create that was refused for its plan: the session is as good as before for other containers.
bool is_about_plan(const error& refused);

/// Of a container: a name in a cgroup_tree.
std::filesystem::path container_cgroup(const runtime_options& options, const runtime_args& args,
                                       const std::string& container);
/// The same as a directory of the host, in the first hierarchy; empty: there are none.
std::string container_cgroup_directory(const runtime_options& options, const runtime_args& args,
                                       const pod_run& run, run::index who);

} // namespace tank
