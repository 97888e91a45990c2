/// One run of a pod: a sandbox and its containers, with plan_pod as their supervisor. Pure: time
/// comes in with each event.
///
/// The runtime actor feeds events and carries out the actions in order. Before an action that a
/// successor must know of (create, proceed, shut_down, clean) it keeps record().
///
/// Probes and hooks are somebody else's to carry out: here are their verdicts, and what follows. A
/// container has started when its postStart has returned and its startup probe has passed; it is
/// ready when it has started and its readiness probe, if it has one, passes.
#pragma once

#include "pod/container_machine.hpp"
#include "pod/model.hpp"
#include "pod/plan_pod.hpp"
#include "pod/pod_record.hpp"
#include "pod/run_settings.hpp"
#include "pod/run_steps.hpp"
#include "pod/sandbox_machine.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank {

class pod_run {
 public:
  explicit pod_run(run_settings settings);
  pod_run(const pod_run&) = delete;
  pod_run& operator=(const pod_run&) = delete;

  /// Call one of these once, first.
  run::actions begin(const instant& now);
  /// The same for a run that a predecessor left. A record of a run that had ended only has its
  /// remains removed.
  run::actions begin_adoption(const run_record& record, const instant& now);
  /// Takes one event. See container_machine::handle.
  run::actions handle(const run::event& event, const instant& now);

  // --- what it is ---------------------------------------------------------------------------------

