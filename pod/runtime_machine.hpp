/// The life of one pod's run as a table: (state, event) -> (actions, next state).
///
/// Pure: no CAF, no clock, no syscalls. The runtime actor (runtime.hpp) turns what happens into
/// events, and carries out the actions in order. tests/unit/actors walks the whole product.
///
///     image -> preparing -> spawned -> ready -> built -> running <-> attached
///                                                          [stopping] -> [killing]
///                                                          closing -> cleaning -> done
///
/// Any failure and any stop leaves the upper row for the lower one; `cleaning` is never skipped, so
/// nothing is left behind whichever step failed. The result that is recorded first counts.
///
/// `attached` is `running` with the session's events lent to an attach session: whatever happened
/// meanwhile comes as the events that `reclaim` causes. They stay lent through `stopping` and
/// `killing`, so that an attacher sees how the workload ends.
///
/// A run that a predecessor began goes on from `adopting`, at the state its shim tells, which is
/// also where a connection that is lost while the shim lives leads back to. A shim that is not
/// there took the workload with it, when that was let go; else nothing has run, and the run begins
/// anew.
#pragma once

#include "pod/model.hpp"
#include "pod/pod_record.hpp"
#include "kernel/port.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

enum class runtime_state : std::uint8_t {
  image,      ///< its image is being resolved
  preparing,  ///< a worker makes the plan, the directories and the files
  abandoning, ///< told to stop while preparing: the worker's answer is awaited
  spawned,    ///< the shim runs, `create` and `build` are on their way
  ready,      ///< the child is parked
  built,      ///< its steps are done and it was let go; the first instruction is awaited
  running,
  attached, ///< running, and its events go to an attach session
  stopping, ///< the stop signal is out, the grace period runs
  killing,  ///< aborted or killed; its end is awaited
  closing,  ///< it has ended; the shim was told to go
  cleaning, ///< a worker removes what the run made
  done,
  adopting, ///< the shim is asked what became of the run
};
inline constexpr std::size_t runtime_states = 14;
std::string_view to_string(runtime_state s) noexcept;

enum class runtime_event_kind : std::uint8_t {
  image_ready,
  image_failed, ///< `why`
  prepared,
  prepare_failed, ///< `why`
  session_failed, ///< `why`: a verb of the session, or its start, was refused
  child_ready,    ///< `pid`
  child_built,
  child_running,  ///< `pid`, `at_ns`
  child_exited,   ///< `code`, `at_ns`
  child_signaled, ///< `code` = signal, `at_ns`
  child_aborted,
  child_failed, ///< `why`
  session_down, ///< `why`, `shim_lives`
  stop,         ///< `grace`
  timer,        ///< `serial`
  cleaned,
  begin_attach,
  end_attach,
  attach_over, ///< the attach session has ended
  adopted,     ///< `at`; by that: `pid`, `started_ns`, `code`, `at_ns`, `why`
};
inline constexpr std::size_t runtime_event_kinds = 20;
std::string_view to_string(runtime_event_kind k) noexcept;

struct runtime_event {
  runtime_event_kind kind;
  error why;
  int code = 0;
  pid_t pid = 0;
  std::int64_t at_ns = 0; ///< CLOCK_REALTIME
  std::optional<std::chrono::seconds> grace;
  std::uint64_t serial = 0;
  bool shim_lives = false;
  kernel::stage at = kernel::stage::starting; ///< starting: the shim holds no container
  std::int64_t started_ns = 0;
  bool out_of_memory = false; ///< of an end: a process of the container was killed for memory
};

enum class runtime_action_kind : std::uint8_t {
  resolve_image,
  prepare,
  start_session, ///< start the shim, then create and build, back to back
  adopt_session, ///< connect to the one that is there: adopted, or session_failed
  build,
  proceed,
  abort,
  signal, ///< `signum`
  kill,
  shutdown,    ///< the shim; without a session this is session_down at once
  end_session, ///< kill the shim, which did not go when told
  arm_timer,   ///< `timer` event with `serial` after `after`; older serials are stale
  drop_session,
  clean,
  report_running,
  finish, ///< tell the owner, then stop with `reason()`
  begin_attach,
  refuse_attach, ///< with `refusal`
  end_attach,    ///< end the attach session, if there is one; answer when its events are back
  reclaim,       ///< take the events back; an end of the workload or the shim that is known by then
                 ///< comes as its event before any other
  unexpected,    ///< `about` cannot come in this state: somebody is wrong
};
inline constexpr std::size_t runtime_action_kinds = 21;
std::string_view to_string(runtime_action_kind k) noexcept;

struct runtime_action {
  runtime_action_kind kind;
  int signum = 0;
  std::chrono::milliseconds after{0};
  std::uint64_t serial = 0;
  std::string_view refusal{}; ///< not_running | not_a_tty | attached
  runtime_event_kind about = runtime_event_kind::image_ready;
  bool operator==(const runtime_action&) const = default;
};

/// What the machine needs to know of the pod, and its own patience.
struct runtime_settings {
  std::string name;                         ///< namespace/name, for messages
  int stop_signal = 15;                     ///< as of `prepared`; see `set_stop_signal`
  bool tty = false;                         ///< has a terminal to attach to
  std::chrono::seconds grace{30};           ///< terminationGracePeriodSeconds
  std::chrono::seconds bring_up_limit{120}; ///< from spawn to the first instruction
  std::chrono::seconds close_limit{10};     ///< for a kill to end, and for a shim to go
  std::chrono::seconds adopt_limit{30};     ///< for a shim to tell what it holds
  bool operator==(const runtime_settings&) const = default;
};

