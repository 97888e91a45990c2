/// The model: pods as they are desired, runs as they go, status as it is told. Plain values.
///
/// Several are messages of actors too (actors/<role>/messages.hpp make them sendable). Large
/// immutable values travel as shared_ptr<const T>. Equality is by value so that tests can expect
/// whole messages.
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tank::config {
struct pod;
}

namespace tank {

struct documents;

/// Both clocks at one instant.
struct instant {
  std::chrono::steady_clock::time_point mono;
  std::int64_t wall_ns = 0;
};

/// How the workload of the last run ended, for status.
struct last_exit {
  std::string reason; ///< kubelet's words: Completed, Error, OOMKilled, StartError, ImagePullError
  int exit_code = 0;  ///< 128 + signal when signaled
  int signal = 0;
  std::string message;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME, 0 = never started
  std::int64_t finished_ns = 0;
  bool operator==(const last_exit&) const = default;
};

// --- containers ----------------------------------------------------------------------------------

enum class container_kind : std::uint8_t { init, sidecar, main };
std::string_view to_string(container_kind k) noexcept;

enum class container_phase : std::uint8_t { waiting, running, terminated };
std::string_view to_string(container_phase p) noexcept;

/// One container of a pod, as the Kubernetes API shows it.
struct container_status {
  std::string name;
  container_kind kind = container_kind::main;
  std::uint32_t attempt = 0; ///< of its present run, from 0
  container_phase state = container_phase::waiting;
  std::string reason;          ///< of waiting, kubelet's word: ContainerCreating, CrashLoopBackOff
  std::string message;         ///< of waiting
  pid_t host_pid = 0;          ///< of its first process, when running
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME, when running
  std::int64_t restart_at_ns = 0;      ///< when waiting for its back-off; CLOCK_REALTIME
  std::optional<last_exit> terminated; ///< how its last attempt ended, when terminated
  std::optional<last_exit> last;       ///< how the attempt before ended
  bool started = false;
  bool ready = false;
  std::uint32_t restarts = 0; ///< of this content of the pod, ever
  bool operator==(const container_status&) const = default;
};

// --- desired state: manifest_watcher -> reconciler ----------------------------------------------

/// One pod that shall run. `hash` is its identity: equal hash, nothing to do.
struct desired_pod {
  std::shared_ptr<const config::pod> pod;
  std::string uid; ///< metadata.uid, else derived from `instance`
  std::string hash;
  std::string file; ///< where it comes from
  std::vector<std::string> warnings;
  /// Hash of all that a running pod cannot change (pod_instance.hpp); empty: it can change nothing.
  std::string instance{};
  bool operator==(const desired_pod& o) const { return hash == o.hash && file == o.file; }
};

/// The whole desired set, keyed "namespace/name". Sent complete each time it changes.
struct desired_state {
  std::shared_ptr<const std::map<std::string, desired_pod>> pods;
  /// ConfigMaps, Secrets and claims (documents.hpp); null: not known.
  std::shared_ptr<const documents> data{};
};

/// What became of one file of the watch directory: a row of `tank get files`.
struct file_status {
  std::string file;
  std::vector<std::string> pods;        ///< keys it contributes
  std::vector<std::string> documents{}; ///< the same: "configmap/default/app"
  std::vector<std::string> errors; ///< formatted diagnostics; non-empty: last good version in force
  std::vector<std::string> warnings;
  bool last_good_kept = false;
  bool operator==(const file_status&) const = default;
};

// --- runtime -> its owner ------------------------------------------------------------------------

/// Milliseconds-resolution timing of one bring-up, in order of the phases. Zero: not reached.
struct phase_times {
  std::chrono::microseconds image{0};
  std::chrono::microseconds spawn{0};
  std::chrono::microseconds rootfs{0};
  std::chrono::microseconds network{0};
  std::chrono::microseconds limits{0};
  std::chrono::microseconds proceed{0};
  bool operator==(const phase_times&) const = default;
};

/// Configured and running: each container has come to run, or has ended already.
struct pod_running {
  std::string key;
  std::uint64_t generation = 0;
  pid_t host_pid = 0; ///< of the first container
  std::int64_t started_ns = 0;
  phase_times phases;
  std::vector<container_status> containers; ///< `restarts` counts within this run
  bool operator==(const pod_running&) const = default;
};

/// Containers started, ended or wait; of a pod of several.
struct containers_changed {
  std::string key;
  std::uint64_t generation = 0;
  std::vector<container_status> containers; ///< as in pod_running
  bool operator==(const containers_changed&) const = default;
};

/// Terminal: sent once, before the runtime stops with the matching stop_reason.
struct pod_ended {
  std::string key;
  std::uint64_t generation = 0;
  last_exit how;
  std::vector<container_status> containers; ///< as in pod_running
  /// Its containers' own policies say that nothing runs again; else the pod's restartPolicy is asked.
  bool final = false;
  bool operator==(const pod_ended&) const = default;
};

/// Progress worth showing while starting ("pulling image x", "building rootfs").
struct pod_progress {
  std::string key;
  std::uint64_t generation = 0;
  std::string text;
  bool operator==(const pod_progress&) const = default;
};

/// What became of a change_limits to the content `hash`: in force, or for a reason not; then what
/// runs has the limits from before.
struct limits_changed {
  std::string key;
  std::uint64_t generation = 0;
  std::string hash;
  std::string why; ///< empty: in force
  bool operator==(const limits_changed&) const = default;
};

// --- observed state: reconciler -> api, cli -----------------------------------------------------

enum class pod_state : std::uint8_t { pending, starting, running, stopping, backing_off, terminal };
std::string_view to_string(pod_state s) noexcept;

/// A row of `tank get pods`, and all that `tank describe` shows.
struct pod_status {
  std::string key; ///< namespace/name
  std::string uid;
  std::string file;
  pod_state state = pod_state::pending;
  pid_t host_pid = 0;
  std::uint32_t restarts = 0;  ///< of this content, ever
  std::uint32_t retries = 0;   ///< since the last stable run: drives the backoff
  std::int64_t created_ns = 0; ///< CLOCK_REALTIME: when it was first desired
  std::int64_t started_ns = 0;
  std::int64_t restart_at_ns = 0; ///< when backing off
  std::optional<last_exit> last;
  phase_times phases;
  std::vector<container_status> containers; ///< in the order of the spec
  std::string message;                      ///< progress or the reason of the state
  std::string reason;                       ///< of a pod that failed as a whole: DeadlineExceeded
  std::vector<std::string> warnings;
  std::shared_ptr<const config::pod> pod;
};

} // namespace tank
