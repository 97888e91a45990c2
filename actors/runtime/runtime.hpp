/// The runtime: one actor per run of a pod. It brings the pod to running reality, supervises it, and
/// ends when its containers have ended and everything of the run is removed.
///
/// pod_run.hpp decides; this actor turns messages into its events and carries out its actions. It
/// obeys stop_pod at any time. Its owner gets pod_progress, pod_running, containers_changed and
/// pod_ended (runtime_args.hpp); then the actor stops with the stop_reason that matches. own_runtime
/// gives it another owner; get_host_pid and get_exec_context tell where a container is; begin_attach
/// and end_attach (sessions/messages.hpp) hand over its terminal.
///
/// Should the actor itself end (an exception, a kill, the end of the instance), it leaves its shim
/// to an heir (runtime_args.hpp); without one it shuts it down on the way out, and what is left on
/// disk is removed by the next run of the pod or by the janitor.
#pragma once

#include "actors/poller.hpp"
#include "actors/runtime/runtime_args.hpp"
#include "actors/sessions/attach_session.hpp"
#include "base/paths.hpp"
#include "base/worker.hpp"
#include "kernel/port.hpp"
#include "pod/backoff.hpp"
#include "pod/container.hpp"
#include "pod/id_ranges.hpp"
#include "pod/pod_records.hpp"
#include "pod/pod_run.hpp"
#include "pod/pod_storage.hpp"
#include "pod/sandbox.hpp"

#include <caf/actor.hpp>

#include <functional>
#include <memory>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

/// What all runtimes of a process share.
struct runtime_options {
  std::shared_ptr<kernel::port> port;
  std::shared_ptr<job_runner> jobs; ///< for what blocks; directories, image files
  std::shared_ptr<fd_source> fds;
  std::shared_ptr<timer_source> timers;
  std::function<caf::actor()> image_store; ///< the one of now: its supervisor may replace it
  std::shared_ptr<const kernel::host_facts> host;
  std::shared_ptr<pod_storage> storage; ///< null: nobody removes emptyDirs meanwhile
  std::shared_ptr<pod_records> records; ///< null: nothing is kept for an heir
  std::shared_ptr<id_ranges> ids;       ///< null: no pod can have users of its own
  std::shared_ptr<given_paths> given;   ///< null: nobody keeps account of hostPaths
  directories dirs;
  log_limits log;
  std::uint64_t pids_limit = 0; ///< of a pod; 0: none
  attach_limits attach;
  run_limits patience;
  backoff_profile backoff;                  ///< of containers; a pod's annotations come before it
  std::function<std::int64_t()> wall_clock; ///< CLOCK_REALTIME in ns; the system's when empty
  std::shared_ptr<spdlog::logger> logger;   ///< may be empty

  /// Those of pod/sandbox.hpp and pod/container.hpp unless a test puts its own here.
  std::function<result<prepared_sandbox>(const pod_request&, kernel::port&)> prepare_sandbox;
  std::function<result<container_inputs>(const pod_request&, const config::container&,
                                         std::uint32_t, const oci::image&, kernel::port&)>
      prepare_container;
  std::function<result<void>(const config::pod&, const directories&, const std::string& uid,
                             kernel::port&)>
      clean;
};

/// The factory for the reconciler. Without the functions above it takes those of pod/.
runtime_factory make_runtime_factory(runtime_options options);
runtime_factory make_runtime_factory_as_is(runtime_options options);

} // namespace tank
