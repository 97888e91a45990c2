/// What a runtime is started with, and who starts it.
#pragma once

#include "pod/model.hpp"
#include "pod/pod_record.hpp"

#include <caf/actor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace caf {
class actor_system;
} // namespace caf

namespace tank {

/// One run of one pod. A runtime tells `owner` pod_progress (any number), pod_running (at most
/// once) and pod_ended (exactly once), each with `key` and `generation`, and then stops with the
/// stop_reason that matches. It obeys stop_pod at any time, also while it starts.
struct runtime_args {
  std::string key;              ///< namespace/name
  std::uint64_t generation = 0; ///< of this run; unique in the owner's life
  desired_pod what;
  std::shared_ptr<const documents> data; ///< as of now; null: not known yet, data_changed will tell
  std::uint32_t restarts = 0; ///< runs of this content before this one: the number of the log file
  caf::actor owner;
  std::uint64_t run = 0; ///< its number in the pod's record; several generations may serve one run
  std::optional<run_record> adopt; ///< take over what a predecessor left of this run
  /// What is adopted may not have the limits of `what` yet: as after a change_limits.
  bool limits_edited = false;
  /// Should this actor fail, another one takes the run over: the shim is left to it.
  bool has_heir = false;
  /// An exit signal kills the workload, and the actor ends when everything is removed; else it ends
  /// at once, and its supervisor sees to the rest.
  bool ends_orderly = false;
};

/// Starts a runtime and returns at once; never throws for a reason of the pod's (a runtime that
/// cannot start stops with bring_up_failed). Called from the owner's thread.
using runtime_factory = std::function<caf::actor(caf::actor_system&, runtime_args)>;

} // namespace tank
