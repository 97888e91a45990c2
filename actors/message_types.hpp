/// Makes the structs of messages.hpp (and the other messages of this room) sendable through CAF.
///
/// A new message: declare it TANK_INSPECT when all its fields are numbers, enums, strings,
/// durations, containers of these or inspectable structs; CAF_ALLOW_UNSAFE_MESSAGE_TYPE otherwise.
/// Either way give it a line in the block at the end, or it does not compile where it is sent. All
/// actors live in one process: nothing is serialised.
#pragma once

#include "actors/attach_messages.hpp"
#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "actors/runtime_messages.hpp"
#include "actors/supervisor_messages.hpp"

#include <cstdint>

namespace tank {

/// poller -> owner: the descriptor of subscription `id` is ready. `events` are those of epoll(7).
/// Sent once per arm: read until EAGAIN, then rearm the subscription.
struct fd_ready {
  std::uint64_t id = 0;
  std::uint32_t events = 0;
  bool operator==(const fd_ready&) const = default;
};

/// Asks the reconciler to tell `to` (pod_changed, pod_removed) from now on.
struct watch_pods {
  caf::actor to;
  bool operator==(const watch_pods&) const = default;
};

// --- what a reconciler tells itself --------------------------------------------------------------

struct runtime_down {
  std::string key;
  std::uint64_t generation = 0;
  stop_reason why;
  bool operator==(const runtime_down&) const = default;
};
struct restart_due {
  std::string key;
  std::uint64_t generation = 0;
  bool operator==(const restart_due&) const = default;
};
struct resync_due {
  bool operator==(const resync_due&) const = default;
};
struct pass_due {
  bool operator==(const pass_due&) const = default;
};
struct watcher_down {
  caf::actor_addr who;
  bool operator==(const watcher_down&) const = default;
};

TANK_INSPECT_ENUM(pod_state)
TANK_INSPECT(last_exit, reason, exit_code, signal, message, started_ns, finished_ns)
TANK_INSPECT(file_status, file, pods, errors, warnings, last_good_kept)
TANK_INSPECT(phase_times, image, spawn, rootfs, network, limits, proceed)
TANK_INSPECT(pod_running, key, generation, host_pid, started_ns, phases)
TANK_INSPECT(pod_ended, key, generation, how)
TANK_INSPECT(pod_progress, key, generation, text)
TANK_INSPECT(limits_changed, key, generation, hash, why)
TANK_INSPECT(workload_running, pod, host_pid)
TANK_INSPECT(workload_exited, pod, code)
TANK_INSPECT(workload_signaled, pod, signal)
TANK_INSPECT(workload_error, pod, why)
TANK_INSPECT(fd_ready, id, events)
TANK_INSPECT(get_host_pid)
TANK_INSPECT(host_pid, pid)
TANK_INSPECT(get_exec_context)
TANK_INSPECT(exec_context, host_pid, env, working_dir, cgroup)
TANK_INSPECT_ENUM(attach_end)
TANK_INSPECT(begin_attach, attacher)
TANK_INSPECT(attach_begun, session)
TANK_INSPECT(end_attach, attacher)
TANK_INSPECT(attach_finished)
TANK_INSPECT(attach_input, bytes)
TANK_INSPECT(attach_resize, rows, columns, x_pixels, y_pixels)
TANK_INSPECT(attach_taken, bytes)
TANK_INSPECT(attach_leave)
TANK_INSPECT(attach_output, bytes)
TANK_INSPECT(attach_dropped, input, bytes)
TANK_INSPECT(attach_ended, how, code, text)
TANK_INSPECT(attach_revoked, why)
TANK_INSPECT(attach_down, serial)
TANK_INSPECT(attacher_down)
TANK_INSPECT(list_pods)
TANK_INSPECT(get_pod, key)
TANK_INSPECT(restart_pod, key)
TANK_INSPECT(sync_pods)
TANK_INSPECT(pods_synced)
TANK_INSPECT(pods_stopped)
TANK_INSPECT(pod_removed, key)
TANK_INSPECT(watch_pods, to)
TANK_INSPECT(runtime_down, key, generation, why)
TANK_INSPECT(restart_due, key, generation)
TANK_INSPECT(resync_due)
TANK_INSPECT(pass_due)
TANK_INSPECT(watcher_down, who)
TANK_INSPECT(get_layers_in_use)
TANK_INSPECT(runtime_timer, serial)
TANK_INSPECT(get_files)
TANK_INSPECT(rescan_files)
TANK_INSPECT(scan_due, serial)
TANK_INSPECT(janitor_due, down)
TANK_INSPECT(observer_due, stopping)
TANK_INSPECT(own_runtime, owner)

} // namespace tank

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::desired_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::stop_pod)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::pod_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::pod_list)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::pod_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::stop_all_pods)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::resolve_image)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::image_resolved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::layers_in_use)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::image_landed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::image_progress)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::image_flight_progress)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::image_user_down)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::launch_prepared)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::launch_cleaned)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::file_list)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::scan_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::usage_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::change_limits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::limits_put)

