/// The supervisor of a pod's containers, as a pure function: what is to be done next, from what the
/// pod is, where its sandbox and its containers stand, and the time.
///
/// It owns the order of the containers, their restarts, and the end of the run. pod_run.hpp asks it
/// after each event until it has nothing more to say.
///
/// Rules:
///  * All containers are brought up side by side, each as soon as its image is there. The sandbox is
///    made with the first of them.
///  * A container that lacks a ConfigMap or a Secret waits for it with its image in hand, under every
///    policy, as kubelet does.
///  * A container that ended runs again inside its sandbox as the pod's restartPolicy says, after
///    its own back-off; one without an image is tried again under every policy, as kubelet does.
///  * `tank/give-up` counts each container's ends: with one too many the whole run ends, as a
///    supervisor of OTP does whose intensity is used up.
///  * In a pod of one container any end ends the run: its owner rebuilds the composite, with a fresh
///    sandbox.
///  * The run ends with its last container, with its sandbox, or when it is told to.
#pragma once

#include "pod/backoff.hpp"
#include "pod/container_machine.hpp"
#include "pod/sandbox_machine.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace tank {

/// What plan_pod needs to know of one container.
struct container_view {
  container_state state = container_state::waiting;
  const run::container_end* end = nullptr; ///< of an `ended` one; borrowed for the call
  bool stuck = false;
  bool touched = false;
  bool done = false;       ///< it will not run again in this run
  bool lacks_data = false; ///< a ConfigMap or Secret it needs is not there: it waits
  restart_history history;
  std::vector<std::chrono::steady_clock::time_point> ends;  ///< that giving up counts
  std::optional<std::chrono::steady_clock::time_point> due; ///< of a `waiting` one: its back-off
};

struct pod_view {
  restart_policy policy = restart_policy::always;
  backoff_profile profile;
  bool rebuild_whole = false; ///< a pod of one container
  sandbox_state sandbox = sandbox_state::idle;
  bool sandbox_failed = false;
  bool sandbox_lost = false;
  std::vector<container_view> containers;
  bool ending = false; ///< the run was told to stop, or is over: see end_run
  std::optional<std::chrono::seconds> grace;
};

/// Why a run is over.
enum class run_over : std::uint8_t {
  stopped,        ///< it was told to
  container,      ///< `who` ended, in a pod of one
  all_done,       ///< no container will run again
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
struct run_again {
  run::index who = 0;
  std::chrono::milliseconds delay{0};
  std::uint32_t retries = 0;
  bool had_image = true; ///< else the next attempt is its first, and no restart
  std::vector<std::chrono::steady_clock::time_point> ends;
  bool operator==(const run_again&) const = default;
};
/// It will not run again in this run.
struct leave_ended {
  run::index who = 0;
  bool operator==(const leave_ended&) const = default;
};
struct stop {
  run::index who = 0;
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
    std::variant<order::begin, order::open_sandbox, order::prepare, order::create, order::run_again,
                 order::leave_ended, order::stop, order::close_sandbox, order::end_run>;

/// Orders that can be carried out in any order; empty: nothing to do until something happens.
std::vector<pod_order> plan_pod(const pod_view& pod, std::chrono::steady_clock::time_point now);

} // namespace tank