  [[nodiscard]] bool stop_asked() const noexcept { return stop_asked_; }
  /// Some container is between its first instruction and its kill or end.
  [[nodiscard]] bool runs() const noexcept;
  /// Its cgroups are there, or being made, and something may still run in them.
  [[nodiscard]] bool has_cgroups() const noexcept;
  [[nodiscard]] sandbox_state sandbox() const noexcept { return sandbox_.state(); }
  [[nodiscard]] const container_machine& container(run::index who) const {
    return containers_[who].machine;
  }
  [[nodiscard]] const run::facts& facts(run::index who) const { return containers_[who].facts; }
  [[nodiscard]] const run_settings& settings() const noexcept { return settings_; }
  /// By name; the first main container for an empty one.
  [[nodiscard]] std::optional<run::index> find(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<container_status> statuses() const;
  /// What the first container that waits for data lacks; empty: none waits for any.
  [[nodiscard]] std::string lacking() const;

  /// Nothing of the pod shall run again, whatever its restartPolicy; meaningful when it is over.
  [[nodiscard]] bool is_final() const noexcept;
  /// Why it ended, and how its deciding container did; meaningful when it is over.
  [[nodiscard]] stop_reason reason() const;
  [[nodiscard]] last_exit how() const;

  /// All that a successor needs but `number` and `phases`.
  [[nodiscard]] run_record record() const;

 private:
  enum class probing : std::uint8_t { none, readiness, all };
  struct tracked {
    container_machine machine;
    run::facts facts;
    run_phase phase = run_phase::starting; ///< of the attempt, for the record
    std::int64_t released_at = 0;          ///< of the attempt; CLOCK_MONOTONIC in ns
    std::uint32_t next_attempt = 0;
    bool begun = false; ///< the machine's attempt; else the next one is still to begin
    std::uint32_t restarts = 0;
    restart_history history;
    std::vector<std::chrono::steady_clock::time_point> ends;
    std::optional<std::chrono::steady_clock::time_point> due;
    std::int64_t due_ns = 0; ///< CLOCK_REALTIME
    std::string lacks;       ///< what it needs and is not there; empty: nothing
    std::string waiting;     ///< why: kubelet's word
    std::string message;
    bool done = false;
    std::optional<run_end> result; ///< when done
    std::optional<last_exit> last;
    std::uint64_t timer = 0; ///< of the back-off
    bool passed = false;     ///< its step of the list
    bool waited = false;     ///< for its turn
    // Of the attempt:
    bool post_started = false;   ///< its postStart has returned, or it has none
    bool startup_passed = false; ///< or it has no such probe
    bool readiness_passed = false;
    probing probes = probing::none;
    std::optional<run::hook_kind> hook; ///< that runs
    hook_state pre_stop = hook_state::idle;
    std::optional<stop_terms> leaving;
    std::optional<stop_terms> told;
  };

  [[nodiscard]] pod_view view() const;
  void settle(const instant& now, run::actions& out);
  void carry_out(const order::begin& o, const instant& now, run::actions& out);
  void carry_out(const order::open_sandbox& o, const instant& now, run::actions& out);
  void carry_out(const order::prepare& o, const instant& now, run::actions& out);
  void carry_out(const order::create& o, const instant& now, run::actions& out);
  void carry_out(const order::release& o, const instant& now, run::actions& out);
  void carry_out(const order::run_again& o, const instant& now, run::actions& out);
  void carry_out(const order::begin_group& o, const instant& now, run::actions& out);
  void carry_out(const order::put_back& o, const instant& now, run::actions& out);
  void carry_out(const order::end_group& o, const instant& now, run::actions& out);
  void carry_out(const order::call_pre_stop& o, const instant& now, run::actions& out);
  void carry_out(const order::leave_ended& o, const instant& now, run::actions& out);
  void carry_out(const order::stop& o, const instant& now, run::actions& out);
  void carry_out(const order::close_sandbox& o, const instant& now, run::actions& out);
  void carry_out(const order::end_run& o, const instant& now, run::actions& out);

  void take(const run::container_prepared& e, const instant& now, run::actions& out);
  void take(const run::probe_result& e, const instant& now, run::actions& out);
  void take(const run::hook_done& e, const instant& now, run::actions& out);
  void take(const run::child_running& e, const instant& now, run::actions& out);
  void take(const run::adopted& e, const instant& now, run::actions& out);
  void take(const run::session_down& e, const instant& now, run::actions& out);
  void take(const run::session_failed& e, const instant& now, run::actions& out);
  void take(const run::stop& e, const instant& now, run::actions& out);
  void take(const run::timer_due& e, const instant& now, run::actions& out);
  void take(const run::data_known& e, const instant& now, run::actions& out);
  template <class E>
  void take(const E& e, const instant& now, run::actions& out);

  void note_release(tracked& c, const instant& now);
  void begin_stop(const instant& now);
  void set_due(run::index who, std::chrono::milliseconds delay, const instant& now,
               run::actions& out);
  void drop_due(run::index who, run::actions& out);
  void came_up(run::index who, const instant& now, run::actions& out);
  void post_start_over(run::index who, run::actions& out);
  void leave(run::index who, std::string complaint, std::optional<std::chrono::seconds> grace,
             const instant& now);
  void narrow_probes(run::actions& out);
  void arm_next_look(const instant& now, run::actions& out);
  [[nodiscard]] bool is_started(const tracked& c) const noexcept;
  [[nodiscard]] bool is_leaving(run::index who) const noexcept;
  void lose_containers(run::actions& out);
  void lose_containers(const error& why, run::actions& out);
  void restore(tracked& c, const container_record& r, const instant& now, run::actions& out);
  void report(run::actions& out);
  [[nodiscard]] container_status status(run::index who) const;
  [[nodiscard]] run::index deciding() const;
  [[nodiscard]] std::optional<run::container_end> sandbox_end() const;

  run_settings settings_;
  std::unique_ptr<timer_serials> serials_;
  sandbox_machine sandbox_;
  std::vector<tracked> containers_;
  std::optional<group_view> group_;
  restart_history history_; ///< of the list as a whole
  std::vector<std::chrono::steady_clock::time_point> ends_;
  bool stop_asked_ = false;
  std::optional<std::chrono::seconds> grace_;
  std::optional<stop_terms> stop_;     ///< once it is over
  std::optional<order::end_run> over_; ///< set: the run is ending
  std::optional<run_end> recorded_;    ///< told by a predecessor
  bool recorded_final_ = false;
  std::int64_t released_at_ = 0; ///< CLOCK_MONOTONIC in ns, the first time
  bool reported_running_ = false;
  bool finished_ = false;
  std::uint64_t timer_ = 0; ///< of its own
  std::optional<std::chrono::steady_clock::time_point> timer_at_;
  std::vector<container_status> reported_;
};

} // namespace tank
