/// The runtime: one actor per pod that brings it to running reality, supervises it, and ends when
/// its workload has ended and everything of the run is removed.
///
/// runtime_machine.hpp decides; this actor turns messages into its events and carries out its
/// actions. It obeys stop_pod at any time. Its owner gets pod_progress, pod_running and pod_ended
/// (runtime_args.hpp); then the actor stops with the stop_reason that matches. own_runtime gives it
/// another owner; get_host_pid and get_exec_context tell where its workload is; begin_attach and
/// end_attach (attach_messages.hpp) lend its terminal to an attach session and take it back.
///
/// Should the actor itself end (an exception, a kill, the end of the instance), it leaves its shim
/// to an heir (runtime_args.hpp); without one it shuts it down on the way out, and what is left on
/// disk is removed by the next run of the pod or by the janitor.
#pragma once

#include "actors/sessions/attach_session.hpp"
#include "pod/id_ranges.hpp"
#include "pod/plan_launch.hpp"
#include "pod/pod_records.hpp"
#include "pod/pod_storage.hpp"
#include "actors/poller.hpp"
#include "actors/runtime/runtime_args.hpp"
#include "pod/runtime_machine.hpp"
#include "base/worker.hpp"
#include "base/paths.hpp"
#include "kernel/port.hpp"

#include <caf/actor.hpp>

#include <functional>
#include <memory>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

struct launch_inputs;
struct prepare_request;

/// What all runtimes of a process share.
struct runtime_options {
  std::shared_ptr<kernel::port> port;
  std::shared_ptr<job_runner> jobs; ///< for what blocks; directories, image files
  std::shared_ptr<fd_source> fds;
  std::function<caf::actor()> image_store; ///< the one of now: its supervisor may replace it
  std::shared_ptr<const kernel::host_facts> host;
  std::shared_ptr<pod_storage> storage; ///< null: nobody removes emptyDirs meanwhile
  std::shared_ptr<pod_records> records; ///< null: nothing is kept for an heir
  std::shared_ptr<id_ranges> ids;       ///< null: no pod can have users of its own
  directories dirs;
  log_limits log;
  std::uint64_t pids_limit = 0; ///< of a pod; 0: none
  attach_limits attach;
  runtime_settings patience; ///< only the limits are read; the rest comes from each pod
  std::shared_ptr<spdlog::logger> logger; ///< may be empty

  /// prepare_launch and clean_launch (prepare_launch.hpp) unless a test puts its own here.
  std::function<result<launch_inputs>(const prepare_request&, kernel::port&)> prepare;
  std::function<result<void>(const config::pod&, const directories&, const std::string& uid,
                             kernel::port&)>
      clean;
};

/// The factory for the reconciler. The one with `prepare` and `clean` both set needs no others.
runtime_factory make_runtime_factory(runtime_options options);
runtime_factory make_runtime_factory_as_is(runtime_options options);

} // namespace tank
