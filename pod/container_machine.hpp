/// The life of one container of a run, attempt by attempt, as a table of rules.
///
/// Pure: no CAF, no clock, no syscalls. tests/unit/pod walks the whole product of states and events.
///
///     waiting -> resolving -> found -> preparing -> prepared -> creating -> parked -> released
///                                                                    -> running -> ended
///     built, in between: its turn among the pod's containers is awaited
///     told to stop: abandoning (a worker is at it), stopping (the signal is out), killing
///
/// The outcome that is recorded first counts. An `ended` container waits for another attempt, or for
/// the end of its run: plan_pod (plan_pod.hpp) decides which.
#pragma once

#include "pod/run_steps.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <sys/types.h>

namespace tank {

/// The indices of container_machine's states.
enum class container_state : std::uint8_t {
  waiting,    ///< nothing is done for it
  resolving,  ///< its image is asked for
  found,      ///< its image is there
  preparing,  ///< a worker makes its plan, directories, files and cgroup
  abandoning, ///< told to stop meanwhile: the worker's answer is awaited
  prepared,   ///< it waits for the sandbox
  creating,   ///< `create` and `build` are on their way
  parked,     ///< its process stands at the checkpoint
  built,      ///< its steps are done; its turn is awaited
  released,   ///< it was let go; the first instruction is awaited
  running,
  stopping, ///< the stop signal is out, the grace period runs
  killing,  ///< aborted or killed; its end is awaited
  ended,
};
inline constexpr std::size_t container_states = 14;
std::string_view to_string(container_state s) noexcept;

/// The indices of container_event.
enum class container_event_kind : std::uint8_t {
  begin,
  image_found,
  image_missing,
  prepare,
  prepared,
  not_prepared,
  create,
  release,
  ready,
  built,
  running,
  ended,
  held,
  session_down,
  stop,
  timer,
};
inline constexpr std::size_t container_event_kinds = 16;

namespace run {
/// Orders of plan_pod to one machine.
struct begin_attempt {
  std::uint32_t attempt = 0;
};
struct begin_preparing {};
struct begin_creating {};
struct release_attempt {
  bool waited = false; ///< for its turn: its time to come up begins anew
};
/// It shall end: stop signal, and a kill after `grace`; at once with none.
struct terminate {
  std::chrono::milliseconds grace{0};
};
} // namespace run

using container_event =
    std::variant<run::begin_attempt, run::image_found, run::image_missing, run::begin_preparing,
                 run::container_prepared, run::container_not_prepared, run::begin_creating,
                 run::release_attempt, run::child_ready, run::child_built, run::child_running,
                 run::child_ended, run::held_container, run::session_down, run::terminate,
                 run::timer_due>;
static_assert(std::variant_size_v<container_event> == container_event_kinds);

/// How long things may take.
struct run_limits {
  std::chrono::milliseconds bring_up =
      std::chrono::seconds{120}; ///< from create to first instruction
  std::chrono::milliseconds close =
      std::chrono::seconds{10}; ///< for a kill to end, for a shim to go
  std::chrono::milliseconds adopt = std::chrono::seconds{30}; ///< for a shim to tell what it holds
  bool operator==(const run_limits&) const = default;
};

struct container_settings {
  std::string name; ///< for messages: namespace/name of the pod, or of the container
  run_limits limits;
};

/// Ten years: no more is counted, for a manifest may ask for more than clocks can hold.
inline constexpr std::chrono::seconds most_grace = std::chrono::hours{24 * 365 * 10};

/// The grace period in force, at most most_grace: an override counts as it is; the manifest's 0
/// means kill at once, and anything else at least kubelet's minimum of 2 s.
std::chrono::seconds effective_grace(std::chrono::seconds manifest,
                                     std::optional<std::chrono::seconds> override_);

/// Numbers for the timers of one run; see run::arm_timer.
using timer_serials = std::uint64_t;

class container_machine {
 public:
  /// `serials` outlives the machine and is shared by the machines of a run.
  container_machine(run::index self, container_settings settings, timer_serials& serials)
      : self_(self)
      , settings_(std::move(settings))
      , serials_(&serials) {}

  /// Takes one event, in any state. One that comes too late to matter changes nothing: that of
  /// another attempt, that of a timer which is no longer the machine's. One that cannot be changes
  /// nothing either, and is `unexpected`.
  void handle(const container_event& event, run::actions& out);

  /// Takes over an attempt that a predecessor began; `held` says where it stands. `stop_signal` as
  /// it was prepared.
  void restore(std::uint32_t attempt, int stop_signal, bool released);
  /// Takes over a container that waits for an attempt after this one.
  void restore_waiting(std::uint32_t last_attempt);
  /// Takes over a container that had ended.
  void restore_ended(std::uint32_t attempt, run::container_end end);

