/// What happens to a run, and what is to be done for it: events and actions as values.
///
/// A run is a sandbox and containers (pod_run.hpp). The runtime actor turns what it hears into
/// events, and carries actions out in order; it decides nothing.
#pragma once

#include "base/error.hpp"
#include "kernel/stage.hpp"
#include "pod/image_problem.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace tank::run {

/// Number of a container in its pod's list: initContainers in order, then containers in order.
using index = std::size_t;

/// What is asked of a container that runs, again and again.
enum class probe_kind : std::uint8_t { startup, liveness, readiness };
/// What is done once: after its start, and before its stop signal.
enum class hook_kind : std::uint8_t { post_start, pre_stop };

/// How an attempt of a container ended.
enum class outcome : std::uint8_t {
  none,         ///< its end was not seen
  exited,       ///< `code`
  signaled,     ///< `code` is the signal
  aborted,      ///< before its first instruction, because it was told to
  image_failed, ///< there was no image to run: `why`
  failed,       ///< before its first instruction, by a step that failed: `why`
  session_down, ///< its shim vanished, and it with it: `why`
};

/// The end of one attempt, as far as status and restarts want to know.
struct container_end {
  outcome how = outcome::none;
  int code = 0;
  bool out_of_memory = false; ///< a process of it was killed for want of memory, and it failed
  error why;
  image_problem image = image_problem::none;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME; 0: it never ran
  std::int64_t finished_ns = 0;
  bool stopped = false; ///< it was told to stop before
  /// It was to be stopped because a probe or a hook of it had failed: a failure, however it ended.
  bool unhealthy = false;
  std::string complaint; ///< what failed, for people
  bool operator==(const container_end&) const = default;
};

/// What is decided when an attempt is prepared, and asked for as long as it runs.
struct facts {
  int stop_signal = 15;
  std::vector<std::string> env; ///< "K=V"
  std::string working_dir;      ///< in the container
  bool secret_env = false;      ///< values of Secrets may be among `env`: it is in no record
  bool operator==(const facts&) const = default;
};

/// What a shim tells of one container to a daemon that connects.
struct held_container {
  index who = 0;
  std::uint32_t attempt = 0;
  kernel::stage at = kernel::stage::starting;
  pid_t pid = 0;
  std::int64_t started_ns = 0;
  container_end end; ///< when `at` is an end
};

// --- events --------------------------------------------------------------------------------------

struct image_found {
  index who = 0;
};
struct image_missing {
  index who = 0;
  error why;
  image_problem problem = image_problem::none;
};
/// The worker has made what the sandbox needs, or not.
struct sandbox_prepared {};
struct sandbox_not_prepared {
  error why;
};
struct container_prepared {
  index who = 0;
  run::facts facts;
};
struct container_not_prepared {
  index who = 0;
  error why;
};
/// The session could not be started or adopted, or refused a request: it is of no more use.
struct session_failed {
  error why;
};
struct sandbox_up {};
/// Of an adopted session, once: all that its shim holds.
struct adopted {
  std::vector<held_container> containers;
};
/// The connection is no more. With `shim_lives` the shim and what it holds go on.
struct session_down {
  error why;
  bool shim_lives = false;
};
struct child_ready {
  index who = 0;
  std::uint32_t attempt = 0;
  pid_t pid = 0;
};
struct child_built {
  index who = 0;
  std::uint32_t attempt = 0;
};
struct child_running {
  index who = 0;
  std::uint32_t attempt = 0;
  pid_t pid = 0;
  std::int64_t at_ns = 0; ///< CLOCK_REALTIME
};
struct child_ended {
  index who = 0;
  std::uint32_t attempt = 0;
  container_end end; ///< `started_ns` is the machine's to know
};
/// The verdict of a kind of probe: when it is known first, and each time it changes. Startup and
/// liveness that failed have failed for good.
struct probe_result {
  index who = 0;
  std::uint32_t attempt = 0;
  probe_kind kind = probe_kind::liveness;
  bool passed = false;
  std::string message; ///< for people
};
struct hook_done {
  index who = 0;
  std::uint32_t attempt = 0;
  hook_kind kind = hook_kind::post_start;
  std::optional<error> failure;
};
/// The pod shall stop. `grace` overrides its terminationGracePeriodSeconds.
struct stop {
  std::optional<std::chrono::seconds> grace;
};
struct timer_due {
  std::uint64_t serial = 0;
};
/// What the run made is removed.
struct cleaned {};
/// The documents that containers need are other now.
struct data_known {
  std::vector<std::string> missing; ///< by container: what it lacks; empty: nothing
};

