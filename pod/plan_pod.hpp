/// The supervisor of a pod's containers, as a pure function: what is to be done next, from what the
/// pod is, where its sandbox and its containers stand, and the time.
///
/// It owns the order of the containers, their restarts, their stops, and the end of the run.
/// pod_run.hpp asks it after each event until it has nothing more to say.
///
/// Rules of the way up:
///  * The containers are one list: init containers in order, then the others in order. A step is
///    passed when: an init container has succeeded; a sidecar has started (postStart, startup
///    probe); any other has run and its postStart has returned, or has failed.
///  * An init container or a sidecar begins when all steps before it are passed. The others begin
///    together when all of those are, and are built side by side; each is let go in its turn. Of
///    two such containers neither needs what the other does, so only their first instructions keep
///    the order.
///  * What is passed stays passed until the list begins anew, or its sandbox ends.
///  * A container that lacks a ConfigMap or a Secret waits for it with its image in hand, under every
///    policy, as kubelet does.
/// Of ends:
///  * A container that ended runs again inside its sandbox as its policy says, after its own
///    back-off; one without an image is tried again under every policy, as kubelet does.
///  * With a strategy, a container that is to run again takes others with it: those behind it
///    (rest_for_one), or all (one_for_all). They are stopped one after the other, the last first, and
///    the list begins anew there. One back-off, and one count for giving up, serve the whole pod.
///    An init container that fails on the way up runs again alone.
///  * RestartAllContainers kills all at once; the list begins anew from its first.
///  * `tank/give-up` counts ends: with one too many the whole run ends.
///  * In a pod of one container any end ends the run: its owner rebuilds the composite, with a fresh
///    sandbox.
///  * The run ends when no main container will run again, with a significant one, with its sandbox,
///    or when it is told to.
/// Of stops:
///  * One grace period serves all. A preStop hook runs within it, before the stop signal.
///  * Sidecars get the signal after all others have ended, the last first; their hooks run at once.
///    With a strategy all is done one after the other.
///  * Who is left when the period is over gets the signal at once, and kubelet's 2 s.
#pragma once

#include "pod/container_machine.hpp"
#include "pod/run_settings.hpp"
#include "pod/sandbox_machine.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace tank {

/// Until when something shall have ended, and the least that is left to who is signaled late.
struct stop_terms {
  std::chrono::steady_clock::time_point by;
  std::chrono::milliseconds least{0}; ///< 0: hooks are skipped, and it is killed at once
  bool operator==(const stop_terms&) const = default;
};
stop_terms stop_terms_of(std::chrono::seconds grace, std::chrono::steady_clock::time_point now);

enum class hook_state : std::uint8_t { idle, runs, over };

/// What plan_pod needs to know of one container.
struct container_view {
  const run_container* is = nullptr; ///< as are the borrowed values below: for the call
  container_state state = container_state::waiting;
  const run::container_end* end = nullptr; ///< of an `ended` one
  bool stuck = false;
  bool touched = false;
  bool lacks_data = false; ///< a ConfigMap or Secret it needs is not there: it waits
  bool done = false;       ///< it will not run again, unless the list begins anew
  bool passed = false;     ///< its step of the list
  hook_state pre_stop = hook_state::idle;
  std::optional<stop_terms> leaving; ///< it alone shall end: a probe or a hook of it has failed
  std::optional<stop_terms> told;    ///< by which it got its signal
  restart_history history;
  std::vector<std::chrono::steady_clock::time_point> ends;  ///< that giving up counts
  std::optional<std::chrono::steady_clock::time_point> due; ///< of a `waiting` one: its back-off
};

/// Containers that end, to begin anew together.
struct group_view {
  run::index from = 0; ///< it and all behind it
  bool all = false;    ///< RestartAllContainers: also those that would not run again
  stop_terms stop;
  std::chrono::steady_clock::time_point due; ///< not before
  bool operator==(const group_view&) const = default;
};

