/// The reconciler: makes what runs equal to what is desired, for ever.
///
/// Level-triggered: it compares the whole desired set with what it tracks, on every change, after
/// every end and every few seconds, and acts on the difference. It owns restarts; runtimes are
/// never restarted by anyone else. It waits for nobody: each pod moves on by messages of its own.
///
/// Messages it takes (structs in messages.hpp unless said; answers after the arrow):
///   desired_state                  the new whole truth
///   pod_running, pod_progress, pod_ended     from its runtimes
///   list_pods                      -> pod_list, by key
///   get_pod{key}                   -> pod_status, or error not_found
///   restart_pod{key}               -> pod_status at once; error not_found. Stops it gracefully if
///   it
///                                     runs, starts it anew, retries 0; wakes a terminal pod
///   sync_pods{}                    -> pods_synced, after one pass over everything
///   stop_all_pods{grace}           -> pods_stopped, when the last runtime is gone; final: nothing
///   is
///                                     started any more
///   watch_pods{actor} (below)      that actor gets pod_changed for each pod now, and pod_changed |
///                                     pod_removed from now on, until it ends
/// Errors are answered as to_error(tank::error): see stop_reason.hpp.
#pragma once

#include "actors/backoff.hpp"
#include "actors/runtime_args.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace tank {

struct reconciler_options {
  runtime_factory start_runtime;
  backoff_profile backoff;
  std::chrono::milliseconds resync = std::chrono::seconds{5};
  /// Passes for changes: one in this time on average, a burst of them at once.
  std::chrono::milliseconds nudge = std::chrono::milliseconds{100};
  std::uint32_t nudge_burst = 50;           ///< at least 1
  std::function<std::int64_t()> wall_clock; ///< CLOCK_REALTIME in ns; the system's when empty
};

/// The runtimes it started stay when it ends abnormally (they hold running workloads); an orderly
/// exit (user_shutdown) is not a way to stop pods: send stop_all_pods first.
caf::actor spawn_reconciler(caf::actor_system& sys, reconciler_options options);

} // namespace tank