  /// A probe or a hook of what runs has failed: when it ends, that is why. The first one counts.
  void note_complaint(std::string complaint);

  /// An `ended` container waits for its next attempt.
  void await_attempt() { state_ = waiting{}; }

  [[nodiscard]] container_state state() const noexcept {
    return static_cast<container_state>(state_.index());
  }
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }
  /// Of its first process; 0 when there is none.
  [[nodiscard]] pid_t pid() const noexcept;
  [[nodiscard]] std::int64_t started_ns() const noexcept { return started_ns_; }
  /// Between its first instruction and its kill or end; also while it obeys a graceful stop.
  [[nodiscard]] bool runs() const noexcept;
  /// The shim was told of this attempt, and its end is not known.
  [[nodiscard]] bool is_with_shim() const noexcept;
  /// Something of the workload may have run, in this or an earlier attempt.
  [[nodiscard]] bool touched() const noexcept { return touched_; }
  /// A kill of it has no effect: only the end of the shim can end it.
  [[nodiscard]] bool stuck() const noexcept;
  /// Of the last attempt; null unless `ended`.
  [[nodiscard]] const run::container_end* end() const noexcept;
  [[nodiscard]] std::uint64_t timer() const noexcept { return timer_; } ///< 0: none

 private:
  struct waiting {};
  struct resolving {};
  struct found {};
  struct preparing {};
  struct abandoning {};
  struct prepared {};
  struct creating {
    bool adopted = false; ///< by a predecessor: the shim will tell
  };
  struct parked {
    pid_t pid = 0;
  };
  struct built {
    pid_t pid = 0;
  };
  struct released {
    pid_t pid = 0;
  };
  struct running {
    pid_t pid = 0;
  };
  struct stopping {
    pid_t pid = 0;
  };
  struct killing {
    pid_t pid = 0;
    std::optional<run::container_end> known; ///< what made it be killed, if that counts
  };
  struct ended {
    run::container_end end;
    bool stuck = false;
  };
  struct table; // the rules, in container_rules.hpp
  using handler = void (container_machine::*)(const container_event&, run::actions&);

  void too_late(const container_event& e, run::actions& out);
  void cannot_be(const container_event& e, run::actions& out);
  void on_begin(const container_event& e, run::actions& out);
  void on_image_found(const container_event& e, run::actions& out);
  void on_image_missing(const container_event& e, run::actions& out);
  void on_prepare(const container_event& e, run::actions& out);
  void on_prepared(const container_event& e, run::actions& out);
  void on_not_prepared(const container_event& e, run::actions& out);
  void on_abandoned(const container_event& e, run::actions& out);
  void on_create(const container_event& e, run::actions& out);
  void on_release(const container_event& e, run::actions& out);
  void on_ready(const container_event& e, run::actions& out);
  void on_built(const container_event& e, run::actions& out);
  void on_running(const container_event& e, run::actions& out);
  void on_end(const container_event& e, run::actions& out);
  void on_late_end(const container_event& e, run::actions& out);
  void on_held(const container_event& e, run::actions& out);
  void on_session_down(const container_event& e, run::actions& out);
  void on_stop_idle(const container_event& e, run::actions& out);
  void on_stop_preparing(const container_event& e, run::actions& out);
  void on_stop_parked(const container_event& e, run::actions& out);
  void on_stop_released(const container_event& e, run::actions& out);
  void on_stop_running(const container_event& e, run::actions& out);
  void on_stop_again(const container_event& e, run::actions& out);
  void on_waits(const container_event& e, run::actions& out);
  void on_bring_up_overdue(const container_event& e, run::actions& out);
  void on_grace_over(const container_event& e, run::actions& out);
  void on_kill_overdue(const container_event& e, run::actions& out);

  void arm(std::chrono::milliseconds after, run::actions& out);
  void disarm(run::actions& out);
  void enter_killing(run::actions& out, std::optional<run::container_end> known = std::nullopt);
  void enter_ended(run::container_end end, run::actions& out, bool stuck = false);
  void resume(const run::held_container& told, run::actions& out);

  run::index self_;
  container_settings settings_;
  timer_serials* serials_;
  std::variant<waiting, resolving, found, preparing, abandoning, prepared, creating, parked, built,
               released, running, stopping, killing, ended>
      state_;
  std::uint32_t attempt_ = 0;
  int stop_signal_ = 15;
  std::int64_t started_ns_ = 0; ///< of this attempt
  bool touched_ = false;
  bool let_go_ = false; ///< this attempt: something of it may have run
  bool stop_asked_ = false;
  std::optional<std::string> complaint_;
  std::uint64_t timer_ = 0;
};

} // namespace tank
