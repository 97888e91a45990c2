/// What a runtime is told and asked, and what it and spawn_runtime tell an owner.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/supervision/messages.hpp"
#include "pod/model.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank {

// --- spawn_runtime -> its owner; `pod` is namespace/name -----------------------------------------

struct workload_running {
  std::string pod;
  pid_t host_pid = 0;
  bool operator==(const workload_running&) const = default;
};
struct workload_exited {
  std::string pod;
  int code = 0;
  bool operator==(const workload_exited&) const = default;
};
struct workload_signaled {
  std::string pod;
  int signal = 0;
  bool operator==(const workload_signaled&) const = default;
};
/// It never ran, or how it ended is not known: a step of the bring-up failed, it was stopped before
/// its first instruction, its shim vanished, the runtime itself failed.
struct workload_error {
  std::string pod;
  stop_reason why;
  bool operator==(const workload_error&) const = default;
};

// --- to a runtime -------------------------------------------------------------------------------

/// Graceful stop: stop signal, grace period, SIGKILL. `grace` overrides the pod's
/// terminationGracePeriodSeconds. The runtime stops with shutdown/stopped when all is cleaned up.
struct stop_pod {
  std::optional<std::chrono::seconds> grace;
  bool operator==(const stop_pod&) const = default;
};

/// -> host_pid, or errc::conflict with the cause "not_running" before its first instruction and
/// from the moment it is killed or has ended. While it obeys a graceful stop it still counts.
struct get_host_pid {
  std::string container{}; ///< empty: the pod's first
  bool operator==(const get_host_pid&) const = default;
};
struct host_pid {
  pid_t pid = 0; ///< of the workload's first process, in the daemon's pid namespace
  bool operator==(const host_pid&) const = default;
};

/// -> exec_context; refused as get_host_pid is.
struct get_exec_context {
  std::string container{}; ///< empty: the pod's first
  bool operator==(const get_exec_context&) const = default;
};
/// What a command needs to enter the container and to find there what the workload found.
struct exec_context {
  pid_t host_pid = 0;
  std::vector<std::string> env; ///< "K=V", in order: the image's, then the manifest's
  std::string working_dir;      ///< absolute, in the container
  /// Its cgroup's directory on the host, of v1 in one of the hierarchies; empty: the workload is in
  /// the daemon's own.
  std::string cgroup;
  bool operator==(const exec_context&) const = default;
};

// --- reconciler -> runtime -----------------------------------------------------------------------

/// The pod has other limits, and is the same in all that cannot change while it runs. A runtime
/// whose workload has not ended puts them in force, or not, and tells its owner limits_changed;
/// from one whose workload has ended nothing comes.
struct change_limits {
  desired_pod what;
  bool operator==(const change_limits&) const = default;
};

/// ConfigMaps and Secrets are other now. What is mounted shows them at once, what starts from now on
/// takes its variables from them, and what waited for one of them starts.
struct data_changed {
  std::shared_ptr<const documents> data;
  bool operator==(const data_changed&) const = default;
};

/// The successor of a reconciler that failed, to each runtime: from now on it is the owner. A
/// runtime whose workload runs says so again.
struct own_runtime {
  caf::actor owner;
  bool operator==(const own_runtime&) const = default;
};

TANK_INSPECT(last_exit, reason, exit_code, signal, message, started_ns, finished_ns)
TANK_INSPECT(phase_times, image, spawn, rootfs, network, limits, proceed)

} // namespace tank

#define TANK_RUNTIME_MESSAGES(M, O, b)                                                             \
  O(b, pod_running)                                                                                \
  O(b, pod_ended)                                                                                  \
  O(b, containers_changed)                                                                         \
  M(b, pod_progress, key, generation, text)                                                        \
  M(b, limits_changed, key, generation, hash, why)                                                 \
  M(b, workload_running, pod, host_pid)                                                            \
  M(b, workload_exited, pod, code)                                                                 \
  M(b, workload_signaled, pod, signal)                                                             \
  M(b, workload_error, pod, why)                                                                   \
  O(b, stop_pod)                                                                                   \
  M(b, get_host_pid, container)                                                                    \
  M(b, host_pid, pid)                                                                              \
  M(b, get_exec_context, container)                                                                \
  M(b, exec_context, host_pid, env, working_dir, cgroup)                                           \
  O(b, change_limits)                                                                              \
  O(b, data_changed)                                                                               \
  M(b, own_runtime, owner)
TANK_ROLE_MESSAGES(tank_runtime, ::tank::compat::roles::runtime, TANK_RUNTIME_MESSAGES);