using event =
    std::variant<image_found, image_missing, sandbox_prepared, sandbox_not_prepared,
                 container_prepared, container_not_prepared, session_failed, sandbox_up, adopted,
                 session_down, child_ready, child_built, child_running, child_ended, probe_result,
                 hook_done, stop, timer_due, cleaned, data_known>;

// --- actions -------------------------------------------------------------------------------------

struct resolve_image {
  index who = 0;
  bool operator==(const resolve_image&) const = default;
};
/// A worker makes directories, files and cgroups: of the sandbox, of containers, or of both.
struct prepare {
  bool sandbox = false;
  std::vector<index> containers;
  bool operator==(const prepare&) const = default;
};
struct start_session {
  bool operator==(const start_session&) const = default;
};
/// Connects to the shim that is there: `adopted`, or session_failed.
struct adopt_session {
  bool operator==(const adopt_session&) const = default;
};
/// Creates the attempt and has it built, back to back.
struct create {
  index who = 0;
  std::uint32_t attempt = 0;
  bool operator==(const create&) const = default;
};
struct build {
  index who = 0;
  bool operator==(const build&) const = default;
};
struct proceed {
  index who = 0;
  bool operator==(const proceed&) const = default;
};
struct abort {
  index who = 0;
  bool operator==(const abort&) const = default;
};
struct signal {
  index who = 0;
  int number = 0;
  bool operator==(const signal&) const = default;
};
struct kill {
  index who = 0;
  bool operator==(const kill&) const = default;
};
/// Tells the shim to go; without a session this is session_down at once.
struct shut_down {
  bool operator==(const shut_down&) const = default;
};
/// Kills the shim, which did not go when told.
struct end_session {
  bool operator==(const end_session&) const = default;
};
struct drop_session {
  bool operator==(const drop_session&) const = default;
};
/// The attempt runs and its postStart has returned: its probes begin. A second one for the same
/// attempt takes the place of the first. Only for a container that has probes.
struct begin_probes {
  index who = 0;
  std::uint32_t attempt = 0;
  bool started = false; ///< its startup probe has passed already
  bool operator==(const begin_probes&) const = default;
};
/// It is being stopped: of its probes only readiness goes on.
struct only_readiness {
  index who = 0;
  bool operator==(const only_readiness&) const = default;
};
struct end_probes {
  index who = 0;
  bool operator==(const end_probes&) const = default;
};
/// hook_done follows. Only for a container that has the hook.
struct call_hook {
  index who = 0;
  std::uint32_t attempt = 0;
  hook_kind kind = hook_kind::post_start;
  std::optional<std::chrono::milliseconds> within; ///< all the time it may take
  bool operator==(const call_hook&) const = default;
};
/// Its container has ended, or its time is over: what is left of the hook is killed, and no
/// hook_done is wanted.
struct drop_hook {
  index who = 0;
  bool operator==(const drop_hook&) const = default;
};
/// The owner of the timer of the run itself.
inline constexpr index whole_run = static_cast<index>(-1);
/// timer_due with `serial` after `after`. Its owner is the sandbox, one container or the whole run,
/// which has at most one timer: a new one takes its place.
struct arm_timer {
  std::optional<index> of;
  std::chrono::milliseconds after{0};
  std::uint64_t serial = 0;
  bool operator==(const arm_timer&) const = default;
};
/// The owner's timer, if there is one, is no longer wanted.
struct disarm_timer {
  std::optional<index> of;
  bool operator==(const disarm_timer&) const = default;
};
struct clean {
  bool operator==(const clean&) const = default;
};
/// Each container has come to run, or has ended: the pod is up.
struct report_running {
  bool operator==(const report_running&) const = default;
};
/// Something in the containers' status is other than before.
struct report_containers {
  bool operator==(const report_containers&) const = default;
};
/// Tell the owner how the run ended, then stop.
struct finish {
  bool operator==(const finish&) const = default;
};
/// Somebody is wrong: event number `about` (of the machine's kinds) cannot come in its state.
struct unexpected {
  std::optional<index> of; ///< empty: the sandbox
  unsigned state = 0;
  unsigned about = 0;
  bool operator==(const unexpected&) const = default;
};

using action =
    std::variant<resolve_image, prepare, start_session, adopt_session, create, build, proceed,
                 abort, signal, kill, shut_down, end_session, drop_session, begin_probes,
                 only_readiness, end_probes, call_hook, drop_hook, arm_timer, disarm_timer, clean,
                 report_running, report_containers, finish, unexpected>;
using actions = std::vector<action>;

} // namespace tank::run
