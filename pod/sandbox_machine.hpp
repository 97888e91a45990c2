/// The life of a run's sandbox, as a table of rules: what the containers of the pod share, and the
/// shim that holds it.
///
///     idle -> preparing -> starting -> up -> closing -> cleaning -> gone
///
/// Pure, like container_machine.hpp. `cleaning` is never skipped, so that nothing is left behind
/// whichever step failed.
///
/// A sandbox that a predecessor made goes on from `adopting`, which is also where a connection that
/// is lost while the shim lives leads back to. A predecessor's shim that is not there took the
/// workloads with it, when one was let go; else nothing has run, and the sandbox is idle again. One
/// that this run had a session with, and that is gone then, is a failure.
#pragma once

#include "pod/container_machine.hpp"
#include "pod/run_steps.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tank {

/// The indices of sandbox_machine's states.
enum class sandbox_state : std::uint8_t {
  idle,
  preparing,  ///< a worker makes directories, files and the pod's cgroup
  abandoning, ///< told to close meanwhile: the worker's answer is awaited
  starting,   ///< the shim is there, its greeting is awaited
  up,
  closing,  ///< the shim was told to go
  cleaning, ///< a worker removes what the run made
  gone,
  adopting, ///< the shim is asked what it holds
};
inline constexpr std::size_t sandbox_states = 9;
std::string_view to_string(sandbox_state s) noexcept;

/// The indices of sandbox_event.
enum class sandbox_event_kind : std::uint8_t {
  open,
  adopt,
  close,
  prepared,
  not_prepared,
  up,
  adopted,
  failed,
  down,
  timer,
  cleaned,
};
inline constexpr std::size_t sandbox_event_kinds = 11;

namespace run {
/// Orders of plan_pod to the sandbox.
struct open_sandbox {
  std::vector<index> with; ///< containers that are prepared in the same job
};
struct adopt_sandbox {};
struct close_sandbox {};
} // namespace run

using sandbox_event =
    std::variant<run::open_sandbox, run::adopt_sandbox, run::close_sandbox, run::sandbox_prepared,
                 run::sandbox_not_prepared, run::sandbox_up, run::adopted, run::session_failed,
                 run::session_down, run::timer_due, run::cleaned>;
static_assert(std::variant_size_v<sandbox_event> == sandbox_event_kinds);

/// Why a sandbox failed, and with it its run.
struct sandbox_failure {
  run::outcome how = run::outcome::failed; ///< failed, or session_down
  error why;
  bool operator==(const sandbox_failure&) const = default;
};

class sandbox_machine {
 public:
  /// `name` is the pod's, for messages. `serials` as in container_machine.
  sandbox_machine(std::string name, run_limits limits, timer_serials& serials)
      : name_(std::move(name))
      , limits_(limits)
      , serials_(&serials) {}

  /// As container_machine::handle.
  void handle(const sandbox_event& event, run::actions& out);

  [[nodiscard]] sandbox_state state() const noexcept {
    return static_cast<sandbox_state>(state_.index());
  }
  /// There is a session that takes requests.
  [[nodiscard]] bool takes_requests() const noexcept {
    return state() == sandbox_state::starting || state() == sandbox_state::up;
  }
  /// The first failure counts.
  [[nodiscard]] const std::optional<sandbox_failure>& failure() const noexcept { return failure_; }
  /// The shim of an adopted run is not there, so what it held is gone. Stays until the next `open`.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] const error& lost_why() const noexcept { return lost_why_; }
  [[nodiscard]] std::uint64_t timer() const noexcept { return timer_; } ///< 0: none

 private:
  struct idle {};
  struct preparing {};
  struct abandoning {};
  struct starting {};
  struct up {};
  struct closing {
    bool end_sent = false;
  };
  struct cleaning {};
  struct gone {};
  struct adopting {
    bool connected = false; ///< the shim took the connection; else its retry is awaited
    bool end_sent = false;
    bool close = false; ///< once it is there
  };
  struct table; // the rules, in sandbox_rules.hpp
  using handler = void (sandbox_machine::*)(const sandbox_event&, run::actions&);

  void too_late(const sandbox_event& e, run::actions& out);
  void cannot_be(const sandbox_event& e, run::actions& out);
  void on_open(const sandbox_event& e, run::actions& out);
  void on_adopt(const sandbox_event& e, run::actions& out);
  void on_close_idle(const sandbox_event& e, run::actions& out);
  void on_close_preparing(const sandbox_event& e, run::actions& out);
  void on_close(const sandbox_event& e, run::actions& out);
  void on_close_adopting(const sandbox_event& e, run::actions& out);
  void on_prepared(const sandbox_event& e, run::actions& out);
  void on_not_prepared(const sandbox_event& e, run::actions& out);
  void on_abandoned(const sandbox_event& e, run::actions& out);
  void on_up(const sandbox_event& e, run::actions& out);
  void on_greeting(const sandbox_event& e, run::actions& out);
  void on_start_failed(const sandbox_event& e, run::actions& out);
  void on_request_failed(const sandbox_event& e, run::actions& out);
  void on_down(const sandbox_event& e, run::actions& out);
  void on_closed(const sandbox_event& e, run::actions& out);
  void on_start_overdue(const sandbox_event& e, run::actions& out);
  void on_close_overdue(const sandbox_event& e, run::actions& out);
  void on_adopted(const sandbox_event& e, run::actions& out);
  void on_not_adopted(const sandbox_event& e, run::actions& out);
  void on_adopting_down(const sandbox_event& e, run::actions& out);
  void on_adoption_overdue(const sandbox_event& e, run::actions& out);
  void on_cleaned(const sandbox_event& e, run::actions& out);

  void arm(std::chrono::milliseconds after, run::actions& out);
  void disarm(run::actions& out);
  void fail_with(run::outcome how, const error& why);
  void connect(bool close, run::actions& out);
  void no_shim(const error& why, run::actions& out);
  void enter_closing(run::actions& out);
  void enter_cleaning(run::actions& out);

  std::string name_;
  run_limits limits_;
  timer_serials* serials_;
  std::variant<idle, preparing, abandoning, starting, up, closing, cleaning, gone, adopting> state_;
  std::optional<sandbox_failure> failure_;
  bool had_session_ = false; ///< in this run, not a predecessor's
  bool lost_ = false;
  error lost_why_;
  unsigned tries_ = 0; ///< to adopt, in this run
  std::uint64_t timer_ = 0;
};

} // namespace tank