struct pod_view {
  backoff_profile profile;
  restart_strategy strategy = restart_strategy::one_for_one;
  bool rebuild_whole = false; ///< a pod of one container
  sandbox_state sandbox = sandbox_state::idle;
  bool sandbox_failed = false;
  bool sandbox_lost = false;
  std::vector<container_view> containers;
  std::optional<group_view> group;
  restart_history history; ///< of the pod, as of one container
  std::vector<std::chrono::steady_clock::time_point> ends;
  std::chrono::seconds grace{30}; ///< of the pod
  std::optional<stop_terms> stop; ///< the run was told to stop, or is over: see end_run
};

/// Why a run is over.
enum class run_over : std::uint8_t {
  stopped,        ///< it was told to
  container,      ///< `who` ended, in a pod of one
  all_done,       ///< no main container will run again
  init_failed,    ///< `who` failed, and does not run again
  significant,    ///< `who` ended for good, and the pod ends with it
  sandbox_failed, ///< see sandbox_failure
  sandbox_lost,   ///< the shim of an adopted run is not there, and something had run
  gave_up,        ///< `who` ended too often
  stuck,          ///< `who` cannot be killed but with its sandbox
};

namespace order {
struct begin {
  run::index who = 0;
  bool operator==(const begin&) const = default;
};
struct open_sandbox {
  std::vector<run::index> with;
  bool operator==(const open_sandbox&) const = default;
};
struct prepare {
  std::vector<run::index> who;
  bool operator==(const prepare&) const = default;
};
struct create {
  run::index who = 0;
  bool operator==(const create&) const = default;
};
struct release {
  run::index who = 0;
  bool operator==(const release&) const = default;
};
struct run_again {
  run::index who = 0;
  std::chrono::milliseconds delay{0};
  std::uint32_t retries = 0;
  bool had_image = true; ///< else the next attempt is its first, and no restart
  std::vector<std::chrono::steady_clock::time_point> ends;
  bool operator==(const run_again&) const = default;
};
/// `who` ended, and takes others with it.
struct begin_group {
  run::index who = 0;
  group_view group;
  std::chrono::milliseconds delay{0};
  std::uint32_t retries = 0;
  std::vector<std::chrono::steady_clock::time_point> ends; ///< of the pod
  bool operator==(const begin_group&) const = default;
};
/// A member of the group has ended, and waits for the others.
struct put_back {
  run::index who = 0;
  bool operator==(const put_back&) const = default;
};
/// All have ended and the time is there: the list begins anew.
struct end_group {
  bool operator==(const end_group&) const = default;
};
/// It will not run again.
struct leave_ended {
  run::index who = 0;
  bool operator==(const leave_ended&) const = default;
};
struct call_pre_stop {
  run::index who = 0;
  stop_terms terms;
  bool operator==(const call_pre_stop&) const = default;
};
struct stop {
  run::index who = 0;
  stop_terms terms;
  bool operator==(const stop&) const = default;
};
struct close_sandbox {
  bool operator==(const close_sandbox&) const = default;
};
/// From now on the run is ending.
struct end_run {
  run_over why = run_over::stopped;
  run::index who = 0;
  bool operator==(const end_run&) const = default;
};
} // namespace order

using pod_order =
    std::variant<order::begin, order::open_sandbox, order::prepare, order::create, order::release,
                 order::run_again, order::begin_group, order::put_back, order::end_group,
                 order::leave_ended, order::call_pre_stop, order::stop, order::close_sandbox,
                 order::end_run>;

/// Orders that can be carried out in any order; empty: nothing to do until something happens, or
/// until look_again.
std::vector<pod_order> plan_pod(const pod_view& pod, std::chrono::steady_clock::time_point now);

/// When plan_pod is to be asked again if nothing happens; back-offs and the grace of who was signaled
/// have timers of their own. Empty: never.
std::optional<std::chrono::steady_clock::time_point>
look_again(const pod_view& pod, std::chrono::steady_clock::time_point now);

} // namespace tank
