/// Pods one by one, for an embedder that decides itself when they start: a runtime (runtime.hpp)
/// under a dynamic supervisor, without manifests, reconciler and restarts.
///
///   auto pod = tank::read_pod(manifest);
///   auto runtime = tank::spawn_runtime(instance->runtimes(), *pod, {.owner = self});
///
/// The runtime takes stop_pod (graceful), get_host_pid, get_exec_context and what else runtime.hpp
/// lists. It is a temporary child: nobody restarts it. A terminate_dynamic, and the end of the
/// instance, kill the workload; whichever way it ends, everything of the run is removed, emptyDirs
/// too.
#pragma once

#include "base/error.hpp"
#include "pod/model.hpp"

#include <caf/actor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace caf {
class actor_system;
} // namespace caf

namespace tank {

class run_registry;

/// Where runtimes live: a handle, cheap to copy; from any thread.
class runtime_supervisor {
 public:
  explicit runtime_supervisor(std::shared_ptr<run_registry> runs) : runs_{std::move(runs)} {}
  /// The supervisor of now, for which_children, count_children and terminate_dynamic.
  [[nodiscard]] caf::actor actor() const;

 private:
  friend struct spawn_access;
  std::shared_ptr<run_registry> runs_;
};

struct spawn_options {
  /// Gets workload_running at most once, and exactly one of workload_exited, workload_signaled and
  /// workload_error, when everything of the run is removed: it may start the pod again at once.
  caf::actor owner;
  /// ConfigMaps and Secrets (pod/documents.hpp) that the pod may name; null: there are none. A pod
  /// that lacks one waits: send its runtime data_changed.
  std::shared_ptr<const documents> data = {};
};

/// Starts one pod and returns its runtime at once; from any thread, an actor's too. Refused:
/// errc::exists while a run of this pod is under way, errc::cancelled once the instance was told to
/// stop. A pod that cannot be brought up is a workload_error, not a refusal.
result<caf::actor> spawn_runtime(const runtime_supervisor& under, const desired_pod& what,
                                 spawn_options options = {});

/// The one Pod of a manifest (YAML or JSON), judged; the error has its first finding. It may run
/// beside the same manifest in a watched directory: its derived uid is another one.
result<desired_pod> read_pod(std::string_view manifest);

} // namespace tank
