/// What one daemon leaves to the next about one pod, as a value and as text. Pure.
///
/// A record says what the daemon was about to do, written before it did it; what became of that the
/// pod's shim knows. Together they are all a successor needs (pod_records.hpp). Records live on the
/// run directory's tmpfs: a reboot ends the pods, and their records with them.
#pragma once

#include "base/error.hpp"
#include "base/stop_reason.hpp"
#include "pod/model.hpp"
#include "pod/run_steps.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

/// How far a run is known to have come.
enum class run_phase : std::uint8_t {
  starting, ///< nothing of the workload has run
  released, ///< it was let go, or is about to be: its shim knows more
  ended,    ///< `run_record::end` says how; its shim and its directories may still be there
};

/// The end of a run, as its runtime told it.
struct run_end {
  stop_reason why;
  last_exit how;
  bool operator==(const run_end&) const = default;
};

using run_facts = run::facts;

/// One container of a run.
struct container_record {
  std::string name;
  std::uint32_t attempt = 0; ///< the present one, or the next when it waits for its back-off
  run_phase phase = run_phase::starting; ///< of the attempt; `ended`: it will not run again
  run_facts facts;                       ///< of the attempt, once prepared
  std::uint32_t restarts = 0;            ///< in this run
  std::uint32_t retries = 0;             ///< since its last stable attempt
  std::int64_t released_at = 0;          ///< of the attempt; CLOCK_MONOTONIC in ns
  std::int64_t restart_at = 0;           ///< when it waits for its back-off; CLOCK_MONOTONIC in ns
  std::int64_t restart_at_ns = 0;        ///< the same for the eye; CLOCK_REALTIME
  std::string waiting;                   ///< why it waits, for status: kubelet's word
  std::string message;                   ///< the same in a sentence
  std::optional<last_exit> last;         ///< of the attempt before
  std::vector<std::int64_t> ends; ///< of attempts, that giving up counts; CLOCK_MONOTONIC in ns
  std::optional<run_end> end;     ///< when `phase` is ended
  bool passed = false;            ///< its step of the pod's list, see plan_pod.hpp
  // Of the attempt:
  bool post_started = false; ///< its postStart has returned
  bool startup_passed = false;
  bool readiness_passed = false;
  bool operator==(const container_record&) const = default;
};

/// Containers that end to begin anew together: group_view.
struct group_record {
  run::index from = 0;
  bool all = false;
  std::int64_t stop_by = 0; ///< CLOCK_MONOTONIC in ns
  std::int64_t least_ms = 0;
  std::int64_t due = 0; ///< CLOCK_MONOTONIC in ns
  bool operator==(const group_record&) const = default;
};

/// What a runtime needs to take over a run.
struct run_record {
  std::uint64_t number = 0;              ///< of this run among those of its pod, from 1
  run_phase phase = run_phase::starting; ///< released: something of a workload may have run
  /// The first time; CLOCK_MONOTONIC in ns: it goes on over daemons, not over boots.
  std::int64_t released_at = 0;
  std::vector<container_record> containers; ///< by the order of the spec
  std::optional<run_end> end;
  bool final = false; ///< with `end`: see pod_ended
  std::optional<group_record> group;
  std::uint32_t retries = 0;      ///< of groups, since the pod was stable
  std::int64_t all_passed_at = 0; ///< since when all steps are passed; CLOCK_MONOTONIC in ns
  std::vector<std::int64_t> ends; ///< of groups, that giving up counts; CLOCK_MONOTONIC in ns
  phase_times phases;             ///< once it runs
  bool operator==(const run_record&) const = default;
};

/// One pod as the reconciler keeps it.
struct pod_record {
  std::string key; ///< namespace/name
  desired_pod what;
  std::optional<desired_pod> next; ///< follows when the present run is gone
  /// starting, running, stopping: a run is under way; backing_off; terminal
  pod_state state = pod_state::starting;
  bool leaving = false;       ///< no longer desired: forgotten when the present run is gone
  bool limits_edited = false; ///< what runs may have other limits than `what`
  std::uint32_t restarts = 0;
  std::uint32_t retries = 0;
  std::uint32_t crashes = 0;      ///< of runtimes of the present run
  std::int64_t created_ns = 0;    ///< CLOCK_REALTIME
  std::int64_t restart_at = 0;    ///< when backing off; CLOCK_MONOTONIC in ns
  std::int64_t restart_at_ns = 0; ///< the same for the eye; CLOCK_REALTIME
  std::int64_t deadline_at = 0;   ///< activeDeadlineSeconds; CLOCK_MONOTONIC in ns; 0: none
  bool deadline_over = false;     ///< it is stopped for that, or was
  std::int64_t stop_by = 0;       ///< when stopping: the end of its grace period; CLOCK_MONOTONIC
  std::vector<std::int64_t> ends; ///< of runs, that giving up counts; CLOCK_MONOTONIC in ns
  std::optional<last_exit> last;
  std::vector<std::uint32_t> container_restarts; ///< of earlier runs, inside their sandboxes
  std::string message;
  run_record run; ///< the present or last one
};

/// Largest record that is read: a pod and its successor, each as large as a manifest may be.
inline constexpr std::size_t max_record_bytes = 64u << 20;

/// One line of JSON. `boot` is that of the running kernel.
std::string encode_record(const pod_record& record, std::string_view boot);

/// The pod's content is judged anew and its hash is this program's: an upgrade that normalises as
/// before finds nothing changed. errc::corrupt for text that is no whole record, errc::unsupported
/// for another version's, errc::conflict for one of another boot.
result<pod_record> decode_record(std::string_view text, std::string_view boot);

} // namespace tank