// Behind those of supervisor_messages.hpp, which says where these begin.
CAF_BEGIN_TYPE_ID_BLOCK(tank, ::caf::id_block::tank_otp::end)
CAF_ADD_TYPE_ID(tank, (tank::last_exit))
CAF_ADD_TYPE_ID(tank, (tank::file_status))
CAF_ADD_TYPE_ID(tank, (tank::phase_times))
CAF_ADD_TYPE_ID(tank, (tank::pod_running))
CAF_ADD_TYPE_ID(tank, (tank::pod_ended))
CAF_ADD_TYPE_ID(tank, (tank::pod_progress))
CAF_ADD_TYPE_ID(tank, (tank::fd_ready))
CAF_ADD_TYPE_ID(tank, (tank::desired_state))
CAF_ADD_TYPE_ID(tank, (tank::stop_pod))
CAF_ADD_TYPE_ID(tank, (tank::pod_status))
CAF_ADD_TYPE_ID(tank, (tank::list_pods))
CAF_ADD_TYPE_ID(tank, (tank::pod_list))
CAF_ADD_TYPE_ID(tank, (tank::get_pod))
CAF_ADD_TYPE_ID(tank, (tank::restart_pod))
CAF_ADD_TYPE_ID(tank, (tank::sync_pods))
CAF_ADD_TYPE_ID(tank, (tank::pods_synced))
CAF_ADD_TYPE_ID(tank, (tank::stop_all_pods))
CAF_ADD_TYPE_ID(tank, (tank::pods_stopped))
CAF_ADD_TYPE_ID(tank, (tank::watch_pods))
CAF_ADD_TYPE_ID(tank, (tank::pod_changed))
CAF_ADD_TYPE_ID(tank, (tank::pod_removed))
CAF_ADD_TYPE_ID(tank, (tank::runtime_down))
CAF_ADD_TYPE_ID(tank, (tank::restart_due))
CAF_ADD_TYPE_ID(tank, (tank::resync_due))
CAF_ADD_TYPE_ID(tank, (tank::pass_due))
CAF_ADD_TYPE_ID(tank, (tank::watcher_down))
CAF_ADD_TYPE_ID(tank, (tank::resolve_image))
CAF_ADD_TYPE_ID(tank, (tank::image_resolved))
CAF_ADD_TYPE_ID(tank, (tank::layers_in_use))
CAF_ADD_TYPE_ID(tank, (tank::image_landed))
CAF_ADD_TYPE_ID(tank, (tank::image_user_down))
CAF_ADD_TYPE_ID(tank, (tank::launch_prepared))
CAF_ADD_TYPE_ID(tank, (tank::launch_cleaned))
CAF_ADD_TYPE_ID(tank, (tank::file_list))
CAF_ADD_TYPE_ID(tank, (tank::scan_done))
CAF_ADD_TYPE_ID(tank, (tank::get_layers_in_use))
CAF_ADD_TYPE_ID(tank, (tank::runtime_timer))
CAF_ADD_TYPE_ID(tank, (tank::get_files))
CAF_ADD_TYPE_ID(tank, (tank::rescan_files))
CAF_ADD_TYPE_ID(tank, (tank::scan_due))
CAF_ADD_TYPE_ID(tank, (tank::janitor_due))
CAF_ADD_TYPE_ID(tank, (tank::observer_due))
CAF_ADD_TYPE_ID(tank, (tank::own_runtime))
CAF_ADD_TYPE_ID(tank, (tank::get_host_pid))
CAF_ADD_TYPE_ID(tank, (tank::host_pid))
CAF_ADD_TYPE_ID(tank, (tank::get_exec_context))
CAF_ADD_TYPE_ID(tank, (tank::exec_context))
CAF_ADD_TYPE_ID(tank, (tank::begin_attach))
CAF_ADD_TYPE_ID(tank, (tank::attach_begun))
CAF_ADD_TYPE_ID(tank, (tank::end_attach))
CAF_ADD_TYPE_ID(tank, (tank::attach_finished))
CAF_ADD_TYPE_ID(tank, (tank::attach_input))
CAF_ADD_TYPE_ID(tank, (tank::attach_resize))
CAF_ADD_TYPE_ID(tank, (tank::attach_taken))
CAF_ADD_TYPE_ID(tank, (tank::attach_leave))
CAF_ADD_TYPE_ID(tank, (tank::attach_output))
CAF_ADD_TYPE_ID(tank, (tank::attach_dropped))
CAF_ADD_TYPE_ID(tank, (tank::attach_ended))
CAF_ADD_TYPE_ID(tank, (tank::attach_revoked))
CAF_ADD_TYPE_ID(tank, (tank::attach_down))
CAF_ADD_TYPE_ID(tank, (tank::attacher_down))
CAF_ADD_TYPE_ID(tank, (tank::workload_running))
CAF_ADD_TYPE_ID(tank, (tank::workload_exited))
CAF_ADD_TYPE_ID(tank, (tank::workload_signaled))
CAF_ADD_TYPE_ID(tank, (tank::workload_error))
CAF_ADD_TYPE_ID(tank, (tank::image_progress))
CAF_ADD_TYPE_ID(tank, (tank::image_flight_progress))
CAF_ADD_TYPE_ID(tank, (tank::usage_read))
CAF_ADD_TYPE_ID(tank, (tank::limits_changed))
CAF_ADD_TYPE_ID(tank, (tank::change_limits))
CAF_ADD_TYPE_ID(tank, (tank::limits_put))
CAF_END_TYPE_ID_BLOCK(tank)

namespace tank {

/// Makes CAF know our messages, those of supervisors too: before the first actor_system of the
/// process, any number of times. instance::start does it; a program with an actor_system of its own
/// calls it first in main().
void init_message_types();

/// A configuration whose actor_system knows our messages.
struct system_config : caf::actor_system_config {
  system_config() { init_message_types(); }
};

} // namespace tank
