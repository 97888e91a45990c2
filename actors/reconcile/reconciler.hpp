/// The reconciler: makes what runs equal to what is desired, for ever.
///
/// Level-triggered: it compares the whole desired set with what it tracks, on every change, after
/// every end and every few seconds, and acts on the difference. It owns restarts; runtimes are
/// never restarted by anyone else. It waits for nobody: each pod moves on by messages of its own.
///
/// Messages it takes (structs in messages.hpp unless said; answers after the arrow):
///   desired_state               the new whole truth
///   pod_running, pod_progress, pod_ended   from its runtimes
///   list_pods                   -> pod_list, by key
///   get_pod{key}                -> pod_status, or error not_found
///   restart_pod{key}            -> pod_status at once; error not_found. Stops the pod gracefully if
///                                  it runs, starts it anew, retries 0; wakes a terminal pod
///   sync_pods{}                 -> pods_synced, after one pass over everything
///   stop_all_pods{grace}        -> pods_stopped, when the last runtime is gone; final: nothing is
///                                  started any more
///   watch_pods{actor} (below)   that actor gets pod_changed for each pod now, and pod_changed |
///                               pod_removed from now on, until it ends
/// Errors are answered as to_error(tank::error): see stop_reason.hpp.
#pragma once

#include "actors/runtime/runtime_args.hpp"
#include "pod/backoff.hpp"
#include "pod/pod_records.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

/// What a reconciler leaves to its successor: its state, who watches it, and the runtimes, which
/// are alive through it (in OTP: a table with an heir). Used by one reconciler at a time, and by
/// its maker before the first and after the last.
class reconciler_memory {
 public:
  explicit reconciler_memory(const backoff_profile& backoff);
  /// For pods that outlive this process: each decision is kept in `records` before it is carried
  /// out, and what `restored` says is taken over first.
  reconciler_memory(const backoff_profile& backoff, std::shared_ptr<pod_records> records,
                    std::vector<pod_record> restored);
  reconciler_memory(const reconciler_memory&) = delete;
  reconciler_memory& operator=(const reconciler_memory&) = delete;
  /// Ends the runtimes that are left (each shuts its shim down, unless it has an heir).
  ~reconciler_memory();
  /// Tells the runtimes to end; they do so soon.
  std::vector<caf::actor> end_runtimes();

 private:
  friend class reconciler;
  struct state;
  std::unique_ptr<state> state_;
};

struct reconciler_options {
  runtime_factory start_runtime;
  std::shared_ptr<reconciler_memory> memory; ///< empty: of its own, gone with it
  backoff_profile backoff;
  std::chrono::milliseconds resync = std::chrono::seconds{5};
  /// Passes for changes: one in this time on average, a burst of them at once.
  std::chrono::milliseconds nudge = std::chrono::milliseconds{100};
  std::uint32_t nudge_burst = 50;           ///< at least 1
  std::function<std::int64_t()> wall_clock; ///< CLOCK_REALTIME in ns; the system's when empty
  std::shared_ptr<spdlog::logger> logger;   ///< may be empty
};

/// With a shared memory its end, whatever the reason, touches no runtime: the next reconciler with
/// that memory owns them, learns of those that ended meanwhile, and goes on where this one was:
/// nothing runs twice, no count is lost, watchers stay. What is lost is what was on its way to this
/// one: a desired state (sent again with the watcher's next periodic look), and questions (answered
/// by an error). State that makes each successor fail is beyond this: the supervisor gives up.
/// Runtimes are its children in all but restart, which is why no dynamic supervisor stands between:
/// starting one is one call here, and would be a round of messages there.
///
/// Its end is not a way to stop pods: send stop_all_pods first.
caf::actor spawn_reconciler(caf::actor_system& sys, reconciler_options options);

} // namespace tank