/// The grace period in force: an override counts as it is; the manifest's 0 means kill at once, and
/// anything else at least kubelet's minimum of 2 s.
std::chrono::seconds effective_grace(std::chrono::seconds manifest,
                                     std::optional<std::chrono::seconds> override_);

class runtime_machine {
 public:
  explicit runtime_machine(runtime_settings settings) : settings_(std::move(settings)) {}

  /// The actions of the beginning; call once, first.
  std::vector<runtime_action> begin();
  /// The same for a run that a predecessor left.
  std::vector<runtime_action> begin_adoption(const run_record& run);
  /// Takes one event, in any state. One that comes too late to matter changes nothing; one that
  /// cannot be changes nothing either, and is `unexpected`.
  std::vector<runtime_action> handle(const runtime_event& event);

  /// Known once the image is; before that SIGTERM.
  void set_stop_signal(int signum) { settings_.stop_signal = signum; }

  [[nodiscard]] runtime_state state() const noexcept { return state_; }
  [[nodiscard]] bool stop_asked() const noexcept { return stop_asked_; }
  [[nodiscard]] pid_t host_pid() const noexcept { return pid_; }
  [[nodiscard]] std::int64_t started_ns() const noexcept { return started_ns_; }
  /// Between its first instruction and its kill or end; also while it obeys a graceful stop.
  [[nodiscard]] bool runs() const noexcept;
  /// Its cgroups are there, or being made, and its workload has not ended.
  [[nodiscard]] bool has_cgroups() const noexcept;
  [[nodiscard]] bool ever_ran() const noexcept { return started_ns_ != 0; }
  /// Why the actor stops; meaningful from `closing` on.
  [[nodiscard]] stop_reason reason() const;
  /// How the workload ended, for status.
  [[nodiscard]] last_exit how() const;

 private:
  using actions = std::vector<runtime_action>;
  using handler = void (runtime_machine::*)(const runtime_event&, actions&);
  struct table; // the rows, in the source
  enum class outcome : std::uint8_t {
    none,
    exited,
    signaled,
    aborted,
    image_failed,
    failed,
    session_down
  };

  void too_late(const runtime_event& e, actions& out);
  void cannot_be(const runtime_event& e, actions& out);
  void on_image_ready(const runtime_event& e, actions& out);
  void on_image_failed(const runtime_event& e, actions& out);
  void on_prepared(const runtime_event& e, actions& out);
  void on_prepare_failed(const runtime_event& e, actions& out);
  void on_abandoned(const runtime_event& e, actions& out);
  void on_session_failed(const runtime_event& e, actions& out);
  void on_session_lost(const runtime_event& e, actions& out);
  void on_ready(const runtime_event& e, actions& out);
  void on_built(const runtime_event& e, actions& out);
  void on_running(const runtime_event& e, actions& out);
  void on_end(const runtime_event& e, actions& out);
  void on_late_end(const runtime_event& e, actions& out);
  void on_session_down(const runtime_event& e, actions& out);
  void on_close_overdue(const runtime_event& e, actions& out);
  void on_closed(const runtime_event& e, actions& out);
  void on_bring_up_overdue(const runtime_event& e, actions& out);
  void on_grace_over(const runtime_event& e, actions& out);
  void on_kill_overdue(const runtime_event& e, actions& out);
  void on_stop_idle(const runtime_event& e, actions& out);
  void on_stop_preparing(const runtime_event& e, actions& out);
  void on_stop_parked(const runtime_event& e, actions& out);
  void on_stop_released(const runtime_event& e, actions& out);
  void on_stop_running(const runtime_event& e, actions& out);
  void on_stop_again(const runtime_event& e, actions& out);
  void on_stop_late(const runtime_event& e, actions& out);
  void on_cleaned(const runtime_event& e, actions& out);
  void on_begin_attach(const runtime_event& e, actions& out);
  void on_attach_not_running(const runtime_event& e, actions& out);
  void on_attach_again(const runtime_event& e, actions& out);
  void on_end_attach(const runtime_event& e, actions& out);
  void on_attach_over(const runtime_event& e, actions& out);
  void on_attach_over_at_the_end(const runtime_event& e, actions& out);

  void reclaim(actions& out);
  void on_adopted(const runtime_event& e, actions& out);
  void on_not_adopted(const runtime_event& e, actions& out);
  void on_adopting_down(const runtime_event& e, actions& out);
  void on_adoption_overdue(const runtime_event& e, actions& out);
  void on_stop_adopting(const runtime_event& e, actions& out);

  void adopt(actions& out);
  void resume(const runtime_event& e, actions& out);
  void no_shim(const runtime_event& e, actions& out);
  void arm(std::chrono::milliseconds after, actions& out);
  void enter_killing(actions& out);
  void enter_closing(actions& out);
  void enter_cleaning(actions& out);
  void record(outcome what, const runtime_event& e);
  [[nodiscard]] std::string describe() const;

  runtime_settings settings_;
  runtime_state state_ = runtime_state::image;
  bool stop_asked_ = false;
  bool end_sent_ = false;
  bool lent_ = false; ///< the session's events
  std::uint64_t serial_ = 0;
  pid_t pid_ = 0;
  std::int64_t started_ns_ = 0;
  std::int64_t finished_ns_ = 0;
  outcome outcome_ = outcome::none;
  int code_ = 0;
  bool out_of_memory_ = false;
  error why_;
  // of an adoption
  std::optional<run_end> end_;        ///< told by the predecessor
  bool untouched_ = false;            ///< nothing of the workload has run: it may begin anew
  bool connected_ = false;            ///< the shim took the connection
  unsigned tries_ = 0;                ///< to adopt, in this run
  std::optional<runtime_event> stop_; ///< came meanwhile
};

} // namespace tank
